package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/lockout"
	"github.com/cloudopsec/opsec/identity/lockout/device"
	"github.com/cloudopsec/opsec/identity/lockout/spray"
)

// guess is an attempt that is under way.
type guess struct {
	by      string
	account string
	ip      netip.Addr
	secret  string
	right   bool
	gate    *lockout.Gate
	lease   lockout.Reservation
}

func name(i int) string { return fmt.Sprint("owner-", i) }

func home(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2 + byte(i), 7}) }

func (a *arena) anywhere() netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], a.random.Uint32()|1<<31)
	return netip.AddrFrom4(b)
}

// begin asks a node of chance for leave to try a secret. Without it the guess has no gate.
func (a *arena) begin(ctx context.Context, g *guess, cookie string) error {
	who := device.Owner{Tenant: tenant, Account: g.account}
	from := a.sort.Classify(ctx, who, cookie, g.ip)
	key := lockout.Key{Tenant: tenant, Account: g.account, Factor: lockout.Password, Class: lockout.Class(from.Class), Device: from.Device}
	node := a.gates[a.dice.IntN(len(a.gates))]
	var err error
	g.lease, err = node.Begin(ctx, lockout.Attempt{Key: key, Actor: opsec.Actor{Tenant: tenant, Account: g.account, IP: g.ip}})
	switch {
	case err == nil:
		g.gate = node
	case errors.Is(err, lockout.ErrBusy), errors.Is(err, opsec.ErrDenied):
		g.gate, err = nil, nil
	}
	return err
}

// settle tells the node what has become of a guess, and reports whether it got in.
func (a *arena) settle(ctx context.Context, g *guess) (in bool, err error) {
	if g.gate == nil {
		a.run.count(g, a.now, false, false)
		return false, nil
	}
	o := lockout.Wrong([]byte(g.secret))
	if g.right {
		o = lockout.Correct()
	}
	_, err = g.gate.Commit(ctx, g.lease, o)
	in = err == nil
	if err != nil && !errors.Is(err, opsec.ErrDenied) {
		return false, err
	}
	if in {
		a.sort.Familiar.Learn(device.Owner{Tenant: tenant, Account: g.account}, g.ip)
	}
	a.run.count(g, a.now, true, in)
	for _, v := range a.watch.Add(spray.Sighting{
		Time: a.now, Tenant: tenant, Account: g.account, Source: g.ip, Secret: []byte(g.secret), OK: in,
	}) {
		a.run.Attacks[v.Kind]++
	}
	return in, nil
}
