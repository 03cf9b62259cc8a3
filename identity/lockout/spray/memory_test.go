package spray_test

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/identity/lockout/spray"
)

// stream makes sightings without allocation: of n addresses, accounts and secrets.
type stream struct {
	random  *rand.Rand
	names   []string
	secrets [1 << 12][]byte
}

func newStream() *stream {
	s := &stream{random: rand.New(rand.NewPCG(1, 2)), names: make([]string, 1<<16)}
	for i := range s.names {
		s.names[i] = string(binary.BigEndian.AppendUint32([]byte("user"), uint32(i)))
	}
	for i := range s.secrets {
		s.secrets[i] = []byte(s.names[i])
	}
	return s
}

func (s *stream) next(at time.Time) spray.Sighting {
	r := s.random.Uint64()
	ip := [16]byte{0x20, 1, 0xd, 0xb8}
	binary.BigEndian.PutUint32(ip[4:], uint32(r))
	return spray.Sighting{
		Time: at, Tenant: "acme", Account: s.names[r>>32%uint64(len(s.names))], Source: netip.AddrFrom16(ip),
		Secret: s.secrets[r>>48%uint64(len(s.secrets))], OK: r>>60 > 8, Invented: r>>60 == 0,
	}
}

func TestNothingIsAllocatedForAnAttempt(t *testing.T) {
	w, s := newWorld(t, spray.Policy{Shared: 100_000, SurgeLeast: 1_000_000}), newStream()
	for range 20_000 {
		w.d.Add(s.next(begin))
	}
	require.Zero(t, testing.AllocsPerRun(2000, func() {
		if found := w.d.Add(s.next(begin)); found != nil {
			t.Fatal(found)
		}
	}))
}

func TestMemoryIsFixed(t *testing.T) {
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	s := newStream()
	before := heap()
	w := newWorld(t, spray.Policy{})
	empty := heap() - before
	for i := range 100_000 { // BenchmarkAdd -benchtime 10000000x does ten million
		w.d.Add(s.next(begin.Add(time.Duration(i) * 100 * time.Millisecond)))
	}
	full := heap() - before
	t.Logf("%d KiB empty, %d KiB after 100,000", empty>>10, full>>10)
	require.Less(t, full-empty, int64(64<<10))
	require.Less(t, full, int64(12<<20))
	runtime.KeepAlive(w)
	runtime.KeepAlive(s)
}

// Run it with -benchtime 10000000x for ten million sightings; heap-KiB is what the detector takes then.
func BenchmarkAdd(b *testing.B) {
	w, s := newWorld(b, spray.Policy{}), newStream()
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		w.d.Add(s.next(begin.Add(time.Duration(i) * time.Millisecond)))
		i++
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapAlloc>>10), "heap-KiB")
	runtime.KeepAlive(w)
}

func BenchmarkMerge(b *testing.B) {
	s := newStream()
	one, other := newWorld(b, spray.Policy{}), newWorld(b, spray.Policy{})
	for range 100_000 {
		one.d.Add(s.next(begin))
		other.d.Add(s.next(begin))
	}
	x, y := one.d.State(), other.d.State()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := spray.Merge(x, y); err != nil {
			b.Fatal(err)
		}
	}
}
