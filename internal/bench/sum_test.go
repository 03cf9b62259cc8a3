package bench

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	zeebo "github.com/zeebo/blake3"
	lukechampine "lukechampine.com/blake3"

	"github.com/cloudopsec/opsec/backup"
)

// BenchmarkSumMemory hashes 1 GiB that is in memory.
func BenchmarkSumMemory(b *testing.B) {
	p := noise(*mib << 20)
	race(b, int64(len(p)), []contestant{
		{name: "opsec", alg: "blake3", run: func() string { return backup.Sum(p, nil).BLAKE3.String() }},
		{name: "opsec-1", alg: "blake3", run: func() string {
			return backup.Sum(p, &backup.SumOptions{Workers: 1}).BLAKE3.String()
		}},
		{name: "zeebo", alg: "blake3", run: func() string { return fmt.Sprintf("%x", zeebo.Sum256(p)) }},
		{name: "lukechampine", alg: "blake3", run: func() string { return fmt.Sprintf("%x", lukechampine.Sum256(p)) }},
		{name: "opsec-both", alg: "sha256", run: func() string {
			return backup.Sum(p, &backup.SumOptions{SHA256: true}).SHA256.String()
		}},
		{name: "sha256", alg: "sha256", run: func() string { return fmt.Sprintf("%x", sha256.Sum256(p)) }},
	})
}

// BenchmarkSumSmall hashes contents of the sizes that fill a directory tree, on one core.
func BenchmarkSumSmall(b *testing.B) {
	for _, n := range []int64{64, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 1 << 20} {
		p := noise(n)
		b.Run(strconv.FormatInt(n, 10), func(b *testing.B) {
			for name, sum := range map[string]func(){
				"opsec":  func() { backup.Sum(p, nil) },
				"zeebo":  func() { zeebo.Sum256(p) },
				"sha256": func() { sha256.Sum256(p) },
			} {
				b.Run(name, func(b *testing.B) {
					b.SetBytes(n)
					b.ReportAllocs()
					for b.Loop() {
						sum()
					}
				})
			}
		})
	}
}

// BenchmarkSumFile hashes a file of 1 GiB in the page cache, in the temporary directory and in memory (tmpfs).
//
// b3sum has two ways: it maps the file and uses all threads, or, with --no-mmap, reads it and uses one. Mapping costs
// next to nothing where the page cache has large folios (ext4 and XFS of recent kernels), and as much as reading on
// tmpfs: the two places give different ratios. We do not map, since a file that shrinks would then end the process.
// The times of b3sum and sha256sum include the start of the process, 2 ms.
func BenchmarkSumFile(b *testing.B) {
	for name, dir := range places(b) {
		b.Run(name, func(b *testing.B) {
			file := largeFile(b, dir)
			b3sum, sha256sum := tool(b, "b3sum"), tool(b, "sha256sum")
			threads := strconv.Itoa(runtime.GOMAXPROCS(0))
			all := []contestant{
				{name: "opsec", alg: "blake3", run: func() string { return sumFile(b, file, nil).BLAKE3.String() }},
				{name: "opsec-1", alg: "blake3", run: func() string {
					return sumFile(b, file, &backup.SumOptions{Workers: 1}).BLAKE3.String()
				}},
				{name: "zeebo", alg: "blake3", run: func() string { return stream(b, file, zeebo.New()) }},
				{name: "opsec-both", alg: "sha256", run: func() string {
					return sumFile(b, file, &backup.SumOptions{SHA256: true}).SHA256.String()
				}},
				{name: "sha256", alg: "sha256", run: func() string { return stream(b, file, sha256.New()) }},
			}
			if b3sum != "" {
				all = append(all,
					contestant{name: "b3sum", alg: "blake3", run: func() string {
						return run(b, b3sum, "--num-threads", threads, file)
					}},
					contestant{name: "b3sum-read", alg: "blake3", run: func() string { return run(b, b3sum, "--no-mmap", file) }})
			}
			if sha256sum != "" {
				all = append(all, contestant{name: "sha256sum", alg: "sha256", run: func() string {
					return run(b, sha256sum, file)
				}})
			}
			race(b, *mib<<20, all)
			b.Run("peak", func(b *testing.B) {
				for b.Loop() {
					b.ReportMetric(peakMiB(b, file, false), "MiB")
					b.ReportMetric(peakMiB(b, file, true), "MiB-both")
				}
				b.ReportMetric(0, "ns/op")
			})
		})
	}
}

func TestSumFileStaysBelow64MiB(t *testing.T) {
	file := largeFile(t, t.TempDir())
	require.Less(t, peakMiB(t, file, false), 64.0)
	require.Less(t, peakMiB(t, file, true), 64.0)
}

// places are the directories for large files, by name.
func places(b *testing.B) map[string]string {
	all := map[string]string{"temp": b.TempDir()}
	if dir, err := os.MkdirTemp("/dev/shm", "opsec-bench-"); err == nil {
		b.Cleanup(func() { os.RemoveAll(dir) })
		all["tmpfs"] = dir
	}
	return all
}

// largeFile writes the large content, and leaves it in the page cache, clean.
func largeFile(t testing.TB, dir string) string {
	name := filepath.Join(dir, "large")
	f, err := os.Create(name)
	require.NoError(t, err)
	_, err = io.Copy(f, bytes.NewReader(noise(*mib<<20)))
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.NoError(t, f.Close())
	t.Cleanup(func() { os.Remove(name) })
	return name
}

// tool finds a program, or logs that it is left out.
func tool(b *testing.B, name string) string {
	path, err := exec.LookPath(name)
	if err != nil {
		b.Logf("without %s: %v", name, err)
	}
	return path
}

// run returns the digest that a program prints first.
func run(b *testing.B, name string, args ...string) string {
	out, err := exec.Command(name, args...).Output()
	require.NoError(b, err)
	digest, _, _ := bytes.Cut(out, []byte(" "))
	return string(digest)
}

func sumFile(b *testing.B, name string, opts *backup.SumOptions) backup.Sums {
	f, err := os.Open(name)
	require.NoError(b, err)
	defer f.Close()
	sums, err := backup.SumReaderAt(context.Background(), f, *mib<<20, opts)
	require.NoError(b, err)
	return sums
}

// hasher is what the peers have in common.
type hasher interface {
	io.Writer
	Sum([]byte) []byte
}

// stream hashes as a careful caller of a serial library would: whole reads of 256 KiB, one buffer.
func stream(b *testing.B, name string, h hasher) string {
	f, err := os.Open(name)
	require.NoError(b, err)
	defer f.Close()
	buf := make([]byte, 256<<10)
	for {
		n, err := f.Read(buf)
		if err == io.EOF {
			return hex.EncodeToString(h.Sum(nil))
		}
		require.NoError(b, err)
		h.Write(buf[:n])
	}
}

// peakMiB is the peak of resident memory of a process that hashes the file.
func peakMiB(t testing.TB, file string, sha bool) float64 {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "OPSEC_BENCH_SUM="+file)
	if sha {
		cmd.Env = append(cmd.Env, "OPSEC_BENCH_SHA256=1")
	}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	var kib float64
	if _, err := fmt.Sscanf(string(out), "VmHWM: %f kB", &kib); err != nil {
		t.Skipf("no peak of memory on %s: %q", runtime.GOOS, out)
	}
	return kib / 1024
}
