package response

import (
	"errors"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/calendar"
	"github.com/cloudopsec/opsec/internal/strictjson"
	"github.com/cloudopsec/opsec/sla/ratio"
)

// Duration is a [time.Duration] that stands in JSON and YAML as a text such as "30m".
type Duration = strictjson.Duration

// Target is a promise about a measure.
type Target struct {
	ID       string           `json:"id"`                 // unique in an agreement
	Measure  Measure          `json:"measure"`            //
	Severity opsec.Severity   `json:"severity,omitempty"` // empty: all
	Mean     Duration         `json:"mean,omitempty"`     // the mean is at most this; 0: not promised
	Each     Duration         `json:"each,omitempty"`     // each is at most this, or the share of Share; 0: not promised
	Share    string           `json:"share,omitempty"`    // ratio of incidents within Each, such as "95%"; empty: all
	Hours    *calendar.Policy `json:"hours,omitempty"`    // time counts on these service hours; nil: always
}

// Validate returns nil, or a [*Fault] for each thing that is wrong, joined. It loads the zone of the hours.
func (t Target) Validate() error {
	var errs []error
	check := func(ok bool, path, form string, args ...any) {
		if !ok {
			errs = append(errs, fault(path, form, args...))
		}
	}
	check(t.ID != "" && len(t.ID) <= 200, "id", "want 1 to 200 bytes")
	switch t.Measure {
	case Acceptance, Troubleshooting, Recovery, Notification:
	default:
		check(false, "measure", "%.20q is none of acceptance, troubleshooting, recovery and notification", t.Measure)
	}
	check(t.Severity == "" || t.Severity.Rank() > 0, "severity", "%.20q is unknown", t.Severity)
	check(t.Mean >= 0, "mean", "negative")
	check(t.Each >= 0, "each", "negative")
	check(t.Mean != 0 || t.Each != 0, "mean", "neither mean nor each is promised: nothing can be measured")
	if t.Share != "" {
		check(t.Each != 0, "share", "of what? each is not promised")
		if _, err := t.share(); err != nil {
			check(false, "share", "%v", err)
		}
	}
	if t.Hours != nil {
		if err := t.Hours.Validate(); err != nil {
			check(false, "hours", "%v", err)
		}
	}
	return errors.Join(errs...)
}

// share returns the ratio of incidents that must be within Each.
func (t Target) share() (ratio.Ratio, error) {
	if t.Share == "" {
		return ratio.One(), nil
	}
	share, err := ratio.Parse(t.Share)
	if err == nil && (share.Num() == 0 || share.Num() > share.Den()) {
		err = errors.New("want more than 0 and at most 100%")
	}
	return share, err
}

// Clock counts time as a target does. It does not change, and may be used by many goroutines.
type Clock struct {
	target Target
	share  ratio.Ratio
	cal    *calendar.Calendar // nil: all time
}

// NewClock returns the clock of a target. Holidays may come from elsewhere too, as with [calendar.New]. The error is that of
// [Target.Validate].
func NewClock(t Target, holidays ...calendar.Holidays) (*Clock, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	c := &Clock{target: t}
	c.share, _ = t.share()
	if t.Hours != nil {
		cal, err := calendar.New(*t.Hours, holidays...)
		if err != nil {
			return nil, fault("hours", "%v", err)
		}
		c.cal = cal
	}
	return c, nil
}

// Between returns the time that counts from one moment to another.
func (c *Clock) Between(start, end time.Time) time.Duration {
	if c.cal != nil {
		return c.cal.Between(start, end)
	}
	return end.Sub(start)
}

// Took returns how long an incident took by the target's measure, and whether it was still open at a moment: then it took
// so long at least. What came after the moment is not known there. It does not count (counts is false) if the measure had
// not begun, is not one of the incident's, or the target is for another severity.
func (c *Clock) Took(i Incident, asOf time.Time) (took time.Duration, open, counts bool) {
	start, end := i.Span(c.target.Measure)
	if start.IsZero() || start.After(asOf) || c.target.Severity != "" && c.target.Severity != i.Severity {
		return 0, false, false
	}
	if open = end.IsZero() || end.After(asOf); open {
		end = asOf
	}
	return c.Between(start, end), open, true
}

// Due returns the first moment at which Each has passed: an incident that ends until then is in time, and one that ends later
// is not, unless no time has counted in between, as in the night after a Due at the close of business. It is zero if the
// measure has not begun, is not one of the incident's, or is not promised of each. The error is that of
// [calendar.Calendar.Add].
func (c *Clock) Due(i Incident) (time.Time, error) {
	start, _ := i.Span(c.target.Measure)
	if start.IsZero() || c.target.Each == 0 || c.target.Severity != "" && c.target.Severity != i.Severity {
		return time.Time{}, nil
	}
	if c.cal != nil {
		return c.cal.Add(start, time.Duration(c.target.Each))
	}
	return start.Add(time.Duration(c.target.Each)), nil
}
