package dbtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/storetest"
)

func faultChecks() []check {
	return []check{
		{"an indeterminate commit is applied exactly once", func(t *trial) {
			for _, script := range [][]storetest.Fault{
				{storetest.LostRequest}, {storetest.LostAnswer}, {storetest.Ghost}, {storetest.LostRequest, storetest.LostRequest}, {storetest.LostAnswer, storetest.LostAnswer},
				{storetest.LostAnswer, storetest.Ghost, storetest.LostRequest}, {storetest.Ghost, storetest.Ghost}, {storetest.Ghost, storetest.LostAnswer}, {storetest.LostRequest, storetest.LostAnswer}, {storetest.Conflict, storetest.LostAnswer},
				{storetest.LostAnswer, storetest.Conflict, storetest.Conflict}, {storetest.Ghost, storetest.Conflict, storetest.LostRequest, storetest.LostAnswer},
			} {
				flaky := storetest.NewFlaky(t.Open(t), storetest.FlakyOptions{})
				db := t.db(flaky)
				t.update(db, func(tx *store.Tx) error { return add(tx.Sub(acme), "a", 1) }) // a slot that was used before
				flaky.NextCommit(script...)
				t.update(db, func(tx *store.Tx) error { return add(tx.Sub(acme), "a", 1) })
				t.update(db, func(tx *store.Tx) error { return add(tx.Sub(acme), "b", 1) })
				late, err := flaky.Arrive(t.ctx)
				t.ok(err)
				if a := t.value(db, acme, "a"); a != 2 || late != 0 {
					t.Fatalf("%v: the counter is %d, want 2; %d ghosts came late", script, a, late)
				}
			}
		}},
		{"a ghost does not come after the function has given up", func(t *trial) {
			flaky := storetest.NewFlaky(t.Open(t), storetest.FlakyOptions{})
			db := t.db(flaky)
			full := errors.New("full")
			insert := func(id string) error {
				return db.Update(t.ctx, func(tx *store.Tx) error {
					s := tx.Sub(acme)
					list, err := counters.GetAll(s, store.Text("one"))
					if err != nil || list[0] != nil {
						return errors.Join(full, err)
					}
					return counters.Insert(s, &counter{ID: "one"}, &counter{ID: id})
				})
			}
			t.update(db, func(tx *store.Tx) error { return add(tx.Sub(acme), "other", 1) }) // the slot is made
			flaky.NextCommit(storetest.Ghost)
			t.ok(insert("x")) // settled, and done again
			t.is(insert("y"), full)
			late, err := flaky.Arrive(t.ctx)
			t.ok(err)
			if late != 0 {
				t.Fatal("a ghost was applied after all")
			}
		}},
		{"under random faults everything acknowledged is there once", func(t *trial) { t.manyInserts() }},
		{"state and event are both there or both absent after a crash at any commit", func(t *trial) {
			for _, how := range []storetest.Fault{storetest.CrashBefore, storetest.CrashAfter} {
				for n := 1; n <= 5; n++ { // four updates and a delivery
					t.crash(n, how)
				}
			}
		}},
		{"an event is delivered at least once and one that is refused waits", func(t *trial) {
			db, _ := t.two()
			var ids []opsec.ID
			for range 150 {
				e := happened(acme)
				ids = append(ids, e.ID)
				t.update(db, func(tx *store.Tx) error { return errors.Join(tx.Emit(e), add(tx.Sub(acme), "a", 1)) })
			}
			log := &recorder{refuse: ids[70]}
			_, err := db.Deliver(t.ctx, db.Node(), log)
			t.is(err, errRefused)
			if len(log.got) != 149 {
				t.Fatalf("%d of 150 were delivered, one refused", len(log.got))
			}
			log.refuse = ""
			n, err := db.Deliver(t.ctx, db.Node(), log)
			t.ok(err)
			if n != 1 || len(log.got) != 150 {
				t.Fatalf("%d were delivered in the end", len(log.got))
			}
			for range db.Undelivered(t.ctx) {
				t.Fatal("something waits still")
			}
		}},
	}
}

var errRefused = errors.New("refused")

// recorder knows events by their ids, as recorders do.
type recorder struct {
	mu     sync.Mutex
	refuse opsec.ID
	got    map[opsec.ID]int
	wrote  map[string]bool // the counters that the events tell of
}

func (r *recorder) Record(_ context.Context, e *opsec.Event) (opsec.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.ID == r.refuse {
		return opsec.Receipt{}, errRefused
	}
	if r.got == nil {
		r.got, r.wrote = map[opsec.ID]int{}, map[string]bool{}
	}
	r.got[e.ID]++
	r.wrote[e.Resource.ID] = true
	return opsec.Receipt{Event: e.ID, Time: time.Now(), Durable: true}, nil
}

// storm returns a driver with which everything goes wrong now and then.
func storm(inner store.Driver, seed uint64) *storetest.Flaky {
	return storetest.NewFlaky(inner, storetest.FlakyOptions{
		Seed: seed,
		Commit: map[storetest.Fault]float64{
			storetest.Slow: 0.05, storetest.Conflict: 0.05, storetest.LostRequest: 0.06, storetest.LostAnswer: 0.06, storetest.Ghost: 0.06, storetest.Fail: 0.02,
		},
		Read: map[storetest.Fault]float64{storetest.Slow: 0.05, storetest.Fail: 0.01},
	})
}

// stormy returns two DBs onto a new store, each through a storm of its own, and one with which nothing goes wrong.
func (t *trial) stormy() (nodes [2]*store.DB, storms [2]*storetest.Flaky, calm *store.DB) {
	t.Helper()
	handles := t.pair()
	for i, d := range handles {
		storms[i] = storm(d, uint64(i))
		nodes[i] = t.db(storms[i].WithWatch())
	}
	return nodes, storms, t.db(handles[0])
}

// failed reports whether an error is of a call that a storm let fail: nothing was done.
func failed(err error) bool {
	return errors.Is(err, storetest.ErrFault) && !errors.Is(err, store.ErrIndeterminate)
}

// over ends storms, when every fault was tried: callers that meet share commits, so that there may have been few. What was
// on its way and given up must not be done after all.
func (t *trial) over(storms ...*storetest.Flaky) {
	t.Helper()
	for _, fault := range []storetest.Fault{storetest.Conflict, storetest.LostRequest, storetest.LostAnswer, storetest.Ghost, storetest.Fail} {
		for !tried(fault, storms) {
			err := t.db(storms[0]).Update(t.ctx, func(tx *store.Tx) error { return add(tx.Sub(beta), "storm", 1) })
			if err != nil && !failed(err) {
				t.Fatalf("no %v was tried: %v", fault, err)
			}
		}
	}
	for _, f := range storms {
		late, err := f.Arrive(t.ctx)
		t.ok(err)
		if late != 0 {
			t.Fatalf("%d ghosts were applied after all was settled", late)
		}
	}
}

func tried(fault storetest.Fault, storms []*storetest.Flaky) bool {
	return slices.ContainsFunc(storms, func(f *storetest.Flaky) bool { return f.Injected()[fault] > 0 })
}

// manyInserts lets many callers insert records and events in a storm.
func (t *trial) manyInserts() {
	inner := t.Open(t)
	flaky := storm(inner, 11)
	db := t.db(flaky)
	var mu sync.Mutex
	acknowledged := map[string]bool{} // by id; false: indeterminate
	refused := map[string]bool{}
	t.together(16, func(i int) error {
		for n := range 60 { // many, since those that meet share commits
			id := fmt.Sprint(i, "-", n)
			err := db.Update(t.ctx, func(tx *store.Tx) error {
				s := tx.Sub(acme)
				e := happened(acme)
				e.Resource.ID = id
				return errors.Join(tx.Emit(e), add(s, "total", 1), users.Insert(s, &user{ID: id, Name: id, Role: "r"}))
			})
			mu.Lock()
			switch {
			case err == nil:
				acknowledged[id] = true
			case failed(err):
				refused[id] = true
			case errors.Is(err, store.ErrIndeterminate):
				acknowledged[id] = false
			default:
				mu.Unlock()
				return err
			}
			mu.Unlock()
		}
		return nil
	})
	t.over(flaky)
	calm := t.db(inner)
	t.sound(calm)
	log := &recorder{}
	_, err := calm.Deliver(t.ctx, db.Node(), log)
	t.ok(err)
	there := 0
	t.view(calm, func(tx *store.Tx) error {
		for u, err := range users.List(tx.Sub(acme), store.Query{}) {
			t.ok(err)
			there++
			if refused[u.ID] {
				t.Errorf("%s was refused and is there", u.ID)
			}
			if !log.wrote[u.ID] {
				t.Errorf("%s is there without its event", u.ID)
			}
			delete(acknowledged, u.ID)
		}
		return nil
	})
	for id, sure := range acknowledged {
		if sure {
			t.Errorf("%s was acknowledged and is lost", id)
		}
	}
	if total := t.value(calm, acme, "total"); total != there || len(log.wrote) != there {
		t.Errorf("%d records, %d events, counted %d", there, len(log.wrote), total)
	}
}

// crash lets the process die at its nth commit, while it writes and delivers, and looks at what the next one finds.
func (t *trial) crash(n int, how storetest.Fault) {
	inner := t.Open(t)
	flaky := storetest.NewFlaky(inner, storetest.FlakyOptions{})
	flaky.CrashAt(n, how)
	db := t.db(flaky)
	log := &recorder{}
	var acknowledged []string
	for i := range 4 {
		id := fmt.Sprint("c", i)
		err := db.Update(t.ctx, func(tx *store.Tx) error {
			e := happened(acme)
			e.Resource.ID = id
			return errors.Join(tx.Emit(e), add(tx.Sub(acme), id, 1))
		})
		if err == nil {
			acknowledged = append(acknowledged, id)
		}
		if i == 1 {
			_, _ = db.Deliver(t.ctx, db.Node(), log)
		}
	}
	if !flaky.Crashed() {
		t.Fatalf("no crash at commit %d", n)
	}
	next := t.db(inner)
	for w, err := range next.Undelivered(t.ctx) {
		t.ok(err)
		_, err = next.Deliver(t.ctx, w.Node, log)
		t.ok(err)
	}
	for i := range 4 {
		id := fmt.Sprint("c", i)
		state := t.value(next, acme, id) == 1
		if state != log.wrote[id] || slices.Contains(acknowledged, id) && !state {
			t.Errorf("%v at commit %d: %s: state %v, event %v, acknowledged %v", how, n, id, state, log.wrote[id], acknowledged)
		}
	}
}
