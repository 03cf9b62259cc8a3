package competence

import (
	"context"
	"time"

	"github.com/cloudopsec/opsec"
)

// State is what a [Register] keeps under one key: the records of one person, or the certificates of the provider. As
// JSON it takes at most [MaxState] bytes.
type State struct {
	Records      []Record      `json:"records,omitempty"`
	Certificates []Certificate `json:"certificates,omitempty"`
}

// MaxState bounds the JSON of a [State], so that every store can hold it.
const MaxState = 200 << 10

// States keeps the state of a [Register]: beside it are [NewMemory] and [In] over a store.DB, and a few lines over any
// database will do.
type States interface {
	// Update reads the state under a key, the zero State when there is none, calls fn, and keeps what it returns
	// together with the events, all or nothing, unless somebody else has changed the state meanwhile: then it begins
	// again. An error of fn is returned as it is and nothing is kept. Events are recorded once at least; a state that
	// is the same need not be written.
	Update(ctx context.Context, key string, fn func(State) (State, []opsec.Event, error)) error
}

// Options wires a [Register].
type Options struct {
	Now        func() time.Time // default: time.Now
	Authorizer opsec.Authorizer // must be there
}

// Register keeps who is qualified for what, and which certificates there are. It is safe for concurrent use.
type Register struct {
	states States
	policy Policy
	now    func() time.Time
	auth   opsec.Authorizer
}

// New returns a register. The error wraps [opsec.ErrInvalid].
func New(states States, p Policy, o *Options) (*Register, error) {
	return &Register{states: states, policy: p}, nil
}

// Qualified says whether a person is qualified, as of an instant, for a duty of the policy, and by which records: their
// references, one for each need, joined by spaces. When not, the error is an [*UnqualifiedError]; a duty that the policy
// does not know is [opsec.ErrInvalid]. It asks nobody's leave: it is for programs that decide by it.
func (r *Register) Qualified(ctx context.Context, person, duty string, at time.Time) (ref string, err error) {
	return "", &UnqualifiedError{Person: person}
}

// Add enters a record, and returns its reference. The actor must be a person, and another one.
func (r *Register) Add(ctx context.Context, by opsec.Actor, rec Record) (ref string, err error) {
	return "", nil
}

// Revoke ends a record from an instant on, which may have passed: that of its issue when it never should have been.
// A record that is revoked already can only be revoked from earlier on.
func (r *Register) Revoke(ctx context.Context, by opsec.Actor, person, ref string, from time.Time, reason string) error {
	return nil
}

// Records returns what is on record of a person, in the order in which it was entered.
func (r *Register) Records(ctx context.Context, by opsec.Actor, person string) ([]Record, error) {
	return nil, nil
}

// Examine is [Policy.Examine] over what is on record, now.
func (r *Register) Examine(ctx context.Context, by opsec.Actor, staff []Staff) ([]Finding, error) {
	return nil, nil
}

// Acquire enters a certificate.
func (r *Register) Acquire(ctx context.Context, by opsec.Actor, c Certificate) error { return nil }

// Survey notes that a surveillance audit was done.
func (r *Register) Survey(ctx context.Context, by opsec.Actor, id string, s Surveillance) error {
	return nil
}

// Withdraw ends a certificate from an instant on.
func (r *Register) Withdraw(ctx context.Context, by opsec.Actor, id string, from time.Time, reason string) error {
	return nil
}

// Certificates returns all of them, in the order in which they were entered.
func (r *Register) Certificates(ctx context.Context, by opsec.Actor) ([]Certificate, error) {
	return nil, nil
}

// Renewals is [Policy.Renewals] over what is on record, now.
func (r *Register) Renewals(ctx context.Context, by opsec.Actor) ([]Warning, error) { return nil, nil }
