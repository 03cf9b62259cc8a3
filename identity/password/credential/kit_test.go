package credential_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/password"
	"github.com/cloudopsec/opsec/identity/password/credential"
	"github.com/cloudopsec/opsec/identity/password/hash"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
)

var (
	bg    = context.Background()
	eve   = credential.Subject{Tenant: "acme", Account: "eve"}
	owner = opsec.Actor{Tenant: "acme", Account: "eve", Person: "p-eve", Kind: opsec.Human}
	admin = opsec.Actor{Tenant: "acme", Account: "root", Person: "p-root", Kind: opsec.Human}
	first = []byte("correct horse battery staple")
)

func fresh(n int) []byte { return fmt.Appendf(nil, "another long password %d", n) }

// world is all that a keeper has around it.
type world struct {
	mu        sync.Mutex
	now       time.Time
	events    []opsec.Event
	tokens    []string
	revoked   []string
	recovered int
	fail      error // of sessions
	lost      error // of mail
	denied    bool
}

func (w *world) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) Record(_ context.Context, e *opsec.Event) (opsec.Receipt, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, *e)
	return opsec.Receipt{Event: e.ID, Time: e.Time, Durable: true}, nil
}

func (w *world) Deliver(_ context.Context, _ opsec.TenantID, _ string, t credential.Token, _ time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lost != nil {
		return w.lost
	}
	w.tokens = append(w.tokens, t.Reveal())
	return nil
}

func (w *world) RevokeAll(_ context.Context, _ opsec.TenantID, _, reason string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fail != nil {
		return w.fail
	}
	w.revoked = append(w.revoked, reason)
	return nil
}

func (w *world) Recovered(context.Context, opsec.TenantID, string, string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.recovered++
	return nil
}

func (w *world) Authorize(_ context.Context, who opsec.Actor, action string, on opsec.Resource) error {
	if w.denied || who.Account != "root" || on.ID == "" || !strings.HasPrefix(action, "password.") {
		return opsec.ErrDenied
	}
	return nil
}

func (w *world) actions() (list []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		list = append(list, e.Action)
	}
	return list
}

func (w *world) token(t testing.TB) string {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	require.NotEmpty(t, w.tokens)
	return w.tokens[len(w.tokens)-1]
}

// kit is a keeper in its world.
type kit struct {
	*credential.Keeper
	*world
	records credential.Records
	pool    *hash.Pool
	db      *store.DB // nil in memory
}

func profile() password.Profile {
	return password.Profile{Name: "test", Source: "test", Length: 8, Longest: 64, SkipBlocklist: true, Words: password.SkipWords, History: 3}
}

func pool(t testing.TB, o hash.Options) *hash.Pool {
	t.Helper()
	o.InsecureNoPace, o.Queue = true, 1000
	o.Patience = time.Minute
	p, err := hash.New(hash.Params{M: 16, T: 1, P: 1}, &o)
	require.NoError(t, err)
	return p
}

func newKit(t testing.TB, records func(*world) (credential.Records, *store.DB), p password.Profile, policy credential.Policy) *kit {
	t.Helper()
	w := &world{now: time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)}
	k := &kit{world: w, pool: pool(t, hash.Options{})}
	k.records, k.db = records(w)
	k.Keeper = keeper(t, k, k.pool, p, policy)
	return k
}

func keeper(t testing.TB, k *kit, pool *hash.Pool, p password.Profile, policy credential.Policy) *credential.Keeper {
	t.Helper()
	checker, err := password.New(p, nil)
	require.NoError(t, err)
	keeper, err := credential.New(k.records, pool, checker, policy, &credential.Options{
		Authorizer: k.world, Courier: k.world, Sessions: k.world, Locks: k.world, Now: k.Now, Pace: time.Millisecond,
	})
	require.NoError(t, err)
	return keeper
}

func inMemory(w *world) (credential.Records, *store.DB) { return credential.NewMemory(w), nil }

func inStore(w *world) (credential.Records, *store.DB) {
	db, err := store.New(memory.New(), nil)
	if err != nil {
		panic(err)
	}
	return credential.Stored(db, nil), db
}

// each runs a test on both repositories.
func each(t *testing.T, test func(t *testing.T, k *kit)) {
	t.Run("Memory", func(t *testing.T) { test(t, newKit(t, inMemory, profile(), credential.Default())) })
	t.Run("Stored", func(t *testing.T) { test(t, newKit(t, inStore, profile(), credential.Default())) })
}

// recorded returns the actions of all events, in the order of their kind.
func (k *kit) recorded(t testing.TB) []string {
	t.Helper()
	if k.db != nil {
		_, err := k.db.Deliver(bg, k.db.Node(), k.world)
		require.NoError(t, err)
	}
	list := k.actions()
	slices.Sort(list)
	return list
}

func (k *kit) verify(t testing.TB, secret []byte) credential.Verdict {
	t.Helper()
	v, err := k.Verify(bg, eve, secret)
	require.NoError(t, err)
	return v
}

func (k *kit) record(t testing.TB) (r credential.Record) {
	t.Helper()
	err := k.records.Update(bg, eve.Tenant, eve.Account, func(now credential.Record) (credential.Record, []*opsec.Event, error) {
		r = now
		return now, nil, credential.ErrUnchanged
	})
	require.ErrorIs(t, err, credential.ErrUnchanged)
	return r
}
