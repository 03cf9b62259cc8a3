package password

import (
	"errors"
	"unicode/utf8"
)

// Blocklist knows passwords that are commonly used, expected or compromised. Package
// [github.com/cloudopsec/opsec/identity/password/blocklist] has one.
type Blocklist interface {
	// Contains is asked about the whole password, prepared, and is safe for concurrent use.
	Contains(text string) bool
}

// Strength estimates how many guesses a password stands. Package
// [github.com/cloudopsec/opsec/identity/password/strength] has one.
type Strength interface {
	// MilliLog10 returns thousandths of log10 of the guesses, when words are tried first. It is safe for concurrent use.
	MilliLog10(text string, words ...string) int
}

// Options is the wiring of a [Checker].
type Options struct {
	Blocklist Blocklist
	Strength  Strength
	Words     []string // of the service: its name, its company's, its domain's
}

// Context is what is known about the person who chooses.
type Context struct {
	Words    []string // the account's name, mail address, the person's names; at most [MaxWords], of [MaxBytes] bytes together
	Previous []byte   // the password before, where the person has just given it
	MFA      bool     // another factor is asked for beside the password
}

// Checker holds passwords against a profile. It is safe for concurrent use.
type Checker struct {
	profile Profile
	opts    Options
	words   []word
}

// New returns a Checker. Its error wraps [opsec.ErrInvalid] when the profile is not valid, or asks for what opts does not have.
func New(p Profile, opts *Options) (*Checker, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if opts == nil {
		opts = &Options{}
	}
	if !p.SkipBlocklist && opts.Blocklist == nil {
		return nil, invalid("options: blocklist: the profile asks for one")
	}
	if p.Strength != 0 && opts.Strength == nil {
		return nil, invalid("options: strength: the profile asks for an estimate")
	}
	words, err := parts(opts.Words)
	if err != nil {
		return nil, err
	}
	return &Checker{profile: p, opts: *opts, words: words}, nil
}

// Profile returns the profile.
func (c *Checker) Profile() Profile { return c.profile }

// Check returns nil when a new password meets every rule that can be asked of the text itself, and otherwise all the
// violations at once: an error that errors.As finds a [*Violation] in, and [Violations] lists. History and ages are asked where
// the hashes are.
//
// The text is prepared here, and what is to be hashed is [Prepare] of it.
func (c *Checker) Check(text []byte, about Context) error {
	prepared, err := Prepare(text)
	if err != nil {
		return err
	}
	defer clear(prepared)
	words, err := parts(about.Words)
	if err != nil {
		return err
	}
	words = append(words, c.words...)

	p, s := &c.profile, string(prepared)
	var found []error
	fail := func(broken bool, v Violation) {
		if broken {
			found = append(found, &v)
		}
	}
	n, least := utf8.RuneCountInString(s), p.AtLeast(about.MFA)
	fail(n < least, Violation{Rule: RuleLength, Least: least, Have: n})
	fail(n > p.Longest, Violation{Rule: RuleLongest, Most: p.Longest, Have: n})
	fail(p.LongestBytes != 0 && len(s) > p.LongestBytes, Violation{Rule: RuleTruncation, Most: p.LongestBytes, Bytes: true})
	none := missing(s, p.Require)
	fail(len(none) > 0, Violation{Rule: RuleComposition, Classes: none})
	fail(p.Classes > 1 && variety(s) < p.Classes, Violation{Rule: RuleComposition, Least: p.Classes})
	fail(p.Repeats != 0 && longestRun(s) > p.Repeats, Violation{Rule: RuleRepeats, Most: p.Repeats})
	fail(p.Words != SkipWords && onWords(s, words, p.Words), Violation{Rule: RuleWords})
	fail(!p.SkipBlocklist && c.opts.Blocklist.Contains(s), Violation{Rule: RuleBlocklist})
	if p.Similarity != 0 && len(about.Previous) > 0 {
		before, err := Prepare(about.Previous)
		if err == nil { // one that could not be prepared cannot have been set
			fail(near(fold(string(before)), fold(s), p.Similarity), Violation{Rule: RuleSimilarity, Least: p.Similarity})
			clear(before)
		}
	}
	if p.Strength != 0 && n <= p.Longest {
		list := append(append([]string(nil), about.Words...), c.opts.Words...)
		fail(c.opts.Strength.MilliLog10(s, list...) < p.Strength, Violation{Rule: RuleStrength, Least: p.Strength})
	}
	return errors.Join(found...)
}

// Violations returns what [Checker.Check] has joined, in its order.
func Violations(err error) []*Violation {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*Violation
		for _, e := range joined.Unwrap() {
			all = append(all, Violations(e)...)
		}
		return all
	}
	var v *Violation
	if errors.As(err, &v) {
		return []*Violation{v}
	}
	return nil
}

func longestRun(s string) (most int) {
	run, last := 0, rune(-1)
	for _, r := range s {
		if r != last {
			run, last = 0, r
		}
		run++
		most = max(most, run)
	}
	return most
}

// near says whether fewer than least edits (of one code point: put in, left out, exchanged) lead from a to b.
func near(a, b string, least int) bool {
	from, to := []rune(a), []rune(b)
	if max(len(from)-len(to), len(to)-len(from)) >= least {
		return false
	}
	row := make([]int, len(to)+1)
	for j := range row {
		row[j] = j
	}
	for i, r := range from {
		diagonal := row[0]
		row[0] = i + 1
		for j, q := range to {
			swap := diagonal
			if r != q {
				swap++
			}
			diagonal = row[j+1]
			row[j+1] = min(swap, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(to)] < least
}
