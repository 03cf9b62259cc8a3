package stamp_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/internal/stamp"
)

func TestHeaderReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := stamp.Header{
			Version: rapid.IntRange(1, 1<<30).Draw(t, "version"),
			Stamp:   stamp.Stamp{Born: rapid.Int64().Draw(t, "born"), Writes: rapid.Uint64().Draw(t, "writes")},
		}
		content := rapid.SliceOf(rapid.Byte()).Draw(t, "content")
		payload := h.Append(nil, content)
		got, rest, ok := stamp.Cut(payload)
		require.True(t, ok)
		require.Equal(t, h, got)
		require.Equal(t, content, append([]byte{}, rest...))
		for n := range len(payload) - len(content) {
			_, _, ok := stamp.Cut(payload[:n])
			require.False(t, ok, "cut to %d bytes", n)
		}
	})
}

func FuzzCut(f *testing.F) {
	f.Add([]byte("\x01\x02\x03{}"))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		h, content, ok := stamp.Cut(payload)
		if !ok {
			return
		}
		again, rest, ok := stamp.Cut(h.Append(nil, content))
		if !ok || again != h || string(rest) != string(content) {
			t.Fatal("does not read back")
		}
	})
}

func TestWitnessesReadBackAndHaveAnOrder(t *testing.T) {
	list := []stamp.Witness{ // from early to late
		{Digest: "d", Stamp: stamp.Stamp{Born: math.MinInt64, Writes: 9}},
		{Digest: "d", Stamp: stamp.Stamp{Born: -1, Writes: 1}},
		{Digest: "d", Stamp: stamp.Stamp{Born: -1, Writes: 2}},
		{Digest: "d", Stamp: stamp.Stamp{Born: -1, Writes: math.MaxUint64}},
		{Digest: "d", Stamp: stamp.Stamp{Born: -1}, Deleted: true},
		{Digest: "d", Stamp: stamp.Stamp{Born: math.MaxInt64, Writes: 1}},
	}
	text := ""
	for i, w := range list {
		text += " " + w.String()
		for j, other := range list {
			require.Equal(t, i < j, w.Before(other), "%v %v", w, other)
		}
	}
	i := 0
	for w, ok := range stamp.Witnesses(text[1:]) {
		require.True(t, ok)
		require.Equal(t, list[i], w)
		i++
	}
	require.Equal(t, len(list), i)
}
