package response

import (
	"fmt"
	"time"

	"github.com/cloudopsec/opsec"
)

// Incident is a fault or a security event, with the moments that are known. A zero time has not come yet. One that comes again
// after it had ended is another incident, or the same with the last of its ends: an id stands for one.
type Incident struct {
	ID       string         `json:"id"`
	Service  string         `json:"service,omitempty"`
	Severity opsec.Severity `json:"severity,omitempty"`
	Security bool           `json:"security,omitempty"` // a security event, of which customers are told
	Occurred time.Time      `json:"occurred"`           // when it began
	Reported time.Time      `json:"reported,omitzero"`  // to the hotline, or detected
	Accepted time.Time      `json:"accepted,omitzero"`  // by somebody who works on it
	Notified time.Time      `json:"notified,omitzero"`  // the customer was told
	Restored time.Time      `json:"restored,omitzero"`  // the service works, or the data is back
	Resolved time.Time      `json:"resolved,omitzero"`  // its cause is found and gone
}

// Measure names a span of an incident.
type Measure string

// The measures.
const (
	Acceptance      Measure = "acceptance"      // Reported to Accepted: failure acceptance time; its mean is MTTA
	Troubleshooting Measure = "troubleshooting" // Accepted to Resolved
	Recovery        Measure = "recovery"        // Occurred to Restored; its mean is MTTR
	Notification    Measure = "notification"    // Occurred to Notified, of security events
)

// Span returns the moments at which a measure of the incident begins and ends. They are zero if they have not come, or if
// the measure is not one of the incident's.
func (i Incident) Span(m Measure) (start, end time.Time) {
	switch m {
	case Acceptance:
		return i.Reported, i.Accepted
	case Troubleshooting:
		return i.Accepted, i.Resolved
	case Recovery:
		return i.Occurred, i.Restored
	case Notification:
		if i.Security {
			return i.Occurred, i.Notified
		}
	}
	return time.Time{}, time.Time{}
}

// Validate returns a [*Fault] if the incident has no id or no begin, its severity is unknown, a moment is not in the years
// 1970 to 9999, or one comes before another that it must follow: none is before Occurred, nor acceptance before the report or
// without one, nor the end of troubleshooting before acceptance.
func (i Incident) Validate() error {
	if i.ID == "" || len(i.ID) > 200 {
		return fault("incident", "id %.40q: want 1 to 200 bytes", i.ID)
	}
	path := fmt.Sprintf("incident %q", i.ID)
	if i.Severity != "" && i.Severity.Rank() == 0 {
		return fault(path, "severity %.20q is unknown", i.Severity)
	}
	if i.Occurred.IsZero() {
		return fault(path, "occurred: missing")
	}
	for _, m := range []struct {
		name, after string
		t, from     time.Time
	}{
		{"occurred", "", i.Occurred, i.Occurred},
		{"reported", "occurred", i.Reported, i.Occurred},
		{"notified", "occurred", i.Notified, i.Occurred},
		{"restored", "occurred", i.Restored, i.Occurred},
		{"resolved", "occurred", i.Resolved, i.Occurred},
		{"accepted", "reported", i.Accepted, i.Reported},
		{"resolved", "accepted", i.Resolved, i.Accepted},
	} {
		if m.t.IsZero() {
			continue
		}
		if y := m.t.UTC().Year(); y < 1970 || y > 9999 {
			return fault(path, "%s: not in the years 1970 to 9999", m.name)
		}
		if m.t.Before(m.from) {
			return fault(path, "%s before it %s", m.name, map[string]string{"occurred": "occurred", "reported": "was reported", "accepted": "was accepted"}[m.after])
		}
	}
	if i.Reported.IsZero() && !i.Accepted.IsZero() {
		return fault(path, "accepted, and never reported: how long acceptance took cannot be told")
	}
	return nil
}
