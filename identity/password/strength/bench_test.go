package strength_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/identity/password/strength"
)

// An estimate of passwords of several lengths.
//
//	go test -bench . ./identity/password/strength
func BenchmarkEstimate(b *testing.B) {
	for name, text := range map[string]string{
		"8":   "dr4gon87",
		"12":  "Otter2026!ab",
		"20":  "correct horse batter",
		"64":  strings.Repeat("some words and 7 ", 4)[:64],
		"128": strings.Repeat("k7!1|", 30)[:128],
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			e := shared()
			for b.Loop() {
				e.Estimate(text, "alice", "alice@example.com")
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, err := strength.New()
		require.NoError(b, err)
	}
}
