package bench

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/bolt"
)

var (
	records = flag.Int("records", 200_000, "records of the store that is opened")
	disk    = flag.String("disk", ".", "where stores are made: a real disk, not a file system in memory")
)

// The store that commits and scans are measured on.
const (
	storeRows   = 50_000
	storeValue  = 256 // bytes
	storeBatch  = 100 // rows
	storeCaller = 64
)

// The ratios are bbolt's time over the driver's, so 0.9 x-bbolt means that the driver has 0.9 of bbolt's rate. The disk
// decides the one of 64 callers: the driver shares the syncs of a group and pays for each page that it writes.
//
//	go test -run='^$' -bench='Store.*/ratios' -benchtime=3x
//	go test -run='^$' -bench=StoreOpen -records=10000000 -benchtime=5x

// stores are two files with the same rows, one for the driver and one for bbolt alone, whose records have the
// driver's eight bytes of a revision in front as well.
func stores(b *testing.B) (*bolt.Driver, *bbolt.DB) {
	dir := storeDir(b)
	driver, err := bolt.Open(filepath.Join(dir, "driver"), nil)
	require.NoError(b, err)
	b.Cleanup(func() { driver.Close() })
	raw, err := bbolt.Open(filepath.Join(dir, "raw"), 0o600, nil)
	require.NoError(b, err)
	b.Cleanup(func() { raw.Close() })
	require.NoError(b, raw.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte("raw"))
		return err
	}))
	for from := 0; from < storeRows; from += storeBatch {
		require.NoError(b, commitRows(driver, rows(from)))
		require.NoError(b, updateRows(raw, rows(from)))
	}
	return driver, raw
}

func storeDir(b testing.TB) string {
	dir, err := os.MkdirTemp(*disk, "store")
	require.NoError(b, err)
	b.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// rows are those of one batch, in the order of their keys.
func rows(from int) []store.Op {
	ops := make([]store.Op, storeBatch)
	value := noise(storeValue)
	for i := range ops {
		ops[i] = store.Op{Key: storeKey(from + i), Value: value}
	}
	return ops
}

func storeKey(i int) string { return fmt.Sprintf("account/%010d", i) }

func commitRows(d store.Driver, ops []store.Op) error {
	_, err := d.Commit(context.Background(), store.Batch{Ops: ops})
	return err
}

func updateRows(db *bbolt.DB, ops []store.Op) error {
	return db.Update(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket([]byte("raw"))
		for _, op := range ops {
			if err := bucket.Put([]byte(op.Key), append(make([]byte, 8, 8+storeValue), op.Value...)); err != nil {
				return err
			}
		}
		return nil
	})
}

// once gives each contestant the same numbers.
func once(seed uint64, limit int) func() int {
	r := rand.New(rand.NewPCG(seed, 0))
	return func() int { return r.IntN(limit) }
}

// How often a run of one caller writes.
const (
	loneWrites  = 400
	batchWrites = 40
)

// alone is a run of one caller, who writes to a key at a time.
func alone(write func(key string) error) func() string {
	next := once(2, storeRows)
	return func() string {
		for range loneWrites {
			if write(storeKey(next())) != nil {
				return ""
			}
		}
		return "written"
	}
}

// batched is a run of one caller, who writes 100 rows at a time.
func batched(write func([]store.Op) error) func() string {
	next := once(1, storeRows/storeBatch)
	return func() string {
		for range batchWrites {
			if write(rows(next()*storeBatch)) != nil {
				return ""
			}
		}
		return "written"
	}
}

func BenchmarkStoreBatches(b *testing.B) {
	driver, raw := stores(b)
	race(b, batchWrites*storeBatch*storeValue, []contestant{
		{name: "driver", run: batched(func(ops []store.Op) error { return commitRows(driver, ops) })},
		{name: "bbolt", run: batched(func(ops []store.Op) error { return updateRows(raw, ops) })},
	})
}

func BenchmarkStoreScan(b *testing.B) {
	driver, raw := stores(b)
	scan := func(each func(k, v []byte)) func() string {
		return func() string {
			n := 0
			raw.View(func(tx *bbolt.Tx) error {
				c := tx.Bucket([]byte("raw")).Cursor()
				for k, v := c.First(); k != nil; k, v = c.Next() {
					each(k, v[8:])
					n++
				}
				return nil
			})
			return strconv.Itoa(n)
		}
	}
	var key string
	var value []byte
	var sum byte
	race(b, storeRows*storeValue, []contestant{
		{name: "driver", run: func() string {
			n := 0
			r := store.Range{Limit: store.MaxPage}
			for {
				page, err := driver.List(context.Background(), r)
				if err != nil {
					return ""
				}
				if len(page) == 0 {
					return strconv.Itoa(n)
				}
				n += len(page)
				r.Start = page[len(page)-1].Key + "\x00"
			}
		}},
		{name: "bbolt-copying", run: scan(func(k, v []byte) { key, value = string(k), append([]byte(nil), v...) })},
		{name: "bbolt-looking", run: scan(func(k, v []byte) { sum += k[0] + v[len(v)-1] })}, // at two bytes, keeping nothing
	})
	_, _ = key, value
}

// conditional writes key if it is as it was read.
func conditional(d store.Driver, key string, value []byte) error {
	got, err := d.Get(context.Background(), key)
	if err != nil {
		return err
	}
	_, err = d.Commit(context.Background(), store.Batch{
		Checks: []store.Check{{Key: key, Rev: got[0].Rev}},
		Ops:    []store.Op{{Key: key, Value: value}},
	})
	return err
}

func readAndPut(db *bbolt.DB, key string, value []byte) error {
	return db.Update(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket([]byte("raw"))
		old := bucket.Get([]byte(key))
		rev := binary.BigEndian.Uint64(old) + 1
		return bucket.Put([]byte(key), append(binary.BigEndian.AppendUint64(nil, rev), value...))
	})
}

func BenchmarkStoreConditional(b *testing.B) {
	driver, raw := stores(b)
	value := noise(storeValue)
	race(b, loneWrites*storeValue, []contestant{
		{name: "driver", run: alone(func(key string) error { return conditional(driver, key, value) })},
		{name: "bbolt", run: alone(func(key string) error { return readAndPut(raw, key, value) })},
	})
}

// each is how often each caller of a crowd writes.
const each = 100

// crowd is a run of 64 callers, each of which writes to keys of its own.
func crowd(write func(key string) error) func() string {
	round := 0
	return func() string {
		round++
		var failed atomic.Bool
		var wg sync.WaitGroup
		for caller := range storeCaller {
			wg.Go(func() {
				next := once(uint64(round*storeCaller+caller), storeRows/storeCaller)
				for range each {
					if write(storeKey(next()*storeCaller+caller)) != nil {
						failed.Store(true)
					}
				}
			})
		}
		wg.Wait()
		if failed.Load() {
			return ""
		}
		return "written"
	}
}

func BenchmarkStoreConditional64(b *testing.B) {
	driver, raw := stores(b)
	value := noise(storeValue)
	race(b, storeCaller*each*storeValue, []contestant{
		{name: "driver", run: crowd(func(key string) error { return conditional(driver, key, value) })},
		{name: "bbolt", run: crowd(func(key string) error { return readAndPut(raw, key, value) })},
	})
}

// TestStoreOpenChild is the process whose memory BenchmarkStoreOpen measures.
func TestStoreOpenChild(t *testing.T) {
	path := os.Getenv("OPSEC_BENCH_STORE")
	if path == "" {
		t.Skip("for BenchmarkStoreOpen")
	}
	start := time.Now()
	d, err := bolt.Open(path, nil)
	require.NoError(t, err)
	took := time.Since(start)
	_, err = d.Get(t.Context(), "key")
	require.NoError(t, err)
	require.NoError(t, d.Close())
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	for line := range strings.Lines(string(status)) {
		if kib, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			fmt.Printf("opened %d %s\n", took.Nanoseconds(), strings.Fields(kib)[0])
		}
	}
}

// BenchmarkStoreOpen opens a store of -records small records in a process of its own.
func BenchmarkStoreOpen(b *testing.B) {
	path := filepath.Join(storeDir(b), "many")
	d, err := bolt.Open(path, nil)
	require.NoError(b, err)
	r := rand.New(rand.NewPCG(3, 0))
	var wg sync.WaitGroup
	work := make(chan []store.Op, 4)
	for range 100 { // so that they share transactions
		wg.Go(func() {
			for ops := range work {
				if _, err := d.Commit(context.Background(), store.Batch{Ops: ops}); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for made := 0; made < *records; made += store.MaxOps {
		ops := make([]store.Op, store.MaxOps)
		for i := range ops {
			ops[i] = store.Op{Key: fmt.Sprintf("%09d/%08x", made+i, r.Uint32()), Value: []byte("small")}
		}
		work <- ops
	}
	close(work)
	wg.Wait()
	for from := 0; from < *records/2; from += *records / 100 { // holes
		page, err := d.List(context.Background(), store.Range{Start: fmt.Sprintf("%09d", from), Limit: store.MaxOps})
		require.NoError(b, err)
		ops := make([]store.Op, len(page))
		for i := range page {
			ops[i] = store.Op{Key: page[i].Key, Delete: true}
		}
		require.NoError(b, commitRows(d, ops))
	}
	require.NoError(b, d.Close())
	info, err := os.Stat(path)
	require.NoError(b, err)
	self, err := os.Executable()
	require.NoError(b, err)
	var took, peak []float64
	for b.Loop() {
		cmd := exec.Command(self, "-test.run=^TestStoreOpenChild$")
		cmd.Env = append(os.Environ(), "OPSEC_BENCH_STORE="+path)
		out, err := cmd.CombinedOutput()
		require.NoError(b, err, string(out))
		var ns, kib float64
		_, err = fmt.Sscanf(string(out), "opened %f %f", &ns, &kib)
		require.NoError(b, err, string(out))
		took, peak = append(took, ns), append(peak, kib)
	}
	b.ReportMetric(median(took)/1e6, "ms-open")
	b.ReportMetric(median(peak)/1024, "MiB-peak")
	b.ReportMetric(float64(info.Size())/(1<<20), "MiB-file")
}
