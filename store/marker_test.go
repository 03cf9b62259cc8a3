package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
	"github.com/cloudopsec/opsec/store/storetest"
)

// markers returns how many commit markers a driver holds.
func markers(t testing.TB, d store.Driver) (n int) {
	t.Helper()
	for key := range items(t, d) {
		if strings.HasPrefix(key, store.Text("m").Encode()) {
			n++
		}
	}
	return n
}

func TestMarkersDoNotPileUp(t *testing.T) {
	d := memory.New()
	db := newDB(t, storetest.NewFlaky(d, storetest.FlakyOptions{}), nil)
	for i := range 100 {
		put(t, db, &account{ID: fmt.Sprint(i)})
	}
	require.Equal(t, 1, markers(t, d), "one for each commit at a time")
	put(t, newDB(t, d, nil), &account{ID: "x"})
	require.Equal(t, 1, markers(t, d), "none where no answer can be lost")
}

func TestSweepTakesTheMarkersOfTheDeadAndSleepersNotice(t *testing.T) {
	d := memory.New()
	now := time.Now()
	clock := func() time.Time { return now }
	node := func() *store.DB {
		return newDB(t, storetest.NewFlaky(d, storetest.FlakyOptions{}), &store.Options{Now: clock})
	}
	sleeper, other := node(), node()
	put(t, sleeper, &account{ID: "1"})
	now = now.Add(23 * time.Hour)
	n, err := other.Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
	put(t, other, &account{ID: "2"})
	now = now.Add(2 * time.Hour)
	n, err = other.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n)
	put(t, sleeper, &account{ID: "3"}) // its marker is gone: it takes another, and commits once
	a, err := get(t, sleeper, "3")
	require.NoError(t, err)
	require.Equal(t, "3", a.ID)
	require.Empty(t, problems(t, other, nil, accounts))
}

func TestIndeterminateCommitIsReportedWhenItCannotBeSettled(t *testing.T) {
	d := memory.New()
	for _, how := range []storetest.Fault{storetest.LostRequest, storetest.LostAnswer} {
		flaky := storetest.NewFlaky(d, storetest.FlakyOptions{})
		db := newDB(t, flaky, nil)
		put(t, db, &account{ID: "first"}) // makes the marker
		flaky.NextCommit(how, storetest.Hang)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		id := fmt.Sprint(how)
		err := db.Update(ctx, func(tx *store.Tx) error { return accounts.Insert(tx.Sub(acme), &account{ID: id}) })
		cancel()
		require.ErrorIs(t, err, store.ErrIndeterminate)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = get(t, db, id)
		require.Equal(t, how == storetest.LostAnswer, err == nil)
		put(t, db, &account{ID: id}) // the marker in doubt is not used again
	}
	require.Equal(t, 2+2, markers(t, d), "of each handle one that is in doubt and one in use")

	flaky := storetest.NewFlaky(memory.New(), storetest.FlakyOptions{})
	flaky.CrashAt(2, storetest.CrashAfter) // the first makes the marker
	err := newDB(t, flaky, nil).Update(t.Context(), func(tx *store.Tx) error {
		return accounts.Insert(tx.Sub(acme), &account{ID: "1"})
	})
	require.ErrorIs(t, err, store.ErrIndeterminate, "nobody is there to ask")
}

func TestOrdinaryErrorsOfADriverEndTheTransaction(t *testing.T) {
	flaky := storetest.NewFlaky(memory.New(), storetest.FlakyOptions{})
	db := newDB(t, flaky, nil)
	flaky.NextCommit(storetest.Fail)
	insert := func() error {
		return db.Update(t.Context(), func(tx *store.Tx) error { return accounts.Insert(tx.Sub(acme), &account{ID: "1"}) })
	}
	require.ErrorIs(t, insert(), storetest.ErrFault)
	require.NoError(t, insert())
	flaky.NextRead(storetest.Fail)
	_, err := get(t, db, "1")
	require.ErrorIs(t, err, storetest.ErrFault)
	flaky.NextRead(storetest.Pass, storetest.Fail) // the second read, which compares before an error is believed
	mine := errors.New("mine")
	err = db.Update(t.Context(), func(tx *store.Tx) error {
		for _, id := range []string{"1", "2"} {
			if _, err := accounts.GetAll(tx.Sub(acme), store.Text(id)); err != nil {
				return err
			}
		}
		return mine
	})
	require.ErrorIs(t, err, storetest.ErrFault)
}

func TestWatchTellsOfChangesOrPolls(t *testing.T) {
	for name, d := range map[string]store.Driver{
		"watching": memory.New(),
		"polling":  storetest.NewFlaky(memory.New(), storetest.FlakyOptions{}),
	} {
		t.Run(name, func(t *testing.T) {
			db := newDB(t, d, &store.Options{Poll: time.Millisecond})
			n := 0
			for _, err := range accounts.Watch(t.Context(), db, acme) {
				require.NoError(t, err)
				seen := 0
				require.NoError(t, db.View(t.Context(), func(tx *store.Tx) (err error) {
					seen, err = accounts.Count(tx.Sub(acme), store.Query{})
					return err
				}))
				if seen < n {
					continue // a hint, not a promise that it is all there
				}
				if n++; n > 5 {
					break
				}
				id := fmt.Sprint(n)
				go func() {
					_ = db.Update(context.Background(), func(tx *store.Tx) error {
						return accounts.Put(tx.Sub(acme), &account{ID: id})
					})
				}()
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			for range accounts.Watch(ctx, db, acme) {
				break
			}
			for _, err := range accounts.Watch(t.Context(), db, "not a tenant") {
				require.Error(t, err)
			}
		})
	}
}

func TestTenantsAreListed(t *testing.T) {
	d := memory.New()
	db := newDB(t, d, nil)
	for _, tenant := range []string{"b", "a", "a.b", "ab"} {
		for i := range 3 {
			require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error {
				return accounts.Put(tx.Sub(opsec.TenantID(tenant)), &account{ID: fmt.Sprint(i)})
			}))
		}
	}
	overwrite(t, d, store.Text("t").Uint(7).Encode(), []byte{0}) // nothing of ours is passed over
	var got []string
	for tenant, err := range db.Tenants(t.Context()) {
		require.NoError(t, err)
		got = append(got, string(tenant))
	}
	require.Equal(t, []string{"a", "a.b", "ab", "b"}, got)
}
