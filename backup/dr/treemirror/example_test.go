package treemirror_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing/fstest"
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
	m, _ := treemirror.New(west, gate, &treemirror.Options{
		Header: backup.Header{Tenant: "acme", Source: "orders"},
		Now:    func() time.Time { return clock },
	})
	fmt.Println(m.Sync(context.Background(), 7, src, time.Time{}))
	clock = clock.Add(30 * time.Second)
	fmt.Println(m.Status().Exposure())
	copied, _ := os.ReadFile(filepath.Join(west, treemirror.TreeName, "orders"))
	fmt.Printf("%s", copied)
	fmt.Println(m.Sync(context.Background(), 6, src, time.Time{}))
	// Output:
	// <nil>
	// 30s true
	// one
	// treemirror: fence: token 6 is refused: a primary with token 7 has come
}

func ExampleDiverge() {
	manifest := func(files map[string]string) *backup.Manifest {
		tree := fstest.MapFS{}
		for name, text := range files {
			tree[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o600}
		}
		var b bytes.Buffer
		backup.Build(context.Background(), &b, tree, backup.BuildOptions{Header: backup.Header{
			Tenant: "acme", Source: "orders", Created: time.Date(2026, 3, 9, 12, 0, 0, 0, time.UTC),
		}})
		m, _ := backup.OpenManifest(bytes.NewReader(b.Bytes()), int64(b.Len()))
		return m
	}
	base := manifest(map[string]string{"1": "new", "2": "new"})
	east := manifest(map[string]string{"1": "paid", "2": "new", "3": "new"})                  // was primary, and failed
	west := manifest(map[string]string{"1": "cancelled", "2": "new", "4": "new", "5": "new"}) // has taken over
	for c, err := range treemirror.Diverge(base, east, west) {
		fmt.Println(c.Path, c.By, err)
	}
	// Output:
	// 1 both <nil>
	// 3 former <nil>
	// 4 present <nil>
	// 5 present <nil>
}
