package keyring_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/keyring"
)

// beside runs both in turn, in rounds of many calls, and reports the median of the rounds: "x-tink" is what ours takes
// when Tink takes 1. So a machine with other work on it slows both.
func beside(b *testing.B, ours, tink func() ([]byte, error)) {
	const calls = 256
	round := func(fn func() ([]byte, error)) float64 {
		began := time.Now()
		for range calls {
			if _, err := fn(); err != nil {
				b.Fatal(err)
			}
		}
		return float64(time.Since(began)) / calls
	}
	var a, t, ratio []float64
	for i := 0; b.Loop(); i++ {
		var mine, theirs float64
		if i%2 == 0 {
			mine, theirs = round(ours), round(tink)
		} else {
			theirs, mine = round(tink), round(ours)
		}
		a, t, ratio = append(a, mine), append(t, theirs), append(ratio, mine/theirs)
	}
	median := func(list []float64) float64 { slices.Sort(list); return list[len(list)/2] }
	b.ReportMetric(median(ratio), "x-tink")
	b.ReportMetric(median(a), "ns/ours")
	b.ReportMetric(median(t), "ns/tink")
	b.ReportMetric(0, "ns/op")
}

func BenchmarkRing(b *testing.B) {
	f := newFake(b)
	n, err := keyring.Join(b.Context(), f, f.custodian, &keyring.Options{
		Node: "one", Actor: server, Stale: time.Hour, Fence: time.Hour,
	})
	require.NoError(b, err)
	f.key(keymgmt.Ref{Set: invoice, Key: 1}, func(k *keymgmt.Held) { // valid whenever this runs, by the real clock
		k.ProtectUntil, k.ProcessUntil = k.ProtectUntil.AddDate(100, 0, 0), k.ProcessUntil.AddDate(100, 0, 0)
	})
	ours, peer := ring(b, n, invoice), bare(b, f, keymgmt.Ref{Set: invoice, Key: 1})
	plain, c := make([]byte, 1024), label(b, "tenant", "acme", "object", "invoices/2026/0001")
	sealed, err := ours.Seal(nil, plain, c)
	require.NoError(b, err)

	b.Run("Seal1KiB", func(b *testing.B) {
		beside(b, func() ([]byte, error) { return ours.Seal(nil, plain, c) },
			func() ([]byte, error) { return peer.Encrypt(plain, c.Bytes()) })
	})
	b.Run("Open1KiB", func(b *testing.B) {
		beside(b, func() ([]byte, error) { return ours.Open(nil, sealed, c) },
			func() ([]byte, error) { return peer.Decrypt(sealed, c.Bytes()) })
	})
	b.Run("Check", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := ours.Check(sealed, keymgmt.Process); err != nil {
				b.Fatal(err)
			}
		}
	})
}
