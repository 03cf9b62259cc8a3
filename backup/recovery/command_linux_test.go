package recovery_test

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/backup/recovery"
)

// apart skips where the system lets nobody have a network of their own.
func apart(t *testing.T) {
	cmd := exec.Command("/bin/true")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}},
	}
	if err := cmd.Run(); err != nil {
		t.Skipf("no user namespaces here: %v", err)
	}
}

func TestACommandHasNoNetworkNoEnvironmentAndNoShell(t *testing.T) {
	apart(t)
	t.Setenv("PRODUCTION_PASSWORD", "x")
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(dir+"/f", []byte("restored"), 0o600))
	said, err := recovery.Command{Path: "/bin/cat", Args: []string{"f", "/proc/net/dev", "/proc/self/environ"}, Env: []string{"A=b"}}.Check(bg, dir)
	require.NoError(t, err)
	require.Contains(t, said, "restored")
	require.Equal(t, 1, strings.Count(said, ": "), "interfaces other than lo: %q", said)
	require.Contains(t, said, "A=b")
	require.NotContains(t, said, "PRODUCTION")
	said, err = recovery.Command{Path: "/bin/echo", Args: []string{"{}", "$HOME;x{}"}}.Check(bg, dir)
	require.NoError(t, err)
	require.Equal(t, dir+" $HOME;x{}\n", said)
}

func TestACommandThatFailsOrHangsIsAFailure(t *testing.T) {
	here := func(c recovery.Command) (string, error) {
		c.Path, c.InsecureNetwork = "/bin/sh", true
		return c.Check(bg, t.TempDir())
	}
	said, err := here(recovery.Command{Args: []string{"-c", "echo no rows >&2; exit 3"}})
	require.ErrorContains(t, err, "exit status 3")
	require.Equal(t, "no rows\n", said)

	start := time.Now()
	_, err = here(recovery.Command{Args: []string{"-c", "sleep 60 & sleep 60; true"}, Time: 100 * time.Millisecond})
	require.EqualError(t, err, "it took more than 100ms")
	require.Less(t, time.Since(start), 30*time.Second, "what it has started lives on")

	said, err = here(recovery.Command{Args: []string{"-c", "yes | head -c 200000"}})
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(said, "(134464 more bytes)"), said[len(said)-40:])

	_, err = recovery.Command{Path: "true"}.Check(bg, t.TempDir())
	require.ErrorContains(t, err, "absolute")
	_, err = recovery.Command{Path: "/no/such/program", InsecureNetwork: true}.Check(bg, t.TempDir())
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestWhatACommandStartsEndsWithIt(t *testing.T) {
	apart(t)
	for name, c := range map[string]recovery.Command{
		"in its group":            {InsecureNetwork: true, Args: []string{"-c", "sleep 60 >/dev/null 2>&1 & echo $!"}},
		"in a session of its own": {Args: []string{"-c", "setsid sleep 61 >/dev/null 2>&1 & sleep 0.3"}},
	} {
		c.Path = "/bin/sh"
		said, err := c.Check(bg, t.TempDir())
		require.NoError(t, err, name)
		if c.InsecureNetwork {
			pid, err := strconv.Atoi(strings.TrimSpace(said))
			require.NoError(t, err)
			require.Eventually(t, func() bool {
				stat, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
				return syscall.Kill(pid, 0) != nil || strings.Contains(string(stat), ") Z ")
			}, 5*time.Second, 10*time.Millisecond, name)
			continue
		}
		require.Eventually(t, func() bool { return !running("sleep\x0061") }, 5*time.Second, 20*time.Millisecond, name)
	}
}

func running(command string) bool {
	list, _ := os.ReadDir("/proc")
	for _, e := range list {
		line, _ := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		if strings.HasPrefix(string(line), command) {
			return true
		}
	}
	return false
}
