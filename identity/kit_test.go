package identity_test

import (
	"context"
	"errors"
	"iter"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/audit/audittest"
	"github.com/cloudopsec/opsec/identity"
	"github.com/cloudopsec/opsec/identity/name"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
)

var (
	bg    = context.Background()
	noon  = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	admin = identity.Rights{Roles: []string{"account-administrator"}}
	timer = identity.By{Actor: opsec.Actor{Tenant: opsec.Provider, Account: "timer", Kind: opsec.System}}
)

const day = 24 * time.Hour

// post is a notifier that keeps messages.
type post struct {
	mu   sync.Mutex
	sent []opsec.Message
	fail error
	bad  string // an address that takes nothing
}

func (p *post) Notify(_ context.Context, m opsec.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if slices.Contains(m.To, p.bad) {
		return errors.New("post: no such address")
	}
	if p.fail == nil {
		p.sent = append(p.sent, m)
	}
	return p.fail
}

func (p *post) take() []opsec.Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	sent := p.sent
	p.sent = nil
	return sent
}

// told returns to whom messages were sent, one each, that do not say who else gets one.
func (p *post) told(t testing.TB) (list []string) {
	for _, m := range p.take() {
		require.Len(t, m.To, 1)
		require.NotContains(t, m.Body, "@")
		list = append(list, m.To...)
	}
	slices.Sort(list)
	return list
}

// gate is an authorizer that refuses some actions.
type gate struct{ refuse []string }

func (g *gate) Authorize(_ context.Context, _ opsec.Actor, action string, _ opsec.Resource) error {
	if slices.Contains(g.refuse, action) {
		return errors.Join(errors.New("gate: no"), opsec.ErrDenied)
	}
	return nil
}

// bench is a directory with a clock to move, two administrators at acme, and what it has sent and recorded.
type bench struct {
	*identity.Directory
	t      testing.TB
	db     *store.DB
	now    time.Time
	post   *post
	gate   *gate
	log    *audittest.Recorder
	policy identity.Policy
	alice  identity.By
	bob    identity.By
}

func unsigned(p identity.Policy) identity.Policy {
	for _, a := range []*approval.Policy{&p.Register, &p.Modify, &p.Enable} {
		a.SkipSignatures, a.SkipReasons = true, true
	}
	return p
}

func policy(t testing.TB) identity.Policy {
	names, err := name.Preset("recommendation")
	require.NoError(t, err)
	return unsigned(identity.DefaultPolicy("zone", names))
}

func newBench(t testing.TB, driver store.Driver, change func(*identity.Policy)) *bench {
	db, err := store.New(driver, nil)
	require.NoError(t, err)
	b := &bench{t: t, db: db, now: noon, post: &post{}, gate: &gate{}, log: audittest.New(t), policy: policy(t)}
	if change != nil {
		change(&b.policy)
	}
	b.Directory, err = identity.New(db, b.policy, &identity.Options{Now: func() time.Time { return b.now }, Authorizer: b.gate, Notifier: b.post})
	require.NoError(t, err)
	first, err := b.Bootstrap(bg, timer, "acme", identity.Registration{Name: "alice", Person: "pa", Holds: admin},
		identity.Registration{Name: "bob", Person: "pb", Holds: admin})
	require.NoError(t, err)
	b.alice, b.bob = by(first[0]), by(first[1])
	return b
}

func standard(t testing.TB) *bench { return newBench(t, memory.New(), nil) }

// by acts with an account, from a terminal.
func by(a identity.Account) identity.By {
	who := a.Actor()
	who.IP, who.Terminal = netip.MustParseAddr("192.0.2.7"), "console"
	return identity.By{Actor: who, Reason: "ticket 4711"}
}

func approve(who identity.By) approval.Decision {
	return approval.Decision{Verb: approval.Approve, By: who.Actor, Reason: "checked"}
}

// add registers an account for alice, approved by bob.
func (b *bench) add(r identity.Registration) identity.Account {
	b.t.Helper()
	a, request, err := b.Register(bg, b.alice, "acme", r)
	require.NoError(b.t, err)
	require.Equal(b.t, identity.Registered, a.State)
	b.decide(request)
	return b.get(a.ID)
}

func (b *bench) decide(r identity.Request) {
	b.t.Helper()
	_, err := b.Decide(bg, r.Tenant, r.ID, approve(b.bob))
	require.NoError(b.t, err)
}

func (b *bench) get(id opsec.ID) identity.Account {
	b.t.Helper()
	a, err := b.Get(bg, b.alice.Actor, "acme", id)
	require.NoError(b.t, err)
	return a
}

// events delivers and returns what was recorded since.
func (b *bench) events(actions ...string) []opsec.Event {
	b.t.Helper()
	_, err := b.db.Deliver(bg, b.db.Node(), b.log)
	require.NoError(b.t, err)
	return b.log.Events(actions...)
}

func (b *bench) list(q identity.Query) (names []string) {
	b.t.Helper()
	for a, err := range b.List(bg, b.alice.Actor, "acme", q) {
		require.NoError(b.t, err)
		names = append(names, a.Canonical)
	}
	return names
}

// replayed returns what the history of an account's family leads to, without what is only observed.
func (b *bench) replayed(id opsec.ID) (record, replay identity.Family) {
	b.t.Helper()
	record, err := b.Family(bg, b.alice.Actor, "acme", id)
	require.NoError(b.t, err)
	replay, err = identity.Replay(b.History(bg, b.alice.Actor, "acme", id))
	require.NoError(b.t, err)
	for _, a := range record.All() {
		a.LastUsed, a.Warned = time.Time{}, identity.Warned{}
	}
	return record, replay
}

func rights(privileges ...string) identity.Rights {
	slices.Sort(privileges)
	return identity.Rights{Privileges: privileges}
}

func seq(rows []identity.Row) iter.Seq2[identity.Row, error] {
	return func(yield func(identity.Row, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// sound looks through the whole store.
func (b *bench) sound() {
	b.t.Helper()
	b.events()
	for p, err := range b.db.Check(bg, nil, b.Parts()...) {
		require.NoError(b.t, err)
		b.t.Error(p)
	}
}
