package storetest

import (
	"strconv"
	"sync"

	"github.com/cloudopsec/opsec/store"
)

func revChecks() []check {
	return []check{
		{"IsOneForABatch", revIsOneForABatch},
		{"IsNewForAnEqualValue", revIsNewForEqualValue},
		{"IsNotReusedAfterDelete", revIsNotReused},
		{"StaysWhereNothingIsWritten", revStays},
		{"IsNewForEveryCommit", revIsNewForEveryCommit},
	}
}

// revIsOneForABatch also has Commit, Get and List of both handles agree.
func revIsOneForABatch(t *trial) {
	first, second := t.pair()
	for range 3 {
		rev := t.put(first, "a", "1", "c", "1", "b", "1")
		want := []store.Item{{Key: "a", Value: []byte("1"), Rev: rev}, {Key: "b", Value: []byte("1"), Rev: rev}, {Key: "c", Value: []byte("1"), Rev: rev}}
		for _, d := range []store.Driver{first, second} {
			t.same("Get", t.get(d, "a", "b", "c"), want)
			t.same("List", t.all(d), want)
		}
	}
}

// past remembers which Revs were given.
type past map[store.Rev]bool

func (p past) add(t *trial, what string, rev store.Rev) {
	t.Helper()
	if p[rev] {
		t.Fatalf("%s: Rev %d was given before", what, rev)
	}
	p[rev] = true
}

func revIsNewForEqualValue(t *trial) {
	d := t.open()
	given := past{}
	for range 5 {
		rev := t.put(d, "k", "v")
		given.add(t, "a rewrite with an equal value", rev)
		t.same("Get after it", t.get(d, "k"), []store.Item{{Key: "k", Value: []byte("v"), Rev: rev}})
		rev = t.commit(d, store.Batch{Checks: []store.Check{{Key: "k", Rev: rev}}, Ops: puts("k", "v")})
		given.add(t, "a rewrite at its Rev", rev)
		t.same("Get after it", t.get(d, "k"), []store.Item{{Key: "k", Value: []byte("v"), Rev: rev}})
	}
}

func revIsNotReused(t *trial) {
	first, second := t.pair()
	given := past{}
	for n := range 10 {
		d := first
		if n%3 == 1 {
			d = second
		}
		given.add(t, "an insert after a delete", t.put(d, "k", "v"))
		if n%2 == 0 {
			given.add(t, "another key", t.put(d, "l", "v"))
			t.remove(d, "l")
		}
		t.remove(first, "k") // the store is empty now
	}
}

// revStays writes beside a key, checks it, and fails to write it.
func revStays(t *trial) {
	d := t.open()
	rev := t.put(d, "k", "v")
	t.put(d, "j", "1", "l", "1")
	t.commit(d, store.Batch{Checks: []store.Check{{Key: "k", Rev: rev}}, Ops: puts("m", "1")})
	t.commit(d, store.Batch{Checks: []store.Check{{Key: "k", Rev: rev}}})
	t.conflicts(d, "absence", store.Batch{Checks: []store.Check{{Key: "k"}}, Ops: puts("k", "w")}, "k")
	t.same("a key that was not written", t.get(d, "k"), []store.Item{{Key: "k", Value: []byte("v"), Rev: rev}})
}

func revIsNewForEveryCommit(t *trial) {
	first, second := t.pair()
	var mu sync.Mutex
	given := past{}
	twice := store.Rev(0)
	t.together(8, func(i int) error {
		d, own := first, "own"+strconv.Itoa(i)
		if i%2 == 1 {
			d = second
		}
		for n := range 25 {
			rev, err := d.Commit(t.ctx, store.Batch{Ops: puts("shared", strconv.Itoa(n), own, "")})
			if err != nil {
				return err
			}
			mu.Lock()
			if given[rev] {
				twice = rev
			}
			given[rev] = true
			mu.Unlock()
		}
		return nil
	})
	if twice != 0 || given[0] {
		t.Fatalf("two concurrent commits got Rev %d, or one got zero", twice)
	}
}
