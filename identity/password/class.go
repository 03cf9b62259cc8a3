package password

import "unicode"

// Class is a kind of characters, in any script.
type Class string

// The classes.
const (
	Letter Class = "letter" // of any case, or of a script without cases
	Lower  Class = "lower"
	Upper  Class = "upper" // title case too
	Digit  Class = "digit" // decimal, of any script
	Sign   Class = "sign"  // neither letter nor digit; a space is one
)

var classes = []Class{Letter, Lower, Upper, Digit, Sign}

func (c Class) has(r rune) bool {
	switch c {
	case Letter:
		return unicode.IsLetter(r)
	case Lower:
		return unicode.IsLower(r)
	case Upper:
		return unicode.IsUpper(r) || unicode.IsTitle(r)
	case Digit:
		return unicode.IsDigit(r)
	}
	return !unicode.IsLetter(r) && !unicode.IsDigit(r)
}

// missing returns the classes of want that text has nothing of.
func missing(text string, want []Class) (none []Class) {
next:
	for _, c := range want {
		for _, r := range text {
			if c.has(r) {
				continue next
			}
		}
		none = append(none, c)
	}
	return none
}

// variety counts how many of the four are there: lower, upper, digit, anything else.
func variety(text string) (n int) {
	var seen [4]bool
	for _, r := range text {
		switch {
		case Lower.has(r):
			seen[0] = true
		case Upper.has(r):
			seen[1] = true
		case Digit.has(r):
			seen[2] = true
		default:
			seen[3] = true
		}
	}
	for _, s := range seen {
		if s {
			n++
		}
	}
	return n
}
