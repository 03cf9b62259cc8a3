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
	list, given, err := collect(c.ctx, "audits", c.s.Audits, c.from.Add(-time.Duration(e.Every)), c.end)
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
				if a.By == kind && (len(a.Scope) == 0 || slices.Contains(a.Scope, scope)) {
					times = append(times, a.Closed)
				}
			}
			if err := c.often(every, fmt.Sprintf("%s audits of %s", kind, scope), e.Every, times); err != nil {
				return err
			}
		}
	}
	for _, a := range list {
		if !a.Closed.Before(c.end) {
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
	list, given, err := collect(c.ctx, "certificates", c.s.Certificates, c.from, c.end)
	if err != nil {
		return err
	}
	for i, held := range c.a.Clause.Certification.Held {
		p := c.promise(fmt.Sprintf("clause.certification.held[%d]", i))
		var valid []timeline.Span
		var last time.Time
		var evidence string
		for _, x := range list {
			if x.Name != held.Name {
				continue
			}
			p.Looked++
			until := x.Until
			if !x.Withdrawn.IsZero() && x.Withdrawn.Before(until) {
				until = x.Withdrawn
			}
			valid = append(valid, span(x.From, until))
			if earlier(until, last, x.Evidence, evidence) > 0 {
				last, evidence = until, x.Evidence
			}
		}
		lacking := timeline.Line{c.span}.Without(timeline.Union(valid))
		switch {
		case len(lacking) == 0:
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
	list, given, err := collect(c.ctx, "documents", c.s.Documents, c.from.Add(-time.Duration(e.Keep)), c.end)
	if err != nil {
		return err
	}
	for i, name := range e.List {
		p := c.promise(fmt.Sprintf("clause.documents.list[%d]", i))
		var there []timeline.Span
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
			there = append(there, span(d.From, d.Until))
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
			lacking := timeline.Line{c.span}.Within(timeline.Span{Start: had[0].Start, End: c.span.End}).Without(had)
			if len(lacking) > 0 {
				p.find(Unavailable, name, time.UnixMilli(lacking[0].Start), "", "not to be had for %s", length(lacking.Length()))
			}
		}
	}
	return nil
}

// earlier orders statements by time, and of the same time by evidence.
func earlier(t, o time.Time, evidence, other string) int {
	return cmp.Or(t.Compare(o), cmp.Compare(evidence, other))
}
