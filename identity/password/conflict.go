package password

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cloudopsec/opsec"
)

// Conflict says that two profiles cannot both be met. It is an error that wraps [opsec.ErrInvalid].
type Conflict struct {
	Rule Rule
	A, B string // names of profiles
	Why  string
}

func (c *Conflict) Error() string {
	return fmt.Sprintf("password: %s: %s against %s: %s: %v", c.Rule, c.A, c.B, c.Why, opsec.ErrInvalid)
}

// Unwrap returns [opsec.ErrInvalid].
func (c *Conflict) Unwrap() error { return opsec.ErrInvalid }

// Conflicts returns where profiles contradict each other: one asks for what another forbids, or for lengths or ages that
// another leaves no room for. They are in the order of the profiles.
func Conflicts(profiles ...Profile) []*Conflict {
	var all []*Conflict
	seen := map[Conflict]bool{}
	for i := range profiles {
		for j := range profiles {
			if i == j {
				continue
			}
			for _, c := range clashes(&profiles[i], &profiles[j]) {
				key := Conflict{Rule: c.Rule, A: min(c.A, c.B), B: max(c.A, c.B)}
				if !seen[key] {
					seen[key] = true
					all = append(all, c)
				}
			}
		}
	}
	return all
}

// clashes returns what a asks for and b does not allow.
func clashes(a, b *Profile) (list []*Conflict) {
	add := func(broken bool, r Rule, format string, args ...any) {
		if broken {
			list = append(list, &Conflict{r, a.Name, b.Name, fmt.Sprintf(format, args...)})
		}
	}
	for _, r := range b.Forbids {
		add(a.asks(r), r, "the first asks for it (%s), the second forbids that (%s)", a.sourceOf(r), b.sourceOf(r))
	}
	most := max(a.AtLeast(false), a.AtLeast(true))
	add(most > b.Longest, RuleLength, "the first asks for %d characters, the second takes %d", most, b.Longest)
	add(b.LongestBytes != 0 && most > b.LongestBytes, RuleTruncation, "the first asks for %d characters, the second takes %d bytes", most, b.LongestBytes)
	both := Profile{Require: inOrder(slices.Concat(a.Require, b.Require), classes), Classes: max(a.Classes, b.Classes)}
	room := least(b.Longest, b.LongestBytes)
	add(both.kinds() > room, RuleComposition, "together they ask for %d kinds of characters, the second takes %d characters", both.kinds(), room)
	add(a.Longest < b.Accept, RuleLongest, "the first takes %d characters, the second wants %d accepted", a.Longest, b.Accept)
	add(a.LongestBytes != 0 && a.LongestBytes < 4*b.Accept, RuleTruncation,
		"the first takes %d bytes, the second wants %d characters accepted, which have up to four each", a.LongestBytes, b.Accept)
	add(a.Similarity > room, RuleSimilarity, "the first asks for %d edits, the second takes %d characters", a.Similarity, room)
	cycle := least(b.Cycle, b.CycleMFA)
	add(cycle != 0 && a.MinimumAge >= cycle, RuleMinimumAge, "the first forbids a change for %s, the second asks for one every %s", span(a.MinimumAge), span(cycle))
	return list
}

// least returns the smallest of those that are not zero.
func least[T cmp.Ordered](list ...T) (m T) {
	var zero T
	for _, v := range list {
		if v != zero && (m == zero || v < m) {
			m = v
		}
	}
	return m
}

// Combine returns the profile that asks for everything that one of the profiles asks for, so that what it accepts each of
// them accepts, whatever their order. Where they contradict each other it returns the joined [*Conflict]s.
func Combine(name string, profiles ...Profile) (Profile, error) {
	if len(profiles) == 0 {
		return Profile{}, invalid("combine: no profile")
	}
	for _, p := range profiles {
		if err := p.Validate(); err != nil {
			return Profile{}, err
		}
	}
	if found := Conflicts(profiles...); len(found) > 0 {
		errs := make([]error, len(found))
		for i, c := range found {
			errs[i] = c
		}
		return Profile{}, errors.Join(errs...)
	}
	all := profiles[0]
	for _, p := range profiles[1:] {
		all.LengthMFA = max(all.AtLeast(true), p.AtLeast(true))
		all.Length = max(all.Length, p.Length)
		all.Longest = min(all.Longest, p.Longest)
		all.LongestBytes = least(all.LongestBytes, p.LongestBytes)
		all.Require = append(slices.Clone(all.Require), p.Require...)
		all.Classes = max(all.Classes, p.Classes)
		all.Repeats = least(all.Repeats, p.Repeats)
		all.Similarity = max(all.Similarity, p.Similarity)
		all.Strength = max(all.Strength, p.Strength)
		all.SkipBlocklist = all.SkipBlocklist && p.SkipBlocklist
		all.Words = strictest(all.Words, p.Words)
		all.History = max(all.History, p.History)
		all.MinimumAge = max(all.MinimumAge, p.MinimumAge)
		all.Cycle = least(all.Cycle, p.Cycle)
		all.CycleMFA = least(all.CycleMFA, p.CycleMFA)
		all.Accept = max(all.Accept, p.Accept)
		all.Forbids = append(slices.Clone(all.Forbids), p.Forbids...)
	}
	all.Name, all.LengthMFA = name, all.AtLeast(true)
	all.Require, all.Forbids = inOrder(all.Require, classes), inOrder(all.Forbids, rules)
	all.Source, all.Sources = combineSources(profiles)
	return all, all.Validate()
}

func strictest(a, b WordRule) WordRule {
	for _, w := range []WordRule{Within, Whole} {
		if a == w || b == w {
			return w
		}
	}
	return SkipWords
}

// inOrder returns each of list once, in the order of all.
func inOrder[T comparable](list, all []T) (sorted []T) {
	for _, v := range all {
		if slices.Contains(list, v) {
			sorted = append(sorted, v)
		}
	}
	return sorted
}

// combineSources names, for each rule, every document that asks for it or forbids it.
func combineSources(profiles []Profile) (string, map[Rule]string) {
	documents, clauses := map[string]bool{}, map[Rule]map[string]bool{}
	for _, p := range profiles {
		documents[p.Source] = true
		for _, r := range rules {
			if _, named := p.Sources[r]; !named && !p.asks(r) && !slices.Contains(p.Forbids, r) {
				continue
			}
			if clauses[r] == nil {
				clauses[r] = map[string]bool{}
			}
			clauses[r][p.sourceOf(r)] = true
		}
	}
	join := func(set map[string]bool) string {
		text := strings.Join(slices.Sorted(maps.Keys(set)), "; ")
		return strings.ToValidUTF8(text[:min(len(text), maxText)], "")
	}
	joined := map[Rule]string{}
	for r, set := range clauses {
		joined[r] = join(set)
	}
	return join(documents), joined
}
