package bench

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/backup"
	"github.com/cloudopsec/opsec/backup/trust"
)

var files = flag.Int("files", 20_000, "files of the tree")

// BenchmarkTree hashes 20,000 files of 256 B to 64 KiB (log-uniform, 200 directories), in the page cache. Every
// contestant comes to the same list of digests. Of b3sum there are four calls, since the best one is not the default:
// one process for a thousand files, one or two at a time, mapping or reading, with threads or without.
func BenchmarkTree(b *testing.B) {
	for name, dir := range places(b) {
		b.Run(name, func(b *testing.B) {
			dir := filepath.Join(dir, "tree")
			size := smallFiles(b, dir)
			tree, err := backup.OpenDir(dir)
			require.NoError(b, err)
			defer tree.Close()
			all := []contestant{
				{name: "SumFS", alg: "blake3", run: func() string { return sumTree(b, tree) }},
				{name: "Build", alg: "manifest", run: func() string { return build(b, tree, backup.BuildOptions{}) }},
				{name: "Build-both", alg: "manifest+sha256", run: func() string { return build(b, tree, backup.BuildOptions{SHA256: true}) }},
			}
			if tool(b, "b3sum") != "" {
				for name, call := range map[string]string{
					"b3sum":             "xargs -0 -n 1000 b3sum",
					"b3sum-P2":          "xargs -0 -n 1000 -P 2 b3sum",
					"b3sum-P2-1-thread": "xargs -0 -n 1000 -P 2 b3sum --num-threads 1",
					"b3sum-P2-read":     "xargs -0 -n 1000 -P 2 b3sum --num-threads 1 --no-mmap",
				} {
					all = append(all, contestant{name, "blake3", func() string { return shell(b, dir, call) }, sorted})
				}
			}
			if tool(b, "sha256sum") != "" {
				all = append(all, contestant{"sha256sum-P2", "sha256", func() string { return shell(b, dir, "xargs -0 -n 1000 -P 2 sha256sum") }, sorted})
			}
			race(b, size, all)
		})
	}
}

// BenchmarkVerify verifies a file of 1 GiB, and the tree of small files, beside restic on the same bytes. restic also
// decrypts, and reads its own packs of about 16 MiB, whatever the files; ours reads the plain tree.
func BenchmarkVerify(b *testing.B) {
	for name, fill := range map[string]func(dir string) int64{
		"large": func(dir string) int64 { largeFile(b, dir); return *mib << 20 },
		"small": func(dir string) int64 { return smallFiles(b, filepath.Join(dir, "small")) },
	} {
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			data := filepath.Join(dir, "data")
			require.NoError(b, os.Mkdir(data, 0o700))
			size := fill(data)
			all := []contestant{{name: "Verify", alg: "verify", run: verifier(b, data, filepath.Join(dir, "manifest"))}}
			if restic := tool(b, "restic"); restic != "" {
				repo := func(args ...string) string {
					cmd := exec.Command(restic, append([]string{"-q", "--no-cache", "-r", filepath.Join(dir, "repo")}, args...)...)
					cmd.Env = append(os.Environ(), "RESTIC_PASSWORD=bench")
					out, err := cmd.CombinedOutput()
					require.NoError(b, err, "%s", out)
					return "done"
				}
				repo("init")
				repo("backup", data)
				all = append(all, contestant{name: "restic", alg: "restic", run: func() string { return repo("check", "--read-data") }})
			}
			race(b, size, all)
		})
	}
}

// verifier builds the manifest of a directory, and returns a function that opens and verifies it.
func verifier(b *testing.B, dir, manifest string) func() string {
	tree, err := backup.OpenDir(dir)
	require.NoError(b, err)
	b.Cleanup(func() { tree.Close() })
	_, err = backup.BuildFile(context.Background(), manifest, tree, options(backup.BuildOptions{}))
	require.NoError(b, err)
	return func() string {
		m, err := backup.OpenManifestFile(manifest)
		require.NoError(b, err)
		defer m.Close()
		r, err := backup.Verify(context.Background(), m, trust.Verifier{}, tree, backup.Budget{})
		require.NoError(b, err)
		require.Zero(b, r.Faults())
		return fmt.Sprint(r.Bytes)
	}
}

func options(o backup.BuildOptions) backup.BuildOptions {
	o.Header = backup.Header{Tenant: "bench", Source: "tree", Sequence: 1, Created: time.Unix(1_700_000_000, 0)}
	return o
}

// smallFiles writes the tree and returns the sum of its sizes.
func smallFiles(t testing.TB, dir string) (sum int64) {
	rng := rand.New(rand.NewPCG(1, 2))
	p := noise(64 << 20) // no file's content is in another's, or restic would read it once
	for i := range *files {
		sub := filepath.Join(dir, fmt.Sprintf("d%03d", i%200))
		if i < 200 {
			require.NoError(t, os.MkdirAll(sub, 0o700))
		}
		n := int(math.Exp(math.Log(256) + rng.Float64()*(math.Log(64<<10)-math.Log(256))))
		start := rng.IntN(len(p) - n + 1)
		require.NoError(t, os.WriteFile(filepath.Join(sub, fmt.Sprintf("f%06d", i)), p[start:start+n], 0o600))
		sum += int64(n)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return sum
}

func sumTree(b *testing.B, tree *backup.Dir) string {
	var out []byte
	for f, err := range backup.SumFS(context.Background(), tree, nil) {
		require.NoError(b, err)
		out = fmt.Appendf(out, "%s  %s\n", f.BLAKE3, f.Path)
	}
	return string(out)
}

func build(b *testing.B, tree *backup.Dir, o backup.BuildOptions) string {
	h, err := backup.Build(context.Background(), io.Discard, tree, options(o))
	require.NoError(b, err)
	return h.MerkleRoot.String()
}

// shell runs find and a pipe of it, and returns what the pipe prints.
func shell(b *testing.B, dir, call string) string {
	cmd := exec.Command("sh", "-c", "find . -type f -printf '%P\\0' | "+call)
	cmd.Dir = dir
	out, err := cmd.Output()
	require.NoError(b, err)
	return string(out)
}

// sorted brings the lines of a check file into the order of their paths.
func sorted(out string) string {
	lines := slices.Collect(strings.Lines(out))
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[64:], b[64:]) })
	return strings.Join(lines, "")
}
