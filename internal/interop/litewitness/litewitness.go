// Package litewitness runs filippo.io/torchwood's litewitness for tests: a process of its own on a loopback address, with
// an ssh-agent in this process that holds its key.
package litewitness

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh/agent"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
)

// patience is how long a witness may take to answer for the first time, and to end.
const patience = 30 * time.Second

// Build makes the program and returns its path; where that cannot be done the test is skipped, or fails with CI=true. It
// is built as a module of its own, since the tests of its packages need modules that the proxy does not serve, which "go
// mod tidy" here would ask for.
func Build(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("go", "install", "filippo.io/torchwood/cmd/litewitness@v0.9.0")
	cmd.Env = append(os.Environ(), "GOBIN="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("litewitness cannot be built: %v: %s", err, out)
		}
		t.Skipf("litewitness cannot be built: %v: %s", err, out)
	}
	return filepath.Join(dir, "litewitness")
}

// Start runs a witness "witness.example/<as>" until the test ends, which knows the log of that origin and verifier key,
// and returns it as a policy names it.
func Start(t testing.TB, exe, as string, key ed25519.PrivateKey, origin, logKey string) checkpoint.Witness {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("litewitness: %v", err)
		}
	}
	dir, err := os.MkdirTemp("", "lw") // short: a socket's path is
	must(err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket, db, name := filepath.Join(dir, "s"), filepath.Join(dir, "db"), "witness.example/"+as
	must(serveAgent(t, socket, key))

	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	addr := l.Addr().String()
	must(l.Close())

	hash := sha256.Sum256(key.Public().(ed25519.PublicKey))
	cmd := exec.Command(exe, "-db", db, "-name", name, "-ssh-agent", socket, "-listen", addr, "-key", hex.EncodeToString(hash[:]))
	log, err := os.Create(filepath.Join(dir, "log"))
	must(err)
	t.Cleanup(func() { log.Close() })
	cmd.Stderr = log
	must(cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		late := time.AfterFunc(patience, func() { cmd.Process.Kill() })
		defer late.Stop()
		cmd.Wait()
	})
	must(answers("http://" + addr + "/"))

	conn, err := sqlite.OpenConn(db, 0)
	must(err)
	empty := sha256.Sum256(nil)
	must(sqlitex.Execute(conn, "INSERT INTO log (origin, tree_size, tree_hash) VALUES (?, 0, ?)",
		&sqlitex.ExecOptions{Args: []any{origin, base64.StdEncoding.EncodeToString(empty[:])}}))
	must(sqlitex.Execute(conn, "INSERT INTO key (origin, key) VALUES (?, ?)", &sqlitex.ExecOptions{Args: []any{origin, logKey}}))
	must(conn.Close())

	s, err := checkpoint.NewCosigner(name, key, nil)
	must(err)
	return checkpoint.Witness{Name: as, Key: s.VerifierKey(), URL: "http://" + addr}
}

// answers waits until a server does.
func answers(url string) error {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		resp, err := http.Get(url)
		if err != nil {
			continue
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return nil
		}
	}
	return errors.New("it does not answer")
}

// serveAgent is the ssh-agent that holds a witness's key.
func serveAgent(t testing.TB, socket string, key ed25519.PrivateKey) error {
	ring := agent.NewKeyring()
	if err := ring.Add(agent.AddedKey{PrivateKey: key}); err != nil {
		return err
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				agent.ServeAgent(ring, conn) // until the witness has gone
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
	return nil
}
