package dbtest

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
)

func collectionChecks() []check {
	return []check{
		{"a unique index admits one of many", func(t *trial) {
			first, second := t.two()
			t.namesakes([2]*store.DB{first, second})
			t.sound(first)
		}},
		{"a unique index admits one of many under random faults", func(t *trial) {
			nodes, storms, calm := t.stormy()
			t.namesakes(nodes)
			t.over(storms[:]...)
			t.sound(calm)
		}},
		{"a key of a unique index is free again when its record leaves it", func(t *trial) {
			db, _ := t.two()
			t.update(db, func(tx *store.Tx) error {
				return users.Insert(tx.Sub(acme), &user{ID: "1", Name: "a"}, &user{ID: "2", Name: "b"})
			})
			t.is(db.Update(t.ctx, func(tx *store.Tx) error { return users.Insert(tx.Sub(acme), &user{ID: "1", Name: "c"}) }), store.ErrExists)
			t.is(db.Update(t.ctx, func(tx *store.Tx) error { return users.Put(tx.Sub(acme), &user{ID: "1", Name: "b"}) }), store.ErrExists)
			t.update(db, func(tx *store.Tx) error { // two change names in one call
				return users.Put(tx.Sub(acme), &user{ID: "1", Name: "b"}, &user{ID: "2", Name: "a"})
			})
			t.update(db, func(tx *store.Tx) error {
				s := tx.Sub(acme)
				t.ok(users.Delete(s, store.Text("1"), store.Text("none")))
				return users.Insert(s, &user{ID: "3", Name: "b"})
			})
			t.sound(db)
		}},
		{"who goes on after a refused write leaves nothing of it", func(t *trial) {
			db, _ := t.two()
			t.update(db, func(tx *store.Tx) error { return users.Insert(tx.Sub(acme), &user{ID: "1", Name: "a"}) })
			t.update(db, func(tx *store.Tx) error {
				s := tx.Sub(acme)
				if _, err := users.Find(s, "name", store.Text("a")); err != nil {
					return err
				}
				err := users.Put(s, &user{ID: "2", Name: "b"}, &user{ID: "3", Name: "a"})
				t.is(err, store.ErrExists)
				return nil
			})
			t.view(db, func(tx *store.Tx) error {
				n, err := users.Count(tx.Sub(acme), store.Query{})
				if n != 1 {
					t.Errorf("%d records", n)
				}
				return err
			})
			t.sound(db)
		}},
		{"lists, pages and counts agree with a model after random writes", func(t *trial) { t.random(400) }},
		{"a list in a writing transaction needs a guard", func(t *trial) {
			db, _ := t.two()
			for _, run := range []func(func(*store.Tx) error) error{
				func(fn func(*store.Tx) error) error { return db.Update(t.ctx, fn) },
				func(fn func(*store.Tx) error) error { return db.Snapshot(t.ctx, fn) },
			} {
				t.is(run(func(tx *store.Tx) error {
					_, err := counters.Count(tx.Sub(acme), store.Query{})
					return err
				}), store.ErrUnguarded)
			}
		}},
		{"a key that is present throughout is listed once while others come and go", func(t *trial) {
			first, second := t.two()
			for i := range 250 {
				t.update(first, func(tx *store.Tx) error {
					return users.Insert(tx.Sub(acme), &user{ID: fmt.Sprintf("%03d", i), Name: fmt.Sprint(i), Role: "r", Number: int64(i)})
				})
			}
			t.together(2, func(i int) error {
				if i == 0 {
					for n := range 100 {
						err := second.Update(t.ctx, func(tx *store.Tx) error {
							u := &user{ID: fmt.Sprintf("%03d-x", rand.IntN(250)), Name: fmt.Sprint("x", n), Role: "r", Number: rand.Int64N(250)}
							return users.Put(tx.Sub(acme), u)
						})
						if err != nil {
							return err
						}
					}
					return nil
				}
				for range 5 {
					for _, q := range []store.Query{{}, {Reverse: true}, {Index: "role"}, {Index: "role", Prefix: store.Text("r"), Reverse: true}} {
						seen := map[string]int{}
						err := first.View(t.ctx, func(tx *store.Tx) error {
							for u, err := range users.List(tx.Sub(acme), q) {
								if err != nil {
									return err
								}
								seen[u.ID]++
							}
							return nil
						})
						for i := range 250 {
							if n := seen[fmt.Sprintf("%03d", i)]; n != 1 {
								err = errors.Join(err, fmt.Errorf("%v: record %d was listed %d times", q, i, n))
							}
						}
						if err != nil {
							return err
						}
					}
				}
				return nil
			})
			t.sound(first)
		}},
	}
}

// namesakes has many insert one name at once, on both nodes.
func (t *trial) namesakes(nodes [2]*store.DB) {
	t.Helper()
	const rounds, callers = 10, 16
	for round := range rounds {
		name := fmt.Sprint("name", round)
		var won, refused atomic.Int32
		t.together(callers, func(i int) error {
			err := nodes[i%2].Update(t.ctx, func(tx *store.Tx) error {
				return users.Insert(tx.Sub(acme), &user{ID: fmt.Sprint(round, "-", i), Name: name})
			})
			exists, ok := errors.AsType[*store.ExistsError](err)
			switch {
			case err == nil:
				won.Add(1)
			case ok && exists.Index == "name":
				refused.Add(1)
			case !failed(err):
				return err
			}
			return nil
		})
		if n := won.Load(); n > 1 || n == 0 && refused.Load() > 0 {
			t.Fatalf("%d have one name, and %d were refused it", n, refused.Load())
		}
	}
}

// random does some random writes to users and to a map, and compares.
func (t *trial) random(steps int) {
	db, other := t.two()
	rng := rand.New(rand.NewPCG(7, 7))
	model := map[string]user{}
	for range steps {
		u := user{
			ID: fmt.Sprint(rng.IntN(40)), Name: fmt.Sprint("n", rng.IntN(60)),
			Role: []string{"", "a", "a\x00", "b"}[rng.IntN(4)], Number: rng.Int64N(9) - 4,
		}
		taken := func() bool {
			for id, have := range model {
				if id != u.ID && have.Name == u.Name {
					return true
				}
			}
			return false
		}
		_, exists := model[u.ID]
		var err error
		switch op := rng.IntN(4); {
		case op == 0:
			err = db.Update(t.ctx, func(tx *store.Tx) error { return users.Delete(tx.Sub(acme), store.Text(u.ID)) })
			t.ok(err)
			delete(model, u.ID)
			continue
		case op == 1:
			err = db.Update(t.ctx, func(tx *store.Tx) error { return users.Insert(tx.Sub(acme), &u) })
			exists = exists || taken()
		default:
			err = db.Update(t.ctx, func(tx *store.Tx) error { return users.Put(tx.Sub(acme), &u) })
			exists = taken()
		}
		if exists {
			t.is(err, store.ErrExists)
			continue
		}
		t.ok(err)
		model[u.ID] = u
	}
	t.compare(other, model)
	t.sound(db)
}

// compare lists users in every way and compares with the model.
func (t *trial) compare(db *store.DB, model map[string]user) {
	t.Helper()
	all := slices.Collect(maps.Values(model))
	byRole := func(a, b user) int {
		return store.Text(a.Role).Int(a.Number).Text(a.ID).Compare(store.Text(b.Role).Int(b.Number).Text(b.ID))
	}
	byID := func(a, b user) int { return store.Text(a.ID).Compare(store.Text(b.ID)) }
	from, to := store.Text("a").Int(-1), store.Text("b").Int(2)
	for _, test := range []struct {
		q    store.Query
		less func(a, b user) int
		in   func(user) bool
	}{
		{store.Query{}, byID, func(user) bool { return true }},
		{store.Query{From: store.Text("2"), To: store.Text("31")}, byID, func(u user) bool { return u.ID >= "2" && u.ID < "31" }},
		{store.Query{Index: "role"}, byRole, func(user) bool { return true }},
		{store.Query{Index: "role", Prefix: store.Text("a")}, byRole, func(u user) bool { return u.Role == "a" }},
		{store.Query{Index: "role", From: from, To: to}, byRole, func(u user) bool {
			k := store.Text(u.Role).Int(u.Number)
			return k.Compare(from) >= 0 && k.Compare(to) < 0
		}},
	} {
		want := slices.DeleteFunc(slices.Clone(all), func(u user) bool { return !test.in(u) })
		slices.SortFunc(want, test.less)
		for _, reverse := range []bool{false, true} {
			if test.q.Reverse = reverse; reverse {
				slices.Reverse(want)
			}
			t.view(db, func(tx *store.Tx) error {
				s := tx.Sub(acme)
				got, err := collect(users.List(s, test.q))
				t.ok(err)
				if !slices.Equal(got, want) {
					t.Fatalf("%+v lists %v, want %v", test.q, got, want)
				}
				if n, err := users.Count(s, test.q); n != len(want) || err != nil {
					t.Fatalf("%+v counts %d (%v), want %d", test.q, n, err, len(want))
				}
				var paged []user
				for cursor := ""; ; {
					page, next, err := users.Page(s, test.q, cursor, 7)
					t.ok(err)
					for _, u := range page {
						paged = append(paged, *u)
					}
					if cursor = next; next == "" {
						break
					}
				}
				if !slices.Equal(paged, want) {
					t.Fatalf("%+v in pages: %v, want %v", test.q, paged, want)
				}
				return nil
			})
		}
	}
	t.view(db, func(tx *store.Tx) error {
		for _, u := range all {
			got, err := users.Find(tx.Sub(acme), "name", store.Text(u.Name))
			if err != nil || *got != u {
				t.Fatalf("found %v (%v), want %v", got, err, u)
			}
		}
		_, err := users.Find(tx.Sub(acme), "name", store.Text("nobody"))
		t.is(err, opsec.ErrNotFound)
		return nil
	})
}

func collect(seq iter.Seq2[*user, error]) (list []user, err error) {
	for u, err := range seq {
		if err != nil {
			return nil, err
		}
		list = append(list, *u)
	}
	return list, nil
}
