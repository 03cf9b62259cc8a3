package storetest

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
)

func commitChecks() []check {
	return []check{
		{"DoesAllOfABatch", commitDoesAll},
		{"DeletesAbsentKey", commitDeletesAbsentKey},
		{"ChecksThatAKeyIsAbsent", commitChecksAbsence},
		{"ChecksTheRevOfAKey", commitChecksRev},
		{"ChecksBeforeItWrites", commitChecksBeforeItWrites},
		{"ChecksKeysThatItDoesNotWrite", commitChecksWhatItDoesNotWrite},
		{"DeletesWithACheck", commitDeletesWithCheck},
		{"ConflictNamesFailedKeysAndWritesNothing", commitConflict},
		{"ConflictsWithAnotherHandle", commitConflictsAcrossHandles},
		{"WithoutOpsIsACheck", commitWithoutOps},
		{"OfNothing", commitOfNothing},
		{"EmptyValueIsNotAbsence", commitEmptyValue},
		{"KeepsNothingOfTheBatch", commitKeepsNothing},
		{"LeavesTheBatchAlone", commitLeavesBatch},
		{"RefusesInvalidBatch", commitRefusesInvalid},
		{"RefusedStaysUndone", commitRefusedStaysUndone},
	}
}

func commitDoesAll(t *trial) {
	d := t.open()
	t.put(d, "a", "1", "b", "1", "c", "1")
	rev := t.commit(d, store.Batch{Ops: []store.Op{
		{Key: "d", Value: []byte("new")}, // not in order
		{Key: "a", Value: []byte("2")},
		{Key: "b", Delete: true},
	}})
	t.same("the keys that a batch names", t.get(d, "a", "b", "d"),
		[]store.Item{{Key: "a", Value: []byte("2"), Rev: rev}, {Key: "b"}, {Key: "d", Value: []byte("new"), Rev: rev}})
	t.sameKeys("the store", t.all(d), []string{"a", "c", "d"})
}

func commitDeletesAbsentKey(t *trial) {
	d := t.open()
	t.remove(d, "a")
	t.commit(d, store.Batch{Ops: []store.Op{{Key: "a", Delete: true}, {Key: "b", Value: []byte("v")}, {Key: "c", Delete: true}}})
	t.sameKeys("the store", t.all(d), []string{"b"})
	t.commit(d, store.Batch{Checks: []store.Check{{Key: "a"}}, Ops: removals("a")})
}

func commitChecksAbsence(t *trial) {
	d := t.open()
	insert := store.Batch{Checks: []store.Check{{Key: "k"}}, Ops: puts("k", "v")}
	t.commit(d, insert)
	t.conflicts(d, "an insert of what is there", insert, "k")
	t.remove(d, "k")
	t.commit(d, insert)
	t.commit(d, store.Batch{Checks: []store.Check{{Key: "k\x00"}, {Key: "j"}}, Ops: puts("x", "")}) // neighbours
}

func commitChecksRev(t *trial) {
	d := t.open()
	first := t.put(d, "k", "1")
	other := t.put(d, "other", "1")
	swap := func(rev store.Rev) store.Batch {
		return store.Batch{Checks: []store.Check{{Key: "k", Rev: rev}}, Ops: puts("k", "next")}
	}
	second := t.commit(d, swap(first))
	t.conflicts(d, "the Rev before", swap(first), "k")
	t.conflicts(d, "the Rev of another key", swap(other), "k")
	t.conflicts(d, "zero", swap(0), "k")
	for _, rev := range []store.Rev{second + 1, second + 1<<40, 1<<63 + 5, 1<<64 - 1} {
		t.conflicts(d, "a Rev that was never given", swap(rev), "k")
	}
	third := t.commit(d, swap(second))
	t.remove(d, "k")
	t.conflicts(d, "the Rev of a deleted key", swap(third), "k")
	t.put(d, "k", "next")
	t.conflicts(d, "the Rev from before a delete", swap(third), "k")
}

// commitChecksBeforeItWrites has a key among the checks and the ops: the check is of what was there before.
func commitChecksBeforeItWrites(t *trial) {
	d := t.open()
	t.commit(d, store.Batch{Checks: []store.Check{{Key: "b"}, {Key: "a"}}, Ops: puts("a", "1", "b", "1")})
	items := t.get(d, "a", "b")
	t.commit(d, store.Batch{
		Checks: []store.Check{{Key: "a", Rev: items[0].Rev}, {Key: "b", Rev: items[1].Rev}},
		Ops:    []store.Op{{Key: "b", Delete: true}, {Key: "a", Value: []byte("2")}},
	})
	t.sameKeys("the store", t.all(d), []string{"a"})
}

func commitChecksWhatItDoesNotWrite(t *trial) {
	d := t.open()
	rev := t.put(d, "guard", "1")
	for _, c := range []store.Check{{Key: "guard", Rev: rev}, {Key: "absent"}} {
		t.commit(d, store.Batch{Checks: []store.Check{c}, Ops: puts("k", "v")})
	}
	t.put(d, "guard", "2", "absent", "is not")
	for _, c := range []store.Check{{Key: "guard", Rev: rev}, {Key: "absent"}} {
		t.conflicts(d, "a key that is only checked", store.Batch{Checks: []store.Check{c}, Ops: puts("k", "w")}, c.Key)
	}
}

func commitDeletesWithCheck(t *trial) {
	d := t.open()
	old := t.put(d, "k", "1")
	rev := t.put(d, "k", "2")
	remove := func(rev store.Rev) store.Batch {
		return store.Batch{Checks: []store.Check{{Key: "k", Rev: rev}}, Ops: removals("k")}
	}
	t.conflicts(d, "a delete at the Rev before", remove(old), "k")
	t.conflicts(d, "a delete of what should be absent", remove(0), "k")
	t.commit(d, remove(rev))
	t.conflicts(d, "a delete of what is gone", remove(rev), "k")
}

func commitConflict(t *trial) {
	d := t.open()
	good := t.put(d, "good", "1", "good too", "1")
	bad := t.put(d, "bad", "1", "removed", "1", "worse", "1")
	t.put(d, "bad", "2", "worse", "2")
	t.remove(d, "removed")
	b := store.Batch{
		Checks: []store.Check{
			{Key: "absent"}, {Key: "good", Rev: good}, {Key: "bad", Rev: bad}, {Key: "good too", Rev: good},
			{Key: "removed", Rev: bad}, {Key: "worse", Rev: bad}, {Key: "zero"},
		},
		Ops: []store.Op{{Key: "absent", Value: []byte("v")}, {Key: "good", Delete: true}, {Key: "zero", Value: []byte("v")}},
	}
	t.conflicts(d, "three of seven checks", b, "bad", "removed", "worse")
	for _, key := range []string{"bad", "removed", "worse"} {
		one := b
		one.Checks = slices.DeleteFunc(slices.Clone(b.Checks), func(c store.Check) bool { return c.Rev == bad && c.Key != key })
		t.conflicts(d, "one of five checks", one, key)
		slices.Reverse(one.Checks)
		t.conflicts(d, "one of five checks, in reverse", one, key)
	}
	b.Checks = slices.DeleteFunc(b.Checks, func(c store.Check) bool { return c.Rev == bad })
	t.commit(d, b)
}

func commitConflictsAcrossHandles(t *trial) {
	first, second := t.pair()
	for range 10 {
		rev := t.put(first, "k", "1")
		swap := store.Batch{Checks: []store.Check{{Key: "k", Rev: rev}}, Ops: puts("k", "2")}
		t.commit(second, swap)
		t.conflicts(first, "what the other handle has changed", swap, "k")
		t.conflicts(second, "what this handle has changed", swap, "k")
	}
}

func commitWithoutOps(t *trial) {
	d := t.open()
	rev := t.put(d, "a", "1", "b", "1")
	before := t.all(d)
	t.commit(d, store.Batch{Checks: []store.Check{{Key: "a", Rev: rev}, {Key: "b", Rev: rev}, {Key: "c"}}}) // returns zero
	t.same("the store after a check", t.all(d), before)
	t.conflicts(d, "a check of what is there", store.Batch{Checks: []store.Check{{Key: "b", Rev: rev}, {Key: "a"}}}, "a")
	t.conflicts(d, "a check of what is not there", store.Batch{Checks: []store.Check{{Key: "c", Rev: rev}}}, "c")
}

func commitOfNothing(t *trial) {
	d := t.open()
	t.commit(d, store.Batch{})
	t.put(d, "a", "1")
	before := t.all(d)
	t.commit(d, store.Batch{Checks: []store.Check{}, Ops: []store.Op{}})
	t.same("the store after a commit of nothing", t.all(d), before)
}

func commitEmptyValue(t *trial) {
	d := t.open()
	rev := t.commit(d, store.Batch{Ops: []store.Op{{Key: "nil"}, {Key: "empty", Value: []byte{}}}})
	want := []store.Item{{Key: "empty", Rev: rev}, {Key: "nil", Rev: rev}}
	t.same("Get of empty values", t.get(d, "empty", "nil"), want)
	t.same("List of empty values", t.all(d), want)
	t.conflicts(d, "a check that an empty value is absent", store.Batch{Checks: []store.Check{{Key: "nil"}}}, "nil")
	t.put(d, "nil", "full")
	t.put(d, "nil", "")
	if item := t.get(d, "nil")[0]; len(item.Value) > 0 {
		t.Fatalf("%s, want an empty value", show(item))
	}
}

// commitKeepsNothing writes over a batch that it has committed.
func commitKeepsNothing(t *trial) {
	d := t.open()
	value := bytes.Repeat([]byte("v"), 5000)
	b := store.Batch{Checks: []store.Check{{Key: "k"}}, Ops: []store.Op{{Key: "k", Value: value}, {Key: "l", Value: value[:1]}}}
	rev := t.commit(d, b)
	want := []store.Item{{Key: "k", Value: bytes.Clone(value), Rev: rev}, {Key: "l", Value: []byte("v"), Rev: rev}}
	clear(value)
	b.Ops[0], b.Ops[1] = store.Op{Key: "x", Value: value}, store.Op{Key: "l", Delete: true}
	b.Checks[0] = store.Check{Key: "y", Rev: 1}
	t.same("Get after the batch was written over", t.get(d, "k", "l"), want)
	t.put(d, "m", "1")
	t.same("List after the batch was written over", t.all(d)[:2], want)
}

func commitLeavesBatch(t *trial) {
	d := t.open()
	rev := t.put(d, "c", "1")
	b := store.Batch{
		Checks: []store.Check{{Key: "c", Rev: rev}, {Key: "a"}, {Key: "b"}},
		Ops:    puts("z", "1", "a", "2", "m", "3"),
	}
	checks, ops := slices.Clone(b.Checks), slices.Clone(b.Ops)
	look := func(when string) {
		t.Helper()
		same := slices.EqualFunc(b.Ops, ops, func(a, b store.Op) bool {
			return a.Key == b.Key && a.Delete == b.Delete && bytes.Equal(a.Value, b.Value)
		})
		if !same || !slices.Equal(b.Checks, checks) {
			t.Fatalf("%s, the batch of the caller is another", when)
		}
	}
	t.commit(d, b)
	look("after a commit")
	t.conflicts(d, "the same batch again", b, "a")
	look("after a conflict")
}

func commitRefusesInvalid(t *trial) {
	d := t.open()
	rev := t.put(d, "a", "1", "b", "1")
	tests := []struct {
		what string
		b    store.Batch
	}{
		{"an op without a key", store.Batch{Ops: puts("c", "1", "", "1")}},
		{"a delete without a key", store.Batch{Ops: []store.Op{{Key: "a", Delete: true}, {Delete: true}}}},
		{"a check without a key", store.Batch{Checks: []store.Check{{}}, Ops: puts("c", "1")}},
		{"a key written twice", store.Batch{Ops: puts("c", "1", "d", "1", "c", "1")}},
		{"a key written and deleted", store.Batch{Ops: append(puts("a", "2"), removals("a")...)}},
		{"a key checked twice", store.Batch{Checks: []store.Check{{Key: "a", Rev: rev}, {Key: "a", Rev: rev}}, Ops: puts("c", "1")}},
		{"a delete with a value", store.Batch{Ops: []store.Op{{Key: "a", Value: []byte("v"), Delete: true}}}},
	}
	for _, test := range tests {
		t.refused(d, test.what, test.b, opsec.ErrInvalid)
	}
	if _, err := d.Get(t.ctx, "a", ""); !errors.Is(err, opsec.ErrInvalid) {
		t.Fatalf("Get of an empty key: %v, want opsec.ErrInvalid", err)
	}
}

// commitRefusedStaysUndone looks again when what was refused could have come late.
func commitRefusedStaysUndone(t *trial) {
	d := t.open()
	rev := t.put(d, "a", "1")
	before := t.all(d)
	t.conflicts(d, "absence", store.Batch{Checks: []store.Check{{Key: "a"}}, Ops: puts("a", "2", "b", "2")}, "a")
	t.refused(d, "a long key", store.Batch{Ops: puts("a", "3", strings.Repeat("k", store.MaxKey+1), "")}, store.ErrTooLarge)
	t.refused(d, "a key written twice", store.Batch{Ops: puts("a", "4", "c", "4", "c", "4")}, opsec.ErrInvalid)
	time.Sleep(100 * time.Millisecond)
	t.same("the store some time later", t.all(d), before)
	t.commit(d, store.Batch{Checks: []store.Check{{Key: "a", Rev: rev}}, Ops: puts("a", "5")})
}
