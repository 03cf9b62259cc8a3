package plan

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
	"time"
)

// Infeasible says why no choice meets a strategy.
type Infeasible struct {
	// Conflicts are all the smallest sets of requirements that cannot be met together: without any one of a set, the rest of it can
	// be. The sets with the fewest come first. None: no option can be used at all; see Barred.
	Conflicts []Conflict `json:"conflicts"`
	Barred    []string   `json:"barred,omitempty"` // options that are of no use, and why
}

// Conflict is a set of requirements that cannot be met together.
type Conflict []Requirement

// Requirement is one that takes part in a conflict.
type Requirement struct {
	Name    string `json:"name"`    // as in the strategy: "rpo", "site_rto", "off_site"; "budget", "single_files"
	Asked   string `json:"asked"`   // what it asks for
	Nearest string `json:"nearest"` // what can be had instead, with the others of the conflict as they are
	// Enough: with Nearest instead of Asked, and nothing else changed, the strategy can be met. Nearest is then what all of it allows.
	Enough bool `json:"enough"`
}

// String says a conflict in a line.
func (c Conflict) String() string {
	var list []string
	for _, r := range c {
		enough := ""
		if r.Enough {
			enough = ", which is enough"
		}
		list = append(list, fmt.Sprintf("%s %s (nearest: %s%s)", r.Name, r.Asked, r.Nearest, enough))
	}
	return strings.Join(list, " with ")
}

// requirement is one that can be taken away.
type requirement struct {
	name, asked string
	drop        func(a *ask)
	nearest     func(a ask) (string, ask) // of one in which it is dropped: the value, and the ask with that
}

func (m *market) requirements(all ask) []requirement {
	s := m.problem.Strategy
	length := func(name string, given time.Duration, at func(a *ask) *time.Duration, of func(w way) time.Duration) requirement {
		asked := "at most " + says(*at(&all))
		if given == 0 {
			asked += " (it is left out)"
		}
		return requirement{name, asked, func(a *ask) { *at(a) = math.MaxInt64 }, func(a ask) (string, ask) {
			values := []time.Duration{0}
			for _, st := range m.stands {
				for _, w := range st.ways {
					values = append(values, of(w))
				}
			}
			values = distinct(values)
			i, _ := slices.BinarySearchFunc(values, true, func(v time.Duration, _ bool) int {
				*at(&a) = v
				return m.meets(a) - 1
			})
			*at(&a) = values[min(i, len(values)-1)]
			return says(*at(&a)), a
		}}
	}
	count := func(name string, n int, at func(a *ask) *int) requirement {
		return requirement{name, fmt.Sprint(n), func(a *ask) { *at(a) = 0 }, func(a ask) (string, ask) {
			for *at(&a) = n; *at(&a) > 0 && m.meets(a) == 0; *at(&a)-- {
			}
			return fmt.Sprint(*at(&a)), a
		}}
	}
	list := []requirement{
		length("rpo", s.RPO, func(a *ask) *time.Duration { return &a.in.Span }, func(w way) time.Duration { return w.Span }),
		length("loss", s.Loss, func(a *ask) *time.Duration { return &a.in.Loss }, func(w way) time.Duration { return w.Loss }),
		length("rto", s.RTO, func(a *ask) *time.Duration { return &a.in.Time }, func(w way) time.Duration { return w.Time }),
		length("system", s.System, func(a *ask) *time.Duration { return &a.system }, func(w way) time.Duration { return w.system }),
	}
	if s.OffSite > 0 {
		list = append(list,
			length("site_rpo", s.SiteRPO, func(a *ask) *time.Duration { return &a.site.Span }, func(w way) time.Duration { return w.Span }),
			length("site_loss", s.SiteLoss, func(a *ask) *time.Duration { return &a.site.Loss }, func(w way) time.Duration { return w.Loss }),
			length("site_rto", s.SiteRTO, func(a *ask) *time.Duration { return &a.site.Time }, func(w way) time.Duration { return w.Time }),
			count("off_site", s.OffSite, func(a *ask) *int { return &a.off }))
	}
	if s.OnSite > 0 {
		list = append(list, count("on_site", s.OnSite, func(a *ask) *int { return &a.on }))
	}
	if all.files {
		list = append(list, requirement{"single_files", "from every copy", func(a *ask) { a.files = false },
			func(a ask) (string, ask) { return "whole machines alone", a }})
	}
	if all.encrypted {
		list = append(list, requirement{"encryption", "at every target", func(a *ask) { a.encrypted = false },
			func(a ask) (string, ask) { return "targets that do not encrypt: " + m.names(a, all), a }})
	}
	if !all.everywhere {
		list = append(list, requirement{"regions", strings.Join(s.Regions, ", "), func(a *ask) { a.everywhere = true }, m.region})
	}
	if m.problem.Budget > 0 {
		list = append(list, requirement{"budget", "at most " + Money(m.problem.Budget) + " a month", func(a *ask) { a.budget = math.MaxInt64 },
			func(a ask) (string, ask) {
				found, _ := m.cheapest(a)
				a.budget = found.cost
				return Money(found.cost) + " a month", a
			}})
	}
	return list
}

// region finds one more region that is enough, or falls back to anywhere.
func (m *market) region(a ask) (string, ask) {
	for _, st := range m.stands {
		one := a
		one.everywhere, one.regions = false, append(slices.Clone(a.regions), st.Region)
		if m.meets(one) == 1 {
			return fmt.Sprintf("%q too", st.Region), one
		}
	}
	return "several more", a
}

// names lists the targets of the cheapest choice that are not encrypted.
func (m *market) names(a, all ask) string {
	found, _ := m.cheapest(a)
	var list []string
	for _, p := range found.picks {
		if t := m.stands[p.at].Target; !t.Encrypted {
			list = append(list, t.ID)
		}
	}
	return strings.Join(list, ", ")
}

func (m *market) meets(a ask) int {
	a.primary = a.in
	if _, ok := m.cheapest(a); ok {
		return 1
	}
	return 0
}

// why finds all smallest conflicts. There are 13 requirements at most, so all sets of them can be looked at, the small ones first: a
// set that has a conflict in it is none of the smallest.
func (m *market) why(all ask) *Infeasible {
	found := &Infeasible{Conflicts: []Conflict{}, Barred: m.barred}
	list := m.requirements(all)
	without := func(set uint) ask { // all but what is not in the set
		a := all
		for i, r := range list {
			if set&(1<<i) == 0 {
				r.drop(&a)
			}
		}
		return a
	}
	var sets, conflicts []uint
	for set := range uint(1) << len(list) {
		sets = append(sets, set)
	}
	slices.SortStableFunc(sets, func(a, b uint) int { return bits.OnesCount(a) - bits.OnesCount(b) })
	for _, set := range sets {
		if slices.ContainsFunc(conflicts, func(c uint) bool { return c&set == c }) || m.meets(without(set)) == 1 {
			continue
		}
		conflicts = append(conflicts, set)
		if set == 0 { // nothing can be had, whatever is asked for
			return found
		}
	}
	for _, set := range conflicts {
		var c Conflict
		for i, r := range list {
			if set&(1<<i) == 0 {
				continue
			}
			req := Requirement{Name: r.name, Asked: r.asked}
			near := func(a ask) (text string, with ask) {
				a.primary = a.in
				return r.nearest(a)
			}
			if a := without(^uint(1 << i)); m.meets(a) == 1 {
				req.Nearest, a = near(a)
				req.Enough = m.valid(r.name, a)
			}
			if !req.Enough {
				req.Nearest, _ = near(without(set &^ (1 << i)))
			}
			c = append(c, req)
		}
		found.Conflicts = append(found.Conflicts, c)
	}
	return found
}

// valid reports whether the strategy is one when a requirement has the value that it has in a: copies must be somewhere, and those off the
// site are not held to less than others.
func (m *market) valid(name string, a ask) bool {
	s := m.problem.Strategy
	s.OnSite, s.OffSite = a.on, a.off
	values := map[string]time.Duration{"rpo": a.in.Span, "loss": a.in.Loss, "rto": a.in.Time, "system": a.system,
		"site_rpo": a.site.Span, "site_loss": a.site.Loss, "site_rto": a.site.Time}
	for _, d := range s.durations() {
		if d.name == name {
			*d.d = values[name]
		}
	}
	return s.Validate() == nil
}

// Money writes millionths of the currency with two to six places: "12.50".
func Money(micro int64) string {
	text := fmt.Sprintf("%d.%06d", micro/1_000_000, micro%1_000_000)
	return text[:len(text)-min(4, len(text)-len(strings.TrimRight(text, "0")))]
}

// Period writes a duration as people read it: "1d6h", "45m", "for ever".
func Period(d time.Duration) string { return says(d) }
