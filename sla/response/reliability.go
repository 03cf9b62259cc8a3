package response

import (
	"slices"
	"time"
)

// hundredYears is how long a period of [Reliable] may be.
const hundredYears = 36525 * 24 * time.Hour

// Reliability is how a system ran between failures.
type Reliability struct {
	Failures int   `json:"failures"` // that began in the period
	Up       int64 `json:"up"`       // for how long no failure lasted, in milliseconds, rounded down
	Down     int64 `json:"down"`     // for how long one did, overlapping ones once, rounded up
	// MTBF is the mean time between failures: how long it ran for each. Without failures it is at least as long as it ran.
	MTBF Bounds `json:"mtbf"`
}

// Reliable reckons the mean time between failures of one system from one moment until before another, as far as it was
// known at a third: the time in which no failure lasted, over the number of failures that began. Every incident that is
// passed is a failure from Occurred to Restored; one that began before the period counts for its time, not its number. The
// error wraps [opsec.ErrInvalid]: an incident is not valid, an id stands for two, or the period is empty or to come.
func Reliable(incidents []Incident, from, to, asOf time.Time) (Reliability, error) {
	if asOf.Before(to) {
		to = asOf
	}
	if !from.Before(to) || to.Sub(from) > hundredYears {
		return Reliability{}, fault("period", "empty, to come, or more than 100 years")
	}
	incidents, err := unique(incidents)
	if err != nil {
		return Reliability{}, err
	}
	slices.SortFunc(incidents, func(a, b Incident) int { return a.Occurred.Compare(b.Occurred) })
	var r Reliability
	var down time.Duration
	until := from // when all that was looked at had ended
	for _, i := range incidents {
		if !i.Occurred.Before(to) {
			break
		}
		if !i.Occurred.Before(from) {
			r.Failures++
		}
		start, end := i.Occurred, i.Restored
		if end.IsZero() || end.After(to) {
			end = to
		}
		if start.Before(until) {
			start = until
		}
		if start.Before(end) {
			down += end.Sub(start)
			until = end
		}
	}
	ran := to.Sub(from) - down
	r.Up, r.Down = ran.Milliseconds(), up(down)
	if r.Failures == 0 {
		r.MTBF = Bounds{Low: r.Up, Unbounded: true}
	} else {
		r.MTBF = sum{lo: uint64(ran)}.mean(uint64(r.Failures), false)
	}
	return r, nil
}
