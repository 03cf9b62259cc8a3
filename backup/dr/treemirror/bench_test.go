//go:build unix

package treemirror_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/backup"
	"github.com/cloudopsec/opsec/backup/dr/treemirror"
)

// BenchmarkGeneration makes generations beside rsync, which compares by size and time, or with -checksum reads both sides
// as a Mirror does, and makes nothing durable. Set TREEMIRROR_BENCH to a directory on the file system to be measured.
func BenchmarkGeneration(b *testing.B) {
	for _, shape := range []struct {
		name        string
		files, size int
		change      func(b *testing.B, src string, n int)
	}{
		{"10000 files of 4 KiB, 1 % changed", 10_000, 4 << 10, rewrite(100)},
		{"one file of 256 MiB, 1 MiB changed", 1, 256 << 20, scatter(16)},
	} {
		for _, way := range []struct {
			name string
			run  func(b *testing.B, src, target string)
		}{
			{"treemirror", generation},
			{"rsync --checksum", rsync("--checksum", "--inplace", "--no-whole-file")},
			{"rsync", rsync("--inplace", "--no-whole-file")},
			{"cp -a", func(b *testing.B, src, target string) {
				require.NoError(b, exec.Command("cp", "-a", src+"/.", target).Run())
			}},
		} {
			b.Run(shape.name+"/"+way.name, func(b *testing.B) {
				if _, err := exec.LookPath("rsync"); err != nil && way.name[0] == 'r' {
					b.Skip(err)
				}
				dir, err := os.MkdirTemp(os.Getenv("TREEMIRROR_BENCH"), "treemirror-")
				require.NoError(b, err)
				b.Cleanup(func() { os.RemoveAll(dir) })
				src, target := filepath.Join(dir, "src"), filepath.Join(dir, "target")
				require.NoError(b, os.Mkdir(target, 0o700))
				random := rand.NewChaCha8([32]byte{1})
				buf := make([]byte, shape.size)
				for i := range shape.files {
					random.Read(buf)
					name := filepath.Join(src, fmt.Sprint(i/100), fmt.Sprint(i))
					require.NoError(b, os.MkdirAll(filepath.Dir(name), 0o700))
					require.NoError(b, os.WriteFile(name, buf, 0o600))
				}
				way.run(b, src, target)
				n := 0
				for b.Loop() {
					b.StopTimer()
					n++
					shape.change(b, src, n)
					b.StartTimer()
					way.run(b, src, target)
				}
				b.SetBytes(int64(shape.files) * int64(shape.size))
			})
		}
	}
}

func generation(b *testing.B, src, target string) {
	d, err := backup.OpenDir(src)
	require.NoError(b, err)
	defer d.Close()
	m, err := treemirror.New(target, always(), &treemirror.Options{Header: backup.Header{Tenant: "acme", Source: "data"}})
	require.NoError(b, err)
	require.NoError(b, m.Sync(b.Context(), 1, d, time.Time{}))
}

func rsync(how ...string) func(*testing.B, string, string) {
	return func(b *testing.B, src, target string) {
		out, err := exec.Command("rsync", append(how, "-a", "--delete", src+"/", target)...).CombinedOutput()
		require.NoError(b, err, "%s", out)
	}
}

// rewrite changes so many files.
func rewrite(files int) func(*testing.B, string, int) {
	return func(b *testing.B, src string, n int) {
		for i := range files {
			i *= 100
			name := filepath.Join(src, fmt.Sprint(i/100), fmt.Sprint(i))
			require.NoError(b, os.WriteFile(name, fmt.Appendf(nil, "%4096d", n), 0o600))
		}
	}
}

// scatter changes so many groups of the first file.
func scatter(groups int64) func(*testing.B, string, int) {
	return func(b *testing.B, src string, n int) {
		f, err := os.OpenFile(filepath.Join(src, "0", "0"), os.O_WRONLY, 0)
		require.NoError(b, err)
		for i := range groups {
			_, err := f.WriteAt(fmt.Appendf(nil, "%65536d", n), i*16<<20)
			require.NoError(b, err)
		}
		require.NoError(b, f.Close())
	}
}
