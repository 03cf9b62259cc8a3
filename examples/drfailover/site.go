package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup"
	"github.com/cloudopsec/opsec/backup/dr"
	"github.com/cloudopsec/opsec/backup/dr/fence"
	"github.com/cloudopsec/opsec/backup/dr/treemirror"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/lease"
)

const every = 250 * time.Millisecond // between two generations of the copy

// Leader is the primary and where it takes orders.
type Leader struct {
	Name, Addr string
	Token      uint64
}

// Copied is how old the copy at a site is.
type Copied struct {
	Name   string
	Status dr.Status
}

// site is one of the two: a [fence.Primary] that keeps orders.
type site struct {
	name  string
	gate  *fence.Gate // before its tree
	third *rpc.Client
	l     net.Listener
	token atomic.Uint64 // while it is primary
	ready atomic.Bool   // it has a copy, or nobody was primary yet
}

// stand is the process of a site.
func stand(ctx context.Context, name, third string) error {
	client, err1 := rpc.Dial("tcp", third)
	gate, err2 := fence.OpenGate(filepath.Join(name, "gate"))
	l, err3 := net.Listen("tcp", "127.0.0.1:0")
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	s := &site{name: name, gate: gate, third: client, l: l}
	go s.serve()
	// What was primary takes itself for it when it comes back, as servers do.
	if b, err := os.ReadFile(s.role()); err == nil {
		token, _ := strconv.ParseUint(string(b), 10, 64)
		_ = s.Promote(ctx, token) // refused
	}
	db, err := store.New(remote{client}, nil)
	if err != nil {
		return err
	}
	n, err := fence.NewNode(db, "orders", name, fence.Timing{TTL: time.Second, Stop: 200 * time.Millisecond, DriftPPM: 200}, s)
	if err != nil {
		return err
	}
	go func() {
		for ctx.Err() == nil {
			_ = n.Run(ctx) // it contends again
			time.Sleep(every)
		}
	}()
	return s.follow(ctx)
}

func (s *site) role() string { return filepath.Join(s.name, "role") }

// May implements [fence.Primary]. In earnest it asks a fence.Cluster, with the loss that is accepted.
func (s *site) May(context.Context, *lease.Held) error {
	if !s.ready.Load() {
		return fmt.Errorf("%s has no copy: %w", s.name, opsec.ErrDenied)
	}
	return nil
}

// Promote implements [fence.Primary].
func (s *site) Promote(_ context.Context, token uint64) error {
	var reason string
	if err := s.third.Call("Third.Lead", Leader{s.name, s.l.Addr().String(), token}, &reason); err != nil || reason != "" {
		return errors.Join(err, errors.New(reason))
	}
	if err := s.gate.Raise(token); err != nil {
		return err
	}
	s.token.Store(token)
	return os.WriteFile(s.role(), fmt.Append(nil, token), 0o600)
}

// Stop implements [fence.Primary].
func (s *site) Stop(context.Context) error { s.token.Store(0); return nil }

// serve takes orders, each a line: it is a file in the tree before it is acknowledged.
func (s *site) serve() {
	for {
		c, err := s.l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			for in := bufio.NewScanner(c); in.Scan(); fmt.Fprintln(c, "ok") {
				order, token := in.Text(), s.token.Load()
				if token == 0 || order == "" || strings.Trim(order, "0123456789") != "" {
					return
				}
				beside := filepath.Join(s.name, "new-"+order)
				if s.gate.Do(token, func() error {
					return errors.Join(os.WriteFile(beside, []byte(order), 0o600), os.Rename(beside, filepath.Join(s.name, treemirror.TreeName, order)))
				}) != nil {
					return
				}
			}
		}()
	}
}

// follow copies from whoever is primary, and tells how old the copy is.
func (s *site) follow(ctx context.Context) error {
	m, err := treemirror.New(s.name, s.gate, &treemirror.Options{Header: backup.Header{Tenant: "acme", Source: "orders"}})
	if err != nil {
		return err
	}
	for ; ctx.Err() == nil; time.Sleep(every / 5) {
		var now Leader
		if err := s.third.Call("Third.Report", Copied{s.name, m.Status()}, &now); err != nil {
			return err
		}
		if now.Token == 0 || now.Name == s.name {
			s.ready.Store(true)
			continue
		}
		// The line to the other site goes with its process.
		line, err := net.DialTimeout("tcp", now.Addr, time.Second)
		if err != nil {
			continue
		}
		line.Close()
		if last := m.Status(); last.Safe.IsZero() || time.Since(last.Safe) > every {
			src, err := backup.OpenDir(filepath.Join(now.Name, treemirror.TreeName))
			if err != nil {
				return err
			}
			if m.Sync(ctx, now.Token, src, time.Time{}) == nil {
				s.ready.Store(true)
			}
			src.Close()
		}
	}
	return nil
}
