package rewrap_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/rewrap"
)

// envelope puts one together as Tink's KMSEnvelopeAEAD does.
func envelope(head, data []byte) []byte {
	return append(append(binary.BigEndian.AppendUint32(nil, uint32(len(head))), head...), data...)
}

func TestRewrapOfAnEnvelopeLeavesTheDataAlone(t *testing.T) {
	r := newRing(1, 2)
	c, err := keymgmt.NewContext("volume", "7")
	require.NoError(t, err)
	head, err := r.with(1).Seal(nil, []byte("data key"), c)
	require.NoError(t, err)
	data := bytes.Repeat([]byte("encrypted under the data key "), 100)
	w := rewrap.Envelopes(r)
	out, err := w.Rewrap(t.Context(), []byte("before"), envelope(head, data), c)
	require.NoError(t, err)
	require.Equal(t, "before", string(out[:6]))
	out = out[6:]
	key, ok := w.KeyID(out)
	require.True(t, ok)
	require.EqualValues(t, 2, key)
	n := binary.BigEndian.Uint32(out)
	plain, err := r.Open(nil, out[4:4+n], c)
	require.NoError(t, err)
	require.Equal(t, "data key", string(plain))
	require.Equal(t, data, out[4+n:])

	_, err = w.Rewrap(t.Context(), nil, envelope(head, data), keymgmt.Context{})
	require.ErrorIs(t, err, keymgmt.ErrUnwrap, "another context")
	for _, bad := range [][]byte{nil, {0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 9, 1, 2}, envelope(make([]byte, 4097), nil)} {
		_, err = w.Rewrap(t.Context(), nil, bad, c)
		require.ErrorIs(t, err, opsec.ErrInvalid)
		_, ok := w.KeyID(bad)
		require.False(t, ok)
	}
	big, err := r.with(1).Seal(nil, make([]byte, 4096-33), c)
	require.NoError(t, err)
	require.Len(t, big, 4096)
	_, err = w.Rewrap(t.Context(), nil, envelope(big, nil), c)
	require.NoError(t, err)
}

func TestEnvelopesOnAShelf(t *testing.T) {
	r := newRing(1, 2)
	s, _ := of(t, r, 30, 1)
	for id, o := range s.objects {
		o.Wrapped = envelope(o.Wrapped, []byte(id))
		s.objects[id] = o
	}
	o, _ := options(t)
	c, err := driver(t, job(2), s, rewrap.Envelopes(r), rewrap.Policy{}, o).Run(t.Context(), bob, rewrap.Checkpoint{})
	require.NoError(t, err)
	require.EqualValues(t, 30, c.Counts.Rewrapped)
	p, err := rewrap.Count(t.Context(), "volumes", s, rewrap.Envelope{}, o.Now)
	require.NoError(t, err)
	require.Len(t, p.Keys, 1)
	require.EqualValues(t, 2, p.Keys[0].Key)
}

func TestKeyIDIsThatOfTinksPrefix(t *testing.T) {
	for _, test := range []struct {
		b  []byte
		id uint32
		ok bool
	}{
		{[]byte{1, 0, 0, 0, 3, 9}, 3, true},
		{[]byte{1, 0xff, 0xff, 0xff, 0xff}, 1<<32 - 1, true},
		{[]byte{0, 0, 0, 0, 3, 9}, 0, false}, // Tink's legacy prefix
		{[]byte{1, 0, 0, 0}, 0, false},
		{nil, 0, false},
	} {
		id, ok := rewrap.Ciphertext{}.KeyID(test.b)
		require.Equal(t, test.ok, ok)
		require.Equal(t, test.id, id)
	}
}

// leaky opens to what it was given, to see what becomes of it.
type leaky struct{ seen []byte }

func (l *leaky) Open(dst, _ []byte, _ keymgmt.Context) ([]byte, error) {
	l.seen = append(dst, "secret"...)
	return l.seen, nil
}

func (l *leaky) Seal(dst, plain []byte, _ keymgmt.Context) ([]byte, error) {
	if string(plain) != "secret" {
		panic("not what was opened")
	}
	return append(dst, 1, 0, 0, 0, 2), nil
}

func TestWhatWasOpenedIsCleared(t *testing.T) {
	l := &leaky{}
	_, err := rewrap.Ciphertexts(l).Rewrap(t.Context(), nil, []byte{1, 0, 0, 0, 1}, keymgmt.Context{})
	require.NoError(t, err)
	require.Equal(t, make([]byte, 6), l.seen)
}

func FuzzEnvelope(f *testing.F) {
	r := newRing(1, 2)
	head, err := r.with(1).Seal(nil, []byte("key"), keymgmt.Context{})
	require.NoError(f, err)
	f.Add(envelope(head, []byte("data")))
	f.Add([]byte{0, 0, 0, 5, 1, 0, 0, 0, 1})
	f.Add([]byte{255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		was := bytes.Clone(b)
		w := rewrap.Envelopes(r)
		out, err := w.Rewrap(t.Context(), nil, b, keymgmt.Context{})
		require.Equal(t, was, b)
		if err != nil {
			return
		}
		id, ok := w.KeyID(out)
		require.True(t, ok)
		require.EqualValues(t, 2, id)
		require.Len(t, out, len(b), "nothing lost")
	})
}
