package catalogue_test

import (
	"fmt"
	"iter"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/backup/catalogue"
	"github.com/cloudopsec/opsec/backup/plan"
	"github.com/cloudopsec/opsec/internal/race"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/bolt"
	"github.com/cloudopsec/opsec/store/memory"
)

// fill puts many points into a store, past the catalogue's verbs, as a migration does.
func (b *bench) fill(n int) {
	b.t.Helper()
	b.add("0")
	first := b.point("0")
	points := b.Parts()[1].(*store.Collection[catalogue.Point])
	_, err := points.Import(bg, b.db, "acme", func(yield func(*catalogue.Point, error) bool) {
		for i := 1; i < n; i++ {
			p := first
			p.ID, p.Received = fmt.Sprint(i), first.Received.Add(time.Duration(i)*time.Minute)
			p.Claimed = p.Received
			p.Copies = []catalogue.Copy{first.Copies[0]}
			if i%10 != 0 {
				p.Parents, p.Depth = []string{fmt.Sprint(i - 1)}, i%10+1
			}
			if !yield(&p, nil) {
				return
			}
		}
	})
	require.NoError(b.t, err)
	b.now = first.Received.Add(time.Duration(n) * time.Minute)
}

// over bolt, what is listed is not held: the heap while points go by is that of one page.
func TestAListTakesMemoryForAPage(t *testing.T) {
	n := race.Fewer(10_000)
	driver, err := bolt.Open(t.TempDir()+"/catalogue.db", nil)
	require.NoError(t, err)
	defer driver.Close()
	b := newBench(t, driver, nil)
	b.fill(n)
	peak := func(seq iter.Seq2[catalogue.Point, error]) (count int, most uint64) {
		var base, now runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&base)
		for _, err := range seq {
			require.NoError(t, err)
			if count++; count%(n/10) == 0 {
				runtime.GC()
				runtime.ReadMemStats(&now)
				if now.HeapAlloc > base.HeapAlloc {
					most = max(most, now.HeapAlloc-base.HeapAlloc)
				}
			}
		}
		return count, most
	}
	count, most := peak(b.Points(bg, alice.Actor, "acme", "vol-7", time.Time{}, time.Time{}))
	require.Equal(t, n, count)
	require.Less(t, most, uint64(8<<20))
	count, most = peak(b.ByKey(bg, alice.Actor, "acme", local().Key))
	require.Equal(t, n, count)
	require.Less(t, most, uint64(8<<20))
	s, err := b.Summary(bg, alice.Actor, "acme", "vol-7", noon, time.Time{})
	require.NoError(t, err)
	require.Equal(t, n, s.Points)
	require.Equal(t, time.Minute, s.Exposure)
	require.Equal(t, 59*time.Minute, s.Span) // until the first

	// To delete one of so many reads no more than of few.
	require.Equal(t, 1, b.remove(false, fmt.Sprint(n-1)).Gone)
	require.Equal(t, catalogue.NeededBy, b.remove(false, "5").Kept[0].Why)
}

func BenchmarkRegister(b *testing.B) {
	k := newBench(b, memory.New(), nil)
	k.fill(10_000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		_, err := k.Register(bg, agent, "acme", catalogue.Registration{Source: "vol-7", ID: fmt.Sprint("new-", i), Level: plan.Image, Claimed: noon,
			Parents: []string{"9"}, Copies: []catalogue.Copy{local()}})
		require.NoError(b, err)
	}
}

func BenchmarkSummaryOf10000(b *testing.B) {
	k := newBench(b, memory.New(), nil)
	k.fill(10_000)
	b.ReportAllocs()
	for b.Loop() {
		_, err := k.Summary(bg, alice.Actor, "acme", "vol-7", noon, time.Time{})
		require.NoError(b, err)
	}
}
