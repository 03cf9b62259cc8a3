package main

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/cloudopsec/opsec/identity/lockout"
	"github.com/cloudopsec/opsec/identity/lockout/device"
	"github.com/cloudopsec/opsec/identity/lockout/spray"
)

// tenant stands for whoever the log is of.
const tenant = "log"

// player takes a log through a profile.
type player struct {
	profile  lockout.Profile
	states   map[lockout.Key]lockout.State
	wrong    map[lockout.Key][]string // tags of wrong secrets, the last ones
	open     map[lockout.Key]int      // the lock of each counter, in the report
	devices  map[[2]string]bool       // of an account, that have logged in
	familiar *device.Familiar
	detector *spray.Detector
	now      time.Time
	r        *report
}

// The Gate remembers some eight wrong secrets of an account, in a fixed memory; a report lists so many refusals.
const remembered, maxListed = 8, 10_000

func replay(ctx context.Context, log io.Reader, profile lockout.Profile) (*report, error) {
	p := &player{
		profile: profile, states: map[lockout.Key]lockout.State{}, wrong: map[lockout.Key][]string{}, open: map[lockout.Key]int{},
		devices: map[[2]string]bool{}, r: &report{Profile: profile.Name, Verdicts: []verdict{}, Locks: []lock{}, Attacks: []spray.Verdict{}},
	}
	key := make([]byte, 32) // no secret one: it would hide nothing that the log does not show, and so the same log gives the same report
	var err error
	if p.familiar, err = device.NewFamiliar(device.Networks{}, key, func() time.Time { return p.now }); err != nil {
		return nil, err
	}
	if p.detector, err = spray.New(spray.Policy{}, &spray.Options{Key: key}); err != nil {
		return nil, err
	}
	for a, err := range attempts(log) {
		if err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		p.r.Attempts++
		p.now = a.Time
		p.play(&a)
	}
	return p.r, nil
}

// origin is the counter of an attempt: a device is trusted, and a network familiar, once the account has logged in from it.
func (p *player) origin(a *attempt) (lockout.Key, *lockout.Policy) {
	k := lockout.Key{Tenant: tenant, Account: a.Account, Factor: lockout.Password}
	switch {
	case a.Device != "" && p.devices[[2]string{a.Account, a.Device}]:
		k.Class, k.Device = lockout.Trusted, a.Device
	case p.familiar.Known(device.Owner{Tenant: tenant, Account: a.Account}, a.Source):
		k.Class = lockout.Familiar
	}
	return p.profile.Counter(k)
}

func (p *player) play(a *attempt) {
	k, policy := p.origin(a)
	if policy == nil {
		p.r.WithoutRule++
		return
	}
	s, v := policy.Step(p.states[k], lockout.Event{Kind: lockout.Reserve}, a.Time)
	p.states[k] = s
	p.note(k, a, v)
	if v.Answer != lockout.Done {
		p.refused(k, a, v)
		return
	}
	e := lockout.Event{Kind: lockout.Fail, Batch: v.Batch}
	if *a.OK {
		e.Kind = lockout.Succeed
		delete(p.wrong, k)
		if a.Device != "" {
			p.devices[[2]string{a.Account, a.Device}] = true
		}
		p.familiar.Learn(device.Owner{Tenant: tenant, Account: a.Account}, a.Source)
	} else if e.Repeat = a.Secret != "" && slices.Contains(p.wrong[k], a.Secret); !e.Repeat {
		p.wrong[k] = append(p.wrong[k][max(0, len(p.wrong[k])-remembered+1):], a.Secret)
	}
	p.states[k], v = policy.Step(s, e, a.Time)
	p.note(k, a, v)
	p.r.Verified++
	p.r.Attacks = append(p.r.Attacks, p.detector.Add(spray.Sighting{
		Time: a.Time, Tenant: tenant, Account: a.Account, Source: a.Source, Secret: []byte(a.Secret), OK: *a.OK,
	})...)
}

// note keeps what a counter has become, and what it is no more.
func (p *player) note(k lockout.Key, a *attempt, v lockout.Verdict) {
	if i, ok := p.open[k]; ok && v.Standing == lockout.Open {
		if v.Opened {
			p.r.Locks[i].Until = a.Time
		}
		delete(p.open, k)
	}
	if v.Became == lockout.Open {
		return
	}
	p.open[k] = len(p.r.Locks)
	p.r.Locks = append(p.r.Locks, lock{counterOf(k), v.Became, a.Time, v.Until, v.Failures, 0, 0})
	p.r.list(verdict{counterOf(k), a.Time, a.Source, string(v.Became)})
}

func (p *player) refused(k lockout.Key, a *attempt, v lockout.Verdict) {
	p.r.Refused++
	if i, ok := p.open[k]; ok {
		p.r.Locks[i].Refused++
		if *a.OK {
			p.r.Locks[i].Right++
		}
	}
	p.r.list(verdict{counterOf(k), a.Time, a.Source, "refused: " + string(v.Standing)})
}
