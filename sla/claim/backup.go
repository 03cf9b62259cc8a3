package claim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// span returns the time between two moments; a zero end never comes.
func span(from, until time.Time) timeline.Span {
	s := timeline.Span{Start: from.UnixMilli(), End: 1<<63 - 1}
	if !until.IsZero() {
		s.End = until.UnixMilli()
	}
	return s
}

// backups holds which points there were, where, for how long, and what came of restores, beside what was promised, and
// beside the law of each jurisdiction.
func (c *check) backups() error {
	b, laws := c.a.Clause.Data.Backup, c.a.Clause.Data.Compliance
	back := max(b.Retention, b.TestEvery)
	for _, l := range laws {
		for _, d := range []*metric.Duration{l.KeepLeast, l.KeepMost} {
			if d != nil {
				back = max(back, *d)
			}
		}
	}
	list, given, err := collect(c, "backups", c.s.Backups, time.Duration(back))
	if err != nil {
		return err
	}
	stated := func(path string) *Promise {
		p := c.promise(path)
		if !given || len(list) == 0 {
			p.unstated()
		}
		return p
	}
	rpo, rto, kept := stated("clause.data.backup.rpo"), stated("clause.data.backup.rto"), stated("clause.data.backup.retention")
	var on, off *Promise // where copies are promised
	if b.OnSite > 0 {
		on = stated("clause.data.backup.onSite")
	}
	if b.OffSite > 0 {
		off = stated("clause.data.backup.offSite")
	}
	tests := stated("clause.data.backup.testEvery")
	for _, s := range list {
		since := s.Since
		if since.IsZero() {
			since = c.from
		}
		judged := timeline.Line{c.span}.And(timeline.Line{span(since, first(s.Until, s.Seen))})
		if len(judged) > 0 {
			if err := c.exposure(rpo, s, uint64(time.Duration(*b.RPO).Milliseconds()), judged[0]); err != nil {
				return err
			}
		}
		for _, x := range s.Points {
			c.copies(on, s, x, false, b.OnSite, time.Duration(*b.RPO), judged)
			c.copies(off, s, x, true, b.OffSite, time.Duration(*b.RPO), judged)
			c.kept(kept, s, x, time.Duration(b.Retention), s.Until)
		}
	}
	for i, l := range laws {
		if l.KeepLeast != nil {
			p := stated(fmt.Sprintf("clause.data.compliance[%d].keepLeast", i))
			each(list, func(s Backup, x Point) { c.kept(p, s, x, time.Duration(*l.KeepLeast), time.Time{}) })
		}
		if l.KeepMost != nil {
			p := stated(fmt.Sprintf("clause.data.compliance[%d].keepMost", i))
			each(list, func(s Backup, x Point) { c.long(p, s, x, time.Duration(*l.KeepMost)) })
		}
	}
	for _, s := range list {
		if !s.Seen.Before(c.end) {
			continue
		}
		for _, path := range c.paths {
			if strings.HasPrefix(path, "clause.data.backup.") || strings.HasPrefix(path, "clause.data.compliance[") {
				c.promise(path).find(Stale, s.Source, s.Seen, s.Evidence, "nobody has looked since")
			}
		}
	}
	if len(list) == 0 {
		return nil
	}
	c.restores(rto, list, time.Duration(b.RTO), time.Duration(b.TestEvery))
	return c.tests(tests, list, b.TestEvery)
}

// each calls a function for every point.
func each(list []Backup, f func(Backup, Point)) {
	for _, s := range list {
		for _, x := range s.Points {
			f(s, x)
		}
	}
}

// exposure judges what could have been lost of a source in a time.
func (c *check) exposure(p *Promise, s Backup, rpo uint64, judged timeline.Span) error {
	var points []metric.Point
	if !s.Since.IsZero() {
		points = append(points, metric.Point{Taken: s.Since.UnixMilli(), Usable: s.Since.UnixMilli()}) // there was nothing to lose
	}
	for _, x := range s.Points {
		for _, copied := range x.Copies {
			if copied.Durable.IsZero() {
				continue
			}
			one := metric.Point{Taken: x.Taken.UnixMilli(), Usable: copied.Durable.UnixMilli()}
			if !copied.Gone.IsZero() {
				one.Lost = copied.Gone.UnixMilli()
			}
			points = append(points, one)
		}
	}
	p.Looked++
	x, err := metric.Expose(points, rpo, judged)
	if err != nil {
		return fmt.Errorf("claim: %s: %w", p.Path, err)
	}
	if x.Kept.Bad > 0 {
		text := fmt.Sprintf("for %s more than %s would have been lost, up to %s", length(x.Kept.Bad), length(rpo), length(x.Most))
		if x.None > 0 {
			text += fmt.Sprintf("; for %s there was no point to go back to", length(x.None))
		}
		p.find(Exposed, s.Source, time.Time{}, s.Evidence, "%s", text)
	}
	return nil
}

// copies judges that a point had as many copies on a side as promised, from the recovery point objective after it was taken
// until the last of its copies went. A point that was never copied anywhere is none.
func (c *check) copies(p *Promise, s Backup, x Point, off bool, want int, rpo time.Duration, judged timeline.Line) {
	if p == nil {
		return
	}
	var side, all []timeline.Span
	for _, copied := range x.Copies {
		if copied.Durable.IsZero() {
			continue
		}
		all = append(all, span(copied.Durable, copied.Gone))
		if copied.OffSite == off {
			side = append(side, span(copied.Durable, copied.Gone))
		}
	}
	due := timeline.Union(all).And(timeline.Line{span(x.Taken.Add(rpo), time.Time{})}).And(judged)
	if len(due) > 0 {
		p.Looked++
	}
	lacking := due.Without(deep(side, want))
	if len(lacking) > 0 {
		p.find(FewCopies, s.Source+": "+x.ID, time.UnixMilli(lacking[0].Start), s.Evidence, "fewer than %d copies for %s", want, length(lacking.Length()))
	}
}

// deep returns when so many spans or more were there at once.
func deep(list []timeline.Span, want int) timeline.Line {
	type edge struct {
		at   int64
		step int
	}
	var edges []edge
	for _, s := range list {
		if s.Start < s.End {
			edges = append(edges, edge{s.Start, 1}, edge{s.End, -1})
		}
	}
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Compare(a.at, b.at) }) // where one ends and another begins does not matter: Union joins
	var out []timeline.Span
	there, since := 0, int64(0)
	for _, e := range edges {
		if there += e.step; there == want && e.step > 0 {
			since = e.at
		} else if there == want-1 && e.step < 0 {
			out = append(out, timeline.Span{Start: since, End: e.at})
		}
	}
	return timeline.Union(out)
}

// gone returns when the last copy of a point went: zero while there is one. The second result is false when there was none ever.
func (c *check) gone(x Point) (last time.Time, ever bool) {
	for _, copied := range x.Copies {
		if c.happened(copied.Durable).IsZero() {
			continue
		}
		if ever = true; c.happened(copied.Gone).IsZero() {
			return time.Time{}, true
		}
		if copied.Gone.After(last) {
			last = copied.Gone
		}
	}
	return last, ever
}

// kept judges that a point was kept for as long as promised, or until its source ceased: from then on the promise of deletion
// holds, and what the law asks for, which knows no such end.
func (c *check) kept(p *Promise, s Backup, x Point, least time.Duration, ceased time.Time) {
	last, ever := c.gone(x)
	if !ever || !last.IsZero() && last.Before(c.from) {
		return // not there, or long gone
	}
	p.Looked++
	if !last.IsZero() && last.Sub(x.Taken) < least && (ceased.IsZero() || last.Before(ceased)) {
		p.find(DeletedEarly, s.Source+": "+x.ID, last, s.Evidence, "kept for %s, promised is %s", last.Sub(x.Taken), least)
	}
}

// restores judges how long restores of the period took. If there was none, the newest before stands for them when it was
// good, and not longer before than tests are promised.
func (c *check) restores(p *Promise, list []Backup, rto, every time.Duration) {
	var newest *Restore
	for _, s := range list {
		for _, r := range s.Restores {
			if !r.Ended.Before(c.end) {
				continue
			}
			r.ID, r.Evidence = s.Source+": "+r.ID, cmp.Or(r.Evidence, s.Evidence)
			if newest == nil || newer(r, *newest, rto) {
				newest = &r
			}
			if r.Ended.Before(c.from) {
				continue
			}
			p.Looked++
			switch {
			case !r.Passed:
				p.find(Failed, r.ID, r.Ended, r.Evidence, "the restore failed after %s", r.Took)
			case r.Took > rto:
				p.find(Slow, r.ID, r.Ended, r.Evidence, "it took %s, promised is %s", r.Took, rto)
			}
		}
	}
	switch {
	case p.Looked > 0:
	case newest == nil || !newest.good(rto):
		p.find(Unstated, "", time.Time{}, "", "there was no restore in the period, and no good one was the last before")
	case newest.Ended.Before(c.from.Add(-every)):
		p.find(Stale, newest.ID, newest.Ended, newest.Evidence, "there was no restore in the period, and the last before is older than %s", every)
	default:
		p.Looked++
	}
}

func (r Restore) good(rto time.Duration) bool { return r.Passed && r.Took <= rto }

// newer orders restores by when they ended, and those of the same time so that a bad one is the newest.
func newer(a, b Restore, rto time.Duration) bool {
	if a.good(rto) != b.good(rto) && a.Ended.Equal(b.Ended) {
		return b.good(rto)
	}
	return cmp.Or(a.Ended.Compare(b.Ended), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Evidence, b.Evidence)) > 0
}

// tests judges that restores were tested often enough: of any source.
func (c *check) tests(p *Promise, list []Backup, every metric.Duration) error {
	var times []time.Time
	var seen time.Time
	for _, s := range list {
		if s.Seen.After(seen) {
			seen = s.Seen
		}
		for _, r := range s.Restores {
			if !r.Ended.Before(c.end) {
				continue
			}
			if p.Looked++; r.Passed {
				times = append(times, r.Ended)
			}
		}
	}
	return c.often(p, "restores that passed", every, times, first(seen, c.end))
}

// long judges that a point was not kept for longer than is allowed.
func (c *check) long(p *Promise, s Backup, x Point, most time.Duration) {
	last, ever := c.gone(x)
	due := x.Taken.Add(most)
	if !ever || !last.IsZero() && last.Before(c.from) {
		return
	}
	p.Looked++
	switch {
	case last.IsZero() && s.Seen.Before(c.from): // it may have gone before the period
	case last.IsZero() && due.Before(first(s.Seen, c.end)):
		p.find(KeptLong, s.Source+": "+x.ID, due, s.Evidence, "still kept, allowed is %s", most)
	case last.After(due):
		p.find(KeptLong, s.Source+": "+x.ID, due, s.Evidence, "kept for %s, allowed is %s", last.Sub(x.Taken), most)
	}
}
