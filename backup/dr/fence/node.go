package fence

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/lease"
)

// Timing is how a primary is stopped before another takes over.
type Timing struct {
	TTL      time.Duration `json:"ttl"`      // of the lease, a second at least: a silent primary is replaced after it
	Stop     time.Duration `json:"stop"`     // how long stopping a primary may take; greater than 0
	DriftPPM int64         `json:"driftPpm"` // by how many millionths the rates of two machines' clocks differ; 0 to 100,000
}

// Validate returns an error that wraps [opsec.ErrInvalid] unless stopping and drift leave half of the lease for renewals,
// which come at every third of it.
func (t Timing) Validate() error {
	switch {
	case t.TTL < time.Second || t.TTL > 24*time.Hour:
		return fmt.Errorf("fence: ttl: want 1 s to 24 h: %w", opsec.ErrInvalid)
	case t.Stop <= 0:
		return fmt.Errorf("fence: stop: want more than 0: %w", opsec.ErrInvalid)
	case t.DriftPPM < 0 || t.DriftPPM > 100_000:
		return fmt.Errorf("fence: driftPpm: want 0 to 100000: %w", opsec.ErrInvalid)
	case t.Stop > t.TTL/2-t.drift():
		return fmt.Errorf("fence: stop: %v and a drift of %v are more than half of ttl %v: %w", t.Stop, t.drift(), t.TTL, opsec.ErrInvalid)
	}
	return nil
}

// drift is what the clocks may part in the life of a lease, rounded up.
func (t Timing) drift() time.Duration {
	return time.Duration((int64(t.TTL)/1000*t.DriftPPM + 999) / 1000)
}

// Deadline returns when a primary whose lease runs out at until must begin to stop.
func (t Timing) Deadline(until time.Time) time.Time { return until.Add(-t.Stop - t.drift()) }

// Watch waits until the deadline of a lease has come, and returns [lease.ErrLost]; or until ctx ends, and returns its
// cause. until is asked again each time its last answer is due: a lease that is renewed goes on.
func (t Timing) Watch(ctx context.Context, until func() time.Time) error {
	for {
		left := time.Until(t.Deadline(until()))
		if left <= 0 {
			return lease.ErrLost
		}
		timer := time.NewTimer(left)
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		}
	}
}

// Primary is a server that can be primary.
type Primary interface {
	// May says whether the member may take over under this token, nil for yes: the place for [Clusters.Elect].
	May(ctx context.Context, held *lease.Held) error
	// Promote raises the gates to the token and then makes it primary. It returns when it is, or when ctx ends.
	Promote(ctx context.Context, token uint64) error
	// Stop makes it no primary, within Timing.Stop, also when it is none or half of one.
	Stop(ctx context.Context) error
}

// Node is one member that contends to be primary.
type Node struct {
	lease   *lease.Lease
	timing  Timing
	primary Primary
}

// NewNode returns a contender of the cluster, for the member of this name. The store must not be on the machine whose
// failure is to be survived.
func NewNode(db *store.DB, cluster, member string, t Timing, p Primary) (*Node, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	if p == nil {
		return nil, fmt.Errorf("fence: primary: want one: %w", opsec.ErrInvalid)
	}
	l, err := lease.New(db, cluster, member, t.TTL)
	if err != nil {
		return nil, fmt.Errorf("fence: %w", err)
	}
	return &Node{lease: l, timing: t, primary: p}, nil
}

// Run waits for the lease, makes the member primary if it may be, and returns when it is primary no more: with the
// context's error, with [lease.ErrLost] when the lease could not be renewed, or with what May, Promote or Stop has
// returned. Stop has returned before the lease is given back. Call Run again to contend again.
func (n *Node) Run(ctx context.Context) error {
	return n.lease.Hold(ctx, func(ctx context.Context, held *lease.Held) (err error) {
		if err := n.primary.May(ctx, held); err != nil {
			return err
		}
		within, cancel := context.WithCancelCause(ctx)
		watched := make(chan error, 1)
		go func() {
			err := n.timing.Watch(within, held.Until)
			cancel(err)
			watched <- err
		}()
		defer func() {
			cancel(nil)
			<-watched
			stop, end := context.WithTimeout(context.WithoutCancel(ctx), n.timing.Stop)
			defer end()
			err = errors.Join(err, n.primary.Stop(stop))
		}()
		if err := n.primary.Promote(within, held.Token()); err != nil {
			return errors.Join(context.Cause(within), err)
		}
		<-within.Done()
		return context.Cause(within)
	})
}
