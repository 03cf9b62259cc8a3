package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"

	"github.com/cloudopsec/opsec/store"
)

func raceChecks() []check {
	return []check{
		{"InsertHasOneWinner", raceInsert},
		{"SwapHasOneWinner", raceSwap},
		{"OfTwoThatCheckWhatTheOtherWritesOneWins", raceWriteSkew},
		{"OfTwoThatInsertWhatTheOtherChecksAbsentOneWins", raceAbsentSkew},
		{"OfACheckAndADeleteOneWins", raceCheckAndDelete},
		{"IncrementsAreNotLost", raceIncrements},
		{"TransfersKeepTheTotal", raceTransfers},
		{"CommitsOfDifferentKeysDoNotConflict", raceDisjoint},
		{"ChecksOfOneKeyDoNotConflict", raceSharedChecks},
		{"CommitsWithoutChecksDoNotConflict", raceBlind},
	}
}

// winners has n commits, on the two handles by turns, race each other and counts those that are done. One that is not
// done must be a conflict.
func (t *trial) winners(first, second store.Driver, n int, batch func(i int) store.Batch) int {
	t.Helper()
	var done atomic.Int64
	t.together(n, func(i int) error {
		d := first
		if i%2 == 1 {
			d = second
		}
		_, err := d.Commit(t.ctx, batch(i))
		if _, lost := conflict(err); lost {
			return nil
		}
		done.Add(1)
		return err
	})
	return int(done.Load())
}

func raceInsert(t *trial) {
	first, second := t.pair()
	for round := range 15 {
		key := "k" + strconv.Itoa(round)
		n := t.winners(first, second, 12, func(i int) store.Batch {
			return store.Batch{Checks: []store.Check{{Key: key}}, Ops: puts(key, strconv.Itoa(i), "by"+strconv.Itoa(i), key)}
		})
		if n != 1 {
			t.Fatalf("of 12 inserts of one key %d win, want one", n)
		}
		winner := "by" + string(t.get(first, key)[0].Value)
		for _, item := range t.list(second, store.Range{Start: "by", End: "bz", Limit: 100}) {
			if string(item.Value) == key && item.Key != winner {
				t.Fatalf("%s won, but %s was written", winner, item.Key)
			}
		}
	}
}

func raceSwap(t *trial) {
	first, second := t.pair()
	rev := t.put(first, "k", "")
	for range 15 {
		n := t.winners(first, second, 12, func(i int) store.Batch {
			return store.Batch{Checks: []store.Check{{Key: "k", Rev: rev}}, Ops: puts("k", strconv.Itoa(i))}
		})
		if n != 1 {
			t.Fatalf("of 12 swaps at one Rev %d win, want one", n)
		}
		if now := t.get(second, "k")[0].Rev; now == rev {
			t.Fatalf("a swap was done, and the key is still at Rev %d", rev)
		} else {
			rev = now
		}
	}
}

// raceWriteSkew has two commits, each of which writes one key and only checks the other. Both may not be done; and as
// one comes first, one is.
func raceWriteSkew(t *trial) {
	first, second := t.pair()
	for round := range 40 {
		rev := t.put(first, "a", "on call", "b", "on call")
		n := t.winners(first, second, 2, func(i int) store.Batch {
			keys := []string{"a", "b"}
			mine, other := keys[i], keys[1-i]
			b := store.Batch{Checks: []store.Check{{Key: other, Rev: rev}}, Ops: puts(mine, "off")}
			if round%2 == 1 { // as a transaction that has read both would
				b.Checks = []store.Check{{Key: "a", Rev: rev}, {Key: "b", Rev: rev}}
			}
			return b
		})
		if n != 1 {
			t.Fatalf("of two commits that check what the other writes %d are done, want one", n)
		}
	}
}

func raceAbsentSkew(t *trial) {
	first, second := t.pair()
	for round := range 40 {
		keys := []string{"a" + strconv.Itoa(round), "b" + strconv.Itoa(round)}
		n := t.winners(first, second, 2, func(i int) store.Batch {
			return store.Batch{Checks: []store.Check{{Key: keys[1-i]}}, Ops: puts(keys[i], "")}
		})
		if n != 1 {
			t.Fatalf("of two inserts that check that the other's key is absent %d are done, want one", n)
		}
	}
}

// raceCheckAndDelete has one commit add a child to a parent that it only checks, and another remove the parent where it
// has no child.
func raceCheckAndDelete(t *trial) {
	first, second := t.pair()
	for round := range 30 {
		parent := "parent" + strconv.Itoa(round)
		child := "child" + strconv.Itoa(round)
		rev := t.put(first, parent, "")
		n := t.winners(first, second, 2, func(i int) store.Batch {
			if i == 0 {
				return store.Batch{Checks: []store.Check{{Key: parent, Rev: rev}}, Ops: puts(child, "")}
			}
			return store.Batch{Checks: []store.Check{{Key: child}}, Ops: removals(parent)}
		})
		items := t.get(second, parent, child)
		if n != 1 || (items[0].Rev != 0) != (items[1].Rev != 0) {
			t.Fatalf("%d commits are done; parent %s, child %s", n, show(items[0]), show(items[1]))
		}
	}
}

func raceIncrements(t *trial) {
	first, second := t.pair()
	const callers, times = 8, 20
	t.put(first, "n", "0")
	t.together(callers, func(i int) error {
		d := first
		if i%2 == 1 {
			d = second
		}
		for range times {
			_, err := update(t.ctx, d, "n", func(now store.Item) []byte { return strconv.AppendInt(nil, int64(number(now)+1), 10) })
			if err != nil {
				return err
			}
		}
		return nil
	})
	if n := number(t.get(second, "n")[0]); n != callers*times {
		t.Fatalf("%d increments of %d callers make %d", callers*times, callers, n)
	}
}

// raceTransfers moves money between accounts; every Get and every List shows the same total.
func raceTransfers(t *trial) {
	first, second := t.pair()
	const total = 8 * 100
	keys, ops := numbered("account", 8)
	for i := range ops {
		ops[i].Value = []byte("100")
	}
	t.commit(first, store.Batch{Ops: ops})
	transfer := func(d store.Driver, seed uint64) func(int) error {
		rng := rand.New(rand.NewPCG(seed, 0))
		return func(int) error {
			pick := rng.Perm(len(keys))
			two, err := get(t.ctx, d, keys[pick[0]], keys[pick[1]])
			if err != nil {
				return err
			}
			amount := rng.IntN(10)
			b := store.Batch{Ops: puts(two[0].Key, strconv.Itoa(number(two[0])-amount), two[1].Key, strconv.Itoa(number(two[1])+amount))}
			for _, item := range two {
				b.Checks = append(b.Checks, store.Check{Key: item.Key, Rev: item.Rev})
			}
			if number(two[0]) < amount {
				b.Ops = nil
			}
			_, err = d.Commit(t.ctx, b)
			if _, late := conflict(err); late {
				return nil
			}
			return err
		}
	}
	sum := func(items []store.Item, err error) error {
		n := 0
		for _, item := range items {
			n += number(item)
		}
		if err == nil && n != total {
			return fmt.Errorf("the total of all accounts is %d, want %d", n, total)
		}
		return err
	}
	t.against(80,
		[]func(int) error{transfer(first, 1), transfer(second, 2), transfer(first, 3), transfer(second, 4)},
		80, []func() error{
			func() error { return sum(get(t.ctx, first, keys...)) },
			func() error { return sum(get(t.ctx, second, keys...)) },
			func() error { return sum(list(t.ctx, first, store.Range{Limit: 10})) },
			func() error { return sum(list(t.ctx, second, store.Range{Limit: 10, Reverse: true})) },
		})
	t.ok(sum(get(t.ctx, first, keys...)))
}

// raceDisjoint: a conflict names a key whose check failed, and here none can.
func raceDisjoint(t *trial) {
	first, second := t.pair()
	t.together(16, func(i int) error {
		d, key := first, "k"+strconv.Itoa(i)
		if i%2 == 1 {
			d = second
		}
		rev := store.Rev(0)
		for range 15 {
			var err error
			b := store.Batch{Checks: []store.Check{{Key: key, Rev: rev}}, Ops: puts(key, "v")}
			if rev, err = d.Commit(t.ctx, b); err != nil {
				return fmt.Errorf("a commit of a key that nobody else writes: %w", err)
			}
		}
		return nil
	})
}

func raceSharedChecks(t *trial) {
	first, second := t.pair()
	rev := t.put(first, "shared", "")
	n := t.winners(first, second, 64, func(i int) store.Batch {
		return store.Batch{
			Checks: []store.Check{{Key: "shared", Rev: rev}, {Key: "absent"}},
			Ops:    puts("own"+strconv.Itoa(i), ""),
		}
	})
	if n != 64 {
		t.Fatalf("of 64 commits that check one unchanged key %d are done", n)
	}
}

// raceBlind has writers take the same keys in opposite orders; a batch without checks has nothing to conflict.
func raceBlind(t *trial) {
	first, second := t.pair()
	keys := []string{"a", "b", "c", "d"}
	t.together(8, func(i int) error {
		d := first
		if i%2 == 1 {
			d = second
		}
		for n := range 15 {
			var ops []store.Op
			for j := range keys {
				if i%4 < 2 {
					j = len(keys) - 1 - j
				}
				ops = append(ops, store.Op{Key: keys[j], Value: fmt.Appendf(nil, "%d/%d", i, n)})
			}
			if i == 7 && n%2 == 1 {
				ops = removals(keys...)
			}
			if _, err := d.Commit(t.ctx, store.Batch{Ops: ops}); err != nil {
				return fmt.Errorf("a commit without checks: %w", err)
			}
		}
		return nil
	})
	items := t.get(second, keys...)
	for _, item := range items {
		if string(item.Value) != string(items[0].Value) || item.Rev != items[0].Rev {
			t.Fatal(errors.New("keys written together differ at the end"), show(items[0]), show(item))
		}
	}
}
