package turns_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/internal/turns"
)

func TestCallersOfOneKeyTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q turns.Queues
		var inside, most atomic.Int32
		var wait sync.WaitGroup
		for range 20 {
			wait.Go(func() {
				mine := q.New()
				mine.Take(t.Context(), []string{"b", "a"}, true)
				most.Store(max(most.Load(), inside.Add(1)))
				time.Sleep(time.Millisecond)
				inside.Add(-1)
				mine.End()
			})
		}
		wait.Wait()
		require.EqualValues(t, 1, most.Load())
	})
}

func TestNobodyQueuesWhereThereIsNoQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q turns.Queues
		first, second, third := q.New(), q.New(), q.New()
		first.Take(t.Context(), []string{"k"}, false) // no queue, no turn
		start := time.Now()
		second.Take(t.Context(), []string{"k"}, true)
		require.Zero(t, time.Since(start))
		go func() {
			time.Sleep(100 * time.Millisecond)
			second.End()
		}()
		third.Take(t.Context(), []string{"other", "k"}, false)
		require.Equal(t, 100*time.Millisecond, time.Since(start), "there is one now")
		third.End()
		first.End()
		third.Take(t.Context(), []string{"k"}, false) // and now it is gone again
		require.Equal(t, 100*time.Millisecond, time.Since(start))
		third.End()
	})
}

func TestPatienceAndContextsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q turns.Queues
		hangs := q.New()
		hangs.Take(t.Context(), []string{"a", "b", "c"}, true)
		start := time.Now()
		impatient := q.New()
		impatient.Take(t.Context(), []string{"a", "b", "c"}, true)
		require.Equal(t, time.Second, time.Since(start), "for all of them together")
		impatient.End()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		impatient.Take(ctx, []string{"a"}, true)
		require.Equal(t, time.Second+10*time.Millisecond, time.Since(start))
		impatient.End()
		hangs.End()
		impatient.Take(t.Context(), []string{"a", "b"}, true)
		require.Equal(t, time.Second+10*time.Millisecond, time.Since(start), "given back")
		impatient.End()
	})
}

func TestTurnsOutOfOrderDoNotDeadlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q turns.Queues
		one, two := q.New(), q.New()
		one.Take(t.Context(), []string{"b"}, true)
		two.Take(t.Context(), []string{"a"}, true)
		start := time.Now()
		one.Take(t.Context(), []string{"a"}, true) // below what it holds: not waited for
		require.Zero(t, time.Since(start))
		go func() {
			time.Sleep(time.Millisecond)
			one.End()
		}()
		two.Take(t.Context(), []string{"b"}, true)
		require.Equal(t, time.Millisecond, time.Since(start))
		two.End()
	})
}
