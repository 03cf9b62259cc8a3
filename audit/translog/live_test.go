package translog_test

import (
	"context"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/audit/translog/verify"
)

func TestLogIsVerifiedWhileItGrows(t *testing.T) {
	k := newKit(t)
	k.policy.SegmentBytes = 64 << 10
	l := k.open()
	k.append(l, "acme", "eve", 1)
	settle(t, l)
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for w := range 4 {
		group.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				l.Append(ctx, login("acme", "eve", n*4+w))
			}
		})
	}
	for range 40 {
		r, err := verify.Log(t.Context(), os.DirFS(k.dir), k.policy.Trust, verify.Options{Live: true})
		require.NoError(t, err)
		require.True(t, r.OK, "%v", r.Findings)
	}
	cancel()
	group.Wait()
	require.NoError(t, l.stop())
	k.sound()
}
