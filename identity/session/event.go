package session

import (
	"strconv"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
)

// The actions of the events. Each log-in has one log-out, whatever ended the session: its attribute "why" is the [Standing], its
// Began the log-in time, its Time when the session ended, which may be before it was found ("found"). Both carry the address and
// the terminal of the log-in.
const (
	ActionLogIn     = "session.log-in"
	ActionLogOut    = "session.log-out"
	ActionRefuse    = "session.refuse" // a log-in: its proofs do not do, or there are too many sessions; not a wrong secret
	ActionJoin      = "session.join"   // an application, by single sign-on
	ActionRaise     = "session.raise"  // another factor was proven, or one again
	ActionRenew     = "session.renew"  // another token
	ActionRevoke    = "session.revoke" // somebody ends a session; its log-out follows
	ActionRevokeAll = "session.revoke-all"
	ActionTold      = "session.told" // an application was told of an end
)

// ActionList is what the Authorizer is asked for the list of an account's sessions. It is not recorded.
const ActionList = "session.list"

// event tells of what was done with a session, by who is logged in with it.
func (s *Session) event(action string, at time.Time) *opsec.Event {
	e := opsec.NewEvent(action, at)
	e.Tenant, e.Category, e.Outcome = s.User.Tenant, opsec.Authentication, opsec.Success
	e.System, e.Actor = s.System, s.User
	e.Resource = opsec.Resource{Tenant: e.Tenant, Type: "session", ID: string(s.ID)}
	return e
}

func add(e *opsec.Event, key, value string) {
	e.Attrs = append(e.Attrs, opsec.Attr{Key: key, Value: value, Mark: opsec.Tenant})
}

// event is the log-out.
func (e *Ended) event(found time.Time) *opsec.Event {
	out := e.Session.event(ActionLogOut, e.At)
	out.Began = e.Session.Began
	add(out, "why", string(e.Standing))
	if found.After(e.At) {
		add(out, "found", found.UTC().Format(time.RFC3339Nano))
	}
	if len(e.Session.Applications) > 0 {
		var names []string
		for _, a := range e.Session.Applications {
			names = append(names, a.Name)
		}
		add(out, "applications", strings.Join(names, ","))
	}
	return out
}

func logOuts(ended []Ended, found time.Time) (list []*opsec.Event) {
	for i := range ended {
		list = append(list, ended[i].event(found))
	}
	return list
}

func factorNames(list []Factor) string {
	var names []string
	for _, f := range list {
		names = append(names, f.Name)
	}
	return strings.Join(names, ",")
}

func (s *Session) logIn() *opsec.Event {
	e := s.event(ActionLogIn, s.Began)
	add(e, "factors", factorNames(s.Factors))
	add(e, "bound", strconv.FormatBool(!s.Key.IsZero()))
	return e
}
