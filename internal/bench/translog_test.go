//go:build linux

package bench

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
)

var (
	window = flag.Duration("window", 2*time.Second, "how long writers write to a log in one turn")
	turns  = flag.Int("turns", 5, "turns of every log")
)

// Durable logs beside each other: W writers in a closed loop, each of which waits for the acknowledgement of its entry
// before it writes the next. Logs take turns, each turn is on a new directory of the disk, and who begins changes, so
// that the noise of the disk meets them all alike. A line is one log:
//
//	acked/s            entries acknowledged in a second, the median over the turns
//	us-p50, us-p99     how long a writer waited, the medians over the turns
//	x-file             6 says: six times the rate of file in the same turns (the median of the ratios)
//	p50-x-tessera      6 says: tessera's p50 is six times as long in the same turns
//
//	go test -run='^$' -bench=Translog -benchtime=1x -timeout=20m
//	go test -run='^$' -bench=Translog/writers=256 -benchtime=1x -window=5s -turns=7
//
// More turns rather than a -count: it repeats the lines and not the turns.

// durable is a log: when Add returns nil, the entry is there after a crash. The entry may be kept until then, and not
// changed. i counts the entries of the turn from 0; Adds of many run at once.
type durable interface {
	Add(ctx context.Context, i int, entry []byte) error
	Close() error
}

// settler is a durable that has work left after its last acknowledgement. What Settle takes counts as time in which
// nothing was acknowledged.
type settler interface{ Settle() error }

// contender is a log under test.
type contender struct {
	name string
	open func(dir string, writers int) (durable, error)
	kept func(dir string) ([][]byte, error) // the entries of a closed log, in any order
}

// contenders are those of a race of so many writers.
func contenders(writers int) []contender {
	return []contender{
		{"tessera", openTesseraDefault, tesseraKept},
		{"tessera-tuned", openTesseraTuned, tesseraKept},
		{"bbolt", openBboltTuned, bboltKept},
		{"file", openFile, fileKept},
		{"translog", openTranslog, translogKept},
		{"translog-no-sidecar", openTranslogOmitting, nil}, // keeps no values
	}
}

// baselines are the contenders that the others are compared to, and those to whose p50 they are compared.
var (
	baselines    = []string{"tessera", "tessera-tuned", "bbolt", "file"}
	p50Baselines = []string{"tessera", "tessera-tuned"}
)

func BenchmarkTranslog(b *testing.B) {
	for _, writers := range []int{1, 256, 2048} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) { compete(b, writers, contenders(writers)) })
	}
}

// turn is what one contender did in one turn.
type turn struct {
	rate     float64 // entries a second
	p50, p99 float64 // µs
}

// compete gives every contender its turns and then a line.
func compete(b *testing.B, writers int, all []contender) {
	took := map[string][]turn{}
	for t := range *turns {
		for i := range all {
			c := all[(i+t)%len(all)]
			took[c.name] = append(took[c.name], takeTurn(b, c, writers))
		}
	}
	for _, c := range all {
		b.Run(c.name, func(b *testing.B) {
			ours := took[c.name]
			b.ReportMetric(0, "ns/op") // of no meaning here
			b.ReportMetric(over(ours, func(t int) float64 { return ours[t].rate }), "acked/s")
			b.ReportMetric(over(ours, func(t int) float64 { return ours[t].p50 }), "us-p50")
			b.ReportMetric(over(ours, func(t int) float64 { return ours[t].p99 }), "us-p99")
			for _, name := range baselines {
				if theirs := took[name]; theirs != nil && name != c.name {
					b.ReportMetric(over(ours, func(t int) float64 { return ours[t].rate / theirs[t].rate }), "x-"+name)
				}
			}
			for _, name := range p50Baselines {
				if theirs := took[name]; theirs != nil && name != c.name {
					b.ReportMetric(over(ours, func(t int) float64 { return theirs[t].p50 / ours[t].p50 }), "p50-x-"+name)
				}
			}
		})
	}
}

// over is the median of a figure of every turn.
func over(all []turn, figure func(t int) float64) float64 {
	figures := make([]float64, len(all))
	for t := range all {
		figures[t] = figure(t)
	}
	return median(figures)
}

// takeTurn opens a new log, lets the disk come to rest, and has it written to. What it leaves is deleted at the very
// end: for some seconds after a deletion ext4 takes ten times as long to make a file.
func takeTurn(b *testing.B, c contender, writers int) turn {
	dir := logDir(b)
	b.Cleanup(func() { os.RemoveAll(dir) })
	d, err := c.open(dir, writers)
	require.NoError(b, err, c.name)
	syscall.Sync() // what the one before left to be written, and what was deleted of it
	runtime.GC()
	got, err := measure(b.Context(), d, writers)
	require.NoError(b, errors.Join(err, d.Close()), c.name)
	return got
}

// logDir is a new directory on -disk, which has to be one.
func logDir(t testing.TB) string {
	const tmpfs = 0x01021994
	var fs syscall.Statfs_t
	require.NoError(t, syscall.Statfs(*disk, &fs))
	require.NotEqual(t, int64(tmpfs), int64(fs.Type), "-disk is in memory, where syncs are free")
	dir, err := os.MkdirTemp(*disk, "translog")
	require.NoError(t, err)
	return dir
}

// measure has so many writers write for the window. What is acknowledged after it doesn't count; the time to settle,
// which begins there, does.
func measure(ctx context.Context, d durable, writers int) (turn, error) {
	var next atomic.Int64
	waits, errs := make([][]time.Duration, writers), make([]error, writers)
	var wg sync.WaitGroup
	start := time.Now()
	deadline := start.Add(*window)
	for w := range writers {
		wg.Go(func() {
			for before := time.Now(); before.Before(deadline); {
				i := int(next.Add(1)) - 1
				if errs[w] = d.Add(ctx, i, entryOf(i)); errs[w] != nil {
					return
				}
				after := time.Now()
				if after.Before(deadline) {
					waits[w] = append(waits[w], after.Sub(before))
				}
				before = after
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return turn{}, err
	}
	took := *window
	if s, ok := d.(settler); ok {
		if err := s.Settle(); err != nil {
			return turn{}, err
		}
		took = time.Since(start)
	}
	all := slices.Sorted(slices.Values(slices.Concat(waits...)))
	if len(all) == 0 {
		return turn{}, errors.New("nothing was acknowledged in the window")
	}
	micros := func(q float64) float64 { return float64(all[int(q*float64(len(all)-1))]) / 1e3 }
	return turn{rate: float64(len(all)) / took.Seconds(), p50: micros(0.5), p99: micros(0.99)}, nil
}

// entrySize is that of an event in JSON, in bytes.
const entrySize = 512

// pool is events in JSON; entries repeat after so many.
var pool = sync.OnceValue(func() [][]byte {
	list := make([][]byte, 1<<14)
	for i := range list {
		list[i] = eventOf(i).AppendJSON(nil)
		if len(list[i]) != entrySize {
			panic(fmt.Sprintf("event %d has %d bytes", i, len(list[i])))
		}
	}
	return list
})

// entryOf is what is written to those that take bytes, made beforehand.
func entryOf(i int) []byte { return pool()[i%len(pool())] }

// eventOf is the i-th event: a log-in with five values that relate to a person, of one of 100 persons of one of 50
// tenants.
func eventOf(i int) *opsec.Event {
	e := template
	id := fmt.Appendf(make([]byte, 0, 36), "01890a5d-ac96-7000-8000-%012x", i)
	e.ID = opsec.ID(id)
	who := i % len(eventAccounts)
	e.Tenant = eventTenants[who%len(eventTenants)]
	e.Actor.Tenant, e.Actor.Account, e.Actor.Person = e.Tenant, eventAccounts[who], eventAccounts[who]
	e.Resource.Tenant = e.Tenant
	return &e
}

var (
	eventTenants, eventAccounts = func() (t []opsec.TenantID, a []string) {
		for i := range 50 {
			t = append(t, opsec.TenantID(fmt.Sprintf("tenant-%02d", i)))
		}
		for i := range 100 {
			a = append(a, fmt.Sprintf("account-%04d", i))
		}
		return t, a
	}()
	template = opsec.Event{
		Time: time.Date(2026, 11, 25, 8, 0, 0, 123456000, time.UTC), Class: opsec.Standard, Category: opsec.Authentication,
		Action: "console.login", Outcome: opsec.Success, System: "console",
		Actor: opsec.Actor{
			Kind: opsec.Human, IP: netip.MustParseAddr("192.0.2.7"), Terminal: "laptop-12", Session: "s-0123456789abcdef0123456789a",
		},
		Resource: opsec.Resource{Type: "console", ID: "main"},
		Attrs: []opsec.Attr{
			{Key: "realm", Value: "staff", Mark: opsec.Tenant},
		},
	}
)

// TestTranslogContendersKeepEveryEntry looks that what is compared does what it says.
func TestTranslogContendersKeepEveryEntry(t *testing.T) {
	const n = 600 // two full batches of Tessera's defaults, and one that isn't
	var want []string
	for i := range n {
		want = append(want, string(entryOf(i)))
	}
	for _, c := range contenders(n) {
		t.Run(c.name, func(t *testing.T) {
			if c.kept == nil {
				return
			}
			dir := logDir(t)
			defer os.RemoveAll(dir)
			d, err := c.open(dir, n)
			require.NoError(t, err)
			errs := make([]error, n)
			var wg sync.WaitGroup
			for i := range n {
				wg.Go(func() { errs[i] = d.Add(t.Context(), i, entryOf(i)) })
			}
			wg.Wait()
			if s, ok := d.(settler); ok {
				errs = append(errs, s.Settle())
			}
			require.NoError(t, errors.Join(append(errs, d.Close())...))
			kept, err := c.kept(dir)
			require.NoError(t, err)
			var got []string
			for _, entry := range kept {
				got = append(got, string(entry))
			}
			slices.Sort(got)
			require.True(t, slices.Equal(slices.Sorted(slices.Values(want)), got), "%d of %d entries", len(got), n)
		})
	}
}

// slow takes its time, and one that settles takes as long again as the window.
type slow struct{}

const slowAdd = 10 * time.Millisecond

func (slow) Add(context.Context, int, []byte) error { time.Sleep(slowAdd); return nil }
func (slow) Close() error                           { return nil }

type slowToSettle struct{ slow }

func (slowToSettle) Settle() error { time.Sleep(*window); return nil }

func TestTranslogTimeToSettleCounts(t *testing.T) {
	const writers = 3
	acked := writers * float64((*window-1)/slowAdd) // before the end of the window
	synctest.Test(t, func(t *testing.T) {
		got, err := measure(t.Context(), slow{}, writers)
		require.NoError(t, err)
		micros := float64(slowAdd) / 1e3
		require.Equal(t, turn{rate: acked / window.Seconds(), p50: micros, p99: micros}, got)
		got, err = measure(t.Context(), slowToSettle{}, writers)
		require.NoError(t, err)
		require.Equal(t, acked/(2*window.Seconds()), got.rate)
	})
}
