package keyring_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/keyring"
)

// limit gives the keyset a limit, and its first key as much.
func (f *fake) limit(messages, bytes, block uint64) {
	f.change(invoice, func(s *keymgmt.Keyset) { s.Policy.Messages, s.Policy.Bytes, s.Policy.Block = messages, bytes, block })
	f.set(func(f *fake) {
		f.left[keymgmt.Ref{Set: invoice, Key: 1}] = keymgmt.Amount{Messages: messages, Bytes: bytes}
	})
}

func TestNodesTogetherNeverExceedALimit(t *testing.T) {
	for what, limit := range map[string][3]uint64{"messages": {1000, 1 << 30, 7}, "bytes": {1 << 20, 10_000, 1 << 10}} {
		f := newFake(t)
		f.limit(limit[0], limit[1], limit[2])
		var done atomic.Int64
		var wg sync.WaitGroup
		for range 5 {
			n, _ := node(t, f, nil)
			r := ring(t, n, invoice)
			for range 4 {
				wg.Go(func() {
					for {
						_, err := r.Seal(nil, make([]byte, 10), keymgmt.Context{})
						if err != nil {
							var e *keymgmt.ExhaustedError
							if !errors.As(err, &e) {
								t.Error(err)
							}
							return
						}
						done.Add(1)
					}
				})
			}
		}
		wg.Wait()
		require.EqualValues(t, 1000, done.Load(), what)
	}
}

func TestAnExhaustedKeyStillOpensAndTheNextOneSeals(t *testing.T) {
	f := newFake(t)
	f.limit(2, 100, 1)
	n, _ := node(t, f, nil)
	r := ring(t, n, invoice)
	sealed, err := r.Seal(nil, []byte("text"), keymgmt.Context{})
	require.NoError(t, err)
	require.NoError(t, seal(r))
	require.ErrorIs(t, seal(r), opsec.ErrDenied)
	require.NoError(t, open(r, sealed))
	f.rotate(t, invoice)
	require.NoError(t, n.Refresh(t.Context()))
	require.NoError(t, seal(r))
}

func TestAMessageLongerThanWhatIsLeftIsRefused(t *testing.T) {
	f := newFake(t)
	f.limit(100, 15, 1)
	n, _ := node(t, f, nil)
	r := ring(t, n, invoice)
	_, err := r.Seal(nil, make([]byte, 10), keymgmt.Context{})
	require.NoError(t, err)
	_, err = r.Seal(nil, make([]byte, 10), keymgmt.Context{})
	var e *keymgmt.ExhaustedError
	require.ErrorAs(t, err, &e)
	require.Equal(t, keymgmt.Ref{Set: invoice, Key: 1}, e.Ref)
}

func TestALeaseSurvivesRefreshAndSuspension(t *testing.T) {
	f := newFake(t)
	f.limit(100, 1<<20, 100)
	n, _ := node(t, f, nil)
	r := ring(t, n, invoice)
	ref := keymgmt.Ref{Set: invoice, Key: 1}
	for _, s := range []keymgmt.State{keymgmt.Active, keymgmt.Suspended, keymgmt.Active} {
		f.state(ref, s)
		require.NoError(t, n.Refresh(t.Context()))
		if s == keymgmt.Active {
			require.NoError(t, seal(r))
		} else {
			require.ErrorIs(t, seal(r), opsec.ErrDenied)
		}
	}
	require.Equal(t, 1, f.leases)
}

func TestWhatIsRefusedUsesUpNothing(t *testing.T) {
	f := newFake(t)
	f.limit(1, 100, 1)
	n, c := node(t, f, nil)
	r := ring(t, n, invoice)
	c.add(time.Minute)
	require.ErrorIs(t, seal(r), keymgmt.ErrStale)
	require.NoError(t, n.Refresh(t.Context()))
	require.NoError(t, seal(r))
}

func TestRunLeasesAheadOfNeed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		f.limit(1<<20, 1<<40, 100)
		r := ring(t, run(t, f, nil).Node, invoice)
		for i := range 1000 {
			before := get(f, func(f *fake) int { return f.leases })
			require.NoError(t, seal(r))
			if i > 0 {
				require.Equal(t, before, get(f, func(f *fake) int { return f.leases }), "not by who seals")
			}
			synctest.Wait()
		}
		require.InDelta(t, 11, f.leases, 1)
	})
}

func TestALeaseThatFailsAheadIsTriedAgainAtTheNextLook(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		f.limit(100, 1<<20, 100)
		r := ring(t, run(t, f, nil).Node, invoice)
		for range 90 {
			require.NoError(t, seal(r))
			synctest.Wait()
		}
		require.Equal(t, 2, f.leases, "the second found nothing left")
		time.Sleep(11 * time.Second)
		require.NoError(t, seal(r))
		synctest.Wait()
		require.Equal(t, 3, f.leases)
	})
}

func TestWhoWaitsForALeaseThatFailsDoesNotAskAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		slow := &slowLease{fake: f}
		n, err := keyring.Join(t.Context(), slow, f.custodian, &keyring.Options{Node: "one", Actor: server, Now: (&clock{t: start}).now})
		require.NoError(t, err)
		r := ring(t, n, invoice)
		var wg sync.WaitGroup
		began := time.Now()
		for range 50 {
			wg.Go(func() {
				if err := seal(r); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v", err)
				}
			})
		}
		wg.Wait()
		require.Equal(t, 5*time.Second, time.Since(began))
		require.EqualValues(t, 1, slow.asked.Load())
	})
}

// slowLease answers when the caller has given up.
type slowLease struct {
	*fake
	asked atomic.Int64
}

func (s *slowLease) Lease(ctx context.Context, _ keymgmt.Ref, _ keymgmt.Amount) (keymgmt.Amount, error) {
	s.asked.Add(1)
	<-ctx.Done()
	return keymgmt.Amount{}, ctx.Err()
}
