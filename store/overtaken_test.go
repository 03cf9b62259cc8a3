package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"

	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
)

func TestSnapshotIsOfOnePointInTime(t *testing.T) {
	d := memory.New()
	db, other := newDB(t, d, nil), newDB(t, d, nil)
	both := func(v string) { put(t, other, &account{ID: "a", Role: v}, &account{ID: "b", Role: v}) }
	for _, run := range []func(func(*store.Tx) error) error{
		func(fn func(*store.Tx) error) error { return db.Snapshot(t.Context(), fn) },
		func(fn func(*store.Tx) error) error { return db.Update(t.Context(), fn) },
	} {
		both("0")
		calls := 0
		var a, b *account
		require.NoError(t, run(func(tx *store.Tx) (err error) {
			s := tx.Sub(acme)
			if a, err = accounts.Get(s, store.Text("a")); err != nil {
				return err
			}
			if calls++; calls == 1 {
				both("1")
			}
			b, err = accounts.Get(s, store.Text("b"))
			return err
		}))
		require.Equal(t, a.Role, b.Role)
		require.Equal(t, 2, calls)
	}
}

func TestWhatWasPrefetchedIsAReadToo(t *testing.T) {
	d := memory.New()
	db, other := newDB(t, d, nil), newDB(t, d, nil)
	all := func(v string) {
		put(t, other, &account{ID: "a", Role: v}, &account{ID: "b", Role: v}, &account{ID: "c", Role: v})
	}
	all("0")
	calls := 0
	var a, c *account
	require.NoError(t, db.Snapshot(t.Context(), func(tx *store.Tx) (err error) {
		s := tx.Sub(acme)
		calls++
		if a, err = accounts.Get(s, store.Text("a")); err != nil {
			return err
		}
		id := "b"
		if calls > 1 {
			id = "c"
		}
		if calls < 3 {
			all(fmt.Sprint(calls))
		}
		c, err = accounts.Get(s, store.Text(id))
		return err
	}))
	require.Equal(t, a.Role, c.Role)
}

func TestFailedWriteInsideATransactionLeavesWhatWasBefore(t *testing.T) {
	db := newDB(t, memory.New(), nil)
	put(t, db, &account{ID: "taken", Login: "eve"})
	require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error {
		s := tx.Sub(acme)
		if err := accounts.Put(s, &account{ID: "a", Role: "first"}); err != nil {
			return err
		}
		if _, err := accounts.Find(s, "login", store.Text("eve")); err != nil { // or the place is taken to be free
			return err
		}
		err := accounts.Put(s, &account{ID: "a", Role: "second"}, &account{ID: "b"}, &account{ID: "c", Login: "eve"})
		require.ErrorIs(t, err, store.ErrExists)
		for n := 0; n < 1; n++ {
			a, err := accounts.Get(s, store.Text("a"))
			require.NoError(t, err)
			require.Equal(t, "first", a.Role)
		}
		return tx.Emit(event(acme))
	}))
	a, err := get(t, db, "a")
	require.NoError(t, err)
	require.Equal(t, "first", a.Role)
	require.Empty(t, problems(t, db, nil, accounts))
	var wrote string
	_, err = db.Deliver(t.Context(), db.Node(), recFunc(func(e *opsec.Event) { wrote = e.Attrs[0].Value }))
	require.NoError(t, err)
	require.Regexp(t, `^\S+:\S+:1$`, wrote) // a, written once, and nothing else
}

func TestInsertOverACorruptRecordSaysSo(t *testing.T) {
	d := memory.New()
	db := newDB(t, d, nil)
	put(t, db, &account{ID: "a"})
	overwrite(t, d, rawKey(t, d, record("a")...), []byte{7})
	err := db.Update(t.Context(), func(tx *store.Tx) error { return accounts.Insert(tx.Sub(acme), &account{ID: "a"}) })
	_, corrupt := errors.AsType[*store.CorruptError](err)
	require.True(t, corrupt, "%v", err)
}

func TestKeySeenInTwoStatesIsNoAnswer(t *testing.T) {
	d := memory.New()
	db, other := newDB(t, d, nil), newDB(t, d, nil)
	put(t, other, &account{ID: "a", Role: "0"})
	calls := 0
	require.NoError(t, db.Snapshot(t.Context(), func(tx *store.Tx) error {
		s := tx.Sub(acme)
		a, err := accounts.Get(s, store.Text("a"))
		require.NoError(t, err)
		if calls++; calls == 1 {
			put(t, other, &account{ID: "a", Role: "1"})
		}
		for b, err := range accounts.List(s, store.Query{}) {
			if err != nil {
				return err
			}
			if b.Role != a.Role {
				return errors.New("two states of one record")
			}
		}
		return nil
	}))
}

func TestSnapshotOfManyKeysIsTriedAgain(t *testing.T) {
	d := memory.New()
	db, other := newDB(t, d, nil), newDB(t, d, nil)
	var ids []store.Key
	for i := range 150 {
		ids = append(ids, store.Text(fmt.Sprintf("k%03d", i)))
		put(t, db, &account{ID: fmt.Sprintf("k%03d", i)})
	}
	calls := 0
	require.NoError(t, db.Snapshot(t.Context(), func(tx *store.Tx) error {
		_, err := accounts.GetAll(tx.Sub(acme), ids...)
		if calls++; calls == 1 {
			put(t, other, &account{ID: "k000", Role: "1"})
		}
		return err
	}))
	require.Equal(t, 2, calls)
}

func TestReindexTouchesTheGuard(t *testing.T) {
	d := memory.New()
	db := newDB(t, d, nil)
	before := store.NewCollection(store.Schema[account]{Name: "accounts", Guarded: true, ID: func(a *account) store.Key { return store.Text(a.ID) }})
	require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error { return before.Put(tx.Sub(acme), &account{ID: "a", Role: "r"}) }))
	calls, n := 0, 0
	require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) (err error) {
		if n, err = accounts.Count(tx.Sub(acme), store.Query{Index: "role", Prefix: store.Text("r")}); err != nil {
			return err
		}
		if calls++; calls == 1 {
			_, _, err := accounts.Reindex(t.Context(), newDB(t, d, nil))
			require.NoError(t, err)
		}
		return accounts.Put(tx.Sub("acme"), &account{ID: "b", Login: fmt.Sprint(n)})
	}))
	require.Equal(t, 2, calls)
	require.Equal(t, 1, n)
}

func TestReindexFindsTwoRecordsUnderOneUniqueKey(t *testing.T) {
	db := newDB(t, memory.New(), nil)
	before := store.NewCollection(store.Schema[account]{Name: "accounts", Guarded: true, ID: func(a *account) store.Key { return store.Text(a.ID) }})
	require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error {
		return before.Put(tx.Sub(acme), &account{ID: "a", Login: "eve"}, &account{ID: "b", Login: "eve"})
	}))
	_, _, err := accounts.Reindex(t.Context(), db)
	require.ErrorIs(t, err, store.ErrExists)
}

func TestSweepCountsWhatItsLastAttemptDeleted(t *testing.T) {
	d := memory.New()
	db, other := newDB(t, d, nil), newDB(t, d, nil)
	put(t, db, &account{ID: "a", Role: "r"})
	n, err := accounts.Sweep(t.Context(), db, acme, store.Query{}, func(*store.Sub, *account) error {
		return other.Update(t.Context(), func(tx *store.Tx) error { return accounts.Delete(tx.Sub(acme), store.Text("a")) })
	})
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestSnapshotHoldsUpNoWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := memory.New()
		db := newDB(t, d, nil)
		put(t, db, &account{ID: "a"}, &account{ID: "b"})
		calls := 0
		slow := make(chan struct{})
		var wait sync.WaitGroup
		defer wait.Wait()
		snapshot := func(tx *store.Tx) error {
			s := tx.Sub(acme)
			_, _ = accounts.Get(s, store.Text("a"))
			if calls++; calls == 1 {
				put(t, db, &account{ID: "a", Role: "x"})
			}
			_, err := accounts.Get(s, store.Text("b"))
			if calls == 2 {
				close(slow)
				time.Sleep(3 * time.Second)
			}
			return err
		}
		wait.Go(func() { require.NoError(t, db.Snapshot(t.Context(), snapshot)) })
		<-slow
		start := time.Now()
		put(t, db, &account{ID: "a", Role: "y"})
		require.Zero(t, time.Since(start))
	})
}
