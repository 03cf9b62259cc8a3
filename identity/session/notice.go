package session

import (
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
)

// maxNotices is how many notices wait in a book; beyond, the oldest go.
const maxNotices = 64

// Notice is that an application must be told of the end of a session that it was joined to, as by a back-channel log-out. Its
// token is over by itself within [Policy].Cache; the notice is for what the application keeps of its own.
type Notice struct {
	Tenant      opsec.TenantID `json:"tenant"`
	Account     string         `json:"account"`
	Session     opsec.ID       `json:"session"`
	Application string         `json:"application"`
	Why         Standing       `json:"why"`
	Ended       time.Time      `json:"ended"`
	Until       time.Time      `json:"until"` // when the session would be over in any case, and the notice is dropped
}

// notice notes which applications are to be told.
func (b *Book) notice(p *Policy, ended ...Ended) {
	for i := range ended {
		b.Notices = append(slices.Clip(b.Notices), ended[i].notices(p)...)
	}
	if over := len(b.Notices) - maxNotices; over > 0 {
		b.Notices = slices.Clone(b.Notices[over:])
	}
}

func (e *Ended) notices(p *Policy) (list []Notice) {
	s := &e.Session
	until := s.Began.Add(p.Maximum)
	for _, a := range s.Applications {
		if a.Notify && e.At.Before(until) {
			list = append(list, Notice{s.User.Tenant, s.User.Account, s.ID, a.Name, e.Standing, e.At, until})
		}
	}
	return list
}

// told drops a notice, and reports whether it was there.
func (b *Book) told(n Notice) bool {
	before := len(b.Notices)
	b.Notices = slices.DeleteFunc(slices.Clone(b.Notices), func(m Notice) bool {
		return m.Session == n.Session && m.Application == n.Application
	})
	return len(b.Notices) < before
}
