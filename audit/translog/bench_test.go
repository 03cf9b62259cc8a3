package translog_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog"
	"github.com/cloudopsec/opsec/audit/translog/statement"
	"github.com/cloudopsec/opsec/audit/translog/verify"
)

// grown fills a log with n events of ten tenants.
func (k *kit) grown(n int) {
	k.t.Helper()
	k.policy.CheckpointEvery, k.policy.EpochEvery, k.policy.SegmentBytes = time.Second, time.Second, 64<<20
	l := k.open()
	var group sync.WaitGroup
	for w := range 256 {
		group.Go(func() {
			for i := w; i < n; i += 256 {
				if _, err := l.Append(context.Background(), login(opsec.TenantID("tenant-"+string(rune('a'+i%10))), "eve", i)); err != nil {
					k.t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	require.NoError(k.t, l.stop())
}

// BenchmarkVerify reads a log of 200,000 events as a whole; MB/s are of what is read and compared, on one core.
func BenchmarkVerify(b *testing.B) {
	k := newKit(b)
	const n = 200_000
	k.grown(n)
	for b.Loop() {
		r, err := verify.Log(context.Background(), os.DirFS(k.dir), k.policy.Trust, verify.Options{})
		require.NoError(b, err)
		require.True(b, r.OK, "%v", r.Findings)
		b.SetBytes(r.Bytes)
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkChain verifies the leaves of one tenant, as a tenant does with what it was handed.
func BenchmarkChain(b *testing.B) {
	k := newKit(b)
	l := k.open()
	for n := range 2000 {
		k.append(l, "acme", "eve", n)
	}
	settle(b, l)
	var leaves [][]byte
	for _, e := range collect(b, l.View(reader, translog.TenantProfile()), translog.Query{}) {
		leaves = append(leaves, e.Leaf)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		var c statement.Chain
		for _, leaf := range leaves {
			if _, err := c.Add(leaf); err != nil {
				b.Fatal(err)
			}
		}
		n += len(leaves)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkOpen opens logs of several sizes again, after a crash: as they were copied while they ran.
func BenchmarkOpen(b *testing.B) {
	for _, n := range []int{20_000, 200_000, 1_000_000} {
		b.Run(fmt.Sprintf("events=%d", n), func(b *testing.B) {
			k := newKit(b)
			k.grown(n)
			for b.Loop() {
				l, err := translog.Open(k.dir, k.policy, k.opts)
				require.NoError(b, err)
				require.NoError(b, l.Close(context.Background()))
			}
			b.ReportMetric(float64(dirSize(b, k.dir))/1e6, "MB")
		})
	}
}

func dirSize(t testing.TB, dir string) (n int64) {
	require.NoError(t, filepath.Walk(dir, func(_ string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			n += info.Size()
		}
		return err
	}))
	return n
}
