package memory_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
)

var (
	_ store.Driver  = (*memory.Driver)(nil)
	_ store.Watcher = (*memory.Driver)(nil)
	_ store.Certain = (*memory.Driver)(nil)
)

func Example() {
	ctx := context.Background()
	driver := memory.New()
	defer driver.Close()
	_, err := driver.Commit(ctx, store.Batch{Ops: []store.Op{{Key: "greeting", Value: []byte("hello")}}})
	if err != nil {
		panic(err)
	}
	items, err := driver.Get(ctx, "greeting")
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s\n", items[0].Value)
	// Output: hello
}

func TestValuesAreCopiedOnTheWayInAndSharedOnTheWayOut(t *testing.T) {
	d := memory.New()
	mine := []byte("value")
	_, err := d.Commit(t.Context(), store.Batch{Ops: []store.Op{{Key: "k", Value: mine}}})
	require.NoError(t, err)
	copy(mine, "other")
	first, err := d.Get(t.Context(), "k")
	require.NoError(t, err)
	require.Equal(t, "value", string(first[0].Value))
	listed, err := d.List(t.Context(), store.Range{Limit: 1})
	require.NoError(t, err)
	require.Same(t, &first[0].Value[0], &listed[0].Value[0])
}

func TestConflictNamesAllThatFailed(t *testing.T) {
	d := memory.New()
	_, err := d.Commit(t.Context(), store.Batch{
		Checks: []store.Check{{Key: "a", Rev: 1}, {Key: "b"}, {Key: "c", Rev: 2}},
		Ops:    []store.Op{{Key: "a"}},
	})
	require.Equal(t, &store.ConflictError{Keys: []string{"a", "c"}}, err)
}

func TestPageEndsWithTheItemThatFillsIt(t *testing.T) {
	d := memory.New()
	value := bytes.Repeat([]byte{1}, store.MaxValue)
	for i := range 20 {
		_, err := d.Commit(t.Context(), store.Batch{Ops: []store.Op{{Key: fmt.Sprintf("%02d", i), Value: value}}})
		require.NoError(t, err)
	}
	for want, r := range map[int]store.Range{
		16: {Limit: store.MaxPage},
		20: {Limit: store.MaxPage, KeysOnly: true},
		10: {Limit: store.MaxPage, End: "10"},
		5:  {Limit: store.MaxPage, Start: "05", End: "10", Reverse: true},
		3:  {Limit: 3, Reverse: true},
	} {
		page, err := d.List(t.Context(), r)
		require.NoError(t, err)
		require.Len(t, page, want)
	}
}
