package main

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/examples/internal/program"
)

// TestMain lets the test binary be the program.
func TestMain(m *testing.M) { program.Main(m, main) }

// exits runs the program, and wants an exit code.
func exits(t *testing.T, code int, args ...string) string {
	t.Helper()
	out, _ := program.Run(t, "", code, args...)
	return out
}

func TestLossIsWithinTheExposureAndTheFormerPrimaryIsFenced(t *testing.T) {
	began := time.Now()
	var r report
	require.NoError(t, json.Unmarshal([]byte(exits(t, 0, "-json", "-run", "1s")), &r))
	require.Less(t, time.Since(began), 20*time.Second)
	require.True(t, r.Fenced && r.Same)
	require.Greater(t, r.Second, r.First)
	require.Greater(t, r.Acknowledged, 20)
	require.LessOrEqual(t, r.LostSpan, r.Exposed)
	require.Positive(t, r.Exposed)
	require.GreaterOrEqual(t, r.Took, int64(600), "nobody takes over before the lease has ended: a second after it was renewed last")
	t.Logf("%+v", r)
}

func TestWrongUseIsRefused(t *testing.T) {
	exits(t, 2, "-run", "1ms")
	exits(t, 2, "more")
}

func TestLossBeyondTheExposureIsAFinding(t *testing.T) {
	good := report{Exposed: 200, LostSpan: 200, First: 1, Second: 2, Fenced: true, Same: true}
	require.True(t, good.good())
	for _, spoil := range []func(*report){
		func(r *report) { r.LostSpan = 201 },
		func(r *report) { r.Fenced = false },
		func(r *report) { r.Same = false },
		func(r *report) { r.Second = 1 },
	} {
		bad := good
		spoil(&bad)
		require.False(t, bad.good())
	}
}
