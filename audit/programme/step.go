package programme

import (
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme/independence"
	"github.com/cloudopsec/opsec/audit/programme/sample"
)

// Step is something that is done in an audit: [Assign], [Release], [Fix] and so on.
type Step interface {
	apply(p *Policy, a *Audit, by By) error
	action() string // the event's
	what() string   // what of the audit it is about
}

// By is who takes a step, and when.
type By struct {
	Actor opsec.Actor
	Time  time.Time
	Event opsec.ID // of the record to be
}

// The steps.
type (
	// Assign puts somebody on the team, who must be cleared and competent. It may be taken until fieldwork ends.
	Assign struct {
		Member    Member
		Clearance independence.Clearance // over the plan's scope and the policy's look-back
		Qualified []string               // records of competence for every category of the member
	}
	// Dismiss takes somebody off the team.
	Dismiss struct{ Person, Reason string }
	// Revise replaces the plan, before it is released.
	Revise struct{ Plan Plan }
	// Guarantee says that a resource will be there.
	Guarantee struct{ Resource string }
	// Waive leaves a category out. By senior management.
	Waive struct{ Category, Reason string }
	// Release approves plan and team: by senior management that does not lead the audit.
	Release struct{}
	// Fix freezes the scope with the populations of all procedures. Again, with a reason, until samples are drawn.
	Fix struct {
		Frames    []sample.Commitment
		NotBefore time.Time // of the checkpoint that decides
		Reason    string    // when it is not the first
	}
	// Seed draws all samples by a checkpoint that came after the freeze. There is one draw for a freeze.
	Seed struct {
		Anchor     sample.Anchor
		Checkpoint []byte
	}
	// Perform records results.
	Perform struct{ Results []Result }
	// Raise records a finding.
	Raise struct {
		Finding  Finding
		Previous *Finding // the same one in the audit that this one follows
	}
	// Agree records what will be done about a finding.
	Agree struct{ Action Action }
	// Complete says that an action is done: by its owner.
	Complete struct {
		Action   string
		Evidence []Evidence
	}
	// Verify says whether an action is done indeed: by a member who does not own it.
	Verify struct {
		Action string
		Done   bool
		Reason string // when not
	}
	// Accept bears a risk for a time: by senior management.
	Accept struct {
		Finding string
		Acceptance
	}
	// Lend grants the use of a tool: by the lead.
	Lend struct{ Grant Grant }
	// Use counts one use of a tool, before it is used.
	Use struct {
		Grant  string
		Target opsec.Resource
		Writes bool
	}
	// Recall ends a grant.
	Recall struct{ Grant, Reason string }
	// Issue reports the results, when every procedure has them all.
	Issue struct{}
	// Close ends the follow-up.
	Close struct{}
	// Cancel ends the audit before its time: by senior management.
	Cancel struct{ Reason string }
)
