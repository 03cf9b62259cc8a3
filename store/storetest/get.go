package storetest

import (
	"fmt"
	"strconv"

	"github.com/cloudopsec/opsec/store"
)

func getChecks() []check {
	return []check{
		{"ReturnsWhatWasWritten", getReturnsWhatWasWritten},
		{"KeepsTheOrderAsked", getKeepsTheOrderAsked},
		{"AnswersAKeyTwice", getAnswersAKeyTwice},
		{"AbsentKeyIsNoError", getAbsentKeyIsNoError},
		{"OfNoKeys", getOfNoKeys},
		{"IsOnePointInTime", getIsOnePointInTime},
	}
}

func getReturnsWhatWasWritten(t *trial) {
	d := t.open()
	rev := t.put(d, "k", "v")
	t.same("Get", t.get(d, "k"), []store.Item{{Key: "k", Value: []byte("v"), Rev: rev}})
	rev = t.put(d, "k", "w")
	t.same("Get after a rewrite", t.get(d, "k"), []store.Item{{Key: "k", Value: []byte("w"), Rev: rev}})
	t.remove(d, "k")
	t.same("Get after a delete", t.get(d, "k"), []store.Item{{Key: "k"}})
}

func getKeepsTheOrderAsked(t *trial) {
	d := t.open()
	a, b, c := t.put(d, "a", "1"), t.put(d, "b", "2"), t.put(d, "c", "3")
	t.same("Get of c, a, x, b", t.get(d, "c", "a", "x", "b"), []store.Item{
		{Key: "c", Value: []byte("3"), Rev: c},
		{Key: "a", Value: []byte("1"), Rev: a},
		{Key: "x"},
		{Key: "b", Value: []byte("2"), Rev: b},
	})
}

func getAnswersAKeyTwice(t *trial) {
	d := t.open()
	a, b := t.put(d, "a", "1"), t.put(d, "b", "2")
	first, second := store.Item{Key: "a", Value: []byte("1"), Rev: a}, store.Item{Key: "b", Value: []byte("2"), Rev: b}
	t.same("Get of a, b, a, x, x", t.get(d, "a", "b", "a", "x", "x"),
		[]store.Item{first, second, first, {Key: "x"}, {Key: "x"}})
}

func getAbsentKeyIsNoError(t *trial) {
	d := t.open()
	t.same("Get in an empty store", t.get(d, "x"), []store.Item{{Key: "x"}})
	t.put(d, "b", "2")
	for _, item := range t.get(d, "a", "b\x00", "c", "\xff") { // get has looked at the shape
		if item.Rev != 0 {
			t.Fatalf("%q, which is absent, has Rev %d", item.Key, item.Rev)
		}
	}
}

func getOfNoKeys(t *trial) {
	d := t.open()
	t.put(d, "a", "1")
	t.get(d)
}

// getIsOnePointInTime has writers change five keys together while readers ask for them.
func getIsOnePointInTime(t *trial) {
	first, second := t.pair()
	keys := []string{"a", "b", "c", "m", "z"}
	write := func(d store.Driver, who string) func(int) error {
		return func(step int) error {
			var ops []store.Op
			for _, key := range keys {
				if step%3 == 2 {
					ops = append(ops, store.Op{Key: key, Delete: true})
				} else {
					ops = append(ops, store.Op{Key: key, Value: []byte(who + strconv.Itoa(step))})
				}
			}
			_, err := d.Commit(t.ctx, store.Batch{Ops: ops})
			return err
		}
	}
	read := func(d store.Driver) func() error {
		return func() error {
			items, err := get(t.ctx, d, "z", "a", "m", "b", "c", "a")
			if err != nil {
				return err
			}
			for _, item := range items {
				if string(item.Value) != string(items[0].Value) || item.Rev != items[0].Rev {
					return fmt.Errorf("keys written together differ: %s and %s", show(items[0]), show(item))
				}
			}
			return nil
		}
	}
	t.against(100, []func(int) error{write(first, "p"), write(second, "q")}, 200, []func() error{read(first), read(second)})
}
