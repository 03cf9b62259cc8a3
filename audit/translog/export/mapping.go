package export

import (
	"slices"
	"strings"

	"github.com/cloudopsec/opsec"
)

// Class is the class_uid of an event class of OCSF.
type Class int

// The classes of OCSF 1.8.0 that a [Rule] can choose, and what an event needs for them. An event that lacks it becomes
// an [APIActivity], which needs nothing.
const (
	ComplianceFinding Class = 2003
	DetectionFinding  Class = 2004
	AccountChange     Class = 3001 // Resource.ID: the account changed
	Authentication    Class = 3002 // Actor.Account or Actor.Person, and System
	AuthorizeSession  Class = 3003 // Actor.Account or Actor.Person or Resource.ID, and Granted or Cancelled
	EntityManagement  Class = 3004 // Resource.ID
	APIActivity       Class = 6003
)

// other is the activity_id of what a class has no id for; its name is the event's action.
const other = 99

// Rule gives the events that it fits a class and an activity of OCSF, and a severity there and in syslog.
type Rule struct {
	// What it fits; an empty field fits all.
	Action   string         `json:"action,omitempty"`   // "backup.verify"; or its beginning, "backup.*"; or its end, "*.delete"
	Category opsec.Category `json:"category,omitempty"` // of the event
	Outcome  opsec.Outcome  `json:"outcome,omitempty"`  // of the event
	Ending   bool           `json:"ending,omitempty"`   // only an event with Began, such as a log-out

	Class    Class          `json:"class"`              // class_uid
	Activity int            `json:"activity"`           // activity_id: one of the class, or 99 for other
	Severity opsec.Severity `json:"severity,omitempty"` // empty: info; low for a failure; medium if denied or unknown
}

// Mapping is a list of rules. The first that fits an event decides; an event that none fits is an [APIActivity].
type Mapping []Rule

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first rule that is wrong.
func (m Mapping) Validate() error {
	for i, r := range m {
		names := activities(r.Class)
		word := strings.TrimSuffix(r.Action, ".*")
		if word == r.Action {
			word = strings.TrimPrefix(r.Action, "*.")
		}
		switch {
		case strings.Contains(word, "*") || r.Action != "" && word == "" || !printable(word):
			return invalid("mapping[%d]: action: want words joined by dots, with .* after or *. before", i)
		case !slices.Contains([]opsec.Category{"", opsec.Authentication, opsec.Authorization}, r.Category):
			return invalid("mapping[%d]: category: unknown", i)
		case !slices.Contains([]opsec.Outcome{"", opsec.Success, opsec.Failure, opsec.Denied, opsec.Pending, opsec.Unknown}, r.Outcome):
			return invalid("mapping[%d]: outcome: unknown", i)
		case names == nil:
			return invalid("mapping[%d]: class %d: not one that can be written", i, r.Class)
		case r.Activity != other && (r.Activity < 1 || r.Activity > len(names)):
			return invalid("mapping[%d]: activity %d: want 1 to %d, or 99", i, r.Activity, len(names))
		case r.Severity != "" && r.Severity.Rank() == 0:
			return invalid("mapping[%d]: severity: unknown", i)
		}
	}
	return nil
}

func (r *Rule) fits(e *opsec.Event) bool {
	if r.Category != "" && r.Category != e.Category || r.Outcome != "" && r.Outcome != e.Outcome ||
		r.Ending && e.Began.IsZero() {
		return false
	}
	if start, ok := strings.CutSuffix(r.Action, "*"); ok {
		return strings.HasPrefix(e.Action, start)
	}
	if end, ok := strings.CutPrefix(r.Action, "*"); ok {
		return strings.HasSuffix(e.Action, end)
	}
	return r.Action == "" || r.Action == e.Action
}

// of returns the rule for e, with its severity, and a class for which e has all that is needed.
func (m Mapping) of(e *opsec.Event) Rule {
	found := Rule{Class: APIActivity, Activity: other}
	if i := slices.IndexFunc(m, func(r Rule) bool { return r.fits(e) }); i >= 0 {
		found = m[i]
	}
	if found.Severity == "" {
		switch e.Outcome {
		case opsec.Success, opsec.Pending:
			found.Severity = opsec.SeverityInfo
		case opsec.Failure:
			found.Severity = opsec.SeverityLow
		default:
			found.Severity = opsec.SeverityMedium
		}
	}
	actor := e.Actor.Account != "" || e.Actor.Person != ""
	ok := true
	switch found.Class {
	case AccountChange, EntityManagement:
		ok = e.Resource.ID != ""
	case Authentication:
		ok = actor && e.System != ""
	case AuthorizeSession:
		ok = (actor || e.Resource.ID != "") && len(e.Granted)+len(e.Cancelled) > 0
	}
	if !ok {
		found.Class, found.Activity = APIActivity, other
	}
	return found
}

// DefaultMapping returns the rules for the events of this SDK and, by the last word of their action, for others.
func DefaultMapping() Mapping {
	const create, read, update, remove = 1, 2, 3, 4 // of APIActivity and EntityManagement
	return Mapping{
		{Category: opsec.Authentication, Ending: true, Class: Authentication, Activity: 2},
		{Category: opsec.Authentication, Class: Authentication, Activity: 1},
		{Category: opsec.Authorization, Class: AuthorizeSession, Activity: 1},

		{Action: "audit.gap", Class: DetectionFinding, Activity: 1, Severity: opsec.SeverityHigh},
		{Action: "audit.file_replaced", Class: DetectionFinding, Activity: 1, Severity: opsec.SeverityHigh},
		{Action: "audit.file_repaired", Class: DetectionFinding, Activity: 1, Severity: opsec.SeverityMedium},
		{Action: "audit.*", Class: DetectionFinding, Activity: 1},

		{Action: "backup.verify", Outcome: opsec.Success, Class: ComplianceFinding, Activity: 1},
		{Action: "backup.verify", Class: ComplianceFinding, Activity: 1, Severity: opsec.SeverityHigh},
		{Action: "backup.build", Class: EntityManagement, Activity: create},

		{Action: "approval.request", Class: EntityManagement, Activity: create},
		{Action: "approval.withdraw", Class: EntityManagement, Activity: 11}, // deactivate
		{Action: "approval.expire", Class: EntityManagement, Activity: 11},
		{Action: "approval.*", Class: EntityManagement, Activity: update},

		{Action: "identity.register", Class: AccountChange, Activity: 1},
		{Action: "identity.enable", Class: AccountChange, Activity: 2},
		{Action: "identity.disable", Class: AccountChange, Activity: 5},
		{Action: "identity.delete", Class: AccountChange, Activity: 6},
		{Action: "identity.lock", Class: AccountChange, Activity: 9},
		{Action: "identity.unlock", Class: AccountChange, Activity: 12},

		{Action: "*.create", Class: APIActivity, Activity: create},
		{Action: "*.read", Class: APIActivity, Activity: read},
		{Action: "*.list", Class: APIActivity, Activity: read},
		{Action: "*.update", Class: APIActivity, Activity: update},
		{Action: "*.delete", Class: APIActivity, Activity: remove},
		{Action: "*.destroy", Class: APIActivity, Activity: remove},
	}
}

// activities returns the names that a class gives its activities, from activity_id 1; nil for an unknown class.
func activities(c Class) []string {
	switch c {
	case ComplianceFinding, DetectionFinding:
		return []string{"Create", "Update", "Close"}
	case AccountChange:
		return []string{"Create", "Enable", "Password Change", "Password Reset", "Disable", "Delete", "Attach Policy",
			"Detach Policy", "Lock", "MFA Factor Enable", "MFA Factor Disable", "Unlock"}
	case Authentication:
		return []string{"Logon", "Logoff", "Authentication Ticket", "Service Ticket Request", "Service Ticket Renew",
			"Preauth", "Account Switch"}
	case AuthorizeSession:
		return []string{"Assign Privileges", "Assign Groups"}
	case EntityManagement:
		return []string{"Create", "Read", "Update", "Delete", "Move", "Enroll", "Unenroll", "Enable", "Disable",
			"Activate", "Deactivate", "Suspend", "Resume"}
	case APIActivity:
		return []string{"Create", "Read", "Update", "Delete"}
	}
	return nil
}

// className is the class's name in OCSF.
func className(c Class) string {
	switch c {
	case ComplianceFinding:
		return "Compliance Finding"
	case DetectionFinding:
		return "Detection Finding"
	case AccountChange:
		return "Account Change"
	case Authentication:
		return "Authentication"
	case AuthorizeSession:
		return "Authorize Session"
	case EntityManagement:
		return "Entity Management"
	}
	return "API Activity"
}
