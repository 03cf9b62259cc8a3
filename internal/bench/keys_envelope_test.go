package bench

import (
	"bytes"
	"context"
	"io"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/streamingaead"

	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/envelope"
)

func newEnvelope(t testing.TB, w envelope.Wrapper, l envelope.Limits) *envelope.Envelope {
	e, err := envelope.New(w, l, nil)
	require.NoError(t, err)
	return e
}

func cacheLimits() envelope.Limits {
	return envelope.Limits{Age: time.Hour, Messages: envelope.MaxMessages, Bytes: 1 << 50, Entries: 1000, Memory: 16 << 20}
}

// BenchmarkKeysEnvelope is 1 KiB in an envelope over one local key-encryption key, beside Tink's KMSEnvelopeAEAD: with a
// data key for each message, as Tink does it, and with one from the cache. Tink does not bind the wrapped data key to the
// associated data; we do.
func BenchmarkKeysEnvelope(b *testing.B) {
	kek, err := subtle.NewAESGCM(noise(32))
	require.NoError(b, err)
	c, err := keymgmt.NewContext("tenant", "acme", "table", "invoices")
	require.NoError(b, err)
	ctx, text := context.Background(), noise(oneKiB)
	tink := aead.NewKMSEnvelopeAEAD2(aead.AES256GCMKeyTemplate(), kek)
	fresh := newEnvelope(b, envelope.AEAD(kek), envelope.Limits{})
	cached := newEnvelope(b, envelope.AEAD(kek), cacheLimits())
	ours, err := fresh.Seal(ctx, nil, text, c)
	require.NoError(b, err)
	theirs, err := tink.Encrypt(text, c.Bytes())
	require.NoError(b, err)

	for name, e := range map[string]*envelope.Envelope{"fresh": fresh, "cached": cached} {
		b.Run(name+"/seal", func(b *testing.B) {
			race(b, messages*oneKiB, []contestant{
				{name: "envelope", run: repeated(func() error { _, err := e.Seal(ctx, nil, text, c); return err })},
				{name: "tink", run: repeated(func() error { _, err := tink.Encrypt(text, c.Bytes()); return err })},
			})
		})
		b.Run(name+"/open", func(b *testing.B) {
			race(b, messages*oneKiB, []contestant{
				{name: "envelope", run: repeated(func() error { _, err := e.Open(ctx, nil, ours, c); return err })},
				{name: "tink", run: repeated(func() error { _, err := tink.Decrypt(theirs, c.Bytes()); return err })},
			})
		})
	}
}

// BenchmarkKeysStream is -mib through Tink's streaming AEAD, bare and in an envelope.
func BenchmarkKeysStream(b *testing.B) {
	kek, err := subtle.NewAESGCM(noise(32))
	require.NoError(b, err)
	c, err := keymgmt.NewContext("tenant", "acme", "backup", "daily")
	require.NoError(b, err)
	handle, err := keyset.NewHandle(streamingaead.AES256GCMHKDF1MBKeyTemplate())
	require.NoError(b, err)
	bare, err := streamingaead.New(handle)
	require.NoError(b, err)
	e := newEnvelope(b, envelope.AEAD(kek), envelope.Limits{})
	ctx, plain := context.Background(), noise(min(*mib, 256)<<20)

	write := func(to io.Writer, open func(io.Writer) (io.WriteCloser, error)) string {
		w, err := open(to)
		if err == nil {
			_, err = io.Copy(w, struct{ io.Reader }{bytes.NewReader(plain)})
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			return err.Error()
		}
		return strconv.Itoa(len(plain))
	}
	read := func(from []byte, open func(io.Reader) (io.Reader, error)) string {
		r, err := open(bytes.NewReader(from))
		if err != nil {
			return err.Error()
		}
		n, err := io.Copy(struct{ io.Writer }{io.Discard}, r)
		if err != nil {
			return err.Error()
		}
		return strconv.FormatInt(n, 10)
	}
	oursOut := func(w io.Writer) (io.WriteCloser, error) { return e.Encrypt(ctx, w, c, nil) }
	bareOut := func(w io.Writer) (io.WriteCloser, error) { return bare.NewEncryptingWriter(w, c.Bytes()) }
	var ours, theirs bytes.Buffer
	write(&ours, oursOut)
	write(&theirs, bareOut)
	b.Run("encrypt", func(b *testing.B) {
		race(b, int64(len(plain)), []contestant{
			{name: "envelope", run: func() string { return write(io.Discard, oursOut) }},
			{name: "tink", run: func() string { return write(io.Discard, bareOut) }},
		})
	})
	b.Run("decrypt", func(b *testing.B) {
		race(b, int64(len(plain)), []contestant{
			{name: "envelope", run: func() string {
				return read(ours.Bytes(), func(r io.Reader) (io.Reader, error) { return e.Decrypt(ctx, r, c, nil) })
			}},
			{name: "tink", run: func() string {
				return read(theirs.Bytes(), func(r io.Reader) (io.Reader, error) { return bare.NewDecryptingReader(r, c.Bytes()) })
			}},
		})
	})
}
