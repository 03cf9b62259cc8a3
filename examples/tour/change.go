package main

import (
	"context"
	"crypto/ed25519"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/calendar"
)

// changeStop asks for a change of the directory, lets the visitor try to approve it with another account, collects the
// signatures of two others, tries to do something else with them, and finds the night on which it may run.
func changeStop(ctx context.Context, t *tour) {
	now := time.Now()
	what := opsec.Resource{Tenant: t.actor.Tenant, Type: "directory", ID: t.dir}
	keys, secret := approval.Keys{}, map[string]ed25519.PrivateKey{}
	for _, name := range []string{t.actor.Person, "ann", "bob"} {
		public, private, err := ed25519.GenerateKey(nil)
		check(err)
		keys, secret[name] = append(keys, approval.Key{Tenant: t.actor.Tenant, Person: name, Public: public}), private
	}
	authority := approval.Authority{Roles: func(opsec.Actor) ([]string, error) { return []string{"operations"}, nil }, Keys: keys}
	policy := approval.Policy{Stages: []approval.Stage{{Rule: approval.Rule{Role: "operations", Min: 2}}}, UseWithin: 30 * 24 * time.Hour}
	v2, v3 := approval.NewAction("tour.upgrade", what, []byte("v2")), approval.NewAction("tour.upgrade", what, []byte("v3"))
	c, e, err := approval.New(approval.Request{Action: v2, By: t.actor, Reason: "end of support", Policy: policy}, now)
	check(err)
	t.record(ctx, e)
	step := func(next approval.Case, e *opsec.Event, err error) string {
		_, recordErr := t.trail.Record(ctx, e) // refusals too
		check(recordErr)
		if c = next; err != nil {
			return "refused: " + err.Error()
		}
		return "accepted"
	}
	approve := func(account, person string) string {
		by := t.actor
		by.Account, by.Person = account, person
		d := approval.Decision{Verb: approval.Approve, By: by, Reason: "read it", SignedAt: now}
		d.Signature = ed25519.Sign(secret[person], c.Message(d))
		return step(c.Decide(d, authority, now))
	}
	said := []string{approve("visitor-admin", t.actor.Person), approve("ann", "ann"), approve("bob", "bob")}
	t.say("   the visitor, by another account: %s\n   ann: %s; bob: %s", said[0], said[1], said[2])

	plan, err := calendar.NewSchedule([]calendar.Window{{
		Name: "nights", Kind: calendar.Maintenance, Zone: "Europe/Berlin", Rule: "FREQ=DAILY",
		Start: calendar.Local{Date: calendar.DateOf(now.AddDate(0, 0, -1)), Time: calendar.Clock(22, 0)},
		End:   calendar.Local{Date: calendar.DateOf(now), Time: calendar.Clock(5, 0)},
	}})
	check(err)
	slot, err := plan.Earliest(now, 2*time.Hour)
	check(err)
	other, used := step(c.Use(v3, t.actor, authority, slot.Start)), step(c.Use(v2, t.actor, authority, slot.Start))
	t.say("   it may run from %s: v3 instead of v2 %s; v2 %s", slot.Start.Format(time.DateTime+" MST"), other, used)
	t.result["change"] = map[string]any{"self": said[0], "ann": said[1], "bob": said[2], "other": other, "used": used, "slot": slot.Start}
}
