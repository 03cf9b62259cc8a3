package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/cloudopsec/opsec/store"
)

// Join returns a driver whose reads and commits are part of the caller's transaction. What it commits is durable, and
// seen by others, when that transaction is committed, and never was when it is rolled back:
//
//	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
//		if _, err := tx.Exec(ctx, "UPDATE tickets SET state = 'done' WHERE id = $1", id); err != nil {
//			return err
//		}
//		db, err := store.New(engine.Join(tx), &store.Options{Node: node})
//		if err != nil {
//			return err
//		}
//		return db.Update(ctx, func(tx *store.Tx) error { ... })
//	})
//
// Give the [store.DB] above it the options of the others on this store. It serves one goroutine, as tx does. Each commit
// stands behind a savepoint, so a conflict leaves the transaction as it was. Unlike a commit of [Driver], one that collides
// (SQLSTATE 40001, 40P01) is not tried again: the transaction as a whole must be. What it has written and checked stays
// locked until the transaction ends; what was only read does not, as in any transaction of READ COMMITTED, which tx has to
// be. It cannot watch; those who watch the store are told when the transaction is committed.
func (d *Driver) Join(tx pgx.Tx) store.Driver { return &joined{d, tx} }

type joined struct {
	d  *Driver
	tx pgx.Tx
}

// Certain implements [store.Certain]: an answer that is lost ends the transaction, and nothing of it happens.
func (j *joined) Certain() bool { return true }

func (j *joined) Close() error { return nil }

func (j *joined) Get(ctx context.Context, keys ...string) ([]store.Item, error) {
	if err := j.d.usable(ctx); err != nil {
		return nil, err
	}
	return j.d.get(ctx, j.tx, keys)
}

func (j *joined) List(ctx context.Context, r store.Range) ([]store.Item, error) {
	if err := j.d.usable(ctx); err != nil {
		return nil, err
	}
	return j.d.list(ctx, j.tx, r)
}

func (j *joined) Commit(ctx context.Context, b store.Batch) (store.Rev, error) {
	if err := j.d.usable(ctx); err != nil {
		return 0, err
	}
	if err := b.Validate(); err != nil {
		return 0, err
	}
	const begin, end = "SAVEPOINT opsec", "RELEASE SAVEPOINT opsec"
	p := newPlan()
	p.add(nil, begin)
	j.d.write(p, &b)
	if j.d.poll == 0 && len(b.Ops) > 0 {
		p.add(nil, j.d.text.notify, j.d.channel)
	}
	p.add(nil, end)
	at, _, err := run(ctx, j.tx, p.batch)
	switch {
	case err == nil && len(b.Ops) == 0:
		return 0, nil
	case err == nil:
		return p.rev, nil
	}
	if _, back := j.tx.Exec(ctx, "ROLLBACK TO "+begin+"; "+end); back != nil {
		return 0, fmt.Errorf("%w, and the transaction is lost: %w", failure(ctx, err), back)
	}
	if fateOf(err) == unmetCondition {
		return 0, j.d.conflict(ctx, j.tx, p.checks[at])
	}
	return 0, failure(ctx, err)
}
