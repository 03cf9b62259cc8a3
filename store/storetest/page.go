package storetest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cloudopsec/opsec/store"
)

func pageChecks() []check {
	return []check{
		{"EndsAfterLimit", pageEndsAfterLimit},
		{"OfMaxPage", pageOfMaxPage},
		{"FollowsPage", pageFollowsPage},
		{"EndsWithItemThatReachesMaxPageBytes", pageEndsAtMaxPageBytes},
		{"ShowsWhatIsPresentThroughoutOnce", pagesUnderWrites},
	}
}

func numbered(prefix string, n int) (keys []string, ops []store.Op) {
	for i := range n {
		key := fmt.Sprintf("%s%04d", prefix, i)
		keys = append(keys, key)
		ops = append(ops, store.Op{Key: key, Value: []byte(strconv.Itoa(i))})
	}
	return keys, ops
}

func pageEndsAfterLimit(t *trial) {
	d := t.open()
	keys, ops := numbered("k", 20)
	t.fill(d, ops)
	back := slices.Clone(keys)
	slices.Reverse(back)
	for _, limit := range []int{1, 2, 19, 20, 21} {
		n := min(limit, len(keys))
		for _, only := range []bool{false, true} {
			t.sameKeys(fmt.Sprintf("a page of %d", limit), t.list(d, store.Range{Limit: limit, KeysOnly: only}), keys[:n])
			t.sameKeys(fmt.Sprintf("a page of %d in reverse", limit),
				t.list(d, store.Range{Limit: limit, KeysOnly: only, Reverse: true}), back[:n])
		}
	}
	t.sameKeys("a page of 3 from the 5th", t.list(d, store.Range{Start: keys[5], Limit: 3}), keys[5:8])
	t.sameKeys("a page of 3 down from the 5th", t.list(d, store.Range{End: keys[5], Limit: 3, Reverse: true}), back[15:18])
}

func pageOfMaxPage(t *trial) {
	d := t.open()
	keys, ops := numbered("k", store.MaxPage+1)
	t.fill(d, ops)
	t.sameKeys("a page", t.list(d, store.Range{Limit: store.MaxPage}), keys[:store.MaxPage])
	t.sameKeys("a page of keys", t.list(d, store.Range{Limit: store.MaxPage, KeysOnly: true}), keys[:store.MaxPage])
	slices.Reverse(keys)
	t.sameKeys("a page in reverse", t.list(d, store.Range{Limit: store.MaxPage, Reverse: true}), keys[:store.MaxPage])
}

func pageFollowsPage(t *trial) {
	d := t.open()
	keys := strangeKeys()
	var ops []store.Op
	for _, key := range keys {
		ops = append(ops, store.Op{Key: key})
	}
	t.fill(d, ops)
	back := slices.Clone(keys)
	slices.Reverse(back)
	for _, limit := range []int{1, 3, 7, 100} {
		for _, only := range []bool{false, true} {
			all, err := pages(t.ctx, d, store.Range{Limit: limit, KeysOnly: only})
			t.ok(err)
			t.sameKeys(fmt.Sprintf("all pages of %d", limit), all, keys)
			all, err = pages(t.ctx, d, store.Range{Limit: limit, KeysOnly: only, Reverse: true})
			t.ok(err)
			t.sameKeys(fmt.Sprintf("all pages of %d in reverse", limit), all, back)
		}
	}
}

// pageEndsAtMaxPageBytes writes values that reach the limit exactly, and others that miss it by one byte.
func pageEndsAtMaxPageBytes(t *trial) {
	if testing.Short() {
		t.Skip("writes 14 MiB")
	}
	d := t.open()
	const reach = store.MaxPageBytes / store.MaxValue
	keys, ops := numbered("k", reach+4)
	for i := range ops {
		ops[i].Value = make([]byte, store.MaxValue)
	}
	ops[reach].Value = nil // it would still fit
	t.fill(d, ops)
	r := store.Range{Limit: store.MaxPage}
	t.sameKeys("a page that reaches MaxPageBytes", t.list(d, r), keys[:reach])
	t.sameKeys("what follows", t.list(d, store.Range{Start: keys[reach-1] + "\x00", Limit: store.MaxPage}), keys[reach:])
	r.Limit = reach - 1
	t.sameKeys("a page whose limit is lower", t.list(d, r), keys[:reach-1])

	back := slices.Clone(keys)
	slices.Reverse(back)
	r = store.Range{Limit: store.MaxPage, Reverse: true}
	t.sameKeys("a page in reverse", t.list(d, r), back[:reach+1]) // one of them is empty
	r.KeysOnly = true
	t.sameKeys("keys in reverse", t.list(d, r), back)
	r.Reverse = false
	t.sameKeys("keys", t.list(d, r), keys)

	t.commit(d, store.Batch{Ops: []store.Op{{Key: keys[0], Value: make([]byte, store.MaxValue-1)}}})
	t.sameKeys("a page that misses MaxPageBytes by one", t.list(d, store.Range{Limit: store.MaxPage}), keys[:reach+2])
	all, err := pages(t.ctx, d, store.Range{Limit: store.MaxPage})
	t.ok(err)
	t.sameKeys("all pages", all, keys)
}

// pagesUnderWrites iterates while one writer rewrites what is listed, and another inserts and deletes between it.
func pagesUnderWrites(t *trial) {
	first, second := t.pair()
	const stable = 60
	keys, ops := numbered("k", stable)
	t.fill(first, ops)
	rewrite := func(step int) error {
		_, err := first.Commit(t.ctx, store.Batch{Ops: puts(keys[step%stable], strconv.Itoa(step), keys[(step+stable/2)%stable], "")})
		return err
	}
	churn := func(step int) error {
		beside := func(n int) string { return keys[n*11%stable] + "\x00+" }
		b := store.Batch{Ops: []store.Op{{Key: beside(step)}, {Key: beside(step + 3), Delete: true}}}
		_, err := second.Commit(t.ctx, b)
		return err
	}
	iterate := func(d store.Driver, reverse bool) func() error {
		return func() error {
			all, err := pages(t.ctx, d, store.Range{Limit: 7, Reverse: reverse})
			if err != nil {
				return err
			}
			next := 0
			for i, item := range all {
				if i > 0 && (all[i-1].Key < item.Key) == reverse {
					return fmt.Errorf("over pages (reverse %v), %q stands before %q", reverse, all[i-1].Key, item.Key)
				}
				want := next
				if reverse {
					want = stable - 1 - next
				}
				if strings.HasSuffix(item.Key, "+") {
					continue
				}
				if next == stable || item.Key != keys[want] {
					return fmt.Errorf("over pages (reverse %v), %q comes out of turn", reverse, item.Key)
				}
				next++
			}
			if next != stable {
				return fmt.Errorf("over pages (reverse %v), %d of %d keys that are present throughout", reverse, next, stable)
			}
			return nil
		}
	}
	t.against(200, []func(int) error{rewrite, churn}, 40, []func() error{iterate(first, true), iterate(second, false)})
}
