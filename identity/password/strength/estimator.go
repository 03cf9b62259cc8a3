package strength

import (
	"math"
	"slices"
	"strings"
	"unicode"
)

// Longest is how many code points of a password are looked at. What comes after them does not count, so the estimate of a
// longer one is too low, and its cost is bounded.
const Longest = 128

// Estimator knows words by rank, and keyboards. It is safe for concurrent use, and never changes. It takes some 6 MiB.
type Estimator struct {
	known  *dictionary
	boards []*board
}

// Guesses is an estimate.
type Guesses struct {
	MilliLog10 int     // thousandths of log10 of the guesses: 6000 for a million. At most 999999
	Pieces     []Piece // what a guesser would take it for, from left to right
}

// Piece is a part of a password: of its code points, those from From to before To. It does not hold them.
type Piece struct {
	Kind     Kind
	From, To int
}

// Kind is a way of guessing.
type Kind string

// The kinds.
const (
	Bruteforce Kind = "bruteforce" // every text of that length
	Word       Kind = "word"       // a common password, a name, an English word, a context word
	Reversed   Kind = "reversed"   // a word from its end
	Leet       Kind = "leet"       // a word with figures and signs for letters
	Walk       Kind = "walk"       // neighbours on a keyboard
	Repeat     Kind = "repeat"     // the same again and again
	Sequence   Kind = "sequence"   // such as abc or 97531
	Year       Kind = "year"       // of the last or this century
	Date       Kind = "date"
)

// Score sorts an estimate as zxcvbn does: 0 below 10^3 guesses, 1 below 10^6, 2 below 10^8, 3 below 10^10, and 4.
func (g Guesses) Score() int {
	score := 0
	for _, least := range []int{3000, 6000, 8000, 10_000} {
		if g.MilliLog10 > least {
			score++
		}
	}
	return score
}

// MilliLog10 is the estimate alone. It is what package password asks for.
func (e *Estimator) MilliLog10(text string, words ...string) int {
	return e.Estimate(text, words...).MilliLog10
}

// Estimate returns how many guesses find the text, when words are among the first: the account's name, the person's, the
// service's, and their parts. The text may be any: what is not UTF-8 counts as replacement characters.
//
// It takes some twenty microseconds for twenty characters, and a millisecond for [Longest].
func (e *Estimator) Estimate(text string, words ...string) Guesses {
	s := newSubject(text)
	if len(s.runes) == 0 {
		return Guesses{}
	}
	guesses, pieces := s.estimate(e, contextOf(words))
	return Guesses{MilliLog10: milliLog10(guesses), Pieces: pieces}
}

// estimate is Estimate for a text, and for what repeats within one.
func (s *subject) estimate(e *Estimator, context *dictionary) (float64, []Piece) {
	all := make([]match, 0, 4*len(s.runes))
	all = s.words(all, e.known)
	if len(context.words) > 0 {
		all = s.words(all, context)
	}
	all = s.walks(all, e.boards)
	all = s.repeats(all, e, context)
	all = s.sequences(all)
	all = s.years(all)
	all = s.dates(all)
	return search(len(s.runes), all)
}

// milliLog10 makes the number that is compared. It is rounded down: an estimate just above a border that rounding of
// floats has made is not above it.
func milliLog10(guesses float64) int {
	if math.IsInf(guesses, 1) {
		return 999_999
	}
	return max(0, int(math.Floor(math.Log10(guesses)*1000+1e-6)))
}

// subject is a text as it is looked at.
type subject struct {
	reading // in small letters

	runes   []rune    // as they stand
	back    reading   // from its end
	letters []reading // figures and signs read as letters
}

// reading is one way to read a text, with as many runes.
type reading struct {
	lower []rune
	text  string
	at    []int // where each rune begins in text, and its end
}

func newSubject(text string) *subject {
	runes := make([]rune, 0, min(len(text), Longest))
	for _, r := range text {
		if len(runes) == Longest {
			break
		}
		runes = append(runes, r)
	}
	return subjectOf(runes)
}

func subjectOf(runes []rune) *subject {
	lower := make([]rune, len(runes))
	for i, r := range runes {
		lower[i] = unicode.ToLower(r)
	}
	s := &subject{runes: runes, reading: newReading(lower)}
	back := slices.Clone(lower)
	slices.Reverse(back)
	s.back = newReading(back)
	s.letters = s.readings()
	return s
}

func newReading(runes []rune) reading {
	r := reading{lower: runes, at: make([]int, len(runes)+1)}
	var b strings.Builder
	b.Grow(len(runes))
	for i, c := range runes {
		b.WriteRune(c)
		r.at[i+1] = b.Len()
	}
	r.text = b.String()
	return r
}
