package ceremony_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/keymgmt/custody/ceremony"
)

func TestRunEndsTheCeremonyAtItsDeadline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHall(t)
		h.o.Now = time.Now
		c := h.open(ceremony.Recover)
		h.submit(c, "ann", "bob", "cyd")
		ended := make(chan error, 1)
		go func() { ended <- c.Run(context.Background()) }()
		time.Sleep(time.Hour - 1)
		synctest.Wait()
		require.Equal(t, ceremony.Ready, c.State().Status)
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		require.Equal(t, ceremony.Expired, c.State().Status)
		require.NoError(t, <-ended)
		h.log.One(t, ceremony.ActionExpire)
	})
}

func TestRunReturnsWhenTheCeremonyIsOver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHall(t)
		h.o.Now = time.Now
		c := h.open(ceremony.Recover)
		ended := make(chan error, 1)
		go func() { ended <- c.Run(context.Background()) }()
		h.submit(c, "ann", "bob", "cyd")
		require.NoError(t, c.Recover(ctx, olga, func(context.Context, []byte) error {
			time.Sleep(2 * time.Hour) // an unsealing that takes its time is not cut off
			synctest.Wait()
			require.Equal(t, ceremony.Running, c.State().Status)
			return nil
		}))
		require.NoError(t, <-ended)
		require.Equal(t, ceremony.Done, c.State().Status)
		h.log.None(t, ceremony.ActionExpire)
	})
}

func TestRunAbortsWhenTheProcessStops(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHall(t)
		h.o.Now = time.Now
		c := h.open(ceremony.Recover)
		h.submit(c, "ann", "bob", "cyd")
		stop, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(stop) }()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
		require.Equal(t, ceremony.Aborted, c.State().Status)
		require.Equal(t, "the process stops", h.log.One(t, ceremony.ActionAbort).Reason)
	})
}

func TestSharesAreGoneThoughTheExpiryIsNotRecorded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHall(t)
		h.o.Now = time.Now
		c := h.open(ceremony.Recover)
		h.submit(c, "ann", "bob", "cyd")
		full := errors.New("disk full")
		h.log.Fail(full)
		require.ErrorIs(t, c.Run(context.Background()), full)
		require.Equal(t, ceremony.Expired, c.State().Status)
		h.log.Fail(nil)
		require.Error(t, c.Recover(ctx, olga, func(context.Context, []byte) error { t.Error("expired"); return nil }))
	})
}
