package backup

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPacerGrantsItsBytesPerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		p := &pacer{perSecond: 1000}
		for i := range 10 {
			require.NoError(t, p.wait(t.Context(), 500))
			require.Equal(t, time.Duration(i)*500*time.Millisecond, time.Since(start), "what was granted before is due")
		}
		require.NoError(t, p.wait(t.Context(), 0))
		require.Equal(t, 5*time.Second, time.Since(start))
	})
}

func TestPacerSavesNothingUpWhileIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pacer{perSecond: 1000}
		require.NoError(t, p.wait(t.Context(), 1000))
		time.Sleep(time.Hour) // of the bubble
		start := time.Now()
		require.NoError(t, p.wait(t.Context(), 2000))
		require.Zero(t, time.Since(start))
		require.NoError(t, p.wait(t.Context(), 1))
		require.Equal(t, 2*time.Second, time.Since(start))
	})
}

func TestPacerIsSharedByAllWhoRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		p := &pacer{perSecond: 1 << 20}
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				for range 4 {
					if err := p.wait(t.Context(), 1<<20); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		require.Equal(t, 31*time.Second, time.Since(start))
	})
}

func TestPacerStopsWaitingWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		p := &pacer{perSecond: 1}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		require.NoError(t, p.wait(ctx, 1<<20))
		require.ErrorIs(t, p.wait(ctx, 1), context.DeadlineExceeded)
		require.Equal(t, 3*time.Second, time.Since(start))
		require.ErrorIs(t, p.wait(ctx, 1), context.DeadlineExceeded, "also where nothing is to be waited for")
		require.ErrorIs(t, (&pacer{perSecond: 1 << 40}).wait(ctx, 1), context.DeadlineExceeded)
		require.Equal(t, 3*time.Second, time.Since(start))
	})
}
