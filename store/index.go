package store

import (
	"slices"

	"github.com/cloudopsec/opsec/internal/layout"
	"github.com/cloudopsec/opsec/store/tuple"
)

// entry is a place in an index, before the id of the record that stands there.
type entry struct {
	index  string
	unique bool
	raw    string // the raw key, up to and with the indexed key
}

// key is the raw key of the entry for a record.
func (e entry) key(id string) string {
	if e.unique {
		return e.raw
	}
	return e.raw + id
}

// index returns the raw prefix of an index.
func (c *Collection[T]) index(s *Sub, name string) string {
	return c.indexKey(s, name).Encode()
}

func (c *Collection[T]) indexKey(s *Sub, name string) Key {
	return s.prefix.Text(layout.Index).Text(c.name).Text(name)
}

// entries returns where v stands in all indexes; nowhere if it is nil.
func (c *Collection[T]) entries(s *Sub, v *T) ([]entry, error) { return c.entriesIn(s, v, "") }

// entriesIn is entries of one index, or of all.
func (c *Collection[T]) entriesIn(s *Sub, v *T, index string) ([]entry, error) {
	if v == nil {
		return nil, nil
	}
	var list []entry
	for i := range c.indexes {
		x := &c.indexes[i]
		if index != "" && x.Name != index {
			continue
		}
		for _, k := range x.Keys(v) {
			raw, err := c.place(s, x, k)
			if err != nil {
				return nil, err
			}
			if e := (entry{x.Name, x.Unique, raw}); !slices.Contains(list, e) {
				list = append(list, e)
			}
		}
	}
	return list, nil
}

// place returns the raw key of an indexed key, blinded if the index is and there is a PRF.
func (c *Collection[T]) place(s *Sub, x *Index[T], k Key) (string, error) {
	prefix := c.indexKey(s, x.Name)
	if x.Blind && s.tx.db.vault.PRF != nil {
		digest, err := s.tx.db.vault.Blind(prefix.Encode(), k.Encode())
		if err != nil {
			return "", err
		}
		k = Key{}.Bytes(digest)
	}
	return prefix.Tuple(k).Encode(), nil
}

// enter puts a record into an index, if it is not unique or the place is free.
func (c *Collection[T]) enter(s *Sub, e entry, id string) error {
	if _, _, err := tuple.CutTuple(e.raw[len(c.index(s, e.index)):]); err != nil {
		return err // it could not be read again
	}
	if !e.unique {
		s.tx.put(e.key(id), nil)
		return nil
	}
	have, err := s.tx.absent(e.raw)
	if err != nil {
		return err
	}
	if have.Rev != 0 && string(have.Value) != id {
		stands, err := c.asked(s, e.raw) // or the entry is left from another schema
		if err != nil {
			return err
		}
		if stands {
			return &ExistsError{Collection: c.name, Index: e.index}
		}
	}
	s.tx.put(e.raw, []byte(id))
	return nil
}

// without returns what is in list and not in other.
func without(list, other []entry) []entry {
	return slices.DeleteFunc(slices.Clone(list), func(e entry) bool { return slices.Contains(other, e) })
}

func (c *Collection[T]) indexNamed(name string) (*Index[T], error) {
	for i := range c.indexes {
		if c.indexes[i].Name == name {
			return &c.indexes[i], nil
		}
	}
	return nil, invalid("%s: no index %q", c.name, name)
}

// Find returns the record under a key of a unique index, or an error that wraps [opsec.ErrNotFound].
func (c *Collection[T]) Find(s *Sub, index string, k Key) (*T, error) {
	if err := s.usable(false); err != nil {
		return nil, err
	}
	x, err := c.indexNamed(index)
	if err != nil {
		return nil, err
	}
	if !x.Unique {
		return nil, invalid("%s: index %s is not unique; use List", c.name, index)
	}
	raw, err := c.place(s, x, k)
	if err != nil {
		return nil, err
	}
	for range 3 { // in View a record may move between the two reads
		items, err := s.tx.get(raw)
		if err != nil {
			return nil, err
		}
		if items[0].Rev == 0 {
			return nil, c.notFound()
		}
		key := c.records(s) + string(items[0].Value)
		if len(key) > MaxKey {
			return nil, &CorruptError{Collection: c.name, Reason: "is no entry of an index"}
		}
		list, err := c.load(s, []string{key})
		if err != nil {
			return nil, err
		}
		if list[0] == nil {
			continue
		}
		is, err := c.entries(s, list[0].value)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(is, func(e entry) bool { return e.raw == raw }) {
			return list[0].value, nil
		}
	}
	return nil, c.notFound()
}
