//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// cluster is a PostgreSQL server of a test's own, reached through a UNIX socket. Stopped at once and started again, it
// has what a crash would have left.
type cluster struct {
	bin, dir string
	as       *syscall.SysProcAttr // the user that it runs as
}

// startCluster skips the test where PostgreSQL is not installed, unless CI=true.
func startCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{bin: postgresBin()}
	if c.bin == "" {
		const absent = "no initdb in PATH or /usr/lib/postgresql: install Debian's package postgresql"
		if os.Getenv("CI") == "true" {
			t.Fatal(absent)
		}
		t.Skip(absent)
	}
	var err error
	c.dir, err = os.MkdirTemp("", "pg") // the path of a socket is short, and t.TempDir is closed to other users
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(c.dir) })
	if os.Getuid() == 0 { // initdb refuses root
		const nobody = 65534
		require.NoError(t, os.Chown(c.dir, nobody, nobody))
		c.as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	c.run(t, "initdb", "--pgdata="+c.data(), "--username=opsec", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
	c.start(t)
	t.Cleanup(func() { _ = c.command("pg_ctl", "--pgdata="+c.data(), "--mode=immediate", "stop").Run() })
	return c
}

func postgresBin() string {
	names, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(names) > 0 {
		return filepath.Dir(names[len(names)-1])
	}
	name, err := exec.LookPath("initdb")
	if err != nil {
		return ""
	}
	return filepath.Dir(name)
}

func (c *cluster) data() string { return filepath.Join(c.dir, "data") }

func (c *cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir, cmd.SysProcAttr = c.dir, c.as
	return cmd
}

func (c *cluster) run(t *testing.T, name string, args ...string) {
	t.Helper()
	out, err := c.command(name, args...).CombinedOutput()
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(c.dir, "log"))
		t.Fatalf("%s: %v\n%s%s", name, err, out, log)
	}
}

func (c *cluster) start(t *testing.T) {
	t.Helper()
	options := fmt.Sprintf("-k %s -c listen_addresses='' -c max_connections=200", c.dir)
	c.run(t, "pg_ctl", "--pgdata="+c.data(), "--log="+filepath.Join(c.dir, "log"), "--options="+options, "start")
}

func (c *cluster) crash(t *testing.T) {
	t.Helper()
	c.run(t, "pg_ctl", "--pgdata="+c.data(), "--mode=immediate", "stop")
}

// url is of a schema in the one database; each is a store of its own.
func (c *cluster) url(schema string) string {
	parts := []string{"host=" + c.dir, "user=opsec", "dbname=postgres", "sslmode=disable", "search_path=" + schema}
	return strings.Join(parts, " ")
}
