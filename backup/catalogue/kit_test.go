package catalogue_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/audit/audittest"
	"github.com/cloudopsec/opsec/backup/catalogue"
	"github.com/cloudopsec/opsec/backup/plan"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
)

var (
	bg   = context.Background()
	noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
)

const day = 24 * time.Hour

// gate is an authorizer that refuses some actions.
type gate struct{ refuse []string }

func (g *gate) Authorize(_ context.Context, _ opsec.Actor, action string, _ opsec.Resource) error {
	if slices.Contains(g.refuse, action) {
		return errors.Join(errors.New("gate: no"), opsec.ErrDenied)
	}
	return nil
}

// shredder is a Deleter that remembers, and fails where it is told to.
type shredder struct {
	mu     sync.Mutex
	gone   []string
	fail   map[string]error // by point@location
	before func(what string)
}

func (s *shredder) Delete(_ context.Context, _ opsec.TenantID, p catalogue.Point, c catalogue.Copy) error {
	what := p.ID + "@" + c.Location
	if s.before != nil {
		s.before(what)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fail[what]; err != nil {
		return err
	}
	s.gone = append(s.gone, what)
	return nil
}

// bench is a catalogue with a clock to move, and all that it asks.
type bench struct {
	*catalogue.Catalogue
	t      testing.TB
	db     *store.DB
	now    time.Time
	gate   *gate
	shred  *shredder
	erased *audittest.Recorder // intents and ends of deletions
	log    *audittest.Recorder // all else
	roles  map[string][]string // by person
	keeper catalogue.Retainer
}

func unsigned(p catalogue.Policy) catalogue.Policy {
	for _, a := range []*approval.Policy{&p.Delete, &p.Shorten, &p.Release} {
		a.SkipSignatures, a.SkipReasons = true, true
	}
	return p
}

func newBench(t testing.TB, driver store.Driver, change func(*catalogue.Policy)) *bench {
	db, err := store.New(driver, &store.Options{Node: "here"})
	require.NoError(t, err)
	b := &bench{t: t, db: db, now: noon, keeper: newest{}, gate: &gate{}, shred: &shredder{fail: map[string]error{}}, erased: audittest.New(t), log: audittest.New(t),
		roles: map[string][]string{"pb": {"backup-approver", "legal"}, "pc": {"backup-approver", "legal"}, "pa": {"backup-approver", "legal"}}}
	p := unsigned(catalogue.DefaultPolicy())
	if change != nil {
		change(&p)
	}
	b.reopen(p)
	return b
}

// reopen puts another catalogue over the same store.
func (b *bench) reopen(p catalogue.Policy) {
	var err error
	b.Catalogue, err = catalogue.New(b.db, p, &catalogue.Options{
		Now: func() time.Time { return b.now }, Authorizer: b.gate, Recorder: b.erased, Deleter: b.shred, Retainer: b.keeper,
		Authority: approval.Authority{Roles: func(a opsec.Actor) ([]string, error) { return b.roles[a.Person], nil }},
	})
	require.NoError(b.t, err)
}

func standard(t testing.TB) *bench { return newBench(t, memory.New(), nil) }

// over is the same bench on another handle of its store.
func (b *bench) over(driver store.Driver) *bench {
	other := *b
	var err error
	other.db, err = store.New(driver, &store.Options{Node: "here"})
	require.NoError(b.t, err)
	other.reopen(unsigned(catalogue.DefaultPolicy()))
	return &other
}

// person acts for the provider.
func person(id string) catalogue.By {
	return catalogue.By{Reason: "ticket 4711", Actor: opsec.Actor{Tenant: opsec.Provider, Account: "account-" + id, Person: id, Kind: opsec.Human,
		IP: netip.MustParseAddr("192.0.2.7")}}
}

var (
	alice, bob, carol = person("pa"), person("pb"), person("pc")
	agent             = catalogue.By{Actor: opsec.Actor{Tenant: "acme", Account: "backup-agent", Person: "pz", Kind: opsec.Service}}
)

func local() catalogue.Copy {
	return catalogue.Copy{Location: "rack-1", Site: plan.OnSite, Region: "eu-1", Key: catalogue.Key{Name: "acme-backup", Version: 1}}
}

// add registers a point an hour later than the one before, durable on-site.
func (b *bench) add(id string, parents ...string) catalogue.Point {
	b.t.Helper()
	b.now = b.now.Add(time.Hour)
	k := local()
	k.Durable = b.now
	p, err := b.Register(bg, agent, "acme", catalogue.Registration{Source: "vol-7", ID: id, Level: plan.Image, Claimed: b.now.Add(-time.Minute),
		Bytes: 1 << 30, Parents: parents, Manifest: "sha256:00", Copies: []catalogue.Copy{k}})
	require.NoError(b.t, err)
	return p
}

func (b *bench) verify(id string, whole bool) {
	b.t.Helper()
	b.now = b.now.Add(time.Minute)
	_, err := b.Verify(bg, agent, "acme", "vol-7", id, catalogue.Check{Location: "rack-1", Whole: whole})
	require.NoError(b.t, err)
}

func approve(by catalogue.By) approval.Decision {
	return approval.Decision{Verb: approval.Approve, By: by.Actor, Reason: "checked"}
}

// agree has bob and carol approve.
func (b *bench) agree(o catalogue.Order) catalogue.Order {
	b.t.Helper()
	for _, by := range []catalogue.By{bob, carol} {
		var err error
		o, err = b.Decide(bg, "acme", o.ID, approve(by))
		require.NoError(b.t, err)
	}
	require.Equal(b.t, catalogue.Waiting, o.State)
	return o
}

// remove has points deleted, with all that it takes, and returns the order.
func (b *bench) remove(lastToo bool, ids ...string) catalogue.Order {
	b.t.Helper()
	o, err := b.ProposeDeletion(bg, alice, "acme", "vol-7", ids, lastToo)
	require.NoError(b.t, err)
	b.now = b.agree(o).Ready
	o, err = b.Execute(bg, alice, "acme", o.ID)
	require.NoError(b.t, err)
	require.Equal(b.t, catalogue.Done, o.State)
	return o
}

func (b *bench) point(id string) catalogue.Point {
	b.t.Helper()
	p, err := b.Point(bg, alice.Actor, "acme", "vol-7", id)
	require.NoError(b.t, err)
	return p
}

// present returns the ids of the points that are there, in their order.
func (b *bench) present() (ids []string) {
	b.t.Helper()
	for p, err := range b.Points(bg, alice.Actor, "acme", "vol-7", time.Time{}, time.Time{}) {
		require.NoError(b.t, err)
		ids = append(ids, p.ID)
	}
	return ids
}

// events delivers, and returns what was recorded of these actions.
func (b *bench) events(actions ...string) []opsec.Event {
	b.t.Helper()
	_, err := b.db.Deliver(bg, b.db.Node(), b.log)
	require.NoError(b.t, err)
	return b.log.Events(actions...)
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

// why returns why a point stays.
func why(err error) catalogue.Why {
	if kept, ok := errors.AsType[*catalogue.KeptError](err); ok {
		return kept.Why
	}
	return ""
}

func collect[T any](t testing.TB, seq func(func(T, error) bool)) (list []T) {
	t.Helper()
	for v, err := range seq {
		require.NoError(t, err)
		list = append(list, v)
	}
	return list
}
