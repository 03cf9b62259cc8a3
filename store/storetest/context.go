package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/cloudopsec/opsec/store"
)

func contextChecks() []check {
	return []check{
		{"EndedBeforeDoesNothing", contextEndedBefore},
		{"CancelledCommitSaysWhatBecameOfIt", contextCancelledCommit},
		{"CancelledReadLeavesDriverUsable", contextCancelledRead},
	}
}

func contextEndedBefore(t *trial) {
	d := t.open()
	t.put(d, "a", "1")
	before := t.all(d)
	cancelled, cancel := context.WithCancel(t.ctx)
	cancel()
	late, cancel := context.WithDeadline(t.ctx, time.Now().Add(-time.Second))
	defer cancel()
	for _, ctx := range []context.Context{cancelled, late} {
		_, byGet := d.Get(ctx, "a")
		_, byEmptyGet := d.Get(ctx)
		_, byList := d.List(ctx, store.Range{Limit: 1})
		_, byCommit := d.Commit(ctx, store.Batch{Ops: puts("a", "2", "b", "2")})
		_, byConflict := d.Commit(ctx, store.Batch{Checks: []store.Check{{Key: "a"}}, Ops: puts("a", "2")})
		_, byEmptyCommit := d.Commit(ctx, store.Batch{})
		for what, err := range map[string]error{
			"Get": byGet, "Get of nothing": byEmptyGet, "List": byList,
			"Commit": byCommit, "Commit with a bad check": byConflict, "Commit of nothing": byEmptyCommit,
		} {
			if !errors.Is(err, ctx.Err()) {
				t.Errorf("%s under a context that has ended: %v, want %v", what, err, ctx.Err())
			}
			if errors.Is(err, store.ErrIndeterminate) {
				t.Errorf("%s under a context that has ended does not know what it did: %v", what, err)
			}
		}
	}
	time.Sleep(20 * time.Millisecond)
	t.same("the store", t.all(d), before)
}

// attempts is what callers whose context ended at random learnt of their commits.
type attempts struct {
	mu                  sync.Mutex
	done, undone, maybe []string // prefixes of two keys each
}

// contextCancelledCommit cancels commits at moments that lie around those where they finish. Each writes two keys of
// its own and one that all write.
func contextCancelledCommit(t *trial) {
	first, second := t.pair()
	begin := time.Now()
	for range 10 {
		t.put(first, "all", "")
	}
	usual := time.Since(begin) / 10
	var a attempts
	t.together(8, func(i int) error {
		d := first
		if i%2 == 1 {
			d = second
		}
		for n := range 40 {
			key := fmt.Sprintf("own/%d/%02d/", i, n)
			ctx, cancel := context.WithCancel(t.ctx)
			stop := time.AfterFunc(rand.N(8*usual+time.Microsecond), cancel)
			_, err := d.Commit(ctx, store.Batch{Checks: []store.Check{{Key: key + "1"}}, Ops: puts(key+"1", "", "all", key, key+"2", "")})
			stop.Stop()
			cancel()
			if err := a.note(key, err); err != nil {
				return err
			}
			if items, err2 := get(t.ctx, d, key+"1"); err2 != nil || (err == nil && items[0].Rev == 0) {
				return fmt.Errorf("after a commit of %s returned %v, Get: %v", key, err, err2)
			}
		}
		return nil
	})
	if c, ok := first.(store.Certain); ok && c.Certain() && len(a.maybe) > 0 {
		t.Fatalf("a driver that is certain does not know of %d commits", len(a.maybe))
	}
	t.Logf("%d done, %d given up, %d indeterminate", len(a.done), len(a.undone), len(a.maybe))
	for range 2 {
		a.look(t, second)
		time.Sleep(100 * time.Millisecond) // and nothing will be
	}
}

func (a *attempts) note(key string, err error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case err == nil:
		a.done = append(a.done, key)
	case errors.Is(err, store.ErrIndeterminate):
		a.maybe = append(a.maybe, key)
	case errors.Is(err, context.Canceled):
		a.undone = append(a.undone, key)
	default:
		return fmt.Errorf("a commit whose context is cancelled: %w", err)
	}
	return nil
}

func (a *attempts) look(t *trial, d store.Driver) {
	t.Helper()
	var there []string
	for _, item := range t.all(d) {
		there = append(there, item.Key)
	}
	has := func(key string) bool { _, ok := slices.BinarySearch(there, key); return ok }
	for _, key := range slices.Concat(a.done, a.undone, a.maybe) {
		if has(key+"1") != has(key+"2") {
			t.Fatalf("one half of commit %s is there", key)
		}
	}
	for _, key := range a.done {
		if !has(key + "1") {
			t.Fatalf("commit %s returned nil, and is not there", key)
		}
	}
	for _, key := range a.undone {
		if has(key + "1") {
			t.Fatalf("commit %s returned the error of its context alone, and is there", key)
		}
	}
}

func contextCancelledRead(t *trial) {
	d := t.open()
	keys, ops := numbered("k", 300)
	t.fill(d, ops)
	for n := range 100 {
		ctx, cancel := context.WithTimeout(t.ctx, rand.N(300*time.Microsecond))
		items, err := get(ctx, d, keys[n:n+100]...)
		if err == nil && string(items[7].Value) != strconv.Itoa(n+7) {
			t.Fatalf("Get under a context about to end: %s", show(items[7]))
		}
		page, err2 := list(ctx, d, store.Range{Limit: len(keys)})
		if err2 == nil && len(page) != len(keys) {
			t.Fatalf("List under a context about to end: %d items, want %d", len(page), len(keys))
		}
		cancel()
		for _, err := range []error{err, err2} {
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("a read whose context has ended: %v", err)
			}
		}
	}
	t.sameKeys("List afterwards", t.all(d), keys)
	t.put(d, keys[0], "")
}
