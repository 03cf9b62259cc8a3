package etcd_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/store/storetest/history"
)

var model = porcupine.Model{
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
	return porcupine.CheckOperationsTimeout(model, ops, time.Minute)
}

func TestTwoProcessesOf64CallersAreLinearizable(t *testing.T) {
	endpoint := startServer(t, fast)
	for seed := range uint64(3) {
		var list []history.Options
		for i := range uint64(16) { // two processes of 64 callers, by fours on their own keys
			list = append(list, history.Options{
				Seed: seed<<8 | i, Callers: 4, Calls: 25, Keys: 1 + int(seed), Prefix: fmt.Sprint(i, "/"),
				Pause: 2 * time.Millisecond, Cancel: 0.2 * float64(seed%2),
			})
		}
		histories, err := history.RecordProcesses(t.Context(), 2, fmt.Sprintf("%s seed-%d", endpoint, seed), list)
		require.NoError(t, err)
		outcomes := map[history.Outcome]int{}
		for _, list := range histories {
			require.Equal(t, porcupine.Ok, linearizable(list))
			for _, op := range list {
				outcomes[op.Outcome]++
			}
		}
		t.Log(outcomes)
		require.Positive(t, outcomes[history.Done])
		require.Positive(t, outcomes[history.Refused])
	}
}
