package envelope_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/core/registry"
	"github.com/tink-crypto/tink-go/v2/streamingaead"
	"github.com/tink-crypto/tink-go/v2/tink"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/envelope"
)

const (
	segment = 1 << 20
	first   = segment - 40 - 16 // plaintext of the first segment: Tink's header and the tag are in it
)

func encrypt(t testing.TB, e *envelope.Envelope, text []byte, c keymgmt.Context) []byte {
	t.Helper()
	var dst buffer
	w, err := e.Encrypt(t.Context(), &dst, c, nil)
	require.NoError(t, err)
	_, err = w.Write(text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return dst.Bytes()
}

func decrypt(t testing.TB, e *envelope.Envelope, stream io.Reader, c keymgmt.Context) ([]byte, error) {
	t.Helper()
	r, err := e.Decrypt(t.Context(), stream, c, nil)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i>>20) ^ byte(i*7)
	}
	return b
}

func TestStreamOfAnyLengthComesBack(t *testing.T) {
	e, c := over(t, newKEK(t), envelope.Limits{}, nil), named(t, "acme", "backup")
	for _, n := range []int{0, 1, first - 1, first, first + 1, first + segment - 16, first + segment - 15, 3*segment + 7} {
		text := pattern(n)
		stream := encrypt(t, e, text, c)
		got, err := decrypt(t, e, bytes.NewReader(stream), c)
		require.NoError(t, err)
		require.True(t, bytes.Equal(text, got), "%d bytes", n)
		got, err = decrypt(t, e, iotest.DataErrReader(iotest.HalfReader(bytes.NewReader(stream))), c)
		require.NoError(t, err)
		require.True(t, bytes.Equal(text, got))
	}
}

// Whoever has Tink and the key above opens our stream: the wrapped key is Tink's own serialisation.
func TestTinkOpensOurStreamAndWeOpenTinks(t *testing.T) {
	above, c := newAEAD(t), named(t, "acme", "backup")
	e := over(t, envelope.AEAD(above), envelope.Limits{}, nil)
	template := streamingaead.AES256GCMHKDF1MBKeyTemplate()
	primitive := func(t *testing.T, key []byte) tink.StreamingAEAD {
		p, err := registry.Primitive(template.GetTypeUrl(), key)
		require.NoError(t, err)
		return p.(tink.StreamingAEAD)
	}
	text := pattern(2*segment + 3)

	wrapped, payload, err := envelope.Split(encrypt(t, e, text, c))
	require.NoError(t, err)
	key, err := above.Decrypt(wrapped, c.Bytes())
	require.NoError(t, err)
	r, err := primitive(t, key).NewDecryptingReader(bytes.NewReader(payload), c.Bytes())
	require.NoError(t, err)
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.True(t, bytes.Equal(text, got))

	data, err := registry.NewKeyData(template)
	require.NoError(t, err)
	require.Len(t, data.GetValue(), len(key), "a new key of Tink's is like ours")
	require.Equal(t, key[:len(key)-32], data.GetValue()[:len(key)-32])
	wrapped, err = above.Encrypt(data.GetValue(), c.Bytes())
	require.NoError(t, err)
	theirs := buffer{}
	theirs.Write([]byte{0, 0, 0, byte(len(wrapped))})
	theirs.Write(wrapped)
	w, err := primitive(t, data.GetValue()).NewEncryptingWriter(&theirs, c.Bytes())
	require.NoError(t, err)
	_, err = w.Write(text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	got, err = decrypt(t, e, theirs.reader(), c)
	require.NoError(t, err)
	require.True(t, bytes.Equal(text, got))
}

func TestEachChangeOfAStreamIsNoticed(t *testing.T) {
	e, c := over(t, newKEK(t), envelope.Limits{}, nil), named(t, "acme", "backup")
	short := encrypt(t, e, []byte("a text"), c)
	for i := range short {
		changed := slices.Clone(short)
		changed[i] ^= 0x10
		_, err := decrypt(t, e, bytes.NewReader(changed), c)
		require.Error(t, err, "byte %d", i)
		_, err = decrypt(t, e, bytes.NewReader(short[:i]), c)
		require.Error(t, err, "cut at %d", i)
		if i < 4 || i > len(short)-60 {
			require.ErrorIs(t, err, envelope.ErrOpen, "cut at %d", i)
		}
	}
	_, err := decrypt(t, e, bytes.NewReader(short), named(t, "acme", "other"))
	require.Error(t, err)
	blindly := over(t, blind{newKEK(t)}, envelope.Limits{}, nil)
	_, err = decrypt(t, blindly, bytes.NewReader(encrypt(t, blindly, []byte("a text"), c)), named(t, "acme", "other"))
	require.ErrorIs(t, err, envelope.ErrOpen, "the context is bound to the payload too")

	text := pattern(4 * segment)
	stream := encrypt(t, e, text, c)
	wrapped, _, err := envelope.Split(stream)
	require.NoError(t, err)
	at := func(i int) int { return 4 + len(wrapped) + i*segment } // where segment i begins, the first with its header
	other := encrypt(t, e, text, c)
	for name, bad := range map[string][]byte{
		"cut at a segment":      stream[:at(2)],
		"cut behind a segment":  stream[:at(2)+1],
		"cut in a segment":      stream[:at(2)+segment/2],
		"without the end":       stream[:len(stream)-1],
		"with more at the end":  append(slices.Clone(stream), 0),
		"in another order":      slices.Concat(stream[:at(1)], stream[at(2):at(3)], stream[at(1):at(2)], stream[at(3):]),
		"with a segment twice":  slices.Concat(stream[:at(2)], stream[at(1):at(2)], stream[at(2):]),
		"without a segment":     slices.Concat(stream[:at(1)], stream[at(2):]),
		"the first one missing": slices.Concat(stream[:at(0)+40], stream[at(1):]),
		"of two streams":        slices.Concat(stream[:at(2)], other[at(2):]),
	} {
		r, err := e.Decrypt(t.Context(), bytes.NewReader(bad), c, nil)
		require.NoError(t, err, name)
		got, err := io.ReadAll(r)
		require.ErrorIs(t, err, envelope.ErrOpen, name)
		require.True(t, bytes.HasPrefix(text, got), "%s: what came before is authentic", name)
		for range 3 {
			n, err := r.Read(make([]byte, 10))
			require.Zero(t, n)
			require.ErrorIs(t, err, envelope.ErrOpen, "%s: never an end after an error", name)
		}
	}
}

func TestStreamThatIsNotClosedCountsAsCut(t *testing.T) {
	e, c := over(t, newKEK(t), envelope.Limits{}, nil), named(t, "acme", "backup")
	for _, n := range []int{0, 10, 2 * segment} {
		var dst buffer
		w, err := e.Encrypt(t.Context(), &dst, c, nil)
		require.NoError(t, err)
		_, err = w.Write(pattern(n))
		require.NoError(t, err)
		_, err = decrypt(t, e, dst.reader(), c)
		require.ErrorIs(t, err, envelope.ErrOpen)
	}
}

// full fails after so many bytes, and would then take more.
type full struct {
	buffer
	left int
	err  error
}

func (f *full) Write(p []byte) (int, error) {
	if f.left < len(p) {
		n := f.left
		f.buffer.Write(p[:n])
		f.left = 1 << 30
		return n, f.err
	}
	f.left -= len(p)
	return f.buffer.Write(p)
}

func TestStreamIsNeverEndedAfterAnError(t *testing.T) {
	e, c := over(t, newKEK(t), envelope.Limits{}, nil), named(t, "acme", "backup")
	f := &full{left: segment + 1000, err: errors.New("disk full")}
	w, err := e.Encrypt(t.Context(), f, c, nil)
	require.NoError(t, err)
	_, err = w.Write(pattern(3 * segment))
	require.ErrorIs(t, err, f.err)
	n := f.Len()
	_, err = w.Write([]byte("more"))
	require.ErrorIs(t, err, f.err)
	require.ErrorIs(t, w.Close(), f.err)
	require.Equal(t, n, f.Len())

	f = &full{left: 100, err: errors.New("disk full")}
	if w, err = e.Encrypt(t.Context(), f, c, nil); err == nil {
		err = w.Close()
	}
	require.ErrorIs(t, err, f.err)
	f = &full{left: 3, err: errors.New("disk full")}
	_, err = e.Encrypt(t.Context(), f, c, nil)
	require.ErrorIs(t, err, f.err)

	var dst buffer
	w, err = e.Encrypt(t.Context(), &dst, c, nil)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, w.Close(), "twice is once")
	_, err = w.Write([]byte("late"))
	require.Error(t, err)
	_, err = decrypt(t, e, dst.reader(), c)
	require.NoError(t, err)
}

func TestErrorOfTheSourceIsNoDamage(t *testing.T) {
	e, c := over(t, newKEK(t), envelope.Limits{}, nil), named(t, "acme", "backup")
	stream, broken := encrypt(t, e, pattern(2*segment), c), errors.New("connection reset")
	for _, n := range []int{0, 2, 10, 100, segment, segment + 200, len(stream) - 1} {
		for _, err := range []error{broken, io.ErrUnexpectedEOF} {
			_, got := decrypt(t, e, io.MultiReader(bytes.NewReader(stream[:n]), iotest.ErrReader(err)), c)
			require.ErrorIs(t, got, err, "after %d bytes", n)
			require.NotErrorIs(t, got, envelope.ErrOpen)
		}
	}
}

func TestProgressAndMemory(t *testing.T) {
	const size = 64 * segment
	e, c := over(t, newKEK(t), envelope.Limits{}, nil), named(t, "acme", "backup")
	var wrote, read []int64
	from, to := io.Pipe()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	done := make(chan error, 1)
	go func() {
		w, err := e.Encrypt(t.Context(), to, c, func(n int64) { wrote = append(wrote, n) })
		if err == nil {
			_, err = io.Copy(struct{ io.Writer }{w}, io.LimitReader(zeros{}, size))
		}
		if err == nil {
			err = w.Close()
		}
		to.CloseWithError(err)
		done <- err
	}()
	r, err := e.Decrypt(t.Context(), from, c, func(n int64) { read = append(read, n) })
	require.NoError(t, err)
	n, err := io.Copy(io.Discard, r)
	require.NoError(t, err)
	require.NoError(t, <-done)
	require.EqualValues(t, size, n)
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8*segment), "of 64 MiB there and back")
	for _, seen := range [][]int64{wrote, read} {
		require.True(t, slices.IsSorted(seen))
		require.EqualValues(t, size, seen[len(seen)-1])
		require.Greater(t, len(seen), 60)
	}
}

// zeros are as many as one likes.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestEachStreamHasAKeyOfItsOwn(t *testing.T) {
	k, c := newKEK(t), named(t, "acme", "backup")
	e := over(t, k, roomy(1e12), nil)
	a, b := encrypt(t, e, nil, c), encrypt(t, e, nil, c)
	require.NotEqual(t, wrappedKey(t, a), wrappedKey(t, b))
	n, _ := e.Cached()
	require.Zero(t, n)
}

func TestRewrapStream(t *testing.T) {
	before, after, c := newKEK(t), newKEK(t), named(t, "acme", "backup")
	stream := encrypt(t, over(t, before, envelope.Limits{}, nil), pattern(2*segment), c)
	both := over(t, rotated{Wrapper: after, old: before}, envelope.Limits{}, nil)
	var dst buffer
	require.NoError(t, both.RewrapStream(t.Context(), &dst, bytes.NewReader(stream), c))
	got, err := decrypt(t, over(t, after, envelope.Limits{}, nil), dst.reader(), c)
	require.NoError(t, err)
	require.True(t, bytes.Equal(pattern(2*segment), got))
	require.ErrorIs(t, both.RewrapStream(t.Context(), &dst, bytes.NewReader(nil), c), envelope.ErrOpen)
	require.ErrorIs(t, both.RewrapStream(t.Context(), &dst, bytes.NewReader(seal(t, both, "text", c)), c), envelope.ErrOpen)
}

func TestStreamPassesOnErrorsOfTheKeyAbove(t *testing.T) {
	k, c := newKEK(t), named(t, "acme", "backup")
	e := over(t, k, envelope.Limits{}, nil)
	stream := encrypt(t, e, nil, c)
	down := func(context.Context) error { return keymgmt.ErrUnavailable }
	k.onWrap, k.onUnwrap = down, down
	var dst buffer
	_, err := e.Encrypt(t.Context(), &dst, c, nil)
	require.ErrorIs(t, err, keymgmt.ErrUnavailable)
	require.Zero(t, dst.Len())
	_, err = e.Decrypt(t.Context(), bytes.NewReader(stream), c, nil)
	require.ErrorIs(t, err, keymgmt.ErrUnavailable)
	require.ErrorIs(t, e.RewrapStream(t.Context(), &dst, bytes.NewReader(stream), c), keymgmt.ErrUnavailable)
	require.Zero(t, dst.Len())
}

func TestStreamIsWholeOrAnError(t *testing.T) {
	e, c := over(t, newKEK(t), envelope.Limits{}, nil), named(t, "acme", "backup")
	rapid.Check(t, func(rt *rapid.T) {
		var dst, text buffer
		w, err := e.Encrypt(t.Context(), &dst, c, nil)
		require.NoError(rt, err)
		for _, n := range rapid.SliceOfN(rapid.IntRange(0, 70_000), 0, 5).Draw(rt, "writes") {
			text.Write(pattern(n))
			got, err := w.Write(pattern(n))
			require.NoError(rt, err)
			require.Equal(rt, n, got)
		}
		require.NoError(rt, w.Close())
		cut := rapid.IntRange(0, dst.Len()).Draw(rt, "cut")
		got, err := decrypt(t, e, bytes.NewReader(dst.Bytes()[:cut]), c)
		if cut == dst.Len() {
			require.NoError(rt, err)
			require.True(rt, bytes.Equal(text.Bytes(), got))
		} else {
			require.Error(rt, err)
		}
	})
}
