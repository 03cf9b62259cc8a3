package password

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// Statement is one rule of a profile in words.
type Statement struct {
	Rule   Rule
	Text   string // for an auditor
	Source string // where it comes from: document and clause
}

// Hints returns what a page says beside the field in which a password is chosen, in English: what the person has to do, and
// nothing about what is not asked. With mfa, another factor is asked for beside the password.
func (p Profile) Hints(mfa bool) []string {
	list := []string{fmt.Sprintf("At least %d characters, at most %d. Spaces and any script are welcome.", p.AtLeast(mfa), p.Longest)}
	add := func(asked bool, format string, args ...any) {
		if asked {
			list = append(list, fmt.Sprintf(format, args...))
		}
	}
	add(p.LongestBytes != 0, "At most %d bytes; a letter with an accent counts two, and most other scripts three.", p.LongestBytes)
	add(len(p.Require) > 0, "At least one %s.", classNames(p.Require, " and one "))
	add(p.Classes > 1, "At least %d of: small letters, capital letters, digits, other characters.", p.Classes)
	add(p.Repeats != 0, "No character more than %d times in a row.", p.Repeats)
	add(p.Words == Within, "Nothing of your name, your account or the name of the service.")
	add(p.Words == Whole, "Not your name, your account or the name of the service.")
	add(p.Similarity != 0, "At least %d characters different from the password before.", p.Similarity)
	add(!p.SkipBlocklist, "Not one of the passwords that others use often or that have been stolen.")
	add(p.Strength != 0, "Hard to guess: several words that do not belong together are good.")
	add(p.History == 1, "Not the present one.")
	add(p.History > 1, "Not one of your last %d passwords.", p.History)
	cycle := p.Cycle
	if mfa {
		cycle = p.CycleMFA
	}
	add(cycle != 0, "It has to be changed every %s.", span(cycle))
	return list
}

// Explain returns the whole profile in words for an auditor, every rule with its source, and also what is left out or
// forbidden by the source.
func (p Profile) Explain() []Statement {
	length := fmt.Sprintf("at least %d code points after NFKC", p.Length)
	if p.LengthMFA != 0 {
		length += fmt.Sprintf("; %d beside another factor", p.LengthMFA)
	}
	longest := fmt.Sprintf("at most %d code points; longer ones are refused, none is cut off", p.Longest)
	if p.Accept != 0 {
		longest += fmt.Sprintf("; the source wants at least %d accepted", p.Accept)
	}
	composition := "no classes of characters"
	switch {
	case len(p.Require) > 0 && p.Classes > 1:
		composition = fmt.Sprintf("one %s, and %d of four classes", classNames(p.Require, ", one "), p.Classes)
	case len(p.Require) > 0:
		composition = "one " + classNames(p.Require, ", one ")
	case p.Classes > 1:
		composition = fmt.Sprintf("%d of four classes", p.Classes)
	}
	words := map[WordRule]string{
		Within:    "names of account, person and service must not stand within it, whatever the letter case, reversed, or in figures",
		Whole:     "must not be a name of account, person or service as a whole, whatever the letter case, reversed, or in figures",
		SkipWords: "names of account, person and service are not looked for",
	}[p.Words]
	list := []struct {
		rule Rule
		text string
	}{
		{RuleCharacters, "no control characters, none that cannot be seen, none that are not assigned (RFC 8265, OpaqueString)"},
		{RuleLength, length},
		{RuleLongest, longest},
		{RuleTruncation, either(p.LongestBytes != 0, "at most %d bytes, for a system that would cut off the rest", "no limit of bytes", p.LongestBytes)},
		{RuleComposition, composition},
		{RuleRepeats, either(p.Repeats != 0, "the same character at most %d times in a row", "repeated characters are not looked for", p.Repeats)},
		{RuleWords, words},
		{RuleSimilarity, either(p.Similarity != 0, "at least %d edits away from the password before", "not compared with the password before", p.Similarity)},
		{RuleBlocklist, either(!p.SkipBlocklist, "not on a list of common or compromised passwords", "no list of common or compromised passwords is asked for")},
		{RuleStrength, either(p.Strength != 0, "estimated to stand 10^%d.%03d guesses", "no estimate of guesses", p.Strength/1000, p.Strength%1000)},
		{RuleHistory, either(p.History != 0, "not one of the %d used last", "not compared with those used before", p.History)},
		{RuleMinimumAge, either(p.MinimumAge != 0, "may be changed again after %s", "may be changed at any time", span(p.MinimumAge))},
		{RuleCycle, p.cycleText()},
	}
	all := make([]Statement, len(list))
	for i, l := range list {
		all[i] = Statement{l.rule, l.text, p.sourceOf(l.rule)}
		for _, f := range p.Forbids {
			if f == l.rule {
				all[i].Text += "; the source forbids to ask for that"
				if f == RuleWords {
					all[i].Text = words + "; the source forbids to look within a password"
				}
			}
		}
	}
	return all
}

func (p *Profile) cycleText() string {
	if p.Cycle == 0 && p.CycleMFA == 0 {
		return "no update cycle: changed when it may be known to others"
	}
	one := func(d time.Duration) string {
		if d == 0 {
			return "never"
		}
		return "every " + span(d)
	}
	return fmt.Sprintf("changed %s where it is the only factor, %s beside another", one(p.Cycle), one(p.CycleMFA))
}

// sourceOf is where a rule comes from: the clause, where the profile names one, or else the document.
func (p *Profile) sourceOf(r Rule) string { return cmp.Or(p.Sources[r], p.Source) }

func either(asked bool, yes, no string, args ...any) string {
	if asked && strings.Contains(yes, "%") {
		return fmt.Sprintf(yes, args...)
	}
	if asked {
		return yes
	}
	return no
}

// span writes whole days as such.
func span(d time.Duration) string {
	if days := d / day; d%day == 0 && days > 0 {
		return fmt.Sprintf("%d days", days)
	}
	return d.String()
}
