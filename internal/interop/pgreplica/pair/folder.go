//go:build unix

package pair

import (
	"os"
	"testing"
	"time"
)

// nobody is who a server runs as when root starts it; see package pgtest.
const nobody = 65534

// folder is open to the user that the servers run as; the path of a socket has to be short.
func folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if os.Getuid() == 0 {
		if err := os.Chown(dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func pause() { time.Sleep(20 * time.Millisecond) }
