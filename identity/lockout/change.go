package lockout

import (
	"strconv"
	"time"

	"github.com/cloudopsec/opsec"
)

// The actions of the events of [Change.Record]. The resource is the account, of type "account".
const (
	ActionLocked    = "lockout.locked"    // for a while, for too many failures
	ActionBarred    = "lockout.barred"    // for a while, for failures in too rapid succession
	ActionPermanent = "lockout.permanent" // for too many failures, until somebody unlocks it
	ActionHeld      = "lockout.held"      // by an administrator
	ActionUnlocked  = "lockout.unlocked"  // by an administrator, or by a success that was under way when the lock began
	ActionRecovered = "lockout.recovered" // by a recovery of the account
)

// Apply is one step: see [Policy.Step].
func (c Change) Apply(s State) (State, Verdict) { return c.Policy.Step(s, c.Event, c.Now) }

// Record returns the event to record with the change: of a lock, a bar or a hold that began, and of what opened the counter again
// before its time; for others nil. What an administrator or a recovery did is [opsec.Critical], the rest [opsec.Standard]: a lock
// holds, whether or not somebody can write it down.
func (c Change) Record(k Key, v Verdict) *opsec.Event {
	action, class := "", opsec.Standard
	switch {
	case v.Became == Barred:
		action = ActionBarred
	case v.Became == Locked:
		action = ActionLocked
	case v.Became == Permanent:
		action = ActionPermanent
	case v.Became == Held:
		action, class = ActionHeld, opsec.Critical
	case v.Opened && c.Event.Kind == Succeed:
		action = ActionUnlocked
	case v.Opened && c.Event.Kind == Recover:
		action, class = ActionRecovered, opsec.Critical
	case v.Opened:
		action, class = ActionUnlocked, opsec.Critical
	default:
		return nil
	}
	e := opsec.NewEvent(action, c.Now)
	e.Tenant, e.Class, e.Outcome, e.Actor, e.Reason = k.Tenant, class, opsec.Success, c.Actor, c.Reason
	e.Resource = opsec.Resource{Tenant: k.Tenant, Type: "account", ID: k.Account}
	e.Attrs = append(e.Attrs, opsec.Attr{Key: "factor", Value: string(k.Factor), Mark: opsec.Tenant})
	if k.Class != Unknown {
		e.Attrs = append(e.Attrs, opsec.Attr{Key: "class", Value: string(k.Class), Mark: opsec.Tenant})
	}
	if k.Device != "" {
		e.Attrs = append(e.Attrs, opsec.Attr{Key: "device", Value: k.Device, Mark: opsec.Personal})
	}
	if v.Became != Open && v.Became != Held {
		e.Attrs = append(e.Attrs, opsec.Attr{Key: "failures", Value: strconv.Itoa(v.Failures), Mark: opsec.Tenant})
	}
	if !v.Until.IsZero() {
		e.Attrs = append(e.Attrs, opsec.Attr{Key: "until", Value: v.Until.Format(time.RFC3339Nano), Mark: opsec.Tenant})
	}
	return e
}
