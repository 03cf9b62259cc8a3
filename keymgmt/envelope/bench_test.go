package envelope_test

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	tink "github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	streaming "github.com/tink-crypto/tink-go/v2/streamingaead/subtle"

	"github.com/cloudopsec/opsec/keymgmt/envelope"
)

// duel runs ours and the peer in turn, so that what else the machine does falls on both, and reports the peer's time over
// ours as x-peer.
func duel(b *testing.B, size int64, ours, peer func() error) {
	b.SetBytes(2 * size)
	b.ReportAllocs()
	var times [2]time.Duration
	for b.Loop() {
		for i, do := range []func() error{ours, peer} {
			begin := time.Now()
			for range max(1, 16<<10/size) {
				if err := do(); err != nil {
					b.Fatal(err)
				}
			}
			times[i] += time.Since(begin)
		}
	}
	b.ReportMetric(float64(times[1])/float64(times[0]), "x-peer")
}

// BenchmarkMessage is 1 KiB beside Tink's KMSEnvelopeAEAD over the same local key-encryption key.
func BenchmarkMessage(b *testing.B) {
	kek, err := subtle.NewAESGCM(make([]byte, 32))
	require.NoError(b, err)
	text, c, room := make([]byte, 1024), named(b, "acme", "invoices"), make([]byte, 0, 2048)
	peer := tink.NewKMSEnvelopeAEAD2(tink.AES256GCMKeyTemplate(), kek)
	theirs, err := peer.Encrypt(text, c.Bytes())
	require.NoError(b, err)
	fresh, cached := over(b, envelope.AEAD(kek), envelope.Limits{}, nil), over(b, envelope.AEAD(kek), roomy(time.Hour), nil)
	ours, err := cached.Seal(b.Context(), nil, text, c)
	require.NoError(b, err)

	for _, e := range []struct {
		name string
		e    *envelope.Envelope
		dst  []byte
	}{{"fresh", fresh, nil}, {"cached", cached, nil}, {"cached-into-room", cached, room}} {
		b.Run("seal/"+e.name, func(b *testing.B) {
			duel(b, 1024, func() error { _, err := e.e.Seal(b.Context(), e.dst, text, c); return err },
				func() error { _, err := peer.Encrypt(text, c.Bytes()); return err })
		})
		b.Run("open/"+e.name, func(b *testing.B) {
			duel(b, 1024, func() error { _, err := e.e.Open(b.Context(), e.dst, ours, c); return err },
				func() error { _, err := peer.Decrypt(theirs, c.Bytes()); return err })
		})
	}
	b.Run("seal/cached-parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			room := make([]byte, 0, 2048)
			for pb.Next() {
				if _, err := cached.Seal(b.Context(), room, text, c); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

// BenchmarkStream is 64 MiB beside Tink's bare streaming AEAD.
func BenchmarkStream(b *testing.B) {
	const size = 64 << 20
	bare, err := streaming.NewAESGCMHKDF(make([]byte, 32), "SHA256", 32, 1<<20, 0)
	require.NoError(b, err)
	kek, err := subtle.NewAESGCM(make([]byte, 32))
	require.NoError(b, err)
	e, c, chunk := over(b, envelope.AEAD(kek), envelope.Limits{}, nil), named(b, "acme", "backups"), make([]byte, 1<<20)
	write := func(w io.WriteCloser, err error) error {
		for range size / len(chunk) {
			if err == nil {
				_, err = w.Write(chunk)
			}
		}
		if err == nil {
			err = w.Close()
		}
		return err
	}
	read := func(r io.Reader, err error) error {
		for err == nil {
			_, err = r.Read(chunk)
		}
		if err == io.EOF {
			err = nil
		}
		return err
	}
	var ours, theirs buffer
	require.NoError(b, write(e.Encrypt(b.Context(), &ours, c, nil)))
	require.NoError(b, write(bare.NewEncryptingWriter(&theirs, c.Bytes())))
	b.Run("encrypt", func(b *testing.B) {
		duel(b, size, func() error { return write(e.Encrypt(b.Context(), io.Discard, c, nil)) },
			func() error { return write(bare.NewEncryptingWriter(io.Discard, c.Bytes())) })
	})
	b.Run("decrypt", func(b *testing.B) {
		duel(b, size, func() error { return read(e.Decrypt(b.Context(), ours.reader(), c, nil)) },
			func() error { return read(bare.NewDecryptingReader(theirs.reader(), c.Bytes())) })
	})
}
