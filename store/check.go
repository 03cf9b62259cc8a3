package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/layout"
	"github.com/cloudopsec/opsec/internal/slot"
	"github.com/cloudopsec/opsec/internal/stamp"
	"github.com/cloudopsec/opsec/store/tuple"
)

// ProblemKind says what a [Problem] is about.
type ProblemKind string

// The kinds of problems that [DB.Check] finds.
const (
	ProblemSeal    ProblemKind = "seal"    // a value does not open under its key, or is not sealed in a sealed store
	ProblemRecord  ProblemKind = "record"  // a record does not decode, or is of a newer version
	ProblemIndex   ProblemKind = "index"   // an entry is missing, or stands for a record that does not ask for it
	ProblemGuard   ProblemKind = "guard"   // a guarded collection has records and no guard
	ProblemOutbox  ProblemKind = "outbox"  // a row is no valid event, or has waited for long
	ProblemMarker  ProblemKind = "marker"  // a commit marker does not decode, or is due to be swept
	ProblemTrail   ProblemKind = "trail"   // a record is older than the audit trail says, was deleted by it, or is gone
	ProblemForeign ProblemKind = "foreign" // a key is none that this package writes
)

// Problem is one thing that is not as it should be.
type Problem struct {
	Kind       ProblemKind
	Tenant     opsec.TenantID // where it belongs to one
	Collection string         // the collection, or "outbox", "marker", "notes"
	ID         Key            // of the record, where it is known
	Detail     string         // never the content
}

func (p Problem) String() string {
	return fmt.Sprintf("%s: %s/%s %s: %s", p.Kind, p.Tenant, p.Collection, p.ID, p.Detail)
}

// Part is a [*Collection], of whatever type.
type Part interface {
	Name() string
	// inspect decodes a payload and returns the index entries that it asks for, and whether there must be a guard.
	inspect(s *Sub, id string, payload []byte) (entries []entry, guarded bool, err error)
	// asked reports whether the record behind an index entry asks for it.
	asked(s *Sub, key string) (bool, error)
}

func (c *Collection[T]) inspect(s *Sub, id string, payload []byte) ([]entry, bool, error) {
	r, err := c.decode(Item{Value: payload})
	if err != nil {
		return nil, false, err
	}
	if c.id(r.value).Encode() != id {
		return nil, false, &CorruptError{Collection: c.name, Reason: "stands under another id"}
	}
	entries, err := c.entries(s, r.value)
	return entries, c.guarded, err
}

// CheckOptions are what [DB.Check] may have beside the store.
type CheckOptions struct {
	// Trail is the audit trail that has the store's events, such as audit.ReadFile yields. With it Check finds records
	// that somebody has put back to an older state, brought back after their deletion, or removed, as far as events
	// were emitted with the writes ([AttrWrote]). It is read first and held in memory, some 100 bytes a record. A
	// deletion whose event is not in the trail yet looks like a removal: deliver before, and compare at rest. A record
	// inserted again under the id of a deleted one, by a node whose clock is behind the insertion of the first, looks
	// like an old one: clocks must agree better than records are deleted and inserted again.
	Trail iter.Seq2[opsec.Event, error]
	// Late is how long an event may wait in the outbox before it is a problem; 0 is an hour.
	Late time.Duration
}

// Check reads the whole store and yields what is wrong: values that do not open, records that do not decode, indexes
// and guards that disagree with the records, an outbox that is not emptied, markers left behind. Of collections that are
// not among parts, only the seals are checked. Others may read and write meanwhile: what looks wrong
// is looked at again, at one point in time. An error that is yielded is the last; it is not about the content.
func (db *DB) Check(ctx context.Context, o *CheckOptions, parts ...Part) iter.Seq2[Problem, error] {
	return func(yield func(Problem, error) bool) {
		if o == nil {
			o = &CheckOptions{}
		}
		c := &check{db: db, late: o.Late, parts: map[string]Part{}, yield: yield}
		if c.late == 0 {
			c.late = time.Hour
		}
		c.tx = &Tx{ctx: ctx, db: db, mode: viewing}
		for _, p := range parts {
			c.parts[p.Name()] = p
		}
		if err := c.run(ctx, o); err != nil && err != errStop {
			yield(Problem{}, err)
		}
	}
}

// check is the state of one run.
type check struct {
	db     *DB
	tx     *Tx // to look again
	late   time.Duration
	parts  map[string]Part // by name
	yield  func(Problem, error) bool
	trail  stamp.Trail // by the digest of the record's key; nil without a trail
	guard  string      // the last one seen to be there
	region Problem     // tenant and collection of the value in hand
}

func (c *check) run(ctx context.Context, o *CheckOptions) error {
	if o.Trail != nil {
		if err := c.readTrail(o.Trail); err != nil {
			return err
		}
	}
	for item, err := range Scan(ctx, c.db.driver, Range{}) {
		if err != nil {
			return err
		}
		if err := c.one(item); err != nil {
			return err
		}
	}
	return c.missing()
}

func (c *check) report(kind ProblemKind, id Key, format string, args ...any) error {
	p := c.region
	p.Kind, p.ID, p.Detail = kind, id, fmt.Sprintf(format, args...)
	if !c.yield(p, nil) {
		return errStop
	}
	return nil
}

// one checks what is under one raw key.
func (c *check) one(item Item) error {
	texts, rest := layout.Split(item.Key, 2)
	c.region = Problem{Collection: layout.Owner(item.Key)}
	switch {
	case len(texts) > 0 && texts[0] == layout.Marker:
		_, at, ok := slot.Parse(item.Value)
		if !ok {
			return c.report(ProblemMarker, Key{}, "does not decode")
		}
		if age := c.db.now().Sub(at); age > 2*markerAge {
			return c.report(ProblemMarker, Key{}, "not used for %s and not swept", age.Round(time.Hour))
		}
		return nil
	case len(texts) < 2 || !slices.Contains([]string{layout.Tenant, layout.Outbox, layout.Notes}, texts[0]):
		return c.report(ProblemForeign, Key{}, "a key of %d bytes that is none of this package", len(item.Key))
	}
	payload, err := c.db.open(item)
	if texts[0] == layout.Tenant {
		if c.region.Tenant = opsec.TenantID(texts[1]); c.region.Tenant.Validate() != nil {
			c.region.Tenant = ""
			return c.report(ProblemForeign, Key{}, "a key of a tenant whose id is not valid")
		}
		names, id := layout.Split(rest, 2)
		if len(names) < 2 {
			return c.report(ProblemForeign, Key{}, "a key below a tenant that is none of this package")
		}
		if err != nil {
			return c.report(ProblemSeal, readable(names[0], id), "%v", err)
		}
		return c.ofTenant(item, payload, names[0], names[1], id)
	}
	if err != nil {
		return c.report(ProblemSeal, Key{}, "%v", err)
	}
	if texts[0] == layout.Outbox {
		return c.waiting(payload)
	}
	return nil
}

// readable returns the id of a record, for a report.
func readable(kind, id string) Key {
	k, err := tuple.Parse(id)
	if err != nil || kind != layout.Record {
		return Key{}
	}
	return k
}

func (c *check) waiting(payload []byte) error {
	e := new(opsec.Event)
	if err := json.Unmarshal(payload, e); err != nil || e.Validate() != nil {
		return c.report(ProblemOutbox, Key{}, "a row is no valid event")
	}
	if age := c.db.now().Sub(e.Time); age > c.late {
		return c.report(ProblemOutbox, Key{}, "an event %s has waited for %s", e.Action, age.Round(time.Second))
	}
	return nil
}

func (c *check) ofTenant(item Item, payload []byte, kind, name, id string) error {
	s := c.tx.Sub(c.region.Tenant)
	part := c.parts[name]
	switch kind {
	case layout.Guard:
		c.guard = item.Key
		return nil
	case layout.Record:
		return c.record(s, item, payload, part, id)
	case layout.Index:
		if part == nil {
			return nil
		}
		for range 3 { // its record may have moved between two reads
			ok, err := part.asked(s, item.Key)
			_, corrupt := errors.AsType[*CorruptError](err)
			_, newer := errors.AsType[*VersionError](err)
			switch {
			case corrupt || newer: // the record's own fault is reported with the record
				return nil
			case err != nil || ok:
				return err
			}
		}
		return c.report(ProblemIndex, Key{}, "an entry whose record does not ask for it")
	}
	return c.report(ProblemForeign, Key{}, "a key below a tenant that is none of this package")
}

func (c *check) record(s *Sub, item Item, payload []byte, part Part, id string) error {
	if c.trail != nil {
		if err := c.compare(item.Key, payload, readable(layout.Record, id)); err != nil {
			return err
		}
	}
	if part == nil {
		return nil
	}
	entries, guarded, err := part.inspect(s, id, payload)
	if err != nil {
		return c.report(ProblemRecord, readable(layout.Record, id), "%v", err)
	}
	if guard := s.key(layout.Guard, part.Name()); guarded && c.guard != guard {
		items, err := c.db.driver.Get(c.tx.ctx, guard)
		if err != nil {
			return err
		}
		if c.guard = guard; items[0].Rev == 0 {
			if err := c.report(ProblemGuard, Key{}, "has records and no guard"); err != nil {
				return err
			}
		}
	}
	return c.indexed(item, entries, id)
}

// indexed checks that a record stands in its indexes. If the record has changed meanwhile, that was done with it.
func (c *check) indexed(item Item, entries []entry, id string) error {
	for some := range slices.Chunk(entries, MaxGet-1) {
		keys := []string{item.Key}
		for _, e := range some {
			keys = append(keys, e.key(id))
		}
		items, err := c.db.driver.Get(c.tx.ctx, keys...)
		if err != nil {
			return err
		}
		if items[0].Rev != item.Rev {
			return nil
		}
		for i, have := range items[1:] {
			wrong := have.Rev == 0
			if some[i].unique && !wrong {
				to, err := c.db.open(have)
				wrong = err == nil && string(to) != id // an entry that does not open is reported by itself
			}
			if wrong {
				if err := c.report(ProblemIndex, readable(layout.Record, id), "does not stand in index %s", some[i].index); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
