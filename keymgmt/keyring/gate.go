package keyring

import "context"

// gate is a mutex that one can give up waiting for: what is slow happens behind it.
type gate chan struct{}

func newGate() gate { return make(gate, 1) }

// enter waits until nobody else is inside, or returns the error of ctx.
func (g gate) enter(ctx context.Context) error {
	select {
	case g <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wait enters without giving up: nobody stays inside for much longer than Options.Wait.
func (g gate) wait() { g <- struct{}{} }

func (g gate) leave() { <-g }
