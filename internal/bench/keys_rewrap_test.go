package bench

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/keyring"
	"github.com/cloudopsec/opsec/keymgmt/rewrap"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/bolt"
)

// wrappedKeys are wrapped data keys, a row of a store each.
type wrappedKeys struct {
	driver store.Driver
	bound  keymgmt.Context
}

func (w wrappedKeys) Objects(ctx context.Context, after string) iter.Seq2[rewrap.Object, error] {
	return func(yield func(rewrap.Object, error) bool) {
		for r := (store.Range{Start: after + "\x00", Limit: store.MaxPage}); ; {
			page, err := w.driver.List(ctx, r)
			if err != nil {
				yield(rewrap.Object{}, err)
				return
			}
			for _, row := range page {
				o := rewrap.Object{ID: row.Key, Rev: strconv.FormatUint(uint64(row.Rev), 10), Wrapped: row.Value, Context: w.bound}
				if !yield(o, nil) {
					return
				}
			}
			if len(page) == 0 {
				return
			}
			r.Start = page[len(page)-1].Key + "\x00"
		}
	}
}

// Swap commits all together; when one of them has changed meanwhile, one by one.
func (w wrappedKeys) Swap(ctx context.Context, changes []rewrap.Change) ([]bool, error) {
	done := make([]bool, len(changes))
	var batch store.Batch
	for i, c := range changes {
		rev, err := strconv.ParseUint(c.Rev, 10, 64)
		if err != nil {
			return nil, err
		}
		batch.Checks = append(batch.Checks, store.Check{Key: c.ID, Rev: store.Rev(rev)})
		batch.Ops = append(batch.Ops, store.Op{Key: c.ID, Value: append([]byte(nil), c.Rewrapped...)})
		done[i] = true
	}
	_, err := w.driver.Commit(ctx, batch)
	if _, conflict := errors.AsType[*store.ConflictError](err); !conflict || len(changes) == 1 {
		done[0] = done[0] && !conflict
		if conflict {
			err = nil
		}
		return done, err
	}
	for i := range changes {
		one, err := w.Swap(ctx, changes[i:i+1])
		if err != nil {
			return nil, err
		}
		done[i] = one[0]
	}
	return done, nil
}

// BenchmarkKeysRewrap moves -records wrapped data keys from one key to the next: cryptography alone, on one core, and the
// whole run over rows in bbolt, which reads, swaps and syncs them in batches of 100.
//
//	go test -run='^$' -bench=KeysRewrap -benchtime=1x -records=1000000
func BenchmarkKeysRewrap(b *testing.B) {
	c, err := keymgmt.NewContext("tenant", "acme", "kind", "data-key")
	require.NoError(b, err)
	s := newInvoices(b)
	driver, err := bolt.Open(filepath.Join(storeDir(b), "wrapped"), nil)
	require.NoError(b, err)
	b.Cleanup(func() { driver.Close() })
	kept := wrappedKeys{driver, c}
	wrap(b, kept, s.ring, *records)
	var seconds, crypto []float64
	for b.Loop() {
		key := s.rotate(b)
		sample := make([][]byte, 0, 1000)
		for o, err := range kept.Objects(b.Context(), "") {
			require.NoError(b, err)
			if sample = append(sample, o.Wrapped); len(sample) == cap(sample) {
				break
			}
		}
		rewrapper := rewrap.Ciphertexts(s.ring)
		var out []byte
		start := time.Now()
		for i := range *records {
			if out, err = rewrapper.Rewrap(b.Context(), out[:0], sample[i%len(sample)], c); err != nil {
				b.Fatal(err)
			}
		}
		crypto = append(crypto, time.Since(start).Seconds())

		start = time.Now()
		counts := rewrapAll(b, kept, s.ring, key)
		seconds = append(seconds, time.Since(start).Seconds())
		require.EqualValues(b, *records, counts.Rewrapped)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(crypto)/float64(*records)*1e9, "ns/item-cryptography")
	b.ReportMetric(median(seconds)/float64(*records)*1e9, "ns/item-bolt")
	b.ReportMetric(float64(*records)/median(seconds), "items/s-bolt")
}

// wrap fills a store with data keys.
func wrap(t testing.TB, kept wrappedKeys, ring *keyring.Ring, n int) {
	for from := 0; from < n; from += store.MaxOps {
		var ops []store.Op
		for i := from; i < min(from+store.MaxOps, n); i++ {
			wrapped, err := ring.Seal(nil, noise(32), kept.bound)
			require.NoError(t, err)
			ops = append(ops, store.Op{Key: fmt.Sprintf("dek/%09d", i), Value: wrapped})
		}
		require.NoError(t, commitRows(kept.driver, ops))
	}
}

func rewrapAll(t testing.TB, kept wrappedKeys, ring *keyring.Ring, to keymgmt.Key) rewrap.Counts {
	job := rewrap.Job{Set: ring.ID(), Name: "data-keys", To: to.Ref.Key}
	d, err := rewrap.New(job, kept, rewrap.Ciphertexts(ring), rewrap.Policy{Batch: store.MaxOps}, rewrap.Options{
		Authorizer: opsec.CallerAuthorized{}, Recorder: unheard{},
	})
	require.NoError(t, err)
	reached, err := d.Run(t.Context(), keeper.Actor, rewrap.Checkpoint{})
	require.NoError(t, err)
	require.True(t, reached.Done)
	return reached.Counts
}

func TestKeysRewrapMovesEveryRow(t *testing.T) {
	const n = 1234
	c, err := keymgmt.NewContext("tenant", "acme", "kind", "data-key")
	require.NoError(t, err)
	s := newInvoices(t)
	driver, err := bolt.Open(filepath.Join(storeDir(t), "wrapped"), nil)
	require.NoError(t, err)
	t.Cleanup(func() { driver.Close() })
	kept := wrappedKeys{driver, c}
	wrap(t, kept, s.ring, n)
	key := s.rotate(t)
	require.Equal(t, rewrap.Counts{Rewrapped: n}, rewrapAll(t, kept, s.ring, key))
	require.Equal(t, rewrap.Counts{Current: n}, rewrapAll(t, kept, s.ring, key))
	for o, err := range kept.Objects(t.Context(), "") {
		require.NoError(t, err)
		id, ok := rewrap.Ciphertext{}.KeyID(o.Wrapped)
		require.True(t, ok)
		require.Equal(t, key.Ref.Key, id)
		got, err := s.ring.Open(nil, o.Wrapped, c)
		require.NoError(t, err)
		require.Equal(t, noise(32), got)
	}
}
