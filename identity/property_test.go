package identity_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity"
	"github.com/cloudopsec/opsec/store/memory"
)

func TestSelfServiceIsForSimplePropertiesOfOnesOwn(t *testing.T) {
	b := newBench(t, memory.New(), func(p *identity.Policy) {
		p.SkipApprovalOfSubs = true
		p.Properties = append(p.Properties, identity.Property{Name: "cost-centre"})
	})
	a := b.add(identity.Registration{Name: "carol", Person: "pc"})
	robot, _, err := b.Register(bg, by(a), "acme", identity.Registration{Name: "robot", Kind: opsec.Service, Main: a.ID, System: "app/1"})
	require.NoError(t, err)

	got, err := b.SetProperty(bg, by(a), "acme", a.ID, "language", "de")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"language": "de"}, got.Properties)
	_, err = b.SetProperty(bg, by(a), "acme", robot.ID, "language", "en")
	require.NoError(t, err, "of a sub-account by who has the main account")
	_, err = b.SetProperty(bg, by(robot), "acme", a.ID, "language", "en")
	require.ErrorIs(t, err, opsec.ErrDenied, "not the other way round")
	another, r, err := b.Register(bg, by(robot), "acme", identity.Registration{Name: "robot-b", Main: a.ID, System: "app/2"})
	require.NoError(t, err)
	require.Equal(t, identity.Registered, another.State, "a program makes no accounts without approval")
	require.NotEmpty(t, r.ID)
	_, err = b.SetProperty(bg, by(a), "acme", a.ID, "cost-centre", "1")
	require.ErrorIs(t, err, opsec.ErrDenied)
	_, err = b.SetProperty(bg, b.alice, "acme", a.ID, "cost-centre", "1")
	require.NoError(t, err)
	_, err = b.SetProperty(bg, b.alice, "acme", a.ID, "shoe-size", "1")
	require.ErrorIs(t, err, opsec.ErrInvalid)
	got, err = b.SetProperty(bg, by(a), "acme", a.ID, "language", "")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"cost-centre": "1"}, got.Properties)

	b.gate.refuse = []string{identity.ActionSet}
	_, err = b.SetProperty(bg, b.alice, "acme", a.ID, "language", "de")
	require.ErrorIs(t, err, opsec.ErrDenied)
	var outcomes []opsec.Outcome
	for _, e := range b.events(identity.ActionSet) {
		outcomes = append(outcomes, e.Outcome)
	}
	require.Len(t, outcomes, 7)
}

func TestAnAddressChangesLaterAndBothAreTold(t *testing.T) {
	b := standard(t)
	a := b.add(identity.Registration{Name: "carol", Person: "pc", Properties: map[string]string{"recovery-mail": "old@example.org"}})
	set := func(who identity.By, value string) identity.Account {
		got, err := b.SetProperty(bg, who, "acme", a.ID, "recovery-mail", value)
		require.NoError(t, err)
		return got
	}
	got := set(by(a), "new@example.org")
	require.Equal(t, "old@example.org", got.Properties["recovery-mail"])
	require.Equal(t, noon.Add(3*day), got.Planned[0].Due)
	require.Equal(t, []string{"new@example.org", "old@example.org"}, b.post.told(t))
	_, err := b.SetProperty(bg, by(a), "acme", a.ID, "recovery-mail", "third@example.org")
	require.ErrorIs(t, err, opsec.ErrInvalid, "one at a time")

	b.now = noon.Add(2 * day)
	_, err = b.CancelProperty(bg, by(a), "acme", a.ID, "recovery-mail")
	require.NoError(t, err)
	require.Equal(t, []string{"new@example.org", "old@example.org"}, b.post.told(t))
	_, err = b.CancelProperty(bg, by(a), "acme", a.ID, "recovery-mail")
	require.ErrorIs(t, err, opsec.ErrNotFound)
	b.sweep(noon.Add(4 * day))
	require.Equal(t, "old@example.org", b.get(a.ID).Properties["recovery-mail"])

	set(b.alice, "new@example.org") // also for administrators
	require.Zero(t, b.sweep(noon.Add(7*day-1)).Settled)
	require.Equal(t, int64(1), b.sweep(noon.Add(7*day)).Settled)
	require.Equal(t, "new@example.org", b.get(a.ID).Properties["recovery-mail"])
	for _, action := range []string{identity.ActionPlan, identity.ActionCancel, identity.ActionSettle} {
		require.NotEmpty(t, b.events(action))
		require.NotContains(t, b.events(action)[0].Attrs, "@")
	}
	record, replay := b.replayed(a.ID)
	require.Equal(t, record, replay)
}

func TestWhatCouldNotBeToldIsToldByTheSweep(t *testing.T) {
	b := standard(t)
	a := b.add(identity.Registration{Name: "carol", Person: "pc"})
	b.post.fail = errors.New("no mail today")
	_, err := b.SetProperty(bg, by(a), "acme", a.ID, "mail", "new@example.org")
	require.NoError(t, err)
	_, err = b.Sweep(bg, timer, "acme")
	require.ErrorIs(t, err, b.post.fail)
	b.post.fail = nil
	b.post.bad = "new@example.org"
	_, err = b.SetProperty(bg, by(b.get(opsec.ID(b.alice.Actor.Account))), "acme", opsec.ID(b.alice.Actor.Account), "mail", "alice@example.org")
	require.NoError(t, err)
	require.Equal(t, []string{"alice@example.org", "pa"}, b.post.told(t), "what cannot be delivered holds up nothing else")
	_, err = b.Sweep(bg, timer, "acme")
	require.Error(t, err)
	require.Equal(t, []string{"pc"}, b.post.told(t))
	b.post.bad = ""
	require.Equal(t, int64(1), b.sweep(b.now).Delivered)
	require.Zero(t, b.sweep(b.now).Delivered)
	require.Equal(t, []string{"new@example.org"}, b.post.told(t))
}
