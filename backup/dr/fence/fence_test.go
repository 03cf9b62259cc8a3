package fence_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/dr/fence"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/lease"
	"github.com/cloudopsec/opsec/store/memory"
)

var now = time.Date(2026, 3, 9, 12, 0, 0, 0, time.UTC)

func TestGateRemembersItsTokenOverARestart(t *testing.T) {
	name := filepath.Join(t.TempDir(), "token")
	g, err := fence.OpenGate(name)
	require.NoError(t, err)
	require.ErrorIs(t, g.Raise(0), opsec.ErrInvalid)
	require.NoError(t, g.Do(7, func() error { // durable before it is done
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		require.Equal(t, "7\n", string(text))
		return nil
	}))
	require.NoError(t, g.Close())
	g, err = fence.OpenGate(name)
	require.NoError(t, err)
	require.EqualValues(t, 7, g.Highest())
	err = g.Do(6, func() error { t.Error("done under an old token"); return nil })
	require.ErrorIs(t, err, fence.ErrFenced)
	require.ErrorIs(t, err, opsec.ErrDenied)
	var fenced *fence.FencedError
	require.ErrorAs(t, err, &fenced)
	require.Equal(t, fence.FencedError{Token: 6, Highest: 7}, *fenced)
}

func TestGateWithADamagedFileIsNotOpened(t *testing.T) {
	for _, text := range []string{"", "7", "07\n", "x\n", "-1\n", "7\n8\n", "18446744073709551616\n"} {
		name := filepath.Join(t.TempDir(), "token")
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
		_, err := fence.OpenGate(name)
		require.ErrorIs(t, err, opsec.ErrInvalid, "%q", text)
	}
}

func TestGateThatCannotKeepItsTokenLetsNothingThrough(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	require.NoError(t, os.Mkdir(dir, 0o700))
	g, err := fence.OpenGate(filepath.Join(dir, "token"))
	require.NoError(t, err)
	require.NoError(t, g.Raise(1))
	require.NoError(t, os.RemoveAll(dir))
	require.Error(t, g.Raise(2))
	require.Error(t, g.Do(1, func() error { t.Error("done"); return nil }), "token 2 may be on disk")
	require.Error(t, g.Do(2, func() error { t.Error("done"); return nil }))
}

func TestNewerTokenWaitsForWhatIsBeingDone(t *testing.T) {
	g, err := fence.OpenGate(filepath.Join(t.TempDir(), "token"))
	require.NoError(t, err)
	inside, leave := make(chan struct{}), make(chan struct{})
	var left atomic.Bool
	var wait sync.WaitGroup
	wait.Go(func() {
		g.Do(1, func() error { close(inside); <-leave; left.Store(true); return nil })
	})
	<-inside
	wait.Go(func() {
		g.Raise(2)
		if !left.Load() {
			t.Error("raised while something was done under token 1")
		}
	})
	time.Sleep(20 * time.Millisecond)
	close(leave)
	wait.Wait()
	require.EqualValues(t, 2, g.Highest())
}

// Holders come one after the other, are paused anywhere, and go on writing with the token that they had.
func TestNoWriteOfAFormerPrimaryIsAcceptedAfterOneOfALater(t *testing.T) {
	dir := t.TempDir()
	var n int
	rapid.Check(t, func(t *rapid.T) {
		n++
		name := filepath.Join(dir, fmt.Sprint(n))
		g, err := fence.OpenGate(name)
		require.NoError(t, err)
		var accepted []uint64
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			if rapid.IntRange(0, 4).Draw(t, "restart") == 0 {
				require.NoError(t, g.Close())
				g, err = fence.OpenGate(name)
				require.NoError(t, err)
			}
			token := rapid.Uint64Range(1, 5).Draw(t, "token")
			err := g.Do(token, func() error { accepted = append(accepted, token); return nil })
			require.True(t, err == nil || errors.Is(err, fence.ErrFenced))
		}
		require.NoError(t, g.Close())
		require.NotEmpty(t, accepted)
		require.IsNonDecreasing(t, accepted)
	})
}

// member is a line server that answers each line with its name.
func member(t *testing.T, name string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				in := bufio.NewScanner(c)
				for in.Scan() {
					fmt.Fprintf(c, "%s %s\n", name, in.Text())
				}
			}()
		}
	}()
	return l.Addr().String()
}

func ask(c net.Conn, line string) (string, error) {
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		return "", err
	}
	return bufio.NewReader(c).ReadString('\n')
}

func TestForwarderCutsTheFormerPrimaryOff(t *testing.T) {
	g, err := fence.OpenGate(filepath.Join(t.TempDir(), "token"))
	require.NoError(t, err)
	f := fence.NewForwarder(g, nil)
	front, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- f.Serve(ctx, front) }()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", front.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { c.Close() })
		return c
	}

	_, err = ask(dial(), "nobody")
	require.Error(t, err, "no primary yet")

	a, b := member(t, "a"), member(t, "b")
	require.ErrorIs(t, f.Lead(1, "no port"), opsec.ErrInvalid)
	require.NoError(t, f.Lead(1, a))
	require.NoError(t, f.Lead(1, a), "said twice")
	require.ErrorIs(t, f.Lead(1, b), opsec.ErrInvalid, "two members with one token")
	old := dial()
	answer, err := ask(old, "1")
	require.NoError(t, err)
	require.Equal(t, "a 1\n", answer)

	require.NoError(t, f.Lead(2, b))
	_, err = ask(old, "2")
	require.Error(t, err, "an answer of the former primary after Lead has returned")
	answer, err = ask(dial(), "3")
	require.NoError(t, err)
	require.Equal(t, "b 3\n", answer)
	require.ErrorIs(t, f.Lead(1, a), fence.ErrFenced)

	require.NoError(t, g.Raise(3)) // by somebody who has not come here yet
	_, err = ask(dial(), "4")
	require.Error(t, err, "new connections to a former primary")

	cancel()
	require.ErrorIs(t, <-served, context.Canceled)
}

func TestForwarderPassesTheEndOfOneWayAndKeepsTheOther(t *testing.T) {
	g, err := fence.OpenGate(filepath.Join(t.TempDir(), "token"))
	require.NoError(t, err)
	f := fence.NewForwarder(g, nil)
	front, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go f.Serve(t.Context(), front)
	require.NoError(t, f.Lead(1, member(t, "a")))
	c, err := net.Dial("tcp", front.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	_, err = c.Write(bytes.Repeat([]byte("x\n"), 1000))
	require.NoError(t, err)
	require.NoError(t, c.(*net.TCPConn).CloseWrite())
	all, err := io.ReadAll(c)
	require.NoError(t, err)
	require.Equal(t, bytes.Repeat([]byte("a x\n"), 1000), all)
}

// busy is a connection on which a write goes on for as long as it is held, also after a Close.
type busy struct {
	net.Conn
	inside, hold chan struct{}
	carried      atomic.Bool
}

func (b *busy) Write(p []byte) (int, error) {
	close(b.inside)
	<-b.hold
	b.carried.Store(true)
	return 0, io.ErrClosedPipe
}

func TestLeadWaitsForWhatIsBeingCarriedToTheFormerPrimary(t *testing.T) {
	g, err := fence.OpenGate(filepath.Join(t.TempDir(), "token"))
	require.NoError(t, err)
	near, far := net.Pipe()
	defer far.Close()
	former := &busy{Conn: near, inside: make(chan struct{}), hold: make(chan struct{})}
	f := fence.NewForwarder(g, &fence.ForwarderOptions{Dial: func(context.Context, string, string) (net.Conn, error) { return former, nil }})
	front, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go f.Serve(t.Context(), front)
	require.NoError(t, f.Lead(1, "a:1"))
	c, err := net.Dial("tcp", front.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	_, err = io.WriteString(c, "late\n")
	require.NoError(t, err)
	<-former.inside
	led := make(chan bool, 1)
	go func() {
		f.Lead(2, "b:1")
		led <- former.carried.Load()
	}()
	time.Sleep(50 * time.Millisecond) // in which a Lead that does not wait returns
	close(former.hold)
	require.True(t, <-led, "Lead has returned while a byte was on its way to the former primary")
}

func TestTimingIsValidated(t *testing.T) {
	good := fence.Timing{TTL: 10 * time.Second, Stop: 4 * time.Second, DriftPPM: 200}
	require.NoError(t, good.Validate())
	require.Equal(t, now.Add(-4*time.Second-2*time.Millisecond), good.Deadline(now))
	for _, bad := range []fence.Timing{
		{},
		{TTL: time.Millisecond, Stop: 1},
		{TTL: 10 * time.Second},
		{TTL: 10 * time.Second, Stop: 5 * time.Second, DriftPPM: 1},
		{TTL: 10 * time.Second, Stop: time.Second, DriftPPM: -1},
		{TTL: 10 * time.Second, Stop: time.Second, DriftPPM: 100_001},
	} {
		require.ErrorIs(t, bad.Validate(), opsec.ErrInvalid, "%+v", bad)
	}
}

func TestPrimaryIsStoppedBeforeItsLeaseEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		timing := fence.Timing{TTL: 9 * time.Second, Stop: 2 * time.Second, DriftPPM: 1000}
		start := time.Now()
		until := start.Add(9 * time.Second)
		var mu sync.Mutex
		time.AfterFunc(3*time.Second, func() { mu.Lock(); until = start.Add(12 * time.Second); mu.Unlock() }) // one renewal
		err := timing.Watch(t.Context(), func() time.Time { mu.Lock(); defer mu.Unlock(); return until })
		require.ErrorIs(t, err, lease.ErrLost)
		require.Equal(t, start.Add(10*time.Second-9*time.Millisecond), time.Now())
	})
}

// server is a Primary that notes what it is told.
type server struct {
	mu    sync.Mutex
	notes []string
	may   error
	up    chan struct{}
}

func (s *server) note(f string, a ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notes = append(s.notes, fmt.Sprintf(f, a...))
}
func (s *server) May(context.Context, *lease.Held) error { s.note("may"); return s.may }
func (s *server) Promote(_ context.Context, token uint64) error {
	s.note("promote %d", token)
	close(s.up)
	return nil
}
func (s *server) Stop(context.Context) error { s.note("stop"); return nil }

func TestNodeIsPrimaryAloneAndStopsBeforeTheNext(t *testing.T) {
	db, err := store.New(memory.New(), nil)
	require.NoError(t, err)
	timing := fence.Timing{TTL: time.Second, Stop: 100 * time.Millisecond}
	a, b := &server{up: make(chan struct{})}, &server{up: make(chan struct{})}
	one, err := fence.NewNode(db, "orders", "a", timing, a)
	require.NoError(t, err)
	two, err := fence.NewNode(db, "orders", "b", timing, b)
	require.NoError(t, err)
	first, leave := context.WithCancel(t.Context())
	second, end := context.WithCancel(t.Context())
	done := make(chan error, 2)
	go func() { done <- one.Run(first) }()
	<-a.up
	go func() { done <- two.Run(second) }()
	select {
	case <-b.up:
		t.Fatal("two primaries")
	case <-time.After(1500 * time.Millisecond): // longer than the lease: it is renewed
	}
	leave()
	<-b.up
	a.mu.Lock()
	require.Equal(t, []string{"may", "promote 1", "stop"}, a.notes)
	a.mu.Unlock()
	require.ErrorIs(t, <-done, context.Canceled)
	end()
	require.ErrorIs(t, <-done, context.Canceled)
	require.Equal(t, []string{"may", "promote 2", "stop"}, b.notes)
}

func TestNodeThatMayNotIsNotPromoted(t *testing.T) {
	db, err := store.New(memory.New(), nil)
	require.NoError(t, err)
	s := &server{may: opsec.ErrDenied}
	n, err := fence.NewNode(db, "orders", "a", fence.Timing{TTL: time.Second, Stop: time.Millisecond}, s)
	require.NoError(t, err)
	require.ErrorIs(t, n.Run(t.Context()), opsec.ErrDenied)
	require.Equal(t, []string{"may"}, s.notes)
}
