package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudopsec/opsec/store"
)

// Harness is how the suite gets at an implementation. What the functions open they close, and remove, by Cleanup of
// their TB; the suite may have closed it before.
type Harness struct {
	// Open returns a driver onto a new, empty store.
	Open func(testing.TB) store.Driver
	// Again returns a second handle onto the store of a driver, as another node would have it. Nil, or a nil result,
	// when the engine allows one handle only.
	Again func(testing.TB, store.Driver) store.Driver
	// Reopen closes a driver, if it is not closed yet, and opens its store again. Nil when the store does not last.
	Reopen func(testing.TB, store.Driver) store.Driver
}

// Run holds an implementation to the contract. Under -short it leaves out what writes many megabytes.
func Run(t *testing.T, h Harness) {
	for _, g := range groups() {
		t.Run(g.name, func(t *testing.T) {
			for _, c := range g.checks {
				t.Run(c.name, func(t *testing.T) { c.try(t, h, 10*time.Second) })
			}
		})
	}
}

type check struct {
	name string
	run  func(*trial)
}

type group struct {
	name   string
	checks []check
}

func groups() []group {
	return []group{
		{"Get", getChecks()},
		{"List", listChecks()},
		{"Page", pageChecks()},
		{"Read", readChecks()},
		{"Commit", commitChecks()},
		{"Rev", revChecks()},
		{"Limit", limitChecks()},
		{"Race", raceChecks()},
		{"Context", contextChecks()},
		{"Watch", watchChecks()},
		{"Close", closeChecks()},
		{"Reopen", reopenChecks()},
	}
}

func (c check) try(tb testing.TB, h Harness, patience time.Duration) {
	ctx, cancel := context.WithTimeout(tb.Context(), 2*time.Minute)
	defer cancel()
	c.run(&trial{TB: tb, Harness: h, ctx: ctx, patience: patience})
}

// trial is one check at work.
type trial struct {
	testing.TB
	Harness
	ctx      context.Context
	patience time.Duration // how long it waits for what must come
}

func (t *trial) open() store.Driver {
	t.Helper()
	return t.Harness.Open(t)
}

// pair returns two handles onto a new store, or one twice where the engine has no second.
func (t *trial) pair() (first, second store.Driver) {
	t.Helper()
	first = t.open()
	if t.Again != nil {
		if second = t.Again(t, first); second != nil {
			return first, second
		}
	}
	return first, first
}

// reopen skips the check where the store does not last.
func (t *trial) reopen(d store.Driver) store.Driver {
	t.Helper()
	if t.Reopen == nil {
		t.Skip("the harness has no Reopen")
	}
	return t.Reopen(t, d)
}

func (t *trial) ok(err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (t *trial) get(d store.Driver, keys ...string) []store.Item {
	t.Helper()
	items, err := get(t.ctx, d, keys...)
	t.ok(err)
	return items
}

// get also holds the answer to its shape.
func get(ctx context.Context, d store.Driver, keys ...string) ([]store.Item, error) {
	items, err := d.Get(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("Get: %w", err)
	}
	if len(items) != len(keys) {
		return nil, fmt.Errorf("Get of %d keys returns %d items", len(keys), len(items))
	}
	for i, item := range items {
		if item.Key != keys[i] {
			return nil, fmt.Errorf("Get: items[%d] is of key %q, asked for %q", i, item.Key, keys[i])
		}
		if item.Rev == 0 && item.Value != nil {
			return nil, fmt.Errorf("Get: %q is absent and has a value", item.Key)
		}
	}
	return items, nil
}

func (t *trial) list(d store.Driver, r store.Range) []store.Item {
	t.Helper()
	items, err := list(t.ctx, d, r)
	t.ok(err)
	return items
}

// list also holds the answer to its shape.
func list(ctx context.Context, d store.Driver, r store.Range) ([]store.Item, error) {
	items, err := d.List(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("List %+v: %w", r, err)
	}
	if len(items) > r.Limit {
		return nil, fmt.Errorf("List with limit %d returns %d items", r.Limit, len(items))
	}
	for i, item := range items {
		switch {
		case item.Rev == 0:
			return nil, fmt.Errorf("List: %q has no Rev", item.Key)
		case item.Key < r.Start || r.End != "" && item.Key >= r.End:
			return nil, fmt.Errorf("List from %q to %q returns %q", r.Start, r.End, item.Key)
		case r.KeysOnly && len(item.Value) > 0:
			return nil, fmt.Errorf("List with KeysOnly: %q has a value", item.Key)
		case i > 0 && (items[i-1].Key < item.Key) == r.Reverse || i > 0 && items[i-1].Key == item.Key:
			return nil, fmt.Errorf("List (reverse %v): %q stands before %q", r.Reverse, items[i-1].Key, item.Key)
		}
	}
	return items, nil
}

// pages lists a range page by page, as the contract says: what follows is listed from behind the last key.
func pages(ctx context.Context, d store.Driver, r store.Range) (all []store.Item, err error) {
	for {
		page, err := list(ctx, d, r)
		if err != nil || len(page) == 0 {
			return all, err
		}
		all = append(all, page...)
		last := page[len(page)-1].Key
		if r.Reverse {
			r.End = last
		} else {
			r.Start = last + "\x00"
		}
	}
}

// all is what the store holds.
func (t *trial) all(d store.Driver) []store.Item {
	t.Helper()
	items, err := pages(t.ctx, d, store.Range{Limit: store.MaxPage})
	t.ok(err)
	return items
}

func (t *trial) commit(d store.Driver, b store.Batch) store.Rev {
	t.Helper()
	rev, err := d.Commit(t.ctx, b)
	if err != nil {
		t.Fatalf("Commit: %v", err)
	}
	if writes := slices.ContainsFunc(b.Ops, func(op store.Op) bool { return !op.Delete }); writes && rev == 0 || len(b.Ops) == 0 && rev != 0 {
		t.Fatalf("Commit of %d ops returns Rev %d", len(b.Ops), rev)
	}
	return rev
}

// put writes values under keys: key, value, key, value.
func (t *trial) put(d store.Driver, pairs ...string) store.Rev {
	t.Helper()
	return t.commit(d, store.Batch{Ops: puts(pairs...)})
}

func puts(pairs ...string) (ops []store.Op) {
	for i := 0; i < len(pairs); i += 2 {
		ops = append(ops, store.Op{Key: pairs[i], Value: []byte(pairs[i+1])})
	}
	return ops
}

func (t *trial) remove(d store.Driver, keys ...string) {
	t.Helper()
	t.commit(d, store.Batch{Ops: removals(keys...)})
}

func removals(keys ...string) (ops []store.Op) {
	for _, key := range keys {
		ops = append(ops, store.Op{Key: key, Delete: true})
	}
	return ops
}

// fill writes items, as many in a commit as fit.
func (t *trial) fill(d store.Driver, ops []store.Op) {
	t.Helper()
	for len(ops) > 0 {
		n, size := 0, 0
		for n < len(ops) && n < store.MaxOps && size+len(ops[n].Key)+len(ops[n].Value) <= store.MaxBatch {
			size += len(ops[n].Key) + len(ops[n].Value)
			n++
		}
		t.commit(d, store.Batch{Ops: ops[:n]})
		ops = ops[n:]
	}
}

// refused commits what must be refused with an error that is want, and looks whether anything changed.
func (t *trial) refused(d store.Driver, what string, b store.Batch, want error) {
	t.Helper()
	before := t.all(d)
	if _, err := d.Commit(t.ctx, b); !errors.Is(err, want) {
		t.Fatalf("Commit of %s: %v, want %v", what, err, want)
	}
	t.same("the store after a refusal of "+what, t.all(d), before)
}

// conflicts commits what must be refused for its checks of these keys.
func (t *trial) conflicts(d store.Driver, what string, b store.Batch, failed ...string) {
	t.Helper()
	before := t.all(d)
	_, err := d.Commit(t.ctx, b)
	keys, ok := conflict(err)
	if !ok {
		t.Fatalf("Commit with %s: %v, want a ConflictError", what, err)
	}
	if len(keys) == 0 {
		t.Fatalf("the conflict of %s names no key", what)
	}
	for _, key := range keys {
		if !slices.Contains(failed, key) {
			t.Fatalf("the conflict of %s names %q, whose check holds", what, key)
		}
	}
	t.same("the store after the conflict of "+what, t.all(d), before)
}

func conflict(err error) (keys []string, ok bool) {
	var c *store.ConflictError
	if errors.As(err, &c) {
		return c.Keys, true
	}
	return nil, false
}

func (t *trial) same(what string, got, want []store.Item) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d items, want %d", what, len(got), len(want))
	}
	for i := range got {
		if got[i].Key != want[i].Key || got[i].Rev != want[i].Rev || !bytes.Equal(got[i].Value, want[i].Value) {
			t.Fatalf("%s: items[%d] is %s, want %s", what, i, show(got[i]), show(want[i]))
		}
	}
}

func show(item store.Item) string {
	return fmt.Sprintf("%.40q = %.40q at %d", item.Key, item.Value, item.Rev)
}

func (t *trial) sameKeys(what string, got []store.Item, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d items, want %d", what, len(got), len(want))
	}
	for i := range got {
		if got[i].Key != want[i] {
			t.Fatalf("%s: items[%d] is %.40q, want %.40q", what, i, got[i].Key, want[i])
		}
	}
}

// together runs f in n goroutines that start at once. An error ends the check.
func (t *trial) together(n int, f func(i int) error) {
	t.Helper()
	errs := make([]error, n)
	gate := make(chan struct{})
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() {
			<-gate
			errs[i] = f(i)
		})
	}
	close(gate)
	wait.Wait()
	t.ok(errors.Join(errs...))
}

// against lets writers and readers run until each writer has made so many steps and each reader has looked so often, or
// one returns an error, which ends the check. Readers go on as long as there is something written; writers wait for
// readers that are behind, or an engine that needs no disk would be through before anybody looks.
func (t *trial) against(writes int, writers []func(step int) error, reads int, readers []func() error) {
	t.Helper()
	var failed atomic.Bool
	var writing atomic.Int64
	looks := make([]atomic.Int64, len(readers))
	behind := func(step int) bool {
		for i := range looks {
			if looks[i].Load()*int64(writes) < int64(step*reads) {
				return true
			}
		}
		return false
	}
	writing.Store(int64(len(writers)))
	goOn := func() bool { return !failed.Load() && t.ctx.Err() == nil }
	write := func(f func(step int) error) error {
		defer writing.Add(-1)
		for step := 0; step < writes && goOn(); step++ {
			for behind(step) && goOn() {
				runtime.Gosched()
			}
			if err := f(step); err != nil {
				return err
			}
		}
		return t.ctx.Err()
	}
	read := func(f func() error, looked *atomic.Int64) error {
		for n := 0; goOn() && (n < reads || writing.Load() > 0); n++ {
			if err := f(); err != nil {
				return err
			}
			looked.Add(1)
			if n%4 == 0 {
				time.Sleep(50 * time.Microsecond) // a writer that waits for this reader comes in between two looks, too
			}
		}
		return t.ctx.Err()
	}
	t.together(len(writers)+len(readers), func(i int) (err error) {
		if i < len(writers) {
			err = write(writers[i])
		} else {
			i -= len(writers)
			err = read(readers[i], &looks[i])
		}
		if err != nil {
			failed.Store(true)
		}
		return err
	})
}

// number reads what strconv.Itoa wrote; an absent or strange value is -1.
func number(item store.Item) int {
	n, err := strconv.Atoi(string(item.Value))
	if err != nil {
		return -1
	}
	return n
}

// update reads a key and writes what f makes of it, until no other writer is between the two.
func update(ctx context.Context, d store.Driver, key string, f func(store.Item) []byte) (store.Rev, error) {
	for {
		items, err := get(ctx, d, key)
		if err != nil {
			return 0, err
		}
		rev, err := d.Commit(ctx, store.Batch{
			Checks: []store.Check{{Key: key, Rev: items[0].Rev}},
			Ops:    []store.Op{{Key: key, Value: f(items[0])}},
		})
		if _, again := conflict(err); !again {
			return rev, err
		}
	}
}
