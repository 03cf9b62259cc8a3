package catalogue_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/catalogue"
	"github.com/cloudopsec/opsec/backup/plan"
	"github.com/cloudopsec/opsec/backup/retention"
)

// told is a Retainer that remembers what it was asked about.
type told struct {
	newest
	points map[string]retention.Point
}

func (r *told) Drop(policy json.RawMessage, points []retention.Point, now time.Time) ([]string, error) {
	r.points = map[string]retention.Point{}
	for _, p := range points {
		r.points[p.ID] = p
	}
	return r.newest.Drop(policy, points, now)
}

func TestAPolicyIsToldWhatIsKnown(t *testing.T) {
	b := standard(t)
	know := &told{}
	b.keeper = know
	b.reopen(unsigned(catalogue.DefaultPolicy()))
	b.add("bad")
	b.add("good")
	b.add("two", "bad", "good") // of which the first is not whole
	b.add("three", "two")
	b.add("fine", "good")
	for _, id := range []string{"two", "three", "fine", "good"} {
		b.verify(id, true)
	}
	b.verify("bad", false)
	b.far("fine")
	k := local()
	k.Durable, k.LockedUntil = b.point("good").Copies[0].Durable, b.now.Add(day)
	_, err := b.AddCopy(bg, agent, "acme", "vol-7", "good", k)
	require.NoError(t, err)
	h, err := b.HoldPoint(bg, alice, "acme", "vol-7", "two")
	require.NoError(t, err)
	ask := func() {
		t.Helper()
		_, _, err := b.SetRetention(bg, alice, "acme", "vol-7", last("9"))
		require.NoError(t, err)
	}
	ask()
	verified := func(id string) bool { return !know.points[id].Verified.IsZero() }
	require.Equal(t, []bool{false, true, false, false, true}, []bool{verified("bad"), verified("good"), verified("two"), verified("three"), verified("fine")})
	require.True(t, know.points["fine"].Replicated)
	require.False(t, know.points["good"].Replicated)
	require.Equal(t, k.LockedUntil, know.points["good"].Locked)
	require.Equal(t, h.Reason, know.points["two"].Hold)
	require.Empty(t, know.points["good"].Hold)
	_, err = b.HoldSource(bg, alice, "acme", "vol-7")
	require.NoError(t, err)
	ask()
	require.NotEmpty(t, know.points["good"].Hold)
}

func TestASummarysBounds(t *testing.T) {
	b := standard(t)
	b.add("a")
	b.add("b")
	b.add("c")
	k := local()
	k.Key, k.Durable = catalogue.Key{}, b.now
	for id, copies := range map[string][]catalogue.Copy{"bare": nil, "plain": {k}} {
		_, err := b.Register(bg, agent, "acme", catalogue.Registration{Source: "vol-7", ID: id, Level: plan.Image, Claimed: b.now, Copies: copies})
		require.NoError(t, err)
	}
	b.verify("a", true)
	b.verify("a", false)
	from := b.now.Add(-time.Minute)
	b.now = b.now.Add(time.Hour)
	b.far("b") // off-site only by now
	early := b.now
	b.remove(false, "b")
	first := b.now
	b.now = b.now.Add(day)
	b.remove(false, "c")
	last := b.now
	b.now = b.now.Add(time.Hour)
	sum := func(from, to time.Time) catalogue.Summary {
		t.Helper()
		s, err := b.Summary(bg, alice.Actor, "acme", "vol-7", from, to)
		require.NoError(t, err)
		return s
	}
	s := sum(noon, time.Time{})
	require.Equal(t, []int{5, 2, 2, 1, 0, 1}, []int{s.Points, s.Deleted, s.Encrypted, s.OffSite, s.Verified, s.Damaged}) // what has no copy is not encrypted
	require.Equal(t, first.Sub(noon.Add(2*time.Hour)), s.KeptLeast)
	require.Zero(t, sum(noon, early).OffSite)
	require.Zero(t, sum(noon, first).Deleted)
	require.Equal(t, 1, sum(first, last).Deleted)
	require.Equal(t, 1, sum(last, time.Time{}).Deleted)
	require.Zero(t, sum(last.Add(1), time.Time{}).Deleted)
	require.Equal(t, 5, sum(noon.AddDate(-1000, 0, 0), time.Time{}).Points)
	require.Equal(t, time.Unix(0, 0).UTC(), sum(noon.AddDate(-1000, 0, 0), time.Time{}).From)
	require.Zero(t, sum(from, b.now.AddDate(1, 0, 0)).Points)
}

func TestChainsAndHoldsAreBounded(t *testing.T) {
	b := standard(t)
	b.add("0")
	for i := 1; i < catalogue.MaxDepth; i++ {
		b.add(fmt.Sprint(i), fmt.Sprint(i-1))
	}
	r := b.point("0").Registration
	r.ID, r.Parents = "one more", []string{fmt.Sprint(catalogue.MaxDepth - 1)}
	_, err := b.Register(bg, agent, "acme", r)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	for range catalogue.MaxHolds {
		_, err := b.HoldPoint(bg, alice, "acme", "vol-7", "0")
		require.NoError(t, err)
	}
	_, err = b.HoldPoint(bg, alice, "acme", "vol-7", "0")
	require.ErrorIs(t, err, opsec.ErrInvalid)
	n := 0
	for _, err := range b.Points(bg, alice.Actor, "acme", "vol-7", time.Time{}, time.Time{}) { // who has seen enough leaves
		require.NoError(t, err)
		if n++; n == 3 {
			break
		}
	}
	require.Equal(t, 3, n)
}

func TestWhatIsOnItsWayOutIsNotAskedForAgain(t *testing.T) {
	b := standard(t)
	b.add("a")
	b.add("b")
	o := b.due("a")
	b.shred.fail["a@rack-1"] = errors.New("down")
	_, err := b.Execute(bg, alice, "acme", o.ID)
	require.Error(t, err)
	_, err = b.ProposeDeletion(bg, alice, "acme", "vol-7", []string{"a"}, false)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = b.Register(bg, agent, "acme", catalogue.Registration{Source: "vol-7", ID: "c", Level: plan.Image, Claimed: b.now, Parents: []string{"a"}})
	require.ErrorIs(t, err, opsec.ErrInvalid)
	clear(b.shred.fail)
	_, err = b.Execute(bg, alice, "acme", o.ID)
	require.NoError(t, err)
	_, err = b.HoldPoint(bg, alice, "acme", "vol-7", "a")
	require.ErrorIs(t, err, opsec.ErrInvalid) // nothing is left to be kept
}

func TestACopyKeepsItsRegionAndTheTimeWhenItWasSafe(t *testing.T) {
	b := standard(t)
	p := b.add("a")
	for name, spoil := range map[string]func(*catalogue.Copy){
		"region": func(c *catalogue.Copy) { c.Region = "eu-2" },
		"safe":   func(c *catalogue.Copy) { c.Durable = c.Durable.Add(-time.Hour) },
	} {
		k := p.Copies[0]
		spoil(&k)
		_, err := b.AddCopy(bg, agent, "acme", "vol-7", "a", k)
		require.ErrorIs(t, err, opsec.ErrDenied, name)
	}
	b.now = b.now.Add(time.Hour)
	b.far("a")
	p = b.point("a")
	first, _ := p.Durable(false)
	off, _ := p.Durable(true)
	require.Equal(t, time.Hour, off.Sub(first))

	q := catalogue.DefaultPolicy()
	q.Release.UseWithin = 366*day - catalogue.MaxDelay
	require.NoError(t, q.Validate())
	q.Release.UseWithin++
	require.ErrorIs(t, q.Validate(), opsec.ErrInvalid)
}
