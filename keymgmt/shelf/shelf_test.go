package shelf_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/shelf"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/bolt"
	"github.com/cloudopsec/opsec/store/memory"
	"github.com/cloudopsec/opsec/store/storetest"
)

var (
	bg   = context.Background()
	noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
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
	keymgmt.Repository
	recorded func(testing.TB) int
}

func stored(t testing.TB, d store.Driver) kept {
	db, err := store.New(d, nil)
	require.NoError(t, err)
	r := new(recorder)
	return kept{shelf.Stored(db, nil), func(t testing.TB) int {
		_, err := db.Deliver(bg, db.Node(), r)
		require.NoError(t, err)
		return len(r.events)
	}}
}

// each runs a test on every repository of this module.
func each(t *testing.T, test func(t *testing.T, k kept)) {
	t.Run("Memory", func(t *testing.T) {
		r := new(recorder)
		test(t, kept{keymgmt.NewMemory(r), func(testing.TB) int { return len(r.events) }})
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
	e := opsec.NewEvent(keymgmt.ActionRotate, noon)
	e.Tenant, e.Outcome = tenant, opsec.Success
	return e
}

func (k kept) put(t testing.TB, tenant opsec.TenantID, docs ...keymgmt.Document) {
	t.Helper()
	require.NoError(t, k.Update(bg, tenant, func(keymgmt.Read) (keymgmt.Changes, error) {
		return keymgmt.Changes{Put: docs, Events: []*opsec.Event{event(tenant)}}, nil
	}))
}

func (k kept) get(t testing.TB, tenant opsec.TenantID, names ...string) (list []string) {
	t.Helper()
	require.NoError(t, k.Update(bg, tenant, func(read keymgmt.Read) (keymgmt.Changes, error) {
		docs, err := read(names...)
		list = nil
		for i, d := range docs {
			list = append(list, string(d))
			require.Equal(t, list[i] == "", d == nil, "nil for one that does not exist")
		}
		return keymgmt.Changes{}, err
	}))
	return list
}

func doc(name, data string) keymgmt.Document { return keymgmt.Document{Name: name, Data: []byte(data)} }

func TestWhatIsKeptComesBack(t *testing.T) {
	each(t, func(t *testing.T, k kept) {
		k.put(t, "acme", doc("set/a", `{"n":1}`), doc("set/b/c", `{"n":2}`))
		k.put(t, "globex", doc("set/a", `{"n":3}`))
		require.Equal(t, []string{`{"n":2}`, "", `{"n":1}`, `{"n":1}`}, k.get(t, "acme", "set/b/c", "set/x", "set/a", "set/a"))
		require.Equal(t, []string{`{"n":3}`, ""}, k.get(t, "globex", "set/a", "set/b/c"))
		k.put(t, "acme", doc("set/a", `{"n":4}`), keymgmt.Document{Name: "set/b/c"})
		require.Equal(t, []string{`{"n":4}`, ""}, k.get(t, "acme", "set/a", "set/b/c"))
		k.put(t, "acme", keymgmt.Document{Name: "never there"})
		require.Equal(t, 4, k.recorded(t))
		large := doc("large", `"`+strings.Repeat("x", keymgmt.MaxDocument-2)+`"`)
		k.put(t, "acme", large)
		require.Equal(t, string(large.Data), k.get(t, "acme", "large")[0])
	})
}

func TestWhatIsTooLargeIsRefused(t *testing.T) {
	each(t, func(t *testing.T, k kept) {
		refused := func(c keymgmt.Changes) {
			t.Helper()
			require.ErrorIs(t, k.Update(bg, "acme", func(keymgmt.Read) (keymgmt.Changes, error) { return c, nil }), opsec.ErrInvalid)
		}
		refused(keymgmt.Changes{Put: []keymgmt.Document{doc("a", `"`+strings.Repeat("x", keymgmt.MaxDocument-1)+`"`)}})
		refused(keymgmt.Changes{Put: []keymgmt.Document{doc("", `{}`)}})
		refused(keymgmt.Changes{Put: []keymgmt.Document{doc(strings.Repeat("x", 257), `{}`)}})
		refused(keymgmt.Changes{Put: slices.Repeat([]keymgmt.Document{doc("a", `{}`)}, 33)})
		bad := event("acme")
		bad.Outcome = ""
		refused(keymgmt.Changes{Put: []keymgmt.Document{doc("a", `{}`)}, Events: []*opsec.Event{event("acme"), bad}})
		err := k.Update(bg, "acme", func(read keymgmt.Read) (keymgmt.Changes, error) {
			_, err := read(slices.Repeat([]string{"a"}, 33)...)
			return keymgmt.Changes{}, err
		})
		require.ErrorIs(t, err, opsec.ErrInvalid)
		require.Equal(t, []string{""}, k.get(t, "acme", "a"))
		require.Zero(t, k.recorded(t))
	})
}

func TestAnErrorKeepsNothing(t *testing.T) {
	each(t, func(t *testing.T, k kept) {
		no := errors.New("no")
		err := k.Update(bg, "acme", func(keymgmt.Read) (keymgmt.Changes, error) {
			return keymgmt.Changes{Put: []keymgmt.Document{doc("a", `{}`)}, Events: []*opsec.Event{event("acme")}}, no
		})
		require.ErrorIs(t, err, no)
		ctx, cancel := context.WithCancel(bg)
		cancel()
		require.ErrorIs(t, k.Update(ctx, "acme", func(keymgmt.Read) (keymgmt.Changes, error) {
			return keymgmt.Changes{Put: []keymgmt.Document{doc("a", `{}`)}}, nil
		}), context.Canceled)
		require.Equal(t, []string{""}, k.get(t, "acme", "a"))
		require.Zero(t, k.recorded(t))
	})
}

func TestNothingIsShared(t *testing.T) {
	each(t, func(t *testing.T, k kept) {
		d := doc("a", `{"n":1}`)
		k.put(t, "acme", d)
		d.Data[5] = '2'
		require.Equal(t, []string{`{"n":1}`}, k.get(t, "acme", "a"))
	})
}

func TestUpdatesAtOnceAllCount(t *testing.T) {
	each(t, func(t *testing.T, k kept) {
		k.put(t, "acme", doc("n", "0"))
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for range 25 {
					err := k.Update(bg, "acme", func(read keymgmt.Read) (keymgmt.Changes, error) {
						docs, err := read("n")
						if err != nil {
							return keymgmt.Changes{}, err
						}
						n, err := strconv.Atoi(string(docs[0]))
						return keymgmt.Changes{Put: []keymgmt.Document{doc("n", strconv.Itoa(n+1))}}, err
					})
					if err != nil {
						panic(err)
					}
				}
			})
		}
		all.Wait()
		require.Equal(t, []string{"100"}, k.get(t, "acme", "n"))
	})
}

func TestListIsInOrderAndOfOnePrefix(t *testing.T) {
	each(t, func(t *testing.T, k kept) {
		var want []string
		for i := range 50 {
			name := fmt.Sprintf("set/%03d", i)
			want = append(want, name)
			k.put(t, "acme", doc(name, strconv.Itoa(i)), doc(fmt.Sprintf("key/%03d/1", i), "0"), doc(fmt.Sprintf("seu/%d", i), "0"))
		}
		k.put(t, "globex", doc("set/other", "0"))
		list := func(prefix, after string, most int) (names []string) {
			for d, err := range k.Repository.(keymgmt.Lister).List(bg, "acme", prefix, after) {
				require.NoError(t, err)
				if d.Name == "set/007" {
					require.Equal(t, "7", string(d.Data))
				}
				if names = append(names, d.Name); len(names) == most {
					break
				}
			}
			return names
		}
		require.Equal(t, want, list("set/", "", 0))
		require.Equal(t, want, list("set/", "set/", 0))
		require.Equal(t, want[8:], list("set/", "set/007", 0))
		require.Equal(t, want[8:10], list("set/", "set/007", 2))
		require.Empty(t, list("set/", "set/999", 0))
		require.Empty(t, list("nothing/", "", 0))
	})
}

func TestWatchYieldsAtFirstAndAfterAChange(t *testing.T) {
	each(t, func(t *testing.T, k kept) {
		ctx, cancel := context.WithTimeout(bg, time.Minute)
		defer cancel()
		n := 0
		for _, err := range k.Repository.(keymgmt.Watcher).Watch(ctx, "acme") {
			require.NoError(t, err)
			if n++; n == 2 {
				break
			}
			k.put(t, "acme", doc("a", `{}`))
		}
		require.Equal(t, 2, n)
	})
}

// The engine loses requests and answers: what was acknowledged is there, once.
func TestStoredOverABadConnection(t *testing.T) {
	engine := memory.New()
	for seed := range uint64(6) {
		flaky := storetest.NewFlaky(engine, storetest.FlakyOptions{Seed: seed, Commit: map[storetest.Fault]float64{
			storetest.LostRequest: 0.1, storetest.LostAnswer: 0.1, storetest.Conflict: 0.1, storetest.Ghost: 0.05,
		}})
		k := stored(t, flaky)
		name := fmt.Sprint("n", seed)
		sure := 0
		for range 30 {
			err := k.Update(bg, "acme", func(read keymgmt.Read) (keymgmt.Changes, error) {
				docs, err := read(name)
				if err != nil {
					return keymgmt.Changes{}, err
				}
				n, _ := strconv.Atoi(string(docs[0]))
				return keymgmt.Changes{Put: []keymgmt.Document{doc(name, strconv.Itoa(n+1))}}, nil
			})
			if err == nil {
				sure++
			}
		}
		require.Equal(t, []string{strconv.Itoa(sure)}, stored(t, engine).get(t, "acme", name))
	}
}

type aead struct{}

func (aead) Encrypt(p, _ []byte) ([]byte, error) { return p, nil }
func (aead) Decrypt(c, _ []byte) ([]byte, error) { return c, nil }

func TestSealedIsWhatTheStoreWasMadeWith(t *testing.T) {
	for _, c := range []struct {
		made *store.Options
		want bool
	}{
		{nil, false}, {&store.Options{}, false}, {&store.Options{Sealer: aead{}}, true},
		{&store.Options{Sealer: aead{}, InsecureReadPlain: true}, false},
	} {
		db, err := store.New(memory.New(), nil)
		require.NoError(t, err)
		require.Equal(t, c.want, shelf.Stored(db, c.made).Sealed())
	}
	require.True(t, keymgmt.NewMemory(nil).Sealed())
}

func TestMemoryKeepsNothingThatIsNotRecorded(t *testing.T) {
	full := errors.New("disk full")
	k := kept{Repository: keymgmt.NewMemory(&recorder{fail: full})}
	err := k.Update(bg, "acme", func(keymgmt.Read) (keymgmt.Changes, error) {
		return keymgmt.Changes{Put: []keymgmt.Document{doc("a", `{}`)}, Events: []*opsec.Event{event("acme")}}, nil
	})
	require.ErrorIs(t, err, full)
	require.Equal(t, []string{""}, k.get(t, "acme", "a"))
}

func ExampleStored() {
	made := &store.Options{} // with a Sealer, in earnest
	db, err := store.New(memory.New(), made)
	if err != nil {
		panic(err)
	}
	repository := shelf.Stored(db, made)
	fmt.Println(repository.Sealed())
	// Output: false
}
