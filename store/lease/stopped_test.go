//go:build unix

package lease_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/lease"
	"github.com/cloudopsec/opsec/store/memory"
)

// act is what a holder does under its token, as the store has it.
type act struct {
	Lease string
	Token uint64
	N     uint64
	PID   int
	Late  bool // after a holder with a greater token had acted
}

var acts = store.NewCollection(store.Schema[act]{
	Name: "acts",
	ID:   func(a *act) store.Key { return store.Text(a.Lease).Uint(a.Token).Int(int64(a.PID)).Uint(a.N) },
})

// latest is the greatest token under which anybody has acted.
type latest struct {
	Lease string
	Token uint64
}

var latests = store.NewCollection(store.Schema[latest]{
	Name: "latest",
	ID:   func(l *latest) store.Key { return store.Text(l.Lease) },
})

// do records an act.
func do(tx *store.Tx, a *act) error {
	s := tx.Sub("acme")
	have, err := latests.GetAll(s, store.Text(a.Lease))
	if err != nil {
		return err
	}
	if have[0] != nil {
		a.Late = have[0].Token > a.Token
	}
	if have[0] == nil || have[0].Token < a.Token {
		err = latests.Put(s, &latest{a.Lease, a.Token})
	}
	return errors.Join(err, acts.Put(s, a))
}

// Served is a driver behind a socket, so that several processes have one store in memory.
type Served struct{ driver store.Driver }

type Answer struct {
	Items     []store.Item
	Rev       store.Rev
	Conflicts []string
	Err       string
}

func (a *Answer) fail(err error) error {
	if conflict, ok := errors.AsType[*store.ConflictError](err); ok {
		a.Conflicts = conflict.Keys
	} else if err != nil {
		a.Err = err.Error()
	}
	return nil
}

func (a *Answer) error() error {
	switch {
	case a.Conflicts != nil:
		return &store.ConflictError{Keys: a.Conflicts}
	case a.Err != "":
		return errors.New(a.Err)
	}
	return nil
}

func (s Served) Get(keys []string, a *Answer) (err error) {
	a.Items, err = s.driver.Get(context.Background(), keys...)
	return a.fail(err)
}

func (s Served) List(r store.Range, a *Answer) (err error) {
	a.Items, err = s.driver.List(context.Background(), r)
	return a.fail(err)
}

func (s Served) Commit(b store.Batch, a *Answer) (err error) {
	a.Rev, err = s.driver.Commit(context.Background(), b)
	return a.fail(err)
}

// remote is the other end.
type remote struct{ client *rpc.Client }

func (r remote) call(method string, in any) (a Answer, err error) {
	if err := r.client.Call("Served."+method, in, &a); err != nil {
		return a, errors.Join(store.ErrIndeterminate, err)
	}
	return a, a.error()
}

func (r remote) Get(_ context.Context, keys ...string) ([]store.Item, error) {
	a, err := r.call("Get", keys)
	return a.Items, err
}

func (r remote) List(_ context.Context, in store.Range) ([]store.Item, error) {
	a, err := r.call("List", in)
	return a.Items, err
}

func (r remote) Commit(_ context.Context, b store.Batch) (store.Rev, error) {
	a, err := r.call("Commit", b)
	return a.Rev, err
}

func (r remote) Close() error { return r.client.Close() }

const (
	socketVariable = "OPSEC_LEASE_SOCKET"
	leasesVariable = "OPSEC_LEASE_COUNT"
	ttl            = 1200 * time.Millisecond
)

func TestMain(m *testing.M) {
	if socket := os.Getenv(socketVariable); socket != "" {
		if err := contend(socket); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// contend takes every lease that it can get, and acts under it, until the process is killed.
func contend(socket string) error {
	client, err := rpc.Dial("unix", socket)
	if err != nil {
		return err
	}
	db, err := store.New(remote{client}, nil)
	if err != nil {
		return err
	}
	count, err := strconv.Atoi(os.Getenv(leasesVariable))
	if err != nil {
		return err
	}
	failed := make(chan error)
	for i := range count {
		go func() { failed <- contendFor(db, fmt.Sprint("lease-", i)) }()
	}
	return <-failed
}

// contendFor is what a careless holder does: it never looks at the clock between renewals, and leaves it to the fence.
func contendFor(db *store.DB, name string) error {
	ctx, pid := context.Background(), os.Getpid()
	l, err := lease.New(db, name, fmt.Sprint(pid), ttl)
	if err != nil {
		return err
	}
	for n := uint64(0); ; {
		h, err := l.Try(ctx)
		for err == nil {
			err = db.Update(ctx, func(tx *store.Tx) error {
				if err := h.Fence(tx); err != nil {
					return err
				}
				n++
				return do(tx, &act{Lease: name, Token: h.Token(), N: n, PID: pid})
			})
			if err == nil {
				time.Sleep(ttl/4 + rand.N(ttl/4))
				err = h.Renew(ctx)
			}
		}
		if !errors.Is(err, lease.ErrHeld) && !errors.Is(err, lease.ErrLost) {
			return err
		}
		time.Sleep(ttl/4 + rand.N(ttl/4))
	}
}

func TestStoppedHoldersNeverShareAToken(t *testing.T) {
	count, rounds := 1000, 4
	if testing.Short() {
		count, rounds = 50, 3 // each process is stopped once
	}
	driver := memory.New()
	server := rpc.NewServer()
	require.NoError(t, server.Register(Served{driver}))
	dir, err := os.MkdirTemp("", "lease") // a socket's path is short
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "s")
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go server.ServeConn(conn)
		}
	}()

	const processes = 3
	children := make([]*exec.Cmd, processes)
	var wait sync.WaitGroup
	for i := range children {
		self, err := os.Executable()
		require.NoError(t, err)
		c := exec.CommandContext(t.Context(), self)
		c.Env = append(os.Environ(), socketVariable+"="+socket, fmt.Sprint(leasesVariable, "=", count))
		c.Stderr = os.Stderr
		require.NoError(t, c.Start())
		children[i] = c
		wait.Go(func() { c.Wait() })
	}
	for round := range rounds { // one after another is stopped for longer than its leases last, and wakes up
		time.Sleep(ttl)
		child := children[round%processes].Process
		require.NoError(t, child.Signal(syscall.SIGSTOP))
		time.Sleep(2*ttl + ttl/2)
		require.NoError(t, child.Signal(syscall.SIGCONT))
	}
	time.Sleep(ttl / 2)
	for _, c := range children {
		require.NoError(t, c.Process.Kill())
	}
	wait.Wait()

	db := newDB(t, driver)
	type token struct {
		lease string
		token uint64
	}
	by, last := map[token]int{}, map[string]uint64{}
	require.NoError(t, db.View(t.Context(), func(tx *store.Tx) error {
		for a, err := range acts.List(tx.Sub("acme"), store.Query{}) {
			require.NoError(t, err)
			if a.Late {
				t.Errorf("%s: %d has acted under token %d after a later holder", a.Lease, a.PID, a.Token)
			}
			at := token{a.Lease, a.Token}
			if pid, ok := by[at]; ok && pid != a.PID {
				t.Errorf("%s: %d and %d have acted under token %d", a.Lease, pid, a.PID, a.Token)
			}
			by[at] = a.PID
			last[a.Lease] = max(last[a.Lease], a.Token)
		}
		return nil
	}))
	require.NotEmpty(t, last, "leases were held: all of them, unless the machine is very busy")
	changed := 0
	for _, n := range last {
		if n > 1 {
			changed++
		}
	}
	t.Logf("%d leases of %d, %d of them changed hands, %d tokens", len(last), count, changed, len(by))
	require.Positive(t, changed, "stopped holders were replaced")
	for p, err := range db.Check(t.Context(), nil, lease.Part(), acts) {
		require.NoError(t, err)
		t.Error(p)
	}
}
