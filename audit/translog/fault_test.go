package translog_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit"
	"github.com/cloudopsec/opsec/audit/translog"
	"github.com/cloudopsec/opsec/audit/translog/entry"
)

func TestOneDirectoryHasOneWriter(t *testing.T) {
	k := newKit(t)
	l := k.open()
	_, err := translog.Open(k.dir, k.policy, k.opts)
	require.ErrorIs(t, err, translog.ErrLocked)
	k.append(l, "acme", "eve", 1)
	require.NoError(t, l.stop())
	_, err = l.Append(t.Context(), login("acme", "eve", 1))
	require.ErrorIs(t, err, translog.ErrUnavailable)
	again := k.open()
	require.NoError(t, again.stop())
	require.ErrorIs(t, again.Run(context.Background()), opsec.ErrInvalid, "Run is called once")

	unrun, err := translog.Open(k.dir, k.policy, k.opts)
	require.NoError(t, err)
	require.NoError(t, unrun.Close(t.Context()))
	k.sound()
}

func TestClockThatGoesBackHarmsNothing(t *testing.T) {
	k := newKit(t)
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	var mu sync.Mutex
	k.opts.Now = func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(-time.Minute)
		return now
	}
	l := k.open()
	for n := range 100 {
		require.Equal(t, uint64(n+1), k.append(l, "acme", "eve", n).Seq)
	}
	settle(t, l)
	require.NoError(t, l.stop())
	l = k.open()
	k.append(l, "acme", "eve", 1)
	require.NoError(t, l.stop())
	k.sound()
}

func TestEventDeliveredTwiceIsWrittenOnce(t *testing.T) {
	k := newKit(t)
	l := k.open()
	e := login("acme", "eve", 1)
	first, err := l.Append(t.Context(), e)
	require.NoError(t, err)
	var group sync.WaitGroup
	for range 32 {
		group.Go(func() {
			again, err := l.Append(t.Context(), e)
			if err != nil || again.Index != first.Index || again.Leaf != first.Leaf || again.Seq != first.Seq {
				t.Error(again, err)
			}
		})
	}
	group.Wait()
	require.NoError(t, l.stop())
	l = k.open() // the ids are known again
	again, err := l.Append(t.Context(), e)
	require.NoError(t, err)
	require.Equal(t, first.Index, again.Index)
	require.NoError(t, l.stop())
}

func TestIdsAreKnownAgainAcrossTheSpansOfTheIndex(t *testing.T) {
	k := newKit(t)
	k.policy.SegmentBytes, k.policy.Remember = 4<<20, 200
	l := k.open()
	k.aged(l, 65_536-30)
	var last []*opsec.Event
	var want []translog.Receipt
	for n := range 60 {
		last = append(last, login("acme", "eve", n))
		r, err := l.Append(t.Context(), last[n])
		require.NoError(t, err)
		want = append(want, r)
	}
	require.NoError(t, l.stop())
	l = k.open()
	for n, e := range last {
		r, err := l.Append(t.Context(), e)
		require.NoError(t, err)
		require.Equal(t, want[n].Index, r.Index)
	}
	require.NoError(t, l.stop())
	k.sound()
}

func TestLogIsASinkOfATrail(t *testing.T) {
	k := newKit(t)
	l := k.open()
	trail, err := audit.New(audit.Sinks{"log": l}, audit.Policy{}, nil)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- trail.Run(ctx) }()
	var group sync.WaitGroup
	for n := range 100 {
		group.Go(func() {
			e := login("acme", "eve", n)
			e.Class = opsec.Critical
			if _, err := trail.Record(context.Background(), e); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	settle(t, l)
	require.Len(t, collect(t, l.View(reader, translog.TenantProfile()), translog.Query{Actions: []string{"console.login"}}), 100)
	cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- l.stop() }()
	require.NoError(t, <-ended, "the trail waits until the log's own Run has ended")
	require.NoError(t, <-stopped)
}

// hung is a sink that does not answer.
type hung struct{ until chan struct{} }

func (h hung) Write(context.Context, []audit.Record) error { <-h.until; return nil }
func (hung) Durable() bool                                 { return false }
func (hung) Close(context.Context) error                   { return nil }

func TestHungSinkBesideTheLogHoldsUpNothing(t *testing.T) {
	k := newKit(t)
	l := k.open()
	h := hung{make(chan struct{})}
	trail, err := audit.New(audit.Sinks{"log": l, "hung": h}, audit.Policy{WriteDeadline: 2 * time.Second, Drain: 50 * time.Millisecond}, nil)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- trail.Run(ctx) }()
	for n := range 50 {
		e := login("acme", "eve", n)
		e.Class = opsec.Critical
		receipt, err := trail.Record(t.Context(), e)
		require.NoError(t, err)
		require.True(t, receipt.Durable)
	}
	settle(t, l)
	require.Len(t, collect(t, l.View(reader, translog.TenantProfile()), translog.Query{Actions: []string{"console.login"}}), 50)
	cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- l.stop() }()
	require.Error(t, <-ended, "the hung one has not got everything")
	close(h.until)
	require.NoError(t, <-stopped)
	k.sound()
}

func TestIntentsWithoutAnEndAreFound(t *testing.T) {
	k := newKit(t)
	l := k.open()
	var open []opsec.ID
	for n := range 12 {
		e := login("acme", "eve", n)
		e.Action, e.Category = "backup.restore", ""
		op, err := opsec.Begin(t.Context(), l, e)
		require.NoError(t, err)
		if n%3 == 0 {
			open = append(open, e.ID)
			continue
		}
		require.NoError(t, op.End(t.Context(), opsec.Success))
	}
	settle(t, l)
	var got []opsec.ID
	v := l.View(reader, translog.TenantProfile())
	for e, err := range v.Unfinished(t.Context(), translog.Query{Account: "eve"}) {
		require.NoError(t, err)
		got = append(got, e.Event.ID)
	}
	require.Equal(t, open, got)
	for _, err := range v.Unfinished(t.Context(), translog.Query{Outcomes: []opsec.Outcome{opsec.Success}}) {
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
}

// stuck are keys that do not answer.
type stuck struct{ entry.Keys }

func (stuck) Subject(ctx context.Context, _ entry.Subject) (entry.Handle, entry.Key, error) {
	<-ctx.Done()
	return entry.Handle{}, nil, ctx.Err()
}

func TestCallerGoesWhenItsContextEnds(t *testing.T) {
	k := newKit(t)
	unrun, err := translog.Open(k.dir, k.policy, k.opts)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = unrun.Append(ctx, login("acme", "eve", 1)) // nobody commits
	require.ErrorIs(t, err, translog.ErrUnavailable)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	l := k.run(unrun)
	require.NoError(t, l.stop())
	require.Equal(t, 1, k.sound().Tenants, "what was waiting came into the log")

	k.opts.Keys = stuck{}
	l = k.open()
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = l.Append(ctx, login("acme", "eve", 1))
	require.ErrorIs(t, err, translog.ErrUnavailable)
	require.NoError(t, l.stop())
}

func TestOptionsThatAreMissingAreNamed(t *testing.T) {
	k := newKit(t)
	for name, spoil := range map[string]func(*translog.Options){
		"Signer":     func(o *translog.Options) { o.Signer = nil },
		"Keys":       func(o *translog.Options) { o.Keys = nil },
		"Authorizer": func(o *translog.Options) { o.Authorizer = nil },
	} {
		opts := k.opts
		spoil(&opts)
		_, err := translog.Open(k.dir, k.policy, opts)
		require.ErrorIs(t, err, opsec.ErrInvalid)
		require.ErrorContains(t, err, name)
	}
	_, err := translog.Open(k.dir, translog.Policy{}, k.opts)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = k.open().Append(t.Context(), &opsec.Event{})
	require.ErrorIs(t, err, opsec.ErrInvalid)
}
