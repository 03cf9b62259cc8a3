package store_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
	"github.com/cloudopsec/opsec/store/storetest"
)

// What the rules say of transactions one after the other holds of those that are committed together.

func TestUniqueKeyIsTakenOnceInAGroup(t *testing.T) {
	bubble(t, func(t *testing.T, d *counting, r *relayed) {
		insert := func(id string) func(*store.Tx) error {
			return func(tx *store.Tx) error { return accounts.Insert(tx.Sub(acme), &account{ID: id, Login: "eve"}) }
		}
		r.members = []func(*store.Tx) error{nil, insert("a"), insert("b"), insert("a"), nil}
		r.reset(d)
		errs := r.run(t)
		for i, index := range map[int]string{2: "login", 3: ""} {
			exists, ok := errors.AsType[*store.ExistsError](errs[i])
			require.True(t, ok, "%v", errs[i])
			require.Equal(t, index, exists.Index)
			errs[i] = nil
		}
		noErrors(t, errs)
		require.EqualValues(t, 1, d.commits.Load())
		require.Equal(t, 1003, count(t, d, "hot"))
		require.Empty(t, problems(t, r.db, nil, accounts, counters))
	})
}

func TestGuardedListSeesTheMembersBefore(t *testing.T) {
	primaries := store.Query{Index: "role", Prefix: store.Text("primary")}
	taken := errors.New("there is one")
	bubble(t, func(t *testing.T, d *counting, r *relayed) {
		for i := range 5 {
			r.members = append(r.members, func(tx *store.Tx) error {
				s := tx.Sub(acme)
				n, err := accounts.Count(s, primaries)
				if err != nil {
					return err
				}
				listed := 0
				for _, err := range accounts.List(s, store.Query{Reverse: true}) {
					if err != nil {
						return err
					}
					listed++
				}
				require.Equal(t, n, listed)
				if n > 0 {
					return taken
				}
				return accounts.Put(s, &account{ID: fmt.Sprint(i), Role: "primary"})
			})
		}
		r.reset(d)
		errs := r.run(t)
		for _, err := range errs[1:] {
			require.ErrorIs(t, err, taken)
		}
		require.NoError(t, errs[0])
		require.EqualValues(t, 1, d.commits.Load())
		require.Empty(t, problems(t, r.db, nil, accounts, counters))
	})
}

// The list of a member is of what the driver held: a record that another node adds before the commit is not passed over.
func TestGuardedListOfAMemberIsProtected(t *testing.T) {
	bubble(t, func(t *testing.T, d *counting, r *relayed) {
		calls, ids := 0, ""
		r.members = []func(*store.Tx) error{
			func(tx *store.Tx) error { return accounts.Put(tx.Sub(acme), &account{ID: "first"}) }, // writes to the guard, and reads it not
			func(tx *store.Tx) error {
				ids = ""
				for a, err := range accounts.List(tx.Sub(acme), store.Query{}) {
					if err != nil {
						return err
					}
					ids += a.ID + " "
				}
				if calls++; calls == 1 {
					put(t, newDB(t, d.Driver, nil), &account{ID: "other"})
				}
				return nil
			}, nil}
		noErrors(t, r.run(t))
		require.Equal(t, 2, calls)
		require.Contains(t, ids, "other")
	})
}

func TestLastAdministratorNeverLeavesInAGroup(t *testing.T) {
	last := errors.New("the last")
	bubble(t, func(t *testing.T, d *counting, r *relayed) {
		for i := range 4 {
			put(t, r.db, &account{ID: fmt.Sprint(i), Role: "admin"})
			r.members = append(r.members, func(tx *store.Tx) error {
				s := tx.Sub(acme)
				if err := accounts.Delete(s, store.Text(fmt.Sprint(i))); err != nil {
					return err
				}
				if n, err := accounts.Count(s, store.Query{Index: "role", Prefix: store.Text("admin")}); err != nil || n > 0 {
					return err
				}
				return last
			})
		}
		errs := r.run(t)
		require.ErrorIs(t, errs[3], last)
		noErrors(t, errs[:3])
		_, err := get(t, r.db, "3")
		require.NoError(t, err)
		require.Empty(t, problems(t, r.db, nil, accounts, counters))
	})
}

func TestEachMemberLeavesItsEventAndItsWitness(t *testing.T) {
	bubble(t, func(t *testing.T, d *counting, r *relayed) {
		step := func(do func(*store.Sub) error) func(*store.Tx) error {
			return func(tx *store.Tx) error {
				return errors.Join(tx.Emit(event(opsec.Provider)), tx.Emit(event(acme)), do(tx.Sub(acme)))
			}
		}
		set := func(role string) func(*store.Sub) error {
			return func(s *store.Sub) error { return accounts.Put(s, &account{ID: "a", Role: role}) }
		}
		remove := func(s *store.Sub) error {
			time.Sleep(time.Microsecond)
			return accounts.Delete(s, store.Text("a"))
		}
		refused := errors.New("refused")
		r.members = []func(*store.Tx) error{
			step(set("1")), step(set("2")), step(func(*store.Sub) error { return refused }), step(remove), step(set("3")), step(remove), step(set("4")),
		}
		r.reset(d)
		errs := r.run(t)
		require.ErrorIs(t, errs[2], refused)
		require.EqualValues(t, 1, d.commits.Load())
		var trail []opsec.Event
		n, err := r.db.Deliver(t.Context(), r.db.Node(), recFunc(func(e *opsec.Event) { trail = append(trail, *e) }))
		require.NoError(t, err)
		require.Equal(t, 12, n)
		with := &store.CheckOptions{Trail: func(yield func(opsec.Event, error) bool) {
			for _, e := range trail {
				if !yield(e, nil) {
					return
				}
			}
		}}
		require.Empty(t, problems(t, r.db, with, accounts, counters))
		drop(t, d.Driver, rawKey(t, d.Driver, record("a")...))
		require.NotEmpty(t, problems(t, r.db, with, accounts, counters), "the last witness is of the last member")
	})
}

func TestMembersOfSeveralTenantsKeepToTheirs(t *testing.T) {
	bubble(t, func(t *testing.T, d *counting, r *relayed) {
		of := func(tenant opsec.TenantID) func(*store.Tx) error {
			return func(tx *store.Tx) error {
				return accounts.Put(tx.Sub(tenant), &account{ID: "a", Login: string(tenant)})
			}
		}
		r.members = []func(*store.Tx) error{of("one"), of("two"), func(tx *store.Tx) error { return errors.Join(of("one")(tx), of("two")(tx)) }, of("two")}
		errs := r.run(t)
		require.ErrorIs(t, errs[2], opsec.ErrInvalid)
		noErrors(t, slices.Delete(errs, 2, 3))
		require.Empty(t, problems(t, r.db, nil, accounts, counters))

		var wait sync.WaitGroup
		both := []opsec.TenantID{"one", "two"}
		for range 8 {
			wait.Go(func() {
				require.NoError(t, r.db.UpdateAcross(t.Context(), both, func(tx *store.Tx) error {
					_, err := add(tx.Sub(opsec.Provider), "hot", 1)
					for _, tenant := range both {
						_, err2 := add(tx.Sub(tenant), "c", 1)
						err = errors.Join(err, err2, tx.Emit(event(tenant)))
					}
					return err
				}))
			})
		}
		wait.Wait()
		require.Equal(t, 1003+8, count(t, d, "hot"))
	})
}

func TestReadBeforeTheTurnDoesNotHoldIfAMemberHasWrittenThere(t *testing.T) {
	bubble(t, func(t *testing.T, d *counting, r *relayed) {
		var wait sync.WaitGroup
		saw, calls := "", 0
		late := func() { // it has read a before it comes to the counter
			wait.Go(func() {
				require.NoError(t, r.db.Update(t.Context(), func(tx *store.Tx) error {
					calls++
					list, err := accounts.GetAll(tx.Sub(acme), store.Text("a"))
					if err != nil {
						return err
					}
					if saw = ""; list[0] != nil {
						saw = list[0].Role
					}
					_, err = add(tx.Sub(opsec.Provider), "hot", 1)
					return err
				}))
			})
			synctest.Wait()
			d.commits.Store(0)
		}
		r.begin = late
		r.members = []func(*store.Tx) error{nil, func(tx *store.Tx) error { return accounts.Put(tx.Sub(acme), &account{ID: "a", Role: "x"}) }}
		noErrors(t, r.run(t))
		wait.Wait()
		require.Equal(t, "x", saw)
		require.Equal(t, 2, calls)
		require.Equal(t, 1003, count(t, d, "hot"))
	})
}

func TestInsertedAndDeletedWithinAGroup(t *testing.T) {
	bubble(t, func(t *testing.T, d *counting, r *relayed) {
		insert := func(tx *store.Tx) error {
			return accounts.Insert(tx.Sub(acme), &account{ID: "a", Login: "eve", Role: "r"})
		}
		remove := func(tx *store.Tx) error {
			s := tx.Sub(acme)
			if _, err := accounts.Find(s, "login", store.Text("eve")); err != nil {
				return err
			}
			return accounts.Delete(s, store.Text("a"))
		}
		r.members = []func(*store.Tx) error{insert, remove, remove, insert, insert, remove}
		r.reset(d)
		errs := r.run(t)
		require.ErrorIs(t, errs[2], opsec.ErrNotFound)
		require.ErrorIs(t, errs[4], store.ErrExists)
		noErrors(t, []error{errs[0], errs[1], errs[3], errs[5]})
		require.EqualValues(t, 1, d.commits.Load())
		require.Empty(t, problems(t, r.db, nil, accounts, counters))
		_, err := get(t, r.db, "a")
		require.ErrorIs(t, err, opsec.ErrNotFound)
	})
}

// serial is a program, and what it found; position is how many before it had committed.
type serial struct {
	steps    []string // "get x", "set x", "del x", "list", "fail"
	saw      []string
	position int
	failed   bool
}

var errProgram = errors.New("the program's")

// play runs the steps over something that holds records, and returns what they found.
func (p *serial) play(name string, get func(id string) string, set func(id, role string) error, list func() string) (saw []string, err error) {
	for i, step := range p.steps {
		verb, id, _ := strings.Cut(step, " ")
		switch verb {
		case "get":
			saw = append(saw, get(id))
		case "set":
			err = set(id, fmt.Sprint(name, "/", i))
		case "del":
			err = set(id, "")
		case "list":
			saw = append(saw, list())
		case "fail":
			err = errProgram
		}
		if err != nil {
			return saw, err
		}
	}
	return saw, nil
}

func (p *serial) run(ctx context.Context, db *store.DB, name string) error {
	err := db.Update(ctx, func(tx *store.Tx) (err error) {
		s := tx.Sub(acme)
		if p.position, err = add(tx.Sub(opsec.Provider), "hot", 1); err != nil {
			return err
		}
		var broken error
		p.saw, err = p.play(name, func(id string) string {
			list, err := accounts.GetAll(s, store.Text(id))
			if err != nil || list[0] == nil {
				broken = errors.Join(broken, err)
				return ""
			}
			return list[0].Role
		}, func(id, role string) error {
			if role == "" {
				return accounts.Delete(s, store.Text(id))
			}
			return accounts.Put(s, &account{ID: id, Role: role, Login: "of " + id})
		}, func() (all string) {
			for a, err := range accounts.List(s, store.Query{Index: "login", Prefix: store.Text("of a")}) {
				if broken = errors.Join(broken, err); err == nil {
					all += a.ID + "=" + a.Role + ";"
				}
			}
			for a, err := range accounts.List(s, store.Query{}) {
				if broken = errors.Join(broken, err); err == nil {
					all += a.ID + "=" + a.Role + ";"
				}
			}
			return all
		})
		return errors.Join(broken, err)
	})
	if p.failed = errors.Is(err, errProgram); p.failed {
		return nil
	}
	return err
}

// Programs that meet are as if each had run alone, in the order of the counter that all of them change first, whatever
// is lost on the way: what each has seen is what a model shows at its place, also if it failed.
func TestProgramsThatMeetAreSerial(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		step := rapid.SampledFrom([]string{"get a", "get b", "get c", "set a", "set b", "set c", "del a", "del b", "list", "list", "fail"})
		programs := make([]serial, rapid.IntRange(4, 24).Draw(rt, "programs"))
		for i := range programs {
			programs[i].steps = rapid.SliceOfN(step, 1, 6).Draw(rt, "steps")
		}
		inner := memory.New()
		slow := map[storetest.Fault]float64{storetest.Slow: 1}
		if rapid.Bool().Draw(rt, "faults") {
			slow = map[storetest.Fault]float64{storetest.Slow: 0.7, storetest.Conflict: 0.05, storetest.LostRequest: 0.1, storetest.LostAnswer: 0.1, storetest.Ghost: 0.05}
		}
		d := &counting{Driver: storetest.NewFlaky(inner, storetest.FlakyOptions{Seed: rapid.Uint64().Draw(rt, "seed"), Commit: slow})}
		db := newDB(t, d, nil)
		var wait sync.WaitGroup
		errs := make([]error, len(programs))
		for i := range programs {
			wait.Go(func() { errs[i] = programs[i].run(t.Context(), db, fmt.Sprint(i)) })
		}
		wait.Wait()
		if err := errors.Join(errs...); err != nil {
			rt.Fatal(err)
		}
		if list := problems(t, newDB(t, inner, nil), nil, accounts, counters); len(list) > 0 {
			rt.Fatal(list)
		}
		at := map[int][]int{} // those that failed first, which change nothing
		for i := range programs {
			p := programs[i].position
			if programs[i].failed {
				at[p] = append([]int{i}, at[p]...)
			} else {
				at[p] = append(at[p], i)
			}
		}
		have := map[string]string{}
		for _, position := range slices.Sorted(maps.Keys(at)) {
			for _, i := range at[position] {
				p := &programs[i]
				next := maps.Clone(have)
				saw, err := p.play(fmt.Sprint(i), func(id string) string { return next[id] }, func(id, role string) error {
					if next[id] = role; role == "" {
						delete(next, id)
					}
					return nil
				}, func() (all string) {
					if next["a"] != "" {
						all = "a=" + next["a"] + ";"
					}
					for _, id := range slices.Sorted(maps.Keys(next)) {
						all += id + "=" + next[id] + ";"
					}
					return all
				})
				if !slices.Equal(saw, p.saw) || (err != nil) != p.failed {
					rt.Fatalf("program %d at %d saw %q, and the model shows %q (%v)", i, position, p.saw, saw, err)
				}
				if !p.failed {
					have = next
				}
			}
		}
	})
}

// Callers in two processes that want one record: none of their changes is lost, and a limit holds.
func TestGroupsOfTwoNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &counting{Driver: storetest.NewFlaky(memory.New(), storetest.FlakyOptions{Commit: map[storetest.Fault]float64{
			storetest.Slow: 0.9, storetest.LostAnswer: 0.02, storetest.LostRequest: 0.02,
		}})}
		nodes := []*store.DB{newDB(t, d, nil), newDB(t, d, nil)}
		full := errors.New("full")
		const callers, each, limit = 64, 10, 1000
		var wait sync.WaitGroup
		var mu sync.Mutex
		did, refused := 0, 0
		for range callers {
			wait.Go(func() {
				for range each {
					for _, db := range nodes {
						err := db.Update(t.Context(), func(tx *store.Tx) error {
							was, err := add(tx.Sub(opsec.Provider), "hot", 1)
							if err == nil && was == limit {
								err = full
							}
							return err
						})
						mu.Lock()
						if err == nil {
							did++
						} else if errors.Is(err, full) {
							refused++
						}
						mu.Unlock()
					}
				}
			})
		}
		wait.Wait()
		require.Equal(t, []int{limit, 2*callers*each - limit}, []int{did, refused})
		require.Equal(t, limit, count(t, d, "hot"))
		t.Logf("%d transactions, %d commits", 2*callers*each, d.commits.Load())
		require.Less(t, d.commits.Load(), int64(callers*each))
	})
}
