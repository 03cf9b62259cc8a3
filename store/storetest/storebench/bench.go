package storebench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cloudopsec/opsec/store"
)

// Run measures a driver: commits of 100 rows, conditional commits of one caller, of 64 callers on keys of
// their own and on one key that all want, pages of 1000 items, and Gets. Values are of 256 bytes; the reads are over
// 10,000 rows. open returns a driver onto a new, empty store.
func Run(b *testing.B, open func(testing.TB) store.Driver) {
	b.Run("Batch100", func(b *testing.B) { benchmarkBatch(b, open(b)) })
	b.Run("SwapAlone", func(b *testing.B) { benchmarkSwap(b, open(b), 1, false) })
	b.Run("Swap64Keys64Callers", func(b *testing.B) { benchmarkSwap(b, open(b), 64, false) })
	b.Run("Swap1Key64Callers", func(b *testing.B) { benchmarkSwap(b, open(b), 64, true) })
	b.Run("Scan", func(b *testing.B) { benchmarkScan(b, open(b)) })
	b.Run("ScanKeys", func(b *testing.B) { benchmarkScanKeys(b, open(b)) })
	b.Run("Get", func(b *testing.B) { benchmarkGet(b, open(b), 1) })
	b.Run("Get10", func(b *testing.B) { benchmarkGet(b, open(b), 10) })
	b.Run("GetAbsent", func(b *testing.B) { benchmarkGetAbsent(b, open(b)) })
}

const benchmarkRows = 10_000

// row has its number scattered, so that neighbours in time are none in the store.
func row(n int) string { return fmt.Sprintf("row/%08x", uint32(n)*2654435761) }

func rows(from, n int) (ops []store.Op) {
	value := make([]byte, 256)
	for i := range n {
		ops = append(ops, store.Op{Key: row(from + i), Value: value})
	}
	return ops
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func fillRows(b *testing.B, d store.Driver) {
	b.Helper()
	for from := 0; from < benchmarkRows; from += store.MaxOps {
		_, err := d.Commit(b.Context(), store.Batch{Ops: rows(from, store.MaxOps)})
		must(b, err)
	}
	b.ReportAllocs()
	b.ResetTimer()
}

func perSecond(b *testing.B, n int, unit string) {
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), unit+"/s")
}

func benchmarkBatch(b *testing.B, d store.Driver) {
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		_, err := d.Commit(b.Context(), store.Batch{Ops: rows(n, store.MaxOps)})
		must(b, err)
		n += store.MaxOps
	}
	perSecond(b, n, "rows")
}

// benchmarkSwap counts swaps that were done. Who loses reads again, as a transaction would.
func benchmarkSwap(b *testing.B, d store.Driver, callers int, hot bool) {
	b.ReportAllocs()
	value := make([]byte, 256)
	var left, conflicts atomic.Int64
	left.Store(int64(b.N))
	errs := make([]error, callers)
	var wait sync.WaitGroup
	b.ResetTimer()
	for i := range callers {
		key := "key" + strconv.Itoa(i)
		if hot {
			key = "key"
		}
		wait.Go(func() {
			for left.Add(-1) >= 0 && errs[i] == nil {
				errs[i] = swap(context.Background(), d, key, value, &conflicts)
			}
		})
	}
	wait.Wait()
	for _, err := range errs {
		must(b, err)
	}
	perSecond(b, b.N, "swaps")
	if hot {
		b.ReportMetric(float64(conflicts.Load())/float64(b.N), "conflicts/op")
	}
}

func swap(ctx context.Context, d store.Driver, key string, value []byte, conflicts *atomic.Int64) error {
	for {
		items, err := d.Get(ctx, key)
		if err != nil {
			return err
		}
		_, err = d.Commit(ctx, store.Batch{
			Checks: []store.Check{{Key: key, Rev: items[0].Rev}},
			Ops:    []store.Op{{Key: key, Value: value}},
		})
		if _, late := errors.AsType[*store.ConflictError](err); !late {
			return err
		}
		conflicts.Add(1)
	}
}

func benchmarkScan(b *testing.B, d store.Driver) {
	fillRows(b, d)
	n := 0
	for b.Loop() {
		for r := (store.Range{Limit: store.MaxPage}); ; {
			items, err := d.List(b.Context(), r)
			must(b, err)
			if n += len(items); len(items) == 0 {
				break
			}
			r.Start = items[len(items)-1].Key + "\x00"
		}
	}
	perSecond(b, n, "rows")
}

func benchmarkScanKeys(b *testing.B, d store.Driver) {
	fillRows(b, d)
	n := 0
	for b.Loop() {
		items, err := d.List(b.Context(), store.Range{Start: row(n), Limit: store.MaxPage, KeysOnly: true})
		must(b, err)
		n += len(items)
	}
	perSecond(b, n, "rows")
}

func benchmarkGet(b *testing.B, d store.Driver, keys int) {
	fillRows(b, d)
	names := make([]string, keys)
	n := 0
	for b.Loop() {
		for i := range names {
			names[i] = row(n % benchmarkRows)
			n += 7
		}
		_, err := d.Get(b.Context(), names...)
		must(b, err)
	}
}

func benchmarkGetAbsent(b *testing.B, d store.Driver) {
	fillRows(b, d)
	n := 0
	for b.Loop() {
		_, err := d.Get(b.Context(), row(n)+"/absent")
		must(b, err)
		n++
	}
}
