package bench

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/argon2"

	"github.com/cloudopsec/opsec/identity/password/hash"
)

// Passwords at overload, beside golang.org/x/crypto as it comes: 64 callers, argon2id of 19 MiB and two passes. A line has the ratios of
// the peer's numbers to ours, and both peaks of memory, which is what the process has from the system.
//
//	go test -run='^$' -bench=PasswordOverload -benchtime=1x
//
// "at once" is a burst of 64 of which nobody is turned away, so that the worst of them waits as long as all take: there the
// ratio of the worst is that of the throughput. "sustained" is 64 callers who come again as soon as they have an answer:
// the pool, with the queue that it has by default, turns those away for whom it has no place (x-worst counts verdicts, x-worst-any
// also the answers "busy", which come after the pace).

const (
	overloadCallers = 64
	overloadBudget  = 256 << 20 // bytes, of the pool
	overloadTime    = 4 * time.Second
	overloadRounds  = 3
)

// load is what came of a scene.
type load struct {
	perSecond        float64
	worst, worstAny  time.Duration
	peak             uint64 // bytes
	verdicts, busies int64
}

// meter samples what the process has from the system until it is stopped.
func meter() (stop func() uint64) {
	runtime.GC()
	debug.FreeOSMemory()
	var peak uint64
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			metrics.Read(s)
			peak = max(peak, s[0].Value.Uint64()-s[1].Value.Uint64())
			select {
			case <-tick.C:
			case <-end:
				return
			}
		}
	}()
	return func() uint64 {
		close(end)
		<-ended
		return peak
	}
}

// run lets the callers verify, again and again while more says so.
func (l *load) run(verify func() error, more func(began time.Time) bool) {
	stop := meter()
	var all sync.WaitGroup
	var mu sync.Mutex
	began := time.Now()
	for range overloadCallers {
		all.Go(func() {
			for first := true; first || more(began); first = false {
				at := time.Now()
				err := verify()
				took := time.Since(at)
				mu.Lock()
				l.worstAny = max(l.worstAny, took)
				if err == nil {
					l.verdicts++
					l.worst = max(l.worst, took)
				} else {
					l.busies++
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	l.perSecond = float64(l.verdicts) / time.Since(began).Seconds()
	l.peak = stop()
}

func BenchmarkPasswordOverload(b *testing.B) {
	secret, salt := []byte("correct horse battery staple"), make([]byte, 16)
	rand.Read(salt)
	want := argon2.IDKey(secret, salt, hash.OWASP.T, hash.OWASP.M, hash.OWASP.P, 32)
	peer := func() error {
		if subtle.ConstantTimeCompare(argon2.IDKey(secret, salt, hash.OWASP.T, hash.OWASP.M, hash.OWASP.P, 32), want) != 1 {
			return errors.New("no match")
		}
		return nil
	}
	once := func(time.Time) bool { return false }
	for _, scene := range []struct {
		name string
		o    hash.Options
		more func(time.Time) bool
	}{
		{"at once", hash.Options{Queue: overloadCallers, Patience: time.Minute, Pace: 2 * time.Minute}, once},
		{"sustained", hash.Options{}, func(began time.Time) bool { return time.Since(began) < overloadTime }},
	} {
		b.Run(scene.name, func(b *testing.B) {
			b.ReportAllocs()
			scene.o.Memory = overloadBudget
			pool, err := hash.New(hash.OWASP, &scene.o)
			require.NoError(b, err)
			encoded, err := pool.Hash(b.Context(), secret)
			require.NoError(b, err)
			var failed atomic.Pointer[error]
			ours := func() error {
				r, err := pool.Verify(context.Background(), secret, encoded)
				if err != nil && !errors.Is(err, hash.ErrBusy) || err == nil && !r.Match {
					failed.Store(&err)
				}
				return err
			}
			var throughput, worst, worstAny, perSecond []float64
			var peak, peerPeak uint64
			for b.Loop() {
				for range overloadRounds {
					var us, them load
					us.run(ours, scene.more)
					them.run(peer, scene.more)
					throughput = append(throughput, us.perSecond/them.perSecond)
					worst = append(worst, float64(them.worst)/float64(us.worst))
					worstAny = append(worstAny, float64(them.worstAny)/float64(us.worstAny))
					perSecond = append(perSecond, us.perSecond)
					peak, peerPeak = max(peak, us.peak), max(peerPeak, them.peak)
				}
			}
			require.Nil(b, failed.Load())
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(perSecond), "verdicts/s")
			b.ReportMetric(median(throughput), "x-throughput")
			b.ReportMetric(median(worst), "x-worst")
			b.ReportMetric(median(worstAny), "x-worst-any")
			b.ReportMetric(float64(peak>>20), "MiB-peak")
			b.ReportMetric(float64(overloadBudget>>20), "MiB-budget")
			b.ReportMetric(float64(peerPeak>>20), "MiB-peak-peer")
		})
	}
}
