package catalogue

import (
	"net/url"

	"github.com/cloudopsec/opsec"
)

// The actions of the events, and that the Authorizer is asked about.
const (
	ActionRegister = "backup.register"
	ActionCopy     = "backup.copy"
	ActionVerify   = "backup.verify"
	ActionTest     = "backup.test"
	ActionHold     = "backup.hold"

	ActionPropose  = "backup.propose"  // an order
	ActionDecide   = "backup.decide"   // asked for; the event is that of package approval
	ActionCancel   = "backup.cancel"   // an order
	ActionExecute  = "backup.execute"  // an order
	ActionExpire   = "backup.expire"   // asked for, to propose what the retention policy drops; also the end of such an order that nobody executes in time
	ActionLengthen = "backup.lengthen" // a retention policy that drops nothing more
	ActionShorten  = "backup.shorten"  // has no request of its own: an order did it
	ActionRelease  = "backup.release"  // a hold, likewise
	ActionMark     = "backup.mark"     // a point is being deleted, likewise
	ActionErase    = "backup.erase"    // of a copy: the intent and its end, at the Recorder
	ActionDelete   = "backup.delete"   // a point is gone

	ActionRead = "backup.read" // asked for by what reads; it has no event
)

func sourceResource(tenant opsec.TenantID, source string) opsec.Resource {
	return opsec.Resource{Tenant: tenant, Type: "backup-source", ID: source}
}

// pointResource is a point to authorizers and in events: source and id, each as a segment of a URL's path, with a slash between.
func pointResource(tenant opsec.TenantID, source, id string) opsec.Resource {
	return opsec.Resource{Tenant: tenant, Type: "backup", ID: url.PathEscape(source) + "/" + url.PathEscape(id)}
}

func orderResource(tenant opsec.TenantID, id opsec.ID) opsec.Resource {
	return opsec.Resource{Tenant: tenant, Type: "backup-order", ID: string(id)}
}

func (c *Catalogue) event(action string, by By, on opsec.Resource, outcome opsec.Outcome) *opsec.Event {
	e := opsec.NewEvent(action, c.o.Now())
	e.Tenant, e.Class, e.Outcome, e.Actor, e.Resource, e.Reason = on.Tenant, opsec.Critical, outcome, by.Actor, on, by.Reason
	return e
}
