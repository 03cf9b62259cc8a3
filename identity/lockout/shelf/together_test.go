package shelf_test

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/identity/lockout"
)

// four returns gates over one repository.
func four(t testing.TB, states lockout.States, p lockout.Policy) (gates []*lockout.Gate) {
	for range 4 {
		gates = append(gates, gate(t, states, p, time.Minute, nil))
	}
	return gates
}

// 64 guessers on four nodes, each with secrets of its own, get exactly as many verifications as the policy says.
func TestGuessersTogetherGetExactlyTheLimit(t *testing.T) {
	each(t, func(t *testing.T, k kept) {
		const limit = 10
		gates := four(t, k, lockout.Policy{Failures: limit, Reserve: time.Minute})
		var verified atomic.Int64
		var all sync.WaitGroup
		for i := range 64 {
			all.Go(func() {
				for n := 0; ; n++ {
					r, err := gates[i%4].Begin(bg, attempt("victim"))
					if _, locked := errors.AsType[*lockout.LockedError](err); locked {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
					verified.Add(1)
					runtime.Gosched()
					if _, err := gates[i%4].Commit(bg, r, lockout.Wrong(fmt.Append(nil, i, n))); !errors.Is(err, lockout.ErrWrong) {
						t.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
		require.EqualValues(t, limit, verified.Load())
		events := k.recorded(t)
		require.Len(t, events, 1)
		require.Equal(t, lockout.ActionPermanent, events[0].Action)
	})
}

// keycloak#48272, #37315, #34302: log-ins of one account at the same time, each with the right secret.
func TestRightLogInsTogetherAllSucceed(t *testing.T) {
	for _, nodes := range []int{1, 3} {
		t.Run(fmt.Sprint(nodes, " nodes"), func(t *testing.T) {
			each(t, func(t *testing.T, k kept) {
				gates := four(t, k, lockout.Policy{Failures: 3, Reserve: time.Minute})[:nodes]
				var all sync.WaitGroup
				var proofs, under atomic.Int64
				for i := range 200 {
					all.Go(func() {
						g := gates[i%nodes]
						r, err := g.Begin(bg, attempt("shared"))
						if err != nil {
							t.Error(err)
							return
						}
						if n := under.Add(1); n > 3 {
							t.Errorf("%d at the same time", n)
						}
						runtime.Gosched()
						under.Add(-1)
						if _, err := g.Commit(bg, r, lockout.Correct()); err != nil {
							t.Error(err)
							return
						}
						proofs.Add(1)
					})
				}
				all.Wait()
				require.EqualValues(t, 200, proofs.Load())
				require.Empty(t, k.recorded(t))
			})
		})
	}
}
