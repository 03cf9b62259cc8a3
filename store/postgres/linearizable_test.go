//go:build unix

package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/postgres/pgtest"
	"github.com/cloudopsec/opsec/store/storetest/crashtest"
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

// Two processes of 64 callers each, by sixteens on their own keys, for what a checker can bear.
func TestTwoProcessesAreLinearizable(t *testing.T) {
	server := pgtest.Start(t, nil)
	for seed := range uint64(4) {
		s := newStores(t, server)
		s.DSN += " pool_max_conns=64"
		var list []history.Options
		for i := range 8 {
			list = append(list, history.Options{
				Seed: seed<<8 | uint64(i), Callers: 8, Calls: 15, Keys: 1 + int(seed), Prefix: fmt.Sprint(i, "/"),
				Cancel: 0.2 * float64(seed%2), Pause: time.Millisecond,
			})
		}
		histories, err := history.RecordProcesses(t.Context(), 2, s.next().String(), list)
		require.NoError(t, err)
		for _, h := range histories {
			var ops []porcupine.Operation
			for _, op := range h {
				ops = append(ops, porcupine.Operation{ClientId: op.Caller, Input: op, Call: int64(op.Call), Return: int64(op.Return)})
			}
			require.Equal(t, porcupine.Ok, porcupine.CheckOperationsTimeout(values, ops, time.Minute), "seed %d", seed)
		}
	}
}

// crowd lets callers read and write a dozen keys at a time: more than have a statement each.
type crowd struct {
	d     store.Driver
	begin time.Time
	keys  []string
}

func (c *crowd) work(ctx context.Context, caller, calls int) (list []porcupine.Operation, err error) {
	random := rand.New(rand.NewPCG(uint64(caller), 0))
	add := func(op history.Operation) {
		op.Return = time.Since(c.begin)
		list = append(list, porcupine.Operation{ClientId: caller, Input: op, Call: int64(op.Call), Return: int64(op.Return)})
	}
	for n := range calls {
		op := history.Operation{Call: time.Since(c.begin), Keys: c.keys, Saw: map[string]string{}}
		known, err := c.d.Get(ctx, c.keys...)
		if err != nil {
			return nil, err
		}
		for _, item := range known {
			if item.Rev != 0 {
				op.Saw[item.Key] = string(item.Value)
			}
		}
		add(op)

		op = history.Operation{Call: time.Since(c.begin), Expect: map[string]string{}, Write: map[string]string{}, Outcome: history.Done}
		var b store.Batch
		mode := random.IntN(4)
		for _, item := range known {
			value, check := fmt.Sprint(caller, ".", n), random.IntN(2) == 0
			switch mode {
			case 0: // insert all
				item, check = store.Item{Key: item.Key}, true
			case 1: // put all
				check = false
			case 2: // delete all
				value = ""
			default:
				value = []string{value, value, ""}[random.IntN(3)]
			}
			if check {
				b.Checks = append(b.Checks, store.Check{Key: item.Key, Rev: item.Rev})
				op.Expect[item.Key] = string(item.Value)
			}
			if mode < 3 || random.IntN(3) > 0 {
				b.Ops = append(b.Ops, store.Op{Key: item.Key, Value: []byte(value), Delete: value == ""})
				op.Write[item.Key] = value
			}
		}
		_, err = c.d.Commit(ctx, b)
		if conflict, ok := errors.AsType[*store.ConflictError](err); ok {
			op.Outcome, op.Failed = history.Refused, conflict.Keys
		} else if err != nil {
			return nil, err
		}
		add(op)
	}
	return list, nil
}

func TestCommitsOfManyKeysAreLinearizable(t *testing.T) {
	s := newStores(t, pgtest.Start(t, nil))
	for range 4 {
		c := crowd{d: s.open(t), begin: time.Now()}
		for i := range 12 {
			c.keys = append(c.keys, fmt.Sprintf("%02d", i))
		}
		var wait sync.WaitGroup
		lists := make([][]porcupine.Operation, 6)
		for i := range lists {
			wait.Go(func() {
				var err error
				if lists[i], err = c.work(t.Context(), i, 25); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		require.Equal(t, porcupine.Ok, porcupine.CheckOperationsTimeout(values, slices.Concat(lists...), time.Minute))
	}
}

func TestCrashOfAClientLosesNothing(t *testing.T) {
	s := newStores(t, pgtest.Start(t, nil))
	crashtest.Run(t, crashtest.Harness{Place: func(testing.TB) string { return s.next().String() }, Open: openPlace})
}
