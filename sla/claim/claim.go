package claim

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// Report says how the promises of a period were kept, as far as others have stated.
type Report struct {
	Agreement string        `json:"agreement"` // id
	Digest    string        `json:"digest"`    // of the agreement
	Span      timeline.Span `json:"span"`      // of the period, the part in which the agreement was in force
	AsOf      time.Time     `json:"asOf"`      //
	Promises  []Promise     `json:"promises"`  // in the agreement's order
	Unclaimed []Finding     `json:"unclaimed,omitempty"`
}

// Promise is one thing that an agreement says, beside what was stated.
type Promise struct {
	Path     string        `json:"path"` // in the agreement, such as "clause.data.backup.rpo"
	Verdict  ratio.Verdict `json:"verdict"`
	Looked   int           `json:"looked"`             // statements that were about it, in time; of none it is not met
	Broken   int           `json:"broken,omitempty"`   // findings, all of them
	Findings []Finding     `json:"findings,omitempty"` // the first of them by time, up to [MaxFindings]
}

// MaxFindings is how many findings a promise lists.
const MaxFindings = 100

// Finding is something that was stated, or not, and is not as promised.
type Finding struct {
	Rule     Rule           `json:"rule"`
	Severity opsec.Severity `json:"severity"`
	Subject  string         `json:"subject,omitempty"` // the system, point, patch, ...
	At       time.Time      `json:"at,omitzero"`       // since when it was so; zero: not known
	Text     string         `json:"text"`
	Evidence string         `json:"evidence,omitempty"` // of the statement; empty: there is none
}

// Rule names how a statement differs from a promise.
type Rule string

// The rules.
const (
	Unstated     Rule = "unstated"    // nobody says whether it is so: the verdict is open
	Unclaimed    Rule = "unclaimed"   // stated, and nothing is promised of it
	Stale        Rule = "stale"       // nobody has looked in the period, or until its end: the verdict is open
	InClear      Rule = "in-clear"    // not encrypted
	Algorithm    Rule = "algorithm"   // another one than promised
	KeyOwner     Rule = "key-owner"   // another one than promised
	Exposed      Rule = "exposed"     // more could have been lost
	FewCopies    Rule = "few-copies"  // fewer than promised
	DeletedEarly Rule = "early"       // kept shorter than promised
	KeptLong     Rule = "kept-long"   // kept longer than the law allows
	Slow         Rule = "slow"        // a restore took longer than promised
	Failed       Rule = "failed"      // a test or a look did not pass
	Seldom       Rule = "seldom"      // not as often as promised
	Late         Rule = "late"        // done after its time, or still not
	Reused       Rule = "reused"      // given to another customer with data on it
	Method       Rule = "method"      // another one than promised
	Uncertified  Rule = "uncertified" // no certificate of it
	Hidden       Rule = "hidden"      // customers cannot see it yet: the verdict is open
	Lapsed       Rule = "lapsed"      // a certificate that was not valid
	Unavailable  Rule = "unavailable" // a document that cannot be had
	Format       Rule = "format"      // another one than promised
)

// severity grades a rule.
func (r Rule) severity() opsec.Severity {
	switch r {
	case Unclaimed:
		return opsec.SeverityInfo
	case Unstated, Stale, Hidden, Format:
		return opsec.SeverityLow
	case Unavailable, Seldom, Method:
		return opsec.SeverityMedium
	case InClear, Reused:
		return opsec.SeverityCritical
	}
	return opsec.SeverityHigh
}

// open reports whether a finding leaves the verdict open.
func (r Rule) open() bool { return r == Unstated || r == Stale || r == Hidden }

// Verdict returns the worst verdict of all promises; of none it is undecided.
func (r *Report) Verdict() ratio.Verdict {
	worst := ratio.Met
	if len(r.Promises) == 0 {
		worst = ratio.Undecided
	}
	for _, p := range r.Promises {
		if p.Verdict == ratio.Breach || worst == ratio.Met {
			worst = p.Verdict
		}
	}
	return worst
}

// Check holds the promises of an agreement for a period beside what the sources state. Nothing after as-of is believed, but
// until when something holds. It is an error that wraps [opsec.ErrInvalid] when the agreement is not valid, was not in force in
// the period or nothing of the period is known yet, and when a statement makes no sense or has no evidence; errors of sources
// are returned as well.
func Check(ctx context.Context, a *sla.Agreement, s Sources, from, until, asOf time.Time) (*Report, error) {
	if a == nil {
		return nil, fmt.Errorf("claim: no agreement: %w", opsec.ErrInvalid)
	}
	if err := a.Validate(); err != nil {
		return nil, fmt.Errorf("claim: agreement: %w", err)
	}
	digest, err := a.Digest()
	if err != nil {
		return nil, fmt.Errorf("claim: agreement: %w", err)
	}
	span := timeline.Span{Start: max(from.UnixMilli(), a.Effective.UnixMilli()), End: until.UnixMilli()}
	if !a.Expires.IsZero() {
		span.End = min(span.End, a.Expires.UnixMilli())
	}
	c := &check{ctx: ctx, a: a, s: s, whole: span, asOf: asOf}
	span.End = min(span.End, asOf.UnixMilli())
	if y := from.UTC().Year(); y < 1900 || until.UTC().Year() > 9999 || span.Start >= span.End {
		return nil, fmt.Errorf("claim: period: nothing of it in which the agreement was in force is known: %w", opsec.ErrInvalid)
	}
	c.span = span
	c.from, c.end = time.UnixMilli(span.Start).UTC(), time.UnixMilli(span.End).UTC()
	c.r = &Report{Agreement: a.ID, Digest: digest, Span: c.whole, AsOf: asOf.UTC()}
	for _, step := range []func() error{c.data, c.measures, c.audits, c.certificates, c.documents} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	c.settle()
	return c.r, nil
}

// check is a report on its way.
type check struct {
	ctx       context.Context
	a         *sla.Agreement
	s         Sources
	whole     timeline.Span // of the period, while the agreement was in force
	span      timeline.Span // what of it is known
	from, end time.Time     // of span
	asOf      time.Time
	r         *Report
	paths     []string
	promises  map[string]*Promise
	proofs    map[string][]Proof
	proven    bool // there is a source of proofs
}

// promise returns the entry of a path, and makes it where there is none.
func (c *check) promise(path string) *Promise {
	if p := c.promises[path]; p != nil {
		return p
	}
	if c.promises == nil {
		c.promises = map[string]*Promise{}
	}
	p := &Promise{Path: path, Verdict: ratio.Met}
	c.promises[path] = p
	c.paths = append(c.paths, path)
	return p
}

// find notes a finding.
func (p *Promise) find(rule Rule, subject string, at time.Time, evidence, format string, args ...any) {
	p.Findings = append(p.Findings, Finding{rule, rule.severity(), subject, utc(at), fmt.Sprintf(format, args...), evidence})
	switch {
	case !rule.open():
		p.Verdict = ratio.Breach
	case p.Verdict == ratio.Met:
		p.Verdict = ratio.Undecided
	}
}

// utc leaves zero as it is.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Round(0)
}

// unstated says that nothing was stated.
func (p *Promise) unstated() {
	p.find(Unstated, "", time.Time{}, "", "nobody states whether it is so")
}

// settle puts everything in order, and closes no verdict of which nobody has stated anything, nor before the period ends.
func (c *check) settle() {
	for _, path := range c.paths {
		p := c.promises[path]
		if c.prove(p); p.Verdict == ratio.Met && p.Looked == 0 {
			p.unstated()
		}
		if p.Verdict == ratio.Met && c.span != c.whole {
			p.Verdict = ratio.Undecided
		}
		order(p.Findings)
		p.Findings = slices.Compact(p.Findings) // what is stated twice is one thing
		p.Broken = len(p.Findings)
		p.Findings = p.Findings[:min(len(p.Findings), MaxFindings)]
		c.r.Promises = append(c.r.Promises, *p)
	}
	for path, list := range c.proofs {
		for _, x := range list {
			c.unclaimed(path, x.At, x.Evidence, "no promise has this path")
		}
	}
	order(c.r.Unclaimed)
	c.r.Unclaimed = slices.Compact(c.r.Unclaimed)
	c.r.Unclaimed = c.r.Unclaimed[:min(len(c.r.Unclaimed), MaxFindings)]
}

// unclaimed notes a statement of what nobody has promised.
func (c *check) unclaimed(subject string, at time.Time, evidence, text string) {
	c.r.Unclaimed = append(c.r.Unclaimed, Finding{Unclaimed, Unclaimed.severity(), subject, utc(at), text, evidence})
}

func order(list []Finding) {
	slices.SortFunc(list, func(a, b Finding) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Text, b.Text), cmp.Compare(a.Evidence, b.Evidence))
	})
}

// happened returns a moment as it is known at the end of what is judged: zero when it was still to come.
func (c *check) happened(t time.Time) time.Time {
	if t.Before(c.end) {
		return t
	}
	return time.Time{}
}

// often judges that something was done at least every so often, until a moment: at none was the last time longer ago. The first is
// due that long after the agreement came into force.
func (c *check) often(p *Promise, what string, every metric.Duration, times []time.Time, until time.Time) error {
	judged := timeline.Span{Start: c.span.Start, End: min(c.span.End, until.UnixMilli())}
	if judged.Start >= judged.End {
		return nil
	}
	points := []metric.Point{{Taken: c.a.Effective.UnixMilli(), Usable: c.a.Effective.UnixMilli()}}
	last := c.a.Effective
	for _, t := range times {
		if t.IsZero() || !t.Before(c.end) {
			continue
		}
		points = append(points, metric.Point{Taken: t.UnixMilli(), Usable: t.UnixMilli()})
		if t.After(last) {
			last = t
		}
	}
	x, err := metric.Expose(points, uint64(time.Duration(every).Milliseconds()), judged)
	if err != nil {
		return fmt.Errorf("claim: %s: %w", p.Path, err)
	}
	if x.Kept.Bad > 0 {
		p.find(Seldom, what, last, "", "up to %s ago, promised is every %s; the last was then", length(x.Most), time.Duration(every))
	}
	return nil
}

// length writes milliseconds as a duration.
func length(ms uint64) time.Duration {
	return time.Duration(min(ms, uint64(1<<63-1)/1e6)) * time.Millisecond
}
