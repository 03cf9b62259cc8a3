package independence

import (
	"fmt"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
)

// maxRows bounds owners and lines, each.
const maxRows = 1 << 20

// Organisation is who is who. Persons are named as in [opsec.Actor] and as candidates are.
type Organisation struct {
	// Accounts says who is behind an account where the event does not, or which of the provider's people is behind a
	// customer's account; for a service, who answers for it. May be nil. It is asked for one act after the other.
	Accounts func(tenant opsec.TenantID, account string) (person string, ok bool)
	Owners   []Ownership
	Lines    []Line
}

// Ownership is that somebody answers for something, from a time until another: for the system, for the action and for the
// resource, where more than one is named.
type Ownership struct {
	Person   string         `json:"person"`
	System   string         `json:"system,omitempty"`  // a pattern
	Action   string         `json:"action,omitempty"`  // a pattern: the owner of a process has "backup.*"
	Resource opsec.Resource `json:"resource,omitzero"` // patterns in Type and ID; no Tenant: of any
	From     time.Time      `json:"from,omitzero"`     // zero: always
	Until    time.Time      `json:"until,omitzero"`    // zero: still
}

// Line is that somebody reports to somebody else, from a time until another.
type Line struct {
	Person  string    `json:"person"`
	Manager string    `json:"manager"`
	From    time.Time `json:"from,omitzero"`  // zero: always
	Until   time.Time `json:"until,omitzero"` // zero: still; the line has ended at this instant
}

// CycleError says that people report to each other in a circle, at one time. It wraps [opsec.ErrInvalid].
type CycleError struct {
	Persons []string // each reports to the next, the last to the first
	At      time.Time
}

// Error names them.
func (e *CycleError) Error() string {
	return fmt.Sprintf("independence: lines: a circle at %s: %s: %v",
		e.At.UTC().Format(time.RFC3339), strings.Join(e.Persons, ", "), opsec.ErrInvalid)
}

// Unwrap returns [opsec.ErrInvalid].
func (e *CycleError) Unwrap() error { return opsec.ErrInvalid }

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first row that breaks a rule; a [*CycleError] for
// a circle of lines.
func (o Organisation) Validate() error {
	if len(o.Owners) > maxRows || len(o.Lines) > maxRows {
		return invalid("%d owners, %d lines: want at most %d", len(o.Owners), len(o.Lines), maxRows)
	}
	for i, w := range o.Owners {
		if !valid(w.Person) {
			return invalid("owners[%d]: person of %d bytes: want 1 to %d of UTF-8", i, len(w.Person), maxText)
		}
		if w.System == "" && w.Action == "" && w.Resource == (opsec.Resource{}) {
			return invalid("owners[%d]: of nothing", i)
		}
		if w.System != "" && !validPattern(w.System) || w.Action != "" && !validPattern(w.Action) {
			return invalid("owners[%d]: system, action: want texts of up to %d bytes, with * at their end or not at all", i, maxText)
		}
		if w.Resource != (opsec.Resource{}) {
			if err := validateResource(w.Resource); err != nil {
				return fmt.Errorf("independence: owners[%d]: resource: %w", i, err)
			}
		}
		if !ordered(w.From, w.Until) {
			return invalid("owners[%d]: ends before it begins", i)
		}
	}
	for i, l := range o.Lines {
		if !valid(l.Person) || !valid(l.Manager) {
			return invalid("lines[%d]: person, manager: want 1 to %d bytes of UTF-8", i, maxText)
		}
		if l.Person == l.Manager {
			return invalid("lines[%d]: somebody is their own manager", i)
		}
		if !ordered(l.From, l.Until) {
			return invalid("lines[%d]: ends before it begins", i)
		}
	}
	return circle(o.Lines)
}

func ordered(from, until time.Time) bool {
	return from.IsZero() || until.IsZero() || !until.Before(from)
}

// within reports whether a period has to do with another: what ended at its first instant has.
func within(from, until, first, last time.Time) bool {
	return (until.IsZero() || !until.Before(first)) && !from.After(last)
}

// circle finds people who report to each other at one time. A circle begins when one of its lines does, so it is enough to
// look at these instants.
func circle(lines []Line) error {
	lines = tangled(lines)
	seen := map[[2]int64]bool{}
	for _, l := range lines {
		at := l.From
		instant := [2]int64{at.Unix(), int64(at.Nanosecond())}
		if seen[instant] {
			continue
		}
		seen[instant] = true
		var then []Line
		for _, l := range lines {
			if !l.From.After(at) && (l.Until.IsZero() || l.Until.After(at)) {
				then = append(then, l)
			}
		}
		if then = tangled(then); len(then) > 0 {
			return &CycleError{walk(then), at}
		}
	}
	return nil
}

// tangled returns the lines that are part of a circle or between two: what is left when those are taken away, again and
// again, that end at somebody who reports to nobody, or begin at somebody to whom nobody reports.
func tangled(lines []Line) []Line {
	up := func(l Line) (from, to string) { return l.Person, l.Manager }
	down := func(l Line) (from, to string) { return l.Manager, l.Person }
	return peel(peel(lines, up), down)
}

// peel takes lines away that end where none begins.
func peel(lines []Line, ends func(Line) (from, to string)) []Line {
	begin, end := map[string]int{}, map[string][]int{}
	for i, l := range lines {
		from, to := ends(l)
		begin[from]++
		end[to] = append(end[to], i)
	}
	var free []string
	for p := range end {
		if begin[p] == 0 {
			free = append(free, p)
		}
	}
	gone := make([]bool, len(lines))
	for len(free) > 0 {
		p := free[len(free)-1]
		free = free[:len(free)-1]
		for _, i := range end[p] {
			gone[i] = true
			from, _ := ends(lines[i])
			if begin[from]--; begin[from] == 0 {
				free = append(free, from)
			}
		}
	}
	var left []Line
	for i, l := range lines {
		if !gone[i] {
			left = append(left, l)
		}
	}
	return left
}

// walk goes up tangled lines until it meets somebody again, and returns that circle.
func walk(lines []Line) []string {
	up := map[string]string{}
	for _, l := range lines {
		if have, ok := up[l.Person]; !ok || l.Manager < have {
			up[l.Person] = l.Manager
		}
	}
	at := map[string]int{}
	var path []string
	for p := lines[0].Person; ; p = up[p] {
		if i, ok := at[p]; ok {
			return path[i:]
		}
		at[p], path = len(path), append(path, p)
	}
}

// reporting is lines that count, both ways.
type reporting struct{ up, down map[string][]string }

func newReporting(lines []Line, first, last time.Time) reporting {
	r := reporting{map[string][]string{}, map[string][]string{}}
	for _, l := range lines {
		if within(l.From, l.Until, first, last) {
			r.up[l.Person] = append(r.up[l.Person], l.Manager)
			r.down[l.Manager] = append(r.down[l.Manager], l.Person)
		}
	}
	return r
}

// related returns who is above or below somebody within so many levels; 0: all.
func (r reporting) related(person string, levels int) map[string]bool {
	found := map[string]bool{}
	for _, lines := range []map[string][]string{r.up, r.down} {
		seen, next := map[string]bool{person: true}, []string{person}
		for level := 0; len(next) > 0 && (levels == 0 || level < levels); level++ {
			var now []string
			now, next = next, nil
			for _, p := range now {
				for _, q := range lines[p] {
					if !seen[q] {
						seen[q], found[q] = true, true
						next = append(next, q)
					}
				}
			}
		}
	}
	return found
}
