package session

import (
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"sync/atomic"

	"github.com/zeebo/blake3"

	"github.com/cloudopsec/opsec"
)

// ways is how many entries may lie in one place of the cache.
const ways = 4

// entry is a session as it was read. It does not change, but for touching.
type entry struct {
	tag         tag
	application string
	session     Session
	end         int64 // of the session: ns since 1970
	touch       int64 // a use from then on is to be written
	read        reading
	era         uint64      // of the set, before it was read
	touching    atomic.Bool // somebody is writing one, after which another entry, or none, takes the place of this
}

// cache holds sessions that were read lately, at most as many as it was made for. It takes no lock.
//
// What it finds them by is the BLAKE3 of the token, which costs less than SHA-256 where the processor has no instructions for
// that. So whoever reads the memory of the process finds no token in it, nor can make one that is taken for another; and what time the
// search takes says something about digests at most, of which there is no way to a token.
type cache struct{ sets []set }

// set is the places in which a token may lie.
type set struct {
	era     atomic.Uint64 // begins anew when a token is over: nothing that was read before is found again
	entries [ways]atomic.Pointer[entry]
}

// newCache returns a cache for so many entries, rounded up.
func newCache(entries int) *cache {
	return &cache{make([]set, (entries+ways-1)/ways)}
}

// tag is what the cache knows a token by.
type tag [32]byte

func (t *Token) tag() tag {
	var raw [secretLen + locatorLen]byte // one block
	copy(raw[:], t.secret[:])
	copy(raw[secretLen:], t.locator[:])
	return blake3.Sum256(raw[:])
}

func (c *cache) set(t *tag) *set {
	if len(c.sets) == 0 {
		return nil
	}
	return &c.sets[binary.LittleEndian.Uint64(t[:])%uint64(len(c.sets))]
}

// get returns the entry of a token that says it is of this tenant, or nil.
func (c *cache) get(t *tag, tenant opsec.TenantID) *entry {
	set := c.set(t)
	if set == nil {
		return nil
	}
	era := set.era.Load()
	for i := range set.entries {
		e := set.entries[i].Load()
		if e != nil && e.era == era && subtle.ConstantTimeCompare(e.tag[:], t[:]) == 1 && e.session.User.Tenant == tenant {
			return e
		}
	}
	return nil
}

// put adds an entry, in the place of one with its tag, or else of the one that was read first.
func (c *cache) put(e *entry) {
	set := c.set(&e.tag)
	if set == nil {
		return
	}
	place, first := 0, int64(0)
	for i := range set.entries {
		old := set.entries[i].Load()
		if old != nil && old.tag == e.tag {
			place = i
			break
		}
		age := int64(-1 << 63)
		if old != nil {
			age = old.read.tick
		}
		if i == 0 || age < first {
			place, first = i, age
		}
	}
	set.entries[place].Store(e)
}

// drop takes the entries with this tag out.
func (c *cache) drop(t *tag) {
	set := c.set(t)
	if set == nil {
		return
	}
	for i := range set.entries {
		if e := set.entries[i].Load(); e != nil && e.tag == *t {
			set.entries[i].CompareAndSwap(e, nil)
		}
	}
}

// era is what an entry that is about to be read is put with.
func (c *cache) era(t *tag) uint64 {
	if set := c.set(t); set != nil {
		return set.era.Load()
	}
	return 0
}

// over drops a token for good: also where it has been read already, and is yet to be put. One that was refused is not worth the
// era of its neighbours.
func (c *cache) over(t *tag, err error) {
	if set := c.set(t); set != nil && !errors.Is(err, opsec.ErrDenied) {
		set.era.Add(1)
	}
	c.drop(t)
}
