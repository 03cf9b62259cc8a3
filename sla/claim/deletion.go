package claim

import (
	"slices"
	"time"
)

// data looks at clause 7.2.2.2.
func (c *check) data() error {
	if err := c.proof(); err != nil {
		return err
	}
	e := c.a.Clause.Data
	for _, m := range []measure{{"clause.data.physical", e.Physical}, {"clause.data.medium", e.Medium}} {
		if err := c.words(m); err != nil {
			return err
		}
	}
	if err := c.encryption(); err != nil {
		return err
	}
	if err := c.words(measure{"clause.data.access", e.Access}); err != nil {
		return err
	}
	if err := c.deletions(); err != nil {
		return err
	}
	if err := c.backups(); err != nil {
		return err
	}
	return c.words(measure{"clause.data.operations", e.Operations})
}

// deletions holds how data went beside what was promised: what was ordered, or given to others, in the period or is open.
func (c *check) deletions() error {
	e := c.a.Clause.Data.Deletion
	within := time.Duration(e.Within)
	list, given, err := collect(c, "deletions", c.s.Deletions, within)
	if err != nil {
		return err
	}
	p := c.promise("clause.data.deletion")
	if !given {
		p.unstated()
	}
	for _, d := range list {
		deleted, reused, due := c.happened(d.Deleted), c.happened(d.Reused), d.Ordered.Add(within)
		if !d.Ordered.Before(c.end) || !deleted.IsZero() && deleted.Before(c.from) {
			continue // to come, or long over
		}
		p.Looked++
		switch {
		case deleted.IsZero() && due.Before(c.end):
			p.find(Late, d.Resource, due, d.Evidence, "not deleted yet, promised was within %s", within)
		case deleted.After(due):
			p.find(Late, d.Resource, due, d.Evidence, "deleted after %s, promised is within %s", deleted.Sub(d.Ordered), within)
		}
		if !reused.IsZero() && (deleted.IsZero() || deleted.After(reused)) {
			p.find(Reused, d.Resource, reused, d.Evidence, "another customer was given it before its data was deleted")
		}
		if !deleted.IsZero() && !same(e.Method, d.Method) {
			p.find(Method, d.Resource, deleted, d.Evidence, "by %.100q, promised is %q", d.Method, e.Method)
		}
		if !deleted.IsZero() && e.Certificate && d.Certificate == "" {
			p.find(Uncertified, d.Resource, deleted, d.Evidence, "the customer got no certificate")
		}
	}
	return nil
}

// patches holds when patches came beside what was promised: those that came in the period, and those that are open.
func (c *check) patches() error {
	e := c.a.Clause.Measures.Patches
	within := time.Duration(*e.Within)
	list, given, err := collect(c, "patches", c.s.Patches, max(within, time.Duration(e.Interval)))
	if err != nil {
		return err
	}
	p, regular := c.promise("clause.measures.patches.within"), c.promise("clause.measures.patches.interval")
	if !given {
		p.unstated()
		regular.unstated()
		return nil
	}
	var times []time.Time
	for _, x := range list {
		if !in(e.Scope, x.Scope) || !x.Released.Before(c.end) {
			continue
		}
		applied, due := c.happened(x.Applied), x.Released.Add(within)
		if !applied.IsZero() {
			times = append(times, applied)
			if applied.Before(c.from) {
				continue
			}
		}
		p.Looked++
		subject := x.ID
		if x.System != "" {
			subject += " on " + x.System
		}
		switch {
		case applied.IsZero() && due.Before(c.end):
			p.find(Late, subject, due, x.Evidence, "not applied yet, promised was within %s of %s", within, x.Released.UTC().Format(time.RFC3339))
		case applied.After(due):
			p.find(Late, subject, due, x.Evidence, "applied after %s, promised is within %s", applied.Sub(x.Released), within)
		}
	}
	regular.Looked += len(times)
	return c.often(regular, "patches that were applied", e.Interval, times, c.end)
}

// in reports whether something that a statement names is in a scope: an empty one has all, and who names nothing is in all.
func in(scope []string, name string) bool {
	return len(scope) == 0 || name == "" || slices.Contains(scope, name)
}
