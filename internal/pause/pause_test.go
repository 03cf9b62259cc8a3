package pause_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/internal/pause"
)

func TestAttemptsArePacedUntilTheContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		require.NoError(t, pause.Before(t.Context(), 0))
		require.NoError(t, pause.Before(t.Context(), 1))
		require.Zero(t, time.Since(start))
		for attempt := 2; attempt < 100; attempt++ {
			start = time.Now()
			require.NoError(t, pause.Before(t.Context(), attempt))
			require.Less(t, time.Since(start), min(time.Millisecond<<min(attempt, 20), 128*time.Millisecond))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, pause.For(ctx, time.Minute), context.DeadlineExceeded)
		require.ErrorIs(t, pause.Before(ctx, 0), context.DeadlineExceeded)
	})
}
