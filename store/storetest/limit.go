package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cloudopsec/opsec/store"
)

func limitChecks() []check {
	return []check{
		{"OfAKey", limitKey},
		{"OfABound", limitBound},
		{"OfAValue", limitValue},
		{"OfOps", limitOps},
		{"OfChecks", limitChecksOfBatch},
		{"OfABatch", limitBatch},
		{"OfAGet", limitGet},
		{"LargestGet", limitLargestGet},
	}
}

func (t *trial) tooLarge(what string, err error) {
	t.Helper()
	if !errors.Is(err, store.ErrTooLarge) {
		t.Fatalf("%s: %v, want store.ErrTooLarge", what, err)
	}
}

func limitKey(t *trial) {
	d := t.open()
	at, over := strings.Repeat("\xff", store.MaxKey), strings.Repeat("\xff", store.MaxKey+1)
	rev := t.put(d, at, "1", "k", "1")
	want := []store.Item{{Key: at, Value: []byte("1"), Rev: rev}}
	t.same("Get of the longest key", t.get(d, at), want)
	t.same("List of the longest key", t.list(d, store.Range{Start: at, Limit: 1}), want)
	t.commit(d, store.Batch{Checks: []store.Check{{Key: at, Rev: rev}}})

	t.refused(d, "a long key", store.Batch{Ops: puts("k", "2", over, "")}, store.ErrTooLarge)
	t.refused(d, "a delete of a long key", store.Batch{Ops: append(puts("k", "2"), removals(over)...)}, store.ErrTooLarge)
	t.refused(d, "a check of a long key", store.Batch{Checks: []store.Check{{Key: over}}, Ops: puts("k", "2")}, store.ErrTooLarge)
	_, err := d.Get(t.ctx, "k", over)
	t.tooLarge("Get of a long key", err)
	t.remove(d, at)
}

// limitBound has bounds that are as long as what stands just behind the longest key.
func limitBound(t *trial) {
	d := t.open()
	longest := strings.Repeat("k", store.MaxKey)
	t.put(d, "a", "", longest, "", "z", "")
	t.sameKeys("up to the longest key", t.list(d, store.Range{End: longest + "\x00", Limit: 3}), []string{"a", longest})
	t.sameKeys("behind the longest key", t.list(d, store.Range{Start: longest + "\x00", Limit: 3}), []string{"z"})
	_, err := d.List(t.ctx, store.Range{Start: longest + "\x00\x00", Limit: 3})
	t.tooLarge("List with a long Start", err)
	_, err = d.List(t.ctx, store.Range{End: longest + "\x00\x00", Limit: 3})
	t.tooLarge("List with a long End", err)
}

func limitValue(t *trial) {
	d := t.open()
	value := strings.Repeat("0123456789abcdef", store.MaxValue/16)
	rev := t.put(d, "k", value)
	want := []store.Item{{Key: "k", Value: []byte(value), Rev: rev}}
	t.same("Get of the largest value", t.get(d, "k"), want)
	t.same("List of the largest value", t.all(d), want)
	t.refused(d, "a large value", store.Batch{Ops: puts("j", "", "k", value+"+")}, store.ErrTooLarge)
}

func limitOps(t *trial) {
	d := t.open()
	keys, ops := numbered("k", store.MaxOps+1)
	t.refused(d, "too many ops", store.Batch{Ops: ops}, store.ErrTooLarge)
	t.commit(d, store.Batch{Ops: ops[:store.MaxOps]})
	t.sameKeys("the store", t.all(d), keys[:store.MaxOps])
	t.refused(d, "too many deletes", store.Batch{Ops: removals(keys...)}, store.ErrTooLarge)
	t.remove(d, keys[:store.MaxOps]...)
	t.sameKeys("the store", t.all(d), nil)
}

func limitChecksOfBatch(t *trial) {
	d := t.open()
	keys, ops := numbered("k", store.MaxChecks+1)
	t.fill(d, ops)
	var checks []store.Check
	for _, item := range t.get(d, keys[:store.MaxChecks]...) {
		checks = append(checks, store.Check{Key: item.Key, Rev: item.Rev})
	}
	over := append(checks, store.Check{Key: "absent"})
	t.refused(d, "too many checks", store.Batch{Checks: over, Ops: puts("x", "")}, store.ErrTooLarge)
	t.refused(d, "too many checks alone", store.Batch{Checks: over}, store.ErrTooLarge)
	t.commit(d, store.Batch{Checks: checks})
	t.commit(d, store.Batch{Checks: checks, Ops: ops[:store.MaxOps-1]})
	last := checks[store.MaxChecks-1]
	for i, item := range t.get(d, keys[:store.MaxChecks]...) {
		checks[i].Rev = item.Rev
	}
	t.put(d, last.Key, "another")
	t.conflicts(d, "the last of the most checks", store.Batch{Checks: checks, Ops: ops[:store.MaxOps]}, last.Key)
}

// limitBatch makes batches of exactly MaxBatch bytes: of ops, of ops and checks, of many keys.
func limitBatch(t *trial) {
	d := t.open()
	full := func(checks []store.Check, ops ...store.Op) store.Batch {
		left := store.MaxBatch
		for i := range checks {
			left -= len(checks[i].Key)
		}
		for i := range ops {
			left -= len(ops[i].Key)
		}
		for i := range ops {
			if !ops[i].Delete {
				ops[i].Value = make([]byte, min(left, store.MaxValue))
				left -= len(ops[i].Value)
			}
		}
		if left > 0 {
			panic("storetest: the ops hold too little")
		}
		return store.Batch{Checks: checks, Ops: ops}
	}
	long := func(prefix string, n int) (keys []string) {
		for i := range n {
			keys = append(keys, prefix+fmt.Sprintf("%0*d", store.MaxKey-len(prefix), i))
		}
		return keys
	}
	var checks []store.Check
	for _, key := range long("absent", store.MaxChecks) {
		checks = append(checks, store.Check{Key: key})
	}
	tests := []struct {
		what string
		b    store.Batch
	}{
		{"ops", full(nil, puts("a", "", "b", "", "c", "", "d", "", "e", "")...)},
		{"ops and checks", full(checks, puts("a", "", "b", "", "c", "", "d", "")...)},
		{"ops and deletes", full(nil, append(removals(long("gone", store.MaxOps-5)...), puts("a", "", "b", "", "c", "", "d", "", "e", "")...)...)},
	}
	for _, test := range tests {
		over := test.b
		over.Ops = append([]store.Op(nil), test.b.Ops...)
		last := &over.Ops[len(over.Ops)-1]
		last.Value = append(last.Value[:len(last.Value):len(last.Value)], 'x')
		t.refused(d, "one byte more than a full batch of "+test.what, over, store.ErrTooLarge)
		rev := t.commit(d, test.b)
		for _, op := range test.b.Ops {
			if item := t.get(d, op.Key)[0]; !op.Delete && (item.Rev != rev || len(item.Value) != len(op.Value)) {
				t.Fatalf("a full batch of %s: %q has %d bytes, want %d", test.what, op.Key, len(item.Value), len(op.Value))
			}
		}
	}
}

func limitGet(t *trial) {
	d := t.open()
	keys, ops := numbered(strings.Repeat("k", store.MaxKey-4), store.MaxGet+1)
	t.fill(d, ops)
	t.sameKeys("the most keys of a Get", t.get(d, keys[1:]...), keys[1:])
	_, err := d.Get(t.ctx, keys...)
	t.tooLarge("Get of too many keys", err)
	same := make([]string, store.MaxGet+1)
	for i := range same {
		same[i] = keys[0]
	}
	_, err = d.Get(t.ctx, same...)
	t.tooLarge("Get of one key too often", err)
}

func limitLargestGet(t *trial) {
	if testing.Short() {
		t.Skip("writes 25 MiB")
	}
	d := t.open()
	keys, ops := numbered("k", store.MaxGet)
	for i := range ops {
		ops[i].Value = make([]byte, store.MaxValue)
		ops[i].Value[i] = byte(i)
	}
	t.fill(d, ops)
	for i, item := range t.get(d, keys...) {
		if string(item.Value) != string(ops[i].Value) {
			t.Fatalf("the largest Get: items[%d] is not what was written", i)
		}
	}
}
