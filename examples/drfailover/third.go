package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/cloudopsec/opsec/backup"
	"github.com/cloudopsec/opsec/backup/dr"
	"github.com/cloudopsec/opsec/backup/dr/fence"
	"github.com/cloudopsec/opsec/backup/dr/treemirror"
	"github.com/cloudopsec/opsec/store/memory"
)

// third is the third place: the lease, the gate before both sites, and the client. After an error it does nothing more.
type third struct {
	ctx          context.Context
	dir          string
	front, back  net.Listener // for clients, for sites
	forwarder    *fence.Forwarder
	stopOrdering func()
	sites        map[string]*exec.Cmd
	err          error

	mu      sync.Mutex
	leader  Leader
	refused Leader               // the last
	meter   *dr.Meter            // of west
	status  map[string]dr.Status // of the copy at each site
	orders  []order              // that were acknowledged
}

type order struct {
	name string
	at   time.Time
}

func open(ctx context.Context, dir string) (*third, error) {
	meter, err1 := dr.NewMeter(time.Second, 5*time.Second)
	gate, err2 := fence.OpenGate(filepath.Join(dir, "token"))
	front, err3 := net.Listen("tcp", "127.0.0.1:0")
	back, err4 := net.Listen("tcp", "127.0.0.1:0")
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, err
	}
	t := &third{ctx: ctx, dir: dir, front: front, back: back, forwarder: fence.NewForwarder(gate, nil),
		sites: map[string]*exec.Cmd{}, meter: meter, status: map[string]dr.Status{}}
	server := rpc.NewServer()
	if err := errors.Join(server.RegisterName("Store", &served{memory.New()}), server.RegisterName("Third", t)); err != nil {
		return nil, err
	}
	go server.Accept(back)
	go t.forwarder.Serve(ctx, front)
	ordering, cancel := context.WithCancel(ctx)
	var client sync.WaitGroup
	client.Go(func() {
		for n := 0; ordering.Err() == nil; time.Sleep(10 * time.Millisecond) {
			t.order(ordering, &n)
		}
	})
	t.stopOrdering = func() { cancel(); client.Wait() }
	return t, nil
}

// order places one order after the other until it is cut off. One without an answer is not placed again.
func (t *third) order(ctx context.Context, n *int) {
	c, err := net.Dial("tcp", t.front.Addr().String())
	if err != nil {
		return
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	for in := bufio.NewScanner(c); ; time.Sleep(5 * time.Millisecond) {
		*n++
		name := fmt.Sprintf("%08d", *n)
		if _, err := fmt.Fprintln(c, name); err != nil || !in.Scan() {
			return
		}
		t.mu.Lock()
		t.orders = append(t.orders, order{name, time.Now()})
		t.mu.Unlock()
	}
}

// Lead makes a site the one that clients are carried to, and returns the reason why not.
func (t *third) Lead(l Leader, reason *string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	err := t.forwarder.Lead(l.Token, l.Addr)
	switch {
	case err == nil:
		t.leader = l
		return nil
	case errors.Is(err, fence.ErrFenced):
		t.refused = l
	}
	*reason = err.Error()
	return nil
}

// Report takes how old the copy of a site is, and says who leads.
func (t *third) Report(r Copied, l *Leader) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	*l = t.leader
	if l.Token == 0 || l.Name == r.Name {
		return nil // it has no copy but the original
	}
	t.status[r.Name] = r.Status
	if r.Name == "west" {
		return t.meter.Add(r.Status)
	}
	return nil
}

// start starts the process of a site.
func (t *third) start(name string) {
	self, err := os.Executable()
	if t.err = errors.Join(t.err, err, os.MkdirAll(t.tree(name), 0o700)); t.err != nil {
		return
	}
	cmd := exec.Command(self, "-be", name, "-third", t.back.Addr().String())
	cmd.Dir, cmd.Stderr = t.dir, os.Stderr
	if t.err = cmd.Start(); t.err == nil {
		t.sites[name] = cmd
	}
}

// kill ends a site at once, and returns when that was.
func (t *third) kill(name string) time.Time {
	if cmd := t.sites[name]; cmd != nil {
		cmd.Process.Kill()
		cmd.Wait()
	}
	delete(t.sites, name)
	return time.Now()
}

// until waits for what is read with mu held.
func (t *third) until(what string, is func() bool) {
	for done := false; t.err == nil && !done; time.Sleep(5 * time.Millisecond) {
		t.mu.Lock()
		done = is()
		t.mu.Unlock()
		if err := t.ctx.Err(); err != nil && !done {
			t.err = fmt.Errorf("waited in vain until %s: %w", what, err)
		}
	}
}

func (t *third) tree(site string) string { return filepath.Join(t.dir, site, treemirror.TreeName) }

// manifest describes the tree of a site as it is.
func (t *third) manifest(site string) *backup.Manifest {
	d, err := backup.OpenDir(t.tree(site))
	if t.err = errors.Join(t.err, err); t.err != nil {
		return nil
	}
	defer d.Close()
	var b bytes.Buffer
	_, err1 := backup.Build(t.ctx, &b, d, backup.BuildOptions{Header: backup.Header{Tenant: "acme", Source: "orders", Created: time.Now()}})
	m, err2 := backup.OpenManifest(bytes.NewReader(b.Bytes()), int64(b.Len()))
	t.err = errors.Join(err1, err2)
	return m
}
