package independence

import (
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
)

// Act is something that somebody did, as the log has it.
type Act struct {
	Time       time.Time
	Tenant     opsec.TenantID // whose record it is
	Action     string
	Approves   string        // the action that this is a decision about, when it is one; Resource is what that was to be done to
	Outcome    opsec.Outcome // what was Denied is no act
	System     string
	Actor      opsec.Actor
	OnBehalfOf *opsec.Actor
	Resource   opsec.Resource
	Ref        string // where the record is: evidence
}

// ActOf returns what an event tells. The events of an approval (package approval) are about the action and the resource
// that they approve.
func ActOf(e *opsec.Event, ref string) Act {
	a := Act{
		Time: e.Time, Tenant: e.Tenant, Action: e.Action, Outcome: e.Outcome, System: e.System,
		Actor: e.Actor, OnBehalfOf: e.OnBehalfOf, Resource: e.Resource, Ref: ref,
	}
	if e.Resource.Type != "approval" {
		return a
	}
	for _, attr := range e.Attrs {
		switch attr.Key {
		case "action":
			a.Approves = attr.Value
		case "on":
			if part := strings.SplitN(attr.Value, "/", 3); len(part) == 3 {
				a.Resource = opsec.Resource{Tenant: opsec.TenantID(part[0]), Type: part[1], ID: part[2]}
			}
		}
	}
	return a
}
