package main

import (
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

	"github.com/cloudopsec/opsec/backup/dr"
	"github.com/cloudopsec/opsec/backup/dr/fence"
	"github.com/cloudopsec/opsec/backup/dr/treemirror"
	"github.com/cloudopsec/opsec/store/memory"
)

// Leader is the primary and where it takes orders.
type Leader struct {
	Name, Addr string
	Token      uint64
}

// third is the third place.
type third struct {
	dir       string
	front     net.Listener // for clients
	back      net.Listener // for the sites
	forwarder *fence.Forwarder
	stop      context.CancelFunc
	sites     map[string]*exec.Cmd

	mu      sync.Mutex
	leader  Leader
	meter   *dr.Meter            // of west
	status  map[string]dr.Status // of the copy at each site
	refused map[string]uint64    // the token with which each site was refused
}

func open(ctx context.Context, dir string) (*third, error) {
	meter, err := dr.NewMeter(time.Second, 5*time.Second)
	if err != nil {
		return nil, err
	}
	gate, err := fence.OpenGate(filepath.Join(dir, "token"))
	if err != nil {
		return nil, err
	}
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	back, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, front.Close())
	}
	ctx, stop := context.WithCancel(ctx)
	t := &third{dir: dir, front: front, back: back, forwarder: fence.NewForwarder(gate, nil), stop: stop, sites: map[string]*exec.Cmd{},
		meter: meter, status: map[string]dr.Status{}, refused: map[string]uint64{}}
	server := rpc.NewServer()
	if err := errors.Join(server.RegisterName("Store", &served{memory.New()}), server.RegisterName("Third", &desk{t})); err != nil {
		return nil, err
	}
	go func() {
		for {
			c, err := back.Accept()
			if err != nil {
				return
			}
			go server.ServeConn(c)
		}
	}()
	go t.forwarder.Serve(ctx, front)
	return t, nil
}

func (t *third) close() {
	for name := range t.sites {
		t.kill(name)
	}
	t.stop()
	t.front.Close()
	t.back.Close()
}

// start starts the process of a site.
func (t *third) start(name string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(t.dir, name, treemirror.TreeName), 0o700); err != nil {
		return err
	}
	cmd := exec.Command(self, "-be", name, "-third", t.back.Addr().String())
	cmd.Dir, cmd.Stderr = t.dir, os.Stderr
	t.sites[name] = cmd
	return cmd.Start()
}

// kill ends a site at once, and returns when that was.
func (t *third) kill(name string) time.Time {
	t.sites[name].Process.Kill()
	t.sites[name].Wait()
	delete(t.sites, name)
	return time.Now()
}

// until waits for what is read with mu held.
func (t *third) until(ctx context.Context, what string, is func() bool) error {
	for range 3000 {
		t.mu.Lock()
		done := is()
		t.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
	return fmt.Errorf("waited 15 s in vain until %s", what)
}

// tree lists the orders at a site.
func (t *third) tree(name string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(t.dir, name, treemirror.TreeName))
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

// desk is what sites tell the third place.
type desk struct{ t *third }

// Lead makes a site the one that clients are carried to, and returns the reason why not.
func (d *desk) Lead(l Leader, reason *string) error {
	d.t.mu.Lock()
	defer d.t.mu.Unlock()
	err := d.t.forwarder.Lead(l.Token, l.Addr)
	switch {
	case err == nil:
		d.t.leader = l
	case errors.Is(err, fence.ErrFenced):
		d.t.refused[l.Name] = l.Token
		fallthrough
	default:
		*reason = err.Error()
	}
	return nil
}

// Report takes how old the copy of a site is, and says who leads.
func (d *desk) Report(r Copied, l *Leader) error {
	d.t.mu.Lock()
	defer d.t.mu.Unlock()
	*l = d.t.leader
	if r.Status.At.IsZero() {
		return nil
	}
	d.t.status[r.Name] = r.Status
	if r.Name == "west" {
		return d.t.meter.Add(r.Status)
	}
	return nil
}
