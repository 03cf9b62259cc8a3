package treemirror_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/cloudopsec/opsec/backup"
	"github.com/cloudopsec/opsec/backup/dr/fence"
	"github.com/cloudopsec/opsec/backup/dr/treemirror"
)

func Example() {
	dir, _ := os.MkdirTemp("", "")
	defer os.RemoveAll(dir)
	east, west := filepath.Join(dir, "east"), filepath.Join(dir, "west")
	os.Mkdir(east, 0o700)
	os.Mkdir(west, 0o700)
	os.WriteFile(filepath.Join(east, "orders"), []byte("one\n"), 0o600)

	src, _ := backup.OpenDir(east)
	defer src.Close()
	gate, _ := fence.OpenGate(filepath.Join(dir, "token"))
	clock := time.Date(2026, 3, 9, 12, 0, 0, 0, time.UTC)
	m, _ := treemirror.New(src, west, gate, &treemirror.Options{
		Header: backup.Header{Tenant: "acme", Source: "orders"},
		Now:    func() time.Time { return clock },
	})
	fmt.Println(m.Sync(context.Background(), 7))
	clock = clock.Add(30 * time.Second)
	fmt.Println(m.Status().Exposure())
	copied, _ := os.ReadFile(filepath.Join(west, treemirror.TreeName, "orders"))
	fmt.Printf("%s", copied)
	fmt.Println(m.Sync(context.Background(), 6))
	// Output:
	// <nil>
	// 30s true
	// one
	// treemirror: fence: token 6 is refused: a primary with token 7 has come
}
