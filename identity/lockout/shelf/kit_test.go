package shelf_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/lockout"
	"github.com/cloudopsec/opsec/identity/lockout/shelf"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/bolt"
	"github.com/cloudopsec/opsec/store/memory"
)

var (
	bg   = context.Background()
	noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	ada  = opsec.Actor{Tenant: opsec.Provider, Account: "ada", Person: "p-1", Kind: opsec.Human}
)

type recorder struct {
	mu     sync.Mutex
	events []opsec.Event
}

func (r *recorder) Record(_ context.Context, e *opsec.Event) (opsec.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, *e)
	return opsec.Receipt{Event: e.ID, Time: e.Time, Durable: true}, nil
}

// kept is a repository, and what it has had recorded.
type kept struct {
	lockout.States
	recorded func(testing.TB) []opsec.Event
}

func inMemory() kept {
	r := new(recorder)
	return kept{lockout.NewMemory(10_000, r), func(testing.TB) []opsec.Event { return r.events }}
}

func stored(t testing.TB, d store.Driver) kept {
	db, err := store.New(d, nil)
	require.NoError(t, err)
	r := new(recorder)
	return kept{shelf.Stored(db, nil), func(t testing.TB) []opsec.Event {
		for {
			n, err := db.Deliver(bg, db.Node(), r)
			require.NoError(t, err)
			if n == 0 {
				return r.events
			}
		}
	}}
}

func inFile(t testing.TB) kept {
	engine, err := bolt.Open(filepath.Join(t.TempDir(), "state.db"), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	return stored(t, engine)
}

// each runs a test on every repository of this module that is quick.
func each(t *testing.T, test func(t *testing.T, k kept)) {
	t.Run("Memory", func(t *testing.T) { test(t, inMemory()) })
	t.Run("Stored", func(t *testing.T) { test(t, stored(t, memory.New())) })
}

// profile has the same policy for each class, each with its own counter.
func profile(p lockout.Policy) lockout.Profile {
	return lockout.Profile{Name: "test", Rules: []lockout.Rule{
		{Factor: lockout.Password, Class: lockout.Unknown, Policy: p},
		{Factor: lockout.Password, Class: lockout.Familiar, Policy: p},
		{Factor: lockout.Password, Class: lockout.Trusted, Policy: p},
	}}
}

func gate(t testing.TB, states lockout.States, p lockout.Policy, patience time.Duration, now func() time.Time) *lockout.Gate {
	g, err := lockout.New(states, profile(p), &lockout.Options{
		Authorizer: opsec.CallerAuthorized{}, Patience: patience, Now: now, Tags: 1 << 10,
	})
	require.NoError(t, err)
	return g
}

func attempt(account string) lockout.Attempt {
	return lockout.Attempt{Key: lockout.Key{Tenant: "acme", Account: account, Factor: lockout.Password}}
}
