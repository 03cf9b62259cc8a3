package etcd_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/server/v3/embed"

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

// Two processes of 64 callers write and read through all members in turn, at first in peace, then while the members
// elect another leader again and again.
func TestTwoProcessesOf64CallersAreLinearizable(t *testing.T) {
	members, endpoints := startCluster(t)
	for seed := range uint64(3) {
		if seed == 2 {
			elect(t, members)
		}
		var list []history.Options
		for i := range uint64(16) { // by fours on their own keys, for what a checker can bear
			list = append(list, history.Options{
				Seed: seed<<8 | i, Callers: 4, Calls: 25, Keys: 2 + int(seed), Prefix: fmt.Sprint(i, "/"),
				Pause: 2 * time.Millisecond, Cancel: 0.2 * float64(seed%2),
			})
		}
		place := fmt.Sprintf("%s seed-%d", strings.Join(endpoints, ","), seed)
		histories, err := history.RecordProcesses(t.Context(), 2, place, list)
		require.NoError(t, err)
		outcomes := map[history.Outcome]int{}
		for _, list := range histories {
			require.Equal(t, porcupine.Ok, linearizable(list))
			for _, op := range list {
				outcomes[op.Outcome]++
			}
		}
		require.Positive(t, outcomes[history.Done])
		require.Positive(t, outcomes[history.Refused])
		t.Logf("%d seen, %d done, %d refused, %d unknown", outcomes[history.Seen], outcomes[history.Done],
			outcomes[history.Refused], outcomes[history.Unknown])
	}
}

// elect makes one member after the other the leader, until the test ends.
func elect(t *testing.T, members []*embed.Etcd) {
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	t.Cleanup(wait.Wait)
	t.Cleanup(cancel)
	wait.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			time.Sleep(200 * time.Millisecond)
			for _, m := range members {
				if next := members[n%len(members)].Server.MemberID(); m.Server.Leader() == m.Server.MemberID() && m.Server.MemberID() != next {
					_ = m.Server.MoveLeader(ctx, uint64(m.Server.MemberID()), uint64(next))
				}
			}
		}
	})
}
