package heads_test

import (
	"crypto/sha256"
	"encoding/binary"
	"runtime"
	"testing"

	"github.com/cloudopsec/opsec/audit/translog/heads"
)

func head(n uint64) heads.Head {
	leaf := sha256.Sum256(binary.BigEndian.AppendUint64(nil, n))
	tag := sha256.Sum256(leaf[:])
	return heads.Head{Tag: [16]byte(tag[:16]), Seq: n%1000 + 1, Leaf: leaf}
}

const million = 1_000_000

func tree(n uint64) *heads.Tree {
	t := new(heads.Tree)
	for i := range n {
		t.Set(head(i))
	}
	t.Root()
	return t
}

func BenchmarkRebuild(b *testing.B) {
	all := tree(million).Snapshot()
	b.ReportAllocs()
	var before, after runtime.MemStats
	for b.Loop() {
		b.StopTimer()
		runtime.GC()
		runtime.ReadMemStats(&before)
		b.StartTimer()
		t, err := heads.FromSnapshot(all)
		if err != nil {
			b.Fatal(err)
		}
		t.Root()
		b.StopTimer()
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(t)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/million, "bytes/tenant")
		b.StartTimer()
	}
}

func BenchmarkGrow(b *testing.B) {
	for b.Loop() {
		b.ReportMetric(float64(tree(million).Len()), "tenants")
	}
}

func BenchmarkRootAfter1000(b *testing.B) {
	t := tree(million)
	b.ReportAllocs()
	for n := uint64(0); b.Loop(); n++ {
		for i := range uint64(1000) {
			h := head((n*7919 + i*997) % million)
			h.Seq += n
			t.Set(h)
		}
		t.Root()
	}
}

func BenchmarkSet(b *testing.B) {
	t := tree(million)
	h := head(17)
	b.ReportAllocs()
	for b.Loop() {
		h.Seq++
		t.Set(h)
	}
}

func BenchmarkGet(b *testing.B) {
	t := tree(million)
	var tags [1 << 12][16]byte
	for i := range tags {
		tags[i] = head(uint64(i * 241)).Tag
	}
	for i := 0; b.Loop(); i++ {
		if _, ok := t.Get(tags[i%len(tags)]); !ok {
			b.Fatal("absent")
		}
	}
}

func BenchmarkSnapshot(b *testing.B) {
	t := tree(million)
	for b.Loop() {
		t.Snapshot()
	}
}

func BenchmarkProve(b *testing.B) {
	t := tree(million)
	b.ReportAllocs()
	size := 0
	for i := uint64(0); b.Loop(); i++ {
		size += len(t.Prove(head(i % million).Tag).AppendTo(nil))
	}
	b.ReportMetric(float64(size)/float64(b.N), "bytes/proof")
}

func BenchmarkVerify(b *testing.B) {
	t := tree(million)
	h := head(17)
	p, root := t.Prove(h.Tag), t.Root()
	b.ReportAllocs()
	for b.Loop() {
		if _, ok, err := p.Verify(root, h.Tag); !ok || err != nil {
			b.Fatal(err)
		}
	}
}
