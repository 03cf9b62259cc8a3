package custody_test

import (
	"bytes"
	"context"
	"crypto/fips140"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/custody"
)

// scripted is an AEAD that fails as it is told.
type scripted struct {
	tink.AEAD
	decrypt func() error
}

func (s scripted) Decrypt(text, data []byte) ([]byte, error) {
	if err := s.decrypt(); err != nil {
		return nil, err
	}
	return s.AEAD.Decrypt(text, data)
}

func TestOneLostAnswerIsNotAWrongKey(t *testing.T) {
	s := newService()
	require.NoError(t, s.generate(ctx, "h"))
	calls := 0
	k, err := custody.NewKMS(func(string) (tink.AEAD, error) {
		return scripted{s.keys["h"], func() error {
			if calls++; calls == 1 {
				return errNetwork
			}
			return nil
		}}, nil
	}, nil)
	require.NoError(t, err)
	w, err := k.Wrap(ctx, "h", []byte("material"), nil)
	require.NoError(t, err)
	got, err := k.Unwrap(ctx, "h", w, nil)
	require.NoError(t, err)
	require.Equal(t, "material", string(got))
}

func TestHandlesOfKeysThatAreMadeOutside(t *testing.T) {
	s := newService()
	o := s.options()
	o.Generate = nil
	k, err := custody.NewKMS(s.aead, o)
	require.NoError(t, err)
	require.ErrorIs(t, k.Generate(ctx, "h"), opsec.ErrNotFound)
	require.NoError(t, s.generate(ctx, "h"))
	require.NoError(t, k.Generate(ctx, "h"))
	s.cut = true
	require.ErrorIs(t, k.Generate(ctx, "h"), keymgmt.ErrUnavailable)
}

// slow never answers, until it is let go.
type slow struct{ release chan struct{} }

func (s slow) Encrypt(text, _ []byte) ([]byte, error) { <-s.release; return text, nil }
func (s slow) Decrypt(text, _ []byte) ([]byte, error) { <-s.release; return text, nil }

func TestCallerDoesNotWaitForAServiceThatHangs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := slow{make(chan struct{})}
		k, err := custody.NewKMS(func(string) (tink.AEAD, error) { return s, nil }, nil)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		material := []byte("material")
		_, err = k.Wrap(ctx, "h", material, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, keymgmt.ErrUnavailable)
		_, err = k.Unwrap(ctx, "h", material, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, keymgmt.ErrUnwrap)
		clear(material) // is the caller's own again
		close(s.release)
	})
}

// contextual is an AEAD that takes contexts.
type contextual struct {
	slow
	calls *atomic.Int32
}

func (c contextual) EncryptWithContext(ctx context.Context, text, _ []byte) ([]byte, error) {
	c.calls.Add(1)
	return bytes.Clone(text), ctx.Err()
}

func (c contextual) DecryptWithContext(ctx context.Context, text, _ []byte) ([]byte, error) {
	return c.EncryptWithContext(ctx, text, nil)
}

func TestContextsAreHandedOn(t *testing.T) {
	c := contextual{calls: new(atomic.Int32)}
	k, err := custody.NewKMS(func(string) (tink.AEAD, error) { return c, nil }, nil)
	require.NoError(t, err)
	_, err = k.Wrap(ctx, "h", []byte("m"), nil)
	require.NoError(t, err)
	_, err = k.Unwrap(ctx, "h", []byte("m"), nil)
	require.NoError(t, err)
	require.EqualValues(t, 2, c.calls.Load())
}

func TestAHandleThatAClientDoesNotKnow(t *testing.T) {
	for _, want := range []error{opsec.ErrNotFound, keymgmt.ErrUnavailable} {
		cause := errors.New("unknown key URI")
		if want == opsec.ErrNotFound {
			cause = opsec.ErrNotFound
		}
		k, err := custody.NewKMS(func(string) (tink.AEAD, error) { return nil, cause }, nil)
		require.NoError(t, err)
		_, err = k.Wrap(ctx, "h", []byte("m"), nil)
		require.ErrorIs(t, err, want)
		require.ErrorIs(t, k.Generate(ctx, "h"), want)
	}
}

func TestKeyThatGoesWhileSomethingIsUnwrapped(t *testing.T) {
	s := newService()
	require.NoError(t, s.generate(ctx, "h"))
	calls := 0
	k, err := custody.NewKMS(func(string) (tink.AEAD, error) {
		return scripted{s.keys["h"], func() error {
			switch calls++; calls {
			case 1:
				return errNetwork
			case 3: // after the probe
				return errNoKey
			}
			return nil
		}}, nil
	}, s.options())
	require.NoError(t, err)
	w, err := k.Wrap(ctx, "h", []byte("material"), nil)
	require.NoError(t, err)
	_, err = k.Unwrap(ctx, "h", w, nil)
	require.ErrorIs(t, err, opsec.ErrNotFound)
	require.NotErrorIs(t, err, keymgmt.ErrUnwrap)
}

// bubble is synctest.Test, but in FIPS mode: there Go draws entropy from the clock, which stands still in a bubble.
func bubble(t *testing.T, fn func(*testing.T)) {
	t.Helper()
	if fips140.Enabled() {
		t.Skip("no entropy from a clock that stands still")
	}
	synctest.Test(t, fn)
}
