package programme

import (
	"errors"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme/competence"
	"github.com/cloudopsec/opsec/audit/programme/independence"
)

// Policy is how a provider audits itself: data, strict when zero.
type Policy struct {
	Independence independence.Policy          `json:"independence"`
	Functions    []Function                   `json:"functions,omitempty"`     // that a team must have; none: all three
	Categories   []string                     `json:"categories,omitempty"`    // that an audit covers or waives; none: the six of 8.11.2
	Competence   map[string][]competence.Need `json:"competence,omitempty"`    // what a member needs to audit a category
	Due          map[opsec.Severity]Days      `json:"due,omitempty"`           // the longest time to mend a finding of that risk
	LongestGrant Days                         `json:"longest_grant,omitempty"` // of a tool; 0: 14 days
	LongestRisk  Days                         `json:"longest_risk,omitempty"`  // that a risk may be accepted; 0: 365 days
}

// Days is a time in days of 24 hours.
type Days int

// MaxAudit is how long an audit may be as JSON, in bytes.
const MaxAudit = 900 << 10

// Apply takes a step: it returns the audit after it and the event that records it, or an error and the audit as it was.
// It is pure, and shares no memory with a that a step changes.
func (p Policy) Apply(a Audit, s Step, by By) (Audit, opsec.Event, error) {
	return a, opsec.Event{}, errors.ErrUnsupported
}

// Open returns a new audit.
func (p Policy) Open(id string, plan Plan, by By) (Audit, opsec.Event, error) {
	return Audit{}, opsec.Event{}, errors.ErrUnsupported
}

// Overdue returns the actions that should be completed or verified by now, and the accepted risks whose time is over.
func (a Audit) Overdue(now time.Time) []Action { return nil }

// Escalate returns the risk of a finding that so many audits in a row had before.
func Escalate(risk opsec.Severity, repeats int) opsec.Severity { return risk }
