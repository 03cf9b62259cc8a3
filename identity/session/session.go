package session

import (
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
)

// Standing is how things are with a session, and why it has ended.
type Standing string

// The standings.
const (
	Valid     Standing = ""
	Idle      Standing = "idle"      // not used for as long as the policy allows
	Expired   Standing = "maximum"   // as old as the policy allows
	LoggedOut Standing = "log-out"   // by who holds its token
	Displaced Standing = "displaced" // by a newer one, where there may be no more
	Revoked   Standing = "revoked"   // by somebody who may: it alone, or all of the account
)

// Session is one person's log-in to a system, on one device. It is a value; what is handed out is to be read only, since others may
// have the same lists. It holds no secret: of tokens it has digests.
type Session struct {
	ID      opsec.ID    `json:"id"`
	User    opsec.Actor `json:"user"`   // who, and from where at the log-in; User.Session is the ID
	System  string      `json:"system"` // what was logged in to
	Began   time.Time   `json:"began"`
	Seen    time.Time   `json:"seen"` // the last use, as far as it was written
	Epoch   uint64      `json:"epoch,omitempty"`
	Factors []Factor    `json:"factors"`

	Key          Thumbprint    `json:"key,omitzero"`
	Token        Digest        `json:"token"`
	Applications []Application `json:"applications,omitempty"`
}

// Factor is what a person has proven to know, to have or to be, and when.
type Factor struct {
	Name string    `json:"name"`
	At   time.Time `json:"at"`
}

// Application is one that the session was taken into by single sign-on. It has a token of its own.
type Application struct {
	Name   string    `json:"name"`
	Notify bool      `json:"notify,omitempty"` // it wants to be told of the end
	At     time.Time `json:"at"`
	Token  Digest    `json:"token"`
}

// At returns how the session stands at a time: [Valid], [Idle] or [Expired]. When that is before its last use, a clock has gone
// back or is behind, and the session is taken as it stood then. A limit of an hour is over when an hour has passed.
func (s *Session) At(p *Policy, now time.Time) Standing {
	end := s.NextDeadline(p)
	switch {
	case later(now, later(s.Began, s.Seen)).Before(end):
		return Valid
	case end.Before(s.Began.Add(p.Maximum)):
		return Idle
	}
	return Expired
}

// NextDeadline returns when the session ends unless it is used.
func (s *Session) NextDeadline(p *Policy) time.Time {
	maximum, idle := s.Began.Add(p.Maximum), s.Seen.Add(p.Idle)
	if idle.Before(maximum) {
		return idle
	}
	return maximum
}

// Touch notes a use, unless one was noted less than [Policy].Grain before, and reports whether it did.
func (s *Session) Touch(p *Policy, now time.Time) bool {
	if !now.After(s.Seen) || now.Sub(s.Seen) < p.Grain {
		return false
	}
	s.Seen = now
	return true
}

// Fresh reports whether the person has proven some factor within so long before now, as one asks for before a sensitive act.
// With names, each of these factors is asked for.
func (s *Session) Fresh(now time.Time, within time.Duration, factors ...string) bool {
	now = later(now, s.Seen) // by a clock that has gone back nothing becomes fresh again
	fresh := func(f Factor) bool { return now.Sub(f.At) <= within }
	if len(factors) == 0 {
		return slices.ContainsFunc(s.Factors, fresh)
	}
	for _, name := range factors {
		if !slices.ContainsFunc(s.Factors, func(f Factor) bool { return f.Name == name && fresh(f) }) {
			return false
		}
	}
	return true
}

// prove adds factors, or their newer times.
func (s *Session) prove(factors []Factor) error {
	list := slices.Clone(s.Factors)
	for _, f := range factors {
		if i := slices.IndexFunc(list, func(g Factor) bool { return g.Name == f.Name }); i >= 0 {
			list[i].At = later(list[i].At, f.At)
			continue
		}
		list = append(list, f)
	}
	if len(list) > MaxFactors {
		return invalid("%d factors, want at most %d", len(list), MaxFactors)
	}
	s.Factors = list
	return nil
}

// join takes an application in, or gives one that is in another token.
func (s *Session) join(a Application) error {
	list := slices.Clone(s.Applications)
	if i := slices.IndexFunc(list, func(b Application) bool { return b.Name == a.Name }); i >= 0 {
		list[i] = a
	} else if list = append(list, a); len(list) > MaxApplications {
		return invalid("%d applications, want at most %d", len(list), MaxApplications)
	}
	s.Applications = list
	return nil
}

// application returns for whom a token is: "" is the session's own. All digests are compared, each in constant time.
func (s *Session) application(d *Digest) (name string, found bool) {
	if s.Token.is(d) {
		found = true
	}
	for i := range s.Applications {
		if s.Applications[i].Token.is(d) {
			name, found = s.Applications[i].Name, true
		}
	}
	return name, found
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
