package store

import (
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/layout"
)

// Import puts records ([Collection.Put]), many to a commit, and returns how many are in. It stops at the first error;
// those before it are in, and to import all of them again does no harm.
func (c *Collection[T]) Import(ctx context.Context, db *DB, tenant opsec.TenantID, values iter.Seq2[*T, error]) (n int, err error) {
	var chunk []*T
	size := max(1, (maxKeys-1)/(1+len(c.indexes)))
	flush := func() error {
		for len(chunk) > 0 {
			some := chunk[:min(size, len(chunk))]
			err := db.Update(ctx, func(tx *Tx) error { return c.Put(tx.Sub(tenant), some...) })
			if errors.Is(err, ErrTooLarge) && size > 1 {
				size = (size + 1) / 2
				continue
			}
			if err != nil {
				return err
			}
			n, chunk = n+len(some), chunk[len(some):]
		}
		chunk = nil
		return nil
	}
	for v, err := range values {
		if err != nil {
			err = errors.Join(err, flush())
			return n, err
		}
		if chunk = append(chunk, v); len(chunk) >= size {
			if err := flush(); err != nil {
				return n, err
			}
		}
	}
	err = flush()
	return n, err
}

// Sweep deletes the records that q selects, one transaction each, in which each, if it is not nil, is called first: to
// emit an event, or to keep the record by an error that wraps [ErrKeep]. It is how records with a time of expiry go:
// with an index by that time, and a Query.To of now. It returns how many are gone.
func (c *Collection[T]) Sweep(ctx context.Context, db *DB, tenant opsec.TenantID, q Query, each func(*Sub, *T) error) (n int, err error) {
	err = db.View(ctx, func(view *Tx) error {
		s := view.Sub(tenant)
		p, err := c.begin(s, q)
		if err != nil {
			return err
		}
		for f, err := range c.walk(s, p) {
			if err != nil {
				return err
			}
			gone, err := c.sweepOne(ctx, db, tenant, f, each)
			if err != nil {
				return err
			}
			if gone {
				n++
			}
		}
		return nil
	})
	return n, err
}

// sweepOne deletes a record, if it still stands where it was found.
func (c *Collection[T]) sweepOne(ctx context.Context, db *DB, tenant opsec.TenantID, f found[T], each func(*Sub, *T) error) (gone bool, err error) {
	err = db.Update(ctx, func(tx *Tx) error {
		gone = false
		s := tx.Sub(tenant)
		list, err := c.load(s, []string{f.key})
		if err != nil || list[0] == nil {
			return err
		}
		is, err := c.entries(s, list[0].value)
		if err != nil {
			return err
		}
		id := f.key[len(c.records(s)):]
		if f.at != f.key && !slices.ContainsFunc(is, func(e entry) bool { return e.key(id) == f.at }) {
			return nil
		}
		gone = true
		if each != nil {
			if err := each(s, list[0].value); err != nil {
				return err
			}
		}
		return c.replace(s, []string{f.key}, list, []*T{nil})
	})
	if errors.Is(err, ErrKeep) {
		return false, nil
	}
	return gone, err
}

// Reindex brings the indexes of all tenants to what the schema says now: after an index was added, its Keys were
// changed, or the PRF was. Others may read and write meanwhile if they know the new schema; until it has returned, a
// new index misses records. It returns how many entries it has added and removed. Two records under one key of an index
// that is unique now are an [*ExistsError], and what has been done until then stays.
func (c *Collection[T]) Reindex(ctx context.Context, db *DB) (added, removed int, err error) {
	for tenant, err := range db.Tenants(ctx) {
		if err != nil {
			return added, removed, err
		}
		n, err := c.eachKey(ctx, db, tenant, c.records, c.reenter)
		added += n
		if err != nil {
			return added, removed, err
		}
		n, err = c.eachKey(ctx, db, tenant, func(s *Sub) string { return s.key(layout.Index, c.name) }, c.weed)
		removed += n
		if err != nil {
			return added, removed, err
		}
	}
	return added, removed, nil
}

// eachKey calls fn in an Update for each key under a prefix, and adds up what it returns.
func (c *Collection[T]) eachKey(ctx context.Context, db *DB, tenant opsec.TenantID, prefix func(*Sub) string,
	fn func(s *Sub, key string) (int, error)) (sum int, err error) {
	p := prefix((&Tx{ctx: ctx, db: db, mode: viewing}).Sub(tenant))
	for item, err := range Scan(ctx, db.driver, Range{Start: p, End: layout.Behind(p), KeysOnly: true}) {
		if err != nil {
			return sum, err
		}
		n := 0
		err := db.Update(ctx, func(tx *Tx) (err error) {
			s := tx.Sub(tenant)
			if n, err = fn(s, item.Key); n > 0 && c.guarded {
				tx.put(s.key(layout.Guard, c.name), nil)
			}
			return err
		})
		if err != nil {
			return sum, err
		}
		sum += n
	}
	return sum, nil
}

// reenter puts a record into the indexes that miss it.
func (c *Collection[T]) reenter(s *Sub, key string) (added int, err error) {
	list, err := c.load(s, []string{key})
	if err != nil || list[0] == nil {
		return 0, err
	}
	is, err := c.entries(s, list[0].value)
	if err != nil {
		return 0, err
	}
	id := key[len(c.records(s)):]
	for _, e := range is {
		have, err := s.tx.get(e.key(id))
		if err != nil {
			return 0, err
		}
		if have[0].Rev != 0 && (!e.unique || string(have[0].Value) == id) {
			continue
		}
		if err := c.enter(s, e, id); err != nil {
			return 0, err
		}
		added++
	}
	return added, nil
}

// weed removes an index entry that its record does not ask for.
func (c *Collection[T]) weed(s *Sub, key string) (removed int, err error) {
	ok, err := c.asked(s, key)
	if err != nil || ok {
		return 0, err
	}
	s.tx.delete(key)
	return 1, nil
}

// asked reports whether the record behind an index entry stands there by the schema.
func (c *Collection[T]) asked(s *Sub, key string) (bool, error) {
	items, err := s.tx.get(key)
	if err != nil || items[0].Rev == 0 {
		return true, err // gone meanwhile
	}
	base := s.key(layout.Index, c.name)
	texts, _ := layout.Split(key[len(base):], 1)
	if len(texts) == 0 {
		return false, nil
	}
	x, err := c.indexNamed(texts[0])
	if err != nil {
		return false, nil // an index that is no more
	}
	id, err := c.target(plan{prefix: c.index(s, x.Name), unique: x.Unique}, items[0])
	if err != nil || id == "" || len(c.records(s)+id) > MaxKey {
		return false, nil
	}
	list, err := c.load(s, []string{c.records(s) + id})
	if err != nil || list[0] == nil {
		return false, err
	}
	is, err := c.entries(s, list[0].value)
	return slices.ContainsFunc(is, func(e entry) bool { return e.key(id) == key }), err
}
