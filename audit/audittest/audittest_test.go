package audittest_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit"
	"github.com/cloudopsec/opsec/audit/audittest"
)

func event(action string) *opsec.Event {
	e := opsec.NewEvent(action, time.Now())
	e.Outcome = opsec.Success
	return e
}

func put(t *testing.T, r opsec.Recorder, e *opsec.Event) {
	t.Helper()
	_, err := r.Record(t.Context(), e)
	require.NoError(t, err)
}

// verdict is a testing.TB that only notes what is said of it.
type verdict struct {
	testing.TB
	failed, ended bool
}

func (v *verdict) Helper()               {}
func (v *verdict) Errorf(string, ...any) { v.failed = true }
func (v *verdict) Fatalf(string, ...any) { v.failed, v.ended = true, true; panic(v) }

// judge runs f and returns what it made of the test.
func judge(f func(testing.TB)) (v *verdict) {
	v = &verdict{}
	defer func() { _ = recover() }()
	f(v)
	return v
}

func TestAssertionsPassAndFail(t *testing.T) {
	r := audittest.New(t)
	put(t, r, event("test.once"))
	twice := event("test.twice")
	put(t, r, twice)
	put(t, r, twice) // delivered again
	put(t, r, event("test.twice"))

	require.Equal(t, "test.once", r.One(t, "test.once").Action)
	r.None(t, "test.never")
	new(audittest.Recorder).None(t)
	require.Len(t, r.Events(), 3)
	require.Len(t, r.Events("test.twice"), 2)
	require.Len(t, r.Events("test.twice", "test.once"), 3)

	require.True(t, judge(func(tb testing.TB) { r.One(tb, "test.twice") }).ended)
	require.True(t, judge(func(tb testing.TB) { r.One(tb, "test.never") }).ended)
	require.True(t, judge(func(tb testing.TB) { r.None(tb, "test.once") }).failed)
	require.True(t, judge(func(tb testing.TB) { r.None(tb) }).failed)
	require.False(t, judge(func(tb testing.TB) { r.One(tb, "test.once") }).failed)
}

func TestInvalidEventFailsTheTest(t *testing.T) {
	bad := opsec.NewEvent("test.bad", time.Now())
	require.True(t, judge(func(tb testing.TB) {
		_, err := audittest.New(tb).Record(t.Context(), bad)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}).failed)
	var zero audittest.Recorder
	_, err := zero.Record(t.Context(), bad)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	zero.None(t)
}

func TestRecorderKeepsNoSecretAndNoReference(t *testing.T) {
	var r audittest.Recorder
	e := event("test.a")
	e.Attrs = []opsec.Attr{{Key: "password", Value: "hunter2", Mark: opsec.Secret}, {Key: "k", Value: "v"}}
	put(t, &r, e)
	e.Attrs[1].Value = "changed"
	require.Equal(t, []opsec.Attr{{Key: "password", Mark: opsec.Secret}, {Key: "k", Value: "v"}},
		r.One(t, "test.a").Attrs)
}

func TestFailAndUnclosed(t *testing.T) {
	var r audittest.Recorder
	full := errors.New("disk full")
	r.Fail(full)
	_, err := opsec.Begin(t.Context(), &r, event("test.op"))
	require.ErrorIs(t, err, full)
	r.Fail(nil)
	op, err := opsec.Begin(t.Context(), &r, event("test.op"))
	require.NoError(t, err)
	require.Len(t, r.Unclosed(), 1)
	require.NoError(t, op.End(t.Context(), opsec.Success))
	require.Empty(t, r.Unclosed())
	require.Len(t, r.Events("test.op"), 2)
}

func TestRecorderTakesManyCallers(t *testing.T) {
	var r audittest.Recorder
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 50 {
				put(t, &r, event("test.a"))
			}
		})
	}
	wait.Wait()
	require.Len(t, r.Events(), 400)
}

func batch(n int) (list []audit.Record) {
	for range n {
		e := event("test.a")
		list = append(list, audit.Record{Event: e, JSON: e.AppendJSON(nil)})
	}
	return list
}

func TestFaultySinks(t *testing.T) {
	s := audittest.FailAfter(3)
	require.NoError(t, s.Write(t.Context(), batch(2)))
	require.ErrorIs(t, s.Write(t.Context(), batch(2)), audittest.ErrFault)
	require.Len(t, s.Events(), 3, "it takes a part")
	require.ErrorIs(t, s.Write(t.Context(), batch(1)), audittest.ErrFault)
	s.Mend()
	require.NoError(t, s.Write(t.Context(), batch(1)))
	require.Len(t, s.Events(), 4)

	s = audittest.Flaky(2)
	require.NoError(t, s.Write(t.Context(), batch(4)))
	require.ErrorIs(t, s.Write(t.Context(), batch(4)), audittest.ErrFault)
	require.NoError(t, s.Write(t.Context(), batch(4)))
	require.Len(t, s.Events(), 10)

	s = audittest.Hung()
	done := make(chan error)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	go func() { done <- s.Write(ctx, batch(1)) }()
	select {
	case <-done:
		require.Fail(t, "a hung sink has returned")
	default:
	}
	s.Mend()
	require.NoError(t, <-done)

	require.True(t, s.Durable())
	require.False(t, (&audittest.Sink{Volatile: true}).Durable())
	require.False(t, s.Closed())
	require.NoError(t, s.Close(t.Context()))
	require.True(t, s.Closed())
}

// In a test, t is at hand: audittest.New(t), r.One(t, ...).
func ExampleRecorder() {
	var r audittest.Recorder
	op, err := opsec.Begin(context.Background(), &r, event("backup.restore"))
	fmt.Println(err, len(r.Unclosed()))
	err = op.End(context.Background(), opsec.Success)
	fmt.Println(err, len(r.Unclosed()), len(r.Events("backup.restore")))
	// Output:
	// <nil> 1
	// <nil> 0 2
}

// A sink that hangs, in a test of what must not.
func ExampleHung() {
	s := audittest.Hung()
	done := make(chan error)
	go func() { done <- s.Write(context.Background(), batch(1)) }()
	fmt.Println(len(s.Events()))
	s.Mend()
	fmt.Println(<-done, len(s.Events()))
	// Output:
	// 0
	// <nil> 1
}
