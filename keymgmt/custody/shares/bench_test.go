package shares_test

import (
	"testing"

	"github.com/cloudopsec/opsec/keymgmt/custody/shares"
)

// See internal/bench for these beside Vault's.

func BenchmarkSplit3of5(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := shares.Split(root, shares.Scheme{Threshold: 3, Shares: 5}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCombine3of5(b *testing.B) {
	set, list := deal(b, root, 3, 5)
	b.Run("set", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := set.Combine(list[2:]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("paper", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := shares.Combine(list[2:]); err != nil {
				b.Fatal(err)
			}
		}
	})
}
