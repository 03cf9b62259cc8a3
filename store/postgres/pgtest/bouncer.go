//go:build unix

package pgtest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Bounce starts a PgBouncer before the server, in transaction mode: a client has another connection for each of its
// transactions, so nothing of a session lasts, no prepared statement and no LISTEN. It returns how to connect.
func (s *Server) Bounce(t testing.TB, more ...string) (dsn string) {
	t.Helper()
	binary := find(t, "pgbouncer", "pgbouncer")
	dir := folder(t)
	config := filepath.Join(dir, "pgbouncer.ini")
	text := fmt.Sprintf(`[databases]
* = host=%s user=opsec
[pgbouncer]
pool_mode = transaction
auth_type = any
listen_port = 6432
unix_socket_dir = %s
logfile = %s/log
max_client_conn = 500
default_pool_size = 20
`, s.dir, dir, dir)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "-q", config)
	cmd.Dir = dir
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	for range 500 {
		if conn, err := net.Dial("unix", filepath.Join(dir, ".s.PGSQL.6432")); err == nil {
			conn.Close()
			return (&Server{dir: dir, port: 6432}).DSN(more...)
		}
		time.Sleep(10 * time.Millisecond)
	}
	log, _ := os.ReadFile(filepath.Join(dir, "log"))
	t.Fatalf("pgbouncer does not listen:\n%s", log)
	return ""
}
