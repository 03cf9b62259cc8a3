package keymgmt

import (
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/cloudopsec/opsec"
)

// Role is what a principal may be to a keyset. For one keyset they are disjoint: no person has two.
type Role string

// The roles.
const (
	Administrator Role = "administrator" // decides on the life of keys
	CustodianRole Role = "custodian"     // holds backups and shares, imports and recovers
	Operator      Role = "operator"      // uses keys
	Auditor       Role = "auditor"       // sees all, changes nothing
)

// Roles says which persons have which role. Who is nobody's person ([opsec.Actor].Person) has none.
type Roles map[Role][]string

// Allows reports whether a principal of role r may do o with a key: an operator all but export, a custodian that alone.
func (r Role) Allows(o Op) bool {
	switch r {
	case Operator:
		return (protecting | processing).has(o)
	case CustodianRole:
		return o == Export
	}
	return false
}

// forPurpose has the operations of a key of each purpose.
var forPurpose = map[Purpose]opSet{
	DataEncryption: setOf(Protect, Process, Export),
	Streaming:      setOf(Protect, Process, Export),
	KeyWrapping:    setOf(Wrap, Unwrap, Export),
	Derivation:     setOf(Derive, Export),
	Authentication: setOf(Sign, Verify, Export),
	Signature:      setOf(Sign, Verify, Export),
}

// Allows reports whether o is what a key of this purpose is for.
func (p Purpose) Allows(o Op) bool { return forPurpose[p].has(o) }

// Permit says, again and again, whether a principal may use one key: by its state, its periods, the policy, the role, and
// what is left of a lease. It is made once for a key as a snapshot has it; make another when that changes.
type Permit struct {
	ops          opSet // by state, purpose, policy and role
	protectUntil int64 // Unix nanoseconds
	processUntil int64
	block        *Block

	key     Key // what follows is for errors
	purpose Purpose
	set     Policy
	role    Role
}

// NewPermit returns the permit of one key of a keyset for a principal of this role. What protects is taken from block,
// which may outlive the permit; without one, nothing protects.
func NewPermit(set Keyset, key Key, role Role, block *Block) *Permit {
	p := &Permit{
		protectUntil: unixNano(key.ProtectUntil), processUntil: unixNano(key.ProcessUntil), block: block,
		key: key, purpose: set.Purpose, set: set.Policy, role: role,
	}
	for o := Op(1); o < operations; o++ {
		if p.refusal(o) == nil {
			p.ops |= 1 << o
		}
	}
	return p
}

// Check returns nil if op is possible now, in Unix nanoseconds. It takes nothing from the block: see [Permit.Use]. It
// allocates only for an error, which wraps [opsec.ErrDenied] and is the first that applies of [*StateError],
// [*PolicyError], [*RoleError] and [*PeriodError].
func (p *Permit) Check(op Op, now int64) error {
	if !p.ops.has(op) {
		return p.refusal(op)
	}
	if now >= p.processUntil || now >= p.protectUntil && protecting.has(op) {
		return p.over(op)
	}
	return nil
}

// Use is [Permit.Check] before op is done on a message of so many bytes. If it protects, the message is taken from the
// block; an [*ExhaustedError] says that it does not have as much, and another lease is needed.
func (p *Permit) Use(op Op, now int64, bytes int) error {
	if err := p.Check(op, now); err != nil {
		return err
	}
	if protecting.has(op) && !p.block.Take(bytes) {
		return &ExhaustedError{Ref: p.key.Ref}
	}
	return nil
}

// refusal says what forbids op at any time, nil for nothing.
func (p *Permit) refusal(op Op) error {
	if !p.key.State.Allows(op) {
		return &StateError{Ref: p.key.Ref, State: p.key.State, Op: op}
	}
	if why := p.policy(op); why != "" {
		return &PolicyError{Ref: p.key.Ref, Op: op, Why: why}
	}
	if !p.role.Allows(op) {
		return &RoleError{Ref: p.key.Ref, Role: p.role, Op: op}
	}
	return nil
}

func (p *Permit) over(op Op) error {
	until := p.key.ProcessUntil
	if protecting.has(op) {
		until = p.key.ProtectUntil
	}
	return &PeriodError{Ref: p.key.Ref, Op: op, Until: until}
}

// policy says why the purpose or the policy forbids what the state allows; "" if they do not.
func (p *Permit) policy(op Op) string {
	switch {
	case !p.purpose.Allows(op):
		return "the purpose of the key is " + string(p.purpose)
	case p.key.State == Compromised && !p.set.InsecureProcessCompromised:
		return "the key is compromised"
	case op.Protects() && p.set.Permits(p.key.Algorithm, p.purpose) != nil:
		return "the algorithm does not meet the policy"
	}
	return ""
}

// The bounds of a [Block]: it is one machine word, since it is in the way of every message.
const (
	MaxBlockMessages = 1<<24 - 1
	MaxBlockBytes    = 1<<40 - 1 // of one message too

	oneMessage = MaxBlockBytes + 1
)

// Block is what is left of what a node has leased of a key: see [Source].Lease. The zero Block has nothing. All methods
// may be called by many goroutines.
type Block struct{ left atomic.Uint64 } // 24 bits of messages, 40 of bytes

// Add puts in what a lease has given. What is above the bounds is lost: nobody will use it.
func (b *Block) Add(a Amount) {
	for {
		old := b.left.Load()
		messages := old/oneMessage + min(a.Messages, MaxBlockMessages-old/oneMessage)
		bytes := old%oneMessage + min(a.Bytes, MaxBlockBytes-old%oneMessage)
		if b.left.CompareAndSwap(old, messages*oneMessage+bytes) {
			return
		}
	}
}

// Take takes one message of so many bytes, and reports whether there was enough. It takes all or nothing.
func (b *Block) Take(bytes int) bool {
	if b == nil {
		return false
	}
	for {
		old := b.left.Load()
		if old < oneMessage || old%oneMessage < uint64(bytes) { // more than it can hold, if negative
			return false
		}
		if b.left.CompareAndSwap(old, old-oneMessage-uint64(bytes)) {
			return true
		}
	}
}

// Left returns what can still be taken.
func (b *Block) Left() Amount {
	left := b.left.Load()
	return Amount{Messages: left / oneMessage, Bytes: left % oneMessage}
}

// unixNano is [time.Time.UnixNano] of any time: those that it has no number for are the first or the last that it has.
func unixNano(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(0, math.MinInt64)):
		return math.MinInt64
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	}
	return t.UnixNano()
}

// PolicyError says that a key's purpose, or its policy, forbids what its state would allow. It wraps [opsec.ErrDenied].
type PolicyError struct {
	Ref Ref
	Op  Op
	Why string
}

func (e *PolicyError) Error() string {
	return fmt.Sprintf("keymgmt: key %s: no %s: %s: %v", e.Ref, e.Op, e.Why, opsec.ErrDenied)
}

func (e *PolicyError) Unwrap() error { return opsec.ErrDenied }

// RoleError says that the principal's role does not go with this. It wraps [opsec.ErrDenied].
type RoleError struct {
	Ref  Ref
	Role Role // "" for none
	Op   Op
}

func (e *RoleError) Error() string {
	return fmt.Sprintf("keymgmt: key %s: no %s for role %q: %v", e.Ref, e.Op, string(e.Role), opsec.ErrDenied)
}

func (e *RoleError) Unwrap() error { return opsec.ErrDenied }

// PeriodError says that a key's time to protect, or to process, is over. It wraps [opsec.ErrDenied].
type PeriodError struct {
	Ref   Ref
	Op    Op
	Until time.Time // when it ended; zero when it never began
}

func (e *PeriodError) Error() string {
	return fmt.Sprintf("keymgmt: key %s: no %s since %s: %v", e.Ref, e.Op, e.Until.Format(time.RFC3339), opsec.ErrDenied)
}

func (e *PeriodError) Unwrap() error { return opsec.ErrDenied }

// ExhaustedError says that what the policy lets one key protect, or what a node has leased of it, is used up: rotate, or
// lease more. It wraps [opsec.ErrDenied].
type ExhaustedError struct{ Ref Ref }

func (e *ExhaustedError) Error() string {
	return fmt.Sprintf("keymgmt: key %s: no messages or bytes are left: %v", e.Ref, opsec.ErrDenied)
}

func (e *ExhaustedError) Unwrap() error { return opsec.ErrDenied }
