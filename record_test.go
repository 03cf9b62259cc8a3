package opsec_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
)

// recorderFunc is a Recorder made of a function.
type recorderFunc func(e *opsec.Event) error

func (f recorderFunc) Record(_ context.Context, e *opsec.Event) (opsec.Receipt, error) {
	return opsec.Receipt{Event: e.ID}, f(e)
}

// memory keeps copies of what it is given, and fails while err is set.
type memory struct {
	events []opsec.Event
	err    error
}

func (m *memory) Record(_ context.Context, e *opsec.Event) (opsec.Receipt, error) {
	if m.err != nil {
		return opsec.Receipt{}, m.err
	}
	m.events = append(m.events, *e)
	return opsec.Receipt{Event: e.ID, Durable: true}, nil
}

func restore() *opsec.Event {
	e := opsec.NewEvent("backup.restore", time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC))
	e.Class = opsec.Critical
	e.Attrs = []opsec.Attr{{Key: "volume", Value: "vol-7", Mark: opsec.Tenant}}
	return e
}

func TestOperationIsTwoEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m memory
		e := restore()
		op, err := opsec.Begin(t.Context(), &m, e)
		require.NoError(t, err)
		e.Attrs[0].Value = "changed by the caller afterwards"

		time.Sleep(90 * time.Second)
		size := opsec.Attr{Key: "bytes", Value: "42", Mark: opsec.Tenant}
		require.NoError(t, op.End(t.Context(), opsec.Failure, size))
		require.Len(t, m.events, 2)
		intent, end := m.events[0], m.events[1]

		require.Equal(t, e.ID, intent.ID)
		require.Equal(t, opsec.Pending, intent.Outcome)
		require.Empty(t, e.Outcome, "the caller's event is as it was")

		require.NoError(t, end.Validate())
		require.NotEqual(t, intent.ID, end.ID)
		require.Equal(t, intent.ID, end.Intent)
		require.Equal(t, opsec.Failure, end.Outcome)
		require.Equal(t, intent.Time, end.Began)
		require.Equal(t, intent.Time.Add(90*time.Second), end.Time)
		require.Equal(t, []opsec.Attr{{Key: "volume", Value: "vol-7", Mark: opsec.Tenant}, size}, end.Attrs)
		require.Equal(t, opsec.Critical, end.Class)
	})
}

func TestOperationEndsOnce(t *testing.T) {
	m := memory{}
	op, err := opsec.Begin(t.Context(), &m, restore())
	require.NoError(t, err)

	m.err = errors.New("disk full")
	require.ErrorIs(t, op.End(t.Context(), opsec.Success), m.err)
	m.err = nil
	require.NoError(t, op.End(t.Context(), opsec.Success), "after an error it may be tried again")
	require.ErrorIs(t, op.End(t.Context(), opsec.Failure), opsec.ErrInvalid)
	require.Len(t, m.events, 2)
}

func TestNothingBeginsUnrecorded(t *testing.T) {
	m := memory{err: errors.New("disk full")}
	op, err := opsec.Begin(t.Context(), &m, restore())
	require.ErrorIs(t, err, m.err)
	require.ErrorContains(t, err, "backup.restore")
	require.Nil(t, op)
}

// An effect outside the process is bracketed: no intent on record, no effect.
func ExampleBegin() {
	ctx := context.Background()
	log := recorderFunc(func(e *opsec.Event) error {
		fmt.Println("recorded:", e.Action, e.Outcome)
		return nil
	})
	restore := func() error { return fmt.Errorf("volume vol-7: %w", opsec.ErrDenied) }

	e := opsec.NewEvent("backup.restore", time.Now())
	e.Tenant, e.Class = "acme", opsec.Critical
	op, err := opsec.Begin(ctx, log, e)
	if err != nil {
		return // not recorded: do not act
	}
	err = restore()
	err = errors.Join(err, op.End(ctx, opsec.OutcomeOf(err)))
	fmt.Println(err)
	// Output:
	// recorded: backup.restore pending
	// recorded: backup.restore denied
	// volume vol-7: denied
}
