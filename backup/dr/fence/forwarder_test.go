//go:build unix

package fence_test

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/backup/dr/fence"
)

func forwarder(t *testing.T, l net.Listener, o *fence.ForwarderOptions) *fence.Forwarder {
	g, err := fence.OpenGate(filepath.Join(t.TempDir(), "token"))
	require.NoError(t, err)
	f := fence.NewForwarder(g, o)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
		require.NoError(t, g.Close())
	})
	return f
}

func listen(t *testing.T) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

// A former primary that is stopped reads nothing: what waits for it in this machine must not follow when it wakes up.
func TestWhatIsOnItsWayToAFormerPrimaryDoesNotFollow(t *testing.T) {
	stopped := listen(t)
	accepted := make(chan net.Conn, 1)
	go func() {
		if c, err := stopped.Accept(); err == nil {
			c.(*net.TCPConn).SetReadBuffer(4096)
			accepted <- c
		}
	}()
	front := listen(t)
	f := forwarder(t, front, nil)
	require.NoError(t, f.Lead(1, stopped.Addr().String()))
	client, err := net.Dial("tcp", front.Addr().String())
	require.NoError(t, err)
	defer client.Close()
	former := <-accepted
	defer former.Close()
	require.NoError(t, client.SetWriteDeadline(time.Now().Add(500*time.Millisecond)))
	sent, _ := io.Copy(client, io.LimitReader(zeros{}, 32<<20)) // until nothing more goes in
	require.Positive(t, sent)
	require.NoError(t, f.Lead(2, "127.0.0.1:1"))
	require.NoError(t, former.SetReadDeadline(time.Now().Add(10*time.Second)))
	_, err = io.Copy(io.Discard, former)
	require.ErrorIs(t, err, syscall.ECONNRESET, "the former primary was told that all has come")
	require.NoError(t, client.SetReadDeadline(time.Now().Add(10*time.Second)))
	_, err = io.ReadAll(client)
	require.ErrorIs(t, err, syscall.ECONNRESET, "a client was told that the former primary has ended it well")
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// flaky is a listener that fails at first.
type flaky struct {
	net.Listener
	left atomic.Int32
}

func (l *flaky) Accept() (net.Conn, error) {
	if l.left.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

func TestForwarderOutlivesAMomentWithoutFileHandles(t *testing.T) {
	front := &flaky{Listener: listen(t)}
	front.left.Store(2)
	f := forwarder(t, front, nil)
	require.NoError(t, f.Lead(1, member(t, "a")))
	c, err := net.Dial("tcp", front.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	answer, err := ask(c, "1")
	require.NoError(t, err)
	require.Equal(t, "a 1\n", answer)
}

func TestForwarderWhoseListenerFailsForGoodEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, err := fence.OpenGate(filepath.Join(t.TempDir(), "token"))
		require.NoError(t, err)
		l := &flaky{Listener: listen(t)}
		l.left.Store(1 << 30)
		began := time.Now()
		require.ErrorIs(t, fence.NewForwarder(g, nil).Serve(t.Context(), l), syscall.EMFILE)
		require.Equal(t, 5*time.Second, time.Since(began))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, fence.NewForwarder(g, nil).Serve(ctx, l), context.Canceled)
	})
}

func TestForwarderWhoseListenerIsClosedEnds(t *testing.T) {
	g, err := fence.OpenGate(filepath.Join(t.TempDir(), "token"))
	require.NoError(t, err)
	l := listen(t)
	done := make(chan error, 1)
	go func() { done <- fence.NewForwarder(g, nil).Serve(t.Context(), l) }()
	require.NoError(t, l.Close())
	require.ErrorIs(t, <-done, net.ErrClosed)
}

// A dial to a former primary that takes long is given up, and a connection that it brings all the same carries nothing.
func TestLeadDoesNotWaitForADialToTheFormerPrimary(t *testing.T) {
	front := listen(t)
	dialing := make(chan string, 1)
	near, far := net.Pipe()
	f := forwarder(t, front, &fence.ForwarderOptions{Dial: func(ctx context.Context, _, addr string) (net.Conn, error) {
		if addr == "b:1" {
			return nil, errors.New("not reached")
		}
		dialing <- addr
		<-ctx.Done()
		return near, nil
	}})
	require.NoError(t, f.Lead(1, "a:1"))
	client, err := net.Dial("tcp", front.Addr().String())
	require.NoError(t, err)
	defer client.Close()
	require.Equal(t, "a:1", <-dialing)
	require.NoError(t, f.Lead(2, "b:1"))
	_, err = far.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF, "closed by the time Lead has returned")
}
