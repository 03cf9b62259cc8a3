package index_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cloudopsec/opsec/audit/translog/index"
)

// load is the entries of one span: 10,000 tenants of which few are busy (Zipf), up to 8 actors each, 40 actions, 3
// outcomes and 64 resources each.
type load struct {
	at   []time.Time
	keys [][][]byte
}

func key(kind byte, n uint64) []byte { // 17 bytes, as a pseudonym has
	k := make([]byte, 17)
	k[0] = kind
	r := rand.New(rand.NewPCG(n, uint64(kind)))
	binary.LittleEndian.PutUint64(k[1:], r.Uint64())
	binary.LittleEndian.PutUint64(k[9:], r.Uint64())
	return k
}

func events(n int, seed uint64) load {
	r := rand.New(rand.NewPCG(seed, 1))
	zipf := rand.NewZipf(r, 1.2, 8, 9_999)
	l := load{at: make([]time.Time, n), keys: make([][][]byte, n)}
	now := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	for i := range n {
		now = now.Add(time.Duration(r.IntN(2_000_000)))
		tenant := zipf.Uint64()
		l.at[i] = now
		l.keys[i] = [][]byte{
			key('t', tenant),
			key('a', tenant<<8|r.Uint64N(8)),
			fmt.Appendf(nil, "nservice.action-%d", int(40*math.Pow(r.Float64(), 2))),
			fmt.Appendf(nil, "o%d", int(3*math.Pow(r.Float64(), 6))),
			key('r', tenant<<16|r.Uint64N(64)),
		}
	}
	var flat []byte // one after another, as they come from the encoder: the benchmark is not one of reading its input
	for i := range l.keys {
		for j := range l.keys[i] {
			flat = append(flat, l.keys[i][j]...)
		}
	}
	headers := make([][]byte, 0, 5*n)
	for i := range l.keys {
		from := len(headers)
		for _, k := range l.keys[i] {
			headers, flat = append(headers, flat[:len(k):len(k)]), flat[len(k):]
		}
		l.keys[i] = headers[from:]
	}
	return l
}

func (l load) build(tb testing.TB) *index.Builder {
	b := index.NewBuilder(0)
	for i := range l.at {
		if err := b.Add(uint16(i), l.at[i], l.keys[i]...); err != nil {
			tb.Fatal(err)
		}
	}
	return b
}

func BenchmarkAdd(b *testing.B) {
	l := events(index.Span, 1)
	b.ReportAllocs()
	var x *index.Builder
	for i := 0; b.Loop(); i++ {
		if i%index.Span == 0 {
			x = index.NewBuilder(0)
		}
		if err := x.Add(uint16(i), l.at[i%index.Span], l.keys[i%index.Span]...); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	x := events(index.Span, 1).build(b)
	b.ReportAllocs()
	size := 0
	for b.Loop() {
		size = len(x.Encode())
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/index.Span, "ns/event")
	b.ReportMetric(float64(size)/index.Span, "bytes/event")
}

func BenchmarkOpen(b *testing.B) {
	file := events(index.Span, 1).build(b).Encode()
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := index.Open(file, 0); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	l := events(index.Span, 1)
	running := l.build(b)
	file, err := index.Open(running.Encode(), 0)
	if err != nil {
		b.Fatal(err)
	}
	for _, of := range []struct {
		name string
		Finder
	}{{"file", file}, {"running", running}} {
		for _, about := range []struct {
			name string
			all  []index.AnyOf
		}{
			{"tenant+action", []index.AnyOf{{key('t', 20)}, {[]byte("nservice.action-7")}}},
			{"busy-tenant+outcome", []index.AnyOf{{key('t', 0)}, {[]byte("o0")}}},
			{"absent", []index.AnyOf{{key('t', 1<<40)}}},
		} {
			b.Run(of.name+"/"+about.name, func(b *testing.B) {
				b.ReportAllocs()
				found := 0
				for b.Loop() {
					found = 0
					for range of.Find(index.Query{All: about.all}, 0) {
						found++
					}
				}
				b.ReportMetric(float64(found), "found")
			})
		}
	}
}
