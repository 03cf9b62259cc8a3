package lockout

import (
	"hash/maphash"
	"sync"
	"time"
)

// tags remembers wrong passwords, so that one that is tried again is not counted again: a phone that knows the old one does not
// lock its owner out. It is a cache of fixed size. A secret is known by 48 bits under a key of this process which changes every
// hour, the last two being good; neither leaves this memory.
type tags struct {
	locks [64]sync.Mutex
	lines [][tagsInLine]uint64 // the youngest first; of an account 16 bits, of the secret 48
	names maphash.Seed

	mu       sync.RWMutex
	now, was maphash.Seed
	born     time.Time
}

const (
	tagsInLine  = 8
	tagLife     = time.Hour
	defaultTags = 1 << 20 // bytes
)

// newTags returns a cache of so many bytes, nil of none.
func newTags(bytes int, now time.Time) *tags {
	if bytes < 0 {
		return nil
	}
	if bytes == 0 {
		bytes = defaultTags
	}
	return &tags{
		lines: make([][tagsInLine]uint64, max(bytes/(8*tagsInLine), 1)),
		names: maphash.MakeSeed(), now: maphash.MakeSeed(), was: maphash.MakeSeed(), born: now,
	}
}

// seeds returns the keys of this hour and of the last.
func (t *tags) seeds(now time.Time) (young, old maphash.Seed) {
	t.mu.RLock()
	young, old, born := t.now, t.was, t.born
	t.mu.RUnlock()
	if age := now.Sub(born); 0 <= age && age < tagLife {
		return young, old
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if age := now.Sub(t.born); age < 0 || age >= tagLife { // nobody else has
		t.was, t.now = t.now, maphash.MakeSeed()
		switch {
		case age >= 2*tagLife:
			t.was, t.born = maphash.MakeSeed(), now
		case age >= tagLife:
			t.born = t.born.Add(tagLife) // not now: the last key has had a part of its second hour
		default:
			t.born = now
		}
	}
	return t.now, t.was
}

// tag is what a line holds of a secret of the account of that name.
func tag(seed maphash.Seed, name uint64, secret []byte) uint64 {
	h := (maphash.Bytes(seed, secret) ^ name) * 0xd6e8feb86659fd93
	return name>>48<<48 | max(h>>16, 1)
}

// known reports whether this secret was wrong for k before, and remembers it.
func (t *tags) known(k *Key, secret []byte, now time.Time) bool {
	if t == nil || len(secret) == 0 {
		return false
	}
	young, old := t.seeds(now)
	name := digest(t.names, k)
	this, before := tag(young, name, secret), tag(old, name, secret)
	i := name % uint64(len(t.lines))
	t.locks[i%64].Lock()
	defer t.locks[i%64].Unlock()
	line := &t.lines[i]
	at, found := tagsInLine-1, false
	for j, have := range line {
		if have == this || have == before {
			at, found = j, true
			break
		}
	}
	copy(line[1:at+1], line[:at])
	line[0] = this
	return found
}

// forget forgets the secrets of k.
func (t *tags) forget(k *Key) {
	if t == nil {
		return
	}
	name := digest(t.names, k)
	i := name % uint64(len(t.lines))
	t.locks[i%64].Lock()
	defer t.locks[i%64].Unlock()
	for j, have := range t.lines[i] {
		if have>>48 == name>>48 {
			t.lines[i][j] = 0
		}
	}
}
