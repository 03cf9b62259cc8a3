package pgreplica_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/dr"
	"github.com/cloudopsec/opsec/backup/dr/pgreplica"
)

// server is what a primary says: a log that grows with each beat.
type server struct {
	recovering, streams, waits, stuck bool
	line                              string
	log, flushed                      pgreplica.LSN
	garbled                           bool
	busy                              bool // others write, and the standby has flushed the beat and no more
	hang                              bool // a beat waits for the standby until it is cancelled
	failure                           error
	beats                             int
}

func (s *server) Exec(ctx context.Context, q string, _ ...any) error {
	if !strings.Contains(q, "opsec_replica_beat") {
		return fmt.Errorf("unexpected: %s", q)
	}
	s.beats++
	s.log += 100
	if s.hang {
		<-ctx.Done()
		return ctx.Err()
	}
	return s.failure
}

func (s *server) Row(_ context.Context, into []any, _ string, _ ...any) error {
	if len(into) == 1 {
		*into[0].(*string) = s.log.String()
		if s.busy {
			s.flushed = s.log
			s.log++
			time.Sleep(time.Millisecond)
		}
		return nil
	}
	*into[0].(*bool), *into[1].(*string), *into[2].(*string) = s.recovering, s.line, s.log.String()
	*into[3].(*bool), *into[4].(*bool), *into[5].(*bool) = s.streams, s.waits, s.stuck
	*into[6].(*string) = s.flushed.String()
	if s.garbled {
		*into[6].(*string) = "nonsense"
	}
	return nil
}

func monitor(t testing.TB, s *server) *pgreplica.Monitor {
	m, err := pgreplica.New(s, pgreplica.Policy{Standby: "other", Wait: pgreplica.Duration(2 * time.Second)})
	require.NoError(t, err)
	return m
}

func exposure(t testing.TB, s dr.Status) time.Duration {
	d, known := s.Exposure()
	require.True(t, known, "%+v", s)
	return d
}

func TestAsynchronousExposureGrowsUntilTheBeatIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{streams: true, line: "00000001"}
		m := monitor(t, s)
		status, err := m.Look(t.Context())
		require.NoError(t, err)
		_, known := status.Exposure()
		require.False(t, known, "nothing has been seen there yet")
		s.flushed = s.log
		began := time.Now()
		time.Sleep(time.Second)
		status, err = m.Look(t.Context())
		require.NoError(t, err)
		require.Equal(t, time.Second, exposure(t, status))
		require.EqualValues(t, 100, status.Behind)
		time.Sleep(time.Minute)
		status, err = m.Look(t.Context())
		require.NoError(t, err)
		require.Equal(t, 61*time.Second, exposure(t, status))
		require.True(t, status.Safe.Equal(began))
		s.flushed = s.log + 100
		status, err = m.Look(t.Context())
		require.NoError(t, err)
		require.Zero(t, exposure(t, status))
		require.Zero(t, status.Behind)

		s.streams, s.log = false, s.log+1 // something was written, and there is no standby
		time.Sleep(time.Second)
		status, err = m.Look(t.Context())
		require.NoError(t, err)
		require.Equal(t, time.Second, exposure(t, status))
		require.False(t, status.Connected)
	})
}

// The beat is there, and what others have written since is not: that is exposed too, unless commits wait for the standby.
func TestWritesAfterTheBeatAreExposed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for waits, want := range map[bool]time.Duration{false: time.Millisecond, true: 0} {
			status, err := monitor(t, &server{streams: true, waits: waits, busy: true}).Look(t.Context())
			require.NoError(t, err)
			require.Equal(t, want, exposure(t, status))
		}
	})
}

func TestBeatWhoseWaitIsCancelledIsNoWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{streams: true, waits: true, line: "00000001", flushed: 1 << 40}
		m := monitor(t, s)
		good, err := m.Look(t.Context())
		require.NoError(t, err)
		require.True(t, good.Synchronous)
		s.hang, s.flushed = true, s.log
		began := time.Now()
		status, err := m.Look(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2*time.Second, time.Since(began))
		require.Equal(t, good.Newest, status.Newest)
		require.False(t, status.Synchronous || status.Connected)
		require.Zero(t, exposure(t, status))

		s.streams, s.waits, s.stuck = false, false, true
		beats := s.beats
		began = time.Now()
		_, err = m.Look(t.Context())
		require.NoError(t, err)
		require.Zero(t, time.Since(began), "nobody is there to wait for")
		require.Equal(t, beats, s.beats)
	})
}

// That the caller has no more time says nothing of the standby.
func TestLookThatTheCallerEndsIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{streams: true, waits: true, line: "00000001", hang: true}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := monitor(t, s).Look(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestPlacesOfAnotherTimelineMeanNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{streams: true, line: "00000001"}
		m := monitor(t, s)
		_, err := m.Look(t.Context())
		require.NoError(t, err)
		s.flushed = s.log
		status, err := m.Look(t.Context())
		require.NoError(t, err)
		require.NotZero(t, status.Safe)
		s.line, s.flushed = "00000002", s.log // as large as the beat's, in another history
		status, err = m.Look(t.Context())
		require.NoError(t, err)
		_, known := status.Exposure()
		require.False(t, known)
		require.Zero(t, status.Safe)
	})
}

func TestWhatCannotBeSeenIsAnError(t *testing.T) {
	_, err := monitor(t, &server{recovering: true}).Look(t.Context())
	require.ErrorIs(t, err, opsec.ErrDenied)
	_, err = monitor(t, &server{garbled: true}).Look(t.Context())
	require.ErrorIs(t, err, opsec.ErrInvalid)
	broken := errors.New("disk full")
	_, err = monitor(t, &server{failure: broken, streams: true, waits: true}).Look(t.Context())
	require.ErrorIs(t, err, broken)
	for _, p := range []pgreplica.Policy{{}, {Standby: "a"}, {Wait: 1}, {Standby: strings.Repeat("a", 64), Wait: 1}, {Standby: "a", Wait: pgreplica.Duration(time.Hour)}} {
		_, err = pgreplica.New(&server{}, p)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	_, err = pgreplica.New(nil, pgreplica.Policy{Standby: "a", Wait: 1})
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

// However many beats are waiting, what is remembered is bounded, and exposure is coarser and never too small.
func TestLongSilenceIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{streams: true, line: "00000001"}
		m := monitor(t, s)
		var times []time.Time
		var ends []pgreplica.LSN
		for range 10_000 {
			times = append(times, time.Now())
			_, err := m.Look(t.Context())
			require.NoError(t, err)
			ends = append(ends, s.log)
			time.Sleep(time.Second)
		}
		s.flushed = ends[7000]
		status, err := m.Look(t.Context())
		require.NoError(t, err)
		require.False(t, status.Safe.After(times[7000]))
		require.True(t, status.Safe.After(times[6900]), "%v, %v", status.Safe, times[7000])
	})
}

func TestLSN(t *testing.T) {
	l, err := pgreplica.ParseLSN("16/B374D848")
	require.NoError(t, err)
	require.EqualValues(t, 0x16B374D848, l)
	rapid.Check(t, func(t *rapid.T) {
		l := pgreplica.LSN(rapid.Uint64().Draw(t, "l"))
		read, err := pgreplica.ParseLSN(l.String())
		require.NoError(t, err)
		require.Equal(t, l, read)
	})
	for _, s := range []string{"", "/", "1", "1/", "/1", "+1/1", "1/1/1", "100000000/0", "0x1/1", "1_1/0", "-1/0"} {
		_, err := pgreplica.ParseLSN(s)
		require.ErrorIs(t, err, opsec.ErrInvalid, s)
	}
}

func ExampleAcknowledged() {
	fmt.Println(pgreplica.Acknowledged(nil))                                   // a commit
	fmt.Println(pgreplica.Acknowledged(nil, "00000"))                          // with a notice of something else
	fmt.Println(pgreplica.Acknowledged(nil, pgreplica.CodeWarning))            // the wait for the standby was cancelled
	fmt.Println(pgreplica.Acknowledged(errors.New("the connection was lost"))) // nobody knows
	// Output:
	// true
	// true
	// false
	// false
}
