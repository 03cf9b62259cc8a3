package correlate_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/accounts/correlate"
)

// BenchmarkAdd gives events of 10,000 accounts to the presets: of ten, six are uses, one is refused, two are log-ins,
// one of which fails, and one is a grant.
func BenchmarkAdd(b *testing.B) {
	const n = 100_000
	events := make([]*opsec.Event, n)
	for i := range events {
		at, account := start.Add(time.Duration(i)*10*time.Millisecond), fmt.Sprint("user", i*7919%10_000)
		switch i % 10 {
		case 0:
			events[i] = login(at, account, opsec.Success)
		case 1:
			events[i] = login(at, account, opsec.Failure)
		case 2:
			events[i] = grant(at, account, "other")
		case 3:
			events[i] = event("volume.read", at, account)
			events[i].Outcome = opsec.Denied
			events[i].Resource = opsec.Resource{Tenant: "acme", Type: "volume", ID: account}
		default:
			events[i] = event("volume.read", at, account)
		}
		events[i].Actor.IP = netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
	}
	matches := 0
	b.ReportAllocs()
	for b.Loop() {
		g, err := correlate.New(presets())
		require.NoError(b, err)
		for _, e := range events {
			matches += len(g.Add(e, "log/1", far))
		}
		matches += len(g.Flush())
		require.False(b, g.Status().Lost())
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(matches)/float64(b.N), "matches")
}
