package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/bolt"
	"github.com/cloudopsec/opsec/store/memory"
)

// account is a record whose JSON has 256 bytes or so.
type account struct {
	ID    string    `json:"id"`
	Login string    `json:"login"`
	Role  string    `json:"role"`
	Until time.Time `json:"until"`
	Note  string    `json:"note"`
}

var accounts = store.NewCollection(store.Schema[account]{
	Name: "accounts",
	ID:   func(a *account) store.Key { return store.Text(a.ID) },
})

func newAccount(i int) *account {
	return &account{
		ID: fmt.Sprintf("account-%08d", i), Login: fmt.Sprintf("user-%08d@example.com", i), Role: "operator",
		Until: time.Unix(int64(1_800_000_000+i), 0).UTC(), Note: "a note of eighty bytes, as an operator might write it, to make up for the rest of it ....",
	}
}

func newStore(b testing.TB, d store.Driver, o *store.Options) *store.DB {
	db, err := store.New(d, o)
	require.NoError(b, err)
	return db
}

func tinkOptions(b testing.TB) (*store.Options, tink.AEAD) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	require.NoError(b, err)
	sealer, err := aead.New(handle)
	require.NoError(b, err)
	prfHandle, err := keyset.NewHandle(prf.HMACSHA256PRFKeyTemplate())
	require.NoError(b, err)
	set, err := prf.NewPRFSet(prfHandle)
	require.NoError(b, err)
	return &store.Options{Sealer: sealer, PRF: set.PRFs[set.PrimaryID]}, sealer
}

// BenchmarkStoreSealedList lists records of 256 bytes of a store in memory, sealed by Tink and plain, and opens as many
// values with Tink alone. x-over is what is left of the sealed list without the bare decryption, over the plain list.
func BenchmarkStoreSealedList(b *testing.B) {
	const n = 20_000
	o, sealer := tinkOptions(b)
	plain, sealed := newStore(b, memory.New(), nil), newStore(b, memory.New(), o)
	ctx := context.Background()
	for _, db := range []*store.DB{plain, sealed} {
		_, err := accounts.Import(ctx, db, "acme", func(yield func(*account, error) bool) {
			for i := range n {
				if !yield(newAccount(i), nil) {
					return
				}
			}
		})
		require.NoError(b, err)
	}
	secret, ad := make([]byte, 256), []byte("t\x00acme\x00r\x00accounts\x00account-00000000")
	ciphertext, err := sealer.Encrypt(secret, ad)
	require.NoError(b, err)
	list := func(db *store.DB) {
		got := 0
		require.NoError(b, db.View(ctx, func(tx *store.Tx) error {
			for _, err := range accounts.List(tx.Sub("acme"), store.Query{}) {
				if err != nil {
					return err
				}
				got++
			}
			return nil
		}))
		require.Equal(b, n, got)
	}
	var plains, overs, bares []float64
	for b.Loop() {
		for range rounds {
			start := time.Now()
			list(plain)
			tPlain := time.Since(start)
			start = time.Now()
			for range n {
				if _, err := sealer.Decrypt(ciphertext, ad); err != nil {
					b.Fatal(err)
				}
			}
			tBare := time.Since(start)
			start = time.Now()
			list(sealed)
			tSealed := time.Since(start)
			plains = append(plains, float64(tPlain.Nanoseconds())/n)
			bares = append(bares, float64(tBare.Nanoseconds())/n)
			overs = append(overs, float64(tSealed-tBare)/float64(tPlain))
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(plains), "ns/plain-record")
	b.ReportMetric(median(bares), "ns/bare-decryption")
	b.ReportMetric(median(overs), "x-over")
}

// BenchmarkStoreUpdate is a whole transaction, read, change, put, over a record with an index, beside bbolt doing a read
// and a put of as many bytes.
func BenchmarkStoreUpdate(b *testing.B) {
	driver, raw := stores(b)
	db := newStore(b, driver, nil)
	ctx := context.Background()
	require.NoError(b, db.Update(ctx, func(tx *store.Tx) error { return accounts.Put(tx.Sub("acme"), newAccount(1)) }))
	value := noise(storeValue)
	const writes = 200
	race(b, writes, []contestant{
		{name: "update", run: func() string {
			for range writes {
				if err := touch(ctx, db, 1); err != nil {
					return err.Error()
				}
			}
			return "written"
		}},
		{name: "bbolt", run: func() string {
			for range writes {
				if err := readAndPut(raw, storeKey(1), value); err != nil {
					return err.Error()
				}
			}
			return "written"
		}},
	})
}

func touch(ctx context.Context, db *store.DB, i int) error {
	return db.Update(ctx, func(tx *store.Tx) error {
		s := tx.Sub("acme")
		a, err := accounts.Get(s, store.Text(fmt.Sprintf("account-%08d", i)))
		if err != nil {
			return err
		}
		a.Until = a.Until.Add(time.Second)
		return accounts.Put(s, a)
	})
}

// retried is a loop of Get and Commit that begins anew after a conflict, as one would write it.
func retried(ctx context.Context, d store.Driver, key string, value []byte) error {
	for {
		items, err := d.Get(ctx, key)
		if err != nil {
			return err
		}
		_, err = d.Commit(ctx, store.Batch{
			Checks: []store.Check{{Key: key, Rev: items[0].Rev}},
			Ops:    []store.Op{{Key: key, Value: value}},
		})
		if _, conflict := err.(*store.ConflictError); !conflict {
			return err
		}
	}
}

// BenchmarkStoreHotKey has 64 callers change one record, through a DB whose callers take turns, and beside it through an
// optimistic loop over the same driver.
func BenchmarkStoreHotKey(b *testing.B) {
	d, err := bolt.Open(filepath.Join(storeDir(b), "hot"), nil)
	require.NoError(b, err)
	b.Cleanup(func() { d.Close() })
	db := newStore(b, d, nil)
	ctx := context.Background()
	require.NoError(b, db.Update(ctx, func(tx *store.Tx) error { return accounts.Put(tx.Sub("acme"), newAccount(1)) }))
	value := noise(storeValue)
	all := func(one func() error) func() string {
		return func() string {
			var wg sync.WaitGroup
			errs := make([]error, storeCaller)
			for i := range errs {
				wg.Go(func() {
					for range 10 {
						if errs[i] = one(); errs[i] != nil {
							return
						}
					}
				})
			}
			wg.Wait()
			for _, err := range errs {
				if err != nil {
					return err.Error()
				}
			}
			return "written"
		}
	}
	race(b, storeCaller*10, []contestant{
		{name: "update", run: all(func() error { return touch(ctx, db, 1) })},
		{name: "optimistic", run: all(func() error { return retried(ctx, d, "hot", value) })},
	})
}
