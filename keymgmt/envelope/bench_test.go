package envelope_test

import (
	"io"
	"testing"
	"time"

	tinkaead "github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/streamingaead"
	streaming "github.com/tink-crypto/tink-go/v2/streamingaead/subtle"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/keymgmt/envelope"
)

// BenchmarkMessage is 1 KiB in an envelope over one local key-encryption key: ours and Tink's KMSEnvelopeAEAD.
func BenchmarkMessage(b *testing.B) {
	kek, err := subtle.NewAESGCM(make([]byte, 32))
	require.NoError(b, err)
	text, c := make([]byte, 1024), named(b, "acme", "invoices")
	tink := tinkaead.NewKMSEnvelopeAEAD2(tinkaead.AES256GCMKeyTemplate(), kek)
	fresh := over(b, envelope.AEAD(kek), envelope.Limits{}, nil)
	cached := over(b, envelope.AEAD(kek), roomy(time.Hour), nil)
	theirs, err := tink.Encrypt(text, c.Bytes())
	require.NoError(b, err)
	ours, err := cached.Seal(b.Context(), nil, text, c)
	require.NoError(b, err)

	seal := func(e *envelope.Envelope, dst []byte) func(*testing.B) {
		return func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Seal(b.Context(), dst, text, c); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	open := func(e *envelope.Envelope, dst []byte) func(*testing.B) {
		return func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Open(b.Context(), dst, ours, c); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	peer := func(do func(text, associated []byte) ([]byte, error), text []byte) func(*testing.B) {
		return func(b *testing.B) {
			b.SetBytes(1024)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := do(text, c.Bytes()); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	room := make([]byte, 0, 2048)
	b.Run("seal/tink", peer(tink.Encrypt, text))
	b.Run("seal/fresh", seal(fresh, nil))
	b.Run("seal/cached", seal(cached, nil))
	b.Run("seal/cached-into-room", seal(cached, room))
	b.Run("open/tink", peer(tink.Decrypt, theirs))
	b.Run("open/fresh", open(fresh, nil))
	b.Run("open/cached", open(cached, nil))
	b.Run("open/cached-into-room", open(cached, room))
}

// BenchmarkStream is 64 MiB through Tink's streaming AEAD, bare and in an envelope.
func BenchmarkStream(b *testing.B) {
	const size = 64 << 20
	bare, err := streaming.NewAESGCMHKDF(make([]byte, 32), "SHA256", 32, 1<<20, 0)
	require.NoError(b, err)
	require.NotNil(b, streamingaead.AES256GCMHKDF1MBKeyTemplate())
	kek, err := subtle.NewAESGCM(make([]byte, 32))
	require.NoError(b, err)
	e, c, chunk := over(b, envelope.AEAD(kek), envelope.Limits{}, nil), named(b, "acme", "backups"), make([]byte, 1<<20)

	run := func(b *testing.B, open func(io.Writer) (io.WriteCloser, error)) {
		b.SetBytes(size)
		b.ReportAllocs()
		for b.Loop() {
			w, err := open(io.Discard)
			if err != nil {
				b.Fatal(err)
			}
			for range size / len(chunk) {
				if _, err := w.Write(chunk); err != nil {
					b.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("encrypt/tink", func(b *testing.B) {
		run(b, func(w io.Writer) (io.WriteCloser, error) { return bare.NewEncryptingWriter(w, c.Bytes()) })
	})
	b.Run("encrypt/envelope", func(b *testing.B) {
		run(b, func(w io.Writer) (io.WriteCloser, error) { return e.Encrypt(b.Context(), w, c, nil) })
	})
}
