package catalogue_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/backup/catalogue"
	"github.com/cloudopsec/opsec/backup/plan"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
)

func TestAPointGoesByQuorumAndDelay(t *testing.T) {
	b := standard(t)
	b.add("a")
	b.add("b")
	o, err := b.ProposeDeletion(bg, alice, "acme", "vol-7", []string{"a", "a"}, false)
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, o.Terms.Points)
	require.Equal(t, catalogue.Asked, o.State)
	require.Len(t, collect(t, b.Orders(bg, alice.Actor, "acme", "vol-7")), 1)

	_, err = b.Execute(bg, alice, "acme", o.ID)
	require.ErrorIs(t, err, opsec.ErrDenied)
	_, err = b.Decide(bg, "acme", o.ID, approve(alice))
	require.ErrorIs(t, err, approval.ErrSamePerson)
	o, err = b.Decide(bg, "acme", o.ID, approve(bob))
	require.NoError(t, err)
	require.Equal(t, catalogue.Asked, o.State)
	twin := bob // the same person with another account
	twin.Actor.Account = "account-other"
	_, err = b.Decide(bg, "acme", o.ID, approve(twin))
	require.ErrorIs(t, err, approval.ErrDecided)
	nobody := carol // an account with nobody known behind it
	nobody.Actor.Person = ""
	_, err = b.Decide(bg, "acme", o.ID, approve(nobody))
	require.ErrorIs(t, err, opsec.ErrDenied)
	b.now = b.now.Add(time.Hour)
	o, err = b.Decide(bg, "acme", o.ID, approve(carol))
	require.NoError(t, err)
	require.Equal(t, catalogue.Waiting, o.State)
	require.Equal(t, b.now.Add(catalogue.DefaultDelay), o.Ready)

	b.now = o.Ready.Add(-time.Second)
	_, err = b.Execute(bg, alice, "acme", o.ID)
	wait, ok := errors.AsType[*catalogue.DelayError](err)
	require.True(t, ok)
	require.Equal(t, o.Ready, wait.Until)
	require.Empty(t, b.shred.gone)
	require.Equal(t, []string{"a", "b"}, b.present())

	b.now = o.Ready
	o, err = b.Execute(bg, alice, "acme", o.ID)
	require.NoError(t, err)
	require.Equal(t, catalogue.Done, o.State)
	require.Equal(t, 1, o.Gone)
	require.Empty(t, o.Kept)
	require.Equal(t, []string{"a@rack-1"}, b.shred.gone)
	require.Equal(t, []string{"b"}, b.present())
	require.Empty(t, collect(t, b.Orders(bg, alice.Actor, "acme", "vol-7")))

	p := b.point("a") // what remains
	require.Equal(t, catalogue.Deleted, p.State)
	require.Equal(t, o.ID, p.Order)
	require.Equal(t, b.now, p.Copies[0].Gone)
	require.Equal(t, b.now.Sub(p.Received), p.KeptFor(b.now.Add(day)))
	gone := collect(t, b.Deleted(bg, alice.Actor, "acme", "vol-7", time.Time{}, time.Time{}))
	require.Len(t, gone, 1)

	erased := b.erased.Events(catalogue.ActionErase)
	require.Len(t, erased, 2)
	require.Equal(t, opsec.Pending, erased[0].Outcome)
	require.Equal(t, opsec.Success, erased[1].Outcome)
	require.Equal(t, erased[0].ID, erased[1].Intent)
	require.Len(t, b.events(catalogue.ActionMark), 1)
	require.Len(t, b.events(catalogue.ActionDelete), 1)
	_, err = b.Execute(bg, alice, "acme", o.ID)
	require.ErrorIs(t, err, catalogue.ErrEnded)
	b.sound()
}

func TestAnOrderEndsBeforeItIsDone(t *testing.T) {
	b := standard(t)
	b.add("a")
	b.add("b")
	ask := func() catalogue.Order {
		o, err := b.ProposeDeletion(bg, alice, "acme", "vol-7", []string{"a"}, false)
		require.NoError(t, err)
		return o
	}
	for name, end := range map[string]func(catalogue.Order) error{
		"rejected": func(o catalogue.Order) error {
			d := approve(bob)
			d.Verb = approval.Reject
			_, err := b.Decide(bg, "acme", o.ID, d)
			return err
		},
		"withdrawn": func(o catalogue.Order) error { _, err := b.Withdraw(bg, alice, "acme", o.ID); return err },
		"cancelled": func(o catalogue.Order) error {
			b.agree(o)
			_, err := b.Cancel(bg, agent, "acme", o.ID)
			return err
		},
		"retracted": func(o catalogue.Order) error {
			b.agree(o)
			d := approve(carol)
			d.Verb = approval.Retract
			_, err := b.Decide(bg, "acme", o.ID, d)
			return err
		},
		"expired": func(o catalogue.Order) error {
			b.now = b.agree(o).Ready.Add(8 * day)
			_, err := b.Execute(bg, alice, "acme", o.ID)
			require.ErrorIs(t, err, approval.StatusError{Status: approval.Expired})
			return b.Lapse(bg, alice, "acme", "vol-7")
		},
	} {
		o := ask()
		require.NoError(t, end(o), name)
		b.now = b.now.Add(10 * day)
		_, err := b.Execute(bg, alice, "acme", o.ID)
		require.ErrorIs(t, err, catalogue.ErrEnded, name)
		_, err = b.Decide(bg, "acme", o.ID, approve(bob))
		require.ErrorIs(t, err, catalogue.ErrEnded, name)
		got, err := b.Order(bg, alice.Actor, "acme", o.ID)
		require.NoError(t, err)
		require.Equal(t, catalogue.Ended, got.State, name)
		require.NotEmpty(t, got.Why, name)
	}
	require.Equal(t, []string{"a", "b"}, b.present())
	require.Empty(t, b.shred.gone)
	b.sound()
}

func TestApproversWhoHaveLostTheirRoleDoNotCount(t *testing.T) {
	b := standard(t)
	b.add("a")
	b.add("b")
	o, err := b.ProposeDeletion(bg, alice, "acme", "vol-7", []string{"a"}, false)
	require.NoError(t, err)
	b.now = b.agree(o).Ready
	b.roles["pc"] = nil
	_, err = b.Execute(bg, alice, "acme", o.ID)
	require.ErrorIs(t, err, approval.ErrLapsed)
	require.Empty(t, b.shred.gone)
	require.Equal(t, catalogue.Present, b.point("a").State)
}

func TestADelayIsNotShortenedByAnotherPolicy(t *testing.T) {
	for _, c := range []struct{ first, then, want time.Duration }{
		{7 * day, time.Hour, 7 * day}, {day, 3 * day, 3 * day}, {0, time.Hour, catalogue.DefaultDelay},
	} {
		b := newBench(t, memory.New(), func(p *catalogue.Policy) { p.Delay = c.first })
		b.add("a")
		b.add("b")
		o, err := b.ProposeDeletion(bg, alice, "acme", "vol-7", []string{"a"}, false)
		require.NoError(t, err)
		p := unsigned(catalogue.DefaultPolicy())
		p.Delay = c.then
		b.reopen(p)
		b.agree(o)
		at := b.now
		b.now = at.Add(c.want - time.Second)
		_, err = b.Execute(bg, alice, "acme", o.ID)
		_, ok := errors.AsType[*catalogue.DelayError](err)
		require.True(t, ok, c)
		b.now = at.Add(c.want)
		_, err = b.Execute(bg, alice, "acme", o.ID)
		require.NoError(t, err)
	}
}

func TestNoChainIsBroken(t *testing.T) {
	b := standard(t)
	b.add("a")
	b.add("b", "a")
	b.add("c", "b")
	b.add("d")
	o := b.remove(false, "a", "b")
	require.Zero(t, o.Gone)
	require.Equal(t, []catalogue.KeptError{
		{Point: "b", Why: catalogue.NeededBy, What: "c"}, {Point: "a", Why: catalogue.NeededBy, What: "b"}}, o.Kept)
	require.Equal(t, []string{"a", "b", "c", "d"}, b.present())
	o = b.remove(false, "a", "b", "c") // the tip goes first
	require.Equal(t, 3, o.Gone)
	require.Equal(t, []string{"c@rack-1", "b@rack-1", "a@rack-1"}, b.shred.gone)

	// A parent that is being deleted takes no child any more.
	b.add("e")
	b.shred.before = func(string) {
		_, err := b.Register(bg, agent, "acme", catalogue.Registration{Source: "vol-7", ID: "late", Level: plan.Image, Claimed: b.now, Parents: []string{"e"}})
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	require.Equal(t, 1, b.remove(false, "e").Gone)
}

func TestTheLastPointKnownToBeWholeStays(t *testing.T) {
	b := standard(t)
	b.add("a")
	b.add("b")
	b.add("base")
	b.add("tip", "base")
	b.verify("a", true)
	require.Equal(t, []catalogue.KeptError{{Point: "a", Why: catalogue.LastVerified}}, b.remove(false, "a").Kept)

	b.verify("tip", true)
	b.verify("base", false) // then what needs it is not whole either
	require.Equal(t, []catalogue.KeptError{{Point: "a", Why: catalogue.LastVerified}}, b.remove(false, "a").Kept)

	b.verify("b", true)
	require.Equal(t, 1, b.remove(false, "a").Gone)
	require.Equal(t, catalogue.LastVerified, b.remove(false, "b").Kept[0].Why)
	b.verify("base", true)
	require.Equal(t, 1, b.remove(false, "b").Gone)
}

func TestOfTwoOrdersOneLeavesTheLastPoint(t *testing.T) {
	for _, verified := range []bool{false, true} {
		b := standard(t)
		var orders []catalogue.Order
		for _, id := range []string{"a", "b"} {
			b.add(id)
			if verified {
				b.verify(id, true)
			}
		}
		for _, id := range []string{"a", "b"} {
			o, err := b.ProposeDeletion(bg, alice, "acme", "vol-7", []string{id}, false)
			require.NoError(t, err)
			orders = append(orders, b.agree(o))
		}
		b.now = b.now.Add(7 * day)
		errs := make(chan error, 2)
		for _, o := range orders {
			go func() {
				_, err := b.Execute(bg, alice, "acme", o.ID)
				errs <- err
			}()
		}
		require.NoError(t, errors.Join(<-errs, <-errs))
		require.Len(t, b.present(), 1)
		require.Len(t, b.shred.gone, 1)
	}
}

func TestASourceEndsWhenItIsSaidSo(t *testing.T) {
	b := standard(t)
	b.add("a")
	b.add("b", "a")
	b.verify("b", true)
	require.Equal(t, 2, len(b.remove(false, "a", "b").Kept))
	o := b.remove(true, "a", "b")
	require.Equal(t, 2, o.Gone)
	require.True(t, o.Terms.InsecureLastToo)
	require.Empty(t, b.present())
}

func TestAHoldKeepsWhateverWasApproved(t *testing.T) {
	b := standard(t)
	b.add("a")
	b.add("b")
	o, err := b.ProposeDeletion(bg, alice, "acme", "vol-7", []string{"a"}, false)
	require.NoError(t, err)
	b.agree(o)
	_, err = b.HoldPoint(bg, catalogue.By{Actor: alice.Actor}, "acme", "vol-7", "a")
	require.ErrorIs(t, err, opsec.ErrInvalid) // without a reason
	h, err := b.HoldPoint(bg, alice, "acme", "vol-7", "a")
	require.NoError(t, err)
	b.now = b.now.Add(7 * day)
	o, err = b.Execute(bg, alice, "acme", o.ID)
	require.NoError(t, err)
	require.Equal(t, catalogue.Held, o.Kept[0].Why)
	require.Equal(t, string(h.ID), o.Kept[0].What)
	_, err = b.ProposeDeletion(bg, alice, "acme", "vol-7", []string{"a"}, true)
	require.Equal(t, catalogue.Held, why(err))

	// It takes a quorum of its own to end it.
	_, err = b.ProposeRelease(bg, alice, "acme", "vol-7", "a", opsec.NewID())
	require.ErrorIs(t, err, opsec.ErrNotFound)
	o, err = b.ProposeRelease(bg, alice, "acme", "vol-7", "a", h.ID)
	require.NoError(t, err)
	_, err = b.Execute(bg, alice, "acme", o.ID)
	require.ErrorIs(t, err, opsec.ErrDenied)
	twice, err := b.ProposeRelease(bg, alice, "acme", "vol-7", "a", h.ID)
	require.NoError(t, err)
	b.agree(o)
	o, err = b.Execute(bg, alice, "acme", o.ID)
	require.NoError(t, err)
	require.Equal(t, catalogue.Done, o.State)
	require.Empty(t, b.point("a").Holds)
	b.agree(twice)
	_, err = b.Execute(bg, alice, "acme", twice.ID)
	require.ErrorIs(t, err, catalogue.ErrChanged)

	h, err = b.HoldSource(bg, alice, "acme", "vol-7")
	require.NoError(t, err)
	b.add("later")
	_, err = b.ProposeDeletion(bg, alice, "acme", "vol-7", []string{"later"}, true)
	require.Equal(t, catalogue.Held, why(err))
	o, err = b.ProposeRelease(bg, alice, "acme", "vol-7", "", h.ID)
	require.NoError(t, err)
	b.agree(o)
	_, err = b.Execute(bg, alice, "acme", o.ID)
	require.NoError(t, err)
	require.Equal(t, 1, b.remove(false, "a").Gone)
	require.Len(t, b.events(catalogue.ActionRelease), 2)
	b.sound()
}

func TestAHoldStopsADeletionThatHasBegun(t *testing.T) {
	b := standard(t)
	b.add("a")
	b.add("b")
	_, err := b.AddCopy(bg, agent, "acme", "vol-7", "a", catalogue.Copy{Location: "far", Site: plan.OffSite})
	require.NoError(t, err)
	o, err := b.ProposeDeletion(bg, alice, "acme", "vol-7", []string{"a"}, false)
	require.NoError(t, err)
	b.now = b.agree(o).Ready
	var h catalogue.Hold
	b.shred.before = func(string) {
		h, err = b.HoldPoint(bg, alice, "acme", "vol-7", "a")
		require.NoError(t, err)
	}
	o, err = b.Execute(bg, alice, "acme", o.ID)
	require.ErrorIs(t, err, opsec.ErrDenied)
	require.Equal(t, catalogue.Executing, o.State)
	require.Equal(t, []string{"a@rack-1"}, b.shred.gone)
	require.Equal(t, catalogue.Deleting, b.point("a").State)

	release, err := b.ProposeRelease(bg, alice, "acme", "vol-7", "a", h.ID)
	require.NoError(t, err)
	b.agree(release)
	_, err = b.Execute(bg, alice, "acme", release.ID)
	require.NoError(t, err)
	b.shred.before = nil
	o, err = b.Execute(bg, alice, "acme", o.ID)
	require.NoError(t, err)
	require.Equal(t, catalogue.Done, o.State)
	require.Equal(t, []string{"a@rack-1", "a@far"}, b.shred.gone)
}

func TestAnObjectLockKeeps(t *testing.T) {
	b := standard(t)
	b.add("a")
	b.add("b")
	k := b.point("a").Copies[0]
	k.LockedUntil = b.now.Add(30 * day)
	_, err := b.AddCopy(bg, agent, "acme", "vol-7", "a", k)
	require.NoError(t, err)
	_, err = b.ProposeDeletion(bg, alice, "acme", "vol-7", []string{"a"}, true)
	require.Equal(t, catalogue.Locked, why(err))
	b.now = k.LockedUntil
	require.Equal(t, 1, b.remove(false, "a").Gone)
}

func TestADeletionGoesOnWhereItStopped(t *testing.T) {
	b := standard(t)
	b.add("a")
	b.add("b", "a")
	b.add("c")
	_, err := b.AddCopy(bg, agent, "acme", "vol-7", "b", catalogue.Copy{Location: "far", Site: plan.OffSite})
	require.NoError(t, err)
	b.shred.fail["b@far"] = errors.New("the far store is down")
	o, err := b.ProposeDeletion(bg, alice, "acme", "vol-7", []string{"a", "b"}, false)
	require.NoError(t, err)
	b.now = b.agree(o).Ready
	o, err = b.Execute(bg, alice, "acme", o.ID)
	require.ErrorContains(t, err, "the far store is down")
	require.Equal(t, catalogue.Executing, o.State)
	require.Equal(t, catalogue.Deleting, b.point("b").State)
	require.Equal(t, catalogue.Present, b.point("a").State) // what is not all gone still needs it
	require.Equal(t, []string{"b@rack-1"}, b.shred.gone)
	_, err = b.Cancel(bg, alice, "acme", o.ID)
	require.ErrorIs(t, err, opsec.ErrDenied)
	_, err = b.Verify(bg, agent, "acme", "vol-7", "b", catalogue.Check{Location: "far", Whole: true})
	require.ErrorIs(t, err, opsec.ErrInvalid)

	delete(b.shred.fail, "b@far")
	b.now = b.now.Add(100 * day) // the approval was spent, and does not expire
	o, err = b.Execute(bg, alice, "acme", o.ID)
	require.NoError(t, err)
	require.Equal(t, 2, o.Gone)
	require.Equal(t, []string{"b@rack-1", "b@far", "a@rack-1"}, b.shred.gone)
	b.sound()
}

func TestNothingIsDeletedThatCannotBeRecorded(t *testing.T) {
	b := standard(t)
	b.add("a")
	b.add("b")
	o, err := b.ProposeDeletion(bg, alice, "acme", "vol-7", []string{"a"}, false)
	require.NoError(t, err)
	b.now = b.agree(o).Ready
	b.erased.Fail(errors.New("recorder down"))
	_, err = b.Execute(bg, alice, "acme", o.ID)
	require.ErrorContains(t, err, "recorder down")
	require.Empty(t, b.shred.gone)
	b.erased.Fail(nil)
	o, err = b.Execute(bg, alice, "acme", o.ID)
	require.NoError(t, err)
	require.Equal(t, 1, o.Gone)
}

func TestACancelledContextStopsBetweenPoints(t *testing.T) {
	b := standard(t)
	var ids []string
	for i := range 5 {
		ids = append(ids, fmt.Sprint(i))
		b.add(ids[i])
	}
	o, err := b.ProposeDeletion(bg, alice, "acme", "vol-7", ids[:4], false)
	require.NoError(t, err)
	b.now = b.agree(o).Ready
	ctx, cancel := context.WithCancel(bg)
	b.shred.before = func(string) { cancel() }
	_, err = b.Execute(ctx, alice, "acme", o.ID)
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, b.shred.gone, 1)
	b.shred.before = nil
	o, err = b.Execute(bg, alice, "acme", o.ID)
	require.NoError(t, err)
	require.Equal(t, 4, o.Gone)
	require.Equal(t, ids[4:], b.present())
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(b.shred.gone))), 4)
}

func TestSignaturesOfApproversCount(t *testing.T) {
	db, err := store.New(memory.New(), nil)
	require.NoError(t, err)
	keys := approval.Keys{}
	private := map[string]ed25519.PrivateKey{}
	for _, p := range []string{"pb", "pc"} {
		public, secret, err := ed25519.GenerateKey(nil)
		require.NoError(t, err)
		private[p] = secret
		keys = append(keys, approval.Key{Tenant: opsec.Provider, Person: p, Public: public})
	}
	b := &bench{t: t}
	b.Catalogue, err = catalogue.New(db, catalogue.DefaultPolicy(), &catalogue.Options{Authorizer: opsec.CallerAuthorized{}, Recorder: standard(t).erased, Deleter: &shredder{},
		Now:       func() time.Time { return noon },
		Authority: approval.Authority{Keys: keys, Roles: func(opsec.Actor) ([]string, error) { return []string{"backup-approver"}, nil }}})
	require.NoError(t, err)
	for _, id := range []string{"a", "b"} {
		_, err = b.Register(bg, agent, "acme", catalogue.Registration{Source: "vol-7", ID: id, Level: plan.Files, Claimed: noon})
		require.NoError(t, err)
	}
	o, err := b.ProposeDeletion(bg, alice, "acme", "vol-7", []string{"a"}, false)
	require.NoError(t, err)
	_, err = b.Decide(bg, "acme", o.ID, approve(bob))
	require.ErrorIs(t, err, approval.ErrSignature)
	for _, by := range []catalogue.By{bob, carol} {
		d := approve(by)
		d.SignedAt = noon
		message, err := b.Message(bg, "acme", o.ID, d)
		require.NoError(t, err)
		d.Signature = ed25519.Sign(private[by.Actor.Person], message)
		o, err = b.Decide(bg, "acme", o.ID, d)
		require.NoError(t, err)
	}
	require.Equal(t, catalogue.Waiting, o.State)
}

func TestProposeRefuses(t *testing.T) {
	b := standard(t)
	b.add("a")
	_, err := b.ProposeDeletion(bg, alice, "acme", "vol-7", nil, false)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = b.ProposeDeletion(bg, alice, "acme", "vol-7", []string{"x"}, false)
	require.ErrorIs(t, err, opsec.ErrNotFound)
	_, err = b.ProposeDeletion(bg, alice, "acme", "none", []string{"a"}, false)
	require.ErrorIs(t, err, opsec.ErrNotFound)
	_, err = b.ProposeDeletion(bg, alice, "other", "vol-7", []string{"a"}, false)
	require.ErrorIs(t, err, opsec.ErrNotFound)
	many := make([]string, catalogue.MaxOrder+1)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	_, err = b.ProposeDeletion(bg, alice, "acme", "vol-7", many, false)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = b.Order(bg, alice.Actor, "acme", "nonsense")
	require.ErrorIs(t, err, opsec.ErrNotFound)
}

func TestPolicyComesBackFromJSON(t *testing.T) {
	p := catalogue.DefaultPolicy()
	b, err := json.Marshal(p)
	require.NoError(t, err)
	require.Contains(t, string(b), `"delay":"168h0m0s"`)
	var read catalogue.Policy
	require.NoError(t, json.Unmarshal(b, &read))
	require.Equal(t, p, read)
	for _, bad := range []string{`{}`, `{"delay":"1s"}`, `{"extra":1}`, string(b) + "x"} {
		require.Error(t, json.Unmarshal([]byte(bad), &read), bad)
	}
	for _, delay := range []time.Duration{-1, time.Minute, 91 * day} {
		p.Delay = delay
		require.ErrorIs(t, p.Validate(), opsec.ErrInvalid)
	}
	require.ErrorIs(t, catalogue.Policy{}.Validate(), opsec.ErrInvalid)
}
