package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMain lets the test binary be the program.
func TestMain(m *testing.M) {
	if os.Getenv("DRFAILOVER_TEST") == "be the program" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// program runs the program, and wants an exit code.
func program(t *testing.T, code int, args ...string) string {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, args...)
	var out, problems strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &problems
	cmd.Env = append(os.Environ(), "DRFAILOVER_TEST=be the program", "GORACE=atexit_sleep_ms=0")
	if err := cmd.Run(); err != nil {
		require.IsType(t, new(exec.ExitError), err)
	}
	require.Equal(t, code, cmd.ProcessState.ExitCode(), "%s%s", &out, &problems)
	require.Equal(t, code == 2, problems.Len() > 0, "standard error: %s", &problems)
	return out.String()
}

func TestLossIsWithinTheExposureAndTheFormerPrimaryIsFenced(t *testing.T) {
	began := time.Now()
	var r report
	require.NoError(t, json.Unmarshal([]byte(program(t, 0, "-json", "-run", "1s")), &r))
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
	program(t, 2, "-run", "1ms")
	program(t, 2, "more")
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
