package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
)

func listChecks() []check {
	return []check{
		{"Bounds", listBounds},
		{"EmptyRangeIsNoError", listEmptyRangeIsNoError},
		{"InvalidLimit", listInvalidLimit},
		{"OrderIsBytewise", listOrderIsBytewise},
		{"ReturnsValuesAndRevs", listReturnsValuesAndRevs},
		{"KeysOnly", listKeysOnly},
		{"AgreesWithAModel", listAgreesWithAModel},
		{"IsOnePointInTime", listIsOnePointInTime},
	}
}

func listBounds(t *trial) {
	d := t.open()
	t.put(d, "a", "", "b", "", "b\x00", "", "b\x00\x00", "", "b\x01", "", "ba", "", "c", "", "\xff", "", "\xff\xff", "")
	tests := []struct {
		start, end string
		want       []string
	}{
		{"", "", []string{"a", "b", "b\x00", "b\x00\x00", "b\x01", "ba", "c", "\xff", "\xff\xff"}},
		{"b", "c", []string{"b", "b\x00", "b\x00\x00", "b\x01", "ba"}}, // from Start on, up to End without it
		{"b\x00", "b\x01", []string{"b\x00", "b\x00\x00"}},
		{"b\x00\x00", "ba", []string{"b\x00\x00", "b\x01"}},
		{"", "b", []string{"a"}},
		{"", "b\x00", []string{"a", "b"}},
		{"", "a", nil},
		{"c", "", []string{"c", "\xff", "\xff\xff"}}, // an empty End is none
		{"c\x00", "", []string{"\xff", "\xff\xff"}},
		{"\xff", "", []string{"\xff", "\xff\xff"}},
		{"\xff\x00", "", []string{"\xff\xff"}},
		{"\xff\xff\xff", "", nil},
		{"aa", "az", nil}, // between two keys
		{"A", "zz", []string{"a", "b", "b\x00", "b\x00\x00", "b\x01", "ba", "c"}},
	}
	for _, test := range tests {
		what := fmt.Sprintf("from %q to %q", test.start, test.end)
		r := store.Range{Start: test.start, End: test.end, Limit: store.MaxPage}
		t.sameKeys(what, t.list(d, r), test.want)
		r.Reverse = true
		back := slices.Clone(test.want)
		slices.Reverse(back)
		t.sameKeys(what+" in reverse", t.list(d, r), back)
	}
}

func listEmptyRangeIsNoError(t *trial) {
	d := t.open()
	t.sameKeys("an empty store", t.list(d, store.Range{Limit: 1}), nil)
	t.put(d, "a", "", "b", "", "c", "")
	for _, r := range []store.Range{{Start: "b", End: "b"}, {Start: "c", End: "a"}, {Start: "b\x00", End: "b"}, {Start: "d"}} {
		r.Limit = store.MaxPage
		t.sameKeys(fmt.Sprintf("%+v", r), t.list(d, r), nil)
		r.Reverse = true
		t.sameKeys(fmt.Sprintf("%+v", r), t.list(d, r), nil)
		r.KeysOnly = true
		t.sameKeys(fmt.Sprintf("%+v", r), t.list(d, r), nil)
	}
}

func listInvalidLimit(t *trial) {
	d := t.open()
	t.put(d, "a", "")
	for _, limit := range []int{0, -1, store.MaxPage + 1} {
		if _, err := d.List(t.ctx, store.Range{Limit: limit}); !errors.Is(err, opsec.ErrInvalid) {
			t.Errorf("List with limit %d: %v, want opsec.ErrInvalid", limit, err)
		}
	}
}

// strangeKeys has every byte, keys that are no UTF-8, keys that begin others, and the longest; in order.
func strangeKeys() []string {
	keys := []string{
		"a\x00", "a\x00\x00", "a\x00b", "a\x01", "aa", "a/", "a/b", "A", "ä", "a\u0308", "\xc3\x28", "\xe2\x82", "日本", "\xf0\x9f",
		"\x00\x00", "\x00\xff", "\xff\x00", "\xff\xff", "\xff\xfe", "\x7f\xff", "\x80\x00", "%", "_", "\\x61", "'", "\\'", " a", "a ",
		strings.Repeat("\x00", store.MaxKey), strings.Repeat("\xff", store.MaxKey), strings.Repeat("k", store.MaxKey),
		strings.Repeat("k", store.MaxKey-1), strings.Repeat("k", store.MaxKey-1) + "\x00",
	}
	for b := range 256 {
		keys = append(keys, string([]byte{byte(b)}))
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

func listOrderIsBytewise(t *trial) {
	d := t.open()
	keys := strangeKeys()
	var ops []store.Op
	for _, i := range rand.New(rand.NewPCG(1, 1)).Perm(len(keys)) {
		ops = append(ops, store.Op{Key: keys[i], Value: []byte(strconv.Itoa(i))})
	}
	t.fill(d, ops)
	for _, r := range []store.Range{{}, {Reverse: true}, {KeysOnly: true}, {KeysOnly: true, Reverse: true}} {
		r.Limit = store.MaxPage
		got, want := t.list(d, r), slices.Clone(keys)
		if r.Reverse {
			slices.Reverse(want)
		}
		t.sameKeys(fmt.Sprintf("%+v", r), got, want)
	}
	for i, item := range t.all(d) {
		if number(item) != i {
			t.Fatalf("%s, want value %d", show(item), i)
		}
	}
	for i, key := range keys {
		if item := t.get(d, key)[0]; number(item) != i {
			t.Fatalf("Get: %s, want value %d", show(item), i)
		}
		r := store.Range{Start: key, End: key + "\x00", Limit: 2}
		t.sameKeys("the range of one key", t.list(d, r), keys[i:i+1])
	}
}

func listReturnsValuesAndRevs(t *trial) {
	d := t.open()
	a := t.put(d, "a", "1")
	bc := t.put(d, "b", "", "c", "3")
	want := []store.Item{{Key: "a", Value: []byte("1"), Rev: a}, {Key: "b", Rev: bc}, {Key: "c", Value: []byte("3"), Rev: bc}}
	t.same("List", t.list(d, store.Range{Limit: 10}), want)
	slices.Reverse(want)
	t.same("List in reverse", t.list(d, store.Range{Limit: 10, Reverse: true}), want)
}

func listKeysOnly(t *trial) {
	d := t.open()
	a, b := t.put(d, "a", "1"), t.put(d, "b", "2")
	want := []store.Item{{Key: "a", Rev: a}, {Key: "b", Rev: b}}
	t.same("KeysOnly", t.list(d, store.Range{Limit: 10, KeysOnly: true}), want)
	slices.Reverse(want)
	t.same("KeysOnly in reverse", t.list(d, store.Range{Limit: 10, KeysOnly: true, Reverse: true}), want)
}

// listAgreesWithAModel does the same to the store and to a map, and lists at random.
func listAgreesWithAModel(t *trial) {
	d := t.open()
	rng := rand.New(rand.NewPCG(2, 2))
	model := map[string]store.Item{}
	word := func() string {
		b := make([]byte, 1+rng.IntN(3))
		for i := range b {
			b[i] = "\x00\x01ab\xfe\xff"[rng.IntN(6)]
		}
		return string(b)
	}
	for round := range 150 {
		written := map[string]store.Item{}
		var ops []store.Op
		for range 1 + rng.IntN(5) {
			op := store.Op{Key: word(), Delete: rng.IntN(3) == 0}
			if _, twice := written[op.Key]; twice {
				continue
			}
			if !op.Delete {
				op.Value = []byte(strconv.Itoa(round))
			}
			ops = append(ops, op)
			written[op.Key] = store.Item{Key: op.Key, Value: op.Value}
		}
		rev := t.commit(d, store.Batch{Ops: ops})
		for _, op := range ops {
			delete(model, op.Key)
			if !op.Delete {
				model[op.Key] = store.Item{Key: op.Key, Value: op.Value, Rev: rev}
			}
		}
		r := store.Range{Limit: 1 + rng.IntN(12), Reverse: rng.IntN(2) == 0}
		if rng.IntN(3) > 0 {
			r.Start = word()
		}
		if rng.IntN(3) > 0 {
			r.End = word()
		}
		t.same(fmt.Sprintf("%+v", r), t.list(d, r), expected(model, r))
	}
}

// expected is what a range of the model holds.
func expected(model map[string]store.Item, r store.Range) (items []store.Item) {
	for key, item := range model {
		if r.Start <= key && (r.End == "" || key < r.End) {
			items = append(items, item)
		}
	}
	slices.SortFunc(items, func(a, b store.Item) int {
		if r.Reverse {
			a, b = b, a
		}
		return strings.Compare(a.Key, b.Key)
	})
	return items[:min(r.Limit, len(items))]
}

// listIsOnePointInTime moves tokens between slots; every page has each of them once.
func listIsOnePointInTime(t *trial) {
	first, second := t.pair()
	const slots, tokens = 40, 8
	slot := func(n int) string { return fmt.Sprintf("slot/%02d", n) }
	for n := range tokens {
		t.put(first, slot(n*slots/tokens), strconv.Itoa(n))
	}
	move := func(d store.Driver, seed uint64) func(int) error {
		rng := rand.New(rand.NewPCG(seed, seed))
		return func(int) error {
			two, err := get(t.ctx, d, slot(rng.IntN(slots)), slot(rng.IntN(slots)))
			from, to := two[0], two[1]
			if err != nil || from.Rev == 0 || to.Rev != 0 {
				return err
			}
			_, err = d.Commit(t.ctx, store.Batch{
				Checks: []store.Check{{Key: from.Key, Rev: from.Rev}, {Key: to.Key}},
				Ops:    []store.Op{{Key: from.Key, Delete: true}, {Key: to.Key, Value: from.Value}},
			})
			if _, late := conflict(err); late {
				return nil
			}
			return err
		}
	}
	look := func(d store.Driver, reverse bool) func() error {
		return func() error {
			items, err := list(t.ctx, d, store.Range{Start: "slot/", End: "slot0", Limit: slots, Reverse: reverse})
			if err != nil {
				return err
			}
			seen := map[string]int{}
			for _, item := range items {
				seen[string(item.Value)]++
			}
			if len(items) != tokens || len(seen) != tokens {
				return fmt.Errorf("a page shows tokens %v of %d that move about", seen, tokens)
			}
			return nil
		}
	}
	t.against(300, []func(int) error{move(first, 3), move(second, 4)}, 200, []func() error{look(first, false), look(second, true)})
}
