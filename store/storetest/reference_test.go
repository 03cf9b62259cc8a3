package storetest

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudopsec/opsec/store"
)

// reference is the contract in the fewest lines: a map, a lock, and at the same places the bugs that the suite must
// find. Its zero bug is none.
type reference struct {
	*engine
	bug    string
	second bool
	open   bool
	cached map[string]store.Item // of a handle that answers from what it saw last
}

// engine is what all handles share.
type engine struct {
	mu        sync.RWMutex
	closed    bool
	items     map[string]store.Item
	rev       store.Rev
	listeners map[*told]bool
}

type told struct {
	prefix string
	wake   chan struct{}
	by     *reference
}

func newReference(bug string) *reference {
	return &reference{engine: &engine{items: map[string]store.Item{}, listeners: map[*told]bool{}}, bug: bug, open: true}
}

// harness hands out references that have a bug.
func harness(bug string) Harness {
	return Harness{
		Open: func(testing.TB) store.Driver { return newReference(bug) },
		Again: func(_ testing.TB, d store.Driver) store.Driver {
			return &reference{engine: d.(*reference).engine, bug: bug, open: true, second: true}
		},
		Reopen: func(_ testing.TB, d store.Driver) store.Driver {
			r := d.(*reference)
			_ = r.Close()
			r.mu.Lock()
			defer r.mu.Unlock()
			switch bug {
			case "starts its Revs anew":
				r.rev = 0
				for _, item := range r.items {
					r.rev = max(r.rev, item.Rev)
				}
			case "forgets on Close":
				for key := range r.items {
					delete(r.items, key)
					break
				}
			}
			return &reference{engine: r.engine, bug: bug, open: true}
		},
	}
}

func (r *reference) has(bug string) bool { return r.bug == bug }

func (r *reference) ready(ctx context.Context) error {
	if !r.open && !r.has("works when closed") && !r.has("reads nothing when closed") || r.closed {
		return store.ErrClosed
	}
	if r.has("ignores its context") {
		return nil
	}
	return ctx.Err()
}

func (r *reference) Get(ctx context.Context, keys ...string) ([]store.Item, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if err := r.ready(ctx); err != nil {
		return nil, err
	}
	if err := store.ValidateKeys(keys...); err != nil && !r.has("takes any key in a Get") {
		if r.has("calls too many keys invalid") && len(keys) > store.MaxGet {
			return nil, errors.New("too many")
		}
		return nil, err
	}
	items := make([]store.Item, len(keys))
	for i, key := range keys {
		item := r.items[key]
		item.Key = key
		items[i] = item
		switch {
		case r.has("gets key by key"):
			r.mu.RUnlock()
			time.Sleep(10 * time.Microsecond)
			r.mu.RLock()
		case r.has("returns an error for an absent key") && item.Rev == 0:
			return nil, errors.New("not found")
		case r.has("returns an empty value for an absent key") && item.Rev == 0:
			items[i].Value = []byte{}
		}
	}
	switch {
	case r.has("gets in key order"):
		slices.SortFunc(items, func(a, b store.Item) int { return strings.Compare(a.Key, b.Key) })
	case r.has("answers a key once"):
		items = slices.CompactFunc(items, func(a, b store.Item) bool { return a.Key == b.Key })
	case r.has("gets nothing of nothing with an error") && len(keys) == 0:
		return nil, errors.New("nothing to do")
	case r.has("cuts a large Get") && len(keys) == store.MaxGet:
		for i := range items {
			items[i].Value = items[i].Value[:min(len(items[i].Value), 1<<10)]
		}
	case r.has("is stale on another handle") && r.second, r.has("is stale after a delete"):
		return r.stale(items), nil
	case r.has("reads nothing when closed") && !r.open:
		return nil, nil
	}
	return items, nil
}

// stale answers from what was asked before, where there is any.
func (r *reference) stale(items []store.Item) []store.Item {
	if r.cached == nil {
		r.cached = map[string]store.Item{}
	}
	for i, item := range items {
		old, ok := r.cached[item.Key]
		if ok && old.Rev != item.Rev && (item.Rev == 0 || r.second) {
			items[i] = old
		}
		r.cached[item.Key] = item
	}
	return items
}

func (r *reference) List(ctx context.Context, rg store.Range) ([]store.Item, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if err := r.ready(ctx); err != nil {
		return nil, err
	}
	if err := rg.Validate(); err != nil && !r.has("takes any range") {
		return nil, err
	}
	switch {
	case r.has("trims zero bytes"):
		rg.Start = strings.TrimRight(rg.Start, "\x00")
	case r.has("includes End") && rg.End != "":
		rg.End += "\x00"
	case r.has("excludes Start") && rg.Start != "":
		rg.Start += "\x00"
	case r.has("returns an error for an empty range") && rg.End != "" && rg.End <= rg.Start:
		return nil, errors.New("bad range")
	case r.has("reads values for keys"):
		rg.KeysOnly = false
	case r.has("cuts bounds"):
		rg.Start, rg.End = rg.Start[:min(len(rg.Start), store.MaxKey)], rg.End[:min(len(rg.End), store.MaxKey)]
	}
	model, limit := r.items, rg.Limit
	rg.Limit = len(r.items)
	if r.has("cuts large values in List") {
		model = map[string]store.Item{}
		for key, item := range r.items {
			item.Value = item.Value[:min(len(item.Value), 64<<10)]
			model[key] = item
		}
	}
	items := expected(model, rg)
	if r.has("compares runes") {
		slices.SortStableFunc(items, func(a, b store.Item) int { return slices.Compare([]rune(a.Key), []rune(b.Key)) })
	}
	page, size := []store.Item{}, 0
	for _, item := range items {
		if len(page) == limit && !r.has("ignores the limit") || len(page) == limit-1 && r.has("is one short of the limit") && limit > 1 {
			break
		}
		if rg.KeysOnly {
			item.Value = nil
		}
		size += len(item.Value)
		if r.has("ends a page before MaxPageBytes") && size > store.MaxPageBytes {
			break
		}
		if r.has("lists key by key") {
			r.mu.RUnlock()
			time.Sleep(10 * time.Microsecond)
			r.mu.RLock()
			if item.Rev = r.items[item.Key].Rev; item.Rev == 0 {
				continue
			}
			item.Value = r.items[item.Key].Value
		}
		page = append(page, item)
		if size >= store.MaxPageBytes && !r.has("ignores MaxPageBytes") {
			break
		}
	}
	switch {
	case r.has("lists wrong Revs"):
		for i := range page {
			page[i].Rev++
		}
	case r.has("reads nothing when closed") && !r.open:
		return nil, nil
	case r.has("cuts what it lists when its context ends"):
		time.Sleep(100 * time.Microsecond)
		if ctx.Err() != nil {
			return page[:len(page)/2], nil
		}
	}
	return page, nil
}

func (r *reference) Commit(ctx context.Context, b store.Batch) (store.Rev, error) {
	if r.has("hints before it writes") {
		r.tell(b)
		time.Sleep(50 * time.Microsecond)
	}
	rev, err := r.commit(ctx, b)
	if err != nil || r.has("hints before it writes") || r.has("never hints again") {
		return rev, err
	}
	r.tell(b)
	return rev, nil
}

func (r *reference) valid(b store.Batch) error {
	err := b.Validate()
	switch {
	case r.has("takes a key twice") && !errors.Is(err, store.ErrTooLarge):
		return nil
	case r.has("calls what is too large invalid") && errors.Is(err, store.ErrTooLarge):
		return errors.New("invalid")
	case r.has("takes less than a full batch") && len(b.Ops) > 1:
		size := 0
		for _, op := range b.Ops {
			size += len(op.Value)
		}
		if size > store.MaxBatch-1<<10 {
			return store.ErrTooLarge
		}
	case r.has("takes fewer checks") && len(b.Checks) == store.MaxChecks,
		r.has("takes fewer ops") && len(b.Ops) == store.MaxOps:
		return store.ErrTooLarge
	}
	return err
}

func (r *reference) commit(ctx context.Context, b store.Batch) (store.Rev, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.ready(ctx); err != nil {
		return 0, err
	}
	if err := r.valid(b); err != nil {
		if r.has("writes half of what it refuses") && len(b.Ops) > 0 && b.Ops[0].Key != "" {
			r.apply(b.Ops[0], r.rev+1)
		}
		return 0, err
	}
	if r.has("deletes nothing absent") {
		for _, op := range b.Ops {
			if op.Delete && r.items[op.Key].Rev == 0 {
				return 0, errors.New("not found")
			}
		}
	}
	if r.has("sorts the batch") {
		slices.SortFunc(b.Ops, func(a, b store.Op) int { return strings.Compare(a.Key, b.Key) })
	}
	if failed := r.failed(b); len(failed) > 0 {
		return 0, r.conflictOf(b, failed)
	}
	if r.has("is not atomic") || r.has("locks less than it checks") && len(b.Checks) > 0 {
		r.mu.Unlock()
		time.Sleep(20 * time.Microsecond)
		r.mu.Lock()
	}
	if len(b.Ops) == 0 {
		if r.has("gives checks a Rev") {
			return r.rev, nil
		}
		return 0, nil
	}
	if r.has("conflicts at random") && len(b.Checks) > 0 && r.rev%5 == 4 && len(r.items) > 12 {
		r.rev++
		return 0, &store.ConflictError{Keys: []string{b.Checks[0].Key}}
	}
	if r.has("deadlocks at times") && len(b.Ops) == 4 && r.rev%5 == 4 {
		r.rev++
		return 0, errors.New("deadlock detected")
	}
	return r.write(ctx, b)
}

// failed is the keys whose check fails.
func (r *reference) failed(b store.Batch) (failed []string) {
	written := map[string]bool{}
	for _, op := range b.Ops {
		written[op.Key] = true
		if r.has("checks after it writes") && !op.Delete {
			written[op.Key+" late"] = true
		}
	}
	for _, c := range b.Checks {
		have := r.items[c.Key].Rev
		switch {
		case r.has("ignores checks on keys that it does not write") && !written[c.Key]:
			continue
		case r.has("ignores checks of absence") && c.Rev == 0:
			continue
		case r.has("ignores Revs") && c.Rev != 0 && have != 0:
			continue
		case r.has("takes a higher Rev") && c.Rev > have && have > 0:
			continue
		case r.has("checks after it writes") && written[c.Key+" late"]:
			have = r.rev + 1
		case r.has("knows no check without ops") && len(b.Ops) == 0:
			continue
		case r.has("takes an empty value for absent") && len(r.items[c.Key].Value) == 0:
			have = 0
		case r.has("checks no deletes") && len(b.Ops) == 1 && b.Ops[0].Delete:
			continue
		case r.has("checks what its handle wrote last") && r.cached[c.Key].Rev != 0:
			have = r.cached[c.Key].Rev
		case r.has("forgets the last check") && len(b.Checks) == store.MaxChecks && c == b.Checks[len(b.Checks)-1]:
			continue
		}
		if have != c.Rev {
			failed = append(failed, c.Key)
		}
	}
	return failed
}

func (r *reference) conflictOf(b store.Batch, failed []string) error {
	switch {
	case r.has("names every checked key"):
		failed = nil
		for _, c := range b.Checks {
			failed = append(failed, c.Key)
		}
	case r.has("names no key"):
		failed = nil
	case r.has("writes what it refuses, late"):
		go func() {
			time.Sleep(10 * time.Millisecond)
			r.mu.Lock()
			defer r.mu.Unlock()
			for _, op := range b.Ops {
				r.apply(op, r.rev+1)
			}
			r.rev++
		}()
	}
	return &store.ConflictError{Keys: failed}
}

func (r *reference) write(ctx context.Context, b store.Batch) (store.Rev, error) {
	if !r.has("loses increments of its Rev") || r.rev%16 < 15 || len(b.Ops) == 1 {
		r.rev++
	}
	if r.has("reuses the Revs of deleted keys") {
		r.rev = 1
		for _, item := range r.items {
			r.rev = max(r.rev, item.Rev+1)
		}
	}
	rev := r.rev
	if r.has("takes time and then obeys its context") {
		r.mu.Unlock()
		time.Sleep(200 * time.Microsecond)
		r.mu.Lock()
	}
	for i, op := range b.Ops {
		switch {
		case r.has("gives each op a Rev"):
			r.rev++
		case r.has("keeps the Rev of an equal value") && bytes.Equal(op.Value, r.items[op.Key].Value) && r.items[op.Key].Rev != 0:
			continue
		case r.has("lets others see one half") && i > 0:
			r.mu.Unlock()
			time.Sleep(10 * time.Microsecond)
			r.mu.Lock()
		case r.has("deletes before it rewrites"):
			delete(r.items, op.Key)
			r.mu.Unlock()
			time.Sleep(10 * time.Microsecond)
			r.mu.Lock()
		case r.has("writes the first op alone") && i > 0:
			continue
		case r.has("writes no empty value") && len(op.Value) == 0 && !op.Delete:
			op.Delete = true
		}
		r.apply(op, r.rev)
	}
	if r.has("gives what it checks a new Rev") {
		for _, c := range b.Checks {
			if item := r.items[c.Key]; item.Rev != 0 {
				item.Rev = r.rev
				r.items[c.Key] = item
			}
		}
	}
	switch {
	case r.has("takes time and then obeys its context") && ctx.Err() != nil:
		return 0, ctx.Err()
	case r.has("is closed to what it has written"):
		r.mu.Unlock()
		time.Sleep(50 * time.Microsecond)
		r.mu.Lock()
		if !r.open {
			return 0, store.ErrClosed
		}
	case r.has("checks what its handle wrote last"):
		if r.cached == nil {
			r.cached = map[string]store.Item{}
		}
		for _, op := range b.Ops {
			r.cached[op.Key] = store.Item{Rev: rev}
		}
	}
	return rev, nil
}

func (r *reference) apply(op store.Op, rev store.Rev) {
	if op.Delete {
		delete(r.items, op.Key)
		return
	}
	value := op.Value
	switch {
	case r.has("keeps the batch"):
	case r.has("writes over values") && cap(r.items[op.Key].Value) >= len(value):
		value = append(r.items[op.Key].Value[:0], value...)
	default:
		value = append(make([]byte, 0, 2*len(value)), value...)
	}
	key := op.Key
	if r.has("folds keys") {
		key = strings.ToValidUTF8(key, "?")
	}
	r.items[key] = store.Item{Key: key, Value: value, Rev: rev}
}

func (r *reference) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.open && r.has("closes once") {
		return errors.New("closed already")
	}
	r.open = false
	r.closed = r.has("closes the engine")
	for l := range r.listeners {
		if l.by == r && !r.has("watches on") {
			l.signal()
		}
	}
	return nil
}

func (r *reference) tell(b store.Batch) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for l := range r.listeners {
		if r.has("hints to its own handle") && l.by != r {
			continue
		}
		for _, op := range b.Ops {
			if strings.HasPrefix(op.Key, l.prefix) && !(r.has("hints no deletes") && op.Delete) &&
				!(r.has("hints valid prefixes") && strings.ToValidUTF8(l.prefix, "?") != l.prefix) {
				l.signal()
			}
		}
	}
}

func (l *told) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Watch implements [store.Watcher].
func (r *reference) Watch(ctx context.Context, prefix string) iter.Seq2[struct{}, error] {
	return func(yield func(struct{}, error) bool) {
		l := &told{prefix: prefix, wake: make(chan struct{}, 1), by: r}
		if !r.has("waits for a change") {
			l.signal()
		}
		r.mu.Lock()
		r.listeners[l] = true
		r.mu.Unlock()
		defer func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			delete(r.listeners, l)
		}()
		stop := ctx.Done()
		if r.has("watches for ever") {
			stop = nil
		}
		for {
			select {
			case <-stop:
				if r.has("yields the error of its context") {
					yield(struct{}{}, ctx.Err())
				}
				return
			case <-l.wake:
			}
			r.mu.RLock()
			open := r.open
			r.mu.RUnlock()
			if !open && !r.has("watches on") {
				yield(struct{}{}, store.ErrClosed)
				return
			}
			if !yield(struct{}{}, nil) {
				if r.has("yields after the caller has stopped") {
					yield(struct{}{}, nil)
				}
				return
			}
			if r.has("drops hints while the listener is busy") {
				for len(l.wake) > 0 {
					<-l.wake
				}
			}
		}
	}
}
