package catalogue_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/catalogue"
	"github.com/cloudopsec/opsec/backup/plan"
	"github.com/cloudopsec/opsec/backup/recovery"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
)

func (b *bench) tested(id, point string, passed bool, took time.Duration) catalogue.Point {
	b.t.Helper()
	p, err := b.Tested(bg, agent, "acme", catalogue.Test{ID: id, Source: "vol-7", Point: point, Location: "rack-1", Took: took, Passed: passed, Evidence: "sha256:22"})
	require.NoError(b.t, err)
	return p
}

func TestARecoveryTestThatPassedShowsThatTheCopyIsWhole(t *testing.T) {
	b := standard(t)
	b.add("a")
	b.verify("a", false)
	p := b.tested("t1", "a", false, time.Hour)
	require.True(t, p.Verified().IsZero())
	p = b.tested("t2", "a", true, time.Hour)
	require.Equal(t, b.now, p.Verified())
	require.False(t, p.Broken())
	tests := collect(t, b.Tests(bg, alice.Actor, "acme", "vol-7", time.Time{}, time.Time{}))
	require.Len(t, tests, 2)
	require.Equal(t, plan.Image, tests[1].Level)
	require.Equal(t, plan.OnSite, tests[1].Site)
	require.Equal(t, agent.Actor, tests[1].By)
	require.Len(t, b.events(catalogue.ActionTest), 2)
	_, err := b.Tested(bg, agent, "acme", catalogue.Test{ID: "t", Source: "vol-7", Point: "a", Location: "nowhere"})
	require.ErrorIs(t, err, opsec.ErrInvalid)
	b.sound()
}

func TestObservedIsWhatAStrategyIsComparedWith(t *testing.T) {
	b := standard(t)
	b.add("a")
	b.add("b", "a")
	b.verify("b", true)
	b.add("old")
	b.tested("t1", "b", true, 90*time.Minute)
	since := b.now
	b.remove(false, "old")
	o, err := b.Observed(bg, alice.Actor, "acme", "vol-7", time.Time{})
	require.NoError(t, err)
	require.Equal(t, b.now, o.At)
	require.True(t, o.Since.IsZero())
	require.Len(t, o.Points, 3)
	require.Equal(t, plan.ObservedPoint{ID: "b", Level: plan.Image, Taken: noon.Add(2*time.Hour - time.Minute), Parents: []string{"a"},
		Copies: []plan.ObservedCopy{{Target: "rack-1", Site: plan.OnSite, Region: "eu-1", Durable: noon.Add(2 * time.Hour), Encrypted: true,
			Verified: since}}}, o.Points[1]) // the test has restored it
	require.Equal(t, "old", o.Points[2].ID)
	require.Equal(t, b.now, o.Points[2].Deleted)
	require.Equal(t, []plan.ObservedTest{{ID: "t1", Point: "b", Level: plan.Image, Site: plan.OnSite, At: since, Took: 90 * time.Minute, Passed: true}}, o.Tests)

	o, err = b.Observed(bg, alice.Actor, "acme", "vol-7", b.now.Add(time.Second))
	require.NoError(t, err)
	require.Len(t, o.Points, 2)
	require.Empty(t, o.Tests)
	_, err = b.Observed(bg, alice.Actor, "acme", "none", time.Time{})
	require.ErrorIs(t, err, opsec.ErrNotFound)
}

func TestSummaryIsWhatCanBeShown(t *testing.T) {
	b := standard(t)
	b.add("a") // 13:00, taken 12:59
	b.add("b") // 14:00
	b.now = noon.Add(6 * time.Hour)
	b.add("c") // 19:00, taken 18:59
	b.verify("b", true)
	b.verify("c", false)
	_, err := b.AddCopy(bg, agent, "acme", "vol-7", "b", catalogue.Copy{Location: "far", Site: plan.OffSite, Durable: b.now})
	require.NoError(t, err)
	b.tested("t1", "b", true, 2*time.Hour)
	b.tested("t2", "b", false, 9*time.Hour)
	b.now = noon.Add(12 * time.Hour)

	s, err := b.Summary(bg, alice.Actor, "acme", "vol-7", noon, time.Time{})
	require.NoError(t, err)
	require.Equal(t, catalogue.Summary{Tenant: "acme", Source: "vol-7", From: noon, To: b.now, Points: 3, Encrypted: 2, OffSite: 1, Verified: 1, Damaged: 1,
		Span: 5*time.Hour + time.Minute, SpanFrom: noon.Add(7*time.Hour - time.Minute), Exposure: 5*time.Hour + time.Minute, Tests: 2, Passed: 1, Longest: 2 * time.Hour}, s)

	// What was not durable then does not count, nor what came later.
	s, err = b.Summary(bg, alice.Actor, "acme", "vol-7", noon, noon.Add(90*time.Minute))
	require.NoError(t, err)
	require.Equal(t, 1, s.Points)
	require.Equal(t, 31*time.Minute, s.Exposure)
	require.Equal(t, 59*time.Minute, s.Span)
	s, err = b.Summary(bg, alice.Actor, "acme", "vol-7", noon, noon.Add(time.Minute))
	require.NoError(t, err)
	require.Equal(t, time.Duration(-1), s.Exposure)

	// What was deleted since was there then.
	b.remove(false, "a")
	_, err = b.HoldSource(bg, alice, "acme", "vol-7")
	require.NoError(t, err)
	s, err = b.Summary(bg, alice.Actor, "acme", "vol-7", noon, noon.Add(90*time.Minute))
	require.NoError(t, err)
	require.Equal(t, 1, s.Points)
	require.Equal(t, 31*time.Minute, s.Exposure)
	require.Zero(t, s.Deleted)
	require.True(t, s.Held)
	b.now = b.now.Add(time.Hour)
	s, err = b.Summary(bg, alice.Actor, "acme", "vol-7", noon, b.now)
	require.NoError(t, err)
	require.Equal(t, 1, s.Deleted)
	require.Equal(t, b.now.Add(-time.Hour).Sub(noon.Add(time.Hour)), s.KeptLeast)
	_, err = b.Summary(bg, alice.Actor, "acme", "vol-7", b.now, noon)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestAForgedTimeDoesNotMakeExposureSmaller(t *testing.T) {
	b := standard(t)
	k := local()
	k.Durable = noon
	_, err := b.Register(bg, agent, "acme", catalogue.Registration{Source: "vol-7", ID: "a", Level: plan.Files, Claimed: noon.AddDate(1, 0, 0), Copies: []catalogue.Copy{k}})
	require.NoError(t, err)
	b.now = noon.Add(day)
	s, err := b.Summary(bg, alice.Actor, "acme", "vol-7", noon.Add(-day), time.Time{})
	require.NoError(t, err)
	require.Equal(t, day, s.Exposure)
}

func TestAResultOfPackageRecoveryIsATest(t *testing.T) {
	b := standard(t)
	b.add("a")
	id := opsec.NewID()
	r := recovery.Result{ID: id, Point: recovery.Point{Tenant: "acme", Source: "vol-7", ID: "a"}, Passed: true, Took: recovery.Duration(time.Hour)}
	_, err := b.Tested(bg, agent, "acme", catalogue.TestOf(r, "rack-1"))
	require.NoError(t, err)
	got := collect(t, b.Tests(bg, alice.Actor, "acme", "vol-7", time.Time{}, time.Time{}))
	require.Equal(t, []catalogue.Test{{ID: string(id), Source: "vol-7", Point: "a", Location: "rack-1", Level: plan.Image, Site: plan.OnSite, Took: time.Hour,
		Passed: true, Evidence: r.Digest(), By: agent.Actor, Time: b.now}}, got)
	require.Equal(t, b.now, b.point("a").Copies[0].Verified)
}

func TestASummaryCountsWhatWasSoThen(t *testing.T) {
	b := standard(t)
	b.add("a")
	k := local()
	k.Location, k.Durable = "slow", b.now.Add(3*time.Hour)
	b.now = k.Durable
	_, err := b.Register(bg, agent, "acme", catalogue.Registration{Source: "other", ID: "o", Level: plan.Image, Claimed: noon, Copies: []catalogue.Copy{k}})
	require.NoError(t, err)
	s, err := b.Summary(bg, alice.Actor, "acme", "other", noon, b.now)
	require.NoError(t, err)
	require.Equal(t, time.Duration(-1), s.Exposure)
	// The span into the time began with the point before it.
	s, err = b.Summary(bg, alice.Actor, "acme", "vol-7", noon.Add(2*time.Hour), noon.Add(3*time.Hour))
	require.NoError(t, err)
	require.Equal(t, 2*time.Hour+time.Minute, s.Span)
	require.Equal(t, noon.Add(time.Hour-time.Minute), s.SpanFrom)
}

// peeking is a driver that calls before ahead of each list.
type peeking struct {
	store.Driver
	before func(store.Range)
}

func (p *peeking) List(ctx context.Context, r store.Range) ([]store.Item, error) {
	if p.before != nil {
		p.before(r)
	}
	return p.Driver.List(ctx, r)
}

// A deletion that begins between the lists of what is there and of what goes does not make two points of one.
func TestNoPointCountsTwiceWhileItGoes(t *testing.T) {
	driver := &peeking{Driver: memory.New()}
	b := newBench(t, driver, nil)
	b.add("a")
	b.add("b")
	b.now = b.now.Add(time.Hour)
	from, to := noon, b.now
	o := b.due("a")
	meanwhile := func() {
		driver.before = func(r store.Range) {
			if strings.Contains(r.Start, "gone") {
				driver.before = nil
				_, err := b.Execute(bg, alice, "acme", o.ID)
				require.NoError(t, err)
			}
		}
	}
	meanwhile()
	s, err := b.Summary(bg, alice.Actor, "acme", "vol-7", from, to)
	require.NoError(t, err)
	require.Nil(t, driver.before)
	require.Equal(t, []string{"b"}, b.present())
	require.Equal(t, 2, s.Points)
	again, err := b.Summary(bg, alice.Actor, "acme", "vol-7", from, to)
	require.NoError(t, err)
	require.Equal(t, again, s)

	b.add("c")
	o = b.due("c")
	meanwhile()
	seen, err := b.Observed(bg, alice.Actor, "acme", "vol-7", time.Time{})
	require.NoError(t, err)
	require.Nil(t, driver.before)
	require.Len(t, seen.Points, 3)
}
