package relay_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/internal/relay"
)

type lanes = relay.Lanes[*[]int]

func TestCallersOfOneKeyTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l lanes
		var inside, most atomic.Int32
		var wait sync.WaitGroup
		for range 20 {
			wait.Go(func() {
				mine := l.Runner()
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

func TestNobodyQueuesWhereThereIsNoLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l lanes
		first, second, third := l.Runner(), l.Runner(), l.Runner()
		first.Take(t.Context(), []string{"k"}, false) // no lane, no turn
		require.Empty(t, first.Met())
		start := time.Now()
		second.Take(t.Context(), []string{"k"}, true)
		require.Zero(t, time.Since(start))
		go func() {
			time.Sleep(100 * time.Millisecond)
			second.End()
		}()
		require.Empty(t, third.Take(t.Context(), []string{"other", "k"}, false))
		require.Equal(t, 100*time.Millisecond, time.Since(start), "there is one now")
		require.Equal(t, []string{"k"}, third.Met())
		third.End()
		first.End()

		again := l.Runner()
		again.Take(t.Context(), []string{"k"}, false)
		require.Equal(t, []string{"k"}, again.Met(), "it is there for those who come again soon")
		again.End()
		time.Sleep(2 * time.Second)
		late := l.Runner()
		late.Take(t.Context(), []string{"k"}, false)
		require.Empty(t, late.Met(), "and now it is gone")
	})
}

func TestPatienceAndContextsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l lanes
		hangs := l.Runner()
		hangs.Take(t.Context(), []string{"a", "b", "c"}, true)
		start := time.Now()
		impatient := l.Runner()
		require.Equal(t, []string{"a", "b", "c"}, impatient.Take(t.Context(), []string{"a", "b", "c"}, true))
		require.Equal(t, time.Second, time.Since(start), "for all of them together")
		impatient.End()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		impatient.Take(ctx, []string{"a"}, true)
		require.Equal(t, time.Second+10*time.Millisecond, time.Since(start))
		impatient.End()
		hangs.End()
		require.Empty(t, impatient.Take(t.Context(), []string{"a", "b"}, true))
		require.Equal(t, time.Second+10*time.Millisecond, time.Since(start), "given back")
		impatient.End()
	})
}

func TestTurnIsGivenAsTheContextEnds(t *testing.T) {
	for range 50 { // the one who waits takes notice of one or the other
		synctest.Test(t, func(t *testing.T) {
			var l lanes
			a, b, r := l.Runner(), l.Runner(), l.Runner()
			a.Take(t.Context(), []string{"a"}, true)
			b.Take(t.Context(), []string{"b"}, true)
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				time.Sleep(time.Millisecond)
				cancel()
				a.End()
			}()
			missing := r.Take(ctx, []string{"a"}, true)
			synctest.Wait()
			require.Equal(t, len(missing) == 0, len(r.Met()) == 1)
			start := time.Now()
			require.Equal(t, []string{"b"}, r.Take(t.Context(), []string{"b"}, true))
			require.Equal(t, time.Second, time.Since(start), "it was not told of the other turn once more")
			r.End()
			b.End()
		})
	}
}

func TestTurnsOutOfOrderDoNotDeadlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l lanes
		one, two := l.Runner(), l.Runner()
		one.Take(t.Context(), []string{"b"}, true)
		two.Take(t.Context(), []string{"a"}, true)
		start := time.Now()
		require.Equal(t, []string{"a"}, one.Take(t.Context(), []string{"a"}, true)) // below what it holds: not waited for
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

var errOver = errors.New("over")

// member is a runner that takes a turn at "k", adds its number to the group, or starts one, and shares it.
type member struct {
	alone bool
	ctx   context.Context
	run   func() // while it has the turn
	share func() // when it has arrived
	late  bool   // it was too late
	saw   []int  // what the group had done
	err   error
	known bool
	after time.Duration
}

// meet has members come one after the other while the first has the turn. It returns what those did who finished a group.
func meet(t *testing.T, finish func(member int) (error, bool), members ...*member) (finished [][]int) {
	var l lanes
	var wait sync.WaitGroup
	var mu sync.Mutex
	start, gate := time.Now(), make(chan struct{})
	for i, m := range members {
		if m.ctx == nil {
			m.ctx = t.Context()
		}
		wait.Go(func() {
			defer func() { m.after = time.Since(start) }()
			r := l.Runner()
			defer r.End()
			r.Alone = m.alone
			r.Take(m.ctx, []string{"k"}, true)
			if g := r.Group(); g != nil {
				m.saw = append(m.saw, *g.State...)
			}
			if i == 0 {
				<-gate
			}
			if m.run != nil {
				m.run()
			}
			switch {
			case r.Group() == nil && !r.Wanted():
				mu.Lock()
				defer mu.Unlock()
				finished, m.known = append(finished, []int{i}), true
				return
			case r.Group() == nil:
				r.Start(new([]int))
			case !r.Arrive():
				m.late = true
				return
			}
			state := r.Group().State
			if m.share != nil {
				m.share()
			}
			*state = append(*state, i)
			m.err, m.known = r.Share(m.ctx, len(*state) == 5, func() (error, bool) {
				time.Sleep(time.Millisecond)
				err, known := finish(i)
				mu.Lock()
				defer mu.Unlock()
				if known {
					finished = append(finished, *state)
				}
				return err, known
			})
		})
		synctest.Wait()
	}
	close(gate)
	wait.Wait()
	return finished
}

func outcome(int) (error, bool) { return errOver, true }

func some(n int) (list []*member) {
	for range n {
		list = append(list, new(member))
	}
	return list
}

func TestGroupIsHandedOnAndFinishedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list := some(7)
		require.Equal(t, [][]int{{0, 1, 2, 3, 4}, {5, 6}}, meet(t, outcome, list...), "full at five")
		require.Equal(t, []int{0, 1, 2, 3}, list[4].saw)
		for _, m := range list {
			require.True(t, m.known)
			require.ErrorIs(t, m.err, errOver)
		}
	})
}

func TestWhoIsAloneTakesNoGroupOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list := some(5)
		list[2].alone = true
		require.Equal(t, [][]int{{0, 1}, {2, 3, 4}}, meet(t, outcome, list...))
		require.Empty(t, list[2].saw)
	})
}

func TestGroupThatIsOldGrowsNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list := some(5)
		list[2].run = func() { time.Sleep(10 * time.Millisecond) }
		require.Equal(t, [][]int{{0, 1, 2}, {3, 4}}, meet(t, outcome, list...))
	})
}

func TestGroupIsTakenFromARunnerThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list := some(5)
		list[2].run = func() { time.Sleep(10 * time.Second) }
		require.Equal(t, [][]int{{0, 1}, {3, 4}}, meet(t, outcome, list...))
		require.True(t, list[2].late)
		require.Equal(t, 51*time.Millisecond, list[1].after)
		require.Equal(t, 52*time.Millisecond, list[4].after, "the turn goes with the group")
	})
}

func TestGroupIsNotTakenFromARunnerThatHasArrived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list := some(4)
		list[0].share = func() { time.Sleep(100 * time.Millisecond) }
		list[2].share = list[0].share
		require.Equal(t, [][]int{{0}, {1, 2}, {3}}, meet(t, outcome, list...))
	})
}

func TestGroupIsFinishedByOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list := some(4)
		list[3].run = runtime.Goexit
		require.Equal(t, [][]int{{0, 1, 2}}, meet(t, func(int) (error, bool) { time.Sleep(time.Second); return nil, true }, list...))
	})
}

func TestRunnerThatLeavesHandsTheGroupOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list := some(4)
		list[1].run = runtime.Goexit
		list[3].run = list[1].run
		require.Equal(t, [][]int{{0, 2}}, meet(t, func(int) (error, bool) { return nil, true }, list...))
		require.Equal(t, time.Millisecond, list[0].after)
	})
}

func TestAnotherMemberFinishesWhatOneCouldNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []int
		finished := meet(t, func(i int) (error, bool) {
			asked = append(asked, i)
			return nil, len(asked) == 3
		}, some(4)...)
		require.Equal(t, [][]int{{0, 1, 2, 3}}, finished)
		require.Equal(t, 3, asked[0])
		require.NotEqual(t, asked[1], asked[2])
	})
}

func TestMemberWhoseContextEndsLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		list := some(4)
		list[1].ctx, list[3].ctx = ctx, ctx
		list[2].run = func() { cancel(); time.Sleep(time.Millisecond) }
		meet(t, outcome, list...)
		require.False(t, list[1].known)
		require.Zero(t, list[1].after)
		require.True(t, list[0].known && list[2].known)
	})
}

func TestGroupThatAllHaveLeftGivesItsTurnBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		list := some(3)
		list[0].ctx = ctx
		list[1].run = func() { cancel(); time.Sleep(time.Millisecond); runtime.Goexit() }
		list[2].alone = true
		require.Equal(t, [][]int{{2}}, meet(t, outcome, list...))
		require.Empty(t, list[2].saw)
		require.False(t, list[0].known)
		require.Equal(t, time.Millisecond, list[2].after)
	})
}

func TestMemberLeavesAtTheMomentItIsToFinish(t *testing.T) {
	for range 50 { // it takes notice of one or the other
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			list := some(3)
			list[0].ctx = ctx
			list[1].run = func() { cancel(); runtime.Goexit() }
			list[2].alone = true
			require.Equal(t, [][]int{{2}}, meet(t, outcome, list...))
			require.Zero(t, list[2].after, "the turn was given back")
		})
	}
}

func TestRunnerWithAGroupWaitsForMoreTurnsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l lanes
		other := l.Runner()
		other.Take(t.Context(), []string{"a", "z"}, true)
		first, second := l.Runner(), l.Runner()
		first.Take(t.Context(), []string{"k"}, true)
		var wait sync.WaitGroup
		wait.Go(func() {
			second.Take(t.Context(), []string{"k"}, false)
			require.NotNil(t, second.Group())
			require.Equal(t, []string{"a"}, second.Take(t.Context(), []string{"a"}, false))
			require.Empty(t, second.Take(t.Context(), []string{"z"}, false))
			require.True(t, second.Arrive())
			_, known := second.Share(t.Context(), false, func() (error, bool) { return nil, true })
			require.True(t, known)
			second.End()
		})
		synctest.Wait()
		require.True(t, first.Wanted())
		first.Start(new([]int))
		time.AfterFunc(10*time.Millisecond, other.End)
		_, known := first.Share(t.Context(), false, func() (error, bool) { t.Error("the second does"); return nil, true })
		require.True(t, known)
		wait.Wait()
		start := time.Now()
		free := l.Runner()
		require.Empty(t, free.Take(t.Context(), []string{"a", "k", "z"}, false))
		require.Zero(t, time.Since(start))
		free.End()
	})
}
