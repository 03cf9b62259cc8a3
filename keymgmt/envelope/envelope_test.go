package envelope_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	tinkaead "github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/tink"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/envelope"
)

// remote is what one gives to Tink's KMSEnvelopeAEAD to share envelopes with us: Tink wraps data keys under no associated
// data, and this binds the context instead.
type remote struct {
	tink.AEAD
	context keymgmt.Context
}

func (r remote) Encrypt(key, none []byte) ([]byte, error) {
	return r.AEAD.Encrypt(key, slices.Concat(none, r.context.Bytes()))
}

func (r remote) Decrypt(wrapped, none []byte) ([]byte, error) {
	return r.AEAD.Decrypt(wrapped, slices.Concat(none, r.context.Bytes()))
}

func TestTinkOpensOursAndWeOpenTinks(t *testing.T) {
	above, c := newAEAD(t), named(t, "acme", "invoices")
	peer := tinkaead.NewKMSEnvelopeAEAD2(tinkaead.AES256GCMKeyTemplate(), remote{above, c})
	for _, limits := range []envelope.Limits{{}, roomy(time.Hour)} {
		e := over(t, envelope.AEAD(above), limits, nil)
		rapid.Check(t, func(rt *rapid.T) {
			text := rapid.SliceOfN(rapid.Byte(), 0, 3000).Draw(rt, "text")
			ours, err := e.Seal(t.Context(), nil, text, c)
			require.NoError(rt, err)
			got, err := peer.Decrypt(ours, c.Bytes())
			require.NoError(rt, err)
			require.True(rt, bytes.Equal(text, got))

			theirs, err := peer.Encrypt(text, c.Bytes())
			require.NoError(rt, err)
			require.Len(rt, theirs, len(ours))
			got, err = e.Open(t.Context(), nil, theirs, c)
			require.NoError(rt, err)
			require.True(rt, bytes.Equal(text, got))
		})
	}

	t.Run("without the context in the wrapped key neither opens the other's", func(t *testing.T) {
		peer := tinkaead.NewKMSEnvelopeAEAD2(tinkaead.AES256GCMKeyTemplate(), above)
		e := over(t, envelope.AEAD(above), envelope.Limits{}, nil)
		_, err := peer.Decrypt(seal(t, e, "text", c), c.Bytes())
		require.Error(t, err)
		theirs, err := peer.Encrypt([]byte("text"), c.Bytes())
		require.NoError(t, err)
		_, err = e.Open(t.Context(), nil, theirs, c)
		require.Error(t, err)
	})

	t.Run("a data key of another kind is refused", func(t *testing.T) {
		peer := tinkaead.NewKMSEnvelopeAEAD2(tinkaead.AES128GCMKeyTemplate(), remote{above, c})
		theirs, err := peer.Encrypt([]byte("text"), c.Bytes())
		require.NoError(t, err)
		_, err = over(t, envelope.AEAD(above), roomy(time.Hour), nil).Open(t.Context(), nil, theirs, c)
		require.ErrorIs(t, err, envelope.ErrOpen)

		peer = tinkaead.NewKMSEnvelopeAEAD2(tinkaead.ChaCha20Poly1305KeyTemplate(), remote{above, c}) // a key as long as ours
		theirs, err = peer.Encrypt([]byte("text"), c.Bytes())
		require.NoError(t, err)
		_, err = over(t, envelope.AEAD(above), roomy(time.Hour), nil).Rewrap(t.Context(), nil, theirs, c)
		require.ErrorIs(t, err, envelope.ErrOpen)
	})
}

// blind is a wrapper that forgets the context: what the payload is bound to must still tell.
type blind struct{ envelope.Wrapper }

func (b blind) Wrap(ctx context.Context, key []byte, _ keymgmt.Context) ([]byte, error) {
	return b.Wrapper.Wrap(ctx, key, keymgmt.Context{})
}

func (b blind) Unwrap(ctx context.Context, wrapped []byte, _ keymgmt.Context) ([]byte, error) {
	return b.Wrapper.Unwrap(ctx, wrapped, keymgmt.Context{})
}

func TestContextIsBoundToKeyAndPayload(t *testing.T) {
	right, wrong := named(t, "acme", "invoices"), named(t, "acme", "salaries")
	for _, limits := range []envelope.Limits{{}, roomy(time.Hour)} {
		k := newKEK(t)
		e := over(t, k, limits, nil)
		sealed := seal(t, e, "text", right)
		require.Equal(t, "text", open(t, e, sealed, right))
		_, err := e.Open(t.Context(), nil, sealed, wrong)
		require.Error(t, err)
		require.NotErrorIs(t, err, envelope.ErrOpen, "the wrapped key does not open")
		_, err = e.Rewrap(t.Context(), nil, sealed, wrong)
		require.Error(t, err)

		e = over(t, blind{newKEK(t)}, limits, nil)
		_, err = e.Open(t.Context(), nil, seal(t, e, "text", right), wrong)
		require.ErrorIs(t, err, envelope.ErrOpen, "the payload does not open")
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
}

func TestEachChangeIsNoticed(t *testing.T) {
	e, c := over(t, newKEK(t), roomy(time.Hour), nil), named(t, "acme", "invoices")
	sealed := seal(t, e, "a text", c)
	require.Equal(t, "a text", open(t, e, sealed, c))
	for i := range sealed {
		changed := slices.Clone(sealed)
		changed[i] ^= 1
		_, err := e.Open(t.Context(), nil, changed, c)
		require.Error(t, err, "byte %d", i)
		_, err = e.Open(t.Context(), nil, sealed[:i], c)
		require.Error(t, err, "cut at %d", i)
	}
	_, err := e.Open(t.Context(), nil, append(slices.Clone(sealed), 0), c)
	require.ErrorIs(t, err, envelope.ErrOpen)
	require.Equal(t, "a text", open(t, e, sealed, c), "and what was tried before does not matter")
}

func TestSealAndOpenAppend(t *testing.T) {
	e, c := over(t, newKEK(t), roomy(time.Hour), nil), named(t, "acme", "invoices")
	room := make([]byte, 0, 1024)
	for _, dst := range [][]byte{nil, []byte("before"), append(room, "before"...)} {
		sealed, err := e.Seal(t.Context(), dst, []byte("text"), c)
		require.NoError(t, err)
		require.Equal(t, string(dst), string(sealed[:len(dst)]))
		text, err := e.Open(t.Context(), []byte("before "), sealed[len(dst):], c)
		require.NoError(t, err)
		require.Equal(t, "before text", string(text))
	}
	text := append(room, bytes.Repeat([]byte("a text that must not be overwritten while it is read"), 4)...)
	require.Panics(t, func() { e.Seal(t.Context(), text[:0], text, c) }, "never a ciphertext of something else")
}

func TestRewrapChangesTheKeyAboveAlone(t *testing.T) {
	before, after, c := newKEK(t), newKEK(t), named(t, "acme", "invoices")
	sealed := seal(t, over(t, before, envelope.Limits{}, nil), "text", c)
	_, payload, err := envelope.Split(sealed)
	require.NoError(t, err)

	both := over(t, rotated{Wrapper: after, old: before}, envelope.Limits{}, nil)
	again, err := both.Rewrap(t.Context(), []byte("dst"), sealed, c)
	require.NoError(t, err)
	require.Equal(t, "dst", string(again[:3]))
	wrapped, same, err := envelope.Split(again[3:])
	require.NoError(t, err)
	require.Equal(t, payload, same)
	require.NotEqual(t, wrappedKey(t, sealed), string(wrapped))
	require.Equal(t, "text", open(t, over(t, after, envelope.Limits{}, nil), again[3:], c))

	for sealed, want := range map[string][]byte{string(sealed): sealed, string(again[3:]): again[3:]} {
		id, ok := both.KeyID([]byte(sealed))
		require.True(t, ok)
		require.Equal(t, binary.BigEndian.Uint32(want[5:]), id)
	}
	for _, none := range [][]byte{nil, sealed[:10], {0, 0, 0, 4, 1, 2, 3, 4}, {0, 0, 0, 5, 2, 2, 3, 4, 5}} {
		_, ok := both.KeyID(none)
		require.False(t, ok)
	}
	_, err = both.Rewrap(t.Context(), nil, sealed[:10], c)
	require.ErrorIs(t, err, envelope.ErrOpen)
	var stream buffer
	w, err := both.Encrypt(t.Context(), &stream, c, nil)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	_, err = both.Rewrap(t.Context(), nil, stream.Bytes(), c)
	require.ErrorIs(t, err, envelope.ErrOpen, "a stream's key is none of a message")
	_, err = both.Open(t.Context(), nil, stream.Bytes(), c)
	require.ErrorIs(t, err, envelope.ErrOpen)
	_, err = both.Decrypt(t.Context(), bytes.NewReader(sealed), c, nil)
	require.ErrorIs(t, err, envelope.ErrOpen)
}

// rotated wraps with one key, and unwraps with that or an old one.
type rotated struct {
	envelope.Wrapper
	old envelope.Wrapper
}

func (r rotated) Unwrap(ctx context.Context, wrapped []byte, c keymgmt.Context) ([]byte, error) {
	key, err := r.Wrapper.Unwrap(ctx, wrapped, c)
	if err != nil {
		return r.old.Unwrap(ctx, wrapped, c)
	}
	return key, nil
}

// nosy keeps the raw keys that it sees.
type nosy struct {
	*kek
	seen [][]byte
}

func (n *nosy) Wrap(ctx context.Context, key []byte, c keymgmt.Context) ([]byte, error) {
	n.seen = append(n.seen, key)
	return n.kek.Wrap(ctx, key, c)
}

func (n *nosy) Unwrap(ctx context.Context, wrapped []byte, c keymgmt.Context) ([]byte, error) {
	key, err := n.kek.Unwrap(ctx, wrapped, c)
	n.seen = append(n.seen, key)
	return key, err
}

func TestRewrapInPlace(t *testing.T) {
	c, short, long := named(t, "acme", "invoices"), newKEK(t), &longer{newKEK(t)}
	for name, test := range map[string]struct{ from, to envelope.Wrapper }{"to a longer key": {short, long}, "to a shorter key": {long, short}} {
		t.Run(name, func(t *testing.T) {
			text := strings.Repeat("what is kept ", 100)
			sealed := seal(t, over(t, test.from, envelope.Limits{}, nil), text, c)
			sealed = slices.Grow(sealed, 4096) // there is room to write over it
			e := over(t, moving{test.from, test.to}, envelope.Limits{}, nil)
			again, err := e.Rewrap(t.Context(), sealed[:0], sealed, c)
			require.NoError(t, err)
			require.Equal(t, text, open(t, over(t, test.to, envelope.Limits{}, nil), again, c))
		})
	}
}

// longer wraps with 100 bytes more.
type longer struct{ *kek }

func (l *longer) Wrap(ctx context.Context, key []byte, c keymgmt.Context) ([]byte, error) {
	out, err := l.kek.Wrap(ctx, key, c)
	return append(out, make([]byte, 100)...), err
}

func (l *longer) Unwrap(ctx context.Context, wrapped []byte, c keymgmt.Context) ([]byte, error) {
	return l.kek.Unwrap(ctx, wrapped[:len(wrapped)-100], c)
}

// moving opens with one key and wraps with another.
type moving struct{ from, to envelope.Wrapper }

func (m moving) Wrap(ctx context.Context, key []byte, c keymgmt.Context) ([]byte, error) {
	return m.to.Wrap(ctx, key, c)
}

func (m moving) Unwrap(ctx context.Context, wrapped []byte, c keymgmt.Context) ([]byte, error) {
	return m.from.Unwrap(ctx, wrapped, c)
}

func TestNoKeyAboveIsRefusedAtOnce(t *testing.T) {
	for name, w := range map[string]envelope.Wrapper{
		"no ring": envelope.Keyring(nil), "no custodian": envelope.Custodian(nil, "x"), "no AEAD": envelope.AEAD(nil),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := envelope.New(w, envelope.Limits{}, nil)
			require.ErrorIs(t, err, opsec.ErrInvalid)
		})
	}
}

func TestRawKeysAreCleared(t *testing.T) {
	c := named(t, "acme", "invoices")
	for _, limits := range []envelope.Limits{{}, roomy(time.Hour)} {
		n := &nosy{kek: newKEK(t)}
		e := over(t, n, limits, nil)
		sealed, stream := seal(t, e, "text", c), encrypt(t, e, nil, c)
		open(t, e, sealed, c)
		_, err := e.Rewrap(t.Context(), nil, sealed, c)
		require.NoError(t, err)
		_, err = decrypt(t, e, bytes.NewReader(stream), c)
		require.NoError(t, err)
		require.NoError(t, e.RewrapStream(t.Context(), &buffer{}, bytes.NewReader(stream), c))
		_, err = e.Open(t.Context(), nil, stream, c) // a key of the wrong kind
		require.ErrorIs(t, err, envelope.ErrOpen)
		_, err = decrypt(t, e, bytes.NewReader(sealed), c)
		require.ErrorIs(t, err, envelope.ErrOpen)
		_, err = e.Rewrap(t.Context(), nil, stream, c)
		require.ErrorIs(t, err, envelope.ErrOpen)
		n.onWrap = func(context.Context) error { return keymgmt.ErrUnavailable }
		_, err = e.Encrypt(t.Context(), &buffer{}, c, nil)
		require.ErrorIs(t, err, keymgmt.ErrUnavailable)
		require.Len(t, n.seen, 12)
		for i, key := range n.seen {
			require.Equal(t, make([]byte, len(key)), key, "the %d-th", i)
		}
	}
}

// sized is a wrapper whose wrapped keys have a certain length.
type sized struct{ n int }

func (s sized) Wrap(context.Context, []byte, keymgmt.Context) ([]byte, error) {
	return make([]byte, s.n), nil
}

func (s sized) Unwrap(context.Context, []byte, keymgmt.Context) ([]byte, error) {
	return nil, errors.New("no")
}

func TestWrappedKeyThatNobodyCouldReadIsRefused(t *testing.T) {
	for n, fine := range map[int]bool{0: false, 1: true, 4096: true, 4097: false} {
		e := over(t, sized{n}, envelope.Limits{}, nil)
		_, err := e.Seal(t.Context(), nil, nil, keymgmt.Context{})
		_, err2 := e.Encrypt(t.Context(), &buffer{}, keymgmt.Context{}, nil)
		if fine {
			require.NoError(t, errors.Join(err, err2))
		} else {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.ErrorIs(t, err2, opsec.ErrInvalid)
		}
		wrapped, _, err := envelope.Split(append([]byte{0, 0, byte(n >> 8), byte(n)}, make([]byte, n+28)...))
		require.Equal(t, fine, err == nil)
		require.Equal(t, fine, len(wrapped) == n && n > 0)
	}
}

func TestErrorsOfTheKeyAboveArePassedOn(t *testing.T) {
	c := named(t, "acme", "invoices")
	for _, limits := range []envelope.Limits{{}, roomy(time.Hour)} {
		k := newKEK(t)
		e := over(t, k, limits, nil)
		sealed := seal(t, over(t, k, envelope.Limits{}, nil), "text", c)
		down := func(context.Context) error { return keymgmt.ErrUnavailable }
		k.onWrap, k.onUnwrap = down, down
		_, err := e.Seal(t.Context(), nil, []byte("text"), c)
		require.ErrorIs(t, err, keymgmt.ErrUnavailable)
		_, err = e.Open(t.Context(), nil, sealed, c)
		require.ErrorIs(t, err, keymgmt.ErrUnavailable)
		require.NotErrorIs(t, err, envelope.ErrOpen, "a service that is down is no lost data")
		k.onWrap, k.onUnwrap = nil, nil
		require.Equal(t, "text", open(t, e, seal(t, e, "text", c), c), "an error is not kept")
	}
}

func TestWrapperOfATinkAEADMindsItsContext(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	local := newAEAD(t)
	c := named(t, "acme", "invoices")
	wrapped, err := envelope.AEAD(local).Wrap(t.Context(), []byte("key"), c)
	require.NoError(t, err)
	for _, w := range []envelope.Wrapper{envelope.AEAD(local), envelope.AEAD(withContext{local})} {
		_, err := w.Wrap(ended, []byte("key"), c)
		require.ErrorIs(t, err, context.Canceled)
		_, err = w.Unwrap(ended, wrapped, c)
		require.ErrorIs(t, err, context.Canceled)
		key, err := w.Unwrap(t.Context(), wrapped, c)
		require.NoError(t, err)
		require.Equal(t, "key", string(key))
	}
}

// withContext is a Tink AEAD that may be called both ways, and likes one.
type withContext struct{ tink.AEAD }

func (withContext) Encrypt([]byte, []byte) ([]byte, error) { return nil, errors.New("the wrong one") }
func (withContext) Decrypt([]byte, []byte) ([]byte, error) { return nil, errors.New("the wrong one") }

func (w withContext) EncryptWithContext(ctx context.Context, text, associated []byte) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return w.AEAD.Encrypt(text, associated)
}

func (w withContext) DecryptWithContext(ctx context.Context, text, associated []byte) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return w.AEAD.Decrypt(text, associated)
}

func TestNothingIsUnlimitedByBeingLeftOut(t *testing.T) {
	full := roomy(time.Hour)
	for name, spoil := range map[string]func(*envelope.Limits){
		"Age":      func(l *envelope.Limits) { l.Age = 0 },
		"Messages": func(l *envelope.Limits) { l.Messages = 0 },
		"Bytes":    func(l *envelope.Limits) { l.Bytes = 0 },
		"Entries":  func(l *envelope.Limits) { l.Entries = 0 },
		"Memory":   func(l *envelope.Limits) { l.Memory = 0 },
	} {
		l := full
		spoil(&l)
		require.ErrorIs(t, l.Validate(), opsec.ErrInvalid)
		require.ErrorContains(t, l.Validate(), name)
		_, err := envelope.New(newKEK(t), l, nil)
		require.ErrorIs(t, err, opsec.ErrInvalid)
		_, err = envelope.NewTenants(func(context.Context, opsec.TenantID) (envelope.Wrapper, error) { return nil, nil }, l, nil)
		require.ErrorIs(t, err, opsec.ErrInvalid)
		b, err := json.Marshal(l)
		require.NoError(t, err)
		require.ErrorIs(t, json.Unmarshal(b, &envelope.Limits{}), opsec.ErrInvalid)
	}
	l := full
	l.Messages++
	require.ErrorContains(t, l.Validate(), "Messages")
	_, err := envelope.New(nil, full, nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = envelope.NewTenants(nil, full, nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestLimitsInJSON(t *testing.T) {
	for _, l := range []envelope.Limits{{}, roomy(90 * time.Second)} {
		b, err := json.Marshal(l)
		require.NoError(t, err)
		read := roomy(time.Minute)
		require.NoError(t, json.Unmarshal(b, &read))
		require.Equal(t, l, read)
	}
	read := roomy(time.Minute)
	require.ErrorIs(t, json.Unmarshal([]byte(`{"age":"1m","messages":1,"bytes":1,"entries":1,"memory":1,"more":1}`), &read), opsec.ErrInvalid)
	require.Equal(t, roomy(time.Minute), read, "bad input changes nothing")
}
