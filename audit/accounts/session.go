package accounts

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
)

// place is where a session comes from: a terminal, or the network of an address. The zero place is unknown.
type place struct {
	terminal string
	origin   netip.Prefix
}

func placeOf(s *SignIn) place {
	if s.Terminal != "" {
		return place{terminal: s.Terminal}
	}
	return place{origin: originOf(s.IP)}
}

// originOf returns an IPv4 address, or the /64 of an IPv6 address, of which one customer has all.
func originOf(ip netip.Addr) netip.Prefix {
	ip = ip.Unmap().WithZone("")
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	p, _ := ip.Prefix(bits) // the zero Prefix for the zero Addr
	return p
}

// session is one that has begun and not ended.
type session struct {
	id    string
	began time.Time
	least time.Time // began, or the latest that it can have begun where a log-out before may have been its own
	place place
	ref   string
	late  bool // longer than any may be: told, and kept for its log-out
	over  bool // perhaps: the log-out that it is kept without may be of a session from before the span
}

const maxSessions = 256 // of one account at once

// sessions pairs the log-ins and log-outs of one account.
type sessions struct {
	longest time.Duration
	places  int
	listed  int
	since   time.Time

	tie       []SignIn // the last rows, of one time
	open      []session
	overflow  bool      // more than maxSessions: pairing has ended
	forgotten time.Time // when the last of those began that made room
	doubtful  bool      // a log-out may be of one that made room

	unclosed, unopened, shared pile
}

func (s *sessions) reset() {
	s.tie, s.open, s.overflow, s.forgotten, s.doubtful = s.tie[:0], s.open[:0], false, time.Time{}, false
	for _, p := range [...]*pile{&s.unclosed, &s.unopened, &s.shared} {
		if p.count > 0 {
			p.reset()
		}
	}
}

// add takes the next log-in that succeeded, or log-out. Clocks may tick in seconds, so what order rows of one time had is
// not known: they wait until all of them are there.
func (s *sessions) add(r *SignIn) {
	if len(s.tie) > 0 && (!s.tie[0].Time.Equal(r.Time) || len(s.tie) == maxSessions) {
		s.settle()
	}
	s.tie = append(s.tie, *r)
}

// settle takes the rows of one time: log-outs of sessions that are open, then log-ins, then what is left.
func (s *sessions) settle() {
	left := 0
	for i := range s.tie {
		if r := &s.tie[i]; !r.Logout || !s.logOut(r) {
			if left < i {
				s.tie[left] = *r
			}
			left++
		}
	}
	s.tie = s.tie[:left]
	for i := range s.tie {
		if r := &s.tie[i]; !r.Logout {
			s.logIn(r)
		}
	}
	for i := range s.tie {
		if r := &s.tie[i]; r.Logout && !s.logOut(r) {
			s.lost(r)
		}
	}
	s.tie = s.tie[:0]
}

// end takes what is left when there are no more rows.
func (s *sessions) end(now time.Time) {
	s.settle()
	s.expire(now)
}

func (s *sessions) logIn(r *SignIn) {
	if s.overflow {
		return
	}
	s.expire(r.Time)
	for i := range s.open {
		if r.Session != "" && s.open[i].id == r.Session {
			return // the same session, confirmed
		}
	}
	here := placeOf(r)
	if here != (place{}) {
		s.share(r, here)
	}
	if len(s.open) == maxSessions && !s.forget() {
		s.overflow = true
		return
	}
	s.open = append(s.open, session{id: r.Session, began: r.Time, least: r.Time, place: here, ref: r.Ref})
}

// forget makes room of the oldest session that was told already, or may be over.
func (s *sessions) forget() bool {
	for i := range s.open {
		if s.open[i].late || s.open[i].over {
			s.forgotten = s.open[i].began
			s.open = append(s.open[:i], s.open[i+1:]...)
			return true
		}
	}
	return false
}

// share counts the places from which sessions are open now.
func (s *sessions) share(r *SignIn, here place) {
	places := 1
	for i := range s.open {
		if s.elsewhere(i, here) {
			places++
		}
	}
	if places <= s.places {
		return
	}
	s.shared.add(s.listed, 1, "", r.Ref, r.Time)
	for i := range s.open {
		if s.elsewhere(i, here) {
			s.shared.refer(s.listed, s.open[i].ref)
		}
	}
}

// elsewhere reports whether session i is the first one open from a known place that is not here.
func (s *sessions) elsewhere(i int, here place) bool {
	at := s.open[i].place
	if s.open[i].late || s.open[i].over || at == here || at == (place{}) {
		return false
	}
	for j := range i {
		if !s.open[j].late && !s.open[j].over && s.open[j].place == at {
			return false
		}
	}
	return true
}

// expire tells those that are too long at a time, and drops those that may be over.
func (s *sessions) expire(now time.Time) {
	s.open = slices.DeleteFunc(s.open, func(o session) bool { return o.over && now.Sub(o.least) > s.longest })
	for i := range s.open {
		if o := &s.open[i]; !o.late && now.Sub(o.least) > s.longest {
			o.late = true
			s.unclosed.add(s.listed, 1, "", o.ref, o.began)
		}
	}
}

// logOut ends a session, and returns false when there is none to end.
func (s *sessions) logOut(r *SignIn) bool {
	s.expire(r.Time)
	i := s.find(r)
	if i < 0 {
		return s.overflow
	}
	if o := &s.open[i]; r.Began.IsZero() && (r.Session == "" || o.id != r.Session) {
		s.doubt(i, placeOf(r))
		if s.early(r) {
			o.over = true
			return true
		}
	}
	s.open = append(s.open[:i], s.open[i+1:]...)
	return true
}

// doubt notes that a log-out taken for that of session i may be that of any before it at the place: of n sessions, the
// one that began first may be over, and those that are left have begun no earlier than the second and so on.
func (s *sessions) doubt(i int, here place) {
	least := s.open[i].least
	for j := len(s.open) - 1; j >= 0; j-- {
		switch o := &s.open[j]; {
		case o.late || !o.mayBeAt(here):
		case o.over:
			if s.open[i].least.After(o.least) {
				o.least = s.open[i].least
			}
		case j < i:
			o.least, least = least, o.least
		}
	}
}

// mayBeAt reports whether a log-out at a place can be that of the session.
func (o *session) mayBeAt(here place) bool {
	return here == (place{}) || o.place == here || o.place == (place{})
}

// early reports whether a log-out may be of a session from before the span.
func (s *sessions) early(r *SignIn) bool { return r.Time.Add(-s.longest).Before(s.since) }

// lost judges a log-out without log-in: that may have been before the span that is audited.
func (s *sessions) lost(r *SignIn) {
	if !s.forgotten.IsZero() && !r.Began.After(s.forgotten) {
		s.doubtful = true
		return
	}
	began := r.Began
	if began.IsZero() && !s.since.IsZero() {
		began = r.Time.Add(-s.longest)
	}
	if s.since.IsZero() || !began.Before(s.since) {
		s.unopened.add(s.listed, 1, "", r.Ref, r.Time)
	}
}

// find returns the session that a log-out ends: the one it names by its id or its beginning, or else the latest from the
// same place. Of several with that beginning, it is one from the same place if there is any.
func (s *sessions) find(r *SignIn) int {
	if r.Session != "" {
		for i := range s.open {
			if s.open[i].id == r.Session {
				return i
			}
		}
	}
	here, elsewhere := placeOf(r), -1 // or one that may be over
	for i := len(s.open) - 1; i >= 0; i-- {
		o := &s.open[i]
		switch {
		case r.Session != "" && o.id != "": // another session
		case !r.Began.IsZero():
			if o.began.Equal(r.Began) && o.place == here {
				return i
			}
			if o.began.Equal(r.Began) && elsewhere < 0 {
				elsewhere = i
			}
		case o.over && (!o.mayBeAt(here) || s.early(r)): // it is left for one that needs it
		case o.over:
			elsewhere = i
		case o.mayBeAt(here):
			return i
		}
	}
	return elsewhere
}

// signedIn takes the sign-ins of an account, and returns the time of the last one that succeeded.
func (a *audit) signedIn(acc *Account) (last time.Time) {
	c, s := a.signIns, &a.sessions
	s.reset()
	for ; c.row != nil && c.row.Key == acc.Key; c.advance() {
		r := c.row
		in := r.Outcome == opsec.Success
		if !r.Logout && a.abandoned(acc, r.Time) {
			a.piles.abandoned.add(a.p.Listed, 1, "", r.Ref, r.Time)
			a.piles.entered = a.piles.entered || in
		}
		if in && !r.Logout && !r.Time.After(a.now) {
			last = r.Time
		}
		if in && human(acc.Kind) && !r.Time.After(a.now) {
			s.add(r)
		}
	}
	s.end(a.now)
	return last
}

// human reports whether an account is one person's. Programs sign in from many places and seldom sign out.
func human(k opsec.ActorKind) bool { return k == opsec.Human || k == "" }

// gone tells of attempts with an account that is disabled or deleted, and of what was done with it.
func (a *audit) gone(acc *Account) {
	p := &a.piles.abandoned
	if p.count == 0 && len(p.permissions) == 0 {
		return
	}
	detail := fmt.Sprintf("the account is %s since then: %s to sign in", acc.State, count(p.count, "attempt"))
	if a.piles.entered {
		detail += ", not without success"
	}
	if len(p.permissions) > 0 {
		detail += ", and it used permissions"
	}
	f := p.finding(AbandonedAttempt, acc.Key, detail)
	if a.piles.entered || len(p.permissions) > 0 {
		f.Severity = opsec.SeverityCritical
	}
	a.tell(f)
}

// sessionFindings tells what was found about log-ins and log-outs.
func (a *audit) sessionFindings(acc *Account) {
	s := &a.sessions
	if s.unclosed.count > 0 {
		a.tell(s.unclosed.finding(Unclosed, acc.Key,
			fmt.Sprintf("%s longer than %s, or without log-out", count(s.unclosed.count, "session"), s.longest)))
	}
	if s.unopened.count > 0 {
		a.tell(s.unopened.finding(Unopened, acc.Key,
			fmt.Sprintf("%s without log-in", count(s.unopened.count, "log-out"))))
	}
	if s.shared.count > 0 {
		a.tell(s.shared.finding(Shared, acc.Key, fmt.Sprintf("%s while sessions were open elsewhere: more than %s at once",
			count(s.shared.count, "log-in"), count(uint64(s.places), "place"))))
	}
	switch {
	case s.overflow:
		a.unjudged(acc, fmt.Sprintf("more than %d sessions open at once, and the rest not judged", maxSessions),
			Unclosed, Unopened, Shared)
	case s.doubtful:
		a.unjudged(acc, fmt.Sprintf("more than %d sessions without log-out, and log-outs that may be theirs", maxSessions), Unopened)
	}
}

// unjudged tells that an account was not fully judged for some kinds.
func (a *audit) unjudged(acc *Account, why string, kinds ...Kind) {
	for _, k := range kinds {
		a.untold[k]++
	}
	a.own(acc, Unjudged, time.Time{}, why)
}
