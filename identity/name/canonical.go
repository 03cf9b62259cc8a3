package name

import (
	"sync"
	"unicode/utf8"

	"golang.org/x/text/secure/bidirule"
	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/bidi"
)

// MaxBytes is the most that a text may have to be looked at.
const MaxBytes = 1024

// Canonical returns the form of an account's name that is kept and compared: PRECIS UsernameCaseMapped (RFC 8265, section
// 3.3): full and half width are gone, letters are small, composed, and of those that PRECIS allows in identifiers, and the
// Bidi Rule holds. The error is a *[Refused]. It is what to look a name up by; what a new name has to be, [Policy.Check] says.
//
// Canonical of a canonical name is that name. A sharp s stays one, and the final sigma stays final: RFC 8265 keeps both apart
// from ss and from the other sigma.
func Canonical(s string) (string, error) {
	switch {
	case s == "":
		return "", refuse(Empty)
	case len(s) > MaxBytes:
		return "", refuse(TooLong)
	case !utf8.ValidString(s):
		return "", refuse(NotText)
	}
	if plain(s) {
		return s, nil
	}
	canonical, err := usernames().String(s)
	switch {
	case err != nil:
		return "", blame(s)
	case !ordered(canonical):
		return "", refuse(Direction)
	}
	if canonical == s {
		return s, nil
	}
	if again, err := usernames().String(canonical); err != nil || again != canonical {
		return "", refuse(Unstable)
	}
	return canonical, nil
}

// usernames is precis.UsernameCaseMapped without its Bidi Rule: that one looks at every text beyond ASCII, and refuses "1é".
var usernames = sync.OnceValue(func() *precis.Profile {
	return precis.NewIdentifier(precis.FoldWidth, precis.LowerCase())
})

// ordered applies the Bidi Rule to what holds characters that are written from the right, as RFC 8265 wants it.
func ordered(s string) bool {
	return bidirule.DirectionString(s) != bidi.RightToLeft || bidirule.ValidString(s)
}

// blame finds the character for which PRECIS refuses s.
func blame(s string) error {
	at, place, contextual := 0, -1, rune(0)
	for _, r := range s {
		if contextRule(r) {
			if place < 0 {
				place, contextual = at, r
			}
		} else if !lone(r) {
			return refuseAt(Disallowed, r, at)
		}
		at++
	}
	if place < 0 {
		return refuse(Context)
	}
	return refuseAt(Context, contextual, place)
}

// lone says whether PRECIS allows r by itself.
func lone(r rune) bool {
	_, err := usernames().String(string(r))
	return err == nil
}

// contextRule says whether RFC 5892, appendix A, has a rule on what may stand beside r.
func contextRule(r rune) bool {
	switch r {
	case '\u00b7', '\u0375', '\u05f3', '\u05f4', '\u200c', '\u200d', '\u30fb':
		return true
	}
	return '\u0660' <= r && r <= '\u0669' || '\u06f0' <= r && r <= '\u06f9'
}
