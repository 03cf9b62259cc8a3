//go:build unix

package pgtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Options say how a server is set up. The zero value, or nil, works.
type Options struct {
	// Settings are lines of its configuration, such as "default_transaction_isolation = serializable".
	Settings []string
	// TLS lets the server listen on loopback for clients with a certificate of [Server.Authority], and for no others.
	TLS bool
}

// Server is a PostgreSQL server of a test's own. Its one user, "opsec", is a superuser without a password.
type Server struct {
	dir       string // holds the data, the socket and the log
	port      int
	authority *Authority
}

// Start makes a server and starts it.
func Start(t testing.TB, o *Options) *Server {
	t.Helper()
	if o == nil {
		o = &Options{}
	}
	find(t, "initdb", "postgresql")
	s := &Server{dir: folder(t), port: 5432}
	run(t, s.dir, "initdb", "--pgdata="+s.data(), "--username=opsec", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
	settings := []string{"unix_socket_directories = '" + s.dir + "'", "max_connections = 200"}
	if o.TLS {
		settings = append(settings, s.secure(t)...)
	} else {
		settings = append(settings, "listen_addresses = ''")
	}
	s.configure(t, append(settings, o.Settings...))
	t.Cleanup(func() { _ = command(t, s.dir, "pg_ctl", "--pgdata="+s.data(), "--mode=immediate", "stop").Run() })
	s.Up(t)
	return s
}

// configure adds lines to the configuration; of several for one setting the last one counts.
func (s *Server) configure(t testing.TB, lines []string) {
	t.Helper()
	path := filepath.Join(s.data(), "postgresql.conf")
	given, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, append(given, "\n"+strings.Join(lines, "\n")+"\n"...))
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// Up starts a server that is down.
func (s *Server) Up(t testing.TB) {
	t.Helper()
	run(t, s.dir, "pg_ctl", "--pgdata="+s.data(), "--log="+filepath.Join(s.dir, "log"), "start")
}

// Crash stops the server at once, as if its machine had been switched off, but for what the operating system has yet to
// write.
func (s *Server) Crash(t testing.TB) {
	t.Helper()
	run(t, s.dir, "pg_ctl", "--pgdata="+s.data(), "--mode=immediate", "stop")
}

// Down stops the server in good order; sessions that are open end.
func (s *Server) Down(t testing.TB) {
	t.Helper()
	run(t, s.dir, "pg_ctl", "--pgdata="+s.data(), "--mode=fast", "stop")
}

// DSN says how to connect through the UNIX socket: keywords and values, with more of them if given.
func (s *Server) DSN(more ...string) string {
	port := fmt.Sprintf("port=%d", s.port)
	return strings.Join(append([]string{"host=" + s.dir, port, "user=opsec", "dbname=postgres", "sslmode=disable"}, more...), " ")
}

// Dir is the folder with the server's socket.
func (s *Server) Dir() string { return s.dir }

// Exec calls one of PostgreSQL's own programs, such as pg_dump, with the socket, the user and the database in its
// environment, and returns what it prints.
func (s *Server) Exec(t testing.TB, name string, args ...string) []byte {
	t.Helper()
	cmd := command(t, s.dir, name, args...)
	cmd.Env = append(os.Environ(), "PGHOST="+s.dir, fmt.Sprintf("PGPORT=%d", s.port), "PGUSER=opsec", "PGDATABASE=postgres")
	out, err := cmd.Output()
	if err != nil {
		exit, _ := err.(*exec.ExitError)
		t.Fatalf("%s: %v\n%s", name, err, exit.Stderr)
	}
	return out
}

// Log returns what the server has logged.
func (s *Server) Log(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// nobody is who a server runs as when root starts it.
const nobody = 65534

// folder is open to the user that the servers run as. The path of a socket has to be short, and t.TempDir is closed to
// others.
func folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	own(t, dir)
	return dir
}

func own(t testing.TB, paths ...string) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	for _, path := range paths {
		if err := os.Chown(path, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
}

// find returns the path of a program, or skips the test.
func find(t testing.TB, name, pack string) string {
	t.Helper()
	path := which(name)
	if path == "" {
		absent := fmt.Sprintf("no %s in PATH or where Debian puts it: install Debian's package %s", name, pack)
		if os.Getenv("CI") == "true" {
			t.Fatal(absent)
		}
		t.Skip(absent)
	}
	return path
}

// which prefers the server that Debian installed last to what is in PATH, which may be a script that chooses another.
func which(name string) string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) == 0 {
		found, _ = filepath.Glob("/usr/sbin/" + name) // not in everybody's PATH
	}
	path, _ := exec.LookPath(name)
	if len(found) > 0 {
		path = found[len(found)-1]
	}
	return path
}

func command(t testing.TB, dir, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(find(t, name, "postgresql"), args...)
	cmd.Dir = dir
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	return cmd
}

func run(t testing.TB, dir, name string, args ...string) {
	t.Helper()
	if out, err := command(t, dir, name, args...).CombinedOutput(); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		t.Fatalf("%s: %v\n%s%s", name, err, out, log)
	}
}

// Demote makes a server that is down a standby, which follows nobody.
func (s *Server) Demote(t testing.TB) {
	t.Helper()
	signal := filepath.Join(s.data(), "standby.signal")
	write(t, signal, nil)
	own(t, signal)
}
