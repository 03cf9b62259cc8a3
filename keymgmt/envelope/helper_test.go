package envelope_test

import (
	"bytes"
	"context"
	"crypto/fips140"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/envelope"
)

// start is when tests begin.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// clock is a clock that stands still.
type clock struct{ atomic.Pointer[time.Time] }

func newClock() *clock {
	c := &clock{}
	c.set(start)
	return c
}

func (c *clock) set(t time.Time)       { c.Store(&t) }
func (c *clock) after(d time.Duration) { c.set(c.Load().Add(d)) }
func (c *clock) options() *envelope.Options {
	return &envelope.Options{Now: func() time.Time { return *c.Load() }}
}

// bubble is synctest.Test, but in FIPS mode: there Go draws entropy from the clock, which stands still in a bubble.
func bubble(t *testing.T, fn func(*testing.T)) {
	t.Helper()
	if fips140.Enabled() {
		t.Skip("no entropy from a clock that stands still")
	}
	synctest.Test(t, fn)
}

// kek is a key-encryption key that counts what it is asked. The hooks, when set, come first.
type kek struct {
	envelope.Wrapper
	wraps, unwraps atomic.Int64
	onWrap         func(context.Context) error
	onUnwrap       func(context.Context) error
}

func newKEK(t testing.TB) *kek { return &kek{Wrapper: envelope.AEAD(newAEAD(t))} }

func (k *kek) Wrap(ctx context.Context, key []byte, c keymgmt.Context) ([]byte, error) {
	k.wraps.Add(1)
	if k.onWrap != nil {
		if err := k.onWrap(ctx); err != nil {
			return nil, err
		}
	}
	return k.Wrapper.Wrap(ctx, key, c)
}

func (k *kek) Unwrap(ctx context.Context, wrapped []byte, c keymgmt.Context) ([]byte, error) {
	k.unwraps.Add(1)
	if k.onUnwrap != nil {
		if err := k.onUnwrap(ctx); err != nil {
			return nil, err
		}
	}
	return k.Wrapper.Unwrap(ctx, wrapped, c)
}

// newAEAD returns a Tink AEAD of a new keyset, with Tink's prefix.
func newAEAD(t testing.TB) tink.AEAD {
	t.Helper()
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	require.NoError(t, err)
	a, err := aead.New(handle)
	require.NoError(t, err)
	return a
}

func named(t testing.TB, tenant, what string) keymgmt.Context {
	t.Helper()
	c, err := keymgmt.NewContext("tenant", tenant, "what", what)
	require.NoError(t, err)
	return c
}

func over(t testing.TB, kek envelope.Wrapper, l envelope.Limits, o *envelope.Options) *envelope.Envelope {
	t.Helper()
	e, err := envelope.New(kek, l, o)
	require.NoError(t, err)
	return e
}

// roomy limits bound nothing but the age.
func roomy(age time.Duration) envelope.Limits {
	return envelope.Limits{Age: age, Messages: envelope.MaxMessages, Bytes: 1 << 60, Entries: 1000, Memory: 16 << 20}
}

func seal(t testing.TB, e *envelope.Envelope, text string, c keymgmt.Context) []byte {
	t.Helper()
	sealed, err := e.Seal(t.Context(), nil, []byte(text), c)
	require.NoError(t, err)
	return sealed
}

func open(t testing.TB, e *envelope.Envelope, sealed []byte, c keymgmt.Context) string {
	t.Helper()
	text, err := e.Open(t.Context(), nil, sealed, c)
	require.NoError(t, err)
	return string(text)
}

// wrappedKey tells under which data key something is sealed.
func wrappedKey(t testing.TB, sealed []byte) string {
	t.Helper()
	wrapped, _, err := envelope.Split(sealed)
	require.NoError(t, err)
	return string(wrapped)
}

// buffer is a file in memory.
type buffer struct{ bytes.Buffer }

func (b *buffer) reader() io.Reader { return bytes.NewReader(b.Bytes()) }
