package recovery_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/backup/recovery"
)

type endless struct{}

func (endless) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestAnArchiveWithoutAnEndIsLeftWhenTimeIsUp(t *testing.T) {
	whole := tarOf(t, tar.Header{Name: "f", Typeflag: tar.TypeReg})
	done := make(chan recovery.Result, 1)
	go func() {
		r, _ := recovery.Run(bg, point, recovery.Test{
			Target: recovery.In(t.TempDir()), Checks: []recovery.Check{says{}}, Most: recovery.Limits{Time: 200 * time.Millisecond},
			Restore: recovery.Archive{Open: func(context.Context, recovery.Point) (io.ReadCloser, error) {
				return io.NopCloser(io.MultiReader(bytes.NewReader(whole), endless{})), nil
			}},
		}, &recovery.Options{Recorder: new(recorder), Actor: ada})
		done <- r
	}()
	select {
	case r := <-done:
		require.Contains(t, r.Failure, "it took more than 200ms")
	case <-time.After(20 * time.Second):
		t.Fatal("it reads on")
	}
}

func TestASecondTestInTheSameDirectoryLeavesTheFirstAlone(t *testing.T) {
	d := recovery.In(t.TempDir())
	test := recovery.Test{Target: d, Restore: from(tarOf(t, tar.Header{Name: "f", Typeflag: tar.TypeReg}))}
	o := &recovery.Options{Recorder: new(recorder), Actor: ada}
	test.Checks = []recovery.Check{during{func(path string) error {
		second := test
		second.Checks = []recovery.Check{says{}}
		r, err := recovery.Run(bg, point, second, o)
		if err != nil || r.Passed || r.Cleaned {
			return errors.Join(err, errors.New("the second has run, or says that it has cleaned"))
		}
		_, err = os.Stat(filepath.Join(path, "f"))
		return err
	}}}
	r, err := recovery.Run(bg, point, test, o)
	require.NoError(t, err)
	require.True(t, r.Passed, r.Failure)
}

type during struct{ do func(path string) error }

func (during) About() (kind, name string) { return "own", "during" }

func (d during) Check(_ context.Context, path string) (string, error) { return "", d.do(path) }

func TestNothingIsLeftWhenACheckPanics(t *testing.T) {
	parent := t.TempDir()
	require.Panics(t, func() {
		_, _ = recovery.Run(bg, point, recovery.Test{
			Target: recovery.In(parent), Restore: from(tarOf(t)), Checks: []recovery.Check{during{func(string) error { panic("a bug of the caller") }}},
		}, &recovery.Options{Recorder: new(recorder), Actor: ada})
	})
	left, err := os.ReadDir(parent)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestAFolderOverAFileFails(t *testing.T) {
	r, _ := run(t, point, recovery.Test{Restore: from(tarOf(t, tar.Header{Name: "f", Typeflag: tar.TypeReg}, tar.Header{Name: "f", Typeflag: tar.TypeDir}))})
	require.False(t, r.Passed)
}

func TestFoldersMayComeAfterWhatIsInThem(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []tar.Header{{Name: "a/b", Typeflag: tar.TypeDir, Mode: 0o755}, {Name: "a", Typeflag: tar.TypeDir, Mode: 0o400}} {
		require.NoError(t, w.WriteHeader(&h))
	}
	require.NoError(t, w.Close())
	r, _ := run(t, point, recovery.Test{Restore: from(b.Bytes())})
	require.True(t, r.Passed, r.Failure)
}
