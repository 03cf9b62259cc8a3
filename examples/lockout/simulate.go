package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/lockout"
	"github.com/cloudopsec/opsec/identity/lockout/device"
	"github.com/cloudopsec/opsec/identity/lockout/spray"
)

// course is what is simulated.
type course struct {
	Seed     uint64 `json:"seed"`
	Nodes    int    `json:"nodes"`
	Guessers int    `json:"guessers"`
	Sprayers int    `json:"sprayers"`
}

// The simulated day: eight hours, in which each owner logs in about every half hour from one of three places, and mistypes once in
// twelve; each guesser tries a new secret at the first owner's account every 20 seconds; and each sprayer tries the secret of the
// hour at another account every 10 minutes.
const (
	hours  = 8
	owners = 40
	victim = "owner-0"
)

// arena is one run: several nodes with one table of counters.
type arena struct {
	course
	now    time.Time
	random *rand.Rand // of who tries what, and when: the same under each profile
	dice   *rand.Rand // of the nodes that are asked
	gates  []*lockout.Gate
	sort   device.Classifier
	watch  *spray.Detector
	cookie [owners]string
	run    *run
}

var morning = time.Date(2026, time.March, 2, 8, 0, 0, 0, time.UTC)

// simulate runs the day under a profile. All chance comes from the seed.
func (c course) simulate(ctx context.Context, p lockout.Profile) (*run, error) {
	a := &arena{course: c, now: morning, random: rand.New(rand.NewPCG(c.Seed, 0)), dice: rand.New(rand.NewPCG(c.Seed, 1)), run: newRun(p.Name)}
	key := make([]byte, 32)
	binary.BigEndian.PutUint64(key, c.Seed)
	clock := func() time.Time { return a.now }
	table := lockout.NewMemory(1<<12, a.run)
	for range c.Nodes {
		// Nobody waits, for the clock stands still meanwhile.
		g, err := lockout.New(table, p, &lockout.Options{Authorizer: opsec.CallerAuthorized{}, Patience: 1, Tags: 1 << 14, Now: clock})
		if err != nil {
			return nil, err
		}
		a.gates = append(a.gates, g)
	}
	tokens, err := device.New([]device.Key{{ID: 1, Secret: key, From: morning}}, device.Policy{}, device.NewMemory(owners),
		&device.Options{Authorizer: opsec.CallerAuthorized{}, Now: clock})
	if err != nil {
		return nil, err
	}
	familiar, err := device.NewFamiliar(device.Networks{}, key, clock)
	if err != nil {
		return nil, err
	}
	a.sort = device.Classifier{Tokens: tokens, Familiar: familiar}
	if a.watch, err = spray.New(spray.Policy{}, &spray.Options{Key: key}); err != nil {
		return nil, err
	}
	for i := range owners { // yesterday
		familiar.Learn(device.Owner{Tenant: tenant, Account: name(i)}, home(i))
		if a.cookie[i], _, err = tokens.Issue(ctx, device.Owner{Tenant: tenant, Account: name(i)}); err != nil {
			return nil, err
		}
	}
	for second := range hours * 3600 {
		a.now = morning.Add(time.Duration(second) * time.Second)
		if err := errors.Join(ctx.Err(), a.attack(ctx, second), a.log(ctx)); err != nil {
			return nil, err
		}
	}
	return a.run, nil
}

// attack begins all guesses of a second, at nodes of chance, before any of them is settled.
func (a *arena) attack(ctx context.Context, second int) error {
	var all []*guess
	for i := range a.Guessers {
		if second%20 == i/8%20 {
			all = append(all, &guess{by: guesser, account: victim, secret: fmt.Sprint("guess", second, i)})
		}
	}
	for i := range a.Sprayers {
		if second%600 == i*600/max(a.Sprayers, 1) {
			all = append(all, &guess{by: sprayer, account: name((i + second/600) % owners), secret: fmt.Sprint("Spring", second/3600)})
		}
	}
	for _, g := range all {
		g.ip = a.anywhere()
		if err := a.begin(ctx, g, ""); err != nil {
			return err
		}
	}
	for _, g := range all {
		if _, err := a.settle(ctx, g); err != nil {
			return err
		}
	}
	return nil
}

// log lets owners log in, and try again when they have mistyped.
func (a *arena) log(ctx context.Context) error {
	for i := range owners {
		if a.random.IntN(1800) > 0 {
			continue
		}
		g := &guess{account: name(i), ip: a.anywhere(), secret: "typo", right: a.random.IntN(12) > 0}
		place, cookie := places[a.random.IntN(len(places))], ""
		switch place {
		case onDevice:
			cookie = a.cookie[i]
		case atHome:
			g.ip = home(i)
		}
		for {
			g.by = place
			if err := a.begin(ctx, g, cookie); err != nil {
				return err
			}
			in, err := a.settle(ctx, g)
			if err != nil {
				return err
			}
			if in || g.gate == nil || g.right {
				break
			}
			g.right = true
		}
	}
	return nil
}
