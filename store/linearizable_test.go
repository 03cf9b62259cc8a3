package store_test

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
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

// values is the model: what a store holds is a map, and one operation after the other is done to it.
var values = porcupine.Model{
	Init: func() any { return map[string]string{} },
	Step: func(state, input, _ any) (bool, any) {
		have, op := state.(map[string]string), input.(history.Operation)
		holds := func(key string) bool { return have[key] == op.Expect[key] }
		all := !slices.ContainsFunc(slices.Collect(maps.Keys(op.Expect)), func(key string) bool { return !holds(key) })
		switch op.Outcome {
		case history.Seen:
			return !slices.ContainsFunc(op.Keys, func(key string) bool { return have[key] != op.Saw[key] }), state
		case history.Refused:
			return !all && !slices.ContainsFunc(op.Failed, holds), state
		case history.Unknown: // it is placed anywhere after its call, behind all others if it never happened
			if !all {
				return true, state
			}
		case history.Done:
			if !all {
				return false, state
			}
		}
		next := maps.Clone(have)
		for key, value := range op.Write {
			if next[key] = value; value == "" {
				delete(next, key)
			}
		}
		return true, next
	},
	Equal: func(a, b any) bool { return maps.Equal(a.(map[string]string), b.(map[string]string)) },
	Hash: func(state any) uint64 { // of no order
		sum := uint64(0)
		for key, value := range state.(map[string]string) {
			h := uint64(14695981039346656037)
			for _, c := range key + "\x00" + value {
				h = (h ^ uint64(c)) * 1099511628211
			}
			sum += h
		}
		return sum
	},
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

func TestHistoriesThatAreNotLinearizableAreRejected(t *testing.T) {
	at := func(call, end int, op history.Operation) history.Operation {
		op.Call, op.Return = time.Duration(call), time.Duration(end)
		return op
	}
	type m = map[string]string
	write := func(expect, value string) history.Operation {
		return history.Operation{Outcome: history.Done, Expect: m{"k": expect}, Write: m{"k": value}}
	}
	see := func(saw m) history.Operation {
		return history.Operation{Outcome: history.Seen, Keys: []string{"k", "l"}, Saw: saw}
	}
	with := func(op history.Operation, o history.Outcome) history.Operation {
		op.Outcome = o
		return op
	}
	const end = 1 << 40
	tests := []struct {
		name string
		list []history.Operation
		want porcupine.CheckResult
	}{
		{"one after the other", []history.Operation{
			at(0, 1, write("", "1")), at(2, 3, see(m{"k": "1"})), at(4, 5, write("1", "")), at(6, 7, see(m{})),
		}, porcupine.Ok},
		{"a stale read", []history.Operation{
			at(0, 1, write("", "1")), at(2, 3, write("1", "2")), at(4, 5, see(m{"k": "1"})),
		}, porcupine.Illegal},
		{"a read while it is written", []history.Operation{
			at(0, 1, write("", "1")), at(2, 5, write("1", "2")), at(3, 4, see(m{"k": "1"})),
		}, porcupine.Ok},
		{"two swaps of one value", []history.Operation{
			at(0, 9, write("", "1")), at(0, 9, write("", "2")),
		}, porcupine.Illegal},
		{"one half of a commit", []history.Operation{
			at(0, 1, history.Operation{Outcome: history.Done, Write: m{"k": "1", "l": "1"}}), at(0, 9, see(m{"k": "1"})),
		}, porcupine.Illegal},
		{"a refusal without a cause", []history.Operation{
			at(0, 1, write("", "1")), at(2, 3, with(write("1", "2"), history.Refused)),
		}, porcupine.Illegal},
		{"a refusal that names what holds", []history.Operation{
			at(0, 1, write("", "1")),
			at(2, 3, history.Operation{Outcome: history.Refused, Expect: m{"k": "0", "l": ""}, Failed: []string{"l"}}),
		}, porcupine.Illegal},
		{"an unknown commit that came late", []history.Operation{
			at(0, end, with(write("", "1"), history.Unknown)), at(2, 3, see(m{})), at(4, 5, see(m{"k": "1"})),
		}, porcupine.Ok},
		{"an unknown commit that never came", []history.Operation{
			at(0, end, with(write("", "1"), history.Unknown)), at(2, 3, see(m{})), at(4, 5, write("", "2")), at(6, 7, see(m{"k": "2"})),
		}, porcupine.Ok},
		{"an unknown commit that came and went", []history.Operation{
			at(0, end, with(write("", "1"), history.Unknown)), at(2, 3, see(m{"k": "1"})), at(4, 5, see(m{})),
		}, porcupine.Illegal},
	}
	for _, test := range tests {
		require.Equal(t, test.want, linearizable(test.list), test.name)
	}
}
