package approval

import (
	"strconv"

	"github.com/cloudopsec/opsec"
)

// The actions of the events that the verbs return, one each. They belong to the tenant that owns the action's resource.
const (
	ActionRequest  = "approval.request"
	ActionApprove  = "approval.approve"
	ActionReject   = "approval.reject"
	ActionRetract  = "approval.retract"
	ActionWithdraw = "approval.withdraw"
	ActionExpire   = "approval.expire"
	ActionUse      = "approval.use"
)

// event tells of a step. The case is as it stands after it, or, if the step was refused, as it stood before.
func (c *Case) event(step *Step, stands Standing) *opsec.Event {
	r := &c.Request
	e := opsec.NewEvent("approval."+string(step.Verb), step.Time)
	e.Tenant, e.Class, e.Outcome = r.Action.Resource.Tenant, opsec.Critical, opsec.Success
	e.Actor, e.Reason = step.By, step.Reason
	e.Resource = opsec.Resource{Tenant: e.Tenant, Type: "approval", ID: string(r.ID)}
	add := func(key, value string, mark opsec.Sensitivity) {
		e.Attrs = append(e.Attrs, opsec.Attr{Key: key, Value: value, Mark: mark})
	}
	add("action", r.Action.Name, opsec.Tenant)
	add("on", r.Action.Resource.String(), opsec.Tenant)
	add("action_digest", string(r.Action.Digest()), opsec.Tenant)
	add("case_digest", string(c.Digest()), opsec.Tenant)
	add("status", string(stands.Status), opsec.Tenant)
	add("stage", strconv.Itoa(stands.Stage), opsec.Tenant)
	for _, a := range r.For {
		add("for", string(a.Tenant)+"/"+a.Person, opsec.Personal)
	}
	return e
}

// clock is who lets a case expire.
func clock() opsec.Actor { return opsec.Actor{Kind: opsec.System} }
