package sample_test

import (
	"crypto/sha256"
	"testing"

	"github.com/cloudopsec/opsec/audit/programme/sample"
)

func BenchmarkCommit(b *testing.B) {
	f := frame("p", 100_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Commit(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(1e5*float64(b.N)/b.Elapsed().Seconds(), "items/s")
}

func BenchmarkDraw(b *testing.B) {
	c := sample.Commitment{Procedure: "p", Size: sample.MaxSize, Digest: sha256.Sum256([]byte("many"))}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (sample.Seed{1}).Draw(c, 1000); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSize(b *testing.B) {
	for _, bench := range []struct {
		name                  string
		population            int
		tolerable, confidence sample.PPM
		allowed               int
	}{
		{"usual", 4200, 50_000, 950_000, 0},
		{"some allowed", 100_000, 20_000, 990_000, 10},
		{"few of a million", 1_000_000, 10, 950_000, 0},
		{"rare among all", sample.MaxSize, 1, 990_000, 0},
		{"largest", 10_000_000, 100_000, 950_000, 8_000},
	} {
		b.Run(bench.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := sample.Size(bench.population, bench.tolerable, bench.confidence, bench.allowed); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEvaluate(b *testing.B) {
	for _, bench := range []struct {
		name                       string
		population, sampled, found int
	}{
		{"usual", 4200, 58, 1},
		{"large", 1_000_000, 5_000, 20},
		{"half of many", 200_000, 100_000, 1_000},
		{"largest", sample.MaxSize, 1 << 16, 1 << 13},
		{"mostly", 1_000_000, 1 << 13, 1 << 13},
	} {
		b.Run(bench.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := sample.Evaluate(bench.population, bench.sampled, bench.found, 950_000); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
