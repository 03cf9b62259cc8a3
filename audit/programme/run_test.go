package programme_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
)

func verdict(s programme.Status) programme.Verdict {
	v := programme.Verdict{Status: s, Evidence: []programme.Evidence{{Name: "report", Digest: digest("report")}}}
	if s != programme.Passed {
		v.Detail = "because"
	}
	return v
}

func passes() programme.Check {
	return programme.CheckFunc(func(context.Context, programme.Item) (programme.Verdict, error) {
		return verdict(programme.Passed), nil
	})
}

// rude is an error that panics.
type rude struct{}

func (rude) Error() string { panic("rude") }

// Whatever goes wrong with a check, the item is not tested; it has never passed.
func TestWhatCannotBeTestedIsNotTested(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		change := func(fn func(*programme.Verdict)) func() (programme.Verdict, error) {
			return func() (programme.Verdict, error) {
				v := verdict(programme.Passed)
				fn(&v)
				return v, nil
			}
		}
		for why, fn := range map[string]func() (programme.Verdict, error){
			"disk is gone":           func() (programme.Verdict, error) { return verdict(programme.Passed), errors.New("disk is gone") },
			"without a text":         func() (programme.Verdict, error) { return verdict(programme.Passed), errors.New("") },
			"nil":                    func() (programme.Verdict, error) { return verdict(programme.Passed), (*net.OpError)(nil) },
			"rude":                   func() (programme.Verdict, error) { return verdict(programme.Passed), rude{} },
			"in the future":          change(func(v *programme.Verdict) { v.Evidence[0].Collected = time.Now().AddDate(1000, 0, 0) }),
			"panicked: oh":           func() (programme.Verdict, error) { panic("oh") },
			"panicked":               func() (programme.Verdict, error) { panic(nil) },
			"without a verdict":      func() (programme.Verdict, error) { runtime.Goexit(); panic("unreachable") },
			"no verdict within 1m0s": func() (programme.Verdict, error) { time.Sleep(2 * minute); return verdict(programme.Passed), nil },
			"status unknown":         change(func(v *programme.Verdict) { v.Status = "ok" }),
			"result: status unknown": change(func(v *programme.Verdict) { *v = programme.Verdict{} }),
			"no evidence":            change(func(v *programme.Verdict) { v.Evidence = nil }),
			"failed: no reason":      change(func(v *programme.Verdict) { v.Status = programme.Failed }),
			"evidence: digest":       change(func(v *programme.Verdict) { v.Evidence[0].Digest = "x" }),
			"nothing to verify it":   change(func(v *programme.Verdict) { v.Evidence[0].Proof = "x" }),
			"want at most 256":       change(func(v *programme.Verdict) { v.Evidence = slices.Repeat(v.Evidence, 257) }),
			"65536": change(func(v *programme.Verdict) {
				v.Evidence[0].Custody = slices.Repeat([]string{strings.Repeat("x", 500)}, 200)
			}),
			"evidence: collected: want": change(func(v *programme.Verdict) { v.Evidence[0].Collected = v.Evidence[0].Collected.AddDate(20000, 0, 0) }),
		} {
			o := newOffice(t, programme.Policy{})
			o.fieldwork()
			o.lend()
			check := programme.CheckFunc(func(context.Context, programme.Item) (programme.Verdict, error) { return fn() })
			a, err := o.Run(o.ctx, actor("tom"), "2026-1", "restore", "g1", check, items(), minute)
			require.NoError(t, err, why)
			require.Len(t, a.Results, 3)
			for _, r := range a.Results {
				require.Equal(t, programme.NotTested, r.Status, why)
				require.Contains(t, r.Detail, why)
				require.Empty(t, r.Evidence)
				require.True(t, r.Automated)
			}
			require.Equal(t, 3, a.Grants[0].Used)
		}
		time.Sleep(time.Hour) // for those that did not return
	})
}

func TestVerdictsAreKeptAsTheyAre(t *testing.T) {
	o := newOffice(t, programme.Policy{})
	o.fieldwork()
	o.lend()
	statuses := []programme.Status{programme.Passed, programme.Failed, programme.NotApplicable}
	n := 0
	check := programme.CheckFunc(func(_ context.Context, item programme.Item) (programme.Verdict, error) {
		require.Equal(t, "volume", item.Type)
		e := o.last()
		require.Equal(t, programme.ActionUse, e.Action, "counted and recorded before the check begins")
		require.Contains(t, e.Attrs, opsec.Attr{Key: "target", Value: string(item.Tenant) + "/volume/" + item.ID, Mark: opsec.Tenant})
		v := verdict(statuses[n])
		v.Detail += strings.Repeat("x", 5000) + "\x00"
		n++
		return v, nil
	})
	a, err := o.Run(o.ctx, actor("tom"), "2026-1", "restore", "g1", check, items(), time.Minute)
	require.NoError(t, err)
	for i, r := range a.Results {
		require.Equal(t, statuses[i], r.Status)
		require.Equal(t, "tom", r.Person)
		require.Equal(t, a.Draw.Items["restore"][i], r.Item)
		require.NotEmpty(t, r.Tenant)
		require.Equal(t, "tom", r.Evidence[0].Person)
		require.False(t, r.Evidence[0].Collected.IsZero())
		require.Len(t, r.Detail, 4096)
	}
}

func TestRunGoesOnWhereItStopped(t *testing.T) {
	o := newOffice(t, programme.Policy{})
	a := o.fieldwork()
	o.lend()
	crash := errors.New("the process died")
	var tested []string
	check := programme.CheckFunc(func(_ context.Context, item programme.Item) (programme.Verdict, error) {
		tested = append(tested, item.ID)
		if len(tested) == 2 {
			o.cabinet.broken = crash // what it finds is not kept
		}
		return verdict(programme.Passed), nil
	})
	_, err := o.Run(o.ctx, actor("tom"), "2026-1", "restore", "g1", check, items(), time.Minute)
	require.ErrorIs(t, err, crash)
	o.cabinet.broken = nil
	a, err = o.Run(o.ctx, actor("tom"), "2026-1", "restore", "g1", check, items(), time.Minute)
	require.NoError(t, err)
	drawn := a.Draw.Items["restore"]
	require.Equal(t, []string{drawn[0], drawn[1], drawn[1], drawn[2]}, tested)
	require.Len(t, a.Results, 3)
	require.Equal(t, 4, a.Grants[0].Used, "a use is a use")
	a, err = o.Run(o.ctx, actor("tom"), "2026-1", "restore", "g1", check, items(), time.Minute)
	require.NoError(t, err)
	require.Len(t, tested, 4)
	require.Equal(t, 4, a.Grants[0].Used)
}

func TestRunEndsWithTheGrant(t *testing.T) {
	o := newOffice(t, programme.Policy{})
	o.fieldwork()
	g := programme.Grant{
		ID: "g1", Tool: "backup.verify", Person: "tom", Targets: []string{"volume/*"}, From: o.now, Until: o.now.Add(day), Uses: 2,
	}
	o.take("lea", programme.Lend{Grant: g})
	run := func(person, id string) (programme.Audit, error) {
		return o.Run(o.ctx, actor(person), "2026-1", "restore", id, passes(), items(), time.Minute)
	}
	var refused *programme.GrantError
	for _, try := range [][2]string{{"tim", "g1"}, {"tom", "g2"}} {
		a, err := run(try[0], try[1])
		require.ErrorAs(t, err, &refused)
		require.Empty(t, a.Results)
	}
	a, err := run("tom", "g1")
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "it is used up", refused.Rule)
	require.Len(t, a.Results, 2, "what was found stays")
	require.Equal(t, opsec.Denied, o.last().Outcome)
	g.ID, g.Tool = "g2", "backup.delete"
	o.take("lea", programme.Lend{Grant: g})
	_, err = run("tom", "g2")
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "it is for another tool", refused.Rule)
	g.ID, g.Tool, g.Uses = "g3", "backup.verify", 1
	o.take("lea", programme.Lend{Grant: g})
	a, err = run("tom", "g3")
	require.NoError(t, err)
	require.Len(t, a.Results, 3)
}

func TestRunStopsWithItsContext(t *testing.T) {
	o := newOffice(t, programme.Policy{})
	o.fieldwork()
	o.lend()
	ctx, cancel := context.WithCancel(o.ctx)
	check := programme.CheckFunc(func(ctx context.Context, _ programme.Item) (programme.Verdict, error) {
		cancel()
		<-ctx.Done()
		return verdict(programme.Passed), nil
	})
	a, err := o.Run(ctx, actor("tom"), "2026-1", "restore", "g1", check, items(), time.Hour)
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, a.Results, "nothing is known about the item")
	require.Equal(t, 1, a.Grants[0].Used)
}

// Two runs at once may test an item twice, and keep one result.
func TestRunsAtOnce(t *testing.T) {
	o := newOffice(t, programme.Policy{})
	o.fieldwork()
	o.lend()
	var inner atomic.Bool
	check := programme.CheckFunc(func(context.Context, programme.Item) (programme.Verdict, error) {
		if inner.CompareAndSwap(false, true) {
			_, err := o.Run(o.ctx, actor("tom"), "2026-1", "restore", "g1", passes(), items(), time.Minute)
			require.NoError(t, err)
		}
		return verdict(programme.Failed), nil
	})
	a, err := o.Run(o.ctx, actor("tom"), "2026-1", "restore", "g1", check, items(), time.Minute)
	require.NoError(t, err)
	require.Len(t, a.Results, 3)
	for _, r := range a.Results {
		require.Equal(t, programme.Passed, r.Status)
	}
	require.Equal(t, 4, a.Grants[0].Used, "what the other has found out meanwhile is passed over")
}

func TestRunWantsTheItemsThatWereDrawn(t *testing.T) {
	o := newOffice(t, programme.Policy{})
	o.freeze()
	run := func(procedure string, c programme.Check, population []programme.Item, timeout time.Duration) error {
		_, err := o.Run(o.ctx, actor("tom"), "2026-1", procedure, "g1", c, population, timeout)
		return err
	}
	require.ErrorIs(t, run("restore", passes(), items(), time.Second), programme.ErrStage)
	o.now = o.now.Add(minute)
	a, err := o.Draw(o.ctx, actor("tom"), "2026-1", populations()...)
	require.NoError(t, err)
	o.lend()
	require.ErrorIs(t, run("restore", nil, items(), time.Second), opsec.ErrInvalid)
	require.ErrorIs(t, run("restore", passes(), items(), 0), opsec.ErrInvalid)
	require.ErrorContains(t, run("x", passes(), items(), time.Second), "no automated procedure")
	require.ErrorContains(t, run("rotation", passes(), items(), time.Second), "no automated procedure")
	require.ErrorContains(t, run("restore", passes(), nil, time.Second), "does not have an item that was drawn")
	require.ErrorContains(t, run("restore", passes(), append(items(), items()[3]), time.Second), "there twice")
	odd := items()
	for i := range odd {
		odd[i].Tenant = "no tenant"
	}
	require.ErrorContains(t, run("restore", passes(), odd, time.Second), "tenant")
	require.Equal(t, programme.ActionLend, o.last().Action, "and no use was counted")
	var drawn []programme.Item
	for _, item := range items() {
		if slices.Contains(a.Draw.Items["restore"], item.ID) {
			drawn = append(drawn, item)
		}
	}
	o.opts.Blackouts = func(from, until time.Time) error { return fmt.Errorf("frozen for %v", until.Sub(from)) }
	o.reopen(programme.Policy{})
	require.ErrorContains(t, run("restore", passes(), drawn, time.Second), "frozen for 1s")
	o.opts.Blackouts = nil
	o.reopen(programme.Policy{})
	require.NoError(t, run("restore", passes(), drawn, time.Second), "only those are needed")
}
