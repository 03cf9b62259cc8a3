package catalogue

import (
	"context"
	"hash/maphash"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/plan"
	"github.com/cloudopsec/opsec/store"
)

// Observed returns what [plan.Check] compares with a strategy: the points of a source, those deleted since a time included, and its
// recovery tests since then. It takes memory for each of them.
func (c *Catalogue) Observed(ctx context.Context, who opsec.Actor, tenant opsec.TenantID, source string, since time.Time) (o plan.Observed, err error) {
	o = plan.Observed{Tenant: tenant, Source: source, At: plain(c.o.Now()), Since: plain(since)}
	if since.IsZero() {
		o.Since = time.Time{}
	}
	err = c.read(ctx, who, sourceResource(tenant, source), func(sub *store.Sub) error {
		if _, err := c.source(sub, source); err != nil {
			return err
		}
		seen := map[string]bool{}
		for _, q := range []store.Query{between("time", source, time.Time{}, time.Time{}), between("gone", source, since, time.Time{})} {
			for p, err := range c.points.List(sub, q) {
				if err != nil {
					return err
				}
				if !seen[p.ID] { // its deletion may begin between the two lists
					seen[p.ID] = true
					o.Points = append(o.Points, p.observed())
				}
			}
		}
		for t, err := range c.tests.List(sub, between("", source, since, time.Time{})) {
			if err != nil {
				return err
			}
			o.Tests = append(o.Tests, t.observed())
		}
		return nil
	})
	return o, err
}

// observed is the point in the words of package plan.
func (p *Point) observed() plan.ObservedPoint {
	out := plan.ObservedPoint{ID: p.ID, Level: p.Level, Taken: p.Captured(), Parents: p.Parents, Deleted: p.Ended}
	for _, k := range p.Copies {
		if p.State != Present || k.Gone.IsZero() {
			out.Copies = append(out.Copies, plan.ObservedCopy{Target: k.Location, Site: k.Site, Region: k.Region, Durable: k.Durable,
				Encrypted: k.Key != Key{}, Verified: k.Verified, Broken: !k.Damaged.IsZero()})
		}
	}
	return out
}

// Summary is what can be shown of a source's backups over a time, for a service agreement and its audit (7.2.2.2).
type Summary struct {
	Tenant opsec.TenantID `json:"tenant"`
	Source string         `json:"source"`
	From   time.Time      `json:"from"`
	To     time.Time      `json:"to"` // when it was made, at the latest

	Points    int           `json:"points"`    // taken in the time and received by its end, those deleted since included
	Deleted   int           `json:"deleted"`   // of the source, whose deletion began in the time
	Encrypted int           `json:"encrypted"` // of Points, those whose copies are all encrypted
	OffSite   int           `json:"off_site"`  // of Points, those durable off-site
	Verified  int           `json:"verified"`  // of Points, those with a copy known to be whole
	Damaged   int           `json:"damaged"`   // of Points, those with a copy found damaged
	Span      time.Duration `json:"span"`      // nanoseconds, the longest between two backups in the time: RPO as the Recommendation defines it
	SpanFrom  time.Time     `json:"span_from,omitzero"`
	Exposure  time.Duration `json:"exposure"`   // nanoseconds, at To: since the newest point that was durable then was taken; -1: there is none
	Tests     int           `json:"tests"`      // recovery tests that ended in the time
	Passed    int           `json:"passed"`     // of Tests
	Longest   time.Duration `json:"longest"`    // nanoseconds, of those that passed
	KeptLeast time.Duration `json:"kept_least"` // nanoseconds, the shortest that one of Deleted was kept; 0: none was deleted
	Held      bool          `json:"held"`       // the source is under a hold, by now
}

// Summary returns what there is to show from one time to another, at most until now: from <= t < to. The first span begins with the
// last point before from, or with from when there is none; the last ends at to. It takes memory for 16 bytes of each point.
func (c *Catalogue) Summary(ctx context.Context, who opsec.Actor, tenant opsec.TenantID, source string, from, to time.Time) (s Summary, err error) {
	if now := plain(c.o.Now()); to.IsZero() || to.After(now) {
		to = now
	}
	if epoch := time.Unix(0, 0); from.Before(epoch) {
		from = epoch
	}
	if !from.Before(to) {
		return s, invalid("summary: from: want a time before its end")
	}
	s = Summary{Tenant: tenant, Source: source, From: plain(from), To: plain(to), Exposure: -1}
	var taken []int64
	var counted []uint64 // hashes of the ids of points that were there; the deletion of one may begin before those that go are listed
	seed := maphash.MakeSeed()
	var newest time.Time
	err = c.read(ctx, who, sourceResource(tenant, source), func(sub *store.Sub) error {
		is, err := c.source(sub, source)
		if err != nil {
			return err
		}
		s.Held = len(is.Holds) > 0
		for _, q := range []store.Query{between("time", source, time.Time{}, to), between("gone", source, time.Time{}, time.Time{})} {
			for p, err := range c.points.List(sub, q) {
				if err != nil {
					return err
				}
				if q.Index == "time" {
					counted = append(counted, maphash.String(seed, p.ID))
				} else if _, twice := slices.BinarySearch(counted, maphash.String(seed, p.ID)); twice {
					continue
				}
				if p.Received.Before(to) {
					taken = append(taken, p.Captured().UnixNano())
					if p.there(to) && p.Captured().After(newest) {
						newest = p.Captured()
					}
				}
				s.add(p)
			}
			slices.Sort(counted)
		}
		for t, err := range c.tests.List(sub, between("", source, from, to)) {
			if err != nil {
				return err
			}
			s.Tests++
			if t.Passed {
				s.Passed++
				s.Longest = max(s.Longest, t.Took)
			}
		}
		return nil
	})
	s.Span, s.SpanFrom = longest(taken, from, to)
	if !newest.IsZero() {
		s.Exposure = max(0, to.Sub(newest))
	}
	return s, err
}

// there reports whether a copy of the point was durable at a time, and not yet being deleted.
func (p *Point) there(at time.Time) bool {
	for _, k := range p.Copies {
		if !k.Durable.IsZero() && !k.Durable.After(at) && (p.Ended.IsZero() || p.Ended.After(at)) {
			return true
		}
	}
	return false
}

func (s *Summary) add(p *Point) {
	if p.State != Present && !p.Ended.Before(s.From) && p.Ended.Before(s.To) {
		if kept := p.KeptFor(p.Ended); s.Deleted == 0 || kept < s.KeptLeast {
			s.KeptLeast = kept
		}
		s.Deleted++
	}
	if at := p.Captured(); at.Before(s.From) || !at.Before(s.To) || !p.Received.Before(s.To) {
		return
	}
	s.Points++
	plain, off, whole, damaged := 0, false, false, false
	for _, k := range p.Copies {
		if k.Key == (Key{}) {
			plain++
		}
		off = off || k.Site == plan.OffSite && !k.Durable.IsZero() && k.Durable.Before(s.To)
		whole = whole || !k.Verified.IsZero() && k.Damaged.IsZero()
		damaged = damaged || !k.Damaged.IsZero()
	}
	count := func(n *int, is bool) {
		if is {
			*n++
		}
	}
	count(&s.Encrypted, plain == 0 && len(p.Copies) > 0)
	count(&s.OffSite, off)
	count(&s.Verified, whole)
	count(&s.Damaged, damaged)
}
