//go:build unix

// Package pair starts two PostgreSQL servers for a test, of which the second follows the first by streaming replication.
//
//	nodes := pair.Start(t, &pair.Options{Synchronous: true})
//	pool, err := pgxpool.New(ctx, nodes.Primary.DSN())
//	...
//	nodes.Primary.Crash(t)
//	nodes.Standby.Promote(t)
//
// A test is skipped where the servers are absent, and fails where CI=true, as package pgtest does.
package pair

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/cloudopsec/opsec/store/postgres/pgtest"
)

// Name is what the standby calls itself: its application_name at the primary.
const Name = "other"

// Options say how the pair is set up. The zero value, or nil, replicates asynchronously.
type Options struct {
	// Synchronous makes the primary wait, at each commit, until the standby has it on its disk.
	Synchronous bool
	// Settings are more lines of the configuration of both.
	Settings []string
}

// Pair is two servers of a test's own.
type Pair struct{ Primary, Standby *Node }

// Node is one server. Its one user, "opsec", is a superuser without a password.
type Node struct {
	tools *pgtest.Server // whose Exec runs PostgreSQL's programs as the right user
	dir   string         // socket and log; the data is in "data" below it
}

// Start makes a primary and a standby, and returns when the standby streams. Both go with the test.
func Start(t testing.TB, o *Options) *Pair {
	t.Helper()
	if o == nil {
		o = &Options{}
	}
	server := pgtest.Start(t, &pgtest.Options{Settings: o.Settings})
	p := &Pair{Primary: &Node{server, server.Dir()}, Standby: &Node{server, folder(t)}}
	t.Cleanup(func() { p.Primary.signal(syscall.SIGCONT) })
	data := p.Standby.data()
	server.Exec(t, "pg_basebackup", "--pgdata="+data, "--write-recovery-conf", "--checkpoint=fast", "--no-sync",
		"--wal-method=stream", "--dbname=application_name="+Name)
	conf, err := os.OpenFile(filepath.Join(data, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = fmt.Fprintf(conf, "\nunix_socket_directories = '%s'\nwal_receiver_status_interval = 1s\n", p.Standby.dir)
		err = errors.Join(err, conf.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Standby.kill() })
	p.Standby.Up(t)
	for range 600 {
		if strings.TrimSpace(p.Primary.SQL(t, "select count(*) from pg_stat_replication where state = 'streaming'")) == "1" {
			if o.Synchronous {
				p.Synchronous(t, true)
			}
			return p
		}
		pause()
	}
	t.Fatal("pair: the standby does not stream")
	return nil
}

// Synchronous makes commits wait for the standby, or not, and returns when the primary does so.
func (p *Pair) Synchronous(t testing.TB, on bool) {
	t.Helper()
	names, want := "", "async"
	if on {
		names, want = Name, "sync"
	}
	p.Primary.SQL(t, "set synchronous_commit = local", "alter system set synchronous_standby_names = '"+names+"'", "select pg_reload_conf()")
	for range 600 {
		if strings.TrimSpace(p.Primary.SQL(t, "select sync_state from pg_stat_replication")) == want {
			return
		}
		pause()
	}
	t.Fatalf("pair: the standby does not become %s", want)
}

func (n *Node) data() string { return filepath.Join(n.dir, "data") }

// DSN says how to connect through the UNIX socket: keywords and values, with more of them if given.
func (n *Node) DSN(more ...string) string {
	return strings.Join(append([]string{"host=" + n.dir, "port=5432", "user=opsec", "dbname=postgres", "sslmode=disable"}, more...), " ")
}

// Socket is the path of the UNIX socket.
func (n *Node) Socket() string { return filepath.Join(n.dir, ".s.PGSQL.5432") }

// SQL runs statements, each in a transaction of its own and all in one session, and returns what they print, unaligned.
func (n *Node) SQL(t testing.TB, statements ...string) string {
	t.Helper()
	args := []string{"--host=" + n.dir, "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"}
	for _, s := range statements {
		args = append(args, "--command="+s)
	}
	return string(n.tools.Exec(t, "psql", args...))
}

// Up starts a node that is down.
func (n *Node) Up(t testing.TB) {
	t.Helper()
	n.tools.Exec(t, "pg_ctl", "--pgdata="+n.data(), "--log="+filepath.Join(n.dir, "log"), "start")
}

// Crash stops the node at once, as if its machine had been switched off, but for what the operating system has yet to write.
func (n *Node) Crash(t testing.TB) {
	t.Helper()
	n.tools.Exec(t, "pg_ctl", "--pgdata="+n.data(), "--mode=immediate", "stop")
}

// Promote makes the standby a primary, and returns when it takes writes.
func (n *Node) Promote(t testing.TB) {
	t.Helper()
	n.tools.Exec(t, "pg_ctl", "--pgdata="+n.data(), "promote")
	n.SQL(t, "alter system set synchronous_standby_names = ''", "select pg_reload_conf()")
}

// Freeze stops every process of the node where it stands, by SIGSTOP, as a machine does that is suspended.
func (n *Node) Freeze(t testing.TB) {
	t.Helper()
	if !n.signal(syscall.SIGSTOP) {
		t.Fatal("pair: the node does not run")
	}
}

// Thaw lets a frozen node go on, as if no time had passed.
func (n *Node) Thaw(t testing.TB) {
	t.Helper()
	if !n.signal(syscall.SIGCONT) {
		t.Fatal("pair: the node does not run")
	}
}

// Log returns what the node has logged.
func (n *Node) Log(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(n.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// signal reaches the postmaster first, and then the processes that it has made; it makes none when it is stopped.
func (n *Node) signal(s syscall.Signal) bool {
	head := n.pid()
	if head == 0 || syscall.Kill(head, s) != nil {
		return false
	}
	for _, child := range children(head) {
		_ = syscall.Kill(child, s) // one that has just ended has nothing to stop
	}
	return true
}

// kill ends what is left after the test: SIGQUIT to the postmaster is the immediate stop.
func (n *Node) kill() {
	n.signal(syscall.SIGCONT)
	if head := n.pid(); head != 0 {
		_ = syscall.Kill(head, syscall.SIGQUIT)
		for range 600 {
			if n.pid() == 0 || syscall.Kill(head, 0) != nil {
				return
			}
			pause()
		}
	}
}

// pid of the postmaster; 0: it does not run.
func (n *Node) pid() int {
	text, err := os.ReadFile(filepath.Join(n.data(), "postmaster.pid"))
	if err != nil {
		return 0
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	pid, _ := strconv.Atoi(string(line))
	return pid
}

// children are the processes whose parent is head.
func children(head int) (found []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		// pid (name) state parent ...; a name may have a parenthesis in it
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(head) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			found = append(found, pid)
		}
	}
	return found
}
