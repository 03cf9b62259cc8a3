package store

import (
	"context"
	"encoding/base64"
	"iter"
	"slices"
	"strings"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/layout"
	"github.com/cloudopsec/opsec/store/tuple"
)

// Query selects records. The zero Query is all of a tenant, in the order of their ids.
type Query struct {
	Index    string // the index to go by, or "" for the ids
	Prefix   Key    // those whose id or indexed key begins with these parts; of a blind index the whole key
	From, To Key    // From <= id or indexed key < To; a zero key is no bound
	Reverse  bool
}

// plan is a query in terms of raw keys.
type plan struct {
	Range
	prefix string // of the collection or index; a cursor is what follows it
	unique bool
	index  string
}

func (c *Collection[T]) plan(s *Sub, q Query) (p plan, err error) {
	open := func(k Key) string { return p.prefix + k.Encode() }
	p.prefix, p.index = c.records(s), q.Index
	if q.Index != "" {
		x, err := c.indexNamed(q.Index)
		if err != nil {
			return p, err
		}
		p.prefix, p.unique = c.index(s, x.Name), x.Unique
		open = func(k Key) string { return c.indexKey(s, x.Name).Open(k) }
		if x.Blind {
			if q.Prefix.IsZero() || !q.From.IsZero() || !q.To.IsZero() {
				return p, invalid("%s: blind index %s: want a whole key as Prefix, and no bounds", c.name, q.Index)
			}
			place, err := c.place(s, x, q.Prefix)
			p.Range = Range{Start: place, End: layout.Behind(place), Reverse: q.Reverse}
			return p, err
		}
	}
	p.Range = Range{Start: p.prefix, End: layout.Behind(p.prefix), Reverse: q.Reverse}
	if !q.Prefix.IsZero() {
		p.Start = open(q.Prefix)
		p.End = layout.Behind(p.Start)
	}
	if !q.From.IsZero() {
		p.Start = max(p.Start, open(q.From))
	}
	if !q.To.IsZero() {
		p.End = min(p.End, open(q.To))
	}
	return p, nil
}

// List yields the records that q selects, in order. In View what it yields is the state of each page; in Snapshot and
// Update the collection must be guarded ([ErrUnguarded]), and in Update each record counts among those that the
// transaction has read.
func (c *Collection[T]) List(s *Sub, q Query) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		p, err := c.begin(s, q)
		if err != nil {
			yield(nil, err)
			return
		}
		for r, err := range c.walk(s, p) {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(r.value, nil) {
				return
			}
		}
	}
}

// begin plans a query, and makes the transaction depend on the guard where it depends on anything.
func (c *Collection[T]) begin(s *Sub, q Query) (plan, error) {
	if err := s.usable(false); err != nil {
		return plan{}, err
	}
	if s.tx.mode != viewing {
		if !c.guarded {
			return plan{}, ErrUnguarded
		}
		if err := s.tx.pin(s.key(layout.Guard, c.name)); err != nil {
			return plan{}, err
		}
	}
	return c.plan(s, q)
}

// found is a record, and where in the range it was found.
type found[T any] struct {
	*stored[T]
	at string // raw key of the record or of its index entry
}

func (c *Collection[T]) walk(s *Sub, p plan) iter.Seq2[found[T], error] {
	if p.index == "" {
		return c.walkRecords(s, p)
	}
	return c.walkIndex(s, p)
}

func (c *Collection[T]) walkRecords(s *Sub, p plan) iter.Seq2[found[T], error] {
	return func(yield func(found[T], error) bool) {
		for item, err := range s.tx.scan(p.Range) {
			var r *stored[T]
			if err == nil && item.Rev != pending {
				err = s.tx.depend(item)
			}
			if err == nil {
				r, err = c.decode(item)
			}
			if !yield(found[T]{r, item.Key}, err) || err != nil {
				return
			}
		}
	}
}

// walkIndex reads the records behind the entries of an index, some at a time. Entries whose record has gone or moved
// since are passed over.
func (c *Collection[T]) walkIndex(s *Sub, p plan) iter.Seq2[found[T], error] {
	return func(yield func(found[T], error) bool) {
		p.KeysOnly = !p.unique
		var entries []Item
		flush := func() bool {
			err := c.resolve(s, p, entries, func(f found[T]) bool { return yield(f, nil) })
			entries = entries[:0]
			if err != nil && err != errStop {
				yield(found[T]{}, err)
			}
			return err == nil
		}
		size := 10 // then more: many lists are short, or are left early
		for item, err := range s.tx.scan(p.Range) {
			if err != nil {
				yield(found[T]{}, err)
				return
			}
			if entries = append(entries, item); len(entries) < size {
				continue
			}
			if size = MaxGet; !flush() {
				return
			}
		}
		flush()
	}
}

func (c *Collection[T]) resolve(s *Sub, p plan, entries []Item, yield func(found[T]) bool) error {
	keys := make([]string, len(entries))
	records := c.records(s)
	for i, item := range entries {
		id, err := c.target(p, item)
		if err != nil {
			return err
		}
		keys[i] = records + id
	}
	list, err := c.load(s, keys)
	if err != nil {
		return err
	}
	for i, r := range list {
		if r == nil {
			continue
		}
		is, err := c.entriesIn(s, r.value, p.index)
		if err != nil {
			return err
		}
		id := strings.TrimPrefix(keys[i], records)
		stands := func(e entry) bool { return e.key(id) == entries[i].Key }
		if slices.ContainsFunc(is, stands) && !yield(found[T]{r, entries[i].Key}) {
			return errStop
		}
	}
	return nil
}

// target returns the encoded id that an index entry points to.
func (c *Collection[T]) target(p plan, entry Item) (string, error) {
	if p.unique {
		return string(entry.Value), nil
	}
	_, id, err := tuple.CutTuple(entry.Key[len(p.prefix):])
	if err != nil {
		return "", &CorruptError{Collection: c.name, Reason: "is no entry of an index"}
	}
	return id, nil
}

// Count returns how many records q selects, from the keys alone. Keys are not sealed: where somebody may have written to
// the engine, count what [Collection.List] yields.
func (c *Collection[T]) Count(s *Sub, q Query) (n int, err error) {
	p, err := c.begin(s, q)
	if err != nil {
		return 0, err
	}
	p.KeysOnly = true
	for _, err := range s.tx.scan(p.Range) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// Page returns at most n of the records that q selects, those behind the cursor that the last page came with (none is
// ""), and the cursor of the next page, which is "" when there is no more. A cursor shows the key of the last record to
// whom it is given; one that is no cursor of this collection is an error that wraps [opsec.ErrInvalid].
func (c *Collection[T]) Page(s *Sub, q Query, cursor string, n int) (list []*T, next string, err error) {
	if n < 1 {
		return nil, "", invalid("%s: a page of %d records", c.name, n)
	}
	p, err := c.begin(s, q)
	if err != nil {
		return nil, "", err
	}
	if cursor != "" {
		at, err := base64.RawURLEncoding.DecodeString(cursor)
		if at := p.prefix + string(at); err != nil || len(at) > MaxKey || at < p.Start || at >= p.End {
			return nil, "", invalid("%s: not a cursor of this query", c.name)
		}
		p.Range = p.Range.behind(p.prefix + string(at))
	}
	p.Limit = n + 1
	last := ""
	for r, err := range c.walk(s, p) {
		if err != nil {
			return nil, "", err
		}
		if len(list) == n {
			return list, base64.RawURLEncoding.EncodeToString([]byte(last[len(p.prefix):])), nil
		}
		list, last = append(list, r.value), r.at
	}
	return list, "", nil
}

// Watch yields once at first, and again after a record of the tenant in this collection has changed: a hint to look. See
// [Watcher].
func (c *Collection[T]) Watch(ctx context.Context, db *DB, tenant opsec.TenantID) iter.Seq2[struct{}, error] {
	if err := tenant.Validate(); err != nil {
		return func(yield func(struct{}, error) bool) { yield(struct{}{}, err) }
	}
	return db.watch(ctx, layout.TenantPrefix(tenant).Text(layout.Record).Text(c.name).Encode())
}
