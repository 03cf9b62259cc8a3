package session

import (
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
)

// Notice is that applications must be told of the end of a session that they have joined, as by a back-channel log-out. Their
// tokens are over by themselves within [Policy].Cache; the notice is for what they keep of their own.
type Notice struct {
	Tenant       opsec.TenantID `json:"tenant"`
	Account      string         `json:"account"`
	Session      opsec.ID       `json:"session"`
	Why          Standing       `json:"why"`
	Ended        time.Time      `json:"ended"`
	Until        time.Time      `json:"until"` // when the session would be over in any case, and the notice is dropped
	Applications []string       `json:"applications"`
}

// maxNotices is how many wait in a book; beyond, the oldest go.
const maxNotices = MaxConcurrent

// notice returns whom to tell; of a session that has reached its maximum time nobody, since applications know of that.
func (e *Ended) notice(p *Policy) Notice {
	s := &e.Session
	n := Notice{
		Tenant: s.User.Tenant, Account: s.User.Account, Session: s.ID,
		Why: e.Standing, Ended: e.At, Until: s.Began.Add(p.Maximum),
	}
	for _, a := range s.Applications {
		if a.Notify && e.At.Before(n.Until) {
			n.Applications = append(n.Applications, a.Name)
		}
	}
	return n
}

// note keeps whom to tell.
func (b *Book) note(n Notice) {
	if len(n.Applications) == 0 {
		return
	}
	b.Notices = append(slices.Clip(b.Notices), n)
	if over := len(b.Notices) - maxNotices; over > 0 {
		b.Notices = slices.Clone(b.Notices[over:])
	}
}

// told takes those applications out that a notice names, and reports whether one was there.
func (b *Book) told(n Notice) (changed bool) {
	list := slices.Clone(b.Notices)
	for i := range list {
		if m := &list[i]; m.Session == n.Session {
			left := slices.DeleteFunc(slices.Clone(m.Applications), func(a string) bool { return slices.Contains(n.Applications, a) })
			changed = changed || len(left) < len(m.Applications)
			m.Applications = left
		}
	}
	b.Notices = slices.DeleteFunc(list, func(m Notice) bool { return len(m.Applications) == 0 })
	return changed
}
