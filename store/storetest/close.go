package storetest

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/cloudopsec/opsec/store"
)

func closeChecks() []check {
	return []check{
		{"MakesAllElseReturnErrClosed", closeMakesErrClosed},
		{"AgainIsNil", closeAgain},
		{"DuringCommitsLosesNone", closeDuringCommits},
		{"DuringReadsIsClean", closeDuringReads},
		{"LeavesOtherHandles", closeLeavesOtherHandles},
	}
}

func reopenChecks() []check {
	return []check{
		{"KeepsEverything", reopenKeepsEverything},
		{"GivesNewRevs", reopenGivesNewRevs},
	}
}

func closeMakesErrClosed(t *trial) {
	d := t.open()
	rev := t.put(d, "k", "v")
	t.ok(d.Close())
	for range 2 {
		_, byGet := d.Get(t.ctx, "k")
		_, byEmptyGet := d.Get(t.ctx)
		_, byList := d.List(t.ctx, store.Range{Limit: 1})
		_, byCommit := d.Commit(t.ctx, store.Batch{Ops: puts("k", "w")})
		_, byCheck := d.Commit(t.ctx, store.Batch{Checks: []store.Check{{Key: "k", Rev: rev}}})
		_, byEmptyCommit := d.Commit(t.ctx, store.Batch{})
		for what, err := range map[string]error{
			"Get": byGet, "Get of nothing": byEmptyGet, "List": byList,
			"Commit": byCommit, "Commit without ops": byCheck, "Commit of nothing": byEmptyCommit,
		} {
			if !errors.Is(err, store.ErrClosed) {
				t.Errorf("%s after Close: %v, want store.ErrClosed", what, err)
			}
		}
		if err := d.Close(); err != nil {
			t.Errorf("Close again: %v", err)
		}
	}
}

func closeAgain(t *trial) {
	d := t.open()
	t.together(8, func(int) error { return d.Close() })
	t.ok(d.Close())
}

// closeDuringCommits closes a driver that is busy. Where the store can be opened again, what returned nil is there, and
// what returned another error than ErrIndeterminate is not.
func closeDuringCommits(t *trial) {
	for round := range 5 {
		d := t.open()
		var done, undone sync.Map
		closing := make(chan struct{})
		now := sync.OnceFunc(func() { close(closing) })
		t.together(5, func(i int) error {
			if i == 4 {
				<-closing
				time.Sleep(time.Duration(round) * 300 * time.Microsecond)
				return d.Close()
			}
			defer now()
			for n := 0; t.ctx.Err() == nil; n++ {
				key := fmt.Sprintf("%d/%d", i, n)
				_, err := d.Commit(t.ctx, store.Batch{Ops: puts(key, "")})
				if n == 5 {
					now()
				}
				switch {
				case err == nil:
					done.Store(key, true)
				case errors.Is(err, store.ErrClosed) && !errors.Is(err, store.ErrIndeterminate):
					undone.Store(key, true)
					return nil
				case errors.Is(err, store.ErrIndeterminate):
				default:
					return fmt.Errorf("Commit during Close: %w", err)
				}
			}
			return errors.New("Commit goes on after Close")
		})
		if t.Reopen == nil {
			continue
		}
		d = t.reopen(d)
		there := map[string]bool{}
		for _, item := range t.all(d) {
			there[item.Key] = true
		}
		done.Range(func(key, _ any) bool {
			if !there[key.(string)] {
				t.Fatalf("commit %s returned nil during Close, and is gone", key)
			}
			return true
		})
		undone.Range(func(key, _ any) bool {
			if there[key.(string)] {
				t.Fatalf("commit %s returned ErrClosed, and is there", key)
			}
			return true
		})
	}
}

func closeDuringReads(t *trial) {
	d := t.open()
	keys, ops := numbered("k", 100)
	t.fill(d, ops)
	reading := make(chan struct{})
	now := sync.OnceFunc(func() { close(reading) })
	t.together(5, func(i int) error {
		if i == 4 {
			<-reading
			return d.Close()
		}
		defer now()
		read := func() ([]store.Item, error) { return get(t.ctx, d, keys...) }
		if i%2 == 1 {
			read = func() ([]store.Item, error) { return list(t.ctx, d, store.Range{Limit: len(keys)}) }
		}
		for n := 0; ; n++ {
			if n == 5 {
				now()
			}
			items, err := read()
			switch {
			case errors.Is(err, store.ErrClosed):
				return nil
			case err != nil:
				return fmt.Errorf("a read during Close: %w", err)
			case len(items) != len(keys) || number(items[42]) != 42:
				return fmt.Errorf("a read during Close returns %d items, or another value", len(items))
			}
		}
	})
}

func closeLeavesOtherHandles(t *trial) {
	first, second := t.pair()
	if first == second {
		t.Skip("the engine allows one handle only")
	}
	rev := t.put(second, "k", "v")
	t.ok(second.Close())
	t.same("Get by the other handle", t.get(first, "k"), []store.Item{{Key: "k", Value: []byte("v"), Rev: rev}})
	t.put(first, "k", "w")
}

// reopenKeepsEverything closes and opens a store with keys and values of all kinds.
func reopenKeepsEverything(t *trial) {
	d := t.open()
	var ops []store.Op
	for i, key := range strangeKeys() {
		ops = append(ops, store.Op{Key: key, Value: []byte(strconv.Itoa(i))})
	}
	ops = append(ops, store.Op{Key: "large", Value: make([]byte, store.MaxValue)}, store.Op{Key: "empty"})
	t.fill(d, ops)
	t.put(d, "a", "rewritten")
	t.remove(d, "b", "c")
	before := t.all(d)
	for range 2 {
		d = t.reopen(d)
		t.same("the store after it was opened again", t.all(d), before)
	}
	t.commit(d, store.Batch{Checks: []store.Check{{Key: before[0].Key, Rev: before[0].Rev}, {Key: "b"}}, Ops: puts("b", "back")})
	t.ok(d.Close())
	d = t.reopen(d)
	if item := t.get(d, "b")[0]; string(item.Value) != "back" {
		t.Fatalf("%s, want what was committed before Close", show(item))
	}
}

// reopenGivesNewRevs has the newest commits leave nothing behind but their Revs.
func reopenGivesNewRevs(t *trial) {
	d := t.open()
	given := past{}
	for range 4 {
		for range 3 {
			given.add(t, "a commit", t.put(d, "k", "v"))
		}
		t.remove(d, "k")
		d = t.reopen(d)
	}
}
