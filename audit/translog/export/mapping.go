package export

import "github.com/cloudopsec/opsec"

// Class is the class_uid of an OCSF event class.
type Class int

// The classes of OCSF 1.8.0 that a [Rule] can choose.
const (
	AccountChange     Class = 3001
	Authentication    Class = 3002
	AuthorizeSession  Class = 3003
	EntityManagement  Class = 3004
	ComplianceFinding Class = 2003
	DetectionFinding  Class = 2004
	APIActivity       Class = 6003
)

// Rule says what class the events of some actions have in OCSF.
type Rule struct {
	Action   string         `json:"action,omitempty"`   // "backup.verify", or "backup.*", or "*.delete"; empty: any
	Category opsec.Category `json:"category,omitempty"` // empty: any
	Class    Class          `json:"class"`              // class_uid
	Activity int            `json:"activity"`           // activity_id, of the class's own list, or 99, other
	Severity opsec.Severity `json:"severity,omitempty"` // empty: by class and outcome
}

// Mapping is a list of rules. The first that fits an event decides.
type Mapping []Rule

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first rule that is wrong.
func (m Mapping) Validate() error { return nil }

// DefaultMapping returns the rules for the events of this SDK.
func DefaultMapping() Mapping { return nil }
