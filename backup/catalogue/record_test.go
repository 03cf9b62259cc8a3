package catalogue_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/backup/catalogue"
	"github.com/cloudopsec/opsec/store/memory"
)

// since returns the actions of the events after the first n, in their order, with the outcome where it is not success.
func (b *bench) since(n int) (list []string) {
	b.t.Helper()
	for _, e := range b.events()[n:] {
		s := e.Action
		if e.Outcome != opsec.Success {
			s += " " + string(e.Outcome)
		}
		list = append(list, s)
	}
	return list
}

// Each step of each order is on record, by whoever took it, and nothing else is.
func TestEachStepIsOnRecord(t *testing.T) {
	b := newBench(t, memory.New(), expiring)
	b.add("a")
	b.add("b")
	b.add("c")
	n := 0
	step := func(name string, want ...string) {
		t.Helper()
		got := b.since(n)
		slices.Sort(got) // of what is emitted in one transaction the order is not promised
		slices.Sort(want)
		require.Equal(t, want, got, name)
		n += len(got)
	}
	n = len(b.events())

	o, err := b.ProposeDeletion(bg, alice, "acme", "vol-7", []string{"a"}, false)
	require.NoError(t, err)
	step("propose", "backup.propose", "approval.request")
	b.agree(o)
	step("agree", "approval.approve", "approval.approve")
	_, err = b.Decide(bg, "acme", o.ID, approve(carol))
	require.Error(t, err)
	step("agree twice", "approval.approve denied")
	_, err = b.Execute(bg, alice, "acme", o.ID)
	require.Error(t, err)
	step("too early", "backup.execute denied")
	b.now = b.now.Add(catalogue.DefaultDelay)
	b.roles["pb"] = nil
	_, err = b.Execute(bg, alice, "acme", o.ID)
	require.ErrorIs(t, err, approval.ErrLapsed)
	step("without roles", "approval.use denied")
	b.roles["pb"] = b.roles["pc"]
	_, err = b.Execute(bg, alice, "acme", o.ID)
	require.NoError(t, err)
	step("execute", "approval.use", "backup.execute", "backup.mark", "backup.delete", "backup.execute")
	begun := b.events("backup.execute")
	require.True(t, slices.ContainsFunc(begun[len(begun)-2].Attrs, func(a opsec.Attr) bool { return a.Key == "begun" && a.Value == "true" }))
	_, err = b.Execute(bg, alice, "acme", o.ID)
	require.Error(t, err)
	step("again", "backup.execute denied")

	o, err = b.ProposeDeletion(bg, alice, "acme", "vol-7", []string{"b"}, false)
	require.NoError(t, err)
	step("propose", "backup.propose", "approval.request")
	_, err = b.Withdraw(bg, bob, "acme", o.ID)
	require.ErrorIs(t, err, approval.ErrNotEligible)
	step("withdraw another's", "approval.withdraw denied")
	_, err = b.Cancel(bg, bob, "acme", o.ID)
	require.NoError(t, err)
	step("cancel", "backup.cancel")
	o, err = b.ProposeDeletion(bg, alice, "acme", "vol-7", []string{"b"}, false)
	require.NoError(t, err)
	_, err = b.Withdraw(bg, alice, "acme", o.ID)
	require.NoError(t, err)
	step("withdraw", "backup.propose", "approval.request", "approval.withdraw")
	_, err = b.ProposeDeletion(bg, alice, "acme", "vol-7", []string{"b"}, false)
	require.NoError(t, err)
	b.now = b.now.Add(8 * day)
	require.NoError(t, b.Lapse(bg, alice, "acme", "vol-7"))
	step("lapse", "backup.propose", "approval.request", "approval.expire")

	h, err := b.HoldSource(bg, alice, "acme", "vol-7")
	require.NoError(t, err)
	step("hold", "backup.hold")
	_, err = b.ProposeDeletion(bg, alice, "acme", "vol-7", []string{"b"}, false)
	require.Equal(t, catalogue.Held, why(err))
	step("propose what is held", "backup.propose denied")
	o, err = b.ProposeRelease(bg, alice, "acme", "vol-7", "", h.ID)
	require.NoError(t, err)
	b.agree(o)
	o, err = b.Execute(bg, alice, "acme", o.ID)
	require.NoError(t, err)
	require.Equal(t, b.now, o.Closed)
	step("release", "backup.propose", "approval.request", "approval.approve", "approval.approve", "approval.use", "backup.release")

	b.keep(last("1"))
	step("shorten", "backup.propose", "approval.request", "approval.approve", "approval.approve", "approval.use", "backup.shorten")
	o, _, err = b.ProposeExpiry(bg, alice, "acme", "vol-7")
	require.NoError(t, err)
	step("expiry", "backup.propose")
	_, _, err = b.SetRetention(bg, alice, "acme", "vol-7", last("2"))
	require.NoError(t, err)
	step("lengthen", "backup.lengthen")
	b.now = o.Ready
	_, err = b.Execute(bg, alice, "acme", o.ID)
	require.NoError(t, err)
	step("nothing to expire", "backup.execute", "backup.execute")
	_, _, err = b.SetRetention(bg, alice, "acme", "vol-7", json.RawMessage(`{"last":0}`))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	b.shred.fail["b@rack-1"] = errors.New("down")
	o = b.due("b")
	_, err = b.Execute(bg, alice, "acme", o.ID)
	require.ErrorContains(t, err, "down")
	_, err = b.Decide(bg, "acme", o.ID, approval.Decision{Verb: approval.Retract, By: bob.Actor, Reason: "late"})
	require.ErrorIs(t, err, opsec.ErrDenied)
	step("retract what has begun", "backup.propose", "approval.request", "approval.approve", "approval.approve", "approval.use", "backup.execute", "backup.mark", "backup.decide denied")
	b.sound()
}
