package bench

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/backup"
)

var mib = flag.Int64("mib", 1024, "MiB of the large content")

// rounds of one race; a median of fewer is luck, and more take minutes.
const rounds = 7

// TestMain is the benchmark, or the child process whose memory it measures.
func TestMain(m *testing.M) {
	if name := os.Getenv("OPSEC_BENCH_SUM"); name != "" {
		if err := child(name, os.Getenv("OPSEC_BENCH_SHA256") != ""); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	os.Exit(m.Run())
}

// child hashes a file and prints the line of /proc/self/status that has its peak of resident memory. (The peak in
// getrusage is of no use: it begins with that of the parent before exec.)
func child(name string, sha bool) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if _, err := backup.SumReaderAt(context.Background(), f, info.Size(), &backup.SumOptions{SHA256: sha}); err != nil {
		return err
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "VmHWM:") {
			fmt.Print(line)
		}
	}
	return nil
}

// contestant is one way to do the work. Contestants of one alg must come to the same result.
type contestant struct {
	name, alg string
	run       func() string
	canon     func(string) string // turns the result into the form that is compared, outside the race; nil if it is that
}

// race runs every contestant as a benchmark of its own, and then all of them in turns for the ratios to the first.
// It refuses to compare contestants that disagree.
func race(b *testing.B, size int64, all []contestant) {
	results := map[string]string{}
	for _, c := range all {
		got := c.run() // and warm up
		if c.canon != nil {
			got = c.canon(got)
		}
		require.NotEmpty(b, got, c.name)
		if want, ok := results[c.alg]; ok {
			require.Equal(b, want, got, "%s disagrees", c.name)
		}
		results[c.alg] = got
	}
	for _, c := range all {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				c.run()
			}
		})
	}
	b.Run("ratios", func(b *testing.B) {
		ratios := make([][]float64, len(all))
		for b.Loop() {
			for range rounds {
				var first time.Duration
				for i, c := range all {
					start := time.Now()
					c.run()
					took := time.Since(start)
					if i == 0 {
						first = took
					}
					ratios[i] = append(ratios[i], took.Seconds()/first.Seconds())
				}
			}
		}
		b.ReportMetric(0, "ns/op") // of no meaning here
		for i, c := range all[1:] {
			b.ReportMetric(median(ratios[i+1]), "x-"+c.name)
		}
	})
}

func median(of []float64) float64 {
	of = slices.Sorted(slices.Values(of))
	return (of[(len(of)-1)/2] + of[len(of)/2]) / 2
}

// noise returns n bytes that do not repeat.
func noise(n int64) []byte {
	p := make([]byte, n)
	rand.NewChaCha8([32]byte{7: 1}).Read(p)
	return p
}
