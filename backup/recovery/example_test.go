package recovery_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing/fstest"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/recovery"
)

// rows is a check of one's own.
type rows struct{ want string }

func (rows) About() (kind, name string) { return "own", "rows" }

func (r rows) Check(_ context.Context, path string) (detail string, err error) {
	got, err := os.ReadFile(filepath.Join(path, "orders"))
	if err == nil && string(got) != r.want {
		err = errors.New("other rows")
	}
	return string(got), err
}

func ExampleRun() {
	stored := fstest.MapFS{"orders": {Data: []byte("one gin, no ice")}}
	result, err := recovery.Run(context.Background(), recovery.Point{Tenant: "acme", Source: "orders", ID: "2026-03-01"}, recovery.Test{
		Target:  recovery.In(""),
		Restore: recovery.Tree{Open: func(context.Context, recovery.Point) (fs.FS, error) { return stored, nil }},
		Checks:  []recovery.Check{rows{"one gin, no ice"}},
	}, &recovery.Options{Recorder: new(recorder), Actor: opsec.Actor{Tenant: "acme", Account: "tester", Kind: opsec.Service}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Passed, result.Files, result.Bytes, result.Cleaned)
	// Output: true 1 15 true
}
