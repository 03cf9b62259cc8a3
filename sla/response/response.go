// Package response reckons how fast faults are accepted, repaired and told of.
//
// # Recommendation
//
// ITU-T X.1642, clauses 7.2.2.1 (average recovery time), 7.2.2.3 (failure acceptance time, troubleshooting time, on the
// service hours of the hotline) and 7.2.2.6 (mean time from an event to notifying the customer).
package response

import (
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/calendar"
	"github.com/cloudopsec/opsec/internal/strictjson"
	"github.com/cloudopsec/opsec/sla/ratio"
)

// Duration is a [time.Duration] that stands in JSON and YAML as a text such as "30m".
type Duration = strictjson.Duration

// Incident is a fault or a security event, with the moments that are known. A zero time has not come yet.
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

// Summary is what a report says of a target. Incidents that are still open are censored: they took so long at least.
type Summary struct {
	Target    string           `json:"target"`              // id
	Incidents int              `json:"incidents"`           // that count
	Open      int              `json:"open"`                // of them, those that have not come to the end of the measure
	Mean      Bounds           `json:"mean"`                // High is 0 where an open one leaves it without bound
	Within    int              `json:"within,omitempty"`    // of those that ended, how many within Each
	Late      int              `json:"late,omitempty"`      // beyond Each, open ones among them
	Quantiles map[string]int64 `json:"quantiles,omitempty"` // "p50", "p90", "p95", "p99", "max": milliseconds, of those that ended
	Verdict   ratio.Verdict    `json:"verdict"`
}

// Bounds is two durations in milliseconds between which one lies.
type Bounds struct {
	Low  int64 `json:"low"`
	High int64 `json:"high,omitempty"`
}
