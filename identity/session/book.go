package session

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
)

// Address is where a [Book] lies: the tenant, and a digest of the account's name, which tokens carry.
type Address struct {
	Tenant opsec.TenantID
	Book   string // 32 lower-case hexadecimal digits
}

// AddressOf returns the address of an account's book.
func AddressOf(tenant opsec.TenantID, account string) Address {
	sum := sha256.Sum256([]byte("opsec session book\x00" + string(tenant) + "\x00" + account))
	return Address{tenant, hex.EncodeToString(sum[:locatorLen])}
}

// Book is all sessions of one account. Its verbs are pure: they change the value alone, by a time that they are given. The zero
// Book is that of an account that has none.
type Book struct {
	Account  string    `json:"account"`
	Epoch    uint64    `json:"epoch,omitempty"`  // sessions of an earlier one are revoked
	Revoked  time.Time `json:"revoked,omitzero"` // when the epoch began: a proof from before opens no session
	Sessions []Session `json:"sessions,omitempty"`
	Notices  []Notice  `json:"notices,omitempty"` // of ends, that applications have not been told
	Due      time.Time `json:"due,omitzero"`      // when [Manager.Sweep] has something to do; zero is never
}

// Ended is a session that has ended, why, and since when.
type Ended struct {
	Session  Session
	Standing Standing
	At       time.Time
}

// of makes the book that of an account, if it is nobody's yet. Addresses are digests of 128 bits: two names with one address can
// be made with some 2^64 steps, and then the second finds no way in.
func (b *Book) of(account string) error {
	if b.Account != "" && b.Account != account {
		return invalid("account: its address is that of another")
	}
	b.Account = account
	return nil
}

// Settle takes out what has ended by itself or by the epoch, and returns it in the order in which it began. Each session
// is returned by one verb, once.
func (b *Book) Settle(p *Policy, now time.Time) (ended []Ended) {
	left := b.Sessions[:0:0]
	for _, s := range b.Sessions {
		e := Ended{Session: s, Standing: s.At(p, now), At: s.NextDeadline(p)}
		if s.Epoch != b.Epoch {
			if e.Standing == Valid || b.Revoked.Before(e.At) {
				e.Standing, e.At = Revoked, later(b.Revoked, s.Began)
			}
		}
		if e.Standing == Valid {
			left = append(left, s)
			continue
		}
		ended = append(ended, e)
	}
	if len(ended) > 0 {
		b.Sessions = left
	}
	for i := range ended {
		b.note(ended[i].notice(p))
	}
	return ended
}

// forget drops what is of no more use: notices of sessions that would be over by now, and the epoch of a book without sessions
// once no proof can be from before it.
func (b *Book) forget(now time.Time) (changed bool) {
	n := len(b.Notices)
	b.Notices = slices.DeleteFunc(b.Notices, func(n Notice) bool { return !now.Before(n.Until) })
	if b.Epoch > 0 && len(b.Sessions) == 0 && !now.Before(b.Revoked.Add(keepEpoch)) {
		b.Epoch, b.Revoked = 0, time.Time{}
		changed = true
	}
	return changed || n != len(b.Notices)
}

// keepEpoch is how long an epoch without sessions is kept: proofs may be of either side of a clock, and clocks apart by as much.
const keepEpoch = 4 * MaxFresh

// Blank reports whether nothing is in the book, so that it needs not be kept.
func (b *Book) Blank() bool { return b.Epoch == 0 && len(b.Sessions) == 0 && len(b.Notices) == 0 }

// Open adds a session, and returns what had to end for it. What has ended already must have been taken out by Settle. When there
// may be no more the error is a [*FullError], and nothing has changed.
func (b *Book) Open(p *Policy, s Session, now time.Time) (ended []Ended, err error) {
	if over := len(b.Sessions) + 1 - p.Concurrent; over > 0 {
		if p.WhenFull != EndOldest {
			return nil, &FullError{p.Concurrent}
		}
		for range over {
			ended = append(ended, b.remove(p, 0, Displaced, now)) // sessions are in the order in which they were opened
		}
	}
	s.Epoch = b.Epoch
	b.Sessions = append(slices.Clip(b.Sessions), s)
	return ended, nil
}

// End takes out a session by its id.
func (b *Book) End(p *Policy, id opsec.ID, why Standing, now time.Time) (Ended, bool) {
	for i := range b.Sessions {
		if b.Sessions[i].ID == id {
			return b.remove(p, i, why, now), true
		}
	}
	return Ended{}, false
}

func (b *Book) remove(p *Policy, i int, why Standing, now time.Time) Ended {
	e := Ended{b.Sessions[i], why, later(now, b.Sessions[i].Began)}
	b.Sessions = slices.Delete(slices.Clone(b.Sessions), i, i+1)
	b.note(e.notice(p))
	return e
}

// RevokeAll begins another epoch, so that all sessions are over, however many: [Book.Settle] takes them out later. Proofs
// from before open none either.
func (b *Book) RevokeAll(now time.Time) {
	b.Epoch++
	b.Revoked = later(b.Revoked, now)
}

// fits returns an error that wraps [ErrFull] when the book is larger than [MaxBook]. What ends makes a book no larger.
func (b *Book) fits() error {
	data, err := json.Marshal(b)
	if err != nil {
		return invalid("book: %v", err)
	}
	if len(data) > MaxBook {
		return fmt.Errorf("%w: they take %d bytes, at most %d", ErrFull, len(data), MaxBook)
	}
	return nil
}

// find returns the session that a token belongs to, and the application that it was given to.
func (b *Book) find(d *Digest) (s *Session, application string) {
	for i := range b.Sessions {
		if name, ok := b.Sessions[i].application(d); ok {
			s, application = &b.Sessions[i], name
		}
	}
	return s, application
}

// due returns when there is something to do: a session ends, has ended, or an application is to be told.
func (b *Book) due(p *Policy) (at time.Time) {
	sooner := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	for i := range b.Sessions {
		if s := &b.Sessions[i]; s.Epoch == b.Epoch {
			sooner(s.NextDeadline(p))
		} else {
			sooner(b.Revoked)
		}
	}
	for i := range b.Notices {
		sooner(b.Notices[i].Ended)
	}
	if b.Epoch > 0 && len(b.Sessions) == 0 {
		sooner(b.Revoked.Add(keepEpoch))
	}
	return at
}
