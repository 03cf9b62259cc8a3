package lockout_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/lockout"
	"github.com/cloudopsec/opsec/internal/race"
)

var memoryRows = flag.Int("rows", 1_000_000, "rows of BenchmarkMemoryBytes: 10000000 is what the documentation speaks of")

// lenient locks after so many failures that a benchmark does not.
func lenient() lockout.Profile {
	return lockout.Profile{Name: "bench", Rules: []lockout.Rule{{Factor: lockout.Password, Class: lockout.Every, Policy: lockout.Policy{
		Failures: 1000, Forget: 15 * time.Minute, Lock: time.Minute, Growth: lockout.Doubling, LockMost: time.Hour, Temporary: -1,
		Reserve: time.Minute,
	}}}}
}

func attempt(account string) lockout.Attempt {
	return lockout.Attempt{Key: lockout.Key{Tenant: "acme", Account: account, Factor: lockout.Password}}
}

func accounts(n int) []lockout.Attempt {
	list := make([]lockout.Attempt, n)
	for i := range list {
		list[i] = attempt(fmt.Sprintf("user-%07d", i))
	}
	return list
}

// filled returns a gate over a Memory that has counted a failure of every account.
func filled(tb testing.TB, rows int, all []lockout.Attempt) *lockout.Gate {
	g, err := lockout.New(lockout.NewMemory(rows, nil), lenient(), &lockout.Options{Authorizer: opsec.CallerAuthorized{}})
	require.NoError(tb, err)
	for _, a := range all {
		r, err := g.Begin(bg, a)
		require.NoError(tb, err)
		_, err = g.Commit(bg, r, lockout.Wrong(nil))
		require.ErrorIs(tb, err, lockout.ErrWrong)
	}
	return g
}

// BenchmarkGateRandom1M is a guess, Begin and Commit, at random accounts of a million that all have a counter, in parallel.
func BenchmarkGateRandom1M(b *testing.B) {
	all := accounts(1 << 20)
	for _, with := range []struct {
		name    string
		outcome lockout.Outcome
	}{{"wrong", lockout.Wrong(nil)}, {"tagged", lockout.Wrong([]byte("hunter2"))}, {"correct", lockout.Correct()}} {
		b.Run(with.name, func(b *testing.B) {
			g := filled(b, 1<<20, all)
			var seed atomic.Uint64
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(p *testing.PB) {
				r := rand.New(rand.NewPCG(seed.Add(1), 0))
				for p.Next() {
					one, err := g.Begin(bg, all[r.Uint32()%(1<<20)])
					if err != nil {
						b.Error(err)
						return
					}
					g.Commit(bg, one, with.outcome)
				}
			})
		})
	}
}

// BenchmarkMemoryBytes fills a Memory with -rows counters, and reports what one takes of the heap. Run it by
//
//	go test -run='^$' -bench=MemoryBytes -benchtime=1x -args -rows=10000000
func BenchmarkMemoryBytes(b *testing.B) {
	for b.Loop() {
		n := *memoryRows
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		m := lockout.NewMemory(n, nil)
		g, err := lockout.New(m, lenient(), &lockout.Options{Authorizer: opsec.CallerAuthorized{}, Tags: -1})
		require.NoError(b, err)
		var longest time.Duration
		for i := range n {
			start := time.Now()
			r, err := g.Begin(bg, attempt(fmt.Sprint("user-", i)))
			if err != nil {
				b.Fatal(err)
			}
			g.Commit(bg, r, lockout.Wrong(nil))
			longest = max(longest, time.Since(start))
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		require.Equal(b, n, m.Rows())
		b.ReportMetric(float64(after.HeapInuse-before.HeapInuse)/float64(n), "bytes/row")
		b.ReportMetric(float64(longest.Microseconds()), "us-longest")
		runtime.KeepAlive(m)
	}
}

func TestBeginAndCommitAllocateNothing(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector empties pools")
	}
	all := accounts(1000)
	for name, outcome := range map[string]lockout.Outcome{
		"wrong": lockout.Wrong([]byte("hunter2")), "undecided": lockout.Undecided(), "correct": lockout.Correct(),
	} {
		g, i := filled(t, 1000, all), 0
		require.Zero(t, testing.AllocsPerRun(1000, func() {
			r, err := g.Begin(bg, all[i%1000])
			if err != nil {
				t.Fatal(err)
			}
			if _, err := g.Commit(bg, r, outcome); err != nil && name == "correct" {
				t.Fatal(err)
			}
			i++
		}), name)
	}
}
