package dbtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/feed"
)

// step is what a writer appends: its number, and that of the step, from 1.
type step struct{ Writer, N int }

var steps = feed.New[step]("steps")

func feedChecks() []check {
	return []check{
		{"of two that append at once the second to commit stands behind the first", func(t *trial) {
			first, second := t.two()
			attempts := 0
			t.update(first, func(tx *store.Tx) error {
				s := tx.Sub(acme)
				if _, err := steps.Append(s, step{1, 1}, step{1, 2}); err != nil {
					return err
				}
				if attempts++; attempts == 1 {
					t.update(second, func(tx *store.Tx) error {
						_, err := steps.Append(tx.Sub(acme), step{2, 1})
						return err
					})
				}
				return add(s, "1", 1)
			})
			want := []feed.Entry[step]{{Seq: 1, Value: step{2, 1}}, {Seq: 2, Value: step{1, 1}}, {Seq: 3, Value: step{1, 2}}}
			for _, db := range []*store.DB{first, second} {
				if list, err := t.since(db, 0); err != nil || !slices.Equal(list, want) {
					t.Fatalf("the feed is %v (%v), want %v", list, err, want)
				}
			}
			t.inOrder(first)
		}},
		{"an entry is there with the change that it tells of, or not at all", func(t *trial) {
			first, second := t.two()
			mine := errors.New("mine")
			t.is(first.Update(t.ctx, func(tx *store.Tx) error {
				s := tx.Sub(acme)
				_, err := steps.Append(s, step{1, 1})
				return errors.Join(mine, err, add(s, "1", 1))
			}), mine)
			t.update(second, func(tx *store.Tx) error {
				s := tx.Sub(acme)
				last, err := steps.Append(s, step{2, 1})
				if last != 1 {
					t.Errorf("number %d", last)
				}
				return errors.Join(err, add(s, "2", 1))
			})
			if a, b := t.value(second, acme, "1"), t.value(first, acme, "2"); a != 0 || b != 1 {
				t.Errorf("counters %d and %d", a, b)
			}
			if list, err := t.since(first, 0); err != nil || len(list) != 1 || list[0].Value != (step{2, 1}) {
				t.Errorf("the feed is %v (%v)", list, err)
			}
			t.inOrder(first)
		}},
		{"what is trimmed is gone, and what is left has its numbers", func(t *trial) {
			first, second := t.two()
			for i := range 3 {
				t.update(first, func(tx *store.Tx) error {
					list := make([]step, 40)
					for n := range list {
						list[n] = step{1, i*40 + n + 1}
					}
					_, err := steps.Append(tx.Sub(acme), list...)
					return err
				})
			}
			t.ok(steps.Trim(t.ctx, first, acme, 70))
			t.inOrder(second)
			_, err := t.since(second, 69)
			t.is(err, feed.ErrTrimmed)
			list, err := t.since(second, 70)
			if err != nil || len(list) != 50 || list[0] != (feed.Entry[step]{Seq: 71, Value: step{1, 71}}) {
				t.Fatalf("%d entries, %v (%v)", len(list), list[:min(1, len(list))], err)
			}
			t.ok(steps.Trim(t.ctx, second, acme, 1<<40)) // all
			t.update(first, func(tx *store.Tx) error {
				last, err := steps.Append(tx.Sub(acme), step{1, 121})
				if last != 121 {
					t.Errorf("number %d behind 120", last)
				}
				return err
			})
			list, err = t.since(second, 120)
			if err != nil || len(list) != 1 {
				t.Errorf("%v (%v)", list, err)
			}
			t.inOrder(second)
		}},
		{"followers on both nodes see every entry once, without a gap and in order", func(t *trial) {
			first, second := t.two()
			t.broadcast([2]*store.DB{first, second}, func(uint64) error { return nil })
			for _, db := range []*store.DB{first, second} { // and whoever comes late
				if list, err := t.since(db, 0); err != nil || len(list) != entries {
					t.Errorf("%d entries (%v)", len(list), err)
				}
				t.inOrder(db)
			}
		}},
		{"followers miss nothing under random faults, behind which the feed is trimmed", func(t *trial) {
			nodes, storms, calm := t.stormy()
			t.broadcast(nodes, func(seen uint64) error {
				storms[0].BreakWatches()
				storms[1].BreakWatches()
				return steps.Trim(t.ctx, nodes[0], acme, seen)
			})
			t.over(storms[:]...)
			t.inOrder(calm)
		}},
	}
}

// since returns the entries behind a number.
func (t *trial) since(db *store.DB, after uint64) (list []feed.Entry[step], err error) {
	err = db.View(t.ctx, func(tx *store.Tx) error {
		for e, err := range steps.Since(tx.Sub(acme), after) {
			if err != nil {
				return err
			}
			list = append(list, e)
		}
		return nil
	})
	return list, err
}

// inOrder fails the check when the feed has a gap, or the store is not in order.
func (t *trial) inOrder(db *store.DB) {
	t.Helper()
	t.ok(steps.Check(t.ctx, db, acme))
	t.sound(db)
}

const (
	appenders = 8
	appends   = 7                       // of each, two entries at once
	entries   = appenders * appends * 2 // more than one Get reads
)

// broadcast has writers on both nodes append, and a follower on each. Meanwhile is called again and again, with the number
// of the last entry that both followers have seen.
func (t *trial) broadcast(nodes [2]*store.DB, meanwhile func(seen uint64) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.ctx)
	defer cancel()
	var acknowledged [appenders][appends]uint64
	var written atomic.Int32 // how many appenders are done
	var seen [2]atomic.Uint64
	var lists [2][]feed.Entry[step]
	var begun sync.WaitGroup // both followers, who have seen that there is nothing yet
	begun.Add(2)
	t.together(appenders+3, func(i int) (err error) {
		defer func() {
			if err != nil {
				cancel() // nobody waits for what does not come
			}
		}()
		switch i {
		case appenders, appenders + 1:
			f := i - appenders
			begin := sync.OnceFunc(begun.Done)
			defer begin()
			lists[f], err = follow(ctx, nodes[f], &seen[f], begin)
			return err
		case appenders + 2:
			for both, rest := uint64(0), time.Millisecond; both < entries && ctx.Err() == nil; time.Sleep(rest) {
				before := both
				if both = min(seen[0].Load(), seen[1].Load()); both > before {
					rest = time.Millisecond
				}
				rest = min(2*rest, time.Second) // on a slow engine a watch takes its time to begin
				if err := meanwhile(both); err != nil && !failed(err) {
					return err
				}
			}
			return nil
		}
		begun.Wait()
		for n := range appends {
			if acknowledged[i][n], err = appendTwo(ctx, nodes[i%2], i, n); err != nil {
				return err
			}
		}
		if written.Add(1) < appenders {
			return nil
		}
		last, err := lastOf(ctx, nodes[i%2])
		if err == nil && last != entries {
			err = fmt.Errorf("%d entries were acknowledged, and the last is %d", entries, last)
		}
		return err
	})
	for f, list := range lists {
		if len(list) != entries {
			t.Fatalf("follower %d has seen %d entries of %d", f, len(list), entries)
		}
		for i, of := range acknowledged {
			for n, last := range of {
				for k, e := range list[last-2 : last] {
					if want := (step{i, 2*n + k + 1}); e.Value != want {
						t.Errorf("follower %d has seen %v as entry %d, where %v was acknowledged", f, e.Value, e.Seq, want)
					}
				}
				if n > 0 && of[n-1] >= last {
					t.Errorf("writer %d: entry %d is before %d", i, last, of[n-1])
				}
			}
		}
	}
}

// appendTwo appends the nth two steps of a writer, until it is done, and returns the number of the second.
func appendTwo(ctx context.Context, db *store.DB, writer, n int) (last uint64, err error) {
	for {
		err = db.Update(ctx, func(tx *store.Tx) (err error) {
			last, err = steps.Append(tx.Sub(acme), step{writer, 2*n + 1}, step{writer, 2*n + 2})
			return err
		})
		if !failed(err) {
			return last, err
		}
	}
}

// lastOf returns the number of the last entry.
func lastOf(ctx context.Context, db *store.DB) (last uint64, err error) {
	for {
		err = db.View(ctx, func(tx *store.Tx) (err error) {
			last, err = steps.Last(tx.Sub(acme))
			return err
		})
		if !failed(err) {
			return last, err
		}
	}
}

// follow reads the feed to its end, and says in seen how far it is. It calls begun when it has read a first time.
func follow(ctx context.Context, db *store.DB, seen *atomic.Uint64, begun func()) (list []feed.Entry[step], err error) {
	read := func(tx *store.Tx) error {
		for e, err := range steps.Since(tx.Sub(acme), seen.Load()) {
			if err != nil {
				return err
			}
			list = append(list, e)
			if e.Seq != seen.Add(1) {
				return fmt.Errorf("entry %d behind entry %d", e.Seq, seen.Load()-1)
			}
		}
		return nil
	}
	for {
		for _, err = range steps.Watch(ctx, db, acme) {
			if err == nil {
				err = db.View(ctx, read)
			}
			if err != nil || len(list) >= entries {
				break
			}
			begun()
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil && !failed(err) || len(list) >= entries {
			return list, err
		}
	}
}
