//go:build unix

package fence_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/backup/dr/fence"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/lease"
	"github.com/cloudopsec/opsec/store/memory"
)

func TestMain(m *testing.M) {
	if name := os.Getenv("FENCE_TEST_GATE"); name != "" {
		if _, err := fence.OpenGate(name); errors.Is(err, fence.ErrInUse) {
			os.Exit(3)
		}
		os.Exit(0)
	}
	if addr := os.Getenv("FENCE_TEST_STORAGE"); addr != "" {
		os.Exit(writer(addr, os.Getenv("FENCE_TEST_TOKEN")))
	}
	os.Exit(m.Run())
}

// writer is a primary: it writes under its token until it is told that it is fenced.
func writer(addr, token string) int {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return 2
	}
	in := bufio.NewReader(c)
	for range 100_000 {
		fmt.Fprintln(c, token)
		switch answer, err := in.ReadString('\n'); {
		case err != nil:
			return 2
		case answer == "fenced\n":
			return 3
		}
		time.Sleep(time.Millisecond)
	}
	return 4
}

func TestGateIsOpenOnce(t *testing.T) {
	name := filepath.Join(t.TempDir(), "token")
	g, err := fence.OpenGate(name)
	require.NoError(t, err)
	another := func() int {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "FENCE_TEST_GATE="+name)
		_ = cmd.Run()
		return cmd.ProcessState.ExitCode()
	}
	require.NoError(t, g.Raise(1)) // which gives the name to another file
	require.Equal(t, 3, another(), "a second process")
	_, err = fence.OpenGate(name)
	require.ErrorIs(t, err, fence.ErrInUse)
	require.NoError(t, g.Raise(2), "the first goes on")
	require.NoError(t, g.Close())
	require.ErrorIs(t, g.Raise(3), os.ErrClosed)
	require.Equal(t, 0, another())
}

// storage is a server that keeps the tokens of the writes that its gate has let through.
type storage struct {
	gate *fence.Gate
	mu   sync.Mutex
	log  []uint64
}

func (s *storage) serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			in := bufio.NewScanner(c)
			for in.Scan() {
				var token uint64
				fmt.Sscan(in.Text(), &token)
				err := s.gate.Do(token, func() error {
					s.mu.Lock()
					defer s.mu.Unlock()
					s.log = append(s.log, token)
					return nil
				})
				switch {
				case errors.Is(err, fence.ErrFenced):
					fmt.Fprintln(c, "fenced")
				case err == nil:
					fmt.Fprintln(c, "ok")
				default:
					return
				}
			}
		}()
	}
}

func (s *storage) count(token uint64) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, have := range s.log {
		if have == token {
			n++
		}
	}
	return n
}

func TestStoppedPrimaryThatWakesUpIsFenced(t *testing.T) {
	db, err := store.New(memory.New(), nil)
	require.NoError(t, err)
	gate, err := fence.OpenGate(filepath.Join(t.TempDir(), "token"))
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	s := &storage{gate: gate}
	go s.serve(l)

	start := func(name string) (*exec.Cmd, uint64) {
		// The lease is asked for here, and its token given to a process that never renews it: as one that is stopped.
		contender, err := lease.New(db, "orders", name, 100*time.Millisecond)
		require.NoError(t, err)
		var held *lease.Held
		require.Eventually(t, func() bool { held, err = contender.Try(t.Context()); return err == nil }, 10*time.Second, 10*time.Millisecond)
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "FENCE_TEST_STORAGE="+l.Addr().String(), fmt.Sprint("FENCE_TEST_TOKEN=", held.Token()))
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		token := held.Token()
		require.Eventually(t, func() bool { return s.count(token) > 10 }, 20*time.Second, time.Millisecond)
		return cmd, token
	}
	former, first := start("a")
	require.NoError(t, former.Process.Signal(syscall.SIGSTOP)) // somewhere between asking and writing
	_, second := start("b")
	require.Greater(t, second, first)
	before := s.count(first)
	require.NoError(t, former.Process.Signal(syscall.SIGCONT))
	var exit *exec.ExitError
	require.ErrorAs(t, former.Wait(), &exit)
	require.Equal(t, 3, exit.ExitCode(), "told that it is fenced")
	require.Equal(t, before, s.count(first), "a write of the former primary was accepted")
	s.mu.Lock()
	defer s.mu.Unlock()
	require.IsNonDecreasing(t, s.log)
}

// cuttable is a store's engine that a member can be cut off from.
type cuttable struct {
	store.Driver
	cut atomic.Bool
}

func (c *cuttable) Commit(ctx context.Context, b store.Batch) (store.Rev, error) {
	if c.cut.Load() {
		return 0, errors.New("cut off")
	}
	return c.Driver.Commit(ctx, b)
}

// timed is a Primary that notes when it was stopped.
type timed struct {
	server
	held    *lease.Held
	stopped time.Time
}

func (s *timed) May(_ context.Context, held *lease.Held) error { s.held = held; return nil }
func (s *timed) Stop(context.Context) error                    { s.stopped = time.Now(); return nil }

func TestPrimaryThatIsCutOffFromTheStoreStopsInTime(t *testing.T) {
	engine := &cuttable{Driver: memory.New()}
	db, err := store.New(engine, nil)
	require.NoError(t, err)
	timing := fence.Timing{TTL: 2 * time.Second, Stop: 500 * time.Millisecond}
	s := &timed{server: server{up: make(chan struct{})}}
	n, err := fence.NewNode(db, "orders", "a", timing, s)
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- n.Run(t.Context()) }()
	<-s.up
	engine.cut.Store(true)
	err = <-done
	require.ErrorIs(t, err, lease.ErrLost)
	require.True(t, s.stopped.Before(s.held.Until()), "stopped %v after its lease ended", s.stopped.Sub(s.held.Until()))
	require.False(t, s.stopped.Before(timing.Deadline(s.held.Until())), "stopped before it had to")
}
