package identity

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/cloudopsec/opsec"
)

// The actions of events, and what an [opsec.Authorizer] is asked for.
const (
	ActionRegister = "identity.register"
	ActionApprove  = "identity.approve" // also asked for any decision about a request
	ActionRefuse   = "identity.refuse"
	ActionSuspend  = "identity.suspend"
	ActionResume   = "identity.resume"
	ActionDisable  = "identity.disable"
	ActionEnable   = "identity.enable"
	ActionDelete   = "identity.delete"
	ActionModify   = "identity.modify"
	ActionReview   = "identity.review"
	ActionSet      = "identity.set"
	ActionPlan     = "identity.plan"
	ActionCancel   = "identity.cancel"
	ActionSettle   = "identity.settle"
	ActionForget   = "identity.forget"

	ActionFollow    = "identity.follow"    // an account has changed because its main account did; nobody is asked
	ActionWithdraw  = "identity.withdraw"  // a request
	ActionBootstrap = "identity.bootstrap" // the first accounts of a tenant
	ActionImport    = "identity.import"
	ActionTouch     = "identity.touch"
	ActionSweep     = "identity.sweep" // asked for by [Directory.Sweep], whose events are those of what it does
	ActionWarn      = "identity.warn"  // somebody was told that an account is about to be disabled
	ActionRead      = "identity.read"  // asked for by what reads; it has no event
)

func actionOf(v Verb) string { return "identity." + string(v) }

// resource is an account, or those of a tenant, to authorizers and in events.
func resource(tenant opsec.TenantID, id opsec.ID) opsec.Resource {
	return opsec.Resource{Tenant: tenant, Type: "account", ID: string(id)}
}

func (d *Directory) event(action string, by By, on opsec.Resource, outcome opsec.Outcome) *opsec.Event {
	e := opsec.NewEvent(action, d.o.Now())
	e.Tenant, e.Class, e.Outcome, e.Actor, e.Resource, e.Reason = on.Tenant, opsec.Critical, outcome, by.Actor, on, by.Reason
	return e
}

// tell returns the events of what has become of a family by steps: one at least for each step, and for each account that
// follows its main account.
func (w *work) tell(was, is *Family, steps []Step) (list []*opsec.Event) {
	for i, s := range steps {
		list = append(list, w.changed(actionOf(s.Verb), was.Account(s.Account), is.Account(s.Account), i == len(steps)-1, s)...)
	}
	for _, a := range is.All() {
		acted := slices.ContainsFunc(steps, func(s Step) bool { return s.Account == a.ID })
		old := was.Account(a.ID)
		if !acted && old != nil && (old.State != a.State || !old.Holds.Equal(a.Holds)) {
			list = append(list, w.changed(ActionFollow, old, a, true, Step{})...)
		}
	}
	return list
}

// changed returns the events of one account: the first with its state, and as many as its rights take.
func (w *work) changed(action string, was, is *Account, rights bool, s Step) []*opsec.Event {
	var before, after Account
	id := cmp.Or(is, was)
	if was != nil {
		before = *was
	}
	if is != nil {
		after = *is
	}
	e := w.event(action, w.by, resource(w.tenant, id.ID), opsec.Success)
	note := func(mark opsec.Sensitivity, key, value string) {
		if value != "" {
			e.Attrs = append(e.Attrs, opsec.Attr{Key: key, Value: value, Mark: mark})
		}
	}
	note(opsec.Personal, "name", id.Canonical)
	note(opsec.Personal, "person", id.Person)
	note(opsec.Tenant, "main", string(id.Main))
	note(opsec.Tenant, "system", id.System)
	note(opsec.Tenant, "state", string(after.State))
	if before.State != after.State {
		note(opsec.Tenant, "was", string(before.State))
	}
	note(opsec.Tenant, "cause", string(after.Cause))
	note(opsec.Tenant, "request", string(s.Request))
	note(opsec.Tenant, "property", s.Property)
	if !s.Due.IsZero() {
		note(opsec.Tenant, "due", s.Due.UTC().Format("2006-01-02T15:04:05Z"))
	}
	if s.Expires != nil {
		note(opsec.Tenant, "expires", s.Expires.UTC().Format("2006-01-02T15:04:05Z"))
	}
	if !rights {
		return []*opsec.Event{e}
	}
	for _, a := range []*Account{&before, &after} {
		if a.Own == Registered { // what is asked for is not granted yet
			a.Holds, a.MayGrant = Rights{}, Rights{}
		}
	}
	granted := append(after.Holds.Minus(before.Holds).list(""), after.MayGrant.Minus(before.MayGrant).list("may grant ")...)
	cancelled := append(before.Holds.Minus(after.Holds).list(""), before.MayGrant.Minus(after.MayGrant).list("may grant ")...)
	return spread(e, granted, cancelled)
}

// spread puts permissions into an event, and into further ones as far as one does not hold them.
func spread(e *opsec.Event, granted, cancelled []string) (list []*opsec.Event) {
	for part := 1; ; part++ {
		one := *e
		if part > 1 {
			one.ID = opsec.NewID()
			one.Attrs = append(slices.Clone(e.Attrs), opsec.Attr{Key: "part", Value: strconv.Itoa(part), Mark: opsec.Public})
		}
		n := min(len(granted), opsec.MaxAttrs)
		one.Granted, granted = granted[:n:n], granted[n:]
		n = min(len(cancelled), opsec.MaxAttrs-n)
		one.Cancelled, cancelled = cancelled[:n:n], cancelled[n:]
		if len(one.Granted)+len(one.Cancelled) > 0 && one.Actor.Account != "" && one.Actor.IP.IsValid() {
			one.Category = opsec.Authorization // 8.1.2: with operator and address
		}
		if list = append(list, &one); len(granted)+len(cancelled) == 0 {
			return list
		}
	}
}
