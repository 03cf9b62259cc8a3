package password

import (
	"fmt"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
)

// The bounds of a [Profile] and of what is checked by it.
const (
	MaxLongest  = 1024 // code points that a profile may accept
	MaxBytes    = 4096 // of a password as it comes in and as it is prepared: 1024 code points of four bytes
	MaxHistory  = 24   // each password of the history costs one slow hash at a change
	MaxStrength = 30_000

	maxAge  = 10 * 366 * 24 * time.Hour
	maxName = 128  // bytes
	maxText = 1024 // bytes of a source
)

// Rule names one thing that a profile can ask of a password. A screen in another language goes by it.
type Rule string

// The rules.
const (
	RuleCharacters  Rule = "characters"  // only what can be typed and seen: see [Prepare]; every profile has it
	RuleLength      Rule = "length"      // at least so many code points
	RuleLongest     Rule = "longest"     // at most so many
	RuleTruncation  Rule = "truncation"  // at most so many bytes, because a system behind takes no more
	RuleComposition Rule = "composition" // classes of characters
	RuleRepeats     Rule = "repeats"     // the same character so often in a row
	RuleWords       Rule = "words"       // names of the account, of the person, of the service
	RuleSimilarity  Rule = "similarity"  // to the password before
	RuleBlocklist   Rule = "blocklist"   // commonly used, expected or compromised
	RuleStrength    Rule = "strength"    // guesses that it stands
	RuleHistory     Rule = "history"     // used before: asked by whoever holds the hashes
	RuleMinimumAge  Rule = "minimum_age" // not again so soon
	RuleCycle       Rule = "cycle"       // update cycle
)

var rules = []Rule{RuleCharacters, RuleLength, RuleLongest, RuleTruncation, RuleComposition, RuleRepeats, RuleWords, RuleSimilarity,
	RuleBlocklist, RuleStrength, RuleHistory, RuleMinimumAge, RuleCycle}

// WordRule says how context words count.
type WordRule string

// The word rules.
const (
	Within    WordRule = ""      // a word of four or more code points must not stand anywhere in the password
	Whole     WordRule = "whole" // the whole password must not be such a word, with digits or signs before or after it
	SkipWords WordRule = "skip"  // they do not count
)

// Profile is a policy of passwords. It is data; in JSON durations are texts such as "2160h". A rule that is zero is not asked
// for, but for the blocklist and the context words, which must be skipped by name. The zero Profile is not valid.
//
// Lengths count code points after [Prepare].
type Profile struct {
	Name    string          `json:"name"`
	Source  string          `json:"source"`            // the document that asks for this
	Sources map[Rule]string `json:"sources,omitempty"` // and for one rule, where that can be said: document and clause

	Length       int `json:"length"`                  // the fewest code points of a password that is the only factor, 1 to Longest
	LengthMFA    int `json:"length_mfa,omitempty"`    // beside another factor; 0: Length
	Longest      int `json:"longest"`                 // the most code points accepted, to [MaxLongest]
	LongestBytes int `json:"longest_bytes,omitempty"` // for a system behind that would cut off the rest (bcrypt: 72): longer is refused, never cut

	Require    []Class `json:"require,omitempty"`    // each of these classes must be there
	Classes    int     `json:"classes,omitempty"`    // so many of the four: lower, upper, digit, and anything else
	Repeats    int     `json:"repeats,omitempty"`    // the same code point at most so often in a row
	Similarity int     `json:"similarity,omitempty"` // at least so many edits away from the password before, letter case aside
	Strength   int     `json:"strength,omitempty"`   // thousandths of log10 of the guesses that it stands: 8000 means 10^8

	SkipBlocklist bool     `json:"skip_blocklist,omitempty"`
	Words         WordRule `json:"words,omitempty"`

	History    int           `json:"history,omitempty"`     // not one of so many passwords used last, the present one among them
	MinimumAge time.Duration `json:"minimum_age,omitempty"` // before a person may change it again
	Cycle      time.Duration `json:"cycle,omitempty"`       // after which a password that is the only factor has to be changed
	CycleMFA   time.Duration `json:"cycle_mfa,omitempty"`   // after which one beside another factor has to be

	Accept  int    `json:"accept,omitempty"`  // the source wants passwords of at least so many code points accepted
	Forbids []Rule `json:"forbids,omitempty"` // what the source forbids to ask for; RuleWords: to ask for it within passwords
}

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first field out of bounds, or two that contradict
// each other.
func (p Profile) Validate() error {
	for _, f := range []struct {
		name            string
		is, least, most int
	}{
		{"longest", p.Longest, p.kinds(), MaxLongest},
		{"length", p.Length, 1, p.Longest},
		{"length_mfa", p.LengthMFA, 0, p.Longest},
		{"longest_bytes", p.LongestBytes, 0, MaxBytes},
		{"classes", p.Classes, 0, 4},
		{"repeats", p.Repeats, 0, MaxLongest},
		{"similarity", p.Similarity, 0, p.Longest},
		{"strength", p.Strength, 0, MaxStrength},
		{"history", p.History, 0, MaxHistory},
		{"accept", p.Accept, 0, p.Longest},
	} {
		if f.is < f.least || f.is > f.most {
			return invalid("profile: %s: %d, want %d to %d", f.name, f.is, f.least, f.most)
		}
	}
	if least := max(p.Length, p.LengthMFA, p.Similarity, p.kinds(), 4*p.Accept); p.LongestBytes != 0 && p.LongestBytes < least {
		return invalid("profile: longest_bytes: %d, want %d or more: all that is asked for, and four for each code point of accept", p.LongestBytes, least)
	}
	for _, f := range []struct {
		name string
		is   time.Duration
	}{{"minimum_age", p.MinimumAge}, {"cycle", p.Cycle}, {"cycle_mfa", p.CycleMFA}} {
		if f.is < 0 || f.is > maxAge {
			return invalid("profile: %s: %v, want 0 to %v", f.name, f.is, maxAge)
		}
	}
	for _, cycle := range []time.Duration{p.Cycle, p.CycleMFA} {
		if cycle != 0 && p.MinimumAge >= cycle {
			return invalid("profile: minimum_age: %v, want less than the update cycle of %v", p.MinimumAge, cycle)
		}
	}
	if p.Words != Within && p.Words != Whole && p.Words != SkipWords {
		return invalid("profile: words: unknown")
	}
	return p.validateLists()
}

func (p Profile) validateLists() error {
	if len(p.Name) > maxName || len(p.Source) > maxText || p.Name == "" {
		return invalid("profile: name of %d bytes, source of %d: want 1 to %d, and up to %d", len(p.Name), len(p.Source), maxName, maxText)
	}
	for i, c := range p.Require {
		if !slices.Contains(classes, c) || slices.Contains(p.Require[:i], c) {
			return invalid("profile: require[%d]: unknown, or there twice", i)
		}
	}
	for i, r := range p.Forbids {
		if !slices.Contains(rules, r) || slices.Contains(p.Forbids[:i], r) {
			return invalid("profile: forbids[%d]: unknown, or there twice", i)
		}
		if p.asks(r) {
			return invalid("profile: forbids[%d]: %s is asked for", i, r)
		}
	}
	for r, text := range p.Sources {
		if !slices.Contains(rules, r) || len(text) > maxText {
			return invalid("profile: sources: a rule that is unknown, or a text longer than %d bytes", maxText)
		}
	}
	return nil
}

// asks says whether p asks for r; of context words, whether within a password.
func (p *Profile) asks(r Rule) bool {
	switch r {
	case RuleCharacters, RuleLength, RuleLongest:
		return true
	case RuleTruncation:
		return p.LongestBytes != 0
	case RuleComposition:
		return p.Classes > 1 || len(p.Require) > 0
	case RuleRepeats:
		return p.Repeats != 0
	case RuleWords:
		return p.Words == Within
	case RuleSimilarity:
		return p.Similarity != 0
	case RuleBlocklist:
		return !p.SkipBlocklist
	case RuleStrength:
		return p.Strength != 0
	case RuleHistory:
		return p.History != 0
	case RuleMinimumAge:
		return p.MinimumAge != 0
	case RuleCycle:
		return p.Cycle != 0 || p.CycleMFA != 0
	}
	return false
}

// kinds is how many code points its classes take at least, and 1 without any.
func (p *Profile) kinds() int {
	n := len(p.Require)
	if slices.Contains(p.Require, Letter) && (slices.Contains(p.Require, Lower) || slices.Contains(p.Require, Upper)) {
		n-- // which is one
	}
	return max(n, p.Classes, 1)
}

// AtLeast returns the fewest code points: of a password that is the only factor, or, with mfa, of one beside another.
func (p Profile) AtLeast(mfa bool) int {
	if mfa && p.LengthMFA != 0 {
		return p.LengthMFA
	}
	return p.Length
}

// Due returns when a password that was set at changed has to be changed, and false where there is no update cycle.
func (p Profile) Due(changed time.Time, mfa bool) (time.Time, bool) {
	cycle := p.Cycle
	if mfa {
		cycle = p.CycleMFA
	}
	return changed.Add(cycle), cycle != 0
}

// MayChange returns a [*Violation] of [RuleMinimumAge], which wraps [opsec.ErrDenied], while a password that was set at changed
// is too young for its owner to change it again. A reset, whoever began it, and an administrator do not ask.
func (p Profile) MayChange(changed, now time.Time) error {
	if from := changed.Add(p.MinimumAge); p.MinimumAge != 0 && now.Before(from) {
		return &Violation{Rule: RuleMinimumAge, From: from}
	}
	return nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("password: "+format+": %w", append(args, opsec.ErrInvalid)...)
}
