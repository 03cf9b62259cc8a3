package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/cloudopsec/opsec/backup/snapshot/image"
)

// BenchmarkChainOf400 walks the headers of a chain of 400 qcow2 files, from its tip and as a folder, beside qemu-img, in turns: five times in a row each, of which
// the first (first-ms, of the tip) finds the processor's caches as another process has left them. The peer's time has the start of its process in it (start-ms),
// as whoever calls it from a program has to pay.
func BenchmarkChainOf400(b *testing.B) {
	if _, err := exec.LookPath("qemu-img"); err != nil {
		b.Skip("qemu-img is absent: apt-get install qemu-utils")
	}
	dir, err := filepath.EvalSymlinks(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	const files = 400
	name := func(i int) string { return fmt.Sprintf("%03d.qcow2", i) }
	for i := range files {
		args := []string{"create", "-q", "-f", "qcow2", filepath.Join(dir, name(i)), "64M"}
		if i > 0 {
			args = []string{"create", "-q", "-u", "-f", "qcow2", "-b", name(i - 1), "-F", "qcow2", filepath.Join(dir, name(i)), "64M"}
		}
		if out, err := exec.Command("qemu-img", args...).CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
	}
	tip := filepath.Join(dir, name(files-1))
	const walks = 5
	var first, ours, folder, theirs, start time.Duration
	timed := func(sum *time.Duration, do func()) {
		began := time.Now()
		do()
		*sum += time.Since(began)
	}
	for b.Loop() {
		for name, sum := range map[string]*time.Duration{tip: &ours, dir: &folder} {
			for i := range walks {
				before := *sum
				timed(sum, func() {
					v, err := image.Scan(context.Background(), name)
					if err == nil {
						_, err = v.Graph()
					}
					if err != nil || len(v.Nodes) != files || len(v.Findings) > 0 {
						b.Fatal(err, len(v.Nodes), v.Findings)
					}
				})
				if i == 0 && name == tip {
					first += *sum - before
				}
			}
		}
		timed(&theirs, func() {
			out, err := exec.Command("qemu-img", "info", "--backing-chain", "--output=json", tip).Output()
			var list []json.RawMessage
			if err == nil {
				err = json.Unmarshal(out, &list)
			}
			if err != nil || len(list) != files {
				b.Fatal(err, len(list))
			}
		})
		timed(&start, func() {
			if err := exec.Command("qemu-img", "--version").Run(); err != nil {
				b.Fatal(err)
			}
		})
	}
	n := time.Duration(b.N)
	ours, folder = ours/walks, folder/walks
	b.ReportMetric(float64(first/n)/1e6, "first-ms")
	b.ReportMetric(float64(ours/n)/1e6, "ours-ms")
	b.ReportMetric(float64(theirs/n)/1e6, "qemu-img-ms")
	b.ReportMetric(float64(start/n)/1e6, "start-ms")
	b.ReportMetric(float64(folder/n)/1e6, "folder-ms")
	b.ReportMetric(float64(theirs)/float64(ours), "x-qemu-img")
	b.ReportMetric(float64(theirs)/float64(folder), "x-qemu-img-by-folder")
	b.ReportMetric(float64(theirs-start)/float64(folder), "x-qemu-img-by-folder-without-start")
}
