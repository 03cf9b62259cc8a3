package catalogue_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/backup/catalogue"
	"github.com/cloudopsec/opsec/backup/plan"
)

// due returns an order to delete these points that may be executed now.
func (b *bench) due(ids ...string) catalogue.Order {
	b.t.Helper()
	o, err := b.ProposeDeletion(bg, alice, "acme", "vol-7", ids, false)
	require.NoError(b.t, err)
	o = b.agree(o)
	b.now = o.Ready
	return o
}

func (b *bench) far(id string) {
	b.t.Helper()
	_, err := b.AddCopy(bg, agent, "acme", "vol-7", id, catalogue.Copy{Location: "far", Site: plan.OffSite, Durable: b.now})
	require.NoError(b.t, err)
}

// Of two executions at once one has done it all before the other comes to its end: it is done and recorded once.
func TestAnOrderIsDoneOnce(t *testing.T) {
	b := standard(t)
	b.add("a")
	b.add("b")
	o := b.due("a")
	var first catalogue.Order
	b.shred.before = func(string) {
		b.shred.before = nil
		var err error
		first, err = b.Execute(bg, bob, "acme", o.ID)
		require.NoError(t, err)
		b.now = b.now.Add(time.Hour)
	}
	second, err := b.Execute(bg, alice, "acme", o.ID)
	require.NoError(t, err)
	require.Equal(t, first, second)
	require.Len(t, b.events(catalogue.ActionDelete), 1)
	require.Len(t, b.events(catalogue.ActionExecute), 2) // begun and done
	require.Equal(t, first.Closed, b.point("a").Copies[0].Gone)
	s, err := second.Case.At(b.now)
	require.NoError(t, err)
	require.Equal(t, approval.Used, s.Status)
	b.sound()
}

// What one execution has deleted stays deleted when another one finds its store down.
func TestACopyThatIsGoneStaysGone(t *testing.T) {
	b := standard(t)
	b.add("a")
	b.far("a")
	b.add("b")
	o := b.due("a")
	at := b.now
	b.shred.fail["a@far"] = errors.New("down")
	b.shred.before = func(string) {
		b.shred.before = nil
		_, err := b.Execute(bg, bob, "acme", o.ID)
		require.ErrorContains(t, err, "down")
		b.shred.fail["a@rack-1"] = errors.New("down too")
		b.now = b.now.Add(time.Hour)
	}
	_, err := b.Execute(bg, alice, "acme", o.ID)
	require.ErrorContains(t, err, "down too")
	p := b.point("a")
	require.Equal(t, catalogue.Deleting, p.State)
	require.Equal(t, at, p.Copies[0].Gone)
	require.True(t, p.Copies[1].Gone.IsZero())
	clear(b.shred.fail)
	_, err = b.Execute(bg, alice, "acme", o.ID)
	require.NoError(t, err)
	require.Equal(t, at, b.point("a").Copies[0].Gone)
	require.Equal(t, []string{"a@rack-1", "a@far"}, b.shred.gone)
}

// A point belongs to the order that has begun with it: another one does not go on with it, nor count it.
func TestAPointGoesByOneOrder(t *testing.T) {
	b := standard(t)
	b.add("a")
	b.add("b")
	b.add("c")
	one, err := b.ProposeDeletion(bg, alice, "acme", "vol-7", []string{"a"}, false)
	require.NoError(t, err)
	b.agree(one)
	two := b.due("a")
	three := b.due("a")
	one, err = b.Order(bg, alice.Actor, "acme", one.ID)
	require.NoError(t, err)
	b.now = one.Ready
	b.shred.fail["a@rack-1"] = errors.New("down")
	_, err = b.Execute(bg, alice, "acme", one.ID)
	require.ErrorContains(t, err, "down")
	b.now = two.Ready
	clear(b.shred.fail)
	want := []catalogue.KeptError{{Point: "a", Why: catalogue.Ordered, What: string(one.ID)}}
	two, err = b.Execute(bg, alice, "acme", two.ID)
	require.NoError(t, err)
	require.Equal(t, want, two.Kept)
	require.Empty(t, b.shred.gone)
	one, err = b.Execute(bg, alice, "acme", one.ID)
	require.NoError(t, err)
	require.Equal(t, 1, one.Gone)
	b.now = three.Ready
	three, err = b.Execute(bg, alice, "acme", three.ID)
	require.NoError(t, err)
	require.Equal(t, want, three.Kept)
	require.Zero(t, three.Gone)
	require.Equal(t, one.ID, b.point("a").Order)
	_, err = b.ProposeDeletion(bg, alice, "acme", "vol-7", []string{"a"}, false)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	b.sound()
}

// heedful is a recorder that takes nothing once the context has ended.
type heedful struct{ opsec.Recorder }

func (h heedful) Record(ctx context.Context, e *opsec.Event) (opsec.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return opsec.Receipt{}, err
	}
	return h.Recorder.Record(ctx, e)
}

// When the caller goes away in the middle, what was done is written down, and of what is not known that is said.
func TestWhatWasDoneIsWrittenDownWhenTheCallerGoes(t *testing.T) {
	b := standard(t)
	c, err := catalogue.New(b.db, unsigned(catalogue.DefaultPolicy()), &catalogue.Options{Now: func() time.Time { return b.now }, Authorizer: b.gate,
		Recorder: heedful{b.erased}, Deleter: b.shred, Authority: approval.Authority{Roles: func(a opsec.Actor) ([]string, error) { return b.roles[a.Person], nil }}})
	require.NoError(t, err)
	for _, id := range []string{"a", "b", "c", "d"} {
		b.add(id)
	}
	o := b.due("a", "b", "c")
	ctx, cancel := context.WithCancel(bg)
	b.shred.before = func(string) { cancel() }
	_, err = c.Execute(ctx, alice, "acme", o.ID)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, strings.Count(err.Error(), "catalogue: point"), err) // of those that it did not come to nothing is said
	require.Equal(t, catalogue.Deleted, b.point("a").State)
	require.Equal(t, catalogue.Present, b.point("b").State)

	b.shred.fail["b@rack-1"] = errors.New("cut off")
	ctx, cancel = context.WithCancel(bg)
	defer cancel()
	_, err = c.Execute(ctx, alice, "acme", o.ID)
	require.ErrorContains(t, err, "cut off")
	b.shred.before = nil
	_, err = c.Execute(bg, alice, "acme", o.ID)
	require.ErrorContains(t, err, "cut off")
	var ends []opsec.Outcome
	for _, e := range b.erased.Events(catalogue.ActionErase) {
		if e.Outcome != opsec.Pending {
			ends = append(ends, e.Outcome)
		}
	}
	require.Equal(t, []opsec.Outcome{opsec.Success, opsec.Unknown, opsec.Failure, opsec.Success}, ends) // a, b, b, c
}

// What is left of a point that could not be restored from it needs no other to take its place.
func TestWhatIsLeftOfAPointIsWhatCounts(t *testing.T) {
	b := standard(t)
	b.add("a")
	_, err := b.AddCopy(bg, agent, "acme", "vol-7", "a", catalogue.Copy{Location: "far", Site: plan.OffSite}) // never arrived
	require.NoError(t, err)
	b.add("b")
	o := b.due("a")
	b.shred.fail["a@far"] = errors.New("down")
	_, err = b.Execute(bg, alice, "acme", o.ID)
	require.ErrorContains(t, err, "down")
	b.verify("b", false)
	clear(b.shred.fail)
	o, err = b.Execute(bg, alice, "acme", o.ID)
	require.NoError(t, err)
	require.Equal(t, 1, o.Gone)
}
