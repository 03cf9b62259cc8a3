// Package pause waits, for a time or until a context ends.
package pause

import (
	"context"
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
