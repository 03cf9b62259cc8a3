package postgres

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/cloudopsec/opsec/internal/pause"
	"github.com/cloudopsec/opsec/store"
)

// Commit implements [store.Driver], in one round trip. The keys are taken in their order, so that commits that meet
// wait for each other and never in a circle. The server gives up a little before the deadline of ctx, so that a commit
// which waits behind a lock still ends with a certain answer; one that waits behind several may not, since the server gives
// each statement the time of all. A statement_timeout of the role holds where ctx has no deadline.
func (d *Driver) Commit(ctx context.Context, b store.Batch) (store.Rev, error) {
	if err := d.usable(ctx); err != nil {
		return 0, err
	}
	if err := b.Validate(); err != nil {
		return 0, err
	}
	if len(b.Ops) == 0 {
		return 0, d.retried(ctx, func() error { return d.check(ctx, d.pool, b.Checks) })
	}
	for attempt := 1; ; attempt++ {
		rev, err := d.send(ctx, &b)
		if err == nil {
			d.tell(&b)
			return rev, nil
		}
		if !errors.Is(err, errAgain) || attempt == maxAttempts {
			return 0, err
		}
		if err := pause.For(ctx, backoff(attempt)); err != nil {
			return 0, err
		}
	}
}

// send sends a batch once.
func (d *Driver) send(ctx context.Context, b *store.Batch) (store.Rev, error) {
	conn, err := d.pool.Acquire(ctx)
	if err != nil {
		return 0, failure(ctx, err)
	}
	defer conn.Release()
	p := newPlan()
	if deadline, ok := ctx.Deadline(); ok {
		p.add(nil, d.text.deadline, patience(time.Until(deadline)))
	}
	p.alone = len(b.Checks) == 1 && len(b.Ops) == 1 && b.Checks[0].Key == b.Ops[0].Key
	d.write(p, b)
	at, rows, err := run(ctx, conn, p.batch)
	switch f := fateOf(err); {
	case f == committed && rows == 0 || f == unmetCondition: // no rows: of a plain statement, all others have some
		return 0, d.conflict(ctx, conn, p.checks[at])
	case f == committed:
		return p.rev, nil
	case f == again:
		return 0, cmp.Or(ctx.Err(), fmt.Errorf("%w: %w", errAgain, err))
	case f == canceled:
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < 2*margin { // else it was somebody at the server
			<-ctx.Done()
		}
		return 0, failure(ctx, err)
	case f == unknown:
		return 0, fmt.Errorf("%w: %w", store.ErrIndeterminate, failure(ctx, err))
	}
	return 0, failure(ctx, err)
}

// conflict is the error of a statement that found one of these checks unmet.
func (d *Driver) conflict(ctx context.Context, q querier, checks []store.Check) error {
	if len(checks) == 1 {
		return &store.ConflictError{Keys: []string{checks[0].Key}}
	}
	return cmp.Or(d.check(ctx, q, checks), errAgain) // now all of them hold: the other one has gone
}

// run sends all statements at once. It returns the place of the last that was executed, or failed, and how many rows it
// has changed.
func run(ctx context.Context, q sender, batch *pgx.Batch) (at int, rows int64, err error) {
	if batch.Len() == 1 { // less work
		tag, err := q.Exec(ctx, batch.QueuedQueries[0].SQL, batch.QueuedQueries[0].Arguments...)
		return 0, tag.RowsAffected(), err
	}
	results := q.SendBatch(ctx, batch)
	var tag pgconn.CommandTag
	for at = range batch.Len() {
		if tag, err = results.Exec(); err != nil {
			break
		}
	}
	if closed := results.Close(); err == nil {
		err = closed
	}
	return at, tag.RowsAffected(), err
}

// check is a commit that writes nothing.
func (d *Driver) check(ctx context.Context, q querier, checks []store.Check) error {
	keys := make([]string, len(checks))
	for i, c := range checks {
		keys[i] = c.Key
	}
	items, err := d.get(ctx, q, keys)
	if err != nil {
		return err
	}
	var failed []string
	for i, item := range items {
		if item.Rev != checks[i].Rev {
			failed = append(failed, item.Key)
		}
	}
	if failed != nil {
		return &store.ConflictError{Keys: failed}
	}
	return nil
}

// plan is a commit as statements.
type plan struct {
	rev    store.Rev
	batch  *pgx.Batch
	checks [][]store.Check // what each statement finds out
	alone  bool            // there is one key, so nothing else must be undone when its condition is not met
}

func newPlan() *plan { return &plan{rev: newRev(), batch: &pgx.Batch{}} }

func (p *plan) add(checks []store.Check, text string, args ...any) {
	p.batch.Queue(text, args...)
	p.checks = append(p.checks, checks)
}

// addIf adds a statement that has a condition.
func (p *plan) addIf(checks []store.Check, c conditional, args ...any) {
	text := c.or
	if p.alone {
		text = c.plain
	}
	p.add(checks, text, args...)
}

// step is what a commit does to one key.
type step struct {
	key   string
	check []store.Check // none or one
	op    *store.Op     // or nil
}

// kind tells the steps apart that many keys can take in one statement.
type kind int

const (
	single kind = iota
	inserts
	puts
)

func (s *step) kind() kind {
	switch {
	case s.op == nil || s.op.Delete:
		return single
	case s.check == nil:
		return puts
	case s.check[0].Rev == 0:
		return inserts
	}
	return single
}

// few is up to how many keys statements of their own take less time than one with arrays.
const few = 7

// write adds what a batch does, in the order of the keys.
func (d *Driver) write(p *plan, b *store.Batch) {
	steps := stepsOf(b)
	for len(steps) > 0 {
		n := 1
		for n < len(steps) && steps[0].kind() != single && steps[n].kind() == steps[0].kind() {
			n++
		}
		if n > few {
			d.many(p, steps[:n])
		} else {
			for i := range steps[:n] {
				d.one(p, &steps[i])
			}
		}
		steps = steps[n:]
	}
}

// margin is how much sooner than the caller the server gives up, so that its answer still arrives.
const margin = 50 * time.Millisecond

// patience is what the server is told, when the caller waits for so long.
func patience(left time.Duration) string {
	left -= min(left/8, margin)
	return strconv.FormatInt(min(max(left.Milliseconds(), 1), math.MaxInt32), 10)
}

// stepsOf joins checks and ops by their keys.
func stepsOf(b *store.Batch) []step {
	steps := make([]step, 0, len(b.Checks)+len(b.Ops))
	for i := range b.Checks {
		steps = append(steps, step{key: b.Checks[i].Key, check: b.Checks[i : i+1 : i+1]})
	}
	for i := range b.Ops {
		steps = append(steps, step{key: b.Ops[i].Key, op: &b.Ops[i]})
	}
	slices.SortStableFunc(steps, func(a, b step) int { return cmp.Compare(a.key, b.key) })
	joined := steps[:0]
	for _, s := range steps {
		if n := len(joined); n > 0 && joined[n-1].key == s.key {
			joined[n-1].op = s.op
		} else {
			joined = append(joined, s)
		}
	}
	return joined
}

func (d *Driver) one(p *plan, s *step) {
	key, rev := d.rawKey(s.key), int64(p.rev)
	checked, removed := s.check != nil, s.op != nil && s.op.Delete
	var at int64
	if checked {
		at = int64(s.check[0].Rev)
	}
	switch {
	case checked && at == 0 && (s.op == nil || removed):
		p.add(s.check, d.text.vacant, key)
		p.add(nil, d.text.remove, key)
	case s.op == nil:
		p.add(s.check, d.text.hold, key, at)
	case removed && checked:
		p.addIf(s.check, d.text.discard, key, at)
	case removed:
		p.add(nil, d.text.lock, key)
		p.add(nil, d.text.remove, key)
	case !checked:
		p.add(nil, d.text.put, key, notNull(s.op.Value), rev)
	case at == 0:
		p.addIf(s.check, d.text.insert, key, notNull(s.op.Value), rev)
	default:
		p.addIf(s.check, d.text.replace, key, notNull(s.op.Value), rev, at)
	}
}

// many does one thing to many keys.
func (d *Driver) many(p *plan, steps []step) {
	keys, values := make([][]byte, len(steps)), make([][]byte, len(steps))
	var checks []store.Check
	for i, s := range steps {
		keys[i], values[i] = d.rawKey(s.key), notNull(s.op.Value)
		checks = append(checks, s.check...)
	}
	text := d.text.putAll
	if checks != nil {
		text = d.text.insertAll
	}
	p.add(checks, text, keys, values, int64(p.rev))
}

// notNull returns a value that is not NULL to the server.
func notNull(value []byte) []byte {
	if value == nil {
		return []byte{}
	}
	return value
}

// newRev returns 63 random bits. A counter would begin anew where a backup was taken; no two of these are ever the same
// under one key, whatever was restored.
func newRev() store.Rev {
	var b [8]byte
	rand.Read(b[:])
	return store.Rev(max(binary.BigEndian.Uint64(b[:])>>1, 1))
}
