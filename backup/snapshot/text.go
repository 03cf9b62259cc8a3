package snapshot

import (
	"bufio"
	"fmt"
	"io"
	"time"
)

// maxShown is how many chains, single points of failure and findings WriteText shows.
const maxShown = 20

// WriteText writes the report for people: the sums, then the worst chains, single points of failure and findings, some twenty
// of each, and how many were left out. Nothing in a name can move the cursor of a terminal.
func (r *Report) WriteText(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "%s, %s, %s\n", count(r.Images, "image"), count(r.Edges, "reference"), count(r.Points, "restore point"))
	if r.Missing > 0 {
		fmt.Fprintf(b, "%s that others need: missing\n", count(r.Missing, "image"))
	}
	fmt.Fprintf(b, "expected to be lost: %s of %s (%s if none needed another)\n", r.expected(), count(r.Points, "point"), number(r.Independent))
	if r.Lost > 0 {
		fmt.Fprintf(b, "lost as things are: %s\n", count(r.Lost, "point"))
	}
	if r.Points > 0 {
		fmt.Fprintf(b, "a read may pass: %.1f files on average, %d at most\n", r.Reads.Mean, r.Reads.Max)
	}
	r.writeGrowth(b)
	if len(r.Chains) > 0 {
		fmt.Fprintln(b, "\nchains, the least usable first")
		for _, c := range r.Chains[:min(len(r.Chains), maxShown)] {
			usable := share(c.Usable)
			if c.Usable != c.UsableMax {
				usable += " to " + share(c.UsableMax)
			}
			fmt.Fprintf(b, "  %10s  depth %d  %s", usable, c.Depth, Quote(c.Tip))
			if c.Tip != c.Root {
				fmt.Fprintf(b, " on %s", Quote(c.Root))
			}
			fmt.Fprintln(b)
		}
		more(b, r.AllChains)
	}
	if len(r.SPOF) > 0 {
		fmt.Fprintln(b, "\nsingle points of failure")
		for _, p := range r.SPOF[:min(len(r.SPOF), maxShown)] {
			fmt.Fprintf(b, "  %s lost with %s, which fails by %s\n", count(p.Blast, "point"), Quote(p.Path), share(p.P))
		}
		more(b, r.AllSPOF)
	}
	if len(r.Findings) > 0 {
		fmt.Fprintln(b, "\nfindings")
		for _, f := range r.Findings[:min(len(r.Findings), maxShown)] {
			fmt.Fprintf(b, "  %-8s %s", Quote(string(f.Severity)), Quote(f.Rule))
			if f.Path != "" {
				fmt.Fprintf(b, " %s", Quote(f.Path))
			}
			fmt.Fprintf(b, ": %s\n", Quote(f.Text))
		}
		more(b, len(r.Findings))
	}
	return b.Flush()
}

// expected is the number of points that are expected to be lost, or its bounds.
func (r *Report) expected() string {
	if r.ExpectedLost != r.ExpectedLostLow {
		return number(r.ExpectedLostLow) + " to " + number(r.ExpectedLost)
	}
	return number(r.ExpectedLost)
}

func (r *Report) writeGrowth(w io.Writer) {
	g := r.Growth
	if g.PerDay == 0 {
		return
	}
	horizon, snapshots := days(time.Duration(g.Horizon)), number(g.PerDay)+" snapshots"
	if g.PerDay == 1 {
		snapshots = "1 snapshot"
	}
	fmt.Fprintf(w, "growth: %s and %s a day; in %s %s (now %s, at most %s), the deepest chain %d\n", snapshots,
		bytesOf(g.BytesPerDay), horizon, bytesOf(float64(g.BytesThen)), bytesOf(float64(g.Bytes)), bytesOf(float64(g.BytesMost)), g.DepthThen)
	if left := time.Duration(g.LimitReached); left > 0 && left < 100*365*24*time.Hour {
		fmt.Fprintf(w, "the deepest chain is at its limit in %s\n", days(left))
	}
}

func more(w io.Writer, all int) {
	if all > maxShown {
		fmt.Fprintf(w, "  and %d more\n", all-maxShown)
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
