package thirdparty_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/custody/thirdparty"
)

// kinds are the custodians of two.
var kinds = map[string]func(a, b keymgmt.Custodian) keymgmt.Custodian{"double": thirdparty.Double, "split": thirdparty.SplitKey}

func TestNeitherSideAloneOpens(t *testing.T) {
	for name, of := range kinds {
		a, b := root(t, "ours"), root(t, "theirs")
		both := of(a, b)
		require.NoError(t, both.Generate(ctx, "kek"), name)
		require.NoError(t, both.Generate(ctx, "kek"), "again")
		wrapped, err := both.Wrap(ctx, "kek", []byte("material"), []byte("context"))
		require.NoError(t, err)
		got, err := both.Unwrap(ctx, "kek", wrapped, []byte("context"))
		require.NoError(t, err)
		require.Equal(t, "material", string(got))

		for _, alone := range []keymgmt.Custodian{a, b, of(b, a), of(a, a), of(b, b), of(a, root(t, "x"))} {
			got, err := alone.Unwrap(ctx, "kek", wrapped, []byte("context")) // the outer of two gives what the inner has made
			require.True(t, err != nil || alone == b && string(got) != "material", name)
		}
		_, err = both.Unwrap(ctx, "kek", wrapped, []byte("other"))
		require.ErrorIs(t, err, keymgmt.ErrUnwrap)
		_, err = both.Unwrap(ctx, "other", wrapped, []byte("context"))
		require.ErrorIs(t, err, opsec.ErrNotFound)
	}
}

func TestTheOutsidePartySeesNoMaterial(t *testing.T) {
	for name, of := range kinds {
		theirs := &spy{outside: outside{Custodian: root(t, "theirs")}}
		both := of(root(t, "ours"), theirs)
		require.NoError(t, both.Generate(ctx, "kek"))
		material := []byte("material that is long enough to be found")
		wrapped, err := both.Wrap(ctx, "kek", material, []byte("context"))
		require.NoError(t, err)
		_, err = both.Unwrap(ctx, "kek", wrapped, []byte("context"))
		require.NoError(t, err)
		require.NotEmpty(t, theirs.seen)
		for at := 0; at+8 <= len(material); at++ {
			require.NotContains(t, string(theirs.seen), string(material[at:at+8]), name)
		}
	}
}

// spy keeps all that it sees.
type spy struct {
	outside
	seen []byte
}

func (s *spy) Wrap(ctx context.Context, handle string, material, data []byte) ([]byte, error) {
	s.seen = append(s.seen, material...)
	return s.outside.Wrap(ctx, handle, material, data)
}

func (s *spy) Unwrap(ctx context.Context, handle string, wrapped, data []byte) ([]byte, error) {
	material, err := s.outside.Unwrap(ctx, handle, wrapped, data)
	s.seen = append(s.seen, material...)
	return material, err
}

func TestEveryChangedByteIsNoticed(t *testing.T) {
	for name, of := range kinds {
		both := of(root(t, "ours"), root(t, "theirs"))
		require.NoError(t, both.Generate(ctx, "kek"))
		wrapped, err := both.Wrap(ctx, "kek", []byte("material"), []byte("context"))
		require.NoError(t, err)
		for at := range wrapped {
			for bit := range 8 {
				bad := bytes.Clone(wrapped)
				bad[at] ^= 1 << bit
				_, err := both.Unwrap(ctx, "kek", bad, []byte("context"))
				require.ErrorIs(t, err, keymgmt.ErrUnwrap, "%s: byte %d, bit %d", name, at, bit)
			}
		}
		for _, bad := range [][]byte{nil, wrapped[:1], append(bytes.Clone(wrapped), 0), append(bytes.Clone(wrapped), '\n'), make([]byte, 300<<10)} {
			_, err := both.Unwrap(ctx, "kek", bad, []byte("context"))
			require.Error(t, err, name)
		}
	}
}

// parts takes what SplitKey has wrapped apart, by the documented format.
func parts(b []byte) (list [3][]byte) {
	for i := range 2 {
		n := binary.BigEndian.Uint32(b)
		list[i], b = b[:4+n], b[4+n:]
	}
	list[2] = b
	return list
}

// Halves of two wraps do not mix, not even of one key and one context.
func TestHalvesDoNotMix(t *testing.T) {
	both := thirdparty.SplitKey(root(t, "ours"), root(t, "theirs"))
	require.NoError(t, both.Generate(ctx, "kek"))
	first, err := both.Wrap(ctx, "kek", []byte("material"), []byte("context"))
	require.NoError(t, err)
	second, err := both.Wrap(ctx, "kek", []byte("material"), []byte("context"))
	require.NoError(t, err)
	for i := range 3 {
		mixed := parts(first)
		mixed[i] = parts(second)[i]
		_, err = both.Unwrap(ctx, "kek", slices.Concat(mixed[:]...), []byte("context"))
		require.ErrorIs(t, err, keymgmt.ErrUnwrap, i)
	}
}

// What a side has wrapped for others does not pass for a half.
func TestWhatIsNoHalfIsRefused(t *testing.T) {
	a, b := root(t, "ours"), root(t, "theirs")
	both := thirdparty.SplitKey(a, b)
	require.NoError(t, both.Generate(ctx, "kek"))
	wrapped, err := both.Wrap(ctx, "kek", []byte("material"), nil)
	require.NoError(t, err)
	short, err := b.Wrap(ctx, "kek", []byte("short"), nil)
	require.NoError(t, err)
	for _, bad := range [][]byte{short, slices.Concat(parts(wrapped)[0], binary.BigEndian.AppendUint32(nil, uint32(len(short))), short, parts(wrapped)[2])} {
		got, err := both.Unwrap(ctx, "kek", bad, nil)
		require.ErrorIs(t, err, keymgmt.ErrUnwrap)
		require.Nil(t, got)
	}
}

// The documented format, opened with the standard library alone.
func TestTheFormatOfSplitKey(t *testing.T) {
	a, b := root(t, "ours"), root(t, "theirs")
	both := thirdparty.SplitKey(a, b)
	require.NoError(t, both.Generate(ctx, "kek"))
	wrapped, err := both.Wrap(ctx, "kek", []byte("material"), []byte("context"))
	require.NoError(t, err)
	w := parts(wrapped)
	first, err := a.Unwrap(ctx, "kek", w[0][4:], []byte("context"))
	require.NoError(t, err)
	second, err := b.Unwrap(ctx, "kek", w[1][4:], []byte("context"))
	require.NoError(t, err)
	require.Len(t, first, 32)
	require.Len(t, second, 32)
	key, err := hkdf.Key(sha256.New, slices.Concat(first, second), nil, "opsec/thirdparty/split/v1", 32)
	require.NoError(t, err)
	block, err := aes.NewCipher(key)
	require.NoError(t, err)
	gcm, err := cipher.NewGCM(block)
	require.NoError(t, err)
	got, err := gcm.Open(nil, w[2][:12], w[2][12:], []byte("context"))
	require.NoError(t, err)
	require.Equal(t, "material", string(got))
}

func TestWhatEitherSideRefusesStaysShut(t *testing.T) {
	for name, of := range kinds {
		for side := range 2 {
			no := errors.New("no")
			sides := [2]*outside{{Custodian: root(t, "ours")}, {Custodian: root(t, "theirs")}}
			both := of(sides[0], sides[1])
			require.NoError(t, both.Generate(ctx, "kek"))
			wrapped, err := both.Wrap(ctx, "kek", []byte("material"), nil)
			require.NoError(t, err)
			sides[side].act = func(context.Context) error { return no }
			_, err = both.Wrap(ctx, "kek", []byte("material"), nil)
			require.ErrorIs(t, err, no, name)
			got, err := both.Unwrap(ctx, "kek", wrapped, nil)
			require.ErrorIs(t, err, no, name)
			require.Nil(t, got)
			require.ErrorIs(t, both.Generate(ctx, "kek"), no)
		}
	}
}

func TestDestructionIsOfBothOrSaysWhatIsLost(t *testing.T) {
	for name, of := range kinds {
		a, b := &outside{Custodian: root(t, "ours")}, &outside{Custodian: root(t, "theirs")}
		both := of(a, b)
		require.NoError(t, both.Generate(ctx, "kek"))
		wrapped, err := both.Wrap(ctx, "kek", []byte("material"), nil)
		require.NoError(t, err)

		down := func(context.Context) error { return keymgmt.ErrUnavailable }
		b.act = down
		_, err = both.Destroy(ctx, "kek")
		require.ErrorIs(t, err, keymgmt.ErrUnavailable)
		b.act = nil
		_, err = both.Unwrap(ctx, "kek", wrapped, nil)
		require.NoError(t, err, "nothing was destroyed")

		a.act = down
		evidence, err := both.Destroy(ctx, "kek")
		require.ErrorIs(t, err, keymgmt.ErrUnavailable)
		require.Equal(t, "theirs", evidence.Custodian)
		require.Len(t, evidence.Copies, 1, "what is destroyed all the same")
		a.act = nil
		_, err = both.Unwrap(ctx, "kek", wrapped, nil)
		require.ErrorIs(t, err, opsec.ErrNotFound, name)

		evidence, err = both.Destroy(ctx, "kek")
		require.NoError(t, err)
		require.Len(t, evidence.Copies, 1)
		require.Contains(t, evidence.Copies[0], "ours: ")
		evidence, err = both.Destroy(ctx, "kek")
		require.NoError(t, err)
		require.Empty(t, evidence.Copies, "nothing is left")

		require.NoError(t, both.Generate(ctx, "kek"))
		evidence, err = both.Destroy(ctx, "kek")
		require.NoError(t, err)
		require.Equal(t, "ours + theirs", evidence.Custodian)
		require.Equal(t, "kek", evidence.Handle)
		require.Equal(t, noon, evidence.Time)
		require.Len(t, evidence.Copies, 2)
	}
}

func TestAnyMaterialComesBack(t *testing.T) {
	for name, of := range kinds {
		both := of(root(t, "ours"), root(t, "theirs"))
		require.NoError(t, both.Generate(ctx, "kek"))
		rapid.Check(t, func(t *rapid.T) {
			material := rapid.SliceOfN(rapid.Byte(), 1, 3000).Draw(t, "material")
			data := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "data")
			was := bytes.Clone(material)
			wrapped, err := both.Wrap(ctx, "kek", material, data)
			require.NoError(t, err, name)
			require.Equal(t, was, material)
			again, err := both.Wrap(ctx, "kek", material, data)
			require.NoError(t, err)
			require.NotEqual(t, wrapped, again)
			got, err := both.Unwrap(ctx, "kek", wrapped, data)
			require.NoError(t, err)
			require.Equal(t, material, got)
		})
	}
	both := thirdparty.SplitKey(root(t, "ours"), root(t, "theirs"))
	require.NoError(t, both.Generate(ctx, "kek"))
	_, err := both.Wrap(ctx, "kek", make([]byte, 200<<10), nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func FuzzSplitKeyUnwrap(f *testing.F) {
	both := thirdparty.SplitKey(root(f, "ours"), root(f, "theirs"))
	require.NoError(f, both.Generate(ctx, "kek"))
	wrapped, err := both.Wrap(ctx, "kek", []byte("material"), nil)
	require.NoError(f, err)
	f.Add(wrapped)
	f.Add(make([]byte, 40))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := both.Unwrap(ctx, "kek", b, nil); err == nil {
			require.Equal(t, wrapped, b)
			require.Equal(t, "material", string(got))
		}
	})
}
