package lockout

import (
	"context"
	"time"

	"github.com/cloudopsec/opsec"
)

// Factor is the kind of secret that is guessed. Each has counters of its own, so that whoever can spoil one (an outsider, who
// may try passwords) spoils no other (the one-time codes, which come after it).
type Factor string

// The factors that the presets know. A caller may have others: 1 to 32 lower-case letters, digits and '-'.
const (
	Password Factor = "password"
	OTP      Factor = "otp"      // one-time codes: the second factor
	Recovery Factor = "recovery" // recovery codes, answers
	Reset    Factor = "reset"    // tokens of a password reset
)

// Class is from where a guess comes. Each has a budget of its own, so that what strangers spend is not the owner's.
type Class string

// The classes.
const (
	Unknown  Class = ""         // anybody: the strictest, and what the zero value means
	Familiar Class = "familiar" // a network that the account has logged in from before
	Trusted  Class = "trusted"  // a device that holds a token of an earlier log-in; each device has a budget
)

// Key names one counter.
type Key struct {
	Tenant  opsec.TenantID `json:"tenant"`
	Account string         `json:"account"` // as the caller names it; also of accounts that do not exist
	Factor  Factor         `json:"factor"`
	Class   Class          `json:"class,omitempty"`
	Device  string         `json:"device,omitempty"` // of a trusted device: its identifier, never its token
}

// Standing is how things are with a counter.
type Standing string

// The standings, from the mildest to the most severe.
const (
	Open      Standing = ""
	Barred    Standing = "barred"    // for a while, for repeating too quickly
	Locked    Standing = "locked"    // for a while, for too many failures
	Permanent Standing = "permanent" // for too many failures, until somebody unlocks it
	Held      Standing = "held"      // by an administrator, until somebody unlocks it
)

// State is what is remembered of one counter. The zero value is a counter that nothing has happened to, and what [Policy.Step] leaves
// when nothing is left. It has no secret in it, and no digest of one.
type State struct {
	Failures uint16    `json:"failures,omitempty"` // one after the other
	Locks    uint16    `json:"locks,omitempty"`    // temporary ones since the last success
	Pending  [2]uint16 `json:"pending,omitzero"`   // reservations that are not settled: of Batch, and of the one before; each at most 1000
	Batch    int64     `json:"batch,omitempty"`    // when the younger batch of reservations began, ms since 1970
	Last     int64     `json:"last,omitempty"`     // the last failure, ms since 1970
	Until    int64     `json:"until,omitempty"`    // when Barred or Locked ends, ms since 1970; Policy.Skew is in it
	Standing Standing  `json:"standing,omitempty"`
}

// Kind is what an [Event] is.
type Kind uint8

// The kinds of events.
const (
	Reserve Kind = iota + 1 // somebody is about to try a secret
	Succeed                 // the secret was right
	Fail                    // it was wrong
	Release                 // nobody knows: it was not tried
	Unlock                  // an administrator opens the account again
	Hold                    // an administrator locks it
	Recover                 // its owner has recovered it: as Unlock, but a counter that is held stays so
	Look                    // nothing but that time passes: Refused unless the counter is open
)

// Event is something that happens to a counter.
type Event struct {
	Kind   Kind
	Batch  int64 // of Succeed, Fail, Release: the batch of the reservation that is settled
	Repeat bool  // of Fail: this very secret was wrong before, and has been counted
}

// Answer is what becomes of an [Event].
type Answer uint8

// The answers.
const (
	Done    Answer = iota + 1 // it has happened: the guess is admitted, the reservation settled, the account unlocked
	Wait                      // all that the budget allows is being tried now: ask again when some is settled
	Refused                   // the counter is barred, locked or held
	Expired                   // the reservation is none any more: it has been counted as a failure, or settled before
)

// Verdict is what [Policy.Step] says of an event.
type Verdict struct {
	Answer   Answer
	Standing Standing  // after it
	Until    time.Time // when Barred or Locked ends; zero for the others
	Became   Standing  // what it has become by this step; Open when it was so before, or is open
	Opened   bool      // a lock or bar was cleared by this step before its time; by Unlock and Recover also a run of failures
	Failures int       // after it
	Left     int       // guesses that may be tried now, at the same time
	Batch    int64     // of Reserve: the batch to settle it with
}

// Change is what is to be done to a counter: a plain value, which the repository applies to the state that it has.
type Change struct {
	Policy *Policy
	Event  Event
	Now    time.Time
	Actor  opsec.Actor // for the record: who guesses, or who unlocks
	Reason string      // of Unlock, Hold and Recover
}

// States keeps the states of counters. Update loads the state of a key, which is zero when there is none, calls [Change.Apply],
// keeps what that returns with the event of [Change.Record], if there is one, and returns the verdict: all in one transaction that
// no other Update of this key comes between. When it returns an error, nothing has changed, or nobody knows.
//
// [Memory] is one, package shelf has one over a store, and docs/adopt.md shows one on database/sql.
type States interface {
	Update(ctx context.Context, key Key, change Change) (Verdict, error)
}
