package etcd_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/client/v3/concurrency"

	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/storetest/storebench"
)

// The server is a process of its own, and syncs its log to the disk of TMPDIR.
//
//	go test -run='^$' -bench=Driver
//	go test -run='^$' -bench=Conditional -benchtime=9x

func BenchmarkDriver(b *testing.B) {
	s := newStores(startProcess(b).endpoint())
	storebench.Run(b, s.open)
}

// BenchmarkConditional has three do the same: read a key, and write it if it is as it was read. In each round each has
// its turn over one connection; x-stm is the median of the rounds' ratios of the driver's rate to that of etcd's own
// client/v3/concurrency, and update-x-stm that of a whole DB.Update with its marker.
func BenchmarkConditional(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("%dCallers", callers), func(b *testing.B) { benchmarkConditional(b, callers, 600+20*callers) })
	}
}

func benchmarkConditional(b *testing.B, callers, writes int) {
	client := newClient(b, startProcess(b).endpoint())
	d := newDriver(b, client, "driver")
	db := newDB(b, newDriver(b, client, "update"))
	value := make([]byte, 256)
	contestants := []func(context.Context, int) error{
		func(ctx context.Context, caller int) error {
			key := fmt.Sprint("key", caller)
			items, err := d.Get(ctx, key)
			if err != nil {
				return err
			}
			_, err = d.Commit(ctx, store.Batch{
				Checks: []store.Check{{Key: key, Rev: items[0].Rev}}, Ops: []store.Op{{Key: key, Value: value}},
			})
			return err
		},
		func(_ context.Context, caller int) error {
			key := fmt.Sprint("stm:key", caller)
			_, err := concurrency.NewSTM(client, func(stm concurrency.STM) error {
				stm.Get(key)
				stm.Put(key, string(value))
				return nil
			})
			return err
		},
		func(ctx context.Context, caller int) error {
			return db.Update(ctx, func(tx *store.Tx) error {
				return records.Put(tx.Sub("acme"), &record{ID: fmt.Sprint("key", caller), Data: value[:180]})
			})
		},
	}
	var ratios [3][]float64
	var rates [3][]float64
	for round := 0; b.Loop(); round++ {
		var rate [3]float64
		for i := range contestants {
			i = (i + round) % len(contestants)
			rate[i] = perSecond(b, callers, writes, contestants[i])
		}
		for i := range contestants {
			rates[i] = append(rates[i], rate[i])
			ratios[i] = append(ratios[i], rate[i]/rate[1])
		}
	}
	b.ReportMetric(median(ratios[0]), "x-stm")
	b.ReportMetric(median(ratios[2]), "update-x-stm")
	b.ReportMetric(median(rates[0]), "driver/s")
	b.ReportMetric(median(rates[1]), "stm/s")
	b.ReportMetric(median(rates[2]), "update/s")
}

// record is of 256 bytes and some, as it is stored.
type record struct {
	ID   string
	Data []byte
}

var records = store.NewCollection(store.Schema[record]{Name: "records", ID: func(r *record) store.Key { return store.Text(r.ID) }})

// perSecond has the callers do so many writes together, each on a key of its own.
func perSecond(b *testing.B, callers, writes int, write func(ctx context.Context, caller int) error) float64 {
	b.Helper()
	errs := make([]error, callers)
	var wait sync.WaitGroup
	begin := time.Now()
	for caller := range callers {
		wait.Go(func() {
			for range writes / callers {
				errs[caller] = errors.Join(errs[caller], write(b.Context(), caller))
			}
		})
	}
	wait.Wait()
	took := time.Since(begin)
	require.NoError(b, errors.Join(errs...))
	return float64(writes/callers*callers) / took.Seconds()
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}
