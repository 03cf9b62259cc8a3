package custody

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/tink"
	"golang.org/x/crypto/argon2"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

// Cost is what deriving a key from a passphrase takes with Argon2id (RFC 9106). The zero Cost is the second of the two
// settings that section 4 of the RFC recommends, for when memory is scarce: 3 passes over 64 MiB in 4 lanes. The first is
// [FirstCost].
type Cost struct {
	Passes uint32 `json:"passes"`
	Memory uint32 `json:"memory_kib"` // in KiB
	Lanes  uint8  `json:"lanes"`
}

// FirstCost is the first setting that RFC 9106, section 4, recommends: one pass over 2 GiB in 4 lanes.
func FirstCost() Cost { return Cost{Passes: 1, Memory: 2 << 20, Lanes: 4} }

// The bounds of a [Cost] and of a passphrase. Below them a passphrase is too easily guessed; above, a forged document
// could use up the memory of who opens it.
const (
	MinPassphrase = 16      // bytes
	MaxPassphrase = 1 << 10 // bytes

	minMemory      = 64 << 10 // KiB
	maxMemory      = 4 << 20
	minWork        = 3 * minMemory // KiB filled, in all passes
	maxPasses      = 64
	maxLanes       = 64
	saltSize       = 16 // bytes, as section 3.1 of the RFC recommends for passwords
	rootKeySize    = 32
	documentFormat = 1
)

func (c Cost) orDefault() Cost {
	if c == (Cost{}) {
		return Cost{Passes: 3, Memory: minMemory, Lanes: 4}
	}
	return c
}

// Validate returns an error that wraps [opsec.ErrInvalid] for a cost below the recommended ones, or beyond reason: want 64
// MiB to 4 GiB, 192 MiB in all passes together, 64 passes and 64 lanes at most.
func (c Cost) Validate() error {
	c = c.orDefault()
	switch {
	case c.Memory < minMemory || c.Memory > maxMemory:
		return invalid("cost: %d KiB, want %d to %d", c.Memory, minMemory, maxMemory)
	case c.Passes == 0 || c.Passes > maxPasses || uint64(c.Passes)*uint64(c.Memory) < minWork:
		return invalid("cost: %d passes over %d KiB, want at most %d passes, %d KiB together", c.Passes, c.Memory, maxPasses, minWork)
	case c.Lanes == 0 || c.Lanes > maxLanes:
		return invalid("cost: %d lanes, want 1 to %d", c.Lanes, maxLanes)
	}
	return nil
}

// CreateWithPassphrase makes a new root whose key nobody sees: a passphrase opens it.
func (r *Root) CreateWithPassphrase(ctx context.Context, passphrase []byte, c Cost) error {
	key := NewRootKey()
	defer clear(key)
	r.deriving.Lock()
	defer r.deriving.Unlock()
	s, under, err := newSlot(passphrase, c)
	if err != nil {
		return err
	}
	if err := s.wrap(key, under); err != nil {
		return err
	}
	return r.create(ctx, key, s)
}

// UnsealWithPassphrase opens the root key with a passphrase. A wrong one is [keymgmt.ErrUnwrap]; a root that has none,
// [opsec.ErrNotFound]. It does not limit attempts: each takes the time and memory of the [Cost], one after the other.
func (r *Root) UnsealWithPassphrase(ctx context.Context, passphrase []byte) error {
	if err := validPassphrase(passphrase); err != nil {
		return err
	}
	doc, err := r.document(ctx)
	if err != nil {
		return err
	}
	if doc.Passphrase == nil {
		return fmt.Errorf("custody: passphrase: %w", opsec.ErrNotFound)
	}
	r.deriving.Lock()
	defer r.deriving.Unlock()
	if err := ctx.Err(); err != nil { // it may have waited long
		return err
	}
	key, err := doc.Passphrase.open(passphrase)
	if err != nil {
		return err
	}
	defer clear(key)
	return r.Unseal(ctx, key)
}

// SetPassphrase puts another passphrase in the place of the present one, or the first one. The root key stays as it is: who
// has an old passphrase and an old copy of the document can still open it.
func (r *Root) SetPassphrase(ctx context.Context, passphrase []byte, c Cost) error {
	if r.Sealed() { // before it takes the time of a derivation
		return keymgmt.ErrSealed
	}
	r.deriving.Lock()
	defer r.deriving.Unlock()
	s, under, err := newSlot(passphrase, c)
	if err != nil {
		return err
	}
	doc, err := r.document(ctx)
	if err != nil {
		return err
	}
	err = r.withRoot(func(root tink.AEAD, key []byte) error {
		if err := doc.opens(root); err != nil {
			return err // the document is another root's: restored, perhaps
		}
		return s.wrap(key, under)
	})
	if err != nil {
		return err
	}
	doc.Passphrase = s
	return r.replace(ctx, doc)
}

// RemovePassphrase makes the root one that its key alone unseals. It wants to see this key: without a passphrase, a root whose
// key nobody has is lost. A wrong one is [keymgmt.ErrUnwrap].
func (r *Root) RemovePassphrase(ctx context.Context, key []byte) error {
	root, err := aeadOf(key)
	if err != nil {
		return err
	}
	r.deriving.Lock() // what changes the document is done one after the other
	defer r.deriving.Unlock()
	doc, err := r.document(ctx)
	if err != nil {
		return err
	}
	if err := doc.opens(root); err != nil {
		return err
	}
	doc.Passphrase = nil
	return r.replace(ctx, doc)
}

// slot is the root key, wrapped under a passphrase.
type slot struct {
	Cost    Cost   `json:"cost"`
	Salt    []byte `json:"salt"`
	Wrapped []byte `json:"wrapped"`
}

func validPassphrase(passphrase []byte) error {
	if len(passphrase) < MinPassphrase || len(passphrase) > MaxPassphrase {
		return invalid("passphrase of %d bytes: want %d to %d", len(passphrase), MinPassphrase, MaxPassphrase)
	}
	return nil
}

// newSlot returns a slot that wraps nothing yet, and what will wrap the root key in it. It takes as long as the cost says.
func newSlot(passphrase []byte, c Cost) (*slot, tink.AEAD, error) {
	if err := validPassphrase(passphrase); err != nil {
		return nil, nil, err
	}
	if err := c.Validate(); err != nil {
		return nil, nil, err
	}
	s := &slot{Cost: c.orDefault(), Salt: make([]byte, saltSize)}
	rand.Read(s.Salt)
	derived := s.derive(passphrase)
	defer clear(derived)
	under, err := aeadOf(derived)
	return s, under, err
}

func (s *slot) wrap(key []byte, under tink.AEAD) (err error) {
	s.Wrapped, err = under.Encrypt(key, bound("passphrase", ""))
	return err
}

func (s *slot) derive(passphrase []byte) []byte {
	return argon2.IDKey(passphrase, s.Salt, s.Cost.Passes, s.Cost.Memory, s.Cost.Lanes, rootKeySize)
}

// open returns the root key; the caller has validated the slot.
func (s *slot) open(passphrase []byte) ([]byte, error) {
	derived := s.derive(passphrase)
	defer clear(derived)
	aead, err := aeadOf(derived)
	if err != nil {
		return nil, err
	}
	key, err := aead.Decrypt(s.Wrapped, bound("passphrase", ""))
	if err != nil {
		return nil, wrongKey("passphrase")
	}
	return key, nil
}

func (s *slot) validate() error {
	if s.Cost == (Cost{}) || len(s.Salt) != saltSize || len(s.Wrapped) != 12+rootKeySize+16 {
		return invalid("root document: passphrase: cost, salt or wrapped key of wrong length")
	}
	return s.Cost.Validate()
}
