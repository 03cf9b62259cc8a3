package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/pause"
	"github.com/cloudopsec/opsec/store"
)

// sender is a connection or a transaction.
type sender interface {
	querier
	Exec(ctx context.Context, text string, args ...any) (pgconn.CommandTag, error)
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// errAgain says that nothing was written, and that another attempt may do better.
var errAgain = errors.New("postgres: disturbed by another transaction")

const maxAttempts = 1000 // which no load of real writers brings about

// backoff is how long to wait after an attempt, at random, so that those who met do not meet again.
func backoff(attempt int) time.Duration { return rand.N(time.Millisecond << min(attempt, 6)) }

// fate is what an error says of the transaction that it ended.
type fate int

const (
	unknown        fate = iota // it may have been committed
	committed                  // no error
	failed                     // it was not
	again                      // it was not, by a collision: it may be tried again
	canceled                   // it was not, since its time was over, or somebody canceled it
	unmetCondition             // it was not, since a statement found its condition unmet
)

// The SQLSTATEs that matter (PostgreSQL manual, appendix A).
const (
	divisionByZero       = "22012"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	queryCanceled        = "57014"
	undefinedTable       = "42P01"
	readOnly             = "25006"

	insufficientPrivilege = "42501"
)

// fateOf tells what has become of a transaction. Only an ERROR of the server itself is an answer: a FATAL one may come
// between a commit and its confirmation, and what a pooler between us says (which has no unlocalized severity) tells
// of the pooler.
func fateOf(err error) fate {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	switch {
	case err == nil:
		return committed
	case !ok && pgconn.SafeToRetry(err): // nothing was sent
		return again
	case !ok || pg.SeverityUnlocalized != "ERROR":
		return unknown
	}
	switch pg.Code {
	case divisionByZero:
		return unmetCondition
	case serializationFailure, deadlockDetected:
		return again
	case queryCanceled:
		return canceled
	}
	return failed
}

// failure is an error for the caller.
func failure(ctx context.Context, err error) error {
	if ctxErr := ctx.Err(); ctxErr != nil && !errors.Is(err, ctxErr) {
		return fmt.Errorf("postgres: %w: %w", ctxErr, err)
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pg.Code {
		case undefinedTable:
			return fmt.Errorf("postgres: the table is not there, see Migrate: %w", err)
		case readOnly:
			return fmt.Errorf("postgres: the server does not write, it must be the primary, and take transactions that are not read-only: %w", err)
		}
	}
	return fmt.Errorf("postgres: %w", err)
}

// reads is how often a read is tried beyond the connections of the pool, all of which turn out to be dead after the
// server has restarted.
const reads = 5

// retried calls a function that only reads.
func (d *Driver) retried(ctx context.Context, read func() error) error {
	for attempt := 1; ; attempt++ {
		err := read()
		if err == nil || ctx.Err() != nil || !passing(err) || attempt >= reads+int(d.pool.Stat().MaxConns()) {
			return err
		}
		if err := pause.For(ctx, backoff(attempt)); err != nil {
			return err
		}
	}
}

// passing reports whether an error is of a connection that has died, or of a collision.
func passing(err error) bool {
	if _, refused := errors.AsType[*pgconn.ConnectError](err); refused || errors.Is(err, puddle.ErrClosedPool) {
		return false
	}
	if _, conflict := errors.AsType[*store.ConflictError](err); conflict || errors.Is(err, opsec.ErrInvalid) {
		return false
	}
	f := fateOf(err)
	return f == unknown || f == again
}
