//go:build unix

package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/postgres"
	"github.com/cloudopsec/opsec/store/postgres/pgtest"
)

// A program's own rows and a store's records are written together, or not at all.
func TestJoin(t *testing.T) {
	s := newStores(t, pgtest.Start(t, nil))
	d := s.open(t).(*postgres.Driver)
	pool := newPool(t, s.DSN)
	_, err := pool.Exec(t.Context(), "CREATE TABLE ticket (id text PRIMARY KEY)")
	require.NoError(t, err)
	hints := listen(t.Context(), s.again(t, d), "")
	requireHint(t, hints)

	db := newDB(t, d)
	both := func(id string, end error) error {
		return pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), "INSERT INTO ticket VALUES ($1)", id)
			require.NoError(t, err)
			require.True(t, d.Join(tx).(store.Certain).Certain(), "an answer that is lost ends the transaction")
			inner := newDB(t, d.Join(tx))
			require.NoError(t, insert(t.Context(), inner, &account{id, "login of " + id}))
			require.Contains(t, ids(t, inner), id, "the transaction sees it")
			require.NotContains(t, ids(t, db), id, "nobody else does")
			return end
		})
	}
	tickets := func() (n int) {
		require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM ticket").Scan(&n))
		return n
	}

	require.NoError(t, both("1", nil))
	require.Contains(t, ids(t, db), "1")
	require.Equal(t, 1, tickets())
	requireHint(t, hints)

	changed := errors.New("changed my mind")
	require.ErrorIs(t, both("2", changed), changed)
	require.NotContains(t, ids(t, db), "2")
	require.Equal(t, 1, tickets())
	requireSound(t, db)
}

// After a conflict, and after a rule that the program's own statement does not break, the transaction goes on.
func TestJoinedConflictLeavesTheTransaction(t *testing.T) {
	s := newStores(t, pgtest.Start(t, nil))
	d := s.open(t).(*postgres.Driver)
	pool := newPool(t, s.DSN)
	put(t, d, "a")
	require.NoError(t, pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		j := d.Join(tx)
		_, err := j.Commit(t.Context(), store.Batch{
			Checks: []store.Check{{Key: "a"}},
			Ops:    []store.Op{{Key: "a", Value: []byte("no")}, {Key: "0", Value: []byte("no")}},
		})
		conflict, ok := errors.AsType[*store.ConflictError](err)
		require.True(t, ok, err)
		require.Equal(t, []string{"a"}, conflict.Keys)

		var many store.Batch
		for _, key := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"} {
			many.Checks = append(many.Checks, store.Check{Key: key})
			many.Ops = append(many.Ops, store.Op{Key: key, Value: []byte("no")})
		}
		_, err = j.Commit(t.Context(), many)
		conflict, ok = errors.AsType[*store.ConflictError](err)
		require.True(t, ok, err)
		require.Equal(t, []string{"a"}, conflict.Keys)

		_, err = j.Commit(t.Context(), store.Batch{Checks: []store.Check{{Key: "zz"}}, Ops: []store.Op{{Key: "b", Value: []byte("yes")}}})
		require.NoError(t, err)
		_, err = j.Commit(t.Context(), store.Batch{Checks: []store.Check{{Key: "a"}}})
		require.ErrorAs(t, err, new(*store.ConflictError))
		rev, err := j.Commit(t.Context(), store.Batch{Checks: []store.Check{{Key: "c"}}})
		require.NoError(t, err)
		require.Zero(t, rev)
		_, err = j.Commit(t.Context(), store.Batch{Ops: []store.Op{{Key: ""}}})
		require.ErrorIs(t, err, opsec.ErrInvalid)
		return nil
	}))
	items, err := d.Get(t.Context(), "0", "a", "b", "c")
	require.NoError(t, err)
	require.Zero(t, items[0].Rev)
	require.Empty(t, items[1].Value)
	require.Equal(t, "yes", string(items[2].Value))
	require.Zero(t, items[3].Rev)
}

// What a joined commit has checked, or deleted though it was absent, stays so until the transaction ends.
func TestJoinedChecksHoldUntilTheEnd(t *testing.T) {
	s := newStores(t, pgtest.Start(t, nil))
	d := s.open(t).(*postgres.Driver)
	pool := newPool(t, s.DSN)
	rev, err := d.Commit(t.Context(), store.Batch{Ops: []store.Op{{Key: "present"}}})
	require.NoError(t, err)
	others := make(chan string, 4)
	require.NoError(t, pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		_, err := d.Join(tx).Commit(t.Context(), store.Batch{
			Checks: []store.Check{{Key: "present", Rev: rev}, {Key: "absent"}, {Key: "both"}},
			Ops:    []store.Op{{Key: "deleted", Delete: true}, {Key: "both", Delete: true}},
		})
		require.NoError(t, err)
		for _, key := range []string{"present", "absent", "deleted", "both"} {
			go func() {
				_, err := d.Commit(context.Background(), store.Batch{Ops: []store.Op{{Key: key, Value: []byte("later")}}})
				if err != nil {
					key = err.Error()
				}
				others <- key
			}()
		}
		for waiting := 0; waiting < 4; {
			const text = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
			require.NoError(t, pool.QueryRow(t.Context(), text).Scan(&waiting))
		}
		require.Empty(t, others)
		return nil
	}))
	require.ElementsMatch(t, []string{"present", "absent", "deleted", "both"}, []string{<-others, <-others, <-others, <-others})
}

// What others have changed meanwhile is read anew within the transaction.
func TestJoinedUpdateIsTriedAgain(t *testing.T) {
	s := newStores(t, pgtest.Start(t, nil))
	d := s.open(t).(*postgres.Driver)
	db := newDB(t, d)
	require.NoError(t, insert(t.Context(), db, &account{"1", "ann"}))
	change := func(db *store.DB, login string, meanwhile func()) error {
		return db.Update(t.Context(), func(tx *store.Tx) error {
			a, err := accounts.Get(tx.Sub("acme"), store.Text("1"))
			if err != nil {
				return err
			}
			meanwhile()
			a.Login += login
			return accounts.Put(tx.Sub("acme"), a)
		})
	}
	others := 0
	require.NoError(t, pgx.BeginFunc(t.Context(), newPool(t, s.DSN), func(tx pgx.Tx) error {
		return change(newDB(t, d.Join(tx)), " of ours", func() {
			if others++; others < 3 {
				require.NoError(t, change(db, " and theirs", func() {}))
			}
		})
	}))
	require.Equal(t, 3, others)
	require.NoError(t, db.View(t.Context(), func(tx *store.Tx) error {
		a, err := accounts.Get(tx.Sub("acme"), store.Text("1"))
		require.NoError(t, err)
		require.Equal(t, "ann and theirs and theirs of ours", a.Login)
		return nil
	}))
	requireSound(t, db)
}

// A commit within an inner transaction goes with it.
func TestJoinOfANestedTransaction(t *testing.T) {
	s := newStores(t, pgtest.Start(t, nil))
	d := s.open(t).(*postgres.Driver)
	no := errors.New("no")
	require.NoError(t, pgx.BeginFunc(t.Context(), newPool(t, s.DSN), func(tx pgx.Tx) error {
		put(t, d.Join(tx), "outer")
		require.ErrorIs(t, pgx.BeginFunc(t.Context(), tx, func(tx pgx.Tx) error {
			j := d.Join(tx)
			put(t, j, "inner")
			_, err := j.Commit(t.Context(), store.Batch{Checks: []store.Check{{Key: "outer"}}})
			require.ErrorAs(t, err, new(*store.ConflictError))
			items, err := j.Get(t.Context(), "outer", "inner")
			require.NoError(t, err)
			require.NotZero(t, items[0].Rev)
			require.NotZero(t, items[1].Rev)
			return no
		}), no)
		return nil
	}))
	items, err := d.Get(t.Context(), "outer", "inner")
	require.NoError(t, err)
	require.NotZero(t, items[0].Rev)
	require.Zero(t, items[1].Rev)
}

// A transaction in which something has failed takes no commit; one whose connection was given up is over.
func TestJoinOfATransactionThatIsLost(t *testing.T) {
	s := newStores(t, pgtest.Start(t, nil))
	d := s.open(t).(*postgres.Driver)
	pool := newPool(t, s.DSN)
	put(t, d, "there")
	require.ErrorIs(t, pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), "SELECT 1 / 0")
		require.ErrorContains(t, err, "22012")
		_, err = d.Join(tx).Commit(t.Context(), store.Batch{Checks: []store.Check{{Key: "there"}}, Ops: []store.Op{{Key: "a"}}})
		require.ErrorContains(t, err, "25P02")
		require.ErrorContains(t, err, "the transaction is lost")
		require.NotErrorIs(t, err, store.ErrIndeterminate)
		return nil
	}), pgx.ErrTxCommitRollback)

	require.NoError(t, pgx.BeginFunc(t.Context(), pool, func(holds pgx.Tx) error {
		put(t, d.Join(holds), "there")
		require.Error(t, pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
			put(t, d.Join(tx), "a")
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			_, err := d.Join(tx).Commit(ctx, store.Batch{Ops: []store.Op{{Key: "there"}}})
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.NotErrorIs(t, err, store.ErrIndeterminate)
			return nil
		}))
		return nil
	}))
	items, err := d.Get(t.Context(), "a")
	require.NoError(t, err)
	require.Zero(t, items[0].Rev)
}

func TestJoinOfATransactionThatHasEnded(t *testing.T) {
	s := newStores(t, pgtest.Start(t, nil))
	d := s.open(t).(*postgres.Driver)
	tx, err := newPool(t, s.DSN).Begin(t.Context())
	require.NoError(t, err)
	j := d.Join(tx)
	require.NoError(t, tx.Rollback(t.Context()))
	_, err = j.Commit(t.Context(), store.Batch{Ops: []store.Op{{Key: "a"}}})
	require.ErrorIs(t, err, pgx.ErrTxClosed)
	require.NotErrorIs(t, err, store.ErrIndeterminate)
	_, err = j.Get(t.Context(), "a")
	require.ErrorIs(t, err, pgx.ErrTxClosed)
}
