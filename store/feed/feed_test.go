package feed_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/bolt"
	"github.com/cloudopsec/opsec/store/feed"
	"github.com/cloudopsec/opsec/store/memory"
	"github.com/cloudopsec/opsec/store/storetest"
)

type change struct {
	Who string `json:"who"`
	N   int    `json:"n"`
}

var changes = feed.New[change]("changes")

const acme = opsec.TenantID("acme")

func newDB(t testing.TB, d store.Driver) *store.DB {
	t.Helper()
	db, err := store.New(d, nil)
	require.NoError(t, err)
	return db
}

func add(t testing.TB, db *store.DB, values ...change) (last uint64) {
	t.Helper()
	require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) (err error) {
		last, err = changes.Append(tx.Sub(acme), values...)
		return err
	}))
	return last
}

func since(t testing.TB, db *store.DB, after uint64) (list []feed.Entry[change], err error) {
	t.Helper()
	err = db.View(t.Context(), func(tx *store.Tx) error {
		for e, err := range changes.Since(tx.Sub(acme), after) {
			if err != nil {
				return err
			}
			list = append(list, e)
		}
		return nil
	})
	return list, err
}

func TestFollowersMissNothingUnderManyWriters(t *testing.T) {
	for name, open := range map[string]func() store.Driver{
		"memory": func() store.Driver { return memory.New() },
		"faults": func() store.Driver {
			return storetest.NewFlaky(memory.New(), storetest.FlakyOptions{Commit: map[storetest.Fault]float64{
				storetest.LostAnswer: 0.05, storetest.LostRequest: 0.05, storetest.Ghost: 0.05, storetest.Conflict: 0.05,
			}})
		},
		"bolt": func() store.Driver {
			d, err := bolt.Open(filepath.Join(t.TempDir(), "s"), nil)
			require.NoError(t, err)
			return d
		},
	} {
		t.Run(name, func(t *testing.T) {
			db := newDB(t, open())
			defer db.Close()
			const writers, times = 8, 25
			var wait sync.WaitGroup
			for w := range writers {
				wait.Go(func() {
					for n := range times {
						add(t, db, change{fmt.Sprint(w), n})
					}
				})
			}
			seen, next := uint64(0), map[string]int{}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			for _, err := range changes.Watch(ctx, db, acme) {
				require.NoError(t, err)
				list, err := since(t, db, seen)
				require.NoError(t, err)
				for _, e := range list {
					seen++
					require.Equal(t, seen, e.Seq, "no gap, no other order")
					require.Equal(t, next[e.Value.Who], e.Value.N, "each writer's own in its order")
					next[e.Value.Who]++
				}
				if seen == writers*times {
					break
				}
			}
			wait.Wait()
			require.NoError(t, changes.Check(t.Context(), db, acme))
			for p, err := range db.Check(t.Context(), nil, changes.Parts()...) {
				require.NoError(t, err)
				t.Error(p)
			}
		})
	}
}

func TestTrimLeavesNoGap(t *testing.T) {
	db := newDB(t, memory.New())
	for n := range 230 {
		require.EqualValues(t, n+1, add(t, db, change{N: n}))
	}
	require.NoError(t, changes.Trim(t.Context(), db, acme, 130))
	_, err := since(t, db, 129)
	require.ErrorIs(t, err, feed.ErrTrimmed)
	list, err := since(t, db, 130)
	require.NoError(t, err)
	require.Len(t, list, 100)
	require.NoError(t, changes.Check(t.Context(), db, acme))
	require.NoError(t, changes.Trim(t.Context(), db, acme, 1<<40), "at most all")
	list, err = since(t, db, 230)
	require.NoError(t, err)
	require.Empty(t, list)
	require.EqualValues(t, 232, add(t, db, change{N: 1}, change{N: 2}), "numbers go on")
	require.NoError(t, changes.Check(t.Context(), db, acme))
	require.NoError(t, db.View(t.Context(), func(tx *store.Tx) error {
		last, err := changes.Last(tx.Sub(acme))
		require.EqualValues(t, 232, last)
		return err
	}))
}

func TestGapIsFound(t *testing.T) {
	d := memory.New()
	db := newDB(t, d)
	add(t, db, make([]change, 9)...)
	var entry []string
	for item, err := range store.Scan(t.Context(), d, store.Range{}) {
		require.NoError(t, err)
		entry = append(entry, item.Key)
	}
	_, err := d.Commit(t.Context(), store.Batch{Ops: []store.Op{{Key: entry[3], Delete: true}}})
	require.NoError(t, err)
	require.ErrorContains(t, changes.Check(t.Context(), db, acme), "entry 5 where 4 should be")
	_, err = since(t, db, 0)
	require.Error(t, err)
}

func TestEntryIsThereWithItsChangeOrNotAtAll(t *testing.T) {
	db := newDB(t, memory.New())
	mine := errors.New("mine")
	require.ErrorIs(t, db.Update(t.Context(), func(tx *store.Tx) error {
		_, err := changes.Append(tx.Sub(acme), change{})
		return errors.Join(mine, err)
	}), mine)
	list, err := since(t, db, 0)
	require.NoError(t, err)
	require.Empty(t, list)
	require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error { // what it has appended it reads
		s := tx.Sub(acme)
		_, err := changes.Append(s, change{Who: "a"}, change{Who: "b"})
		require.NoError(t, err)
		var who string
		for e, err := range changes.Since(s, 0) {
			require.NoError(t, err)
			who += e.Value.Who
		}
		require.Equal(t, "ab", who)
		return nil
	}))
}

func TestOldEntriesAreUpgraded(t *testing.T) {
	db := newDB(t, memory.New())
	add(t, db, change{Who: "eve", N: 1})
	type changeV2 struct{ Actor string }
	newer := feed.New[changeV2]("changes", func(old json.RawMessage) (json.RawMessage, error) {
		var c change
		if err := json.Unmarshal(old, &c); err != nil {
			return nil, err
		}
		return json.Marshal(changeV2{c.Who})
	})
	require.NoError(t, db.View(t.Context(), func(tx *store.Tx) error {
		for e, err := range newer.Since(tx.Sub(acme), 0) {
			require.NoError(t, err)
			require.Equal(t, "eve", e.Value.Actor)
		}
		return nil
	}))
	require.Panics(t, func() { feed.New[change]("Not a name") })
}

func ExampleFeed() {
	ctx := context.Background()
	db, _ := store.New(memory.New(), nil)
	_ = db.Update(ctx, func(tx *store.Tx) error {
		_, err := changes.Append(tx.Sub("acme"), change{"eve", 1}, change{"eve", 2}, change{"ada", 3})
		return err
	})
	_ = db.View(ctx, func(tx *store.Tx) error {
		for e, err := range changes.Since(tx.Sub("acme"), 1) { // a follower that has seen entry 1
			fmt.Println(e.Seq, e.Value.Who, err)
		}
		return nil
	})
	// Output:
	// 2 eve <nil>
	// 3 ada <nil>
}

type beforeList struct {
	store.Driver
	do func()
}

func (b *beforeList) List(ctx context.Context, r store.Range) ([]store.Item, error) {
	if f := b.do; f != nil {
		b.do = nil
		f()
	}
	return b.Driver.List(ctx, r)
}

func TestCheckIsQuietWhileOthersTrim(t *testing.T) {
	d := memory.New()
	other := newDB(t, d)
	h := &beforeList{Driver: d}
	db := newDB(t, h)
	for range 10 {
		add(t, other, change{})
	}
	h.do = func() { require.NoError(t, changes.Trim(t.Context(), other, "acme", 5)) }
	require.NoError(t, changes.Check(t.Context(), db, "acme"))
}

func TestFeedNamedFeeds(t *testing.T) {
	require.Panics(t, func() { feed.New[int]("opsec/feeds") })
}

func TestMissingEndIsFound(t *testing.T) {
	d := memory.New()
	db := newDB(t, d)
	last := add(t, db, change{}, change{}, change{})
	key := store.Text("t").Text("acme").Text("r").Text("changes").Uint(last).Encode()
	_, err := d.Commit(t.Context(), store.Batch{Ops: []store.Op{{Key: key, Delete: true}}})
	require.NoError(t, err)
	require.ErrorContains(t, changes.Check(t.Context(), db, acme), "ends at 2")
}
