// Package program lets the test binary of an example be the example, so that its tests run it as a user does.
package program

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// variable tells the test binary that it is the program.
const variable = "OPSEC_EXAMPLE_TEST"

// Main is for TestMain: it runs the tests, or main.
func Main(m *testing.M, main func()) {
	if os.Getenv(variable) == "be the program" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Run runs the program in a folder, "" for that of the test, and wants an exit code; something on standard error when that is 2, and
// nothing else; and no panic. It returns what the program has written.
func Run(t *testing.T, dir string, code int, args ...string) (out, problems string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, args...)
	var stdout, stderr strings.Builder
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &stdout, &stderr
	cmd.Env = append(os.Environ(), variable+"=be the program", "GORACE=atexit_sleep_ms=0")
	if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
	out, problems = stdout.String(), stderr.String()
	if got := cmd.ProcessState.ExitCode(); got != code || code == 2 != (problems != "") || strings.Contains(problems, "panic") {
		t.Fatalf("%q: exit %d, want %d; standard output:\n%s\nstandard error:\n%s", args, got, code, out, problems)
	}
	return out, problems
}
