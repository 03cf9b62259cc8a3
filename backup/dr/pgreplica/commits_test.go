package pgreplica_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/dr/pgreplica"
)

// session is one whose warnings reach a handler, if it has one.
type session struct {
	handler func(code string)
	waits   bool
	err     error
}

func (s session) Exec(_ context.Context, q string, _ ...any) error {
	if s.handler != nil && strings.Contains(q, "RAISE WARNING") {
		s.handler(pgreplica.CodeWarning)
	}
	return s.err
}

func (s session) Row(_ context.Context, into []any, _ string, _ ...any) error {
	*into[0].(*bool) = s.waits
	return nil
}

func TestCommitIsAcknowledgedOnlyWithoutAWarning(t *testing.T) {
	c := new(pgreplica.Commits)
	require.NoError(t, c.Prove(t.Context(), session{handler: c.Notice, waits: true}))
	c.Notice(pgreplica.CodeWarning) // of a statement before
	require.NoError(t, c.Do(func() error { c.Notice("00000"); return nil }))
	for _, code := range []string{pgreplica.CodeWarning, pgreplica.CodeShutdown, pgreplica.CodeCanceled} {
		require.Equal(t, pgreplica.ErrNotAcknowledged, c.Do(func() error { c.Notice(code); return nil }))
	}
	lost := errors.New("the connection was lost")
	require.Equal(t, lost, c.Do(func() error { c.Notice(pgreplica.CodeShutdown); return lost }))
	require.NoError(t, c.Do(func() error { return nil }), "what was of the one before is forgotten")
}

func TestCommitsThatCannotHearDoNothing(t *testing.T) {
	never := func() error { t.Fatal("called"); return nil }
	c := new(pgreplica.Commits)
	require.ErrorIs(t, c.Do(never), opsec.ErrInvalid)
	good := session{handler: c.Notice, waits: true}
	broken := errors.New("broken")
	for name, s := range map[string]session{
		"no handler": {waits: true}, "waits for nobody": {handler: c.Notice}, "broken": {handler: c.Notice, waits: true, err: broken},
	} {
		require.NoError(t, c.Prove(t.Context(), good))
		err := c.Prove(t.Context(), s)
		require.Error(t, err, name)
		require.Equal(t, name != "broken", errors.Is(err, opsec.ErrInvalid), name)
		require.ErrorIs(t, c.Do(never), opsec.ErrInvalid, name)
	}
}

// standby answers as one does.
type standby struct {
	recovering    bool
	has, replayed string
	commit        int64
}

func (standby) Exec(context.Context, string, ...any) error {
	return errors.New("a standby is not written to")
}

func (s standby) Row(_ context.Context, into []any, _ string, _ ...any) error {
	*into[0].(*bool), *into[1].(*string), *into[2].(*int64) = s.recovering, "streaming", 0
	*into[3].(*string), *into[4].(*string), *into[5].(*int64) = s.has, s.replayed, s.commit
	return nil
}

func TestStandbySaysWhatItHas(t *testing.T) {
	at := time.Date(2026, 3, 2, 12, 0, 0, 1000, time.UTC)
	s, err := pgreplica.LookAtStandby(t.Context(), standby{true, "1/20", "1/10", at.UnixMicro()})
	require.NoError(t, err)
	require.Equal(t, pgreplica.Standby{Status: "streaming", Has: 1<<32 + 32, Replayed: 1<<32 + 16, Commit: at}, s)
	require.EqualValues(t, 16, s.ToReplay())
	require.Zero(t, pgreplica.Standby{Replayed: 5}.ToReplay())
	_, err = pgreplica.LookAtStandby(t.Context(), standby{false, "1/20", "1/10", 0})
	require.ErrorIs(t, err, opsec.ErrDenied)
	_, err = pgreplica.LookAtStandby(t.Context(), standby{true, "1/20", "x", 0})
	require.ErrorIs(t, err, opsec.ErrInvalid)
}
