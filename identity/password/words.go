package password

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// MaxWords is how many context words a person, and how many a service, may have.
const MaxWords = 64

const shortest = 4 // code points of a word that counts

// word is a context word as it is looked for: folded, and folded and reversed.
type word struct{ straight, reversed string }

// parts splits names and addresses at whatever is neither letter nor digit, and at the border of letters and digits, and
// keeps every part that is long enough, each name as one word too.
func parts(names []string) ([]word, error) {
	total := 0
	for _, name := range names {
		total += len(name)
	}
	if len(names) > MaxWords || total > MaxBytes {
		return nil, invalid("words: %d of %d bytes together, want up to %d of %d", len(names), total, MaxWords, MaxBytes)
	}
	var list []word
	seen := map[string]bool{}
	add := func(part string) {
		if utf8.RuneCountInString(part) < shortest {
			return
		}
		if s := skeleton(part); !seen[s] {
			seen[s] = true
			list = append(list, word{s, reverse(s)})
		}
	}
	for _, name := range names {
		name = fold(norm.NFKC.String(name))
		pieces := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) })
		add(strings.Join(pieces, ""))
		for _, piece := range pieces {
			add(piece)
			for _, letters := range strings.FieldsFunc(piece, unicode.IsDigit) {
				add(letters)
			}
		}
	}
	return list, nil
}

// onWords says whether the password is built on one of the words. What breaks Whole breaks Within.
func onWords(text string, words []word, rule WordRule) bool {
	folded := fold(text)
	if s := skeleton(folded); rule == Within && slices.ContainsFunc(words, func(w word) bool {
		return strings.Contains(s, w.straight) || strings.Contains(s, w.reversed)
	}) {
		return true
	}
	other := func(r rune) bool { return !unicode.IsLetter(r) }
	joined := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) {
			return r
		}
		return -1
	}, folded)
	for _, core := range []string{folded, strings.TrimLeftFunc(folded, other), strings.TrimRightFunc(folded, other), strings.TrimFunc(folded, other),
		joined, strings.TrimFunc(joined, other)} {
		s := skeleton(core)
		if slices.ContainsFunc(words, func(w word) bool { return s == w.straight || s == w.reversed }) {
			return true
		}
	}
	return false
}

func fold(s string) string { return cases.Fold().String(s) }

// skeleton makes one sign of all that stand for the same letter when people write it in figures. i, l and 1 fall together, so
// that a word may be found where another was meant; rarely, and to the safe side.
func skeleton(s string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '4', '@':
			return 'a'
		case '8':
			return 'b'
		case '3', '€':
			return 'e'
		case '6', '9':
			return 'g'
		case '1', '!', '|', 'l':
			return 'i'
		case '0':
			return 'o'
		case '5', '$':
			return 's'
		case '7', '+':
			return 't'
		case '2':
			return 'z'
		}
		return r
	}, s)
}

func reverse(s string) string {
	r := []rune(s)
	slices.Reverse(r)
	return string(r)
}
