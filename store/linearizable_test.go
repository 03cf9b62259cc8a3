package store_test

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/bolt"
	"github.com/cloudopsec/opsec/store/memory"
	"github.com/cloudopsec/opsec/store/storetest"
	"github.com/cloudopsec/opsec/store/storetest/history"
)

var values = porcupine.Model{
	Init: func() any { return map[string]string{} },
	Step: func(state, op, _ any) (bool, any) {
		return history.Step(state.(map[string]string), op.(history.Operation))
	},
	Equal: func(a, b any) bool { return maps.Equal(a.(map[string]string), b.(map[string]string)) },
	Hash:  func(state any) uint64 { return history.Hash(state.(map[string]string)) },
}

func linearizable(list []history.Operation) porcupine.CheckResult {
	var ops []porcupine.Operation
	for _, op := range list {
		ops = append(ops, porcupine.Operation{ClientId: op.Caller, Input: op, Call: int64(op.Call), Return: int64(op.Return)})
	}
	return porcupine.CheckOperationsTimeout(values, ops, time.Minute)
}

func TestDriversAreLinearizable(t *testing.T) {
	drivers := map[string]func(t *testing.T) store.Driver{
		"memory": func(*testing.T) store.Driver { return memory.New() },
		"bolt": func(t *testing.T) store.Driver {
			d, err := bolt.Open(filepath.Join(t.TempDir(), "state"), nil)
			require.NoError(t, err)
			return d
		},
	}
	for name, open := range drivers {
		for seed := range uint64(4) {
			t.Run(fmt.Sprint(name, seed), func(t *testing.T) {
				d := open(t)
				var wait sync.WaitGroup
				histories, errs := make([][]history.Operation, 8), make([]error, 8)
				for i := range histories { // 64 callers, by eights on their own keys, for what a checker can bear
					o := &history.Options{
						Seed: seed<<8 | uint64(i), Callers: 8, Calls: 30, Keys: 1 + int(seed), Prefix: fmt.Sprint(i, "/"),
						Pause: 200 * time.Microsecond, Cancel: 0.3 * float64(seed%2),
					}
					wait.Go(func() { histories[i], errs[i] = history.Record(t.Context(), []store.Driver{d}, o) })
				}
				wait.Wait()
				require.NoError(t, errors.Join(errs...))
				require.NoError(t, d.Close())
				for _, list := range histories {
					require.Equal(t, porcupine.Ok, linearizable(list))
				}
			})
		}
	}
}

// Commits whose requests and answers are lost, and ghosts, are as the contract says: each happened once or never.
func TestIndeterminateCommitsAreLinearizable(t *testing.T) {
	injected := map[storetest.Fault]int{}
	for seed := range uint64(4) {
		f := storetest.NewFlaky(memory.New(), storetest.FlakyOptions{
			Seed: seed,
			Commit: map[storetest.Fault]float64{
				storetest.LostRequest: 0.03, storetest.LostAnswer: 0.03, storetest.Ghost: 0.03, storetest.Slow: 0.2,
			},
			Read: map[storetest.Fault]float64{storetest.Slow: 0.2},
		})
		o := &history.Options{Seed: seed, Callers: 12, Calls: 30, Keys: 4}
		list, err := history.Record(t.Context(), []store.Driver{f}, o)
		require.NoError(t, err)
		require.Equal(t, porcupine.Ok, linearizable(list))
		for fault, n := range f.Injected() {
			injected[fault] += n
		}
	}
	for _, fault := range []storetest.Fault{storetest.LostRequest, storetest.LostAnswer, storetest.Ghost} {
		require.NotZero(t, injected[fault], fault)
	}
}
