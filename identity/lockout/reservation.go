package lockout

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cloudopsec/opsec"
)

// Reservation is the leave to try one secret; see [Gate.Begin]. The zero Reservation is none.
type Reservation struct {
	ticket *ticket
	turn   uint64
}

// ticket is what a gate knows of a guess that is under way. It is used again for others: a reservation that is settled is of a turn
// that is over.
type ticket struct {
	gate   *Gate
	turn   atomic.Uint64
	key    Key    // of the counter
	digest uint64 // of the key, in a Memory
	change Change // the policy and the actor, and what is done at each turn
	batch  int64
	failed bool // there were failures before
}

// Outcome is what has become of a guess. The zero Outcome counts as a wrong secret.
type Outcome struct {
	kind   Kind
	secret []byte
}

// Correct is the outcome of a secret that was right.
func Correct() Outcome { return Outcome{kind: Succeed} }

// Wrong is the outcome of a secret that was wrong. Of a [Password] no more than a keyed tag is kept, in memory and of use for two
// hours at most, so that trying it again does not count again; an empty one always counts. Of other factors nothing is kept, and
// each counts: the same digits are another guess when the code is another.
func Wrong(secret []byte) Outcome { return Outcome{kind: Fail, secret: secret} }

// Undecided is the outcome of a secret that was not verified, because something else has failed. It does not count. Who can bring
// it about after the secret was compared has guesses for nothing.
func Undecided() Outcome { return Outcome{kind: Release} }

// Format implements [fmt.Formatter]: the outcome without the secret, under every verb.
func (o Outcome) Format(f fmt.State, _ rune) {
	switch o.kind {
	case Succeed:
		fmt.Fprint(f, "correct")
	case Release:
		fmt.Fprint(f, "undecided")
	default:
		fmt.Fprint(f, "wrong")
	}
}

// Proof says that an account has just proved one factor, through the gate. It is what a session is made of; nothing but
// [Gate.Commit] makes one that says anything.
type Proof struct {
	tenant  opsec.TenantID
	account string
	factor  Factor
	at      time.Time
}

// Tenant returns whose account it is, "" of the zero Proof.
func (p Proof) Tenant() opsec.TenantID { return p.tenant }

// Account returns the account as the attempt named it.
func (p Proof) Account() string { return p.account }

// Factor returns what was proved.
func (p Proof) Factor() string { return string(p.factor) }

// At returns when the guess was let through, before the secret was looked at: what was changed since is newer. Zero of the zero Proof.
func (p Proof) At() time.Time { return p.at }
