package index_test

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/index"
)

// Finder is what an index and a builder have in common.
type Finder interface {
	Find(q index.Query, from uint16) iter.Seq[uint16]
	Times() (first, last time.Time)
	Len() int
}

// entry is what was added, for the search that looks at everything.
type entry struct {
	at   time.Time
	keys []string
}

func (e entry) meets(q index.Query) bool {
	for _, any := range q.All {
		if !slices.ContainsFunc(any, func(key []byte) bool { return slices.Contains(e.keys, string(key)) }) {
			return false
		}
	}
	return true
}

func (e entry) within(q index.Query) bool {
	return (q.From.IsZero() || !e.at.Before(q.From)) && (q.To.IsZero() || e.at.Before(q.To))
}

// spread is the earliest and the latest time of the block of pos.
func spread(all []entry, pos int) (first, last time.Time) {
	block := all[pos/256*256 : min(pos/256*256+256, len(all))]
	byTime := func(a, b entry) int { return a.at.Compare(b.at) }
	return slices.MinFunc(block, byTime).at, slices.MaxFunc(block, byTime).at
}

// search looks at everything: must is what has to be found, may what can be if there are bounds, for its block.
func search(all []entry, q index.Query, from uint16) (must, may []uint16) {
	for pos, e := range all {
		if q.Descending && pos > int(from) || !q.Descending && pos < int(from) || !e.meets(q) {
			continue
		}
		if e.within(q) {
			must = append(must, uint16(pos))
		}
		if q.From.IsZero() && q.To.IsZero() {
			continue
		}
		first, last := spread(all, pos) // a microsecond more on either side
		if (q.From.IsZero() || !last.Before(q.From.Add(-time.Microsecond))) &&
			(q.To.IsZero() || first.Before(q.To.Add(time.Microsecond))) {
			may = append(may, uint16(pos))
		}
	}
	if q.Descending {
		slices.Reverse(must)
		slices.Reverse(may)
	}
	return must, may
}

// found checks what f finds against a search of everything.
func found(t require.TestingT, all []entry, f Finder, q index.Query, from uint16) {
	must, may := search(all, q, from)
	got := slices.Collect(f.Find(q, from))
	if q.From.IsZero() && q.To.IsZero() {
		require.Equal(t, must, got)
		return
	}
	require.True(t, slices.IsSortedFunc(got, func(a, b uint16) int {
		if q.Descending {
			a, b = b, a
		}
		return int(a) - int(b)
	}))
	missing := func(of, in []uint16) []uint16 {
		return slices.DeleteFunc(slices.Clone(of), func(p uint16) bool { return slices.Contains(in, p) })
	}
	require.Empty(t, missing(must, got), "not found")
	require.Empty(t, missing(got, may), "found in vain")
}

var start = time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)

// fill makes n entries of a random log, whose clock goes back now and then, and adds them.
func fill(t require.TestingT, n int, seed uint64, span uint64) ([]entry, *index.Builder) {
	r := rand.New(rand.NewPCG(seed, 0))
	b := index.NewBuilder(span)
	at, all := start, make([]entry, n)
	for pos := range all {
		at = at.Add(time.Duration(r.Int64N(3_000_000) - 500_000))
		keys := []string{"t" + fmt.Sprint(min(r.IntN(50), r.IntN(50))), "a" + fmt.Sprint(r.IntN(3))}
		if r.IntN(10) > 0 {
			keys = append(keys, "ok")
		}
		if r.IntN(3) == 0 {
			keys = append(keys, "r"+fmt.Sprint(r.Uint32()), keys[0]) // one of a kind, and one twice
		}
		all[pos] = entry{at, keys}
		var list [][]byte
		for _, k := range keys {
			list = append(list, []byte(k))
		}
		require.NoError(t, b.Add(uint16(pos), at, list...))
	}
	return all, b
}

func drawQuery(t *rapid.T, all []entry) (index.Query, uint16) {
	key := rapid.OneOf(
		rapid.Map(rapid.IntRange(0, 55), func(n int) []byte { return []byte("t" + fmt.Sprint(n)) }),
		rapid.Map(rapid.IntRange(0, 3), func(n int) []byte { return []byte("a" + fmt.Sprint(n)) }),
		rapid.SampledFrom([][]byte{[]byte("ok"), nil, []byte("t"), []byte("t1\x00")}),
	)
	q := index.Query{Descending: rapid.Bool().Draw(t, "descending")}
	for range rapid.IntRange(0, 3).Draw(t, "clauses") {
		q.All = append(q.All, rapid.SliceOfN(key, 0, 4).Draw(t, "any"))
	}
	at := rapid.Custom(func(t *rapid.T) time.Time {
		if len(all) == 0 || rapid.IntRange(0, 5).Draw(t, "elsewhere") == 0 {
			return start.Add(time.Duration(rapid.Int64Range(-1e9, 1e10).Draw(t, "at")))
		}
		near := all[rapid.IntRange(0, len(all)-1).Draw(t, "near")].at
		return near.Add(time.Duration(rapid.IntRange(-1, 1).Draw(t, "by")))
	})
	if rapid.Bool().Draw(t, "from") {
		q.From = at.Draw(t, "From")
	}
	if rapid.Bool().Draw(t, "to") {
		q.To = at.Draw(t, "To")
	}
	from := rapid.Uint16().Draw(t, "position")
	if rapid.Bool().Draw(t, "within") && len(all) > 0 {
		from %= uint16(min(len(all), 65535))
	}
	return q, from
}

func TestFindIsASearchOfEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.OneOf(rapid.IntRange(0, 3), rapid.IntRange(254, 258), rapid.IntRange(0, 1500)).Draw(t, "n")
		all, b := fill(t, n, rapid.Uint64().Draw(t, "seed"), 7)
		x, err := index.Open(b.Encode(), 7)
		require.NoError(t, err)
		require.Equal(t, n, b.Len())
		require.Equal(t, n, x.Len())
		for range 10 {
			q, from := drawQuery(t, all)
			found(t, all, x, q, from)
			found(t, all, b, q, from)
			require.Equal(t, slices.Collect(x.Find(q, from)), slices.Collect(b.Find(q, from)))
		}
	})
}

func TestFullSpan(t *testing.T) {
	all, b := fill(t, index.Span, 1, 0)
	file := b.Encode()
	x, err := index.Open(file, 0)
	require.NoError(t, err)
	require.Equal(t, file, x.Again(0))
	require.ErrorIs(t, b.Add(0, start), opsec.ErrInvalid)
	require.Equal(t, file, b.Encode())
	for i, q := range []index.Query{
		{},
		{Descending: true},
		{All: []index.AnyOf{{[]byte("ok")}}},
		{All: []index.AnyOf{{[]byte("ok")}}, Descending: true},
		{All: []index.AnyOf{{[]byte("ok")}, {[]byte("a0"), []byte("a2")}, {[]byte("t0"), []byte("t3"), []byte("t49")}}},
	} {
		for _, from := range []uint16{0, 1, 63, 64, 30_000, index.Span - 2, index.Span - 1} {
			for _, f := range []Finder{x, b} {
				must, _ := search(all, q, from)
				require.Equal(t, must, slices.Collect(f.Find(q, from)), "query %d from %d", i, from)
			}
		}
	}
}

func TestListsBecomeBits(t *testing.T) { // at 4,096 positions, where the two forms are of one length
	for n := 4090; n < 4100; n++ {
		b := index.NewBuilder(1)
		for pos := range n {
			require.NoError(t, b.Add(uint16(pos), start, []byte("every")))
		}
		file := b.Encode()
		require.Len(t, file, 24+(n+255)/256*16+10+min(2*n, 8192)+32)
		x, err := index.Open(file, 1)
		require.NoError(t, err)
		require.Equal(t, file, x.Again(1))
		require.Len(t, slices.Collect(x.Find(index.Query{All: []index.AnyOf{{[]byte("every")}}}, 0)), n)
	}
}

func TestSimilarKeysAreToldApart(t *testing.T) {
	keys := [][]byte{}
	for n := range 40 {
		keys = append(keys, make([]byte, n)) // also the empty one
	}
	for bit := range 17 * 8 {
		one := make([]byte, 17)
		one[bit/8] = 1 << (bit % 8)
		keys = append(keys, one)
	}
	for n := len(keys); n < index.Span; n++ {
		keys = append(keys, fmt.Appendf(nil, "r%d", n))
	}
	b := index.NewBuilder(0)
	for pos, key := range keys {
		require.NoError(t, b.Add(uint16(pos), start, key))
	}
	x, err := index.Open(b.Encode(), 0)
	require.NoError(t, err)
	for pos, key := range keys {
		if pos > 1000 && pos%64 != 0 {
			continue
		}
		for _, f := range []Finder{b, x} {
			require.Equal(t, []uint16{uint16(pos)}, slices.Collect(f.Find(index.Query{All: []index.AnyOf{{key}}}, 0)))
		}
	}
}

func TestPagesMakeTheWhole(t *testing.T) {
	_, b := fill(t, 3000, 2, 0)
	x, err := index.Open(b.Encode(), 0)
	require.NoError(t, err)
	for _, f := range []Finder{x, b} {
		for _, descending := range []bool{false, true} {
			q := index.Query{All: []index.AnyOf{{[]byte("a1")}}, Descending: descending}
			from, step := uint16(0), uint16(1)
			if descending {
				from, step = index.Span-1, ^uint16(0)
			}
			whole, paged := slices.Collect(f.Find(q, from)), []uint16(nil)
			for full := true; full; {
				full = false
				for pos := range f.Find(q, from) {
					paged, from = append(paged, pos), pos+step
					if full = len(paged)%7 == 0; full {
						break
					}
				}
			}
			require.NotEmpty(t, whole)
			require.Equal(t, whole, paged)
		}
	}
}

func TestEncodingDependsOnTheEntriesAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, seed := rapid.IntRange(0, 600).Draw(t, "n"), rapid.Uint64().Draw(t, "seed")
		all, b := fill(t, n, seed, 3)
		again := index.NewBuilder(3)
		for pos, e := range all {
			var keys [][]byte
			for _, k := range rapid.Permutation(e.keys).Draw(t, "keys") {
				keys = append(keys, []byte(k))
			}
			require.NoError(t, again.Add(uint16(pos), e.at.Local(), keys...))
			if pos == n/2 {
				again.Encode()
			}
		}
		file := b.Encode()
		require.Equal(t, file, again.Encode())
		x, err := index.Open(file, 3)
		require.NoError(t, err)
		require.Equal(t, file, x.Again(3))
	})
}

func TestTimesAreThoseOfTheEntries(t *testing.T) {
	all, b := fill(t, 1000, 4, 0)
	x, err := index.Open(b.Encode(), 0)
	require.NoError(t, err)
	byTime := func(a, b entry) int { return a.at.Compare(b.at) }
	for _, f := range []Finder{x, b} {
		first, last := f.Times()
		require.Equal(t, slices.MinFunc(all, byTime).at.Truncate(time.Microsecond), first)
		require.Equal(t, slices.MaxFunc(all, byTime).at.Truncate(time.Microsecond), last)
	}
	first, last := index.NewBuilder(0).Times()
	require.Zero(t, first)
	require.Zero(t, last)
}

func TestOddBoundsOfTime(t *testing.T) {
	b := index.NewBuilder(0)
	early := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	late := time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
	at := func(n int) time.Time { return []time.Time{early, start, late}[n/256] }
	for pos := range 3 * 256 {
		require.NoError(t, b.Add(uint16(pos), at(pos)))
	}
	all := func(blocks ...int) (positions []uint16) {
		for _, block := range blocks {
			for i := range 256 {
				positions = append(positions, uint16(256*block+i))
			}
		}
		return positions
	}
	x, err := index.Open(b.Encode(), 0)
	require.NoError(t, err)
	beyond, before := time.Unix(1<<55, 0), time.Unix(-1<<55, 0)
	for name, c := range map[string]struct {
		from, to time.Time
		want     []uint16
	}{
		"no bounds":            {want: all(0, 1, 2)},
		"from one":             {from: start, want: all(1, 2)},
		"from just behind":     {from: start.Add(time.Microsecond), want: all(2)},
		"to one":               {to: start, want: all(0)},
		"to just behind":       {to: start.Add(1), want: all(0, 1)},
		"empty":                {from: start, to: start},
		"reversed":             {from: late, to: early.Add(1)},
		"from the last":        {from: late, want: all(2)},
		"from beyond all":      {from: beyond},
		"to beyond all":        {to: beyond, want: all(0, 1, 2)},
		"from before all":      {from: before, want: all(0, 1, 2)},
		"to before all":        {to: before},
		"between beyond, none": {from: beyond, to: beyond.Add(1)},
	} {
		for _, f := range []Finder{x, b} {
			require.Equal(t, c.want, slices.Collect(f.Find(index.Query{From: c.from, To: c.to}, 0)), name)
		}
	}
}

func TestBoundsThatNoTimeMeets(t *testing.T) { // within one block
	b := index.NewBuilder(0)
	require.NoError(t, b.Add(0, start))
	require.NoError(t, b.Add(1, start.Add(time.Hour)))
	at := start.Add(30 * time.Minute)
	require.Empty(t, slices.Collect(b.Find(index.Query{From: at, To: at}, 0)))
	require.Empty(t, slices.Collect(b.Find(index.Query{From: at, To: at.Add(-1)}, 0)))
	require.Len(t, slices.Collect(b.Find(index.Query{From: at, To: at.Add(1)}, 0)), 2)
}

func TestBadEntryChangesNothing(t *testing.T) {
	_, b := fill(t, 10, 5, 0)
	before := b.Encode()
	key := []byte("k")
	for name, add := range map[string]func() error{
		"a position twice":  func() error { return b.Add(9, start, key) },
		"a position ahead":  func() error { return b.Add(11, start, key) },
		"the year 0":        func() error { return b.Add(10, time.Date(1, 1, 1, 0, 0, 0, -1, time.UTC), key) },
		"the year 10000":    func() error { return b.Add(10, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), key) },
		"too many keys":     func() error { return b.Add(10, start, slices.Repeat([][]byte{key}, index.MaxKeys+1)...) },
		"a far-away second": func() error { return b.Add(10, time.Unix(1<<60, 0), key) },
	} {
		require.ErrorIs(t, add(), opsec.ErrInvalid, name)
		require.Equal(t, before, b.Encode(), name)
	}
	require.NoError(t, b.Add(10, start, slices.Repeat([][]byte{key}, index.MaxKeys)...))
	require.Equal(t, []uint16{10}, slices.Collect(b.Find(index.Query{All: []index.AnyOf{{key}}}, 0)))
}

func TestReadersSeeAPrefix(t *testing.T) {
	const n = 20_000
	b := index.NewBuilder(0)
	every, kinds := []byte("every"), index.AnyOf{[]byte("k0"), []byte("k1"), []byte("k2"), []byte("k3"), []byte("k4")}
	var readers sync.WaitGroup
	for reader := range 4 {
		readers.Go(func() {
			for seen := 0; seen < n; {
				before := b.Len()
				got := slices.Collect(b.Find(index.Query{All: []index.AnyOf{{every}, kinds}}, 0))
				third := slices.Collect(b.Find(index.Query{All: []index.AnyOf{{every}, kinds[reader : reader+1]}, From: start, Descending: true}, n))
				after := b.Len()
				if len(got) < before || len(got) > after || len(third) < before/5 || len(third) > after/5+1 {
					t.Errorf("%d and %d found: want between %d and %d", len(got), len(third), before, after)
					return
				}
				for i, pos := range got {
					if int(pos) != i {
						t.Errorf("%d found: number %d is %d", len(got), i, pos)
						return
					}
				}
				for i, pos := range third {
					if int(pos) != reader+5*(len(third)-1-i) {
						t.Errorf("%d of one kind: number %d is %d", len(third), i, pos)
						return
					}
				}
				seen = after
			}
		})
	}
	for pos := range n {
		require.NoError(t, b.Add(uint16(pos), start.Add(time.Duration(pos)), every, kinds[pos%5], fmt.Append(nil, pos)))
	}
	readers.Wait()
}
