package claim

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/cloudopsec/opsec/sla/timeline"
)

// audits looks at clause 7.2.2.5: audits by each kind of auditors, and of all of the scope, come as often as promised, and
// customers can see the results of those that were closed in the period.
func (c *check) audits() error {
	e := c.a.Clause.Audit
	list, given, err := collect(c, "audits", c.s.Audits, time.Duration(e.Every))
	if err != nil {
		return err
	}
	every, visible := c.promise("clause.audit.every"), c.promise("clause.audit.visible")
	if !given {
		every.unstated()
		visible.unstated()
		return nil
	}
	kinds := []string{e.By}
	if e.By == "both" {
		kinds = []string{"internal", "third-party"}
	}
	for _, kind := range kinds {
		for _, scope := range e.Scope {
			var times []time.Time
			for _, a := range list {
				if a.By == kind && slices.Contains(a.Scope, scope) {
					times = append(times, a.Closed)
				}
			}
			if err := c.often(every, fmt.Sprintf("%s audits of %s", kind, scope), e.Every, times, c.end); err != nil {
				return err
			}
		}
	}
	for _, a := range list {
		promised := slices.Contains(kinds, a.By) && slices.ContainsFunc(a.Scope, func(s string) bool { return slices.Contains(e.Scope, s) })
		if !promised || !a.Closed.Before(c.end) {
			continue
		}
		every.Looked++
		if a.Closed.Before(c.from) {
			continue
		}
		visible.Looked++
		if a.Published.IsZero() || a.Published.After(c.asOf) {
			visible.find(Hidden, a.ID, a.Closed, a.Evidence, "customers cannot see the results yet")
		}
	}
	if visible.Looked == 0 {
		visible.find(Unstated, "", time.Time{}, "", "no audit was closed in the period")
	}
	return nil
}

// certificates looks at clause 7.2.2.7: each certificate was valid all of the time, and staff is trained.
func (c *check) certificates() error {
	list, given, err := collect(c, "certificates", c.s.Certificates, 0)
	if err != nil {
		return err
	}
	type paper struct { // what may be stated more than once
		name        string
		from, until int64
	}
	of := func(x Certificate) paper { return paper{x.Name, x.From.UnixMilli(), x.Until.UnixMilli()} }
	withdrawn := map[paper]time.Time{}
	for _, x := range list {
		if w, ok := withdrawn[of(x)]; !x.Withdrawn.IsZero() && (!ok || x.Withdrawn.Before(w)) {
			withdrawn[of(x)] = x.Withdrawn
		}
	}
	for i, held := range c.a.Clause.Certification.Held {
		p := c.promise(fmt.Sprintf("clause.certification.held[%d]", i))
		var valid, seen []timeline.Span
		var last time.Time
		var evidence string
		for _, x := range list {
			if x.Name != held.Name {
				continue
			}
			p.Looked++
			until := x.Until
			if w, ok := withdrawn[of(x)]; ok && w.Before(until) {
				until = w
			}
			valid, seen = append(valid, span(x.From, until)), append(seen, span(x.From, first(until, x.Seen)))
			if earlier(until, last, x.Evidence, evidence) > 0 {
				last, evidence = until, x.Evidence
			}
		}
		lacking := timeline.Line{c.span}.Without(timeline.Union(valid))
		unseen := timeline.Line{c.span}.Without(timeline.Union(seen))
		switch {
		case len(unseen) == 0:
		case len(lacking) == 0:
			p.find(Stale, held.Name, time.UnixMilli(unseen[0].Start), evidence, "nobody has looked since whether it was withdrawn")
		case !given || p.Looked == 0 && held.Expires.After(c.end):
			p.unstated()
		default:
			p.find(Lapsed, held.Name, time.UnixMilli(lacking[0].Start), evidence, "not valid for %s", length(lacking.Length()))
		}
	}
	return c.words(measure{"clause.certification.training", c.a.Clause.Certification.Training})
}

// documents looks at clause 7.2.2.8: each document can be had from when it first was, in one of the formats, and for as long
// as promised.
func (c *check) documents() error {
	e := c.a.Clause.Documents
	list, given, err := collect(c, "documents", c.s.Documents, time.Duration(e.Keep))
	if err != nil {
		return err
	}
	type issue struct { // what may be stated more than once
		name, format string
		from         int64
	}
	of := func(d Document) issue { return issue{d.Name, d.Format, d.From.UnixMilli()} }
	gone := map[issue]time.Time{}
	for _, d := range list {
		gone[of(d)] = first(gone[of(d)], d.Until)
	}
	for i, name := range e.List {
		p := c.promise(fmt.Sprintf("clause.documents.list[%d]", i))
		var there, seen []timeline.Span
		var last time.Time
		var evidence string // of who looked last
		var other *Document
		for _, d := range list {
			if d.Name != name || !d.From.Before(c.end) {
				continue
			}
			p.Looked++
			if !slices.Contains(e.Formats, d.Format) {
				if other == nil || earlier(d.From, other.From, d.Evidence, other.Evidence) < 0 {
					other = &d
				}
				continue
			}
			if earlier(d.Seen, last, d.Evidence, evidence) > 0 {
				last, evidence = d.Seen, d.Evidence
			}
			until := gone[of(d)]
			there, seen = append(there, span(d.From, until)), append(seen, span(d.From, first(until, d.Seen)))
			if gone := c.happened(d.Until); !gone.IsZero() && !gone.Before(c.from) && gone.Sub(d.From) < time.Duration(e.Keep) {
				p.find(DeletedEarly, name, gone, d.Evidence, "there for %s, promised is %s", gone.Sub(d.From), time.Duration(e.Keep))
			}
		}
		had := timeline.Union(there)
		switch {
		case !given:
			p.unstated()
		case len(had) == 0 && c.span != c.whole:
			p.unstated() // it may still come
		case len(had) == 0 && other != nil:
			p.find(Format, name, other.From, other.Evidence, "as %.100s alone, promised is one of %q", other.Format, e.Formats)
		case len(had) == 0:
			p.find(Unavailable, name, c.from, "", "not to be had at any time")
		default:
			due := timeline.Line{c.span}.Within(timeline.Span{Start: had[0].Start, End: c.span.End})
			if lacking := due.Without(had); len(lacking) > 0 {
				p.find(Unavailable, name, time.UnixMilli(lacking[0].Start), "", "not to be had for %s", length(lacking.Length()))
			} else if unseen := due.Without(timeline.Union(seen)); len(unseen) > 0 {
				p.find(Stale, name, time.UnixMilli(unseen[0].Start), evidence, "nobody has looked since whether it can be had")
			}
		}
	}
	return nil
}

// first returns the earlier of two moments, of which one that is zero never comes.
func first(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// earlier orders statements by time, and of the same time by evidence.
func earlier(t, o time.Time, evidence, other string) int {
	return cmp.Or(t.Compare(o), cmp.Compare(evidence, other))
}
