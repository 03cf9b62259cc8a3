package programme

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme/independence"
)

// The actions of the events that steps return, one each, and that a [Desk] asks its Authorizer for.
const (
	ActionOpen      = "programme.open"
	ActionRevise    = "programme.revise"
	ActionAssign    = "programme.assign"
	ActionDismiss   = "programme.dismiss"
	ActionGuarantee = "programme.guarantee"
	ActionWaive     = "programme.waive"
	ActionRelease   = "programme.release"
	ActionFreeze    = "programme.freeze"
	ActionDraw      = "programme.draw"
	ActionPerform   = "programme.perform"
	ActionRaise     = "programme.raise"
	ActionAgree     = "programme.agree"
	ActionComplete  = "programme.complete"
	ActionVerify    = "programme.verify"
	ActionAccept    = "programme.accept"
	ActionLend      = "programme.lend"
	ActionUse       = "programme.use"
	ActionRecall    = "programme.recall"
	ActionIssue     = "programme.issue"
	ActionClose     = "programme.close"
	ActionCancel    = "programme.cancel"
)

// ActionRead is what a [Desk] asks its Authorizer for when it shows an audit. It has no event.
const ActionRead = "programme.read"

// note adds attributes to the event: keys, and the value behind each.
func (t *taking) note(mark opsec.Sensitivity, pairs ...string) {
	for i := 0; i+1 < len(pairs); i += 2 {
		t.attrs = append(t.attrs, opsec.Attr{Key: pairs[i], Value: pairs[i+1], Mark: mark})
	}
}

// resource is an audit, to authorizers and in events.
func resource(id string) opsec.Resource {
	return opsec.Resource{Tenant: opsec.Provider, Type: "audit", ID: cut(id, maxID)}
}

// event tells of the step, or of the attempt.
func (t *taking) event(s Step, outcome opsec.Outcome) opsec.Event {
	action, what := s.about()
	e := opsec.Event{
		ID: t.by.Event, Time: t.by.Time, Tenant: opsec.Provider, Class: opsec.Critical, Action: action, Outcome: outcome,
		Actor: t.by.Actor, Resource: resource(t.ID), Reason: t.reason,
	}
	add := func(key, value string, mark opsec.Sensitivity) {
		if value != "" {
			e.Attrs = append(e.Attrs, opsec.Attr{Key: key, Value: value, Mark: mark})
		}
	}
	mark := opsec.Tenant
	if action == ActionAssign || action == ActionDismiss {
		mark = opsec.Personal
	}
	add("what", cut(what, maxItem), mark)
	for _, a := range t.attrs {
		add(a.Key, a.Value, a.Mark)
	}
	if outcome == opsec.Success {
		add("stage", string(t.Stage), opsec.Tenant)
		add("audit_digest", t.digest, opsec.Tenant)
	}
	return e
}

// refusal is an error as an event may have it: without persons.
func refusal(err error) string {
	if conflict, ok := errors.AsType[*independence.ConflictError](err); ok {
		var kinds []string
		for _, c := range conflict.Conflicts {
			if !slices.Contains(kinds, string(c.Kind)) {
				kinds = append(kinds, string(c.Kind))
			}
		}
		return "conflict of interest: " + strings.Join(kinds, ", ")
	}
	if who, ok := errors.AsType[*independence.UnattributedError](err); ok {
		return fmt.Sprintf("%d acts by nobody that could be found", who.Acts)
	}
	return cut(err.Error(), maxReason)
}
