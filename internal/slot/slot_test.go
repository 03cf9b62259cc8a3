package slot_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/internal/slot"
)

func TestValueTellsWhichCommitHappened(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	s := slot.Slot{Number: 5}
	for number, want := range map[uint64][2]bool{4: {true, true}, 5: {false, true}, 3: {false, false}, 6: {false, false}, 0: {false, false}} {
		happened, sound := s.Says(slot.Value(number, at))
		require.Equal(t, want, [2]bool{happened, sound}, number)
	}
	for _, junk := range [][]byte{nil, []byte("xyz"), make([]byte, 17)} {
		_, sound := s.Says(junk)
		require.False(t, sound)
		_, _, ok := slot.Parse(junk)
		require.False(t, ok)
	}
	number, got, ok := slot.Parse(slot.Value(7, at))
	require.True(t, ok)
	require.EqualValues(t, 7, number)
	require.True(t, got.Equal(at))
}

func TestSlotsAreUsedAgain(t *testing.T) {
	slots := slot.Of("handle")
	a, b := slots.Take(), slots.Take()
	require.NotEqual(t, a.Key, b.Key)
	slots.Give(a)
	require.Same(t, a, slots.Take())
	slots.Give(a)
	slots.Give(b)
	slots.Drop()
	c := slots.Take()
	require.NotContains(t, []string{a.Key, b.Key}, c.Key)
	require.NotEqual(t, a.Key, slot.Of("other").Take().Key)
}
