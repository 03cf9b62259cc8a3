package accounts

import (
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/cloudopsec/opsec"
)

// ahead is how many rows are taken from a sequence at once: to change over to it for each would cost more than to judge.
const ahead = 64

// cursor reads a sequence: row is the one to look at, and nil behind the last or after an error.
type cursor[T any] struct {
	name string
	// order compares what groups rows (the account, the person), and then what sorts them within the group.
	order func(a, b *T) (group, within int)
	// again says that rows may be equal.
	again bool
	valid func(before, row *T) error
	ref   func(*T) string

	next func() ([]T, error, bool)
	stop func()
	rows []T // taken and not yet looked at, row first
	last T   // the row before rows[0], when position is not 0
	from *T  // the row before row

	row      *T
	same     bool // row is of the group of the row before it
	position int64
	err      error
}

func (c *cursor[T]) start(seq iter.Seq2[T, error]) {
	if seq == nil {
		c.stop = func() {}
		return
	}
	c.next, c.stop = iter.Pull2(batches(seq))
	c.advance()
}

func batches[T any](seq iter.Seq2[T, error]) iter.Seq2[[]T, error] {
	return func(yield func([]T, error) bool) {
		rows := make([]T, 0, ahead)
		for row, err := range seq {
			if err != nil {
				if len(rows) == 0 || yield(rows, nil) {
					yield(nil, err)
				}
				return
			}
			if rows = append(rows, row); len(rows) == ahead {
				if !yield(rows, nil) {
					return
				}
				rows = rows[:0]
			}
		}
		if len(rows) > 0 {
			yield(rows, nil)
		}
	}
}

// advance goes to the next row. A row that is invalid or out of order ends the sequence with an error.
func (c *cursor[T]) advance() {
	if c.row != nil {
		c.from = c.row
		c.rows = c.rows[1:]
	}
	if len(c.rows) == 0 {
		if c.from != nil {
			c.last = *c.from // its batch is about to be written over
			c.from = &c.last
		}
		rows, err, more := c.next()
		if !more || err != nil {
			c.row = nil
			if err != nil {
				c.err = fmt.Errorf("accounts: %s: after row %d: %w", c.name, c.position, err)
			}
			return
		}
		c.rows = rows
	}
	row := &c.rows[0]
	c.position++
	c.same = false
	if c.from != nil {
		group, within := c.order(c.from, row)
		if group > 0 || group == 0 && (within > 0 || within == 0 && !c.again) {
			c.fail(&OrderError{c.name, c.position, c.ref(row), group == 0 && within == 0})
			return
		}
		c.same = group == 0
	}
	if err := c.valid(c.from, row); err != nil {
		c.fail(fmt.Errorf("accounts: %s: %s: %w: %w", c.name, rowAt(c.position, c.ref(row)), err, opsec.ErrInvalid))
		return
	}
	c.row = row
}

// rowAt names a row, by its reference too: the position may be one that sorting has given it.
func rowAt(position int64, ref string) string {
	if ref == "" || len(ref) > 256 {
		return fmt.Sprintf("row %d", position)
	}
	return fmt.Sprintf("row %d (%s)", position, printable(ref))
}

func (c *cursor[T]) fail(err error) {
	c.row, c.rows, c.err = nil, nil, err
	c.next = func() ([]T, error, bool) { return nil, nil, false }
}

// compare is Key.Compare, and quick about keys that are equal.
func compare(a, b *Key) int {
	if a.Sub == b.Sub && a.Main == b.Main && a.Tenant == b.Tenant {
		return 0
	}
	return a.Compare(*b)
}

// The rules of rows. An error names the field and never its value.

func newAccounts() *cursor[Account] {
	return &cursor[Account]{
		ref:  func(a *Account) string { return a.Ref },
		name: "accounts",
		order: func(a, b *Account) (int, int) {
			return a.Key.Compare(b.Key), 0
		},
		valid: func(before, a *Account) error {
			if len(a.Roles) > maxRoles {
				return fmt.Errorf("roles: %d, want at most %d", len(a.Roles), maxRoles)
			}
			for _, role := range a.Roles {
				if role == "" || len(role) > maxText {
					return errors.New("roles: one is empty, or too long")
				}
			}
			switch a.State {
			case Active, Suspended, Disabled, Deleted:
			default:
				return errors.New("state: want active, suspended, disabled or deleted")
			}
			if !validKind(a.Kind) {
				return errKind
			}
			return validKey(before != nil && before.Tenant == a.Tenant, &a.Key, a.Person, a.Ref)
		},
	}
}

func newEntitlements() *cursor[Entitlement] {
	return &cursor[Entitlement]{
		ref:  func(e *Entitlement) string { return e.Ref },
		name: "entitlements",
		order: func(a, b *Entitlement) (int, int) {
			return compare(&a.Key, &b.Key), strings.Compare(a.Permission, b.Permission)
		},
		valid: func(before, e *Entitlement) error {
			if e.Permission == "" {
				return errors.New("permission: is empty")
			}
			return validKey(before != nil && before.Tenant == e.Tenant, &e.Key, e.Permission, e.Ref)
		},
	}
}

// newUses takes any tenant and name up to a length: what was refused may have been tried under any.
func newUses() *cursor[Use] {
	return &cursor[Use]{
		ref:  func(u *Use) string { return u.Ref },
		name: "uses",
		order: func(a, b *Use) (int, int) {
			return compare(&a.Key, &b.Key), strings.Compare(a.Permission, b.Permission)
		},
		valid: func(_, u *Use) error {
			if u.Permission == "" {
				return errors.New("permission: is empty")
			}
			if u.Count > 0 && u.Last.IsZero() || u.Count == 0 && !u.Last.IsZero() {
				return errors.New("count, last: want both or neither")
			}
			return errors.Join(validTyped(&u.Key), validTexts(u.Permission, u.Ref))
		},
	}
}

// newSignIns takes any tenant and name up to a length: whoever signs in has typed them, and must not be able to end an
// audit by it.
func newSignIns() *cursor[SignIn] {
	return &cursor[SignIn]{
		ref:  func(s *SignIn) string { return s.Ref },
		name: "sign-ins",
		order: func(a, b *SignIn) (int, int) {
			return compare(&a.Key, &b.Key), a.Time.Compare(b.Time)
		},
		again: true,
		valid: func(_, s *SignIn) error {
			switch s.Outcome {
			case opsec.Success, opsec.Failure, opsec.Denied, opsec.Unknown:
			default:
				return errors.New("outcome: want success, failure, denied or unknown")
			}
			switch {
			case s.Time.IsZero():
				return errors.New("time: is not set")
			case !s.Logout && !s.Began.IsZero() || s.Began.After(s.Time):
				return errors.New("began: want it on a log-out alone, and not later than time")
			}
			return errors.Join(validTyped(&s.Key), validLengths(opsec.MaxValueLen, s.Session, s.Terminal, s.Ref))
		},
	}
}

func newPeople() *cursor[Person] {
	return &cursor[Person]{
		ref:  func(p *Person) string { return p.Ref },
		name: "people",
		order: func(a, b *Person) (int, int) {
			if c := strings.Compare(string(a.Tenant), string(b.Tenant)); c != 0 {
				return c, 0
			}
			return strings.Compare(a.ID, b.ID), 0
		},
		valid: func(before, p *Person) error {
			if p.ID == "" {
				return errors.New("id: is empty")
			}
			if before == nil || before.Tenant != p.Tenant {
				if err := p.Tenant.Validate(); err != nil {
					return err
				}
			}
			return validTexts(p.ID, p.Ref)
		},
	}
}

func newHoldings() *cursor[Holding] {
	return &cursor[Holding]{
		ref:  func(h *Holding) string { return h.Ref },
		name: "holdings",
		order: func(a, b *Holding) (int, int) {
			if c := strings.Compare(string(a.Tenant), string(b.Tenant)); c != 0 {
				return c, 0
			}
			return strings.Compare(a.Person, b.Person), a.Key.Compare(b.Key)
		},
		valid: func(before, h *Holding) error {
			if h.Person == "" {
				return errors.New("person: is empty")
			}
			switch h.State {
			case Active, Suspended, Disabled, Deleted:
			default:
				return errors.New("state: want active, suspended, disabled or deleted")
			}
			if !validKind(h.Kind) {
				return errKind
			}
			return validKey(before != nil && before.Tenant == h.Tenant, &h.Key, h.Person, h.Ref)
		},
	}
}

const (
	maxRoles = 64      // of one account
	maxText  = 1 << 10 // bytes of a text, but for those of a sign-in
)

func validKey(tenantKnown bool, k *Key, text, ref string) error {
	if !tenantKnown {
		if err := k.Tenant.Validate(); err != nil {
			return err
		}
	}
	if k.Main == "" {
		return errors.New("main: is empty")
	}
	if max(len(k.Main), len(k.Sub)) > maxText {
		return validTexts(k.Main, k.Sub)
	}
	return validTexts(text, ref)
}

var errKind = errors.New("kind: want human, service, system or none")

func validKind(k opsec.ActorKind) bool {
	return k == opsec.Human || k == "" || k == opsec.Service || k == opsec.System
}

// validTyped bounds what somebody may have typed.
func validTyped(k *Key) error {
	return validLengths(opsec.MaxValueLen, string(k.Tenant), k.Main, k.Sub)
}

func validTexts(a, b string) error { return validLengths(maxText, a, b) }

func validLengths(most int, texts ...string) error {
	for _, text := range texts {
		if len(text) > most {
			return fmt.Errorf("a text of %d bytes, want at most %d", len(text), most)
		}
	}
	return nil
}
