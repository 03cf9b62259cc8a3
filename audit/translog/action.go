package translog

import (
	"context"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/entry"
	"github.com/cloudopsec/opsec/audit/translog/internal/ledger"
	"github.com/cloudopsec/opsec/audit/translog/verify"
)

// The actions of the events that a log writes about itself, which are also what its Authorizer is asked for.
const (
	ActionRead    = "translog.read"      // somebody has read: on record in the tenant whose record was read
	ActionErase   = "translog.erase"     // a subject's key was destroyed: the tombstone of its values
	ActionHold    = "translog.hold"      // entries are kept whatever their age
	ActionLift    = "translog.lift"      // a hold has ended
	ActionPrune   = ledger.ActionPrune   // entries up to an age are removed; their hashes stay
	ActionObserve = verify.ActionObserve // a checkpoint of another log was seen: in a log of logs
)

// Keys of attributes.
const (
	attrAccount = "account"
	attrPerson  = "person"
	attrSubject = "subject"
	attrNote    = "note"
)

// event returns an event about the log itself. It is critical: what it says must not be done unrecorded.
func (l *Log) event(action string, who opsec.Actor, what opsec.Resource) *opsec.Event {
	e := opsec.NewEvent(action, l.opts.Now())
	e.Tenant, e.Class, e.Actor, e.Resource, e.System = what.Tenant, opsec.Critical, who, what, l.Origin()
	e.Outcome = opsec.Success
	return e
}

// subjectOf names whom an attribute is about. Of the log's own events it knows, where the log knows the person: a name
// that is only asked for does not get a key.
func (l *Log) subjectOf(e *opsec.Event, a opsec.Attr) (entry.Subject, bool) {
	if e.Action == ActionRead && e.System == l.Origin() {
		s := entry.Subject{Tenant: e.Resource.Tenant}
		switch a.Key {
		case attrAccount:
			s.Account = a.Value
		case attrPerson:
			s.Person = a.Value
		}
		known, err := l.opts.Keys.Find(context.Background(), s)
		return s, err == nil && len(known) > 0 && (s.Account != "" || s.Person != "")
	}
	if l.opts.SubjectOf != nil {
		return l.opts.SubjectOf(e, a)
	}
	return entry.Subject{}, false
}
