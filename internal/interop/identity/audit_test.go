package identity_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"iter"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/audit/accounts"
	"github.com/cloudopsec/opsec/audit/accounts/tally"
	"github.com/cloudopsec/opsec/identity"
	"github.com/cloudopsec/opsec/identity/lockout"
	"github.com/cloudopsec/opsec/identity/login"
	"github.com/cloudopsec/opsec/identity/name"
	"github.com/cloudopsec/opsec/identity/password"
	"github.com/cloudopsec/opsec/identity/password/credential"
	"github.com/cloudopsec/opsec/identity/password/hash"
	"github.com/cloudopsec/opsec/identity/session"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/bolt"
)

var (
	ctx   = context.Background()
	start = time.Date(2025, 11, 2, 12, 0, 0, 0, time.UTC)
	timer = identity.By{Actor: opsec.Actor{Tenant: opsec.Provider, Account: "timer", Kind: opsec.System}, Reason: "schedule"}
)

// house is a control plane: all rooms over one file, one clock, and the events in the order in which they came.
type house struct {
	t         *testing.T
	now       time.Time
	db        *store.DB
	directory *identity.Directory
	keeper    *credential.Keeper
	sessions  *session.Manager
	desk      *login.Desk
	tally     *tally.Tally
	alice     identity.By
	bob       identity.By
}

// Record hands an event to the tally of the audit, as a log would.
func (h *house) Record(_ context.Context, e *opsec.Event) (opsec.Receipt, error) {
	return opsec.Receipt{}, h.tally.Add(e, "log/"+string(e.ID))
}

// Find is login.Accounts.
func (h *house) Find(ctx context.Context, tenant opsec.TenantID, typed string) (login.Account, error) {
	a, err := h.directory.Lookup(ctx, timer.Actor, tenant, typed)
	if err != nil {
		canonical, _ := name.Canonical(typed)
		return login.Account{ID: canonical}, err
	}
	found := login.Account{ID: string(a.ID), Person: a.Person, Kind: a.Kind}
	if !a.Usable(h.now) {
		found.Closed = string(a.State)
	}
	return found, nil
}

// Verify and Decoy are login.Secrets.
func (h *house) Verify(ctx context.Context, tenant opsec.TenantID, account string, _ lockout.Factor, secret []byte) (login.Answer, error) {
	v, err := h.keeper.Verify(ctx, credential.Subject{Tenant: tenant, Account: account}, secret)
	return login.Answer{Match: v.Match, Hidden: v.Hidden, MustChange: v.MustChange}, err
}

func (h *house) Decoy(ctx context.Context, _ lockout.Factor, secret []byte) error {
	return h.keeper.Dummy(ctx, secret)
}

func open(t *testing.T) *house {
	engine, err := bolt.Open(filepath.Join(t.TempDir(), "state.db"), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	h := &house{t: t, now: start, tally: tally.New(tally.Options{})}
	t.Cleanup(func() { require.NoError(t, h.tally.Close()) })
	clock := func() time.Time { return h.now }
	h.db, err = store.New(engine, nil)
	require.NoError(t, err)

	names, err := name.Preset("recommendation")
	require.NoError(t, err)
	policy := identity.DefaultPolicy("zone", names)
	for _, p := range []*approval.Policy{&policy.Register, &policy.Modify, &policy.Enable} {
		p.SkipSignatures = true
	}
	h.directory, err = identity.New(h.db, policy, &identity.Options{Now: clock, Authorizer: opsec.CallerAuthorized{}, Notifier: nobody{}})
	require.NoError(t, err)
	admin := identity.Rights{Roles: []string{"account-administrator"}}
	first, err := h.directory.Bootstrap(ctx, timer, "acme", identity.Registration{Name: "alice", Person: "p-alice", Holds: admin},
		identity.Registration{Name: "bob", Person: "p-bob", Holds: admin})
	require.NoError(t, err)
	h.alice, h.bob = identity.By{Actor: first[0].Actor(), Reason: "ticket 1"}, identity.By{Actor: first[1].Actor(), Reason: "ticket 1"}

	limits, err := session.Preset("nist-aal1")
	require.NoError(t, err)
	h.sessions, err = session.New(session.NewMemory(h), limits, &session.Options{Now: clock, Authorizer: opsec.CallerAuthorized{}})
	require.NoError(t, err)
	pool, err := hash.New(hash.Params{M: 64, T: 1, P: 1}, &hash.Options{InsecureNoPace: true})
	require.NoError(t, err)
	rules, err := password.Preset(password.NIST)
	require.NoError(t, err)
	rules.SkipBlocklist = true
	checker, err := password.New(rules, nil)
	require.NoError(t, err)
	kept := credential.Default()
	kept.SkipLocks, kept.SkipSessions = true, true
	h.keeper, err = credential.New(credential.NewMemory(h), pool, checker, kept, &credential.Options{Now: clock, Authorizer: opsec.CallerAuthorized{}})
	require.NoError(t, err)
	attempts, err := lockout.Preset(lockout.PresetNIST)
	require.NoError(t, err)
	gate, err := lockout.New(lockout.NewMemory(1000, h), attempts, &lockout.Options{Now: clock, Authorizer: opsec.CallerAuthorized{}})
	require.NoError(t, err)
	h.desk, err = login.New(h, h, gate, &login.Options{Now: clock, Recorder: h})
	require.NoError(t, err)
	return h
}

type nobody struct{}

func (nobody) Notify(context.Context, opsec.Message) error { return nil }

// register adds an account, which bob approves.
func (h *house) register(name string) identity.Account {
	a, request, err := h.directory.Register(ctx, h.alice, "acme", identity.Registration{Name: name, Person: "p-" + name})
	require.NoError(h.t, err)
	_, err = h.directory.Decide(ctx, "acme", request.ID, approval.Decision{Verb: approval.Approve, By: h.bob.Actor, Reason: "checked"})
	require.NoError(h.t, err)
	who := a.Actor()
	require.NoError(h.t, h.keeper.Set(ctx, credential.Subject{Tenant: "acme", Account: string(a.ID)}, []byte("a long way to "+name), who))
	return a
}

// visit is half of a log-in.
func (h *house) visit(name, secret string) (login.Visit, error) {
	h.now = h.now.Add(time.Minute)
	return h.desk.Enter(ctx, login.Attempt{
		Tenant: "acme", Name: name, Factor: lockout.Password, Secret: []byte(secret), System: "console",
		From: opsec.Actor{IP: netip.MustParseAddr("203.0.113.9"), Terminal: "kiosk"},
	})
}

// enter logs in and out.
func (h *house) enter(name, secret string) error {
	visit, err := h.visit(name, secret)
	if err != nil {
		return err
	}
	s, token, err := h.sessions.Create(ctx, visit.Request(), visit.Proofs()...)
	require.NoError(h.t, err)
	require.NoError(h.t, h.directory.Touch(ctx, timer, "acme", opsec.ID(s.User.Account)))
	_, err = h.sessions.End(ctx, token, session.Use{})
	return err
}

// rows are the accounts of the directory as the audit reads them.
func rows(list iter.Seq2[identity.Account, error]) iter.Seq2[accounts.Account, error] {
	return func(yield func(accounts.Account, error) bool) {
		for a, err := range list {
			row := accounts.Account{
				Key: accounts.Key{Tenant: a.Tenant, Main: string(a.ID)}, Kind: a.Kind, Person: a.Person, State: accounts.State(a.State), Since: a.Since,
				Roles: a.Holds.Roles, Created: a.Created, Approved: a.Approved, Reviewed: a.Reviewed, Expires: a.Expires, LastUsed: a.LastUsed,
				Ref: "directory/" + string(a.ID),
			}
			if a.Main != "" {
				row.Main, row.Sub = string(a.Main), string(a.ID)
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

// audit returns the kinds of findings by account.
func (h *house) audit() map[string][]accounts.Kind {
	sorted, err := tally.Sort(rows(h.directory.List(ctx, h.alice.Actor, "acme", identity.Query{})), tally.Options{})
	require.NoError(h.t, err)
	defer func() { require.NoError(h.t, sorted.Close()) }()
	key := make([]byte, 32)
	rand.Read(key)
	found := map[string][]accounts.Kind{}
	policy := accounts.Policy{Naming: "[0-9a-f-]{36}", InventedNames: 2}
	for f, err := range policy.Audit(accounts.Sources{Accounts: sorted.Rows(), SignIns: h.tally.SignIns(), Since: start, Key: key}, h.now) {
		require.NoError(h.t, err)
		found[f.Account.Main] = append(found[f.Account.Main], f.Kind)
	}
	return found
}

func TestTheAuditOfAccountsReadsTheDirectoryAndItsLogIns(t *testing.T) {
	h := open(t)
	old, idle, gone := h.register("olga"), h.register("ida"), h.register("gina")
	h.now = h.now.AddDate(0, 0, 80)
	fresh := h.register("fred")
	require.NoError(t, h.enter("Olga", "a long way to olga"))
	require.NoError(t, h.enter("fred", "a long way to fred"))
	for _, a := range []identity.By{h.alice, h.bob} {
		require.NoError(t, h.directory.Touch(ctx, timer, "acme", opsec.ID(a.Actor.Account)))
	}
	_, err := h.directory.Disable(ctx, h.alice, "acme", gone.ID)
	require.NoError(t, err)
	require.ErrorIs(t, h.enter("gina", "a long way to gina"), login.ErrRefused)
	for i := range 4 {
		require.ErrorIs(t, h.enter(fmt.Sprint("admin-", string(rune('a'+i))), "guess"), login.ErrRefused)
	}
	h.now = h.now.AddDate(0, 0, 20)

	found := h.audit()
	require.Contains(t, found[string(idle.ID)], accounts.Dormant)
	require.Contains(t, found[string(idle.ID)], accounts.Unreviewed)
	require.NotContains(t, found[string(old.ID)], accounts.Dormant, "it has logged in")
	require.Equal(t, []accounts.Kind{accounts.AbandonedAttempt}, found[string(gone.ID)])
	require.Empty(t, found[string(fresh.ID)])
	var invented int
	for who, kinds := range found {
		for _, k := range kinds {
			if k == accounts.InventedAttempt {
				invented++
				require.NotContains(t, who, "admin", "what was typed is nowhere")
			}
		}
	}
	require.Equal(t, 1, invented, "one origin: %v", found)
}

// The directory and the sessions do not know each other: who disables an account revokes, or reads the events and does.
func TestASessionOfADisabledAccountEndsWithTheRevocation(t *testing.T) {
	h := open(t)
	dora := h.register("dora")
	visit, err := h.visit("dora", "a long way to dora")
	require.NoError(t, err)
	_, token, err := h.sessions.Create(ctx, visit.Request(), visit.Proofs()...)
	require.NoError(t, err)
	_, err = h.sessions.Validate(ctx, token, session.Use{})
	require.NoError(t, err)
	underway, err := h.visit("dora", "a long way to dora")
	require.NoError(t, err)

	_, err = h.directory.Disable(ctx, h.alice, "acme", dora.ID)
	require.NoError(t, err)
	require.NoError(t, h.sessions.RevokeAll(ctx, "acme", string(dora.ID), h.alice.Actor, "disabled"))
	_, _, err = h.sessions.Create(ctx, underway.Request(), underway.Proofs()...)
	require.ErrorIs(t, err, session.ErrProof, "a log-in that was half done")
	require.ErrorIs(t, h.enter("dora", "a long way to dora"), login.ErrRefused)
	h.now = h.now.Add(h.sessions.Policy().Cache)
	_, err = h.sessions.Validate(ctx, token, session.Use{})
	require.ErrorIs(t, err, opsec.ErrDenied)

	request, err := h.directory.Enable(ctx, h.alice, "acme", dora.ID)
	require.NoError(t, err)
	_, err = h.directory.Decide(ctx, "acme", request.ID, approval.Decision{Verb: approval.Approve, By: h.bob.Actor, Reason: "back"})
	require.NoError(t, err)
	_, err = h.sessions.Validate(ctx, token, session.Use{})
	require.ErrorIs(t, err, opsec.ErrDenied, "what was ended stays so")
	require.NoError(t, h.enter("dora", "a long way to dora"))
}

// The number is 500; by hand: OPSEC_ACCOUNTS=1000000 go test -run Million -timeout 60m -v ./identity
func TestAMillionAccountsAreAuditedInConstantMemory(t *testing.T) {
	n := 500
	if s := os.Getenv("OPSEC_ACCOUNTS"); s != "" {
		var err error
		n, err = strconv.Atoi(s)
		require.NoError(t, err)
	}
	h := open(t)
	staff := func(yield func(identity.Row, error) bool) {
		for i := range n {
			name := "user-"
			for shift := 16; shift >= 0; shift -= 4 {
				name += "abefghkopqstuxyz"[i>>shift&15 : i>>shift&15+1] // no two of them look like a third
			}
			if !yield(identity.Row{ID: strconv.Itoa(i), Registration: identity.Registration{Name: name, Person: "p-" + name}}, nil) {
				return
			}
		}
	}
	request, err := h.directory.ProposeImport(ctx, h.alice, "acme", staff)
	require.NoError(t, err)
	_, err = h.directory.Decide(ctx, "acme", request.ID, approval.Decision{Verb: approval.Approve, By: h.bob.Actor, Reason: "checked"})
	require.NoError(t, err)
	out, err := h.directory.Import(ctx, h.alice, "acme", request.ID, staff, nil)
	require.NoError(t, err)
	require.Equal(t, int64(n), out.New)
	h.now = h.now.AddDate(0, 0, 10)

	sorted, err := tally.Sort(rows(h.directory.List(ctx, h.alice.Actor, "acme", identity.Query{})), tally.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, sorted.Close()) }()
	var summary accounts.Summary
	seen, early, late := 0, uint64(0), uint64(0)
	counted := func(yield func(accounts.Account, error) bool) {
		for a, err := range sorted.Rows() {
			switch seen++; seen {
			case n / 5:
				early = heap()
			case n * 9 / 10:
				late = heap()
			}
			if !yield(a, err) {
				return
			}
		}
	}
	began := time.Now()
	for f, err := range (accounts.Policy{Naming: "[0-9a-f-]{36}"}).Audit(accounts.Sources{Accounts: counted, Since: start, Summary: &summary}, h.now) {
		require.NoError(t, err)
		t.Fatalf("a finding where there is nothing to find: %+v", f)
	}
	t.Logf("audit of %d accounts: %v, heap %d KiB early and %d KiB late", seen, time.Since(began).Round(time.Millisecond), early>>10, late>>10)
	require.Equal(t, n+2, seen)
	require.Less(t, int64(late)-int64(early), int64(4<<20))
}

// heap returns the bytes that are in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
