package plan

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
)

// Finding is where what is observed is not what the strategy asks for.
type Finding struct {
	Rule     Rule           `json:"rule"`
	Severity opsec.Severity `json:"severity"`
	Subject  string         `json:"subject"`        // the source, a point, a copy ("point@target") or a test
	At       time.Time      `json:"at,omitzero"`    // since when it has been so; zero: not known
	Until    time.Time      `json:"until,omitzero"` // zero: it is still so
	Text     string         `json:"text"`
}

// Rule names what a [Finding] breaks.
type Rule string

// The rules.
const (
	RuleRPO        Rule = "rpo"        // two backups further apart than RPO, or none since
	RuleLoss       Rule = "loss"       // more could have been lost than may be
	RuleRTO        Rule = "rto"        // a recovery test took longer
	RulePoints     Rule = "points"     // fewer points than are to be kept, or not far enough back
	RuleCopies     Rule = "copies"     // a point has too few copies on or off the site
	RuleEncryption Rule = "encryption" // a copy is not encrypted
	RuleRegion     Rule = "region"     // a copy is where none may be
	RuleVerified   Rule = "verified"   // a copy was not compared with its manifest in time, or is damaged
	RuleTested     Rule = "tested"     // no recovery test in time, or the last one failed
	RuleChain      Rule = "chain"      // a point needs one that is not there
	RuleData       Rule = "data"       // what is observed cannot be: twice the same id, a time to come
)

// Check compares what a catalogue shows with the strategy: evidence of 7.2.2.2, item 7. It returns findings ordered by severity, the
// gravest first, then rule, subject and time; none: all is as it is owed. The error wraps [opsec.ErrInvalid]: a strategy that is not
// valid, or what was observed of another source.
//
// Limits of an incident are held against copies anywhere, those of a disaster against copies off the site. A target counts as a copy when
// it can restore, by itself, a point that is young enough. Check does not know whether a machine can be made for files: both levels
// count alike. A copy that is listed and not yet durable counts for the span between backups, not for what would be lost: list it when
// its run begins, or the span seems longer until it ends.
func Check(s Strategy, o Observed) ([]Finding, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if o.Source != s.Source || o.Tenant != s.Tenant {
		return nil, invalid("observed: source %q of tenant %q, want %q of %q", o.Source, o.Tenant, s.Source, s.Tenant)
	}
	if o.At.IsZero() {
		return nil, invalid("observed: at is zero")
	}
	c := check{view: newView(o), s: s}
	c.found = c.wrong
	c.side("", "", s.Incident())
	if s.OffSite > 0 {
		c.side(OffSite, " off the site", s.Disaster())
	}
	c.targets(OnSite, s.OnSite, s.Incident())
	c.targets(OffSite, s.OffSite, s.Disaster())
	c.copies()
	c.tests()
	slices.SortStableFunc(c.found, func(a, b Finding) int {
		return cmp.Or(b.Severity.Rank()-a.Severity.Rank(), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Subject, b.Subject), a.At.Compare(b.At))
	})
	return c.found, nil
}

type check struct {
	*view
	s     Strategy
	found []Finding
}

func (c *check) add(f Finding, format string, args ...any) {
	f.Text = fmt.Sprintf(format, args...)
	c.found = append(c.found, f)
}

// side checks spans, losses and points of the copies on a side.
func (c *check) side(side Site, where string, l Limits) {
	var last time.Time
	gap := func(until time.Time, open bool) {
		if last.IsZero() || until.Sub(last) <= l.Span || until.Before(c.Since) {
			return
		}
		f := Finding{Rule: RuleRPO, Severity: opsec.SeverityMedium, Subject: c.Source, At: last, Until: until}
		if open {
			f.Severity, f.Until = opsec.SeverityHigh, time.Time{}
			c.add(f, "no backup%s since %s, want one every %s", where, says(until.Sub(last)), says(l.Span))
			return
		}
		c.add(f, "%s between two backups%s, want at most %s", says(until.Sub(last)), where, says(l.Span))
	}
	for _, p := range c.points {
		if slices.ContainsFunc(p.Copies, func(o ObservedCopy) bool { return side == "" || o.Site == side }) {
			gap(p.Taken, false)
			last = p.Taken
		}
	}
	gap(c.At, true)

	e := c.exposure(side)
	for _, b := range e.Over(l.Loss) {
		f := Finding{Rule: RuleLoss, Severity: opsec.SeverityMedium, Subject: c.Source, At: b.From, Until: b.Until}
		if b.Open {
			f.Severity, f.Until = opsec.SeverityHigh, time.Time{}
		}
		if b.None {
			c.add(f, "there was no point%s that could be restored", where)
			continue
		}
		c.add(f, "up to %s would have been lost%s, want at most %s", says(b.Worst), where, says(l.Loss))
	}
	if len(e.Steps) == 0 {
		c.add(Finding{Rule: RuleLoss, Severity: opsec.SeverityHigh, Subject: c.Source}, "there is no point%s that can be restored", where)
	}
	c.kept(side, where)
}

// kept checks how many points there are on a side, and how far back they go.
func (c *check) kept(side Site, where string) {
	there, ever := map[int]bool{}, map[int]bool{}
	oldest, first := len(c.view.points), len(c.view.points)
	for i, list := range c.uses {
		if side != "" && c.view.targets[i].Site != side {
			continue
		}
		for _, u := range list {
			ever[u.point], first = true, min(first, u.point)
			if u.until.IsZero() || u.until.After(c.At) {
				there[u.point], oldest = true, min(oldest, u.point)
			}
		}
	}
	if len(there) < c.s.Points {
		f := Finding{Rule: RulePoints, Severity: opsec.SeverityMedium, Subject: c.Source}
		yet := ""
		if len(ever) == len(there) {
			f.Severity, yet = opsec.SeverityLow, "; there never were more"
		}
		c.add(f, "%d points can be restored%s, want %d%s", len(there), where, c.s.Points, yet)
	}
	if c.s.Reach == 0 || len(ever) == 0 || c.At.Sub(c.points[first].Taken) < c.s.Reach {
		return // it cannot reach further back than the first that ever was
	}
	if oldest == len(c.points) || c.At.Sub(c.points[oldest].Taken) < c.s.Reach {
		back := time.Duration(0)
		if oldest < len(c.points) {
			back = c.At.Sub(c.points[oldest].Taken)
		}
		c.add(Finding{Rule: RulePoints, Severity: opsec.SeverityMedium, Subject: c.Source},
			"points%s go %s back, want %s", where, says(back), says(c.s.Reach))
	}
}

// targets checks how many targets on a side hold a copy by themselves.
func (c *check) targets(side Site, want int, l Limits) {
	n := 0
	for i, list := range c.uses {
		if c.view.targets[i].Site == side && slices.ContainsFunc(list, func(u use) bool {
			return (u.until.IsZero() || u.until.After(c.At)) && c.At.Sub(c.points[u.point].Taken) <= l.Loss
		}) {
			n++
		}
	}
	if n < want {
		c.add(Finding{Rule: RuleCopies, Severity: opsec.SeverityHigh, Subject: c.Source},
			"%d targets %s can restore a point of the last %s, want %d", n, side, says(l.Loss), want)
	}
}

// copies checks each copy that is there, and the chains.
func (c *check) copies() {
	for i, p := range c.points {
		if !p.Deleted.IsZero() && !p.Deleted.After(c.At) {
			continue
		}
		if c.loops[i] {
			c.add(Finding{Rule: RuleChain, Severity: opsec.SeverityHigh, Subject: p.ID}, "what it needs ends in a loop")
		}
		for _, parent := range p.Parents {
			j, ok := c.index[parent]
			if !ok {
				c.add(Finding{Rule: RuleChain, Severity: opsec.SeverityHigh, Subject: p.ID}, "it needs %q, which is not known", parent)
			} else if d := c.points[j].Deleted; !d.IsZero() && !d.After(c.At) {
				c.add(Finding{Rule: RuleChain, Severity: opsec.SeverityHigh, Subject: p.ID, At: d}, "it needs %q, which was deleted", parent)
			}
		}
		for _, o := range p.Copies {
			c.copy(p.ID+"@"+o.Target, o)
		}
	}
}

func (c *check) copy(subject string, o ObservedCopy) {
	if o.Site != OnSite && o.Site != OffSite || o.Durable.After(c.At) || o.Verified.After(c.At) {
		c.add(Finding{Rule: RuleData, Severity: opsec.SeverityHigh, Subject: subject}, "the copy is on no side, or of a time to come")
	}
	if !o.Encrypted && !c.s.InsecurePlain {
		c.add(Finding{Rule: RuleEncryption, Severity: opsec.SeverityHigh, Subject: subject, At: o.Durable}, "the copy is not encrypted")
	}
	if !c.s.Allows(o.Region) {
		c.add(Finding{Rule: RuleRegion, Severity: opsec.SeverityHigh, Subject: subject, At: o.Durable}, "the copy is in %q, where none may be", o.Region)
	}
	late := Finding{Rule: RuleVerified, Severity: opsec.SeverityMedium, Subject: subject}
	switch {
	case o.Durable.IsZero():
	case o.Broken:
		late.Severity = opsec.SeverityHigh
		c.add(late, "the copy is damaged")
	case o.Verified.IsZero() && c.At.Sub(o.Durable) > c.s.VerifyEvery:
		late.At = o.Durable.Add(c.s.VerifyEvery)
		c.add(late, "the copy was never verified, in %s", says(c.At.Sub(o.Durable)))
	case !o.Verified.IsZero() && c.At.Sub(o.Verified) > c.s.VerifyEvery:
		late.At = o.Verified.Add(c.s.VerifyEvery)
		c.add(late, "the copy was last verified %s ago, want every %s", says(c.At.Sub(o.Verified)), says(c.s.VerifyEvery))
	}
}

// tests checks the recovery tests of each side that copies are asked for on.
func (c *check) tests() {
	for i, t := range c.Tests {
		if t.At.IsZero() || t.At.After(c.At) || t.Took < 0 || t.Site != OnSite && t.Site != OffSite {
			c.add(Finding{Rule: RuleData, Severity: opsec.SeverityHigh, Subject: t.ID}, "test %d is left out: of no side, or of a time to come", i)
		}
	}
	for _, side := range []struct {
		Site
		want int
		time time.Duration
	}{{OnSite, c.s.OnSite, c.s.RTO}, {OffSite, c.s.OffSite, c.s.Disaster().Time}} {
		if side.want > 0 {
			c.testsOf(side.Site, side.time)
		}
	}
}

func (c *check) testsOf(side Site, limit time.Duration) {
	var last, passed *ObservedTest
	for i, t := range c.Tests {
		if t.Site != side || t.At.IsZero() || t.At.After(c.At) || t.Took < 0 {
			continue
		}
		if last == nil || t.At.After(last.At) {
			last = &c.Tests[i]
		}
		if t.Passed && (passed == nil || t.At.After(passed.At)) {
			passed = &c.Tests[i]
		}
	}
	f := Finding{Rule: RuleTested, Severity: opsec.SeverityHigh, Subject: c.Source}
	if last != nil && !last.Passed {
		failed := f
		failed.Subject, failed.At = last.ID, last.At
		c.add(failed, "the last recovery test %s failed", side)
	}
	since, ok := c.first(side)
	if passed != nil {
		since, ok = passed.At, true
	}
	if ok && c.At.Sub(since) > c.s.TestEvery {
		f.At = since.Add(c.s.TestEvery)
		c.add(f, "no recovery test %s has passed in %s, want one every %s", side, says(c.At.Sub(since)), says(c.s.TestEvery))
	}
	if passed != nil && passed.Took > limit {
		c.add(Finding{Rule: RuleRTO, Severity: opsec.SeverityHigh, Subject: passed.ID, At: passed.At},
			"the recovery %s took %s, want at most %s", side, says(passed.Took), says(limit))
	}
}

// first returns when a side first had something to test.
func (c *check) first(side Site) (t time.Time, ok bool) {
	for i, list := range c.uses {
		for _, u := range list {
			if c.view.targets[i].Site == side && (!ok || u.from.Before(t)) {
				t, ok = u.from, true
			}
		}
	}
	return t, ok
}
