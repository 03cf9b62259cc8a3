package bench

import (
	"context"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/sethvargo/go-limiter"
	"github.com/sethvargo/go-limiter/memorystore"
	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/lockout"
)

// lockoutAccounts have a counter each, before anything is measured.
const lockoutAccounts = 1_000_000

// lockoutContestant is one way to admit a guess and to count what has become of it.
type lockoutContestant struct {
	name string
	// guess returns 0: whoever adds that to the next account waits for what was read of this one, as a request waits for its answer.
	guess func(account int) (int, error)
}

func lockoutNames() []string {
	names := make([]string, lockoutAccounts)
	for i := range names {
		names[i] = fmt.Sprintf("user-%07d", i)
	}
	return names
}

// lockoutOurs is a Begin and a Commit of a wrong secret: all that the gate does, the reservation and the record of locks included.
func lockoutOurs(tb testing.TB, names []string) lockoutContestant {
	profile := lockout.Profile{Name: "bench", Rules: []lockout.Rule{{Factor: lockout.Password, Class: lockout.Every, Policy: lockout.Policy{
		Failures: lockout.MaxFailures, Forget: 12 * time.Hour, Lock: time.Minute, Growth: lockout.Doubling, LockMost: time.Hour,
		Temporary: -1, Reserve: time.Minute,
	}}}}
	gate, err := lockout.New(lockout.NewMemory(lockoutAccounts, nil), profile, &lockout.Options{Authorizer: opsec.CallerAuthorized{}})
	require.NoError(tb, err)
	ctx := context.Background()
	return lockoutContestant{"ours", func(i int) (int, error) {
		r, err := gate.Begin(ctx, lockout.Attempt{Key: lockout.Key{Tenant: "acme", Account: names[i], Factor: lockout.Password}})
		if err == nil {
			gate.Commit(ctx, r, lockout.Wrong(nil))
		}
		return 0, err
	}}
}

// lockoutBare is what no table of counters can do without: the account's name is read and hashed, and a row of its own is changed
// twice under a lock. It decides nothing, knows no time, and takes two names that meet for one.
func lockoutBare(names []string) lockoutContestant {
	type stripe struct {
		sync.Mutex
		_ [56]byte
	}
	seed, stripes := maphash.MakeSeed(), make([]stripe, 256)
	rows := make([][4]uint64, len(names)*4/3)
	return lockoutContestant{"bare", func(i int) (int, error) {
		h := maphash.String(seed, names[i])
		row, s := &rows[h%uint64(len(rows))], &stripes[h>>56]
		for range 2 {
			s.Lock()
			row[0]++
			s.Unlock()
		}
		return int(row[1]), nil
	}}
}

// lockoutLimiter is two Takes, of which each is one operation on the account's bucket.
func lockoutLimiter(tb testing.TB, names []string) lockoutContestant {
	store, err := memorystore.New(&memorystore.Config{Tokens: 1 << 40, Interval: time.Minute, SweepInterval: 24 * time.Hour, SweepMinTTL: 24 * time.Hour})
	require.NoError(tb, err)
	tb.Cleanup(func() { store.Close(context.Background()) })
	return lockoutContestant{"two-takes", func(i int) (int, error) { return 0, takeTwice(store, names[i]) }}
}

func takeTwice(store limiter.Store, name string) error {
	ctx := context.Background()
	if _, _, _, _, err := store.Take(ctx, name); err != nil {
		return err
	}
	_, _, _, _, err := store.Take(ctx, name)
	return err
}

// BenchmarkLockoutRandom1M is a guess at one of a million accounts at random, on all cores, in turns with its peer, and with what the
// memory of the machine takes for it. x-two-takes is the median of the peer's time divided by ours; x-two-takes-bare is the most that
// it could be here.
//
//	go test -run='^$' -bench=LockoutRandom1M -benchtime=1x -count=5
func BenchmarkLockoutRandom1M(b *testing.B) {
	const guesses = 2_000_000
	names := lockoutNames()
	all := []lockoutContestant{lockoutOurs(b, names), lockoutLimiter(b, names), lockoutBare(names)}
	for _, c := range all {
		for i := range names {
			_, err := c.guess(i)
			require.NoError(b, err)
		}
	}
	runtime.GC()
	for b.Loop() {
		times := make([][]float64, len(all))
		var ratios, most []float64
		for round := range rounds {
			for i, c := range all {
				took := atRandom(b, c, guesses, uint64(round))
				times[i] = append(times[i], float64(took.Nanoseconds())/guesses)
			}
			ratios = append(ratios, times[1][round]/times[0][round])
			most = append(most, times[1][round]/times[2][round])
		}
		b.ReportMetric(0, "ns/op") // of no meaning here
		for i, c := range all {
			b.ReportMetric(median(times[i]), "ns-"+c.name)
		}
		b.ReportMetric(median(ratios), "x-two-takes")
		b.ReportMetric(median(most), "x-two-takes-bare")
	}
}

// atRandom makes so many guesses, shared by all cores.
func atRandom(tb testing.TB, c lockoutContestant, guesses int, seed uint64) time.Duration {
	workers := runtime.GOMAXPROCS(0)
	start := time.Now()
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(w)))
			last := 0
			for range guesses / workers {
				var err error
				if last, err = c.guess(int(r.Uint64N(lockoutAccounts)) + last); err != nil {
					tb.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	return time.Since(start)
}

func TestLockoutContestantsGuess(t *testing.T) {
	names := []string{"ada", "bob"}
	for _, c := range []lockoutContestant{lockoutOurs(t, names), lockoutLimiter(t, names)} {
		for range 10 {
			_, err := c.guess(1)
			require.NoError(t, err, c.name)
		}
	}
}
