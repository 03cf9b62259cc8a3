package meter_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/internal/race"
	"github.com/cloudopsec/opsec/sla/meter"
	"github.com/cloudopsec/opsec/sla/metric"
)

// TestManyPiecesAreAsFew reads again and again while evidence comes, so that some is in order and some is not, and goes beside
// the model.
func TestManyPiecesAreAsFew(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	m, w := meter.New(), newModel()
	p, long := span(0, 1_000_000), strings.Repeat("project/", 50) // more than a buffer of what is hashed and saved
	for round := range 60 {
		n := []int{3000, 1, 7, 40}[min(round, 1+round%3)] // much at first, then little beside it
		for range n {
			e := Evidence{Source: fmt.Sprint("s", r.IntN(4)), Seq: uint64(r.IntN(40)), Resource: long + fmt.Sprint(r.IntN(300)), Span: span(r.Int64N(900_000), 0)}
			e.Span.End = e.Span.Start + 1 + r.Int64N(1000)
			if r.IntN(3) == 0 {
				e.Total = 1 + r.Uint64N(5)
			} else {
				e.State = meter.State(r.IntN(4))
			}
			require.NoError(t, m.Add(e))
			require.NoError(t, m.Add(e))
			w.add(e)
		}
		if round == 30 {
			_, err := m.Seal(span(0, 400_000))
			require.NoError(t, err)
			w.seal(span(0, 400_000))
		}
		require.Equal(t, w.digest(p), m.Digest(p), "round %d", round)
	}
	same(t, w, m)
	same(t, w, load(t, save(t, m)))
}

// TestNamesInAnyOrder has names that differ after what all begin with, late, or not at all in eight bytes.
func TestNamesInAnyOrder(t *testing.T) {
	m, w := meter.New(), newModel()
	for _, batch := range [][]string{{"project/abcdefgh-2", "project/abcdefgh-1", "project/"}, {"project/abcdefgh", "p", "project/b", "z"}, {"project/\x00", "project/a\x00", "project/a"}, {"é", "e"}} {
		for _, name := range batch {
			e := Evidence{Source: name, Resource: name, Span: span(0, 9), State: meter.Up}
			require.NoError(t, m.Add(e))
			w.add(e)
		}
		same(t, w, m)
	}
}

// TestWhatComesAgainTakesNoMemory delivers the same evidence again and again, before its time is sealed and after.
func TestWhatComesAgainTakesNoMemory(t *testing.T) {
	if race.Enabled {
		t.Skip("memory is another under the race detector")
	}
	m := meter.New()
	heap := func() int64 {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return int64(s.HeapAlloc)
	}
	before := heap()
	for range 2_000_000 {
		if m.Add(Evidence{Source: "s", Seq: 2000, Resource: "vm", Span: span(0, 1), State: meter.Up}) != nil {
			t.Fatal("not added")
		}
	}
	require.Less(t, heap()-before, int64(2_000_000*32), "more would come together")
	for round := range 2600 {
		for i := range 1000 {
			e := Evidence{Source: "s", Seq: uint64(i), Resource: "vm", Span: span(int64(i), int64(i+2)), State: meter.Up}
			if i%2 == 0 {
				e.State, e.Total = meter.Unknown, 1
			}
			if m.Add(e) != nil {
				t.Fatal("not added")
			}
		}
		if round == 1300 {
			_, err := m.Seal(span(0, 5000))
			require.NoError(t, err)
		}
	}
	require.Less(t, heap()-before, int64(2600*1000*40), "more would come together")
	for range m.Late() {
		t.Error("it is there already")
	}
	require.Less(t, heap()-before, int64(1<<20))
	runtime.KeepAlive(m)
}

// TestWhatIsSealedAndComesAgainTakesNoMemory delivers a sealed period once more, of which nothing is kept aside.
func TestWhatIsSealedAndComesAgainTakesNoMemory(t *testing.T) {
	if race.Enabled {
		t.Skip("memory is another under the race detector")
	}
	const n = 1<<20 + 1<<16
	m := meter.New()
	deliver := func() (heap int64) {
		for i := range int64(n) {
			if m.Add(Evidence{Source: "s", Seq: uint64(i), Resource: "vm", Span: span(i, i+1), State: meter.Up}) != nil {
				t.Fatal("not added")
			}
		}
		_, err := m.Seal(span(0, n))
		require.NoError(t, err)
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return int64(s.HeapAlloc)
	}
	require.Less(t, -deliver()+deliver(), int64(n*8))
	runtime.KeepAlive(m)
}

// TestRequestsThatComeAgainTakeNoMemory delivers a few requests again and again, and reads in between.
func TestRequestsThatComeAgainTakeNoMemory(t *testing.T) {
	if race.Enabled {
		t.Skip("memory is another under the race detector")
	}
	const again, rounds = 100, 30_000
	m := meter.New()
	for i := range int64(50 * again) { // beside which the requests are few
		require.NoError(t, m.Add(Evidence{Source: "s", Seq: uint64(i), Resource: "other", Span: span(i, i+1), State: meter.Up}))
	}
	for range rounds {
		m.Digest(Span{})
		for i := range int64(again) {
			if m.Add(Evidence{Source: "s", Seq: uint64(i), Resource: "vm", Span: span(i, i+1), Total: 1}) != nil {
				t.Fatal("not added")
			}
		}
	}
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	require.Less(t, s.HeapAlloc, uint64(again*rounds*24*3/4), "24 bytes each would be all of them")
	runtime.KeepAlive(m)
}

// TestNamesThatAreAlikeInATable has so many names that some have the same hash, and asks for them in another order than they came.
func TestNamesThatAreAlikeInATable(t *testing.T) {
	const n = 300_000
	m := meter.New()
	for i := range 2 * n {
		k := i * 7 % n
		if m.Add(Evidence{Source: "s", Seq: 1, Resource: fmt.Sprint("vm-", k), Span: span(int64(k), int64(k+1)), State: meter.Up}) != nil {
			t.Fatal("not added")
		}
		if i == n {
			m.Digest(span(0, 1))
		}
	}
	seen := 0
	m.Resources(span(0, n), func(name string, in metric.Input) bool {
		seen++
		return name == fmt.Sprint("vm-", in.States.Up[0].Start) && in.States.Up.Length() == 1
	})
	require.Equal(t, n, seen)
}

// TestAddInOrderTakesItsRoomAlone adds what comes in order of a source, which is new, and need not be compared with all else:
// in rounds through its resources, numbered by the source or for each resource alone, and resource after resource.
func TestAddInOrderTakesItsRoomAlone(t *testing.T) {
	if race.Enabled {
		t.Skip("memory is another under the race detector")
	}
	const n, each = 100, 22_000 // in all more than waits for being put in order when it is doubtful
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint("vm-", i)
	}
	for how, piece := range map[string]func(i int) (resource, seq int){
		"numbered by the source": func(i int) (int, int) { return i % n, i },
		"numbered by resource":   func(i int) (int, int) { return i % n, i / n },
		"one by one":             func(i int) (int, int) { return i / each, i % each },
	} {
		m := meter.New()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for i := range n * each {
			resource, seq := piece(i)
			if m.Add(Evidence{Source: "s", Seq: uint64(seq), Resource: names[resource], Span: span(int64(i), int64(i+1)), State: meter.Up}) != nil {
				t.Fatal("not added")
			}
		}
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(n*each*36), how)
	}
}

// TestReaderMayStop ends each way of reading in the middle.
func TestReaderMayStop(t *testing.T) {
	m := meter.New()
	add := func() {
		for i := range 6 {
			for _, s := range []meter.State{meter.Up, meter.Down} {
				require.NoError(t, m.Add(Evidence{Source: "s", Seq: uint64(i / 2), Resource: fmt.Sprint(i % 2), Span: span(int64(i), 9), State: s}))
			}
		}
	}
	add()
	_, err := m.Seal(span(0, 20))
	require.NoError(t, err)
	n := 0
	m.Resources(span(0, 9), func(string, metric.Input) bool { n++; return false })
	for range m.Evidence(span(0, 9)) {
		n++
		break
	}
	for range m.Conflicts() {
		n++
		break
	}
	require.NoError(t, m.Add(Evidence{Source: "t", Resource: "0", Span: span(0, 9)}))
	for range m.Late() {
		n++
		break
	}
	require.Equal(t, 4, n)
}
