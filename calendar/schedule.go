package calendar

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
)

// Schedule is a set of maintenance and freeze windows. It does not change, and may be used by many goroutines.
type Schedule struct{ windows []*window }

// NewSchedule returns the schedule of up to 1,000 windows. The error wraps [opsec.ErrInvalid].
func NewSchedule(windows []Window) (*Schedule, error) {
	list, err := compileAll(windows)
	if err != nil {
		return nil, err
	}
	return &Schedule{list}, nil
}

// Occurrences yields the times of the windows that overlap the time from a to b, ordered by their starts; those that
// start together, in the order of the windows.
func (s *Schedule) Occurrences(a, b time.Time) iter.Seq[Occurrence] {
	return func(yield func(Occurrence) bool) {
		from, to := second(a), second(b)
		if b.Nanosecond() > 0 {
			to++
		}
		var cursors []*cursor
		var heads []Occurrence
		for _, w := range s.windows {
			c := w.walk(from, to)
			if o, ok := c.next(); ok {
				cursors, heads = append(cursors, c), append(heads, o)
			}
		}
		for len(heads) > 0 {
			first := 0
			for i := range heads {
				if heads[i].Start.Before(heads[first].Start) {
					first = i
				}
			}
			if !yield(heads[first]) {
				return
			}
			o, ok := cursors[first].next()
			heads[first] = o
			if !ok {
				cursors = append(cursors[:first], cursors[first+1:]...)
				heads = append(heads[:first], heads[first+1:]...)
			}
		}
	}
}

// At returns the windows that are open at t, ordered by their starts.
func (s *Schedule) At(t time.Time) (open []Occurrence) {
	for o := range s.Occurrences(t, t.Truncate(time.Second).Add(time.Second)) {
		open = append(open, o)
	}
	return open
}

// Next returns the first time of a window of this kind that starts at or after t, or [ErrHorizon].
func (s *Schedule) Next(t time.Time, kind Kind) (Occurrence, error) {
	for o := range s.Occurrences(t, t.AddDate(10, 0, 0)) {
		if o.Kind == kind && !o.Start.Before(t) {
			return o, nil
		}
	}
	return Occurrence{}, fmt.Errorf("%w: %s after %s", ErrHorizon, kind, t.Format(time.RFC3339))
}

// RefusedError says why a change may not run at a time. It wraps [opsec.ErrDenied].
type RefusedError struct {
	Start, End time.Time    // of the change
	Freezes    []Occurrence // that it would touch
	Outside    time.Time    // the first moment of it in no maintenance window; zero if there is none
}

func (e *RefusedError) Error() string {
	var why []string
	for _, f := range e.Freezes {
		why = append(why, fmt.Sprintf("freeze %q until %s", f.Name, f.End.Format(time.RFC3339)))
	}
	if !e.Outside.IsZero() {
		why = append(why, "no maintenance window at "+e.Outside.Format(time.RFC3339))
	}
	return fmt.Sprintf("calendar: change from %s to %s: %s: %v",
		e.Start.Format(time.RFC3339), e.End.Format(time.RFC3339), strings.Join(why, ", "), opsec.ErrDenied)
}

// Unwrap returns [opsec.ErrDenied].
func (e *RefusedError) Unwrap() error { return opsec.ErrDenied }

// Check returns nil if a change may run from start for d of elapsed time: every moment of it lies in a maintenance
// window, one or several that follow each other, and none in a freeze. Otherwise the error is a [*RefusedError]; a d
// that is not above 0 and at most a year wraps [opsec.ErrInvalid].
//
// Who works with freezes alone has a maintenance window of every day, from 00:00 to 24:00.
func (s *Schedule) Check(start time.Time, d time.Duration) error {
	if err := checkLength(d); err != nil {
		return err
	}
	e := &RefusedError{Start: start, End: start.Add(d)}
	covered := start
	for o := range s.Occurrences(start, e.End) {
		switch {
		case o.Kind == Freeze:
			e.Freezes = append(e.Freezes, o)
		case !o.Start.After(covered) && o.End.After(covered):
			covered = o.End
		}
	}
	if covered.Before(e.End) {
		e.Outside = covered
	}
	if len(e.Freezes) == 0 && e.Outside.IsZero() {
		return nil
	}
	return e
}

func checkLength(d time.Duration) error {
	if d <= 0 || d > 366*24*time.Hour {
		return invalid("length of the change is %v, want above 0 and at most 366 days", d)
	}
	return nil
}

// Slot is a time for a change.
type Slot struct {
	Start, End time.Time
	// Within are the maintenance windows that the slot touches.
	Within []Occurrence
	// Freezes are those that took maintenance time away before the slot: why it is not earlier.
	Freezes []Occurrence
}

// Earliest returns the first slot from t on in which a change may run for d of elapsed time, by the rules of
// [Schedule.Check]. If there is none within ten years, the error is [ErrHorizon].
func (s *Schedule) Earliest(t time.Time, d time.Duration) (Slot, error) {
	if err := checkLength(d); err != nil {
		return Slot{}, err
	}
	// The candidate is the time from at to until, all of it maintenance; it grows, and freezes cut into it. Since
	// windows come by their starts, it stands when the next one starts after its end.
	at, until, thawed := t, t, t // what lies before thawed is past or frozen
	var maintenance, freezes []Occurrence
	for o := range s.Occurrences(t, t.AddDate(10, 0, 0)) {
		end := at.Add(d)
		if !o.Start.Before(end) && !until.Before(end) {
			break
		}
		switch {
		case o.Kind == Freeze:
			freezes = append(freezes, o)
			thawed = later(thawed, o.End)
			at = later(at, o.End)
		case o.Start.After(until):
			at, until = later(o.Start, thawed), o.End
			maintenance = append(maintenance, o)
		default:
			until = later(until, o.End)
			maintenance = append(maintenance, o)
		}
	}
	end := at.Add(d)
	if until.Before(end) {
		return Slot{}, fmt.Errorf("%w: %v for a change after %s", ErrHorizon, d, t.Format(time.RFC3339))
	}
	slot := Slot{Start: at.In(t.Location()), End: end.In(t.Location())}
	for _, m := range maintenance {
		if m.Start.Before(end) && m.End.After(at) {
			slot.Within = append(slot.Within, m)
		}
	}
	for _, f := range freezes {
		if slices.ContainsFunc(maintenance, func(m Occurrence) bool { return m.Start.Before(f.End) && m.End.After(f.Start) }) {
			slot.Freezes = append(slot.Freezes, f)
		}
	}
	return slot, nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
