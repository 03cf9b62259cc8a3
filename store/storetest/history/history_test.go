package history_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
	"github.com/cloudopsec/opsec/store/storetest"
	"github.com/cloudopsec/opsec/store/storetest/history"
)

func TestHistoryHasEveryKindOfOperation(t *testing.T) {
	f := storetest.NewFlaky(memory.New(), storetest.FlakyOptions{Commit: map[storetest.Fault]float64{storetest.LostAnswer: 0.1, storetest.Slow: 0.2}})
	list, err := history.Record(t.Context(), []store.Driver{f}, &history.Options{Cancel: 0.1})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 16*20 {
		t.Fatalf("%d operations", len(list))
	}
	outcomes := map[history.Outcome]int{}
	checked, deleted, blind := 0, 0, 0
	for _, op := range list {
		outcomes[op.Outcome]++
		if op.Call > op.Return {
			t.Fatalf("%+v returns before it is called", op)
		}
		for key, value := range op.Write {
			if _, ok := op.Expect[key]; !ok {
				blind++
			}
			if value == "" {
				deleted++
			}
		}
		for key := range op.Expect {
			if _, ok := op.Write[key]; !ok {
				checked++
			}
		}
	}
	for o := history.Seen; o <= history.Unknown; o++ {
		if outcomes[o] == 0 {
			t.Errorf("no operation has outcome %d", o)
		}
	}
	if checked == 0 || deleted == 0 || blind == 0 {
		t.Errorf("%d keys only checked, %d deleted, %d written without a check", checked, deleted, blind)
	}
}

// restless gives what it lists other Revs.
type restless struct{ store.Driver }

func (r restless) List(ctx context.Context, rg store.Range) ([]store.Item, error) {
	items, err := r.Driver.List(ctx, rg)
	for i := range items {
		items[i].Rev++
	}
	return items, err
}

func TestHistoryComparesRevs(t *testing.T) {
	_, err := history.Record(t.Context(), []store.Driver{restless{memory.New()}}, nil)
	if err == nil || !strings.Contains(err.Error(), "has Rev") {
		t.Fatal(err)
	}
}

func TestHistoryReportsStrangeErrors(t *testing.T) {
	f := storetest.NewFlaky(memory.New(), storetest.FlakyOptions{})
	f.NextRead(storetest.Pass, storetest.Pass, storetest.Fail)
	_, err := history.Record(context.Background(), []store.Driver{f}, nil)
	if !errors.Is(err, storetest.ErrFault) {
		t.Fatal(err)
	}
}
