package storetest

import (
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/cloudopsec/opsec/store"
)

func readChecks() []check {
	return []check{
		{"SeesReturnedCommits", readSeesReturnedCommits},
		{"SeesReturnedCommitsOfOthers", readSeesReturnedCommitsOfOthers},
		{"SeesReturnedDeletes", readSeesReturnedDeletes},
		{"ValuesStayAsTheyWere", readValuesStay},
	}
}

// see asks a handle for a key in both ways.
func see(t *trial, d store.Driver, key string) (byGet, byList store.Item, err error) {
	items, err := get(t.ctx, d, key)
	if err != nil {
		return byGet, byList, err
	}
	page, err := list(t.ctx, d, store.Range{Start: key, End: key + "\x00", Limit: 1})
	if err != nil {
		return byGet, byList, err
	}
	byList.Key = key
	if len(page) > 0 {
		byList = page[0]
	}
	return items[0], byList, nil
}

func readSeesReturnedCommits(t *trial) {
	first, second := t.pair()
	for n := range 60 {
		writer, reader := first, second
		if n%2 == 1 {
			writer, reader = second, first
		}
		rev := t.put(writer, "k", strconv.Itoa(n))
		for _, d := range []store.Driver{reader, writer} {
			byGet, byList, err := see(t, d, "k")
			t.ok(err)
			want := []store.Item{{Key: "k", Value: []byte(strconv.Itoa(n)), Rev: rev}}
			t.same("Get after Commit", []store.Item{byGet}, want)
			t.same("List after Commit", []store.Item{byList}, want)
		}
	}
}

// readSeesReturnedCommitsOfOthers reads what is at least as new as the last commit that had returned.
func readSeesReturnedCommitsOfOthers(t *trial) {
	first, second := t.pair()
	var returned atomic.Int64
	write := func(step int) error {
		d := first
		if step%2 == 1 {
			d = second
		}
		_, err := d.Commit(t.ctx, store.Batch{Ops: puts("k", strconv.Itoa(step))})
		if err == nil {
			returned.Store(int64(step))
		}
		return err
	}
	t.ok(write(0))
	read := func(d store.Driver) func() error {
		return func() error {
			least := int(returned.Load())
			byGet, byList, err := see(t, d, "k")
			if err != nil {
				return err
			}
			if number(byGet) < least || number(byList) < number(byGet) {
				return fmt.Errorf("commit %d had returned; Get shows %d, and List after it %d", least, number(byGet), number(byList))
			}
			return nil
		}
	}
	t.against(300, []func(int) error{write}, 300, []func() error{read(first), read(second)})
}

func readSeesReturnedDeletes(t *trial) {
	first, second := t.pair()
	for n := range 20 {
		key := "k" + strconv.Itoa(n%3)
		for _, there := range []bool{true, false} {
			if there {
				t.put(first, key, "v")
			} else {
				t.remove(second, key)
			}
			for _, d := range []store.Driver{first, second} {
				byGet, byList, err := see(t, d, key)
				t.ok(err)
				if (byGet.Rev != 0) != there || (byList.Rev != 0) != there {
					t.Fatalf("the key is there: %v. Get shows %s, List %s", there, show(byGet), show(byList))
				}
			}
		}
	}
}

// readValuesStay keeps what was read, and looks at it again after the store has gone on and was closed.
func readValuesStay(t *trial) {
	d := t.open()
	var kept []store.Item
	var want []string
	for n := range 40 {
		value := fmt.Sprintf("%0*d", 10+n*50, n)
		t.put(d, "k", value, "other"+strconv.Itoa(n), value)
		byGet, byList, err := see(t, d, "k")
		t.ok(err)
		kept = append(kept, byGet, byList)
		want = append(want, value, value)
		if n%4 == 3 {
			t.remove(d, "k", "other"+strconv.Itoa(n-1))
		}
	}
	look := func(when string) {
		t.Helper()
		for i := range kept {
			if string(kept[i].Value) != want[i] {
				t.Fatalf("%s, a value that had been read became %.40q, it was %.40q", when, kept[i].Value, want[i])
			}
		}
	}
	look("after more commits")
	t.ok(d.Close())
	look("after Close")
}
