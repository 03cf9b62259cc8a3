package snapshot_test

import (
	"fmt"
	"os"
	"time"

	"github.com/cloudopsec/opsec/backup/snapshot"
)

// A week of nightly snapshots of one disk.
func week() *snapshot.Graph {
	var b snapshot.Builder
	for day := range 7 {
		n := snapshot.Node{
			ID: fmt.Sprintf("day-%d.qcow2", day), Restore: true, Size: 2 << 30, Virtual: 40 << 30,
			Created: time.Date(2026, 3, 1+day, 2, 0, 0, 0, time.UTC),
		}
		if day == 0 {
			n.Size = 30 << 30
		} else {
			n.Needs = []snapshot.Need{{ID: fmt.Sprintf("day-%d.qcow2", day-1), As: snapshot.AsBacking}}
		}
		if err := b.Add(n); err != nil {
			fmt.Println(err)
		}
	}
	g, findings := b.Build()
	fmt.Println(g.Len(), "images,", len(findings), "findings")
	return g
}

func Example() {
	g := week()
	profile, _ := snapshot.ProfileNamed("vmware")
	report, err := g.Analyze(snapshot.FailureModel{P: 0.01, Now: time.Date(2026, 3, 8, 2, 0, 0, 0, time.UTC)}, &profile)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.2f of %d points, %.2f if none needed another\n", report.ExpectedLost, report.Points, report.Independent)
	worst := report.Chains[0]
	fmt.Printf("%s: depth %d, usable with %.2f\n", worst.Tip, worst.Depth, worst.Usable)
	for _, f := range report.Findings[:2] {
		fmt.Println(f.Severity, f.Path, f.Text)
	}
	// Output:
	// 7 images, 0 findings
	// 0.27 of 7 points, 0.07 if none needed another
	// day-6.qcow2: depth 7, usable with 0.93
	// medium day-1.qcow2 a snapshot 6 d old, older than 3 d (vmware)
	// medium day-2.qcow2 a snapshot 5 d old, older than 3 d (vmware)
}

func ExampleGraph_Destroy() {
	g := week()
	loss, err := g.Destroy("day-4.qcow2")
	if err != nil {
		fmt.Println(err)
		return
	}
	for v := range loss.All() {
		fmt.Print(g.ID(v), ":")
		for _, w := range loss.Path(v) {
			fmt.Print(" ", g.ID(w))
		}
		fmt.Println()
	}
	// Output:
	// 7 images, 0 findings
	// day-4.qcow2: day-4.qcow2
	// day-5.qcow2: day-5.qcow2 day-4.qcow2
	// day-6.qcow2: day-6.qcow2 day-5.qcow2 day-4.qcow2
}

func ExampleGraph_Flatten() {
	plan, err := week().Flatten(snapshot.FailureModel{P: 0.01}, snapshot.Budget{Bytes: 80 << 30})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := plan.WriteText(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 7 images, 0 findings
	// expected to be lost: 0.2745 now, 0.1194 after 2 steps, which write 74.0 GiB in all
	//   flatten day-2.qcow2: 34.0 GiB, then 0.1779
	//   flatten day-5.qcow2: 40.0 GiB, then 0.1194
}

// The same without names: a graph of a million snapshots is made like this.
func ExampleBuilder_AddIndexed() {
	var b snapshot.Builder
	b.Grow(3, 2)
	for i := range 3 {
		n := snapshot.Indexed{Restore: true}
		if i > 0 {
			n.Needs = []int{0} // two clones of the first
		}
		if err := b.AddIndexed(n); err != nil {
			fmt.Println(err)
		}
	}
	g, _ := b.Build()
	report, err := g.Analyze(snapshot.FailureModel{P: 0.5}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.ExpectedLost, report.SPOF[0].Path, report.SPOF[0].Blast)
	// Output: 2 #0 3
}

func ExampleFitLatency() {
	curve, err := snapshot.FitLatency([]snapshot.Measurement{
		{Files: 1, Read: 10 * time.Microsecond}, {Files: 10, Read: 40 * time.Microsecond}, {Files: 100, Read: 160 * time.Microsecond},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(curve.At(32).Round(time.Microsecond))
	// Output: 81µs
}

func ExampleReport_WriteText() {
	report, err := week().Analyze(snapshot.FailureModel{P: 0.01}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := report.WriteText(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 7 images, 0 findings
	// 7 images, 6 references, 7 restore points
	// expected to be lost: 0.2745 of 7 points (0.07 if none needed another)
	// a read may pass: 4.0 files on average, 7 at most
	// growth: 1 snapshot and 2.0 GiB a day; in 30 d 102.0 GiB (now 42.0 GiB, at most 280.0 GiB), the deepest chain 37
	//
	// chains, the least usable first
	//      93.21 %  depth 7  day-6.qcow2 on day-0.qcow2
	//
	// single points of failure
	//   7 points lost with day-0.qcow2, which fails by 1.00 %
	//   6 points lost with day-1.qcow2, which fails by 1.00 %
	//   5 points lost with day-2.qcow2, which fails by 1.00 %
	//   4 points lost with day-3.qcow2, which fails by 1.00 %
	//   3 points lost with day-4.qcow2, which fails by 1.00 %
	//   2 points lost with day-5.qcow2, which fails by 1.00 %
}
