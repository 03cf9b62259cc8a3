package lockout_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/lockout"
)

var (
	mallory = opsec.Actor{Account: "alice", Terminal: "curl"}
	admin   = opsec.Actor{Tenant: "acme", Account: "root", Person: "rosa", Kind: opsec.Human}
	counted = lockout.Key{Tenant: "acme", Account: "alice", Factor: lockout.Password, Class: lockout.Trusted, Device: "d1"}
)

// history makes changes one after the other, so far apart, and returns what is recorded.
func history(t *testing.T, p *lockout.Policy, s lockout.State, pause time.Duration, kinds ...lockout.Kind) (events []*opsec.Event) {
	now := noon
	var batch int64
	for _, k := range kinds {
		c := lockout.Change{Policy: p, Event: lockout.Event{Kind: k, Batch: batch}, Now: now, Actor: mallory}
		if k >= lockout.Unlock {
			c.Actor, c.Reason = admin, "ticket 7"
		}
		var v lockout.Verdict
		if s, v = c.Apply(s); k == lockout.Reserve {
			batch = v.Batch
		}
		if e := c.Record(counted, v); e != nil {
			require.NoError(t, e.Validate())
			require.Equal(t, opsec.Resource{Tenant: "acme", Type: "account", ID: "alice"}, e.Resource)
			require.Equal(t, opsec.TenantID("acme"), e.Tenant)
			require.Equal(t, opsec.Success, e.Outcome)
			require.Equal(t, now, e.Time)
			require.Equal(t, c.Actor, e.Actor)
			events = append(events, e)
		}
		now = now.Add(pause)
	}
	return events
}

func TestRecordOfLocksAndWhatOpensThem(t *testing.T) {
	p := strict(func(p *lockout.Policy) { p.Temporary, p.Rapid, p.RapidBar = 1, time.Second, time.Minute })
	guess := []lockout.Kind{lockout.Reserve, lockout.Fail}
	twice := append(guess[:2:2], guess...)
	for _, k := range []struct {
		name  string
		pause time.Duration
		state lockout.State
		kinds []lockout.Kind
		want  string
		class opsec.Class
	}{
		{"failures that lock", 2 * time.Second, lockout.State{}, append(twice, guess...), lockout.ActionLocked, opsec.Standard},
		{"rapid ones that bar", 0, lockout.State{}, twice, lockout.ActionBarred, opsec.Standard},
		{"the last", 0, lockout.State{Failures: 3, Locks: 1, Last: noon.UnixMilli() - 60000}, guess, lockout.ActionPermanent, opsec.Standard},
		{"a hold", 0, lockout.State{}, []lockout.Kind{lockout.Hold}, lockout.ActionHeld, opsec.Critical},
		{"an unlock", 0, lockout.State{Standing: lockout.Permanent, Failures: 3, Last: 1}, []lockout.Kind{lockout.Unlock}, lockout.ActionUnlocked, opsec.Critical},
		{"failures that are cleared", 0, lockout.State{Failures: 1, Last: noon.UnixMilli()}, []lockout.Kind{lockout.Unlock}, lockout.ActionUnlocked, opsec.Critical},
		{"a recovery", 0, lockout.State{Standing: lockout.Permanent, Failures: 3, Last: 1}, []lockout.Kind{lockout.Recover}, lockout.ActionRecovered, opsec.Critical},
	} {
		events := history(t, p, k.state, k.pause, k.kinds...)
		require.Len(t, events, 1, k.name)
		require.Equal(t, k.want, events[0].Action, k.name)
		require.Equal(t, k.class, events[0].Class, k.name)
		require.Equal(t, k.class == opsec.Critical, events[0].Reason == "ticket 7", k.name)
	}
}

func TestRecordOfASuccessThatOpensALock(t *testing.T) {
	p := strict(func(p *lockout.Policy) { p.Failures = 1 })
	s := lockout.State{Pending: [2]uint16{2, 0}, Batch: noon.UnixMilli()}
	c := lockout.Change{Policy: p, Event: lockout.Event{Kind: lockout.Fail, Batch: noon.UnixMilli()}, Now: noon, Actor: mallory}
	s, v := c.Apply(s)
	require.Equal(t, lockout.ActionLocked, c.Record(counted, v).Action)
	c.Event.Kind = lockout.Succeed
	_, v = c.Apply(s)
	e := c.Record(counted, v)
	require.Equal(t, lockout.ActionUnlocked, e.Action)
	require.Equal(t, opsec.Standard, e.Class)
}

func TestNothingIsRecordedOfWhatChangesNoStanding(t *testing.T) {
	held := lockout.State{Standing: lockout.Held}
	require.Empty(t, history(t, strict(), lockout.State{}, time.Second, lockout.Reserve, lockout.Fail, lockout.Reserve, lockout.Succeed, lockout.Unlock, lockout.Recover, lockout.Look))
	require.Empty(t, history(t, strict(), held, time.Second, lockout.Hold, lockout.Reserve, lockout.Recover, lockout.Look))
	require.Empty(t, history(t, strict(), lockout.State{Standing: lockout.Locked, Failures: 3, Locks: 1, Until: noon.UnixMilli(), Last: noon.UnixMilli() - 60000}, 0, lockout.Look),
		"a lock that ends by time has said when it would")
}

func TestRecordSaysWhichCounter(t *testing.T) {
	p := strict(func(p *lockout.Policy) { p.Failures = 1 })
	e := history(t, p, lockout.State{}, 0, lockout.Reserve, lockout.Fail)[0]
	require.Equal(t, []opsec.Attr{
		{Key: "factor", Value: "password", Mark: opsec.Tenant},
		{Key: "class", Value: "trusted", Mark: opsec.Tenant},
		{Key: "device", Value: "d1", Mark: opsec.Personal},
		{Key: "failures", Value: "1", Mark: opsec.Tenant},
		{Key: "until", Value: "2026-03-02T12:01:00Z", Mark: opsec.Tenant},
	}, e.Attrs)
}

func TestChangeWithoutPolicyIsStrict(t *testing.T) {
	c := lockout.Change{Event: lockout.Event{Kind: lockout.Fail, Batch: noon.UnixMilli() - noon.UnixMilli()%1000}, Now: noon}
	_, v := c.Apply(lockout.State{Pending: [2]uint16{1, 0}, Batch: c.Event.Batch})
	require.Equal(t, lockout.Permanent, v.Became)
}

func ExampleChange_Record() {
	p, err := lockout.Preset(lockout.PresetPCI)
	if err != nil {
		panic(err)
	}
	key, policy := p.Counter(lockout.Key{Tenant: "acme", Account: "alice", Factor: lockout.Password})
	change := lockout.Change{Policy: policy, Event: lockout.Event{Kind: lockout.Hold}, Now: noon, Actor: admin, Reason: "left the company"}
	_, verdict := change.Apply(lockout.State{}) // what a States does, with the state that it has
	e := change.Record(key, verdict)
	fmt.Println(e.Action, e.Resource, e.Actor.Account, e.Reason)
	// Output:
	// lockout.held acme/account/alice root left the company
}
