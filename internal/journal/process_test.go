package journal_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/internal/journal"
)

// What the test binary is told when it is to be another process.
const (
	actVariable = "JOURNAL_TEST_ACT"
	dirVariable = "JOURNAL_TEST_DIR"
)

func TestMain(m *testing.M) {
	switch act := os.Getenv(actVariable); act {
	case "":
		os.Exit(m.Run())
	case "open":
		openOnce(os.Getenv(dirVariable))
	case "append":
		appendUntilKilled(os.Getenv(dirVariable))
	default:
		panic(act)
	}
}

// another starts the test binary as another process.
func another(t testing.TB, act, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	c := exec.CommandContext(t.Context(), self)
	c.Env = append(os.Environ(), actVariable+"="+act, dirVariable+"="+dir)
	c.Stderr = os.Stderr
	return c
}

func openOnce(dir string) {
	j, r, err := journal.Open(dir, 0, 0, small)
	switch {
	case errors.Is(err, journal.ErrLocked):
		fmt.Print("locked")
	case err != nil:
		fmt.Print(err)
	default:
		fmt.Print(r.Size)
		j.Close()
	}
}

// appendUntilKilled commits entries, and says after each batch how many there are.
func appendUntilKilled(dir string) {
	j, _, err := journal.Open(dir, 0, 0, small)
	if err != nil {
		panic(err)
	}
	go func() {
		for {
			if err := j.Prepare(); err != nil {
				panic(err)
			}
		}
	}()
	for n := 1; ; n = n%17 + 1 {
		b := j.Batch()
		for range n {
			i := j.Size() + uint64(b.Len())
			if _, err := b.Add(leaf(i), body(i)); err != nil {
				panic(err)
			}
		}
		if err := j.Commit(b); err != nil {
			panic(err)
		}
		fmt.Println(j.Size())
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	ask := func() string {
		out, err := another(t, "open", dir).Output()
		require.NoError(t, err)
		return string(out)
	}
	j, _ := open(t, dir, 0)
	commit(t, j, 3)
	require.NoError(t, j.Prepare())
	require.Equal(t, "locked", ask())
	for _, name := range names(t, dir) {
		require.NotContains(t, name, "lock", "there is no lock to remove")
	}
	require.NoError(t, j.Close())
	require.Equal(t, "3", ask())
}

func TestKilledProcessLosesNothingAcknowledged(t *testing.T) {
	rounds := 60
	if testing.Short() {
		rounds = 10
	}
	dir := t.TempDir()
	var acknowledged uint64
	for range rounds {
		child := another(t, "append", dir)
		out, err := child.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, child.Start())
		lines := bufio.NewReader(out)
		told := func() bool { // a line that is whole was written after its Commit
			line, err := lines.ReadBytes('\n')
			if err != nil {
				require.ErrorIs(t, err, io.EOF)
				return false
			}
			n, err := strconv.ParseUint(string(bytes.TrimSpace(line)), 10, 64)
			require.NoError(t, err)
			acknowledged = n
			return true
		}
		for range rand.N(40) + 1 {
			require.True(t, told())
		}
		time.Sleep(rand.N(2 * time.Millisecond)) // at any moment of a Commit
		require.NoError(t, child.Process.Kill())
		for told() {
		}
		require.Error(t, child.Wait())

		j, r, err := journal.Open(dir, acknowledged, 0, small)
		require.NoError(t, err)
		require.GreaterOrEqual(t, r.Size, acknowledged)
		require.LessOrEqual(t, r.Size, acknowledged+17, "one batch more at most")
		indexes, errs := collect(t, j.Replay(0))
		require.Empty(t, errs)
		require.Equal(t, between(0, r.Size), indexes)
		require.NoError(t, j.Close())
		sound(t, dir, 0, r.Size)
	}
}
