package secret

// Melody is a sequence of notes, sung or played in any key and at any speed: what counts is by how many semitones each note is
// above or below the one before, and whether it lasts shorter, as long, or longer. How long the last one lasts counts for
// nothing. It compares notes; who makes notes of sound finds the pitches. The zero Melody is refused.
type Melody struct {
	Min int `json:"min"` // notes, 5 to Max
	Max int `json:"max"` // up to 64
}

const (
	minNotes = 5
	maxNotes = maxEntrySymbols
	// What a melody is worth at most: there are lists of as many known tunes, and nobody has measured which come first.
	knownTunes = 1 << 20
)

// A note lasts longer than the one before from 1.3 times its length on, shorter from the 1.3th part on. Enrolment refuses what
// is within a factor of 1.14 of these bounds, so that an entry in which each of these ratios is off by less than that is
// the same secret: a note and its neighbour may each be 6.7 % too long or too short.
const (
	bound  = 130 // hundredths
	margin = 114
)

// Kind returns [KindMelody].
func (Melody) Kind() Kind { return KindMelody }

// Validate implements [Scheme].
func (m Melody) Validate() error {
	if m.Min < minNotes || m.Max < m.Min || m.Max > maxNotes {
		return invalid("melody: min is %d, max %d, want %d <= min <= max <= %d", m.Min, m.Max, minNotes, maxNotes)
	}
	return nil
}

// Enroll refuses a rhythm that is neither even nor uneven enough to be told with certainty, and the simplest tunes.
func (m Melody) Enroll(e Entry) (Scheme, Secret, error) {
	s, err := m.Read(e)
	if err != nil {
		return nil, Secret{}, err
	}
	for i := 1; i < len(e.Notes)-1; i++ {
		if unclear(e.Notes[i-1].Length, e.Notes[i].Length) {
			s.Clear()
			return nil, Secret{}, misfit("lengths that are alike or clearly differ: below 1.14 or above 1.49 times each other")
		}
	}
	return enrolled(m, s)
}

// Read implements [Scheme].
func (m Melody) Read(e Entry) (Secret, error) {
	if err := m.Validate(); err != nil {
		return Secret{}, err
	}
	if !e.alone(len(e.Notes), m.Min, m.Max) {
		return Secret{}, misfit("as many notes as the scheme says")
	}
	for _, n := range e.Notes {
		if n.Pitch < 0 || n.Pitch > maxPitch || n.Length < 1 || n.Length > maxNoteLength {
			return Secret{}, misfit("pitches from 0 to 127 and lengths from 1 ms to a minute")
		}
	}
	var symbols []byte
	guesses, space := uint64(1), uint64(1)
	for i := 1; i < len(e.Notes); i++ {
		interval := e.Notes[i].Pitch - e.Notes[i-1].Pitch
		symbols = append(symbols, byte(interval+maxPitch))
		guesses, space = times(guesses, rankOf(interval)), times(space, 2*maxPitch+1)
		if i == len(e.Notes)-1 {
			break
		}
		rhythm := compare(e.Notes[i-1].Length, e.Notes[i].Length)
		symbols = append(symbols, rhythm)
		space = times(space, 3)
		if rhythm != even {
			guesses = times(guesses, 2)
		}
	}
	if known(e.Notes) {
		guesses = min(guesses, least)
	}
	return newSecret(KindMelody, nil, symbols, Estimate{min(guesses, knownTunes), space}), nil
}

// famous are the first intervals of tunes that everybody knows, and so anybody tries: an author's choice, no measured order.
var famous = [...][]int8{
	{0, 2, -2, 5, -1, -4},         // Happy birthday
	{0, 7, 0, 2, 0, -2},           // Twinkle, twinkle; the alphabet
	{0, 1, 2, 0, -2, -1, -2},      // Ode to joy
	{0, 0, 0, 0, 0, 3, -7},        // Jingle bells
	{2, 2, -4, 0, 2, 2, -4},       // Frère Jacques
	{-2, -2, 2, 2, 0, 0},          // Mary had a little lamb
	{-1, 1, -1, 1, -5, 3, -2, -3}, // Für Elise
	{0, 0, -4, 2, 0, 0, -3},       // Beethoven's fifth
	{4, 1, 2, -7, 4, 1, 2},        // When the saints
	{0, 0, -4, 7, -3, -4, 7, -3},  // The imperial march
	{2, -2, -3, 3, 2, -2, -3},     // Silent night
	{2, -2, -2, -1, 1, 2},         // London Bridge
	{3, 2, -5, 3, 3, -1},          // Smoke on the water
	{-2, -8, 2, 5, -2, -9, 2, 7},  // Gran vals, a telephone's
	{2, 2, 1, 2, 2, 2, 1},         // the scale
	{-1, -2, -2, -2, -1, -2, -2},  // and back
}

// known says whether a melody begins as a famous tune does, or is a beginning of it.
func known(notes []Note) bool {
	for _, tune := range famous {
		same := true
		for i := 1; i < len(notes) && i <= len(tune) && same; i++ {
			same = notes[i].Pitch-notes[i-1].Pitch == int(tune[i-1])
		}
		if same {
			return true
		}
	}
	return false
}

// The classes of rhythm.
const (
	shorter byte = iota
	even
	longer
)

func compare(before, length int) byte {
	switch {
	case length*100 >= before*bound:
		return longer
	case before*100 >= length*bound:
		return shorter
	}
	return even
}

// unclear says whether the ratio of two lengths is within the margin of a bound.
func unclear(a, b int) bool {
	a, b = max(a, b), min(a, b)
	return a*100*margin >= b*bound*100 && a*100*100 <= b*bound*margin
}

// rankOf is how many intervals come before this one in tunes, and itself: small ones first, and the octave, the fifth and the
// fourth before others of their size.
func rankOf(interval int) uint64 {
	size := max(interval, -interval)
	for i, one := range []int{0, 2, 1, 4, 3, 5, 7, 12} {
		if size == one {
			return uint64(max(2*i, 1))
		}
	}
	return uint64(2*size + 1)
}
