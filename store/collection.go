package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/codec"
	"github.com/cloudopsec/opsec/internal/layout"
	"github.com/cloudopsec/opsec/internal/stamp"
)

// Schema says how the records of a [Collection] are kept.
type Schema[T any] struct {
	// Name of the collection: 1 to 64 lower-case letters, digits, '_', '-', '.' and '/'. It is on disk; keep it.
	Name string
	// ID returns the key of a record within its tenant. It is readable on disk also in a sealed store: use an opaque
	// id, and a blind unique index for a name that is confidential.
	ID func(*T) Key
	// Indexes of the collection; see [Index].
	Indexes []Index[T]
	// Guarded keeps a guard for each tenant, which every insertion, deletion and change of an indexed key touches.
	// With it a list may be read inside Update and Snapshot, and what is decided by the list holds.
	Guarded bool
	// Upgrades lead from version to version: Upgrades[0] from 1 to 2, and so on. The version that is written is the
	// last. A field that is merely added needs none: a program that does not know it keeps it.
	Upgrades []Upgrade
}

// Upgrade turns the JSON of a record of one version into that of the next. It is a pure function of its input, and
// stays in the program as long as records of the old version may be in a store.
type Upgrade func(old json.RawMessage) (json.RawMessage, error)

// Index finds the records of a collection by something else than their id.
type Index[T any] struct {
	Name string // as for a collection
	// Keys returns where in the index a record stands; none leaves it out. It depends on the record alone. Change it
	// together with a run of [Collection.Reindex].
	Keys func(*T) []Key
	// Unique admits one record of a tenant under each key.
	Unique bool
	// Blind stores a keyed digest in the key's place ([Options.PRF]), so that a sealed store does not show it. Such an
	// index answers which records have exactly this key; it has no order.
	Blind bool
}

// Collection keeps records of one type, encoded as JSON. It holds no state and no connection: one value serves any
// number of stores, tenants and goroutines.
type Collection[T any] struct {
	name    string
	codec   codec.Codec[T]
	id      func(*T) Key
	indexes []Index[T]
	guarded bool
}

// NewCollection returns the collection that a schema describes. A schema is part of a program, not an input: one that is
// wrong panics, like a pattern given to regexp.MustCompile.
func NewCollection[T any](s Schema[T]) *Collection[T] {
	if err := s.validate(); err != nil {
		panic(err)
	}
	return &Collection[T]{
		name: s.Name, codec: codec.New[T](s.Upgrades), id: s.ID, indexes: slices.Clone(s.Indexes), guarded: s.Guarded,
	}
}

func (s *Schema[T]) validate() error {
	if !layout.ValidName(s.Name) || s.ID == nil || slices.ContainsFunc(s.Upgrades, func(u Upgrade) bool { return u == nil }) {
		return invalid("schema %q: want a name, an ID and no nil upgrade", s.Name)
	}
	names := map[string]bool{}
	for _, x := range s.Indexes {
		if !layout.ValidName(x.Name) || x.Keys == nil || names[x.Name] {
			return invalid("schema %q: index %q: want a name of its own and Keys", s.Name, x.Name)
		}
		names[x.Name] = true
	}
	return nil
}

// Name returns the name of the collection.
func (c *Collection[T]) Name() string { return c.name }

// stored is a record with what the store knows of it.
type stored[T any] struct {
	key   string // raw
	value *T
	codec.Record
}

func (c *Collection[T]) records(s *Sub) string { return s.key(layout.Record, c.name) }

// Get returns the record with this id, or an error that wraps [opsec.ErrNotFound].
func (c *Collection[T]) Get(s *Sub, id Key) (*T, error) {
	list, err := c.GetAll(s, id)
	if err != nil {
		return nil, err
	}
	if list[0] == nil {
		return nil, c.notFound()
	}
	return list[0], nil
}

func (c *Collection[T]) notFound() error {
	return errors.Join(errors.New("store: "+c.name+": no such record"), opsec.ErrNotFound)
}

// GetAll returns the records with these ids in the order given, nil for those that do not exist. Up to [MaxGet] are read
// at once.
func (c *Collection[T]) GetAll(s *Sub, ids ...Key) ([]*T, error) {
	if err := s.usable(false); err != nil {
		return nil, err
	}
	keys := make([]string, len(ids))
	records := c.records(s)
	for i, id := range ids {
		keys[i] = records + id.Encode()
	}
	list, err := c.load(s, keys)
	if err != nil {
		return nil, err
	}
	values := make([]*T, len(list))
	for i, have := range list {
		if have != nil {
			values[i] = have.value
		}
	}
	return values, nil
}

// load returns what is stored under raw keys, nil for what is absent.
func (c *Collection[T]) load(s *Sub, keys []string) ([]*stored[T], error) {
	items, err := s.tx.get(keys...)
	if err != nil {
		return nil, err
	}
	list := make([]*stored[T], len(items))
	for i, item := range items {
		if item.Rev == 0 {
			continue
		}
		if list[i], err = c.decode(item); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (c *Collection[T]) decode(item Item) (*stored[T], error) {
	v, r, err := c.codec.Decode(item.Value)
	if err != nil {
		return nil, c.fault(err)
	}
	return &stored[T]{item.Key, v, r}, nil
}

// fault is an error of the codec in the words of this package.
func (c *Collection[T]) fault(err error) error {
	if wrong, ok := errors.AsType[codec.WrongError](err); ok {
		return &CorruptError{Collection: c.name, Reason: string(wrong)}
	}
	if newer, ok := errors.AsType[*codec.NewerError](err); ok {
		return &VersionError{Collection: c.name, Version: newer.Version, Known: newer.Known}
	}
	return fmt.Errorf("store: %s: %w", c.name, err)
}

// Insert adds records. If one of them exists, the error is an [*ExistsError] and nothing is added.
func (c *Collection[T]) Insert(s *Sub, values ...*T) error { return c.write(s, values, false) }

// Put adds records or replaces those with the same ids. If a key of a unique index is taken, the error is an
// [*ExistsError] and nothing is written. Fields of a record that T does not know are kept.
func (c *Collection[T]) Put(s *Sub, values ...*T) error { return c.write(s, values, true) }

func (c *Collection[T]) write(s *Sub, values []*T, replace bool) error {
	if err := s.usable(true); err != nil {
		return err
	}
	keys := make([]string, len(values))
	for i, v := range values {
		if v == nil {
			return invalid("%s: a nil record", c.name)
		}
		id := c.id(v)
		if id.IsZero() {
			return invalid("%s: a record without an id", c.name)
		}
		keys[i] = c.records(s) + id.Encode()
	}
	if len(keys) > 1 && len(slices.Compact(slices.Sorted(slices.Values(keys)))) < len(keys) {
		return invalid("%s: two records with one id", c.name)
	}
	return s.tx.atomically(func() error {
		olds, err := c.olds(s, keys, replace)
		if err != nil {
			return err
		}
		return c.replace(s, keys, olds, values)
	})
}

// olds returns what is stored under keys now: read where it may be there, taken to be absent where it should.
func (c *Collection[T]) olds(s *Sub, keys []string, replace bool) ([]*stored[T], error) {
	if replace {
		return c.load(s, keys)
	}
	for _, key := range keys {
		item, err := s.tx.absent(key)
		if err != nil {
			return nil, err
		}
		if item.Rev != 0 {
			return nil, &ExistsError{Collection: c.name}
		}
	}
	return make([]*stored[T], len(keys)), nil
}

// replace writes values (nil deletes) over what is stored, and brings indexes and guard along. Keys are taken out of
// the indexes before others are put in, so that records may change places.
func (c *Collection[T]) replace(s *Sub, keys []string, olds []*stored[T], values []*T) error {
	type change struct {
		id       string
		out, add []entry
	}
	changes := make([]change, len(keys))
	touched := false
	for i, key := range keys {
		var old *T
		if olds[i] != nil {
			old = olds[i].value
		}
		was, err := c.entries(s, old)
		if err != nil {
			return err
		}
		is, err := c.entries(s, values[i])
		if err != nil {
			return err
		}
		changes[i] = change{id: strings.TrimPrefix(key, c.records(s)), out: without(was, is), add: without(is, was)}
		touched = touched || (old == nil) != (values[i] == nil) || len(changes[i].out)+len(changes[i].add) > 0
		for _, e := range changes[i].out {
			s.tx.delete(e.key(changes[i].id))
		}
	}
	for i, key := range keys {
		for _, e := range changes[i].add {
			if err := c.enter(s, e, changes[i].id); err != nil {
				return err
			}
		}
		if err := c.store(s, key, olds[i], values[i]); err != nil {
			return err
		}
	}
	if c.guarded && touched {
		s.tx.put(s.key(layout.Guard, c.name), nil)
	}
	return nil
}

// store writes the record itself.
func (c *Collection[T]) store(s *Sub, key string, old *stored[T], v *T) error {
	if v == nil {
		s.tx.delete(key)
		s.tx.witness(key, stamp.Witness{Stamp: old.Stamp, Deleted: true})
		return nil
	}
	at, was := stamp.Stamp{Born: s.tx.db.now().UnixNano()}, (*codec.Record)(nil)
	if old != nil {
		at, was = old.Stamp, &old.Record
	}
	at.Writes++
	r, err := c.codec.Encode(v, was, at)
	if err != nil {
		return c.fault(err)
	}
	s.tx.put(key, r.Payload())
	s.tx.witness(key, stamp.Witness{Stamp: at})
	return nil
}

// Delete removes the records with these ids; one that does not exist is passed over.
func (c *Collection[T]) Delete(s *Sub, ids ...Key) error {
	if err := s.usable(true); err != nil {
		return err
	}
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = c.records(s) + id.Encode()
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	return s.tx.atomically(func() error {
		olds, err := c.load(s, keys)
		if err != nil {
			return err
		}
		there := slices.DeleteFunc(olds, func(old *stored[T]) bool { return old == nil })
		keys := make([]string, len(there))
		for i, old := range there {
			keys[i] = old.key
		}
		return c.replace(s, keys, there, make([]*T, len(there)))
	})
}
