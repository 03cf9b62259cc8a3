package dr_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/dr"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
)

type recorder struct {
	mu     sync.Mutex
	events []opsec.Event
	fail   error
}

func (r *recorder) Record(_ context.Context, e *opsec.Event) (opsec.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		return opsec.Receipt{}, r.fail
	}
	r.events = append(r.events, *e)
	return opsec.Receipt{Event: e.ID, Time: e.Time, Durable: true}, e.Validate()
}

type notifier struct{ got []opsec.Message }

func (n *notifier) Notify(_ context.Context, m opsec.Message) error {
	n.got = append(n.got, m)
	return errors.New("no line")
}

// only permits one action.
type only string

func (o only) Authorize(_ context.Context, _ opsec.Actor, action string, _ opsec.Resource) error {
	if action != string(o) {
		return opsec.ErrDenied
	}
	return nil
}

func inStore(t *testing.T) (dr.States, func() []opsec.Event) {
	db, err := store.New(memory.New(), nil)
	require.NoError(t, err)
	r := &recorder{}
	return dr.Stored(db), func() []opsec.Event {
		for {
			n, err := db.Deliver(t.Context(), db.Node(), r)
			require.NoError(t, err)
			if n == 0 {
				return r.events
			}
		}
	}
}

// Each action is recorded, as an event that is whole, and what is urgent is told.
func TestEveryChangeIsRecordedAndTold(t *testing.T) {
	run := func(t *testing.T, states dr.States, events func() []opsec.Event) {
		now, told := noon, &notifier{}
		o := &dr.Options{Authorizer: opsec.CallerAuthorized{}, Notifier: told, To: []string{"duty"}, Now: func() time.Time { return now }}
		// two handles, as two processes have them
		one, err := dr.NewMirror(states, "orders", policy(dr.Synchronous, dr.Ask), o)
		require.NoError(t, err)
		two, err := dr.NewMirror(states, "orders", policy(dr.Synchronous, dr.Degrade), o)
		require.NoError(t, err)
		ctx := t.Context()
		try := func(m *dr.Mirror, s *dr.Status) dr.Verdict {
			now = s.At
			v, err := m.Observe(ctx, bot, *s)
			require.NoError(t, err)
			return v
		}
		require.Equal(t, dr.BothSites, try(one, here(at(0))).Writes)
		try(one, gone(at(1), at(0)))
		now = at(11)
		_, err = two.Tick(ctx, bot) // no evaluation: held
		require.NoError(t, err)
		_, err = one.Degrade(ctx, dr.Decision{By: ada, Reason: "x"})
		require.ErrorIs(t, err, opsec.ErrDenied)
		_, err = one.Accept(ctx, *evaluation())
		require.NoError(t, err)
		v, err := one.Degrade(ctx, dr.Decision{By: ada, Reason: "the line is cut"})
		require.NoError(t, err)
		require.Equal(t, dr.OnPrimary, v.Writes)
		back := here(at(12))
		back.Synchronous, back.Safe = false, at(0)
		try(one, back)
		now = noon.Add(time.Hour)
		_, err = one.Tick(ctx, bot)
		require.NoError(t, err)
		_, err = one.FailOver(ctx, dr.Takeover{Decision: dr.Decision{By: ada, Reason: "fire"}, AcceptLoss: true})
		require.NoError(t, err)
		_, err = one.FailBack(ctx, dr.Decision{By: ada, Reason: "report D-1"})
		require.NoError(t, err)
		now = now.Add(time.Minute)
		_, err = one.Tick(ctx, bot)
		require.NoError(t, err)
		a, err := dr.NewMirror(states, "mail", policy(dr.Asynchronous, dr.Ask), o)
		require.NoError(t, err)
		now = noon
		_, err = a.Accept(ctx, *evaluation())
		require.NoError(t, err)
		try(a, here(at(1)))
		now = at(60)
		_, err = a.Tick(ctx, bot)
		require.NoError(t, err)

		seen := map[string]int{}
		for _, e := range events() {
			require.NoError(t, e.Validate())
			if e.Outcome == opsec.Success {
				seen[e.Action]++
			} else {
				require.Equal(t, opsec.Denied, e.Outcome)
				seen["denied"]++
			}
		}
		for _, action := range []string{dr.ActionSynchronous, dr.ActionAsynchronous, dr.ActionDegraded, dr.ActionResyncing, dr.ActionFailedOver, dr.ActionFailedBack,
			dr.ActionHeld, dr.ActionAsked, dr.ActionBreached, dr.ActionRiskAccepted, dr.ActionRiskExpired, "denied"} {
			require.NotZero(t, seen[action], "%s in %v", action, seen)
		}
		require.NotEmpty(t, told.got, "and that nobody could be told has stopped nothing")
		s, err := one.State(ctx)
		require.NoError(t, err)
		require.Equal(t, dr.Resyncing, s.Mode)
	}
	t.Run("Memory", func(t *testing.T) {
		r := &recorder{}
		run(t, dr.NewMemory(r), func() []opsec.Event { return r.events })
	})
	t.Run("Stored", func(t *testing.T) {
		states, events := inStore(t)
		run(t, states, events)
	})
}

func TestWhatCannotBeRecordedHasNotHappened(t *testing.T) {
	r := &recorder{fail: errors.New("disk full")}
	m, err := dr.NewMirror(dr.NewMemory(r), "orders", policy(dr.Synchronous, dr.Stop), &dr.Options{Authorizer: opsec.CallerAuthorized{}, Now: func() time.Time { return noon }})
	require.NoError(t, err)
	v, err := m.Observe(t.Context(), bot, *here(noon))
	require.ErrorIs(t, err, r.fail)
	require.Equal(t, dr.Hold, v.Writes)
	s, err := m.State(t.Context())
	require.NoError(t, err)
	require.Zero(t, s)
}

func TestEachVerbAsksWhetherItMay(t *testing.T) {
	states, _ := inStore(t)
	for _, permitted := range []string{dr.PermitObserve, dr.ActionRiskAccepted, dr.ActionDegraded, dr.ActionFailedOver, dr.ActionFailedBack} {
		m, err := dr.NewMirror(states, "orders", policy(dr.Synchronous, dr.Ask), &dr.Options{Authorizer: only(permitted), Now: func() time.Time { return noon }})
		require.NoError(t, err)
		for action, try := range map[string]func() (dr.Verdict, error){
			dr.PermitObserve:      func() (dr.Verdict, error) { return m.Observe(t.Context(), bot, *here(noon)) },
			dr.ActionRiskAccepted: func() (dr.Verdict, error) { return m.Accept(t.Context(), *evaluation()) },
			dr.ActionDegraded:     func() (dr.Verdict, error) { return m.Degrade(t.Context(), dr.Decision{}) },
			dr.ActionFailedOver:   func() (dr.Verdict, error) { return m.FailOver(t.Context(), dr.Takeover{}) },
			dr.ActionFailedBack:   func() (dr.Verdict, error) { return m.FailBack(t.Context(), dr.Decision{}) },
		} {
			v, err := try()
			if action != permitted {
				require.ErrorIs(t, err, opsec.ErrDenied)
				require.Equal(t, dr.Hold, v.Writes)
			} else {
				require.NotErrorIs(t, err, opsec.ErrDenied, action)
			}
		}
	}
	for _, o := range []*dr.Options{nil, {}} {
		_, err := dr.NewMirror(states, "orders", policy(dr.Synchronous, dr.Ask), o)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	_, err := dr.NewMirror(nil, "orders", policy(dr.Synchronous, dr.Ask), &dr.Options{Authorizer: opsec.CallerAuthorized{}})
	require.ErrorIs(t, err, opsec.ErrInvalid)
}
