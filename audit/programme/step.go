package programme

import (
	"slices"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme/competence"
	"github.com/cloudopsec/opsec/audit/programme/independence"
	"github.com/cloudopsec/opsec/audit/programme/sample"
)

// Step is something that is done in an audit: [Assign], [Release], [Fix] and so on.
type Step interface {
	apply(t *taking) error
	about() (action, what string) // the event's, and what of the audit is meant
}

// By is who takes a step, and when.
type By struct {
	Actor opsec.Actor // of the provider, with the person known
	Time  time.Time
	Event opsec.ID // of the record to be
}

func (b By) validate() error {
	return first(
		b.Event.Validate(), checkTime("time", b.Time),
		checkText("actor: account", b.Actor.Account, 0, maxName), checkText("actor: person", b.Actor.Person, 0, maxName),
		checkText("actor: session", b.Actor.Session, 0, maxName), checkText("actor: terminal", b.Actor.Terminal, 0, maxName),
	)
}

// The steps. Fields that the step itself finds out (when, by whom, how often) are not taken from what is given.
type (
	// Revise replaces the plan, before it is released. What was guaranteed stays so. With another scope, all members have
	// to be assigned anew: clearances are for a scope. A waiver of what is now covered falls.
	Revise struct{ Plan Plan }
	// Assign puts somebody on the team who is cleared and competent, or renews what the membership rests on. It may be
	// taken until the audit is closed.
	Assign struct {
		Member    Member
		Clearance independence.Clearance // of the plan's scope, by the policy's look-back, of the last 24 hours
		Records   []competence.Record    // what the member has shown; those that competence rests on are kept
	}
	// Dismiss takes somebody off the team, until fieldwork ends.
	Dismiss struct {
		Person, Reason string
		Successor      string // takes over the procedures: a member with their categories. Before the release there need be none.
	}
	// Guarantee says that a resource will be there.
	Guarantee struct{ Resource string }
	// Waive leaves a category out. By senior management.
	Waive struct{ Category, Reason string }
	// Release approves plan and team: by senior management that does not lead the audit, then or later.
	Release struct{}
	// Fix freezes the scope with the populations of all procedures: by the lead. Again, with a reason, until samples are
	// drawn.
	Fix struct {
		Frames    []sample.Commitment // one for each procedure; Sample is filled in
		NotBefore time.Time           // of the checkpoint that decides, in whole seconds; zero: at once
		NotAfter  time.Time           // zero: 24 hours later
		Reason    string              // when it is not the first
	}
	// Seed draws all samples by a checkpoint that came after the freeze. There is one draw.
	Seed struct {
		Anchor     sample.Anchor // of the event of the freeze
		Checkpoint []byte
		Verifier   sample.CheckpointVerifier
		Frames     []sample.Frame // the populations that were frozen
	}
	// Perform records results of items that were drawn: by the person of the procedure, or, when Automated, of what a
	// member had carried out. One that is there already is corrected, for a reason; History keeps it as it was.
	Perform struct {
		Results []Result
		Reason  string
	}
	// Raise records a finding: by the person of the procedure or the lead. Its items have failed; one without items states
	// its condition. The tenants of the items are added. What was found before weighs more, by a grade each time.
	Raise struct {
		Finding  Finding
		Previous *Finding // the one with the same subject in the audit that this one follows
	}
	// Agree records what will be done about a finding: by a member.
	Agree struct{ Action Action }
	// Complete says that an action is done: by its owner.
	Complete struct {
		Action   string
		Evidence []Evidence
	}
	// Verify says whether an action is done indeed: by a member who does not own it. When not, it is to be done again.
	Verify struct {
		Action string
		Done   bool
		Reason string // when not
	}
	// Accept bears a risk for a time: by senior management that owns no action about it.
	Accept struct {
		Finding string
		Acceptance
	}
	// Lend grants the use of a tool to a member: by the lead, and to the lead by senior management.
	Lend struct{ Grant Grant }
	// Use counts one use of a tool, before it is used: by whom it was lent to.
	Use struct {
		Grant     string
		Target    opsec.Resource
		Writes    bool
		Procedure string // whose check it is for, which must be the grant's tool; none: by hand
	}
	// Recall ends a grant: by the lead, by senior management or by whom it was lent to.
	Recall struct{ Grant, Reason string }
	// Issue reports the results, when every procedure has them all and every failure is in a finding: by the lead.
	Issue struct{}
	// Close ends the follow-up, when all actions of every finding are verified or its risk is accepted: by the lead. A risk
	// that is accepted can be accepted again, or mended, after that.
	Close struct{}
	// Cancel ends the audit before its time: by senior management.
	Cancel struct{ Reason string }
)

// open is the first step; see [Policy.Open].
type open struct{ plan Plan }

func (s open) about() (action, what string)      { return ActionOpen, s.plan.Title }
func (s Revise) about() (action, what string)    { return ActionRevise, s.Plan.Title }
func (s Assign) about() (action, what string)    { return ActionAssign, s.Member.Person }
func (s Dismiss) about() (action, what string)   { return ActionDismiss, s.Person }
func (s Guarantee) about() (action, what string) { return ActionGuarantee, s.Resource }
func (s Waive) about() (action, what string)     { return ActionWaive, s.Category }
func (Release) about() (action, what string)     { return ActionRelease, "" }
func (Fix) about() (action, what string)         { return ActionFreeze, "" }
func (Seed) about() (action, what string)        { return ActionDraw, "" }
func (s Raise) about() (action, what string)     { return ActionRaise, s.Finding.ID }
func (s Agree) about() (action, what string)     { return ActionAgree, s.Action.ID }
func (s Complete) about() (action, what string)  { return ActionComplete, s.Action }
func (s Verify) about() (action, what string)    { return ActionVerify, s.Action }
func (s Accept) about() (action, what string)    { return ActionAccept, s.Finding }
func (s Lend) about() (action, what string)      { return ActionLend, s.Grant.ID }
func (s Recall) about() (action, what string)    { return ActionRecall, s.Grant }
func (Issue) about() (action, what string)       { return ActionIssue, "" }
func (Close) about() (action, what string)       { return ActionClose, "" }
func (Cancel) about() (action, what string)      { return ActionCancel, "" }

func (s Perform) about() (action, what string) {
	var names []string
	for _, r := range s.Results {
		if !slices.Contains(names, r.Procedure) && len(names) < maxList {
			names = append(names, r.Procedure)
		}
	}
	return ActionPerform, strings.Join(names, " ")
}

func (s Use) about() (action, what string) {
	return ActionUse, s.Grant + " " + s.Target.Type + "/" + s.Target.ID
}

// plain reports whether a step is one of these, and nothing that merely embeds or points to one.
func plain(s Step) bool {
	switch s.(type) {
	case open, Revise, Assign, Dismiss, Guarantee, Waive, Release, Fix, Seed, Perform, Raise, Agree, Complete, Verify, Accept,
		Lend, Use, Recall, Issue, Close, Cancel:
		return true
	}
	return false
}
