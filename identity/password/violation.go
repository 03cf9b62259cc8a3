package password

import (
	"fmt"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
)

// Violation is one rule that a password does not meet. It never holds the password, or a part of it. It wraps
// [opsec.ErrInvalid]; of [RuleMinimumAge], [opsec.ErrDenied].
type Violation struct {
	Rule    Rule
	Least   int       // what is asked for at least: code points, classes, edits, thousandths of log10 of guesses
	Most    int       // or at most: code points, times in a row, or bytes
	Bytes   bool      // Most counts bytes
	Have    int       // what there is instead, where that may be said
	Classes []Class   // of which there is nothing
	From    time.Time // when a change is possible again
}

// Unwrap returns [opsec.ErrInvalid] or [opsec.ErrDenied].
func (v *Violation) Unwrap() error {
	if v.Rule == RuleMinimumAge {
		return opsec.ErrDenied
	}
	return opsec.ErrInvalid
}

func (v *Violation) Error() string { return fmt.Sprintf("password: %s: %v", v.Reason(), v.Unwrap()) }

// Reason says to the person who chose the password what is wrong with it, in English and without a full stop.
func (v *Violation) Reason() string {
	switch v.Rule {
	case RuleCharacters:
		return "it must not be empty, or hold characters that cannot be seen or are unknown"
	case RuleLength:
		return fmt.Sprintf("it has %d characters, and at least %d are needed", v.Have, v.Least)
	case RuleLongest, RuleTruncation:
		unit := "characters"
		if v.Bytes {
			unit = "bytes"
		}
		return fmt.Sprintf("it may have at most %d %s", v.Most, unit)
	case RuleComposition:
		if len(v.Classes) > 0 {
			return "it needs at least one " + classNames(v.Classes, " and one ")
		}
		return fmt.Sprintf("it needs %d of: small letters, capital letters, digits, other characters", v.Least)
	case RuleRepeats:
		return fmt.Sprintf("no character may stand more than %d times in a row", v.Most)
	case RuleWords:
		return "it must not be built on your name, your account or the name of the service"
	case RuleSimilarity:
		return fmt.Sprintf("it is too similar to the password before: at least %d characters must differ", v.Least)
	case RuleBlocklist:
		return "it is known from common or stolen passwords, and tried first by those who guess"
	case RuleStrength:
		return "it is too easy to guess: make it longer, with words that do not belong together"
	case RuleHistory:
		return "you have used it before"
	case RuleMinimumAge:
		return "it was changed only recently, and can be changed again from " + v.From.UTC().Format(time.RFC3339)
	case RuleCycle:
		return "it has been in use for too long and has to be changed"
	}
	return "it does not meet the rules"
}

func classNames(list []Class, sep string) string {
	names := make([]string, len(list))
	for i, c := range list {
		names[i] = map[Class]string{Letter: "letter", Lower: "small letter", Upper: "capital letter", Digit: "digit", Sign: "sign or space"}[c]
	}
	return strings.Join(names, sep)
}
