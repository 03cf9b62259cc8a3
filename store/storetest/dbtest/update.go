package dbtest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
)

func updateChecks() []check {
	return []check{
		{"what a transaction writes it reads, and others do when it is over", func(t *trial) {
			first, second := t.two()
			t.update(first, func(tx *store.Tx) error {
				s := tx.Sub(acme)
				t.ok(users.Insert(s, &user{ID: "1", Name: "n", Role: "r"}))
				u, err := users.Find(s, "name", store.Text("n"))
				if err != nil || u.ID != "1" {
					t.Fatalf("own write: %v, %v", u, err)
				}
				t.view(second, func(tx *store.Tx) error {
					_, err := users.Get(tx.Sub(acme), store.Text("1"))
					t.is(err, opsec.ErrNotFound)
					return nil
				})
				return nil
			})
			t.view(second, func(tx *store.Tx) error {
				_, err := users.Get(tx.Sub(acme), store.Text("1"))
				return err
			})
		}},
		{"an error of the function writes nothing", func(t *trial) {
			db, _ := t.two()
			mine := errors.New("mine")
			t.is(db.Update(t.ctx, func(tx *store.Tx) error {
				t.ok(add(tx.Sub(acme), "a", 1))
				return mine
			}), mine)
			if n := t.value(db, acme, "a"); n != 0 {
				t.Fatalf("the counter is %d", n)
			}
		}},
		{"increments on two nodes are not lost", func(t *trial) {
			first, second := t.two()
			const callers, times = 16, 10
			t.together(callers, func(i int) error {
				db := []*store.DB{first, second}[i%2]
				for range times {
					if err := db.Update(t.ctx, func(tx *store.Tx) error { return add(tx.Sub(acme), "hot", 1) }); err != nil {
						return err
					}
				}
				return nil
			})
			if n := t.value(first, acme, "hot"); n != callers*times {
				t.Fatalf("the counter is %d, want %d", n, callers*times)
			}
		}},
		{"write skew does not happen", func(t *trial) {
			first, second := t.two()
			for round := range 20 {
				a, b := fmt.Sprint("a", round), fmt.Sprint("b", round)
				t.update(first, func(tx *store.Tx) error {
					return errors.Join(add(tx.Sub(acme), a, 1), add(tx.Sub(acme), b, 1))
				})
				t.together(2, func(i int) error { // each leaves, if the other stays
					db, mine, other := first, a, b
					if i == 1 {
						db, mine, other = second, b, a
					}
					return db.Update(t.ctx, func(tx *store.Tx) error {
						s := tx.Sub(acme)
						c, err := counters.Get(s, store.Text(other))
						if err != nil || c.N == 0 {
							return err
						}
						return add(s, mine, -1)
					})
				})
				if n := t.value(first, acme, a) + t.value(first, acme, b); n != 1 {
					t.Fatalf("%d of two stay, want one", n)
				}
			}
		}},
		{"of two inserts that break a rule checked by a list one commits", func(t *trial) {
			first, second := t.two()
			taken := errors.New("there is a primary")
			for round := range 20 {
				role := fmt.Sprint("primary", round)
				var won atomic.Int32
				t.together(8, func(i int) error {
					db := []*store.DB{first, second}[i%2]
					err := db.Update(t.ctx, func(tx *store.Tx) error {
						s := tx.Sub(acme)
						for _, err := range users.List(s, store.Query{Index: "role", Prefix: store.Text(role)}) {
							return errors.Join(taken, err)
						}
						id := fmt.Sprint(role, "-", i)
						return users.Insert(s, &user{ID: id, Name: id, Role: role})
					})
					if err == nil {
						won.Add(1)
					} else if !errors.Is(err, taken) {
						return err
					}
					return nil
				})
				if n := won.Load(); n != 1 {
					t.Fatalf("%d primaries", n)
				}
			}
			t.sound(first)
		}},
		{"the last of a list is not removed twice", func(t *trial) {
			first, second := t.two()
			last := errors.New("the last administrator stays")
			t.update(first, func(tx *store.Tx) error {
				return users.Insert(tx.Sub(acme), &user{ID: "1", Name: "1", Role: "admin"}, &user{ID: "2", Name: "2", Role: "admin"})
			})
			t.together(2, func(i int) error {
				db := []*store.DB{first, second}[i]
				err := db.Update(t.ctx, func(tx *store.Tx) error {
					s := tx.Sub(acme)
					n, err := users.Count(s, store.Query{Index: "role", Prefix: store.Text("admin")})
					if err != nil || n < 2 {
						return errors.Join(last, err)
					}
					if i == 0 {
						return users.Delete(s, store.Text("1"))
					}
					return users.Put(s, &user{ID: "2", Name: "2", Role: "user"})
				})
				if errors.Is(err, last) {
					return nil
				}
				return err
			})
			t.view(first, func(tx *store.Tx) error {
				n, err := users.Count(tx.Sub(acme), store.Query{Index: "role", Prefix: store.Text("admin")})
				if n != 1 {
					t.Errorf("%d administrators are left", n)
				}
				return err
			})
		}},
		{"a snapshot is of one point in time", func(t *trial) {
			first, second := t.two()
			t.update(first, func(tx *store.Tx) error { return add(tx.Sub(acme), "a", 100) })
			done, cancel := context.WithCancel(t.ctx)
			defer cancel()
			t.together(4, func(i int) error {
				if i > 0 { // the writers move one from counter to counter
					from, to := []string{"a", "b", "c"}[i-1], []string{"b", "c", "a"}[i-1]
					for done.Err() == nil {
						err := second.Update(t.ctx, func(tx *store.Tx) error {
							return errors.Join(add(tx.Sub(acme), from, -1), add(tx.Sub(acme), to, 1))
						})
						if err != nil {
							return err
						}
					}
					return nil
				}
				defer cancel()
				for range 50 {
					sum := 0
					err := first.Snapshot(t.ctx, func(tx *store.Tx) error {
						sum = 0
						for _, id := range []string{"a", "b", "c"} {
							c, err := counters.Get(tx.Sub(acme), store.Text(id))
							if err == nil {
								sum += c.N
							} else if !errors.Is(err, opsec.ErrNotFound) {
								return err
							}
						}
						return nil
					})
					if err != nil || sum != 100 {
						return errors.Join(fmt.Errorf("a sum of %d", sum), err)
					}
				}
				return nil
			})
		}},
		{"an error that was decided by reads that do not fit together is not believed", func(t *trial) {
			first, second := t.two()
			t.update(first, func(tx *store.Tx) error { return add(tx.Sub(acme), "a", 1) })
			attempts := 0
			t.update(first, func(tx *store.Tx) error {
				attempts++
				s := tx.Sub(acme)
				a, err := counters.Get(s, store.Text("a"))
				t.ok(err)
				if attempts == 1 { // another node moves it in between
					t.update(second, func(tx *store.Tx) error {
						return errors.Join(add(tx.Sub(acme), "a", -1), add(tx.Sub(acme), "b", 1))
					})
				}
				b, err := counters.GetAll(s, store.Text("b"))
				t.ok(err)
				if a.N == 1 && b[0] != nil {
					return errors.New("there are two")
				}
				return nil
			})
			if attempts != 2 {
				t.Fatalf("%d attempts", attempts)
			}
		}},
		{"a cancelled caller and a failing one leave others alone", func(t *trial) {
			db, _ := t.two()
			mine := errors.New("mine")
			var added, doubtful atomic.Int32
			t.together(30, func(i int) error {
				ctx, cancel := context.WithCancel(t.ctx)
				defer cancel()
				err := db.Update(ctx, func(tx *store.Tx) error {
					if err := add(tx.Sub(acme), "hot", 1); err != nil {
						return err
					}
					switch i % 3 {
					case 1:
						return mine
					case 2:
						cancel()
					}
					return nil
				})
				switch {
				case err == nil:
					added.Add(1)
					return nil
				case i%3 == 2 && errors.Is(err, store.ErrIndeterminate): // cancelled in the commit: it may have added
					doubtful.Add(1)
					return nil
				case i%3 == 1 && errors.Is(err, mine), i%3 == 2 && errors.Is(err, context.Canceled):
					return nil
				}
				return fmt.Errorf("caller %d: %w", i, err)
			})
			sure, most := int(added.Load()), int(added.Load()+doubtful.Load())
			if n := t.value(db, acme, "hot"); n < max(sure, 10) || n > most {
				t.Fatalf("the counter is %d, and %d to %d callers have added", n, sure, most)
			}
		}},
		{"a transaction over the limits is too large and writes nothing", func(t *trial) {
			db, _ := t.two()
			for what, fn := range map[string]func(*store.Sub) error{
				"writes": func(s *store.Sub) error {
					for i := range 100 {
						if err := counters.Insert(s, &counter{ID: fmt.Sprint("w", i)}); err != nil {
							return err
						}
					}
					return nil
				},
				"reads": func(s *store.Sub) error {
					for i := range 100 {
						if _, err := counters.GetAll(s, store.Text(fmt.Sprint("r", i))); err != nil {
							return err
						}
					}
					return add(s, "w", 1)
				},
				"a value": func(s *store.Sub) error {
					return counters.Put(s, &counter{ID: "w"}, &counter{ID: string(make([]byte, store.MaxValue))})
				},
				"a key": func(s *store.Sub) error { return counters.Put(s, &counter{ID: string(make([]byte, store.MaxKey))}) },
			} {
				err := db.Update(t.ctx, func(tx *store.Tx) error { return fn(tx.Sub(acme)) })
				if !errors.Is(err, store.ErrTooLarge) {
					t.Errorf("%s: %v", what, err)
				}
			}
			for tenant, err := range db.Tenants(t.ctx) {
				t.Fatalf("tenant %s has something (%v)", tenant, err)
			}
		}},
		{"tenants do not see each other", func(t *trial) {
			db, _ := t.two()
			for _, tenant := range []opsec.TenantID{acme, beta, "acme.sub", "ACME", "a"} {
				t.update(db, func(tx *store.Tx) error {
					return users.Insert(tx.Sub(tenant), &user{ID: "1", Name: string(tenant), Role: "r"})
				})
			}
			t.view(db, func(tx *store.Tx) error {
				for u, err := range users.List(tx.Sub(acme), store.Query{}) {
					t.ok(err)
					if u.Name != string(acme) {
						t.Errorf("%s sees %s", acme, u.Name)
					}
				}
				return nil
			})
			t.is(db.Update(t.ctx, func(tx *store.Tx) error {
				t.ok(add(tx.Sub(acme), "a", 1))
				return add(tx.Sub(beta), "a", 1)
			}), opsec.ErrInvalid)
			both := func(events ...opsec.TenantID) error {
				return db.UpdateAcross(t.ctx, []opsec.TenantID{acme, beta}, func(tx *store.Tx) error {
					for _, tenant := range events {
						t.ok(tx.Emit(happened(tenant)))
					}
					return errors.Join(add(tx.Sub(acme), "a", 1), add(tx.Sub(beta), "a", 1))
				})
			}
			t.is(both(acme), opsec.ErrInvalid)
			if n := t.value(db, acme, "a") + t.value(db, beta, "a"); n != 0 {
				t.Fatalf("%d were written without an event", n)
			}
			t.ok(both(acme, beta))
			t.is(db.Update(t.ctx, func(tx *store.Tx) error { return add(tx.Sub("../beta"), "a", 1) }), opsec.ErrInvalid)
		}},
	}
}
