package identity_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
)

// sweep moves the clock and sweeps.
func (b *bench) sweep(at time.Time) identity.Swept {
	b.t.Helper()
	b.now = at
	out, err := b.Sweep(bg, timer, "acme")
	require.NoError(b.t, err)
	return out
}

// busy keeps the administrators in use.
func (b *bench) busy() {
	b.t.Helper()
	for _, who := range []identity.By{b.alice, b.bob} {
		require.NoError(b.t, b.Touch(bg, timer, "acme", opsec.ID(who.Actor.Account)))
	}
}

func TestAnUnusedAccountIsWarnedAndDisabled(t *testing.T) {
	b := standard(t)
	a := b.add(identity.Registration{Name: "carol", Person: "pc", Properties: map[string]string{"mail": "carol@example.org"}})
	for n := range 91 { // a sweep a day, and the last after 90 days
		at := noon.Add(time.Duration(n) * day)
		b.now = at
		b.busy()
		out := b.sweep(at)
		sent := b.post.take()
		switch n {
		case 76, 87:
			require.Equal(t, int64(1), out.Warned, "day %d", n)
			require.Len(t, sent, 1)
			require.Equal(t, []string{"carol@example.org"}, sent[0].To)
			require.Contains(t, sent[0].Body, "2026-05-31")
		default:
			require.Empty(t, sent, "day %d", n)
			require.Zero(t, out.Warned)
		}
		require.Equal(t, n == 90, out.Disabled == 1, "day %d", n)
	}
	got := b.get(a.ID)
	require.Equal(t, identity.Disabled, got.State)
	require.Equal(t, identity.ByDormancy, got.Cause)
	require.Len(t, b.events(identity.ActionWarn), 2)
	require.Len(t, b.events(identity.ActionTouch), 2*91)

	r, err := b.Enable(bg, b.alice, "acme", a.ID)
	require.NoError(t, err)
	b.decide(r)
	require.Zero(t, b.sweep(b.now.Add(day)).Disabled, "its time begins anew")
	record, replay := b.replayed(a.ID)
	require.Equal(t, record, replay)
}

func TestUseEndsTheWarnings(t *testing.T) {
	b := standard(t)
	a := b.add(identity.Registration{Name: "carol", Person: "pc"})
	b.now = noon.Add(80 * day)
	b.busy()
	require.Equal(t, int64(1), b.sweep(b.now).Warned)
	require.Equal(t, []string{"pc"}, b.post.take()[0].To, "without an address, the person")
	require.Zero(t, b.sweep(b.now).Warned, "once")
	require.NoError(t, b.Touch(bg, timer, "acme", a.ID))
	require.NoError(t, b.Touch(bg, timer, "acme", a.ID))
	b.now = b.now.Add(70 * day)
	b.busy()
	require.Zero(t, b.sweep(b.now).Warned)
	require.Equal(t, identity.Active, b.get(a.ID).State)
	require.Len(t, b.events(identity.ActionTouch), 5, "once a day at most")
}

func TestNobodyIsDisabledUnwarned(t *testing.T) {
	b := standard(t)
	a := b.add(identity.Registration{Name: "carol", Person: "pc"})
	b.now = noon.Add(200 * day) // nobody has swept since
	b.busy()
	out := b.sweep(b.now)
	require.Equal(t, int64(1), out.Warned)
	require.Zero(t, out.Disabled)
	require.Len(t, b.post.take(), 1, "the last warning alone")
	b.busy()
	require.Zero(t, b.sweep(noon.Add(202*day)).Disabled)
	require.Equal(t, int64(1), b.sweep(noon.Add(203*day)).Disabled)
	require.Equal(t, identity.Disabled, b.get(a.ID).State)
}

func TestWarningsThatCannotBeDelivered(t *testing.T) {
	b := standard(t)
	a := b.add(identity.Registration{Name: "carol", Person: "pc"})
	b.now = noon.Add(88 * day)
	b.busy()
	b.post.fail = errors.New("no mail today")
	for n := range 14 {
		b.now = noon.Add(time.Duration(88+n) * day)
		_, err := b.Sweep(bg, timer, "acme")
		require.ErrorIs(t, err, b.post.fail)
		require.Equal(t, identity.Active, b.get(a.ID).State)
	}
	b.now = noon.Add(102 * day)
	_, err := b.Sweep(bg, timer, "acme")
	require.NoError(t, err)
	require.Equal(t, identity.Disabled, b.get(a.ID).State)
	require.Len(t, b.events(identity.ActionWarn), 1)
	require.Equal(t, opsec.Failure, b.events(identity.ActionWarn)[0].Outcome)
}

// A sweep that is interrupted between a warning and its note sends it again under the same id, so that nobody gets it twice.
func TestAWarningHasOneID(t *testing.T) {
	d := &dying{Driver: memory.New()}
	b := newBench(t, d, nil)
	b.add(identity.Registration{Name: "carol", Person: "pc"})
	b.now = noon.Add(80 * day)
	b.busy()
	d.dead = errors.New("the disk is gone")
	_, err := b.Sweep(bg, timer, "acme")
	require.ErrorIs(t, err, d.dead)
	d.dead = nil
	require.Equal(t, int64(1), b.sweep(b.now).Warned)
	sent := b.post.take()
	require.Len(t, sent, 2)
	require.Equal(t, sent[0].ID, sent[1].ID)
}

// dying is an engine that does not commit any more.
type dying struct {
	store.Driver
	dead error
}

func (d *dying) Commit(ctx context.Context, b store.Batch) (store.Rev, error) {
	if d.dead != nil {
		return 0, d.dead
	}
	return d.Driver.Commit(ctx, b)
}

func TestExemptAccountsStay(t *testing.T) {
	b := newBench(t, memory.New(), func(p *identity.Policy) {
		p.Dormancy.Exempt = []identity.Exempt{{Tenant: "acme", Name: "alice"}, {Tenant: "acme", Name: "bob"}, {Tenant: "acme", Name: "glass"}}
	})
	a := b.add(identity.Registration{Name: "glass", Person: "safe-1"})
	b.sweep(noon.Add(500 * day))
	require.Zero(t, b.sweep(noon.Add(900*day)).Disabled)
	require.Equal(t, identity.Active, b.get(a.ID).State)
}

func TestASubAccountInUseKeepsTheMainAccount(t *testing.T) {
	b := newBench(t, memory.New(), func(p *identity.Policy) { p.SkipApprovalOfSubs = true })
	a := b.add(identity.Registration{Name: "carol", Person: "pc"})
	used, _, err := b.Register(bg, by(a), "acme", identity.Registration{Name: "carol-db", Main: a.ID, System: "database/orders"})
	require.NoError(t, err)
	idle, _, err := b.Register(bg, by(a), "acme", identity.Registration{Name: "carol-net", Main: a.ID, System: "network-cell/7"})
	require.NoError(t, err)
	for n := range 100 {
		b.now = noon.Add(time.Duration(n) * day)
		b.busy()
		require.NoError(t, b.Touch(bg, timer, "acme", used.ID))
		b.sweep(b.now)
	}
	require.Equal(t, identity.Active, b.get(a.ID).State)
	require.Equal(t, identity.Active, b.get(used.ID).State)
	require.Equal(t, identity.Disabled, b.get(idle.ID).State)
	require.ErrorIs(t, b.Touch(bg, timer, "acme", idle.ID), opsec.ErrDenied)
}

func TestTimeIsOver(t *testing.T) {
	b := standard(t)
	a := b.add(identity.Registration{Name: "carol", Person: "pc", Expires: noon.Add(10 * day)})
	require.Zero(t, b.sweep(noon.Add(10*day-1)).Disabled)
	require.True(t, new(b.get(a.ID)).Usable(b.now))
	require.False(t, new(b.get(a.ID)).Usable(noon.Add(10*day)), "also before the sweep")
	require.Equal(t, int64(1), b.sweep(noon.Add(10*day)).Disabled)
	require.Equal(t, identity.ByExpiry, b.get(a.ID).Cause)
	_, err := b.Enable(bg, b.alice, "acme", a.ID)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	never := time.Time{}
	r, err := b.Modify(bg, b.alice, "acme", a.ID, nil, nil, &never)
	require.NoError(t, err)
	b.decide(r)
	_, err = b.Enable(bg, b.alice, "acme", a.ID)
	require.NoError(t, err)
}

func TestADeletedNameIsInQuarantine(t *testing.T) {
	b := newBench(t, memory.New(), func(p *identity.Policy) {
		p.SkipApprovalOfSubs = true
		p.Dormancy.Exempt = []identity.Exempt{{Tenant: "acme", Name: "alice"}, {Tenant: "acme", Name: "bob"}}
	})
	a := b.add(identity.Registration{Name: "carol", Person: "pc"})
	sub, _, err := b.Register(bg, by(a), "acme", identity.Registration{Name: "carol-db", Main: a.ID, System: "database/orders"})
	require.NoError(t, err)
	_, err = b.Delete(bg, b.alice, "acme", a.ID)
	require.NoError(t, err)
	require.Equal(t, identity.Deleted, b.get(sub.ID).State)
	for _, name := range []string{"carol", "Carol", "car0l", "carol-db"} {
		_, _, err = b.Register(bg, b.alice, "acme", identity.Registration{Name: name, Person: "pd"})
		require.ErrorIs(t, err, identity.ErrTaken, name)
	}
	again, r, err := b.Register(bg, b.alice, "acme", identity.Registration{Name: "karla", Person: "pc"})
	require.NoError(t, err, "the person may have another")
	b.decide(r)
	require.Equal(t, []string{"karla"}, b.list(identity.Query{Person: "pc"}))
	require.Equal(t, []string{"carol", "carol-db"}, b.list(identity.Query{Person: "pc", State: identity.Deleted}))

	require.Zero(t, b.sweep(noon.Add(366*day-1)).Forgotten)
	require.Equal(t, int64(1), b.sweep(noon.Add(366*day)).Forgotten, "the sub-account")
	require.Equal(t, int64(1), b.sweep(noon.Add(366*day)).Forgotten, "and then the main account")
	_, err = b.Get(bg, b.alice.Actor, "acme", a.ID)
	require.ErrorIs(t, err, opsec.ErrNotFound)
	require.NoError(t, b.Touch(bg, timer, "acme", opsec.ID(b.alice.Actor.Account)))
	b.add(identity.Registration{Name: "carol", Person: "pd"})
	require.Len(t, b.events(identity.ActionForget), 2)
	require.NotEqual(t, a.ID, again.ID)
	b.sound()
}
