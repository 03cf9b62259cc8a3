package session_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/session"
)

var (
	bg    = context.Background()
	noon  = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	admin = opsec.Actor{Tenant: "acme", Account: "ann", Person: "p-1", Kind: opsec.Human}
)

// recorder keeps events. It may refuse them.
type recorder struct {
	mu     sync.Mutex
	events []opsec.Event
	fail   error
}

func (r *recorder) Record(_ context.Context, e *opsec.Event) (opsec.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		return opsec.Receipt{}, r.fail
	}
	r.events = append(r.events, *e)
	return opsec.Receipt{Event: e.ID, Time: e.Time, Durable: true}, nil
}

func (r *recorder) of(action string) (list []opsec.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Action == action {
			list = append(list, e)
		}
	}
	return list
}

// hand is a clock that is set by hand.
type hand struct {
	mu sync.Mutex
	at time.Time
}

func (h *hand) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at
}

func (h *hand) add(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = h.at.Add(d)
}

// books counts what a node asks of a repository. It may break down.
type books struct {
	*session.Memory
	mu     sync.Mutex
	reads  int
	writes int
	last   session.Change
	broken error
}

func (b *books) Update(ctx context.Context, at session.Address, fn func(session.Book) (session.Change, error)) error {
	b.mu.Lock()
	broken := b.broken
	b.mu.Unlock()
	if broken != nil {
		return broken
	}
	return b.Memory.Update(ctx, at, func(book session.Book) (session.Change, error) {
		c, err := fn(book)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.reads, b.last = b.reads+1, c
		if c.Put != nil {
			b.writes++
		}
		return c, err
	})
}

func (b *books) counts() (reads, writes int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	reads, writes, b.reads, b.writes = b.reads, b.writes, 0, 0
	return reads, writes
}

// tb is a *testing.T, a *testing.B or a *rapid.T.
type tb interface {
	Errorf(string, ...any)
	FailNow()
	Helper()
}

// world is one node, its repository and what is recorded.
type world struct {
	*session.Manager
	t      tb
	policy session.Policy
	books  *books
	memory *session.Memory
	record *recorder
	clock  *hand
}

// plain is a policy with round figures.
var plain = session.Policy{
	Maximum: 8 * time.Hour, Idle: time.Hour, Cache: 30 * time.Second, Grain: time.Minute,
	Fresh: 5 * time.Minute, Factors: 1, Concurrent: 3,
}

func newWorld(t tb, p session.Policy) *world {
	t.Helper()
	w := &world{t: t, policy: p, record: &recorder{}, clock: &hand{at: noon}}
	w.memory = session.NewMemory(w.record)
	w.books = &books{Memory: w.memory}
	w.Manager = w.node(nil)
	return w
}

// node is one more manager over the same books.
func (w *world) node(o *session.Options) *session.Manager {
	w.t.Helper()
	if o == nil {
		o = &session.Options{Now: w.clock.now}
	}
	if o.Authorizer == nil {
		o.Authorizer = opsec.CallerAuthorized{}
	}
	m, err := session.New(w.books, w.policy, o)
	require.NoError(w.t, err)
	return m
}

func user(account string) opsec.Actor {
	return opsec.Actor{Tenant: "acme", Account: account, Person: "p-" + account, Kind: opsec.Human,
		IP: netip.MustParseAddr("192.0.2.7"), Terminal: "laptop"}
}

func request(account string) session.Request {
	return session.Request{User: user(account), System: "console"}
}

func (w *world) proof(account string) proven {
	return proven{"acme", account, "password", w.Now()}
}

func (w *world) open(account string) (session.Session, session.Token) {
	w.t.Helper()
	s, token, err := w.Create(bg, request(account), w.proof(account))
	require.NoError(w.t, err)
	return s, token
}

func (w *world) book(account string) (book session.Book) {
	w.t.Helper()
	require.NoError(w.t, w.memory.Update(bg, session.AddressOf("acme", account), func(b session.Book) (session.Change, error) {
		book = b
		return session.Change{}, nil
	}))
	return book
}

func (w *world) json(account string) string {
	data, err := json.Marshal(w.book(account))
	require.NoError(w.t, err)
	return string(data)
}

func ended(t tb, want session.Standing, err error) {
	t.Helper()
	var e *session.EndedError
	require.ErrorAs(t, err, &e)
	require.Equal(t, want, e.Standing)
	require.ErrorIs(t, err, opsec.ErrDenied)
}

// id is some id, always the same for a number.
func id(n int) opsec.ID { return opsec.ID(fmt.Sprintf("00000000-0000-7000-8000-%012x", n)) }
