package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
	"github.com/cloudopsec/opsec/store/storetest"
)

// chaotic is a driver that panics now and then.
type chaotic struct {
	store.Driver
	certain bool
	calm    atomic.Bool
}

func (c *chaotic) Certain() bool { return c.certain }

func (c *chaotic) Commit(ctx context.Context, b store.Batch) (store.Rev, error) {
	if !c.calm.Load() && rand.IntN(100) == 0 {
		panic("the driver's")
	}
	return c.Driver.Commit(ctx, b)
}

// Functions that hang, panic, call Goexit, or run another transaction, contexts that end at any moment, and a driver that
// fails in every way: nobody waits for ever, nothing is counted twice or lost, and the turns are given back.
func TestNothingIsLeftOfChaos(t *testing.T) {
	ghosts := map[storetest.Fault]float64{
		storetest.Slow: 0.3, storetest.Hang: 0.02, storetest.Conflict: 0.05, storetest.LostRequest: 0.05, storetest.LostAnswer: 0.05, storetest.Ghost: 0.05, storetest.Fail: 0.02,
	}
	plain := map[storetest.Fault]float64{storetest.Slow: 0.3, storetest.Conflict: 0.05, storetest.Fail: 0.02}
	for seed := range uint64(10) {
		certain, chances := seed%2 == 0, ghosts
		if certain {
			chances = plain
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inner := memory.New()
				flaky := storetest.NewFlaky(inner, storetest.FlakyOptions{
					Seed: seed, Commit: chances, Read: map[storetest.Fault]float64{storetest.Slow: 0.3, storetest.Fail: 0.01}, MaxDelay: 5 * time.Millisecond,
				})
				d := &chaotic{Driver: flaky, certain: certain}
				db, other := newDB(t, d, nil), newDB(t, memory.New(), nil)
				keys := []string{"a", "b", "c"}
				var sure, perhaps [3]atomic.Int64
				var wait sync.WaitGroup
				for caller := range 24 {
					rng := rand.New(rand.NewPCG(seed, uint64(caller)))
					wait.Go(func() {
						for range 8 {
							var done sync.WaitGroup
							which, what, pause := rng.Perm(3)[:1+rng.IntN(3)], rng.IntN(30), time.Duration(rng.IntN(20))*time.Millisecond
							ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
							if rng.IntN(3) == 0 {
								ctx, cancel = context.WithTimeout(t.Context(), time.Duration(rng.IntN(100))*time.Millisecond)
							}
							done.Go(func() {
								defer cancel()
								returned := false
								var err error
								defer func() {
									_ = recover()
									for _, k := range which {
										if returned && err == nil {
											sure[k].Add(1)
										} else if !returned || errors.Is(err, store.ErrIndeterminate) {
											perhaps[k].Add(1)
										}
									}
								}()
								err = db.Update(ctx, func(tx *store.Tx) error {
									for _, k := range which {
										if _, err := add(tx.Sub(acme), keys[k], 1); err != nil {
											return err
										}
									}
									switch what {
									case 0:
										time.Sleep(2 * time.Second)
									case 1:
										panic("mine")
									case 2:
										runtime.Goexit()
									case 3, 4:
										inside, cancel := context.WithTimeout(t.Context(), 5*time.Second)
										defer cancel()
										err := db.Update(inside, func(tx *store.Tx) error {
											_, err := add(tx.Sub(acme), keys[which[0]], 0)
											return errors.Join(err, counters.Put(tx.Sub(acme), &counter{ID: "nested"}))
										})
										return errors.Join(err, other.Update(ctx, func(tx *store.Tx) error {
											_, err := add(tx.Sub(acme), "a", 1)
											return err
										}))
									case 5, 6:
										return errOwn
									case 7, 8, 9, 10:
										time.Sleep(pause)
									}
									return nil
								})
								returned = true
							})
							done.Wait()
						}
					})
				}
				wait.Wait()
				_, err := flaky.Arrive(t.Context())
				require.NoError(t, err)
				d.calm.Store(true)
				for k, key := range keys {
					n := int64(0)
					require.NoError(t, newDB(t, inner, nil).View(t.Context(), func(tx *store.Tx) error {
						was, err := add(tx.Sub(acme), key, 0)
						n = int64(was)
						return err
					}))
					require.GreaterOrEqual(t, n, sure[k].Load())
					require.LessOrEqual(t, n, sure[k].Load()+perhaps[k].Load())
				}
				start := time.Now()
				flaky.NextCommit(make([]storetest.Fault, 10)...)
				flaky.NextRead(make([]storetest.Fault, 10)...)
				require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error {
					for _, key := range keys {
						if _, err := add(tx.Sub(acme), key, 1); err != nil {
							return err
						}
					}
					return nil
				}))
				require.Zero(t, time.Since(start), "turns were not given back")
			})
		})
	}
}
