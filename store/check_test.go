package store_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/audittest"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
)

func event(tenant opsec.TenantID) *opsec.Event {
	e := opsec.NewEvent("account.change", time.Now())
	e.Tenant, e.Outcome = tenant, opsec.Success
	return e
}

// population writes some accounts, and some events that wait.
func population(t testing.TB, db *store.DB) {
	for i := range 5 {
		require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error {
			a := &account{ID: fmt.Sprint(i), Login: fmt.Sprint("l", i), Role: "r", Until: time.Unix(int64(i), 0)}
			return errors.Join(tx.Emit(event(acme)), accounts.Insert(tx.Sub(acme), a))
		}))
	}
}

func drop(t testing.TB, d store.Driver, key string) {
	t.Helper()
	_, err := d.Commit(t.Context(), store.Batch{Ops: []store.Op{{Key: key, Delete: true}}})
	require.NoError(t, err)
}

func TestCheckFindsWhatIsPlanted(t *testing.T) {
	index := func(name string) string { return store.Text("x").Text("accounts").Text(name).Encode() }
	guard := store.Text("g").Text("accounts").Encode()
	waiting := func(age time.Duration) func(testing.TB, store.Driver) {
		return func(t testing.TB, d store.Driver) {
			e := opsec.NewEvent("x.y", time.Now().Add(-age))
			e.Outcome = opsec.Success
			require.NoError(t, newDB(t, d, nil).Update(t.Context(), func(tx *store.Tx) error { return tx.Emit(e) }))
		}
	}
	marker := func(age time.Duration) func(testing.TB, store.Driver) {
		return func(t testing.TB, d store.Driver) {
			at := uint64(time.Now().Add(-age).Unix())
			overwrite(t, d, store.Text("m").Text("gone").Uint(1).Encode(), binary.BigEndian.AppendUint64(make([]byte, 8), at))
		}
	}
	for name, test := range map[string]struct {
		plant func(testing.TB, store.Driver)
		want  store.ProblemKind // "" for none
		says  string
	}{
		"nothing": {func(testing.TB, store.Driver) {}, "", ""},
		"missing entry": {func(t testing.TB, d store.Driver) {
			drop(t, d, rawKey(t, d, index("until"), store.Text("3").Encode()))
		}, store.ProblemIndex, `acme/accounts ("3"): does not stand in index until`},
		"missing unique entry": {func(t testing.TB, d store.Driver) {
			drop(t, d, rawKey(t, d, index("login"), "l3"))
		}, store.ProblemIndex, "does not stand in index login"},
		"unique entry of another": {func(t testing.TB, d store.Driver) {
			all := items(t, d)
			overwrite(t, d, rawKey(t, d, index("login"), "l3"), all[rawKey(t, d, index("login"), "l4")].Value)
		}, store.ProblemIndex, "does not stand in index login"},
		"entry without a record": {func(t testing.TB, d store.Driver) {
			overwrite(t, d, strings.Replace(rawKey(t, d, index("until"), store.Text("3").Encode()),
				store.Text("3").Encode(), store.Text("none").Encode(), 1), []byte{0})
		}, store.ProblemIndex, "an entry whose record does not ask for it"},
		"record behind our back": {func(t testing.TB, d store.Driver) {
			drop(t, d, rawKey(t, d, record("2")...))
		}, store.ProblemIndex, "an entry whose record does not ask for it"},
		"entry of no index": {func(t testing.TB, d store.Driver) {
			overwrite(t, d, store.Text("t").Text("acme").Text("x").Text("accounts").Text("past").Tuple(store.Text("k")).Text("1").Encode(), []byte{0})
		}, store.ProblemIndex, "does not ask for it"},
		"no guard": {func(t testing.TB, d store.Driver) {
			drop(t, d, rawKey(t, d, guard))
		}, store.ProblemGuard, "has records and no guard"},
		"record that does not decode": {func(t testing.TB, d store.Driver) {
			overwrite(t, d, rawKey(t, d, record("2")...), []byte("\x00\x01\x02\x01{\"id\":7}"))
		}, store.ProblemRecord, "does not decode"},
		"record without a header": {func(t testing.TB, d store.Driver) {
			overwrite(t, d, rawKey(t, d, record("2")...), []byte{0})
		}, store.ProblemRecord, "has no record header"},
		"newer version": {func(t testing.TB, d store.Driver) {
			overwrite(t, d, rawKey(t, d, record("2")...), []byte("\x00\x02\x02\x01{}"))
		}, store.ProblemRecord, "a record of version 2; this program knows 1"},
		"unknown form": {func(t testing.TB, d store.Driver) {
			overwrite(t, d, rawKey(t, d, record("2")...), []byte("{}"))
		}, store.ProblemSeal, "of an unknown form"},
		"event that waits":  {waiting(2 * time.Hour), store.ProblemOutbox, "an event x.y has waited for 2h0m0s"},
		"event of just now": {waiting(time.Minute), "", ""},
		"row that is no event": {func(t testing.TB, d store.Driver) {
			overwrite(t, d, store.Text("o").Text("n").Text("x").Encode(), []byte("\x00{}"))
		}, store.ProblemOutbox, "no valid event"},
		"marker not swept":    {marker(50 * time.Hour), store.ProblemMarker, "not used for 50h0m0s"},
		"marker of yesterday": {marker(25 * time.Hour), "", ""},
		"marker of other shape": {func(t testing.TB, d store.Driver) {
			overwrite(t, d, store.Text("m").Text("h").Uint(1).Encode(), []byte{0})
		}, store.ProblemMarker, "does not decode"},
		"foreign key":  {func(t testing.TB, d store.Driver) { overwrite(t, d, "mine", []byte{0}) }, store.ProblemForeign, "a key of 4 bytes"},
		"foreign area": {func(t testing.TB, d store.Driver) { overwrite(t, d, store.Text("z").Text("y").Encode(), []byte{0}) }, store.ProblemForeign, ""},
		"foreign kind": {func(t testing.TB, d store.Driver) {
			overwrite(t, d, store.Text("t").Text("acme").Text("q").Text("n").Encode(), []byte{0})
		}, store.ProblemForeign, "below a tenant"},
	} {
		t.Run(name, func(t *testing.T) {
			d := memory.New()
			db := newDB(t, d, nil)
			population(t, db)
			test.plant(t, d)
			found := problems(t, db, nil, accounts)
			if test.want == "" {
				require.Empty(t, found)
				return
			}
			require.NotEmpty(t, found)
			require.True(t, slices.ContainsFunc(found, func(p store.Problem) bool {
				return p.Kind == test.want && strings.Contains(p.String(), test.says)
			}), "%v", found)
			for _, p := range found { // one fault may show at both ends, but nothing else is blamed
				require.Contains(t, []store.ProblemKind{test.want, store.ProblemIndex}, p.Kind, "%v", p)
			}
		})
	}
}

func TestReindexMendsIndexes(t *testing.T) {
	d := memory.New()
	db := newDB(t, d, nil)
	population(t, db)
	index := func(name string) string { return store.Text("x").Text("accounts").Text(name).Encode() }
	drop(t, d, rawKey(t, d, index("until"), store.Text("3").Encode()))
	drop(t, d, rawKey(t, d, index("login"), "l2"))
	drop(t, d, rawKey(t, d, record("1")...))
	require.NotEmpty(t, problems(t, db, nil, accounts))
	added, removed, err := accounts.Reindex(t.Context(), db)
	require.NoError(t, err)
	require.Equal(t, 2, added)
	require.Equal(t, 3, removed)
	require.Empty(t, problems(t, db, nil, accounts))
}

func TestCheckIsQuietWhileOthersWrite(t *testing.T) {
	for name, open := range engines {
		t.Run(name, func(t *testing.T) {
			db := newDB(t, open(t), nil)
			population(t, db)
			stop, done := make(chan struct{}), make(chan error, 1)
			go func() {
				var err error
				for n := 0; err == nil; n++ {
					select {
					case <-stop:
						done <- nil
						return
					default:
					}
					err = db.Update(t.Context(), func(tx *store.Tx) error {
						s := tx.Sub(acme)
						id := fmt.Sprint(n % 7)
						if n%5 == 0 {
							return accounts.Delete(s, store.Text(id))
						}
						return accounts.Put(s, &account{ID: id, Login: fmt.Sprint("m", n), Role: fmt.Sprint(n % 3), Until: time.Unix(int64(n), 0)})
					})
				}
				done <- err
			}()
			for range 30 {
				require.Empty(t, problems(t, db, nil, accounts))
			}
			close(stop)
			require.NoError(t, <-done)
		})
	}
}

// trail yields what a recorder has, as a log would.
func trail(log *audittest.Recorder) *store.CheckOptions {
	return &store.CheckOptions{Trail: iter.Seq2[opsec.Event, error](func(yield func(opsec.Event, error) bool) {
		for _, e := range slices.Backward(log.Events()) { // in whatever order
			if !yield(e, nil) {
				return
			}
		}
	})}
}

func TestCheckAgainstTheTrailFindsWhatASealDoesNot(t *testing.T) {
	change := func(t testing.TB, db *store.DB, fn func(*store.Sub) error) {
		require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error {
			return errors.Join(tx.Emit(event(acme)), fn(tx.Sub(acme)))
		}))
	}
	for _, o := range []*store.Options{nil, sealed(t)} {
		for name, test := range map[string]struct {
			attack func(t testing.TB, d store.Driver, key string, old, now map[string]store.Item)
			says   string
		}{
			"nothing": {func(testing.TB, store.Driver, string, map[string]store.Item, map[string]store.Item) {}, ""},
			"an old value put back": {func(t testing.TB, d store.Driver, key string, old, _ map[string]store.Item) {
				overwrite(t, d, key, old[key].Value)
			}, "is its state after 1 writes, and the audit trail knows of 2"},
			"a deleted record brought back": {func(t testing.TB, d store.Driver, _ string, old, now map[string]store.Item) {
				for key, item := range old {
					if _, there := now[key]; !there {
						overwrite(t, d, key, item.Value)
					}
				}
			}, "was deleted, and is here again"},
			"a record of before its deletion": {func(t testing.TB, d store.Driver, _ string, old, _ map[string]store.Item) {
				key := rawKey(t, d, record("reborn")...)
				overwrite(t, d, key, old[key].Value)
			}, "is of before its last deletion"},
			"a record removed": {func(t testing.TB, d store.Driver, key string, _, _ map[string]store.Item) { drop(t, d, key) },
				"a record that the audit trail says was written is gone"},
		} {
			t.Run(fmt.Sprint(name, " ", o != nil), func(t *testing.T) {
				d := memory.New()
				db := newDB(t, d, o)
				for _, id := range []string{"1", "gone", "reborn", "other"} {
					change(t, db, func(s *store.Sub) error { return accounts.Insert(s, &account{ID: id}) })
				}
				old := items(t, d)
				change(t, db, func(s *store.Sub) error { return accounts.Put(s, &account{ID: "1", Role: "suspended"}) })
				change(t, db, func(s *store.Sub) error { return accounts.Delete(s, store.Text("gone"), store.Text("reborn")) })
				change(t, db, func(s *store.Sub) error { return accounts.Insert(s, &account{ID: "reborn"}) })
				require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error { // later than its event says: no fault
					return accounts.Put(tx.Sub(acme), &account{ID: "other", Role: "x"})
				}))
				log := audittest.New(t)
				_, err := db.Deliver(t.Context(), db.Node(), log)
				require.NoError(t, err)
				require.Len(t, log.Events(), 7)

				test.attack(t, d, rawKey(t, d, record("1")...), old, items(t, d))
				found := problems(t, db, trail(log)) // without the collections: the seals alone
				if test.says == "" {
					require.Empty(t, found)
					return
				}
				require.Len(t, found, 1)
				require.Equal(t, store.ProblemTrail, found[0].Kind)
				require.Contains(t, found[0].Detail, test.says)
				require.Empty(t, problems(t, db, nil), "only the trail knows")
			})
		}
	}
}

func TestTrailThatDoesNotDecodeIsAnError(t *testing.T) {
	db := newDB(t, memory.New(), nil)
	for _, bad := range []string{"", "a", "a:b", "a:1:2:3", ":1:1", "a:!:1", "a:1:!", "a:1:1  b:1:1"} {
		e := *event(acme)
		e.Attrs = []opsec.Attr{{Key: store.AttrWrote, Value: bad, Mark: opsec.Public}}
		o := &store.CheckOptions{Trail: func(yield func(opsec.Event, error) bool) { yield(e, nil) }}
		require.ErrorIs(t, checkError(t, db, o), opsec.ErrInvalid, "%q", bad)
	}
	mine := errors.New("mine")
	o := &store.CheckOptions{Trail: func(yield func(opsec.Event, error) bool) { yield(opsec.Event{}, mine) }}
	require.ErrorIs(t, checkError(t, db, o), mine)
}

func checkError(t testing.TB, db *store.DB, o *store.CheckOptions) (last error) {
	for _, err := range db.Check(t.Context(), o) {
		last = err
	}
	return last
}
