package store

import (
	"iter"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/stamp"
)

// readTrail takes from the audit trail the latest state of each record that it names.
func (c *check) readTrail(trail iter.Seq2[opsec.Event, error]) error {
	c.trail = map[string]stamp.Witness{}
	for e, err := range trail {
		if err != nil {
			return err
		}
		for _, a := range e.Attrs {
			if a.Key != AttrWrote {
				continue
			}
			for w, ok := range stamp.Witnesses(a.Value) {
				if !ok {
					return invalid("audit trail: event %s: attribute %s does not decode", e.ID, AttrWrote)
				}
				if have, ok := c.trail[w.Digest]; !ok || have.Before(w) {
					c.trail[w.Digest] = w
				}
			}
		}
	}
	return nil
}

// compare holds a record against the trail.
func (c *check) compare(key string, payload []byte, id Key) error {
	digest, err := c.db.evidence(key)
	if err != nil {
		return err
	}
	said, ok := c.trail[digest]
	if !ok {
		return nil // written without an event, or before there was a trail
	}
	delete(c.trail, digest)
	have, _, ok := stamp.Cut(payload)
	if !ok {
		return c.report(ProblemRecord, id, "has no record header")
	}
	switch {
	case have.Born < said.Born:
		return c.report(ProblemTrail, id, "is of before its last deletion: an old value was put back")
	case have.Born == said.Born && said.Deleted:
		return c.report(ProblemTrail, id, "was deleted, and is here again")
	case have.Born == said.Born && have.Writes < said.Writes:
		return c.report(ProblemTrail, id, "is its state after %d writes, and the audit trail knows of %d: an old value was put back",
			have.Writes, said.Writes)
	}
	return nil
}

// missing yields what the trail says is there and was not found.
func (c *check) missing() iter.Seq[string] {
	return func(yield func(string) bool) {
		for digest, w := range c.trail {
			if !w.Deleted && !yield(digest) {
				return
			}
		}
	}
}
