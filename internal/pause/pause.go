// Package pause waits, for a time or until a context ends.
package pause

import (
	"context"
	"math/rand/v2"
	"time"
)

// For returns nil after d, at once if d is not positive, or the error of ctx if that ends before.
func For(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Before waits before an attempt, counted from 0, at what others attempt too: not at all before the first two, then up
// to some milliseconds, at random, so that those who met once do not meet again.
func Before(ctx context.Context, attempt int) error {
	if attempt < 2 {
		return ctx.Err()
	}
	return For(ctx, rand.N(time.Millisecond<<min(attempt, 7)))
}
