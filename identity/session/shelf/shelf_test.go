package shelf_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/session"
	"github.com/cloudopsec/opsec/identity/session/shelf"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/bolt"
	"github.com/cloudopsec/opsec/store/memory"
	"github.com/cloudopsec/opsec/store/storetest"
)

var (
	bg    = context.Background()
	noon  = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	admin = opsec.Actor{Tenant: "acme", Account: "ann", Person: "p-1", Kind: opsec.Human}
)

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

// kept is a repository, and what it has had recorded.
type kept struct {
	session.Books
	recorded func(testing.TB) []opsec.Event
}

func stored(t testing.TB, d store.Driver) kept {
	db, err := store.New(d, nil)
	require.NoError(t, err)
	r := new(recorder)
	return kept{shelf.Stored(db), func(t testing.TB) []opsec.Event {
		_, err := db.Deliver(bg, db.Node(), r)
		for errors.Is(err, store.ErrIndeterminate) { // a bad connection
			_, err = db.Deliver(bg, db.Node(), r)
		}
		require.NoError(t, err)
		return r.events
	}}
}

// each runs a test on every repository of this module.
func each(t *testing.T, test func(t *testing.T, k kept)) {
	t.Run("Memory", func(t *testing.T) {
		r := new(recorder)
		test(t, kept{session.NewMemory(r), func(testing.TB) []opsec.Event { return r.events }})
	})
	t.Run("Stored", func(t *testing.T) { test(t, stored(t, memory.New())) })
	t.Run("Bolt", func(t *testing.T) {
		engine, err := bolt.Open(filepath.Join(t.TempDir(), "state.db"), nil)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, engine.Close()) })
		test(t, stored(t, engine))
	})
}

func event(tenant opsec.TenantID) *opsec.Event {
	e := opsec.NewEvent(session.ActionTold, noon)
	e.Tenant, e.Outcome = tenant, opsec.Success
	return e
}

func (k kept) put(t testing.TB, at session.Address, b session.Book) {
	t.Helper()
	require.NoError(t, k.Update(bg, at, func(session.Book) (session.Change, error) {
		return session.Change{Put: &b, Events: []*opsec.Event{event(at.Tenant)}}, nil
	}))
}

func (k kept) get(t testing.TB, at session.Address) (book session.Book) {
	t.Helper()
	require.NoError(t, k.Update(bg, at, func(b session.Book) (session.Change, error) {
		book = b
		return session.Change{}, nil
	}))
	return book
}

func (k kept) due(t testing.TB, tenant opsec.TenantID, until time.Time, most int) (list []string) {
	t.Helper()
	for at, err := range k.Books.(session.Agenda).Due(bg, tenant, until) {
		require.NoError(t, err)
		require.Equal(t, tenant, at.Tenant)
		if list = append(list, at.Book); len(list) == most {
			break
		}
	}
	return list
}

// full is a book with all that one may have.
func full(account string) session.Book {
	key, token := session.CertificateThumbprint([]byte("key")), session.Digest(session.CertificateThumbprint([]byte("token")))
	id := opsec.NewID()
	user := opsec.Actor{Tenant: "acme", Account: account, Person: "p-7", Kind: opsec.Human, Session: string(id), IP: netip.MustParseAddr("2001:db8::7"), Terminal: "laptop"}
	return session.Book{
		Account: account, Epoch: 3, Revoked: noon, Due: noon.Add(time.Hour + 1),
		Sessions: []session.Session{{
			ID: id, User: user, System: "console", Began: noon, Seen: noon.Add(123456789), Epoch: 3,
			Factors: []session.Factor{{Name: "password", At: noon}}, Key: key, Token: token,
			Applications: []session.Application{{Name: "wiki", Notify: true, At: noon, Token: token}},
		}},
		Notices: []session.Notice{{Tenant: "acme", Account: account, Session: id, Why: session.Idle, Ended: noon, Until: noon.Add(time.Hour), Applications: []string{"wiki"}}},
	}
}

func TestWhatIsKeptComesBack(t *testing.T) {
	each(t, func(t *testing.T, k kept) {
		eve, bob := session.AddressOf("acme", "eve"), session.AddressOf("acme", "bob")
		require.NotEqual(t, eve, bob)
		book := full("eve")
		k.put(t, eve, book)
		require.Equal(t, book, k.get(t, eve))
		require.Equal(t, session.Book{}, k.get(t, bob))
		require.Equal(t, session.Book{}, k.get(t, session.Address{Tenant: "globex", Book: eve.Book}))
		k.put(t, eve, session.Book{Account: "eve"})
		require.Equal(t, session.Book{}, k.get(t, eve), "a blank book is none")
		require.Len(t, k.recorded(t), 2)
	})
}

func TestAnErrorKeepsNothing(t *testing.T) {
	each(t, func(t *testing.T, k kept) {
		eve, no := session.AddressOf("acme", "eve"), errors.New("no")
		book := full("eve")
		require.ErrorIs(t, k.Update(bg, eve, func(session.Book) (session.Change, error) {
			return session.Change{Put: &book, Events: []*opsec.Event{event("acme")}}, no
		}), no)
		bad := event("acme")
		bad.Outcome = ""
		require.ErrorIs(t, k.Update(bg, eve, func(session.Book) (session.Change, error) {
			return session.Change{Put: &book, Events: []*opsec.Event{event("acme"), bad}}, nil
		}), opsec.ErrInvalid)
		ctx, cancel := context.WithCancel(bg)
		cancel()
		require.ErrorIs(t, k.Update(ctx, eve, func(session.Book) (session.Change, error) {
			return session.Change{Put: &book}, nil
		}), context.Canceled)
		require.Equal(t, session.Book{}, k.get(t, eve))
		require.Empty(t, k.recorded(t))
	})
}

func TestNothingIsShared(t *testing.T) {
	each(t, func(t *testing.T, k kept) {
		eve := session.AddressOf("acme", "eve")
		book, want := full("eve"), noon.Add(123456789)
		k.put(t, eve, book)
		book.Sessions[0].Seen = noon
		got := k.get(t, eve)
		require.Equal(t, want, got.Sessions[0].Seen)
		got.Sessions[0].Seen = noon
		require.Equal(t, want, k.get(t, eve).Sessions[0].Seen)
	})
}

func TestUpdatesAtOnceAllCount(t *testing.T) {
	each(t, func(t *testing.T, k kept) {
		eve := session.AddressOf("acme", "eve")
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for range 25 {
					if err := k.Update(bg, eve, func(b session.Book) (session.Change, error) {
						b.Epoch++
						return session.Change{Put: &b}, nil
					}); err != nil {
						panic(err)
					}
				}
			})
		}
		all.Wait()
		require.EqualValues(t, 100, k.get(t, eve).Epoch)
	})
}

func TestDueIsInTheOrderOfTime(t *testing.T) {
	each(t, func(t *testing.T, k kept) {
		var want []string
		for i := range 30 {
			name := fmt.Sprint("account-", (i*7)%30)
			at := session.AddressOf("acme", name)
			k.put(t, at, session.Book{Account: name, Epoch: 1, Due: noon.Add(time.Duration(i) * time.Nanosecond)})
			want = append(want, at.Book)
		}
		k.put(t, session.AddressOf("acme", "never"), session.Book{Account: "never", Epoch: 1})
		k.put(t, session.AddressOf("globex", "eve"), session.Book{Account: "eve", Epoch: 1, Due: noon})
		require.Equal(t, want, k.due(t, "acme", noon.Add(time.Hour), 0))
		require.Equal(t, want[:8], k.due(t, "acme", noon.Add(7), 0), "up to and with the time")
		require.Equal(t, want[:3], k.due(t, "acme", noon.Add(7), 3))
		require.Empty(t, k.due(t, "acme", noon.Add(-1), 0))
		k.put(t, session.Address{Tenant: "acme", Book: want[0]}, session.Book{Account: "x", Epoch: 1, Due: noon.Add(time.Minute)})
		require.Equal(t, append(slices.Clone(want[1:]), want[0]), k.due(t, "acme", noon.Add(time.Hour), 0))
		ctx, cancel := context.WithCancel(bg)
		cancel()
		for _, err := range k.Books.(session.Agenda).Due(ctx, "acme", noon.Add(time.Hour)) {
			require.ErrorIs(t, err, context.Canceled)
		}
	})
}

type proof struct {
	account string
	at      time.Time
}

func (p proof) Tenant() opsec.TenantID { return "acme" }
func (p proof) Account() string        { return p.account }
func (p proof) Factor() string         { return "password" }
func (p proof) At() time.Time          { return p.at }

func request(account, terminal string) session.Request {
	return session.Request{System: "console", User: opsec.Actor{Tenant: "acme", Account: account, Kind: opsec.Human,
		IP: netip.MustParseAddr("192.0.2.7"), Terminal: terminal}}
}

// The largest book that there may be, ended at one stroke with all its events, fits a transaction.
func TestTheLargestBookFits(t *testing.T) {
	each(t, func(t *testing.T, k kept) {
		p := session.Policy{Maximum: time.Hour, Idle: time.Hour, Fresh: time.Minute, Factors: 1, Concurrent: session.MaxConcurrent}
		m, err := session.New(k.Books, p, &session.Options{Authorizer: opsec.CallerAuthorized{}})
		require.NoError(t, err)
		at := session.AddressOf("acme", "eve")
		book := session.Book{Account: "eve"}
		for range session.MaxConcurrent {
			s := full("eve").Sessions[0]
			s.Epoch, s.Began, s.Seen = 0, m.Now(), m.Now()
			s.User.Person, s.User.Terminal = strings.Repeat("p", 256), strings.Repeat("<", 256)
			for i := range session.MaxApplications {
				s.Applications = append(s.Applications[:i:i], session.Application{Name: fmt.Sprint(strings.Repeat("a", 60), i), Notify: true, At: s.Began})
			}
			book.Sessions = append(book.Sessions, s)
		}
		data, err := json.Marshal(book)
		require.NoError(t, err)
		for i := 0; len(data) < session.MaxBook-2000; i++ { // what is missing
			book.Sessions[i].System = strings.Repeat("<", 256)
			data, err = json.Marshal(book)
			require.NoError(t, err)
		}
		require.LessOrEqual(t, len(data), session.MaxBook)
		k.put(t, at, book)
		require.NoError(t, m.RevokeAll(bg, "acme", "eve", admin, "test"))
		n, err := m.Sweep(bg, "acme")
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Len(t, k.recorded(t), 1+1+session.MaxConcurrent)
		require.Empty(t, k.get(t, at).Sessions)
		require.Len(t, k.get(t, at).Notices, session.MaxConcurrent)
	})
}

// The engine loses requests and answers: nobody has more sessions than the policy says, and each log-in has its log-out.
func TestStoredOverABadConnection(t *testing.T) {
	for seed := range uint64(4) {
		flaky := storetest.NewFlaky(memory.New(), storetest.FlakyOptions{Seed: seed, Commit: map[storetest.Fault]float64{
			storetest.LostRequest: 0.1, storetest.LostAnswer: 0.1, storetest.Conflict: 0.1, storetest.Ghost: 0.05,
		}})
		k := stored(t, flaky)
		p := session.Policy{Maximum: time.Hour, Idle: time.Hour, Fresh: time.Minute, Factors: 1, Concurrent: 3, WhenFull: session.EndOldest}
		m, err := session.New(k.Books, p, &session.Options{Authorizer: opsec.CallerAuthorized{}})
		require.NoError(t, err)
		for range 20 {
			if _, _, err := m.Create(bg, request("eve", "laptop"), proof{"eve", m.Now()}); err != nil {
				require.ErrorIs(t, err, store.ErrIndeterminate)
			}
			require.LessOrEqual(t, len(k.get(t, session.AddressOf("acme", "eve")).Sessions), p.Concurrent)
		}
		left := len(k.get(t, session.AddressOf("acme", "eve")).Sessions)
		require.Positive(t, left)
		count := map[string]int{}
		seen := map[opsec.ID]bool{} // a delivery may be repeated
		for _, e := range k.recorded(t) {
			if !seen[e.ID] {
				seen[e.ID] = true
				count[e.Action]++
			}
		}
		require.Equal(t, count[session.ActionLogIn], count[session.ActionLogOut]+left)
	}
}
