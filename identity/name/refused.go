package name

import (
	"fmt"

	"github.com/cloudopsec/opsec"
)

// Reason is why a text is no name, or no name under a policy.
type Reason string

// The reasons.
const (
	NotText     Reason = "not-text"    // not UTF-8
	Empty       Reason = "empty"       // nothing, or nothing between prefix and suffix
	TooShort    Reason = "too-short"   // fewer code points than Policy.Min
	TooLong     Reason = "too-long"    // more than Policy.Max, or than MaxBytes
	Disallowed  Reason = "disallowed"  // PRECIS has no such character in identifiers: spaces, symbols, compatibility forms
	Context     Reason = "context"     // a character that stands only beside certain others
	Direction   Reason = "direction"   // the Bidi Rule of RFC 5893: it would be shown in another order than it is written
	Unstable    Reason = "unstable"    // its canonical form has another canonical form
	Invisible   Reason = "invisible"   // joiners, marks of direction, fillers, selectors, controls
	Punctuation Reason = "punctuation" // not in Policy.Punctuation, or at an end, or two in a row
	Uncommon    Reason = "uncommon"    // not among the characters that UTS #39 recommends for identifiers
	Foreign     Reason = "foreign"     // of a script that Policy.Scripts does not name
	Marks       Reason = "marks"       // more combining marks on a letter than Policy.Marks, or one that nobody sees
	Digits      Reason = "digits"      // of two systems, as 4 and U+0664
	Start       Reason = "start"       // begins with a digit
	Mixed       Reason = "mixed"       // of scripts that Policy.Level does not let stand together
	Lookalike   Reason = "lookalike"   // not in Latin letters, and looks as if it were
	Unformed    Reason = "unformed"    // without the prefix or suffix of its kind
	OtherForm   Reason = "other-form"  // with those of another kind, or what looks like them
	Reserved    Reason = "reserved"    // is, or looks like, a reserved name
)

// Refused is the error of a text that is no name. It wraps [opsec.ErrInvalid].
type Refused struct {
	Reason Reason
	// Rune is the character that gave the reason, or 0 if it is the whole.
	Rune rune
	// Position is where Rune stands, in code points from 0: in the canonical form, or in the text as it was given for what
	// is refused before there is one ([Disallowed], [Context], [Invisible]). It is -1 without a Rune.
	Position int
	// Like is the reserved name, the prefix or the suffix in question, if there is one.
	Like string
}

// Error names the reason and the character by its number, so that it does no harm to a log or a terminal.
func (r *Refused) Error() string {
	text := "name: refused: " + string(r.Reason)
	if r.Position >= 0 {
		text += fmt.Sprintf(": %U at %d", r.Rune, r.Position)
	}
	if r.Like != "" {
		text += fmt.Sprintf(": %+q", r.Like)
	}
	return text
}

// Unwrap returns [opsec.ErrInvalid].
func (r *Refused) Unwrap() error { return opsec.ErrInvalid }

func refuse(why Reason) error { return &Refused{Reason: why, Position: -1} }

func refuseAt(why Reason, r rune, at int) error { return &Refused{Reason: why, Rune: r, Position: at} }

func refuseLike(why Reason, like string) error {
	return &Refused{Reason: why, Position: -1, Like: like}
}
