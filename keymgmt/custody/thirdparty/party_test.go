package thirdparty_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/custody/thirdparty"
)

func TestEveryCallIsRecordedWithItsJustification(t *testing.T) {
	o := newOffice(t, thirdparty.Policy{})
	wrapped := o.ready(t)
	got, err := o.Unwrap(ctx, "kek", wrapped, []byte("context"))
	require.NoError(t, err)
	require.Equal(t, "material", string(got))
	evidence, err := o.Destroy(ctx, "kek")
	require.NoError(t, err)
	require.Len(t, evidence.Copies, 1)

	var actions []string
	for _, e := range o.log.Events() {
		actions = append(actions, e.Action+" "+string(e.Outcome))
		require.Equal(t, olga, e.Actor)
		require.Equal(t, "start of node 7", e.Reason)
		require.Equal(t, opsec.Resource{Tenant: opsec.Provider, Type: "kek", ID: "kek"}, e.Resource)
		require.Contains(t, e.Attrs, opsec.Attr{Key: "party", Value: "Keyholders", Mark: opsec.Tenant})
		require.Equal(t, opsec.Critical, e.Class)
	}
	require.Equal(t, []string{
		"thirdparty.generate pending", "thirdparty.generate success", "thirdparty.wrap success", "thirdparty.unwrap success",
		"thirdparty.destroy pending", "thirdparty.destroy success",
	}, actions)
	require.Empty(t, o.log.Unclosed())
}

func TestWithoutAJustificationThePartyIsNotAsked(t *testing.T) {
	o := newOffice(t, thirdparty.Policy{})
	wrapped := o.ready(t)
	calls := o.theirs.calls.Load()
	for _, j := range []thirdparty.Justification{{}, {By: olga}, {Reason: "r"}, {By: olga, Reason: strings.Repeat("x", 2049)}} {
		bare := thirdparty.WithJustification(context.Background(), j)
		_, err := o.Unwrap(bare, "kek", wrapped, []byte("context"))
		require.ErrorIs(t, err, thirdparty.ErrJustification)
		require.ErrorIs(t, err, opsec.ErrDenied)
	}
	_, err := o.Wrap(context.Background(), "kek", []byte("material"), nil)
	require.ErrorIs(t, err, thirdparty.ErrJustification)
	require.ErrorIs(t, o.Generate(context.Background(), "other"), thirdparty.ErrJustification)
	_, err = o.Destroy(context.Background(), "kek")
	require.ErrorIs(t, err, thirdparty.ErrJustification)
	require.Equal(t, calls, o.theirs.calls.Load())
	denied := 0
	for _, e := range o.log.Events() {
		if e.Outcome == opsec.Denied {
			denied++
		}
	}
	require.Equal(t, 7, denied)

	system := thirdparty.Justification{By: opsec.Actor{Kind: opsec.System}, Reason: "rotation is due"}
	_, err = o.Unwrap(thirdparty.WithJustification(context.Background(), system), "kek", wrapped, []byte("context"))
	require.NoError(t, err)
	lax := newOffice(t, thirdparty.Policy{SkipJustification: true})
	require.NoError(t, lax.Generate(context.Background(), "kek"))
}

func TestThePartyIsToldTheJustification(t *testing.T) {
	o := newOffice(t, thirdparty.Policy{})
	var told thirdparty.Justification
	o.theirs.act = func(ctx context.Context) error {
		told, _ = thirdparty.JustificationOf(ctx)
		return nil
	}
	require.NoError(t, o.Generate(ctx, "kek"))
	require.Equal(t, thirdparty.Justification{By: olga, Reason: "start of node 7"}, told)
	_, ok := thirdparty.JustificationOf(context.Background())
	require.False(t, ok)
}

func TestWhatThePartyRefusesIsDeniedAndRecorded(t *testing.T) {
	o := newOffice(t, thirdparty.Policy{Failures: 1})
	wrapped := o.ready(t)
	o.theirs.act = func(context.Context) error { return fmt.Errorf("theirs: closed on Sundays: %w", opsec.ErrDenied) }
	for range 3 { // a no is an answer, and opens no breaker
		_, err := o.Unwrap(ctx, "kek", wrapped, []byte("context"))
		require.ErrorIs(t, err, opsec.ErrDenied)
	}
	events := o.log.Events(thirdparty.ActionUnwrap)
	require.Len(t, events, 3)
	require.Equal(t, opsec.Denied, events[2].Outcome)
	_, err := o.Destroy(ctx, "kek")
	require.ErrorIs(t, err, opsec.ErrDenied)
	require.Equal(t, opsec.Denied, o.log.Events(thirdparty.ActionDestroy)[1].Outcome)
	o.log.None(t, thirdparty.ActionSuspend)
}

func TestWhatIsNotRecordedIsNotHandedOn(t *testing.T) {
	o := newOffice(t, thirdparty.Policy{})
	wrapped := o.ready(t)
	full := errors.New("disk full")
	o.log.Fail(full)
	got, err := o.Unwrap(ctx, "kek", wrapped, []byte("context"))
	require.ErrorIs(t, err, full)
	require.Nil(t, got)
	got, err = o.Wrap(ctx, "kek", []byte("material"), nil)
	require.ErrorIs(t, err, full)
	require.Nil(t, got)
	calls := o.theirs.calls.Load()
	_, err = o.Destroy(ctx, "kek")
	require.ErrorIs(t, err, full)
	require.ErrorIs(t, o.Generate(ctx, "other"), full)
	require.Equal(t, calls, o.theirs.calls.Load(), "an intent that is not recorded is not carried out")
	o.log.Fail(nil)
	_, err = o.Unwrap(ctx, "kek", wrapped, []byte("context"))
	require.NoError(t, err)
}

func TestThePartyHasItsBudgetAndNoMore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := newOffice(t, thirdparty.Policy{})
		wrapped := o.ready(t)
		o.theirs.act = func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(249 * time.Millisecond):
				return nil
			}
		}
		_, err := o.Unwrap(ctx, "kek", wrapped, []byte("context"))
		require.NoError(t, err)

		o.theirs.act = func(ctx context.Context) error {
			<-ctx.Done()
			return fmt.Errorf("theirs: %w", ctx.Err())
		}
		began := time.Now()
		_, err = o.Unwrap(ctx, "kek", wrapped, []byte("context"))
		require.Equal(t, 250*time.Millisecond, time.Since(began))
		var late *thirdparty.UnansweredError
		require.ErrorAs(t, err, &late)
		require.ErrorIs(t, err, keymgmt.ErrUnavailable)
		require.Equal(t, "Keyholders", late.Party)
		events := o.log.Events(thirdparty.ActionUnwrap)
		require.Equal(t, opsec.Failure, events[1].Outcome)

		_, err = o.Destroy(ctx, "kek")
		require.ErrorIs(t, err, keymgmt.ErrUnavailable)
		require.Equal(t, opsec.Unknown, o.log.Events(thirdparty.ActionDestroy)[1].Outcome, "it may have been done")
	})
}

// deaf is a custodian that takes its time, and does not heed its context.
type deaf struct{ keymgmt.Custodian }

func (d deaf) Generate(ctx context.Context, handle string) error {
	time.Sleep(251 * time.Millisecond)
	return d.Custodian.Generate(context.WithoutCancel(ctx), handle)
}

func (d deaf) Unwrap(ctx context.Context, handle string, wrapped, data []byte) ([]byte, error) {
	time.Sleep(251 * time.Millisecond)
	return d.Custodian.Unwrap(context.WithoutCancel(ctx), handle, wrapped, data)
}

// TestAnAnswerThatComesTooLateIsNone has a party whose custodian does not heed its context.
func TestAnAnswerThatComesTooLateIsNone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := newOffice(t, thirdparty.Policy{Failures: 2})
		wrapped := o.ready(t)
		o.theirs.Custodian = deaf{o.theirs.Custodian}
		got, err := o.Unwrap(ctx, "kek", wrapped, []byte("context"))
		require.ErrorIs(t, err, keymgmt.ErrUnavailable)
		require.Nil(t, got)
		events := o.log.Events(thirdparty.ActionUnwrap)
		require.Equal(t, opsec.Failure, events[len(events)-1].Outcome)
		require.ErrorIs(t, o.Generate(ctx, "other"), keymgmt.ErrUnavailable)
		events = o.log.Events(thirdparty.ActionGenerate)
		require.Equal(t, opsec.Unknown, events[len(events)-1].Outcome, "it was done, and nobody has heard of it in time")
		var left *thirdparty.SuspendedError
		require.ErrorAs(t, o.Generate(ctx, "other"), &left)
	})
}

func TestACallerWhoGoesIsNotThePartysFault(t *testing.T) {
	o := newOffice(t, thirdparty.Policy{Failures: 1})
	wrapped := o.ready(t)
	gone, cancel := context.WithCancel(ctx)
	o.theirs.act = func(ctx context.Context) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}
	_, err := o.Unwrap(gone, "kek", wrapped, []byte("context"))
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, o.log.Events(thirdparty.ActionUnwrap), 1, "it was asked")
	o.theirs.act = nil
	_, err = o.Unwrap(gone, "kek", wrapped, []byte("context"))
	require.ErrorIs(t, err, context.Canceled)
	_, err = o.Unwrap(ctx, "kek", wrapped, []byte("context"))
	require.NoError(t, err)
	o.log.None(t, thirdparty.ActionSuspend)
}

func TestAPartyThatDoesNotAnswerIsLeftAlone(t *testing.T) {
	o := newOffice(t, thirdparty.Policy{Failures: 3, Pause: time.Minute})
	wrapped := o.ready(t)
	down := errors.New("connection refused")
	unwrap := func() error {
		_, err := o.Unwrap(ctx, "kek", wrapped, []byte("context"))
		return err
	}
	o.theirs.act = func(context.Context) error { return down }
	for range 2 {
		require.ErrorIs(t, unwrap(), down)
	}
	o.theirs.act = nil
	require.NoError(t, unwrap(), "an answer, and the count begins anew")
	o.theirs.act = func(context.Context) error { return down }
	for range 3 {
		err := unwrap()
		require.ErrorIs(t, err, down)
		require.ErrorIs(t, err, keymgmt.ErrUnavailable, "whatever the party calls it")
	}
	o.log.One(t, thirdparty.ActionSuspend)

	calls, recorded := o.theirs.calls.Load(), len(o.log.Events())
	o.now = noon.Add(time.Minute - 1)
	var suspended *thirdparty.SuspendedError
	require.ErrorAs(t, unwrap(), &suspended)
	require.ErrorIs(t, unwrap(), keymgmt.ErrUnavailable)
	require.Equal(t, noon.Add(time.Minute), suspended.Until)
	_, err := o.Destroy(ctx, "kek")
	require.ErrorAs(t, err, &suspended)
	require.Equal(t, opsec.Failure, o.log.Events(thirdparty.ActionDestroy)[1].Outcome, "not done for sure")
	require.Equal(t, calls, o.theirs.calls.Load())
	require.Len(t, o.log.Events(), recorded+2)

	o.now = noon.Add(time.Minute)
	require.ErrorIs(t, unwrap(), down, "one tries")
	require.ErrorAs(t, unwrap(), &suspended)
	require.Equal(t, noon.Add(2*time.Minute), suspended.Until)
	require.Len(t, o.log.Events(thirdparty.ActionSuspend), 1, "it was so before")

	o.now = noon.Add(2 * time.Minute)
	o.theirs.act = nil
	require.NoError(t, unwrap())
	o.log.One(t, thirdparty.ActionResume)
	require.NoError(t, unwrap())
}

func TestOneCallAloneTries(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := newOffice(t, thirdparty.Policy{Failures: 1, Pause: time.Minute})
		wrapped := o.ready(t)
		o.theirs.act = func(context.Context) error { return errors.New("down") }
		_, err := o.Unwrap(ctx, "kek", wrapped, []byte("context"))
		require.Error(t, err)
		o.now = noon.Add(time.Minute)
		o.theirs.act = func(context.Context) error { time.Sleep(100 * time.Millisecond); return nil }
		calls := o.theirs.calls.Load()
		var wg sync.WaitGroup
		var mu sync.Mutex
		refused := 0
		for range 10 {
			wg.Go(func() {
				if _, err := o.Unwrap(ctx, "kek", wrapped, []byte("context")); errors.Is(err, keymgmt.ErrUnavailable) {
					mu.Lock()
					defer mu.Unlock()
					refused++
				}
			})
		}
		wg.Wait()
		require.Equal(t, 9, refused)
		require.Equal(t, calls+1, o.theirs.calls.Load())
	})
}

func TestTheTrialOfACallerWhoGoesIsOfferedToTheNext(t *testing.T) {
	o := newOffice(t, thirdparty.Policy{Failures: 1, Pause: time.Minute})
	wrapped := o.ready(t)
	o.theirs.act = func(context.Context) error { return errors.New("down") }
	_, err := o.Unwrap(ctx, "kek", wrapped, []byte("context"))
	require.Error(t, err)
	o.now = noon.Add(time.Minute)
	gone, cancel := context.WithCancel(ctx)
	o.theirs.act = func(context.Context) error { cancel(); return context.Canceled }
	_, err = o.Unwrap(gone, "kek", wrapped, []byte("context"))
	require.ErrorIs(t, err, context.Canceled)
	o.theirs.act = nil
	_, err = o.Unwrap(ctx, "kek", wrapped, []byte("context"))
	require.NoError(t, err)
}

func TestAClockThatGoesBackSuspendsForAPauseAtMost(t *testing.T) {
	o := newOffice(t, thirdparty.Policy{Failures: 1, Pause: time.Minute})
	wrapped := o.ready(t)
	o.theirs.act = func(context.Context) error { return errors.New("down") }
	_, err := o.Unwrap(ctx, "kek", wrapped, []byte("context"))
	require.Error(t, err)
	o.theirs.act = nil
	o.now = noon.Add(-24 * time.Hour)
	_, err = o.Unwrap(ctx, "kek", wrapped, []byte("context"))
	require.ErrorIs(t, err, keymgmt.ErrUnavailable)
	o.now = o.now.Add(time.Minute)
	_, err = o.Unwrap(ctx, "kek", wrapped, []byte("context"))
	require.NoError(t, err)
}

func TestAPanicLeavesTheBreakerWhole(t *testing.T) {
	o := newOffice(t, thirdparty.Policy{Failures: 2})
	wrapped := o.ready(t)
	o.theirs.act = func(context.Context) error { panic("theirs") }
	require.Panics(t, func() { o.Unwrap(ctx, "kek", wrapped, []byte("context")) })
	o.theirs.act = nil
	_, err := o.Unwrap(ctx, "kek", wrapped, []byte("context"))
	require.NoError(t, err)
}

func TestPolicyIsData(t *testing.T) {
	p := thirdparty.Policy{Name: "Keyholders", Budget: time.Second, Failures: 3, Pause: time.Minute, SkipJustification: true}
	b, err := json.Marshal(p)
	require.NoError(t, err)
	require.JSONEq(t, `{"name":"Keyholders","budget":"1s","failures":3,"pause":"1m0s","skip_justification":true}`, string(b))
	var read thirdparty.Policy
	require.NoError(t, json.Unmarshal(b, &read))
	require.Equal(t, p, read)
	require.NoError(t, json.Unmarshal([]byte(`{"name":"x"}`), &read))
	require.Equal(t, thirdparty.Policy{Name: "x"}, read)
	for field, text := range map[string]string{
		"name":     `{}`,
		"budget":   `{"name":"x","budget":"2m"}`,
		"failures": `{"name":"x","failures":-1}`,
		"pause":    `{"name":"x","pause":"2h"}`,
		"unknown":  `{"name":"x","limit":1}`,
		"at most":  `{"name":"` + strings.Repeat("x", 5000) + `"}`,
	} {
		err := json.Unmarshal([]byte(text), &read)
		require.ErrorIs(t, err, opsec.ErrInvalid, field)
		require.ErrorContains(t, err, field)
		require.Equal(t, thirdparty.Policy{Name: "x"}, read)
	}
}

func TestNewRefuses(t *testing.T) {
	o := newOffice(t, thirdparty.Policy{})
	options := &thirdparty.Options{Recorder: o.log}
	for field, err := range map[string]error{
		"name":      second(thirdparty.New(o.theirs, thirdparty.Policy{}, options)),
		"custodian": second(thirdparty.New(nil, thirdparty.Policy{Name: "x"}, options)),
		"Recorder":  second(thirdparty.New(o.theirs, thirdparty.Policy{Name: "x"}, nil)),
		"options":   second(thirdparty.New(o.theirs, thirdparty.Policy{Name: "x"}, &thirdparty.Options{})),
	} {
		require.ErrorIs(t, err, opsec.ErrInvalid, field)
		require.ErrorContains(t, err, field)
	}
}

func second(_ *thirdparty.Party, err error) error { return err }

func FuzzPolicy(f *testing.F) {
	f.Add([]byte(`{"name":"Keyholders","budget":"1s","failures":3,"pause":"1m0s"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p thirdparty.Policy
		if p.UnmarshalJSON(b) != nil {
			require.Zero(t, p)
			return
		}
		again, err := json.Marshal(p)
		require.NoError(t, err)
		var read thirdparty.Policy
		require.NoError(t, read.UnmarshalJSON(again))
		require.Equal(t, p, read)
	})
}

// keeps is a custodian that remembers what it has given.
type keeps struct {
	keymgmt.Custodian
	given []byte
}

func (k *keeps) Unwrap(ctx context.Context, handle string, wrapped, data []byte) ([]byte, error) {
	got, err := k.Custodian.Unwrap(ctx, handle, wrapped, data)
	k.given = got
	return got, err
}

func TestWhatIsNotRecordedIsCleared(t *testing.T) {
	o := newOffice(t, thirdparty.Policy{})
	wrapped := o.ready(t)
	k := &keeps{Custodian: o.theirs.Custodian}
	o.theirs.Custodian = k
	o.log.Fail(errors.New("disk full"))
	_, err := o.Unwrap(ctx, "kek", wrapped, []byte("context"))
	require.Error(t, err)
	require.Equal(t, make([]byte, len("material")), k.given)
}
