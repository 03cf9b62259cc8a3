package catalogue_test

import (
	"fmt"
	"iter"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
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

// What is listed is not held: what the heap grows by while points go by is a page.
func TestAListTakesMemoryForAPage(t *testing.T) {
	n := race.Fewer(50_000)
	b := newBench(t, memory.New(), nil)
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

// The same in a file, which is closed and opened between an order and its execution.
func TestAnOrderOutlivesTheProcess(t *testing.T) {
	path := t.TempDir() + "/catalogue.db"
	driver, err := bolt.Open(path, nil)
	require.NoError(t, err)
	b := newBench(t, driver, nil)
	b.add("a")
	b.add("b", "a")
	b.add("c")
	b.verify("c", true)
	o, err := b.ProposeDeletion(bg, alice, "acme", "vol-7", []string{"a", "b", "c"}, false)
	require.NoError(t, err)
	b.agree(o)
	require.NoError(t, b.db.Close())
	driver, err = bolt.Open(path, nil)
	require.NoError(t, err)
	b = b.over(driver)
	b.now = b.now.Add(catalogue.DefaultDelay)
	b.reopen(unsigned(catalogue.DefaultPolicy()))
	o, err = b.Execute(bg, alice, "acme", o.ID)
	require.NoError(t, err)
	require.Equal(t, 2, o.Gone)
	require.Equal(t, []string{"c"}, b.present())
	b.sound()
	require.NoError(t, b.db.Close())
}

// Children are registered while their parents are deleted, on several nodes: who comes first wins, and no chain is broken.
func TestParentsGoOrGetChildrenButNotBoth(t *testing.T) {
	b := standard(t)
	const n = 20
	var orders []opsec.ID
	for i := range n {
		b.add(fmt.Sprint("p", i))
		o, err := b.ProposeDeletion(bg, alice, "acme", "vol-7", []string{fmt.Sprint("p", i)}, true)
		require.NoError(t, err)
		orders = append(orders, b.agree(o).ID)
	}
	b.now = b.now.Add(catalogue.DefaultDelay)
	b.shred.before = nil
	var wait sync.WaitGroup
	born := make([]error, n)
	for i := range n {
		wait.Go(func() {
			_, err := b.Execute(bg, alice, "acme", orders[i])
			if err != nil {
				t.Error(err)
			}
		})
		wait.Go(func() {
			_, born[i] = b.Register(bg, agent, "acme", catalogue.Registration{Source: "vol-7", ID: fmt.Sprint("c", i), Level: plan.Image, Claimed: noon, Parents: []string{fmt.Sprint("p", i)}})
		})
	}
	wait.Wait()
	for i := range n {
		gone := b.point(fmt.Sprint("p", i)).State == catalogue.Deleted
		require.Equal(t, gone, born[i] != nil, "parent gone: %v; child: %v", gone, born[i])
	}
}

func TestAnOrderIsOfBoundedSize(t *testing.T) {
	b := standard(t)
	k := b.add("a").Registration
	var ids []string
	for i := range catalogue.MaxOrder {
		k.ID = fmt.Sprintf("%0120d", i)
		_, err := b.Register(bg, agent, "acme", k)
		require.NoError(t, err)
		ids = append(ids, k.ID)
	}
	var wide []string // that are needed by points of the widest names
	for i := 0; i+catalogue.MaxParents <= len(ids); i += catalogue.MaxParents {
		child := k
		child.ID, child.Parents = strings.Repeat("<", 125)+fmt.Sprintf("%03d", i), ids[i:i+catalogue.MaxParents]
		_, err := b.Register(bg, agent, "acme", child)
		require.NoError(t, err)
		wide = append(wide, child.Parents...)
	}
	o := b.due(wide...)
	o, err := b.Execute(bg, alice, "acme", o.ID)
	require.NoError(t, err)
	require.Len(t, o.Kept, len(wide))
	require.Equal(t, catalogue.KeptError{Point: wide[0], Why: catalogue.NeededBy}, o.Kept[0])

	o, err = b.ProposeDeletion(bg, alice, "acme", "vol-7", ids, false)
	require.NoError(t, err)
	b.now = b.agree(o).Ready
	_, err = b.HoldSource(bg, alice, "acme", "vol-7")
	require.NoError(t, err)
	o, err = b.Execute(bg, alice, "acme", o.ID) // and what becomes of it fits too
	require.NoError(t, err)
	require.Len(t, o.Kept, catalogue.MaxOrder)
	k.ID = strings.Repeat("<", 128)
	_, err = b.Register(bg, agent, "acme", k)
	require.NoError(t, err)
	long := alice
	long.Actor.Terminal = strings.Repeat("x", 513)
	_, err = b.HoldSource(bg, long, "acme", "vol-7")
	require.ErrorIs(t, err, opsec.ErrInvalid)
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
