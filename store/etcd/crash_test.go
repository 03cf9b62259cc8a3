package etcd_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/store"
)

type account struct {
	ID    string `json:"id"`
	Login string `json:"login"`
}

var accounts = store.NewCollection(store.Schema[account]{
	Name: "accounts", Guarded: true,
	ID: func(a *account) store.Key { return store.Text(a.ID) },
	Indexes: []store.Index[account]{
		{Name: "login", Unique: true, Keys: func(a *account) []store.Key { return []store.Key{store.Text(a.Login)} }},
	},
})

func insert(ctx context.Context, db *store.DB, ids ...string) error {
	return db.Update(ctx, func(tx *store.Tx) error {
		for _, id := range ids {
			if err := accounts.Insert(tx.Sub("acme"), &account{id, "login of " + id}); err != nil {
				return err
			}
		}
		return nil
	})
}

// ids are those of all accounts.
func ids(t *testing.T, db *store.DB) map[string]bool {
	t.Helper()
	there := map[string]bool{}
	require.NoError(t, db.View(t.Context(), func(tx *store.Tx) error {
		for a, err := range accounts.List(tx.Sub("acme"), store.Query{}) {
			if err != nil {
				return err
			}
			there[a.ID] = true
		}
		return nil
	}))
	return there
}

func requireSound(t *testing.T, db *store.DB) {
	t.Helper()
	for problem, err := range db.Check(t.Context(), nil, accounts) {
		require.NoError(t, err)
		t.Error(problem)
	}
}

// attempts are inserts, of two accounts each, and what became of them.
type attempts struct{ acknowledged, refused, unknown sync.Map }

func (a *attempts) note(id string, err error) {
	switch {
	case err == nil:
		a.acknowledged.Store(id, true)
	case errors.Is(err, store.ErrIndeterminate):
		a.unknown.Store(id, true)
	default:
		a.refused.Store(id, true)
	}
}

// requireKept looks at what is there: what returned nil, not what was refused, and nothing by half.
func (a *attempts) requireKept(t *testing.T, db *store.DB) {
	t.Helper()
	there := ids(t, db)
	for id := range there {
		require.True(t, there[id[:len(id)-1]+"a"] && there[id[:len(id)-1]+"b"], "%s is there by half", id)
	}
	a.acknowledged.Range(func(id, _ any) bool {
		require.True(t, there[id.(string)+"a"], "%s was acknowledged, and is lost", id)
		return true
	})
	a.refused.Range(func(id, _ any) bool {
		require.False(t, there[id.(string)+"a"], "%s was refused, and is there", id)
		return true
	})
	requireSound(t, db)
}

// TestCrashOfTheServerLosesNothing kills the server while two nodes write, and starts it again on what it has left.
func TestCrashOfTheServerLosesNothing(t *testing.T) {
	server := startProcess(t)
	s := newStores(server.endpoint())
	d := s.open(t)
	nodes := []*store.DB{newDB(t, d), newDB(t, s.again(t, d))}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	const writers, crashes = 8, 4
	var a attempts
	var count, unsettled atomic.Int64
	var wait sync.WaitGroup
	stop := make(chan struct{})
	for w := range writers {
		wait.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				id := fmt.Sprintf("%d/%d/", w, n)
				err := insert(ctx, nodes[w%2], id+"a", id+"b")
				if a.note(id, err); err == nil {
					count.Add(1)
				}
			}
		})
	}
	// One more goes to a driver itself, and learns what a DB would have settled.
	beside := s.open(t)
	wait.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			_, err := beside.Commit(ctx, store.Batch{Ops: []store.Op{{Key: "k", Value: fmt.Append(nil, n)}}})
			if errors.Is(err, store.ErrIndeterminate) {
				unsettled.Add(1)
			}
		}
	})
	reach := func(n int64) {
		for count.Load() < n && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		require.NoError(t, ctx.Err(), "%d inserts", count.Load())
	}
	for range crashes {
		reach(count.Load() + 40)
		server.kill(t)
		server.start(t)
	}
	reach(count.Load() + 40)
	close(stop)
	wait.Wait()
	require.Positive(t, unsettled.Load(), "nobody noticed")

	a.requireKept(t, nodes[0])
	a.unknown.Range(func(id, _ any) bool {
		t.Errorf("%s is unknown, though there was time to find out", id)
		return true
	})
	t.Logf("%d acknowledged, %d of the driver's own indeterminate", count.Load(), unsettled.Load())
}
