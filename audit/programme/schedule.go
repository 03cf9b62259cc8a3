package programme

import (
	"cmp"
	"slices"
	"time"
)

// Series is an audit that is repeated (8.11.1-1): every so many months from its first day, or at least.
type Series struct {
	ID     string    `json:"id"`
	Title  string    `json:"title"`
	Months int       `json:"months"`         // from 1 to 60
	First  time.Time `json:"first"`          // when the first turn is due; months are counted from it
	Zone   string    `json:"zone,omitempty"` // IANA name of the zone that days are counted in; none: UTC
	Lead   Days      `json:"lead"`           // how long before it is due the plan should be there; less than the months
}

// Turn is one occurrence of a series.
type Turn struct {
	Number int       `json:"number"`          // from 0
	Due    time.Time `json:"due"`             // when its results should be reported
	Audit  string    `json:"audit,omitempty"` // the one that serves it: its plan names series and turn
	State  TurnState `json:"state"`
}

// TurnState is how a turn stands.
type TurnState string

// The states of a turn.
const (
	Upcoming TurnState = "upcoming"
	ToPlan   TurnState = "to plan" // within the lead, and no audit is planned
	Running  TurnState = "running"
	Missed   TurnState = "missed" // due, and not reported
	Done     TurnState = "done"   // reported, be it late
)

const (
	maxMonths = 60
	maxTurns  = 4096
)

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first field out of bounds.
func (s Series) Validate() error {
	if err := first(
		checkID("series: id", s.ID), checkText("series: title", s.Title, 1, maxName), checkTime("series: first", s.First),
	); err != nil {
		return err
	}
	if s.Months < 1 || s.Months > maxMonths {
		return invalid("series: %d months, want 1 to %d", s.Months, maxMonths)
	}
	if s.Lead < 0 || int(s.Lead) >= 28*s.Months {
		return invalid("series: lead of %d days, want 0 to %d", s.Lead, 28*s.Months-1)
	}
	_, err := s.zone()
	return err
}

func (s Series) zone() (*time.Location, error) {
	if s.Zone == "Local" {
		return nil, invalid("series: zone: want an IANA name")
	}
	zone, err := time.LoadLocation(s.Zone)
	if err != nil {
		return nil, invalid("series: zone: want an IANA name that is known here")
	}
	return zone, nil
}

// Due returns when a turn is due, counted from 0: so many months after the first, on the same day, or the month's last where
// there is no such day; at the same time of day: the first time that clocks show it, or as much later as they skip.
func (s Series) Due(turn int) (time.Time, error) {
	if err := s.Validate(); err != nil {
		return time.Time{}, err
	}
	if turn < 0 || turn >= maxTurns {
		return time.Time{}, invalid("series: turn %d, want 0 to %d", turn, maxTurns-1)
	}
	zone, _ := s.zone()
	return monthsAfter(s.First.In(zone), turn*s.Months), nil
}

// monthsAfter counts from the first day itself, so that the 31st comes back after a shorter month.
func monthsAfter(t time.Time, months int) time.Time {
	y, m, d := t.Date()
	last := time.Date(y, m+time.Month(months)+1, 0, 12, 0, 0, 0, time.UTC)
	h, mi, sec := t.Clock()
	local := time.Date(last.Year(), last.Month(), min(d, last.Day()), h, mi, sec, t.Nanosecond(), time.UTC)
	due := time.Date(last.Year(), last.Month(), local.Day(), h, mi, sec, t.Nanosecond(), t.Location())
	_, before := due.Add(-24 * time.Hour).Zone()
	first := local.Add(-time.Duration(before) * time.Second).In(t.Location()) // or later, when the clock skips it
	shows := func(t time.Time) bool { return t.Format(time.DateTime) == local.Format(time.DateTime) }
	if shows(due) && !shows(first) {
		return due
	}
	return first
}

// Turns returns the turns of the series up to the first that is upcoming, by the audits whose plans name it; others are
// left aside, and so are those that were cancelled. The error wraps [opsec.ErrInvalid].
func (s Series) Turns(audits []Audit, now time.Time) ([]Turn, error) {
	var turns []Turn
	for n := range maxTurns {
		due, err := s.Due(n)
		if err != nil {
			return nil, err
		}
		t := Turn{Number: n, Due: due, State: Upcoming}
		a := s.serving(audits, n)
		if a != nil {
			t.Audit, t.State = a.ID, Running
		}
		switch {
		case a != nil && (a.Stage == Reported || a.Stage == Closed):
			t.State = Done
		case !now.Before(due):
			t.State = Missed
		case a == nil && !now.Before(due.Add(-s.Lead.duration())):
			t.State = ToPlan
		}
		turns = append(turns, t)
		if t.State == Upcoming {
			return turns, nil
		}
	}
	return turns, nil
}

// serving returns the audit of a turn that has come furthest, or nil.
func (s Series) serving(audits []Audit, turn int) *Audit {
	var found *Audit
	for i := range audits {
		a := &audits[i]
		if a.Plan.Series != s.ID || a.Plan.Turn != turn || a.Stage == Cancelled {
			continue
		}
		if found == nil || cmp.Or(cmp.Compare(a.Stage.rank(), found.Stage.rank()), cmp.Compare(found.ID, a.ID)) > 0 {
			found = a
		}
	}
	return found
}

func (s Stage) rank() int {
	return slices.Index([]Stage{Planned, Approved, Frozen, Fieldwork, Reported, Closed, Cancelled}, s)
}
