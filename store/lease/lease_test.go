package lease_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/lease"
	"github.com/cloudopsec/opsec/store/memory"
	"github.com/cloudopsec/opsec/store/storetest"
)

func newDB(t testing.TB, d store.Driver) *store.DB {
	t.Helper()
	db, err := store.New(d, nil)
	require.NoError(t, err)
	return db
}

func contender(t testing.TB, db *store.DB, owner string) *lease.Lease {
	t.Helper()
	l, err := lease.New(db, "job", owner, time.Minute)
	require.NoError(t, err)
	return l
}

func TestLeasePassesOnWhenItsHolderIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newDB(t, memory.New())
		a, b := contender(t, db, "a"), contender(t, db, "b")
		first, err := a.Try(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 1, first.Token())
		_, err = b.Try(t.Context())
		require.ErrorIs(t, err, lease.ErrHeld)
		time.Sleep(50 * time.Second)
		require.NoError(t, first.Renew(t.Context()))
		time.Sleep(50 * time.Second)
		_, err = b.Try(t.Context())
		require.ErrorIs(t, err, lease.ErrHeld, "renewed: the time begins anew")
		time.Sleep(59 * time.Second)
		_, err = b.Try(t.Context())
		require.ErrorIs(t, err, lease.ErrHeld)
		time.Sleep(time.Second)
		second, err := b.Try(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 2, second.Token())

		require.ErrorIs(t, first.Renew(t.Context()), lease.ErrLost)
		require.ErrorIs(t, first.Release(t.Context()), lease.ErrLost)
		require.ErrorIs(t, db.Update(t.Context(), first.Fence), lease.ErrLost)
		require.NoError(t, db.Update(t.Context(), second.Fence))

		require.NoError(t, second.Release(t.Context()))
		require.ErrorIs(t, db.Update(t.Context(), second.Fence), lease.ErrLost, "given back")
		third, err := a.Try(t.Context())
		require.NoError(t, err, "a lease that was given back is free at once")
		require.EqualValues(t, 3, third.Token())
		for p, err := range db.Check(t.Context(), nil, lease.Part()) {
			require.NoError(t, err)
			t.Error(p)
		}
	})
}

func TestHoldRenewsAndGivesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newDB(t, memory.New())
		mine := errors.New("mine")
		var holders atomic.Int32
		hold := func(ctx context.Context, owner string, d time.Duration) error {
			return contender(t, db, owner).Hold(ctx, func(ctx context.Context, h *lease.Held) error {
				if holders.Add(1) > 1 {
					return errors.New("two holders")
				}
				defer holders.Add(-1)
				time.Sleep(d)
				return errors.Join(mine, ctx.Err(), db.Update(ctx, h.Fence))
			})
		}
		start, done := time.Now(), make(chan error, 4)
		for i := range 4 {
			go func() { done <- hold(t.Context(), fmt.Sprint(i), 10*time.Minute) }()
		}
		for range 4 {
			err := <-done
			require.ErrorIs(t, err, mine)
			require.NotErrorIs(t, err, lease.ErrLost)
		}
		require.Less(t, time.Since(start), 45*time.Minute, "one after another, without waiting for a time-out")
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		require.Panics(t, func() {
			_ = contender(t, db, "p").Hold(ctx, func(context.Context, *lease.Held) error { panic("mine") })
		})
		_, err := contender(t, db, "next").Try(ctx)
		require.NoError(t, err, "given back by a panic too")
		_, err = contender(t, db, "other").Try(ctx)
		require.ErrorIs(t, err, lease.ErrHeld)
		short, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		require.ErrorIs(t, hold(short, "late", 0), context.DeadlineExceeded)
	})
}

func TestHolderThatCannotRenewIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		flaky := storetest.NewFlaky(memory.New(), storetest.FlakyOptions{})
		db := newDB(t, flaky)
		start := time.Now()
		err := contender(t, db, "a").Hold(t.Context(), func(ctx context.Context, h *lease.Held) error {
			flaky.CrashAt(1, storetest.CrashBefore)
			<-ctx.Done()
			return context.Cause(ctx)
		})
		require.ErrorIs(t, err, lease.ErrLost)
		require.InDelta(t, time.Minute, time.Since(start), float64(25*time.Second))
	})
}

func TestHolderThatWasReplacedIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newDB(t, memory.New())
		err := contender(t, db, "a").Hold(t.Context(), func(ctx context.Context, h *lease.Held) error {
			require.NoError(t, h.Release(ctx)) // what a takeover looks like from here
			_, err := contender(t, db, "b").Try(ctx)
			require.NoError(t, err)
			<-ctx.Done()
			return context.Cause(ctx)
		})
		require.ErrorIs(t, err, lease.ErrLost)
	})
}

func TestFenceGoesWithTheTransactionOfATenant(t *testing.T) {
	db := newDB(t, memory.New())
	h, err := contender(t, db, "a").Try(t.Context())
	require.NoError(t, err)
	err = db.Update(t.Context(), func(tx *store.Tx) error {
		if err := h.Fence(tx); err != nil {
			return err
		}
		// the lease is lost between the check and the commit
		require.NoError(t, h.Release(t.Context()))
		return acts.Put(tx.Sub("acme"), &act{Lease: "job"})
	})
	require.ErrorIs(t, err, lease.ErrLost)
}

func TestBadLeasesAreRefused(t *testing.T) {
	db := newDB(t, memory.New())
	for _, bad := range []struct {
		db          *store.DB
		name, owner string
		ttl         time.Duration
	}{{nil, "n", "o", time.Second}, {db, "", "o", time.Second}, {db, "n", "", time.Second}, {db, "n", "o", 0}} {
		_, err := lease.New(bad.db, bad.name, bad.owner, bad.ttl)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
}

func ExampleLease_Hold() {
	db, _ := store.New(memory.New(), nil)
	l, _ := lease.New(db, "nightly-backup", "node-1", 10*time.Second)
	err := l.Hold(context.Background(), func(ctx context.Context, h *lease.Held) error {
		fmt.Println("token", h.Token())
		return db.Update(ctx, h.Fence) // and what is written in the same transaction
	})
	fmt.Println(err)
	// Output:
	// token 1
	// <nil>
}

// stuck is a driver whose commits may hang and do not obey their context, as a disk does.
type stuck struct {
	store.Driver
	on    atomic.Bool
	block chan struct{}
}

func (s *stuck) Commit(ctx context.Context, b store.Batch) (store.Rev, error) {
	if s.on.Load() {
		<-s.block
	}
	return s.Driver.Commit(ctx, b)
}

func TestHolderIsToldThoughItsRenewalHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &stuck{Driver: memory.New(), block: make(chan struct{})}
		start := time.Now()
		err := contender(t, newDB(t, d), "a").Hold(t.Context(), func(ctx context.Context, h *lease.Held) error {
			d.on.Store(true)
			<-ctx.Done()
			require.Equal(t, time.Minute, time.Since(start), "when its time is over, not later")
			d.on.Store(false)
			close(d.block)
			return context.Cause(ctx)
		})
		require.ErrorIs(t, err, lease.ErrLost)
	})
}
