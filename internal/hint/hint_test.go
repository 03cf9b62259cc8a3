package hint_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/internal/hint"
)

// listener counts what one Watch yields.
type listener struct {
	hints int
	err   error
	ended bool
}

func listen(ctx context.Context, h *hint.Hub, prefix string) *listener {
	l := new(listener)
	go func() {
		for _, err := range h.Watch(ctx, prefix) {
			if l.err = err; err == nil {
				l.hints++
			}
		}
		l.ended = true
	}()
	synctest.Wait()
	return l
}

func TestHintsReachThoseWhoseKeyItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h hint.Hub
		h.Tell("nobody/listens")
		require.False(t, h.Listening())
		ctx, cancel := context.WithCancel(t.Context())
		a, all := listen(ctx, &h, "a/"), listen(ctx, &h, "")
		require.True(t, h.Listening())
		require.Equal(t, listener{hints: 1}, *a, "once as soon as it listens")
		h.Tell("a/1", "a/2", "b")
		synctest.Wait()
		h.Tell("b", "a")
		synctest.Wait()
		require.Equal(t, 2, a.hints, "one for several changes, none for others'")
		require.Equal(t, 3, all.hints)
		cancel()
		synctest.Wait()
		require.Equal(t, listener{hints: 2, ended: true}, *a, "no error when its context ends")
		require.False(t, h.Listening())
	})
}

func TestSlowListenerHoldsUpNobodyAndMissesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h hint.Hub
		hints := 0
		for range h.Watch(t.Context(), "") {
			if hints++; hints == 1 {
				for range 1000 {
					h.Tell("k")
				}
				continue
			}
			break
		}
		require.Equal(t, 2, hints, "the thousand have become one")
		require.False(t, h.Listening(), "who breaks off no longer listens")
	})
}

func TestCloseEndsEveryWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h hint.Hub
		closed := errors.New("closed")
		before := listen(t.Context(), &h, "a")
		h.Close(closed)
		synctest.Wait()
		require.Equal(t, listener{hints: 1, err: closed, ended: true}, *before)
		after := listen(t.Context(), &h, "a")
		require.Equal(t, listener{err: closed, ended: true}, *after)
	})
}
