package main

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/lockout"
	"github.com/cloudopsec/opsec/identity/name"
	"github.com/cloudopsec/opsec/identity/session"
)

// loginsStop looks at the names of this machine, guesses at the account of who takes the tour, from sixty-four places at once, and
// ends a session everywhere.
func loginsStop(ctx context.Context, t *tour) {
	names, err := name.Preset("recommendation")
	check(err)
	fine, alike := 0, "a name that looks like another: none here"
	for _, a := range t.machine() {
		n, err := names.Check(a.Main, "main")
		if err == nil {
			fine++
		}
		if fake := strings.Replace(n.Canonical, "o", "\u043e", 1); fake != n.Canonical { // a Cyrillic letter
			_, err = names.Check(fake, "main")
			alike = fmt.Sprintf("%q with another script's o: %v", n.Canonical, err)
		}
	}
	t.say("   %d of %d names of this machine follow the policy; %s", fine, len(t.machine()), alike)

	gates, states := make([]*lockout.Gate, 4), lockout.NewMemory(1000, t.trail)
	policy, err := lockout.Preset(lockout.PresetPCI)
	check(err)
	policy.Rules = append([]lockout.Rule{{Factor: lockout.Password, Class: lockout.Trusted, Policy: policy.Rules[0].Policy}}, policy.Rules...)
	for i := range gates {
		gates[i], err = lockout.New(states, policy, &lockout.Options{Authorizer: opsec.CallerAuthorized{}})
		check(err)
	}
	attempt := lockout.Attempt{Key: lockout.Key{Tenant: t.actor.Tenant, Account: t.actor.Account, Factor: lockout.Password}}
	attempt.Actor = opsec.Actor{Tenant: t.actor.Tenant, Account: t.actor.Account, IP: netip.MustParseAddr("203.0.113.9")}
	var looked atomic.Int32
	var guessers sync.WaitGroup
	for i := range 64 {
		guessers.Go(func() {
			if r, err := gates[i%4].Begin(ctx, attempt); err == nil {
				looked.Add(1)
				gates[i%4].Commit(ctx, r, lockout.Wrong(fmt.Append(nil, "guess ", i)))
			}
		})
	}
	guessers.Wait()
	own := attempt
	own.Class, own.Device = lockout.Trusted, "this terminal"
	r, err := gates[0].Begin(ctx, own)
	check(err)
	proof, err := gates[0].Commit(ctx, r, lockout.Correct())
	t.say("   64 guesses at once at four nodes: %d were looked at; the owner, from a known device, gets in: %s", looked.Load(), okOr(err))

	limits, err := session.Preset("nist-aal1")
	check(err)
	now, books, nodes := time.Now(), session.NewMemory(t.trail), make([]*session.Manager, 2)
	for i := range nodes {
		nodes[i], err = session.New(books, limits, &session.Options{Now: func() time.Time { return now }, Authorizer: opsec.CallerAuthorized{}})
		check(err)
	}
	user := t.actor
	user.IP, user.Terminal = netip.MustParseAddr("192.0.2.7"), "this terminal"
	_, token, err := nodes[0].Create(ctx, session.Request{User: user, System: "tour"}, proof)
	check(err)
	_, err = nodes[1].Validate(ctx, token, session.Use{})
	check(err)
	check(nodes[0].RevokeAll(ctx, user.Tenant, user.Account, t.actor, "the tour goes on"))
	_, soon := nodes[1].Validate(ctx, token, session.Use{})
	now = now.Add(2 * limits.Cache) // the policy lets a node remember a session for half of that
	_, late := nodes[1].Validate(ctx, token, session.Use{})
	t.say("   all its sessions are ended at one node; another lets it in at that moment: %s; %s later: %v", okOr(soon), 2*limits.Cache, late)
	t.result["logins"] = map[string]any{"names": fine, "looked": looked.Load(), "soon": soon == nil, "late": late.Error()}
}
