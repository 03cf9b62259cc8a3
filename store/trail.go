package store

import (
	"iter"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/stamp"
)

// readTrail takes from the audit trail the latest state of each record that it names.
func (c *check) readTrail(trail iter.Seq2[opsec.Event, error]) error {
	c.trail = stamp.Trail{}
	for e, err := range trail {
		if err != nil {
			return err
		}
		for _, a := range e.Attrs {
			if a.Key == AttrWrote && !c.trail.Add(a.Value) {
				return invalid("audit trail: event %s: attribute %s does not decode", e.ID, AttrWrote)
			}
		}
	}
	return nil
}

// compare holds a record against the trail, and strikes it off.
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
	h, _, ok := stamp.Cut(payload)
	if !ok {
		return c.report(ProblemRecord, id, "has no record header")
	}
	if wrong := said.Contradicts(h.Stamp); wrong != "" {
		return c.report(ProblemTrail, id, "%s", wrong)
	}
	return nil
}

// missing reports what the trail says is there and was not found.
func (c *check) missing() error {
	c.region = Problem{}
	for _, w := range c.trail {
		if w.Deleted {
			continue
		}
		if err := c.report(ProblemTrail, Key{}, "a record that the audit trail says was written is gone"); err != nil {
			return err
		}
	}
	return nil
}
