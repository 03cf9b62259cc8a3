package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit"
	"github.com/cloudopsec/opsec/audit/audittest"
)

func event(class opsec.Class, name string) *opsec.Event {
	e := opsec.NewEvent("test."+name, time.Now())
	e.Class, e.Outcome = class, opsec.Success
	return e
}

// start runs a trail; stop ends it and returns what Run returned.
func start(t *testing.T, sinks audit.Sinks, p audit.Policy) (trail *audit.Trail, stop func() error) {
	trail, err := audit.New(sinks, p, &audit.Options{DigestKey: digestKey(t)})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- trail.Run(ctx) }()
	return trail, func() error {
		cancel()
		return <-ran
	}
}

func digestKey(t *testing.T) *audit.DigestKey {
	k, err := audit.NewDigestKey([]byte(strings.Repeat("k", 32)))
	require.NoError(t, err)
	return k
}

func record(t *testing.T, trail *audit.Trail, events ...*opsec.Event) {
	t.Helper()
	for _, e := range events {
		_, err := trail.Record(t.Context(), e)
		require.NoError(t, err)
	}
}

// names returns the actions a sink has taken, in order.
func names(events []opsec.Event) []string {
	var list []string
	for _, e := range events {
		list = append(list, strings.TrimPrefix(e.Action, "test."))
	}
	return list
}

func attr(t *testing.T, e opsec.Event, key string) string {
	t.Helper()
	for _, a := range e.Attrs {
		if a.Key == key {
			return a.Value
		}
	}
	require.Fail(t, "no attribute "+key, "%+v", e)
	return ""
}

func health(trail *audit.Trail, name string) audit.SinkHealth {
	for _, h := range trail.Health() {
		if h.Name == name {
			return h
		}
	}
	return audit.SinkHealth{}
}

func TestCriticalIsInEveryDurableSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a, b audittest.Sink
		screen := audittest.Hung()
		screen.Volatile = true
		trail, stop := start(t, audit.Sinks{"a": &a, "b": &b, "screen": screen}, audit.Policy{})
		e := event(opsec.Critical, "rotate")
		receipt, err := trail.Record(t.Context(), e)
		require.NoError(t, err)
		require.Equal(t, opsec.Receipt{Event: e.ID, Time: time.Now(), Durable: true}, receipt)
		require.Equal(t, []string{"rotate"}, names(a.Events()))
		require.Equal(t, []string{"rotate"}, names(b.Events()))
		require.Empty(t, screen.Events(), "what is not durable is not waited for")

		receipt, err = trail.Record(t.Context(), event(opsec.Standard, "list"))
		require.NoError(t, err)
		require.False(t, receipt.Durable)
		screen.Mend()
		require.NoError(t, stop())
		require.Equal(t, []string{"rotate", "list"}, names(screen.Events()))
		require.True(t, a.Closed() && b.Closed() && screen.Closed())
	})
}

func TestHungSinkHoldsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var disk audittest.Sink
		siem := audittest.Hung()
		trail, stop := start(t, audit.Sinks{"disk": &disk, "siem": siem}, audit.Policy{Queue: 8})

		// The caller's deadline holds.
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err := trail.Record(ctx, event(opsec.Critical, "first"))
		require.ErrorIs(t, err, audit.ErrUnavailable)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "siem (up)")
		require.NotContains(t, err.Error(), "disk")
		require.Equal(t, 2*time.Second, time.Since(began))

		// Without one, the sink's own deadline ends the wait.
		_, err = trail.Record(t.Context(), event(opsec.Critical, "second"))
		require.ErrorIs(t, err, audit.ErrUnavailable)
		require.ErrorContains(t, err, "siem (hung: no answer within the deadline)")
		require.Equal(t, 5*time.Second, time.Since(began))
		require.Equal(t, audit.Hung, health(trail, "siem").State)

		// From now on nobody waits, and the other sink gets everything.
		for i := range 20 {
			_, err := trail.Record(t.Context(), event(opsec.Critical, fmt.Sprint("c", i)))
			require.ErrorIs(t, err, audit.ErrUnavailable)
			record(t, trail, event(opsec.Standard, fmt.Sprint("s", i)))
			synctest.Wait() // the disk keeps up
		}
		require.Equal(t, 5*time.Second, time.Since(began))
		require.Len(t, disk.Events(), 42)
		require.Equal(t, audit.SinkHealth{
			Name: "siem", State: audit.Hung, Since: began.Add(5 * time.Second), Durable: true, Queued: 8, Lost: 34,
			Error: "no answer within the deadline",
		}, health(trail, "siem"))

		// When it answers again it gets what was queued, and the gap in the place of the rest.
		time.Sleep(time.Hour)
		siem.Mend()
		synctest.Wait()
		record(t, trail, event(opsec.Critical, "later"))
		require.Equal(t, []string{"first", "second", "c0", "s0", "c1", "s1", "c2", "c3", audit.ActionGap, "later"},
			names(siem.Events()))
		gap := siem.Events()[8]
		require.NoError(t, gap.Validate())
		require.Equal(t, "siem", attr(t, gap, "sink"))
		require.Equal(t, "34", attr(t, gap, "lost"))
		require.Equal(t, "16", attr(t, gap, "lost_critical"))
		require.Equal(t, "18", attr(t, gap, "lost_standard"))
		require.Equal(t, "queue full", attr(t, gap, "reason"))
		require.Equal(t, began.Add(5*time.Second).UTC().Format(time.RFC3339Nano), attr(t, gap, "first"))
		require.Equal(t, attr(t, gap, "first"), attr(t, gap, "last"))
		require.Contains(t, names(disk.Events()), audit.ActionGap, "the others are told")
		require.Equal(t, audit.Up, health(trail, "siem").State)
		require.NoError(t, stop())
	})
}

func TestOneOfTwoIsEnoughWhenThePolicySaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var disk audittest.Sink
		siem := audittest.Hung()
		trail, stop := start(t, audit.Sinks{"disk": &disk, "siem": siem}, audit.Policy{Require: 1})
		began := time.Now()
		record(t, trail, event(opsec.Critical, "a"))
		require.Zero(t, time.Since(began))
		siem.Mend()
		require.NoError(t, stop())
		require.Len(t, siem.Events(), 1)
	})
}

func TestSinkThatFailsHalfway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var disk audittest.Sink
		siem := audittest.FailAfter(3)
		trail, stop := start(t, audit.Sinks{"disk": &disk, "siem": siem}, audit.Policy{})
		var want []string
		for i := range 10 {
			want = append(want, fmt.Sprint("s", i))
			record(t, trail, event(opsec.Standard, want[i]))
		}
		began := time.Now()
		_, err := trail.Record(t.Context(), event(opsec.Critical, "c"))
		require.ErrorIs(t, err, audit.ErrUnavailable)
		require.ErrorContains(t, err, "siem (open: audittest: fault)")
		require.Less(t, time.Since(began), time.Second)
		require.Equal(t, append(want, "c"), names(disk.Events()))

		siem.Mend()
		require.NoError(t, stop(), "a failing sink is tried again before the end")
		once := map[string]int{}
		for _, name := range names(siem.Events()) {
			once[name]++
		}
		for _, name := range append(want, "c") {
			require.NotZero(t, once[name], "%s is not lost", name)
		}
		require.Zero(t, health(trail, "siem").Lost)
	})
}

func TestBreakerLeavesASickSinkAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sick := &counter{err: errors.New("connection refused")}
		trail, stop := start(t, audit.Sinks{"sick": sick, "well": new(audittest.Sink)}, audit.Policy{Require: 1})
		record(t, trail, event(opsec.Standard, "a"))
		synctest.Wait()
		require.Equal(t, audit.Failing, health(trail, "sick").State)
		time.Sleep(time.Second)
		require.Equal(t, audit.Open, health(trail, "sick").State)
		require.Equal(t, 3, sick.count())
		time.Sleep(8 * time.Second)
		require.Equal(t, 3, sick.count(), "no attempt within the cool-down")
		time.Sleep(10 * time.Second)
		require.Equal(t, 4, sick.count())
		sick.set(nil)
		time.Sleep(10 * time.Second)
		require.Equal(t, audit.Up, health(trail, "sick").State)
		require.Empty(t, health(trail, "sick").Error)
		require.NoError(t, stop())
	})
}

// A sink that keeps to its context, but never makes it in time, is no better than a hung one.
func TestLateSinkOpensTheBreakerAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		trail, stop := start(t, audit.Sinks{"late": late{}, "well": new(audittest.Sink)}, audit.Policy{})
		began := time.Now()
		_, err := trail.Record(t.Context(), event(opsec.Critical, "c"))
		require.ErrorIs(t, err, audit.ErrUnavailable)
		require.Equal(t, 5*time.Second, time.Since(began))
		synctest.Wait()
		require.Equal(t, audit.Open, health(trail, "late").State)
		_, err = trail.Record(t.Context(), event(opsec.Critical, "c"))
		require.ErrorContains(t, err, "late (open: context deadline exceeded)")
		require.Error(t, stop())
	})
}

type late struct{}

func (late) Write(ctx context.Context, _ []audit.Record) error {
	<-ctx.Done()
	return ctx.Err()
}

func (late) Durable() bool               { return true }
func (late) Close(context.Context) error { return nil }

func TestDrainTriesMoreThanOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sick := &counter{err: errors.New("connection refused")}
		trail, stop := start(t, audit.Sinks{"sick": sick}, audit.Policy{CoolDown: time.Hour})
		record(t, trail, event(opsec.Standard, "a"))
		time.Sleep(time.Minute)
		time.AfterFunc(3*time.Second, func() { sick.set(nil) })
		require.NoError(t, stop())
		require.Equal(t, 3+3, sick.count())
	})
}

// counter is a sink that counts calls of Write, and returns err.
type counter struct {
	audittest.Sink
	mu  sync.Mutex
	n   int
	err error
}

func (c *counter) Write(ctx context.Context, batch []audit.Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	return c.err
}

func (c *counter) set(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

func (c *counter) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// The least important give way first.
func TestOverflowLeavesAGapRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := audittest.Hung()
		trail, stop := start(t, audit.Sinks{"slow": slow}, audit.Policy{Queue: 16})
		lost := map[opsec.Class]int{}
		for _, class := range []opsec.Class{opsec.BestEffort, opsec.Standard} {
			for range 16 {
				if _, err := trail.Record(t.Context(), event(class, string(class))); err != nil {
					require.ErrorIs(t, err, audit.ErrUnavailable)
					lost[class]++
				}
			}
		}
		require.Equal(t, map[opsec.Class]int{opsec.BestEffort: 8, opsec.Standard: 12}, lost)

		var wait sync.WaitGroup
		for range 4 { // the last quarter belongs to critical events
			wait.Go(func() { record(t, trail, event(opsec.Critical, "c")) })
		}
		synctest.Wait()
		_, err := trail.Record(t.Context(), event(opsec.Critical, "fifth"))
		require.ErrorContains(t, err, "slow (lost)")
		slow.Mend()
		wait.Wait()
		require.NoError(t, stop())
		gap := slow.Events()[len(slow.Events())-1]
		require.Equal(t, audit.ActionGap, gap.Action)
		require.Equal(t, "8", attr(t, gap, "lost_best-effort"))
		require.Equal(t, "12", attr(t, gap, "lost_standard"))
		require.Equal(t, "1", attr(t, gap, "lost_critical"))
	})
}

func TestDeliveredTwiceIsWrittenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		siem := audittest.Hung()
		trail, stop := start(t, audit.Sinks{"siem": siem}, audit.Policy{})
		e := event(opsec.Critical, "c")
		var done [2]opsec.Receipt
		var wait sync.WaitGroup
		for i := range done {
			wait.Go(func() {
				var err error
				done[i], err = trail.Record(t.Context(), e)
				require.NoError(t, err)
			})
		}
		synctest.Wait()
		require.Zero(t, done, "the second waits for the outcome of the first")
		siem.Mend()
		wait.Wait()
		require.True(t, done[0].Durable)
		require.Equal(t, done[0], done[1])
		third, err := trail.Record(t.Context(), e)
		require.NoError(t, err)
		require.Equal(t, done[0], third)

		other := *e
		other.Reason = "something else"
		_, err = trail.Record(t.Context(), &other)
		require.ErrorIs(t, err, opsec.ErrInvalid, "another event cannot hide behind a known id")
		require.NoError(t, stop())
		require.Len(t, siem.Events(), 1)
	})
}

func TestWhatFailedIsNotSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var disk audittest.Sink
		siem := audittest.Hung()
		trail, stop := start(t, audit.Sinks{"disk": &disk, "siem": siem}, audit.Policy{Queue: 8})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		e := event(opsec.Critical, "c")
		_, err := trail.Record(ctx, e)
		require.ErrorIs(t, err, audit.ErrUnavailable)
		for range 3 { // an outbox insists; it fails each time, and fills no queue
			time.Sleep(10 * time.Second)
			_, err = trail.Record(t.Context(), e)
			require.ErrorIs(t, err, audit.ErrUnavailable)
		}
		require.Equal(t, 1, health(trail, "siem").Queued)

		var lost *opsec.Event // lost in one sink, kept in the other
		for i := range 8 {
			lost = event(opsec.Standard, fmt.Sprint("s", i))
			record(t, trail, lost)
			synctest.Wait()
		}
		require.EqualValues(t, 3, health(trail, "siem").Lost)
		record(t, trail, lost)
		require.EqualValues(t, 3, health(trail, "siem").Lost, "lost twice is counted once")
		siem.Mend()
		synctest.Wait()
		record(t, trail, e, lost)
		require.NoError(t, stop())
		require.Equal(t, []string{"c", "s0", "s1", "s2", "s3", "s4", audit.ActionGap, "s7"}, names(siem.Events()))
		require.Equal(t, []string{"c", "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", audit.ActionGap},
			names(disk.Events()))
	})
}

// picky is a sink that will never take events of some actions.
type picky struct {
	audittest.Sink
	never []string
}

func (p *picky) Write(ctx context.Context, batch []audit.Record) error {
	for _, r := range batch {
		if slices.Contains(p.never, r.Event.Action) {
			return fmt.Errorf("no %s here: %w", r.Event.Action, opsec.ErrInvalid)
		}
	}
	return p.Sink.Write(ctx, batch)
}

func TestRefusedRecordDoesNotBlockTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var disk audittest.Sink
		p := &picky{never: []string{"test.poison"}}
		trail, err := audit.New(audit.Sinks{"picky": p, "disk": &disk}, audit.Policy{}, nil)
		require.NoError(t, err)
		for _, name := range []string{"a", "b", "poison", "c", "d"} { // one batch, since nobody writes yet
			record(t, trail, event(opsec.Standard, name))
		}
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- trail.Run(ctx) }()
		synctest.Wait()
		require.Equal(t, []string{"a", "b", "c", "d", audit.ActionGap}, names(p.Events()))
		gap := p.Events()[4]
		require.Equal(t, "1", attr(t, gap, "lost"))
		require.Equal(t, "no test.poison here: invalid", attr(t, gap, "reason"))
		require.Equal(t, audit.Up, health(trail, "picky").State)

		_, err = trail.Record(t.Context(), event(opsec.Critical, "poison"))
		require.ErrorContains(t, err, "picky (lost)")
		cancel()
		require.ErrorContains(t, <-ran, "sink picky (up): 1 events lost")
		require.Equal(t, audit.ActionGap, p.Events()[5].Action, "the last loss is told at the end")
	})
}

// A sink that refuses even the gap record is no reason to write gap records for ever, nor not to end.
func TestRefusedGapRecordEndsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var disk audittest.Sink
		p := &picky{never: []string{"test.poison", audit.ActionGap}}
		trail, stop := start(t, audit.Sinks{"picky": p, "disk": &disk}, audit.Policy{})
		for _, name := range []string{"poison", "a", "poison", "b"} {
			record(t, trail, event(opsec.Standard, name))
			synctest.Wait()
		}
		require.ErrorIs(t, stop(), audit.ErrUnavailable)
		require.Equal(t, []string{"a", "b"}, names(p.Events()))
		require.True(t, p.Closed())
		told := 0
		for _, e := range disk.Events() {
			if e.Action == audit.ActionGap {
				told++
			}
		}
		require.Equal(t, 3, told, "the first, the second and its own, and what was left")
	})
}

func TestRememberIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var disk audittest.Sink
		trail, stop := start(t, audit.Sinks{"disk": &disk}, audit.Policy{Queue: 8, Remember: 8})
		first := event(opsec.Critical, "first")
		others := func(n int) {
			for range n {
				record(t, trail, event(opsec.Critical, "other"))
			}
		}
		record(t, trail, first)
		for range 5 {
			others(7)
			record(t, trail, first) // among the latest eight, so it is known, and the latest again
		}
		require.Len(t, disk.Events(), 1+5*7)
		others(16)
		record(t, trail, first)
		require.Len(t, disk.Events(), 1+5*7+16+1, "forgotten, and written again")
		require.NoError(t, stop())
	})
}

func TestDeadSinkIsReportedToTheOthersAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var disk audittest.Sink
		dead := audittest.FailAfter(0)
		trail, stop := start(t, audit.Sinks{"disk": &disk, "dead": dead}, audit.Policy{})
		record(t, trail, event(opsec.Standard, "a"), event(opsec.Standard, "b"))
		time.Sleep(time.Minute)
		began := time.Now()
		err := stop()
		require.ErrorIs(t, err, audit.ErrUnavailable)
		require.ErrorContains(t, err, "sink dead (open): 2 events lost")
		require.Equal(t, 10*time.Second, time.Since(began), "as long as Drain allows")
		require.Equal(t, []string{"a", "b", audit.ActionGap}, names(disk.Events()))
		require.Equal(t, "dead", attr(t, disk.Events()[2], "sink"))
		require.True(t, dead.Closed() && disk.Closed())

		_, err = trail.Record(t.Context(), event(opsec.Standard, "late"))
		require.ErrorIs(t, err, audit.ErrUnavailable)
	})
}

func TestRunReturnsWhileASinkHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var disk audittest.Sink
		siem := audittest.Hung()
		trail, stop := start(t, audit.Sinks{"disk": &disk, "siem": siem}, audit.Policy{})
		record(t, trail, event(opsec.Standard, "a"))
		time.Sleep(time.Minute)
		began := time.Now()
		err := stop()
		require.Equal(t, 15*time.Second, time.Since(began), "Drain, and one WriteDeadline")
		require.ErrorContains(t, err, "sink siem (hung): 1 events lost")
		require.ErrorContains(t, err, "sink siem (hung) not closed in time")
		require.True(t, disk.Closed())
		require.Equal(t, audit.ActionGap, disk.Events()[1].Action)
		siem.Mend()
		synctest.Wait()
		require.True(t, siem.Closed(), "closed when it answers at last")
	})
}

func TestWaitEndsWithoutRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		trail, err := audit.New(audit.Sinks{"disk": new(audittest.Sink)}, audit.Policy{MaxWait: 3 * time.Second}, nil)
		require.NoError(t, err)
		began := time.Now()
		_, err = trail.Record(context.Background(), event(opsec.Critical, "c"))
		require.ErrorIs(t, err, audit.ErrUnavailable)
		require.ErrorContains(t, err, "no answer within 3s")
		require.Equal(t, 3*time.Second, time.Since(began))

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.NoError(t, trail.Run(ctx), "what was queued before is written even so")
		require.ErrorIs(t, trail.Run(ctx), opsec.ErrInvalid)
	})
}

func TestEndedContextStillRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var disk audittest.Sink
		trail, stop := start(t, audit.Sinks{"disk": &disk}, audit.Policy{})
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // the request is over, and its End comes late
		_, err := trail.Record(ctx, event(opsec.Critical, "end"))
		if err != nil { // it may have been fast enough
			require.ErrorIs(t, err, context.Canceled)
		}
		require.NoError(t, stop())
		require.Len(t, disk.Events(), 1)
	})
}

func TestWhatNewRefuses(t *testing.T) {
	disk := new(audittest.Sink)
	for name, test := range map[string]struct {
		sinks  audit.Sinks
		policy audit.Policy
	}{
		"no sink":               {audit.Sinks{}, audit.Policy{}},
		"nothing durable":       {audit.Sinks{"x": &audittest.Sink{Volatile: true}}, audit.Policy{}},
		"fewer than required":   {audit.Sinks{"x": disk}, audit.Policy{Require: 2}},
		"nil sink":              {audit.Sinks{"x": disk, "y": nil}, audit.Policy{}},
		"empty name":            {audit.Sinks{"": disk}, audit.Policy{}},
		"negative Require":      {audit.Sinks{"x": disk}, audit.Policy{Require: -1}},
		"tiny queue":            {audit.Sinks{"x": disk}, audit.Policy{Queue: 1}},
		"huge queue":            {audit.Sinks{"x": disk}, audit.Policy{Queue: 1 << 21}},
		"negative RecordBytes":  {audit.Sinks{"x": disk}, audit.Policy{RecordBytes: -1}},
		"huge RecordBytes":      {audit.Sinks{"x": disk}, audit.Policy{RecordBytes: 1<<20 + 1}},
		"forgetful":             {audit.Sinks{"x": disk}, audit.Policy{Remember: 4095}},
		"negative Failures":     {audit.Sinks{"x": disk}, audit.Policy{Failures: -1}},
		"negative CoolDown":     {audit.Sinks{"x": disk}, audit.Policy{CoolDown: -1}},
		"negative MaxWait":      {audit.Sinks{"x": disk}, audit.Policy{MaxWait: -1}},
		"negative Drain":        {audit.Sinks{"x": disk}, audit.Policy{Drain: -1}},
		"negative WriteDeadine": {audit.Sinks{"x": disk}, audit.Policy{WriteDeadline: -1}},
	} {
		_, err := audit.New(test.sinks, test.policy, nil)
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
	}
}

func TestWhatRecordRefuses(t *testing.T) {
	trail, err := audit.New(audit.Sinks{"x": new(audittest.Sink)}, audit.Policy{RecordBytes: 1024}, nil)
	require.NoError(t, err)
	_, err = trail.Record(t.Context(), opsec.NewEvent("test.a", time.Now()))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.ErrorContains(t, err, "outcome")
	e := event(opsec.Standard, "long")
	e.Reason = strings.Repeat("\n", 500) // 3000 bytes of JSON
	_, err = trail.Record(t.Context(), e)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.Zero(t, trail.Health()[0].Queued)
}

func TestPolicyInJSON(t *testing.T) {
	p := audit.Policy{Require: 2, MaxWait: 1500 * time.Millisecond, Queue: 64, CoolDown: time.Minute, Failures: 5}
	data, err := json.Marshal(p)
	require.NoError(t, err)
	require.JSONEq(t, `{"require":2,"max_wait":"1.5s","queue":64,"cool_down":"1m0s","failures":5}`, string(data))
	var back audit.Policy
	require.NoError(t, json.Unmarshal(data, &back))
	require.Equal(t, p, back)
	for _, bad := range []string{`{"requires":1}`, `{"queue":1}`, `{"drain":"-1s"}`, `{"drain":5}`, `{"drain":"soon"}`} {
		require.ErrorIs(t, json.Unmarshal([]byte(bad), &back), opsec.ErrInvalid, bad)
		require.Equal(t, p, back, "unchanged")
	}
}

// Many callers, sinks of every temper, and the promises still hold: what was acknowledged is there, and what is missing
// is counted, to the last event, by the gap records in the sink itself.
func TestStress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sinks := map[string]*audittest.Sink{"disk": {}, "flaky": audittest.Flaky(3), "slow": {Volatile: true}}
		trail, stop := start(t, audit.Sinks{
			"disk": sinks["disk"], "flaky": sinks["flaky"], "slow": &sluggish{sinks["slow"]},
		}, audit.Policy{Queue: 64, Require: 1})
		var mu sync.Mutex
		var sent, acknowledged []opsec.ID
		var wait sync.WaitGroup
		for worker := range 16 {
			wait.Go(func() {
				for i := range 300 {
					class := []opsec.Class{opsec.Critical, opsec.Standard, opsec.BestEffort}[(worker+i)%3]
					e := event(class, "stress")
					_, err := trail.Record(t.Context(), e)
					if i%5 == 0 {
						_, err = trail.Record(t.Context(), e)
					}
					mu.Lock()
					sent = append(sent, e.ID)
					if err == nil && class == opsec.Critical {
						acknowledged = append(acknowledged, e.ID)
					}
					mu.Unlock()
				}
			})
		}
		wait.Wait()
		require.NoError(t, stop())

		durable := map[opsec.ID]bool{}
		for name, s := range sinks {
			told, have := 0, map[opsec.ID]bool{}
			for _, e := range s.Events() {
				if e.Action == audit.ActionGap && !have[e.ID] && attr(t, e, "sink") == name {
					n, err := strconv.Atoi(attr(t, e, "lost"))
					require.NoError(t, err)
					told += n
				}
				have[e.ID] = true
				durable[e.ID] = durable[e.ID] || s.Durable()
			}
			missing := 0
			for _, id := range sent {
				if !have[id] {
					missing++
				}
			}
			require.EqualValues(t, health(trail, name).Lost, told, name)
			require.LessOrEqual(t, missing, told, name)
		}
		require.Positive(t, health(trail, "slow").Lost, "the test must lose something to show it")
		require.NotEmpty(t, acknowledged)
		for _, id := range acknowledged {
			require.True(t, durable[id], "acknowledged and gone: %s", id)
		}
	})
}

// sluggish takes its time for each batch.
type sluggish struct{ *audittest.Sink }

func (s *sluggish) Write(ctx context.Context, batch []audit.Record) error {
	time.Sleep(20 * time.Millisecond)
	return s.Sink.Write(ctx, batch)
}
