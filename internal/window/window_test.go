package window

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLatestAreRememberedAndNoMoreThanTwice(t *testing.T) {
	w := Window[int, int]{Size: 10}
	for i := range 1000 {
		w.Put(i, i)
		known := 0
		for j := range i + 1 {
			v, ok := peek(w, j)
			if ok {
				require.Equal(t, j, v)
				known++
			}
			require.True(t, ok || j <= i-10, "one of the latest ten is forgotten")
		}
		require.LessOrEqual(t, known, 20)
	}
}

// peek looks without making the key one of the latest.
func peek(w Window[int, int], key int) (int, bool) {
	if v, ok := w.young[key]; ok {
		return v, true
	}
	v, ok := w.old[key]
	return v, ok
}

func TestWhatIsAskedForStays(t *testing.T) {
	w := Window[string, int]{Size: 2}
	w.Put("kept", 1)
	for _, key := range []string{"a", "b", "c", "d", "e", "f"} {
		w.Put(key, 0)
		_, ok := w.Get("kept")
		require.True(t, ok)
	}
	_, ok := w.Get("a")
	require.False(t, ok)
}

func TestForgottenIsUnknown(t *testing.T) {
	w := Window[string, int]{Size: 1}
	w.Put("a", 1)
	w.Put("b", 2)
	w.Forget("a")
	w.Forget("b")
	for _, key := range []string{"a", "b"} {
		_, ok := w.Get(key)
		require.False(t, ok)
	}
}
