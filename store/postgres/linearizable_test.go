//go:build unix

package postgres_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

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

func TestCrashOfAClientLosesNothing(t *testing.T) {
	s := newStores(t, pgtest.Start(t, nil))
	crashtest.Run(t, crashtest.Harness{Place: func(testing.TB) string { return s.next().String() }, Open: openPlace})
}
