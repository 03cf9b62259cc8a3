package dr

import (
	"cmp"
	"fmt"
	"time"

	"github.com/cloudopsec/opsec"
)

// Step returns the state of a mirror after an event, and what that means. It is pure: the same arguments give the same result, and
// s is not changed. A policy that does not validate holds every write.
//
// A synchronous mirror that loses the other site holds writes from that moment on. After Patience it does what OnLoss says, and not
// before; it degrades only under a risk evaluation that is in force, since from then on it is an asynchronous one.
func (p Policy) Step(s State, e Event, now time.Time) (State, Verdict) {
	if now.Before(s.Now) {
		now = s.Now
	}
	s.Now = now
	m := &machine{p: p, s: s, now: now}
	if err := p.Validate(); err != nil {
		return s, Verdict{Writes: held(s.Mode), Refused: err}
	}
	if err := m.take(e); err != nil {
		m.v.Refused = err
	}
	if m.s.Mode == "" {
		m.turn(Resyncing, ActionResyncing, opsec.SeverityInfo, "a new mirror", opsec.Actor{})
	}
	m.expire()
	m.follow()
	m.judge()
	return m.s, m.v
}

func held(mode Mode) Writes {
	if mode == FailedOver {
		return Refuse
	}
	return Hold
}

type machine struct {
	p   Policy
	s   State
	now time.Time
	v   Verdict
}

// take lets the event in.
func (m *machine) take(e Event) error {
	set := 0
	for _, given := range []bool{e.Status != nil, e.Tick, e.Accept != nil, e.Degrade != nil, e.FailOver != nil, e.FailBack != nil} {
		if given {
			set++
		}
	}
	switch {
	case set != 1:
		return invalid("event: %d fields are set: want one", set)
	case e.Status != nil:
		return m.look(*e.Status)
	case e.Accept != nil:
		return m.accept(*e.Accept)
	case e.Degrade != nil:
		return m.degrade(*e.Degrade)
	case e.FailOver != nil:
		return m.failOver(*e.FailOver)
	case e.FailBack != nil:
		return m.failBack(*e.FailBack)
	}
	return nil
}

func (m *machine) look(s Status) error {
	switch {
	case s.At.IsZero() || s.At.After(m.now.Add(time.Duration(m.p.Stale))):
		return invalid("status: at %s, and it is %s", s.At.Format(time.RFC3339Nano), m.now.Format(time.RFC3339Nano))
	case s.At.Before(m.s.Last.At):
		return invalid("status: at %s, older than the one before", s.At.Format(time.RFC3339Nano))
	}
	m.s.Last = s
	return nil
}

func (m *machine) accept(r RiskEvaluation) error {
	if err := r.Validate(); err != nil {
		return err
	}
	if !r.holds(m.now) {
		return denied("risk evaluation %s holds from %s until %s", r.ID, r.At.Format(time.RFC3339), r.Until.Format(time.RFC3339))
	}
	if m.p.Want == Asynchronous && r.Exposure < m.p.Bound {
		return denied("risk evaluation %s accepts an exposure of %v, and the policy allows %v", r.ID, time.Duration(r.Exposure), time.Duration(m.p.Bound))
	}
	m.s.Risk, m.s.Expired = &r, false
	m.tell(ActionRiskAccepted, opsec.SeverityMedium, "risk evaluation "+r.ID, r.By)
	return nil
}

func (m *machine) degrade(d Decision) error {
	switch {
	case d.By.Person == "" || d.Reason == "":
		return invalid("degrade: want a person and a reason")
	case m.p.OnLoss != Ask:
		return denied("degrade: the policy says %s", cmp.Or(m.p.OnLoss, Stop))
	case m.s.Mode == FailedOver || m.s.Open || m.s.Lost.IsZero():
		return denied("degrade: a mirror that is %s has nothing to go on without", m.s.Mode)
	case !m.s.Risk.holds(m.now):
		return denied("degrade: no risk evaluation is in force")
	}
	m.s.Open, m.s.Asked = true, false
	m.turn(Degraded, ActionDegraded, opsec.SeverityHigh, d.Reason, d.By)
	return nil
}

func (m *machine) failOver(t Takeover) error {
	// While the other site is connected and writes do not wait for it, they may have been acknowledged since it was looked at.
	safe := m.s.Mode == Synchronous && (m.s.Last.Synchronous || !m.s.Last.Connected)
	switch {
	case t.By.Person == "" && t.By.Kind != opsec.System || t.Reason == "":
		return invalid("failover: want a person or the system, and a reason")
	case m.s.Mode == FailedOver:
		return denied("failover: it has happened, at %s", m.s.Since.Format(time.RFC3339))
	case !safe && !t.AcceptLoss:
		return denied("failover: the mirror is %s, acknowledged writes may be lost, and nobody accepts that", cmp.Or(m.s.Mode, "new"))
	case !safe && t.By.Person == "":
		return denied("failover: a loss is accepted by a person")
	}
	m.turn(FailedOver, ActionFailedOver, opsec.SeverityCritical, t.Reason, t.By)
	m.s.Lost, m.s.Asked, m.s.Open, m.s.Over = time.Time{}, false, false, false
	return nil
}

func (m *machine) failBack(d Decision) error {
	switch {
	case d.By.Person == "" || d.Reason == "":
		return invalid("failback: want a person, and a reason that names the divergence report")
	case m.s.Mode != FailedOver:
		return denied("failback: the mirror is %s", cmp.Or(m.s.Mode, "new"))
	}
	m.s.Last = Status{} // it was of the former direction
	m.tell(ActionFailedBack, opsec.SeverityMedium, d.Reason, d.By)
	m.turn(Resyncing, ActionResyncing, opsec.SeverityInfo, "after a failback", opsec.Actor{})
	return nil
}

// fresh reports whether the newest status still says something.
func (m *machine) fresh() bool {
	return !m.s.Last.At.IsZero() && m.now.Sub(m.s.Last.At) <= time.Duration(m.p.Stale)
}

// exposure now: what the newest status says, and as much more as time has passed since. What was written since is not known, so that
// even an idle mirror is exposed for that long, unless writes wait for the other site.
func (m *machine) exposure() (time.Duration, bool) {
	if !m.fresh() {
		return 0, false
	}
	d, known := m.s.Last.Exposure()
	if d > 0 || m.s.Mode != Synchronous && !m.s.Last.Synchronous {
		d += max(0, m.now.Sub(m.s.Last.At))
	}
	return d, known
}

// kept reports whether the mirror is, at this moment, what the policy wants, and why not.
func (m *machine) kept() (bool, string) {
	if !m.fresh() {
		return false, "nothing was heard of it lately"
	}
	if !m.s.Last.Connected {
		return false, "the other site is not connected"
	}
	d, known := m.exposure()
	if m.p.Want == Synchronous {
		switch {
		case !m.s.Last.Synchronous:
			return false, "writes do not wait for the other site"
		case m.s.Mode != Synchronous && (!known || d > 0):
			return false, "the other site has not caught up" // while it is synchronous, what is not there is not acknowledged either
		}
		return true, ""
	}
	switch {
	case !m.s.Risk.holds(m.now):
		return false, "no risk evaluation is in force"
	case !known:
		return false, "the exposure is not known"
	case d > time.Duration(m.p.Bound):
		return false, fmt.Sprintf("an exposure of %v, more than %v", d, time.Duration(m.p.Bound))
	}
	return true, ""
}

// follow moves the mode by what is seen.
func (m *machine) follow() {
	if m.s.Mode == FailedOver {
		return
	}
	kept, why := m.kept()
	if kept {
		m.s.Lost, m.s.Asked, m.s.Open = time.Time{}, false, false
		if m.s.Mode != m.p.Want {
			m.turn(m.p.Want, "dr."+string(m.p.Want), opsec.SeverityInfo, "the other site is what the policy wants", opsec.Actor{})
		}
		return
	}
	if m.s.Lost.IsZero() {
		m.s.Lost = m.now
	}
	connected := m.fresh() && m.s.Last.Connected
	switch l := m.s.Last; {
	case m.s.Mode == Synchronous && !l.Synchronous && l.Newest.After(l.Safe): // however old the status is
		m.turn(Degraded, ActionDegraded, opsec.SeverityCritical, "writes were acknowledged that are not on the other site", opsec.Actor{})
	case m.s.Mode == Degraded && connected:
		m.turn(Resyncing, ActionResyncing, opsec.SeverityInfo, why, opsec.Actor{})
	case m.s.Mode == Resyncing && m.s.Open && !connected:
		m.turn(Degraded, ActionDegraded, opsec.SeverityHigh, why, opsec.Actor{})
	}
	if !m.s.Open && m.now.Sub(m.s.Lost) >= time.Duration(m.p.Patience) {
		m.lose(why)
	}
}

// lose does what the policy says when patience has ended.
func (m *machine) lose(why string) {
	switch {
	case m.p.OnLoss == Degrade && m.s.Risk.holds(m.now):
		m.s.Open, m.s.Asked = true, false
		m.turn(Degraded, ActionDegraded, opsec.SeverityHigh, why, opsec.Actor{})
	case m.s.Asked:
	case m.p.OnLoss == Ask:
		m.s.Asked = true
		m.tell(ActionAsked, opsec.SeverityHigh, why, opsec.Actor{})
	default:
		m.s.Asked = true
		if m.p.OnLoss == Degrade {
			why += "; no risk evaluation allows to degrade"
		}
		m.tell(ActionHeld, opsec.SeverityHigh, why, opsec.Actor{})
	}
}

// expire ends an evaluation whose time has come. What only it allowed ends with it.
func (m *machine) expire() {
	if m.s.Risk != nil && !m.s.Risk.holds(m.now) && !m.s.Expired {
		m.s.Expired, m.s.Open, m.s.Asked = true, false, false
		m.tell(ActionRiskExpired, opsec.SeverityHigh, "risk evaluation "+m.s.Risk.ID, opsec.Actor{})
	}
}

// judge says what the data path has to do.
func (m *machine) judge() {
	m.v.Exposure, m.v.ExposureKnown = m.exposure()
	switch m.s.Mode {
	case FailedOver:
		m.v.Writes = Refuse
		return
	case Synchronous:
		m.v.Writes = BothSites
		if !m.s.Lost.IsZero() {
			m.v.Writes = Hold
		}
		return
	}
	accepted := time.Duration(m.p.Bound)
	if m.s.Mode != Asynchronous && m.s.Risk != nil {
		accepted = m.s.Risk.most()
	}
	over := (!m.v.ExposureKnown || m.v.Exposure > accepted) && (m.s.Mode == Asynchronous || m.s.Open)
	if over != m.s.Over {
		if m.s.Over = over; over {
			m.tell(ActionBreached, opsec.SeverityHigh, m.size(accepted), opsec.Actor{})
		}
	}
	m.v.Writes = Hold
	if m.s.Risk.holds(m.now) && (m.s.Open || m.s.Mode == Asynchronous && !m.s.Asked) {
		m.v.Writes = OnPrimary
	}
}

func (m *machine) size(accepted time.Duration) string {
	if !m.v.ExposureKnown {
		return "the exposure is not known"
	}
	return fmt.Sprintf("an exposure of %v, and %v is accepted", m.v.Exposure, accepted)
}

func (m *machine) turn(to Mode, action string, severity opsec.Severity, reason string, by opsec.Actor) {
	from := m.s.Mode
	m.s.Mode, m.s.Since, m.s.Reason = to, m.now, reason
	m.v.Notices = append(m.v.Notices, Notice{Action: action, From: from, To: to, Severity: severity, Reason: reason, By: by})
}

func (m *machine) tell(action string, severity opsec.Severity, reason string, by opsec.Actor) {
	m.v.Notices = append(m.v.Notices, Notice{Action: action, From: m.s.Mode, To: m.s.Mode, Severity: severity, Reason: reason, By: by})
}

func denied(format string, args ...any) error {
	return fmt.Errorf("dr: "+format+": %w", append(args, opsec.ErrDenied)...)
}
