package secret_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/identity/password/secret"
)

func TestMelodyIsTheSameInAnyKeyAndAtAnySpeed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(5, 20).Draw(t, "notes")
		var first, again secret.Entry
		key := rapid.IntRange(-20, 20).Draw(t, "key")
		speed := rapid.IntRange(50, 300).Draw(t, "speed") // hundredths
		for range n {
			pitch := rapid.IntRange(40, 80).Draw(t, "pitch")
			length := rapid.SampledFrom([]int{1000, 1500, 2000, 3000, 4000}).Draw(t, "length")
			off := rapid.IntRange(-64, 64).Draw(t, "off") // thousandths
			first.Notes = append(first.Notes, secret.Note{Pitch: pitch, Length: length})
			again.Notes = append(again.Notes, secret.Note{Pitch: pitch + key, Length: length * speed * (1000 + off) / 100_000})
		}
		scheme, s, err := melody.Enroll(first)
		if err != nil {
			t.Skip() // too simple, or three to four, which is not clear
		}
		again.Notes[n-1].Length = rapid.IntRange(1, 9000).Draw(t, "last")
		require.True(t, s.Equal(read(t, scheme, again)))
		one := rapid.IntRange(0, n-1).Draw(t, "one")
		other := secret.Entry{Notes: slices.Clone(again.Notes)}
		other.Notes[one].Pitch++
		require.False(t, s.Equal(read(t, scheme, other)), "a semitone")
	})
}

func TestRhythmCounts(t *testing.T) {
	tune := notes(60, 500, 67, 500, 65, 500, 58, 500, 70, 500, 61, 500)
	s := read(t, melody, tune)
	for i := range tune.Notes {
		e := copied(tune)
		e.Notes[i].Length *= 2
		require.Equal(t, i == len(tune.Notes)-1, s.Equal(read(t, melody, e)), "of the last note nobody hears the end: %d", i)
	}
}

func TestRhythmHasItsBoundsForEver(t *testing.T) {
	tune := func(a, b int) secret.Secret { return read(t, melody, notes(60, a, 67, b, 65, b, 58, b, 71, b)) }
	longer, even, shorter := tune(1000, 2000), tune(1000, 1000), tune(2000, 1000)
	require.True(t, tune(1000, 1300).Equal(longer))
	require.True(t, tune(1000, 1299).Equal(even))
	require.True(t, tune(1299, 1000).Equal(even))
	require.True(t, tune(1300, 1000).Equal(shorter))
}

func TestUnclearRhythmIsNotEnrolled(t *testing.T) {
	tune := func(ratio int) secret.Entry { return notes(60, 1000, 67, ratio, 65, ratio, 58, ratio, 71, 500) }
	for ratio, ok := range map[int]bool{
		1000: true, 1139: true, 1141: false, 1300: false, 1482: false, 1483: true, 2000: true, // of 1000
		878: true, 876: false, 769: false, 675: false, 674: true, 500: true,
	} {
		_, _, err := melody.Enroll(tune(ratio))
		if ok {
			require.NoError(t, err, ratio)
			continue
		}
		require.ErrorIs(t, err, secret.ErrEntry, ratio)
		_, err = melody.Read(tune(ratio))
		require.NoError(t, err, "at log-in it is read all the same")
	}
}

func TestSimpleTunesAreRefused(t *testing.T) {
	for _, e := range []secret.Entry{
		notes(60, 500, 60, 500, 60, 500, 60, 500, 60, 500, 60, 500, 60, 500),
		notes(60, 500, 62, 500, 64, 500, 65, 500, 67, 500),
	} {
		_, _, err := melody.Enroll(e)
		weak(t, err)
	}
	long := notes()
	for i := range 30 {
		long.Notes = append(long.Notes, secret.Note{Pitch: 30 + 37*i%60, Length: 500})
	}
	require.Equal(t, uint64(1<<20), read(t, melody, long).Estimate().Guesses)
}

func TestKnownTunesAreRefused(t *testing.T) {
	for _, e := range []secret.Entry{
		notes(55, 300, 55, 150, 57, 500, 55, 500, 60, 500, 59, 1000),                                     // happy birthday, begun
		notes(62, 300, 62, 150, 64, 500, 62, 500, 67, 500, 66, 1000, 62, 300, 62, 150, 64, 500, 62, 500), // and longer, in another key
		notes(76, 200, 75, 200, 76, 200, 75, 200, 76, 200, 71, 200, 74, 200, 72, 200, 69, 600, 60, 200),  // a letter for Elise
		notes(55, 500, 55, 500, 55, 500, 51, 300, 58, 150, 55, 500, 51, 300, 58, 150, 55, 1000, 62, 500), // a march of the films
		notes(88, 150, 86, 150, 78, 300, 80, 300, 85, 150, 83, 150, 74, 300, 76, 300),                    // a telephone
	} {
		_, _, err := melody.Enroll(e)
		weak(t, err)
	}
}

func TestNotesOutOfRangeAreRefused(t *testing.T) {
	for _, n := range []secret.Note{{Pitch: -1, Length: 1}, {Pitch: 128, Length: 1}, {Pitch: 1}, {Pitch: 1, Length: 60_001}} {
		_, err := melody.Read(secret.Entry{Notes: []secret.Note{{60, 1}, {61, 1}, {62, 1}, {63, 1}, n}})
		require.ErrorIs(t, err, secret.ErrEntry)
	}
}
