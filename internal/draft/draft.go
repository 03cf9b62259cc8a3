// Package draft holds what a transaction has read, and what it will write. One draft may lie on another: that of a
// transaction on that of those before it, which are not committed yet.
package draft

import (
	"cmp"
	"maps"
	"slices"
)

// Pending is the Rev of what has been written and not committed.
const Pending = ^uint64(0)

// Value is what is under a key. Its Rev is that of the store, zero if there is nothing, or Pending.
type Value struct {
	Payload []byte
	Rev     uint64
}

// Draft is what one transaction has read and written. The zero value is empty.
type Draft struct {
	below  *Draft
	reads  map[string]Value
	writes map[string]Write
	undo   []undo
	merged int
	size   Size // of what was merged
}

// Write is what a key is to hold: a payload, and once that is sealed what goes to the store.
type Write struct {
	Payload []byte
	Value   []byte
	Delete  bool
}

// undo takes back one write.
type undo struct {
	key string
	was Write
	had bool
}

func (w Write) value() Value {
	if w.Delete {
		return Value{}
	}
	return Value{w.Payload, Pending}
}

// LayOn puts d on top of another draft, which must not change as long as d is used. It returns the keys that d has read
// and that are otherwise there.
func (d *Draft) LayOn(below *Draft) (stale []string) {
	d.below = below
	for key, v := range d.reads {
		_, wrote := below.writes[key]
		other, read := below.reads[key]
		if wrote || read && other.Rev != v.Rev {
			stale = append(stale, key)
		}
	}
	return stale
}

// Find returns what d holds under a key: what was written last, in it or below it, or what was read.
func (d *Draft) Find(key string) (Value, bool) {
	if w, ok := d.Written(key); ok {
		return w.value(), true
	}
	return d.Read(key)
}

// Written returns the last write to a key, in d or below it.
func (d *Draft) Written(key string) (w Write, ok bool) {
	for ; d != nil && !ok; d = d.below {
		w, ok = d.writes[key]
	}
	return w, ok
}

// Read returns what was read under a key, in d or below it, whatever has been written there since.
func (d *Draft) Read(key string) (v Value, ok bool) {
	for ; d != nil && !ok; d = d.below {
		v, ok = d.reads[key]
	}
	return v, ok
}

// See notes what was read under a key. It reports false when something else had been read there.
func (d *Draft) See(key string, v Value) bool {
	if before, ok := d.Read(key); ok && before.Rev != v.Rev {
		return false
	}
	if d.reads == nil {
		d.reads = map[string]Value{}
	}
	d.reads[key] = v
	return true
}

// Put writes.
func (d *Draft) Put(key string, payload []byte) { d.write(key, Write{Payload: payload}) }

// Delete deletes.
func (d *Draft) Delete(key string) { d.write(key, Write{Delete: true}) }

func (d *Draft) write(key string, w Write) {
	if d.writes == nil {
		d.writes = map[string]Write{}
	}
	was, had := d.writes[key]
	d.undo = append(d.undo, undo{key, was, had})
	d.writes[key] = w
}

// Mark returns what Undo goes back to.
func (d *Draft) Mark() int { return len(d.undo) }

// Undo takes back what was written since mark. What was read stays read.
func (d *Draft) Undo(mark int) {
	for _, u := range slices.Backward(d.undo[mark:]) {
		if u.had {
			d.writes[u.key] = u.was
		} else {
			delete(d.writes, u.key)
		}
	}
	d.undo = d.undo[:mark]
}

// Within returns the keys k that have been written, in d or below it, with start <= k, and k < end unless that is empty,
// in order or in the reverse.
func (d *Draft) Within(start, end string, reverse bool) (keys []string) {
	for ; d != nil; d = d.below {
		for key := range d.writes {
			if key >= start && (end == "" || key < end) {
				keys = append(keys, key)
			}
		}
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	if reverse {
		slices.Reverse(keys)
	}
	return keys
}

// Reads returns the keys that d itself has read: those first that were found absent, then each part in order.
func (d *Draft) Reads() []string {
	return slices.SortedFunc(maps.Keys(d.reads), func(a, b string) int {
		return cmp.Or(cmp.Compare(min(d.reads[a].Rev, 1), min(d.reads[b].Rev, 1)), cmp.Compare(a, b))
	})
}

// Rev returns the Rev that a key was read at, in d or below it.
func (d *Draft) Rev(key string) uint64 {
	v, _ := d.Read(key)
	return v.Rev
}

// Among returns those of the keys that d itself has read.
func (d *Draft) Among(keys []string) (read []string) {
	for _, key := range keys {
		if _, ok := d.reads[key]; ok {
			read = append(read, key)
		}
	}
	return read
}

// Writes returns the keys that d itself has written, in order.
func (d *Draft) Writes() []string { return slices.Sorted(maps.Keys(d.writes)) }

// Seal makes the values of what d itself has written.
func (d *Draft) Seal(seal func(key string, payload []byte) ([]byte, error)) error {
	for key, w := range d.writes {
		if w.Delete {
			continue
		}
		var err error
		if w.Value, err = seal(key, w.Payload); err != nil {
			return err
		}
		d.writes[key] = w
	}
	return nil
}

// Size is how large a draft is: keys that it has read, keys that it has written, and bytes of all keys and values.
type Size struct{ Reads, Writes, Bytes int }

func (s Size) fits(limit Size) bool {
	return s.Reads <= limit.Reads && s.Writes <= limit.Writes && s.Bytes <= limit.Bytes
}

// Fits reports whether d with top merged into it is at most that large.
func (d *Draft) Fits(top *Draft, limit Size) bool { return d.with(top).fits(limit) }

// Full reports whether another like those merged before would not fit.
func (d *Draft) Full(limit Size) bool {
	more := func(n int) int { return n + n/max(1, d.merged) }
	return !Size{more(d.size.Reads), more(d.size.Writes), more(d.size.Bytes)}.fits(limit)
}

// with returns the size that d will have when top is merged.
func (d *Draft) with(top *Draft) Size {
	s := d.size
	for key := range top.reads {
		if _, ok := d.reads[key]; !ok {
			s.Reads++
			s.Bytes += len(key)
		}
	}
	for key, w := range top.writes {
		was, ok := d.writes[key]
		if !ok {
			s.Writes++
			s.Bytes += len(key)
		}
		s.Bytes += len(w.Value) - len(was.Value)
	}
	return s
}

// Merge takes in what lies on d and holds, and is sealed. Into d nothing is written otherwise.
func (d *Draft) Merge(top *Draft) {
	d.size, d.merged = d.with(top), d.merged+1
	for key, v := range top.reads {
		d.See(key, v)
	}
	for key, w := range top.writes {
		d.write(key, w)
	}
	d.undo = nil
}
