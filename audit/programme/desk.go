package programme

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme/competence"
	"github.com/cloudopsec/opsec/audit/programme/independence"
	"github.com/cloudopsec/opsec/audit/programme/sample"
)

// Audits keeps audits. Update gives fn the audit as it is (the zero Audit when there is none), and saves what it
// returns together with the event, which it records; of two at once, one goes after the other. [Memory] and [Stored]
// are two.
type Audits interface {
	Update(ctx context.Context, id string, fn func(Audit) (Audit, []opsec.Event, error)) error
}

// Ledger is what the desk asks of the transparency log that holds its events.
type Ledger interface {
	// Locate returns where the event is. An error wrapping opsec.ErrNotFound says that it is not there yet.
	Locate(ctx context.Context, event opsec.ID) (sample.Anchor, error)
	// Checkpoint returns the newest signed checkpoint, with the witnesses' signatures.
	Checkpoint(ctx context.Context) ([]byte, error)
	// Trail returns what was done in a period, for independence.
	Trail(ctx context.Context, from, until time.Time) iter.Seq2[independence.Act, error]
}

// Options is what a Desk is wired with. Authorizer and Verifier must be set.
type Options struct {
	Authorizer   opsec.Authorizer
	Ledger       Ledger
	Verifier     sample.CheckpointVerifier // whose checkpoints a sample may be drawn by
	Organisation func(context.Context) (independence.Organisation, error)
	Records      func(ctx context.Context, person string) ([]competence.Record, error)
	Proofs       func(ctx context.Context, e Evidence) error // verifies evidence that has a proof; none: such evidence is refused
	Blackouts    func(from, until time.Time) error           // nil when nothing forbids fieldwork then
	Notifier     opsec.Notifier
	Now          func() time.Time
	Logger       *slog.Logger
}

// Desk runs audits.
type Desk struct {
	audits Audits
	policy Policy
	opts   Options
}

// NewDesk returns a desk.
func NewDesk(audits Audits, p Policy, opts Options) (*Desk, error) {
	return nil, errors.ErrUnsupported
}

// Open starts an audit.
func (d *Desk) Open(ctx context.Context, who opsec.Actor, id string, plan Plan) (Audit, error) {
	return Audit{}, errors.ErrUnsupported
}

// Take takes a step.
func (d *Desk) Take(ctx context.Context, who opsec.Actor, id string, s Step) (Audit, error) {
	return Audit{}, errors.ErrUnsupported
}

// Assign looks into independence and competence, and takes the step Assign.
func (d *Desk) Assign(ctx context.Context, who opsec.Actor, id string, m Member) (Audit, error) {
	return Audit{}, errors.ErrUnsupported
}

// Draw finds the freeze in the ledger, and takes the step Seed by its newest checkpoint.
func (d *Desk) Draw(ctx context.Context, who opsec.Actor, id string) (Audit, error) {
	return Audit{}, errors.ErrUnsupported
}

// Check is an automated procedure. Whatever finds out about an item can be one: a backup's verification, a baseline's
// scan. An error says that the item could not be tested.
type Check interface {
	Check(ctx context.Context, item Item) (Verdict, error)
}

// CheckFunc is a function that is a Check.
type CheckFunc func(ctx context.Context, item Item) (Verdict, error)

// Check calls f.
func (f CheckFunc) Check(ctx context.Context, item Item) (Verdict, error) { return f(ctx, item) }

// Item is one thing of a population.
type Item struct {
	ID     string
	Tenant opsec.TenantID // whose it is; none: the provider's
}

// Verdict is what a check has found.
type Verdict struct {
	Status   Status
	Detail   string
	Evidence []Evidence
}

// Run carries out an automated procedure on the items drawn: under the grant, each use of which is counted before the
// check begins. What ends in an error, a panic or after the timeout is [NotTested], with the reason.
func (d *Desk) Run(ctx context.Context, who opsec.Actor, id, procedure, grant string, c Check, population []Item, timeout time.Duration) (Audit, error) {
	return Audit{}, errors.ErrUnsupported
}
