package session

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"sync/atomic"
)

// ways is how many entries may lie in one place of the cache.
const ways = 4

// entry is a session as it was read. It does not change, but for touching.
type entry struct {
	tag         [aes.BlockSize]byte
	locator     [locatorLen]byte
	application string
	session     Session
	end         int64 // of the session: ns since 1970
	touch       int64 // a use from then on is to be written
	read        reading
	touching    atomic.Bool // somebody is writing one now
}

// cache holds sessions that were read lately, at most as many as it was made for. It takes no lock.
//
// What it finds them by is a tag of the token's secret under AES with a random key that never leaves the process: CBC-MAC of a message
// of fixed length, a pseudo-random function (Bellare, Kilian, Rogaway, 1994). It costs less than SHA-256 where the processor
// has no instructions for that. Tags are compared in constant time, and since nobody knows the key, what time the search takes
// says nothing about how near a guess was. A dump of the memory has tags and the key: with both one can make secrets that this process
// takes for a cached token until Policy.Cache has passed, but not the token itself.
type cache struct {
	block cipher.Block
	sets  [][ways]atomic.Pointer[entry]
}

// newCache returns a cache for so many entries, rounded up.
func newCache(entries int) *cache {
	var key [16]byte
	rand.Read(key[:])
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // of 16 bytes it is a key
	}
	return &cache{block, make([][ways]atomic.Pointer[entry], (entries+ways-1)/ways)}
}

func (c *cache) tag(t *Token) (tag [aes.BlockSize]byte) {
	c.block.Encrypt(tag[:], t.secret[:aes.BlockSize])
	subtle.XORBytes(tag[:], tag[:], t.secret[aes.BlockSize:])
	c.block.Encrypt(tag[:], tag[:])
	return tag
}

func (c *cache) set(tag *[aes.BlockSize]byte) *[ways]atomic.Pointer[entry] {
	if len(c.sets) == 0 {
		return nil
	}
	return &c.sets[binary.LittleEndian.Uint64(tag[:])%uint64(len(c.sets))]
}

// get returns the entry of a token, or nil.
func (c *cache) get(t *Token, tag *[aes.BlockSize]byte) *entry {
	set := c.set(tag)
	if set == nil {
		return nil
	}
	for i := range set {
		e := set[i].Load()
		if e != nil && subtle.ConstantTimeCompare(e.tag[:], tag[:]) == 1 &&
			e.locator == t.locator && e.session.User.Tenant == t.tenant {
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
	for i := range set {
		old := set[i].Load()
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
	set[place].Store(e)
}

// drop takes the entries with this tag out.
func (c *cache) drop(tag *[aes.BlockSize]byte) {
	set := c.set(tag)
	if set == nil {
		return
	}
	for i := range set {
		if e := set[i].Load(); e != nil && e.tag == *tag {
			set[i].CompareAndSwap(e, nil)
		}
	}
}
