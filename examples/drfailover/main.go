// Drfailover runs two sites, kills the one that is primary while it takes orders, lets the other one take over, and has the killed
// one come back. It prints what was exposed when it was killed beside what was lost. Exit 0: the loss was within the exposure,
// the former primary was refused, and both sites hold the same in the end; 1: not so; 2: it could not be run.
//
//	drfailover [-json] [-run 2s]
//
// Each site is a process of this program with a directory: orders are files in its tree. The site that stands by mirrors the tree
// of the primary (package treemirror), and both contend for a lease (package fence). A third place, this process, has the lease and
// the gate before both sites, and places the orders: it loses nothing when a site does.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/cloudopsec/opsec/backup"
	"github.com/cloudopsec/opsec/backup/dr/treemirror"
	"github.com/cloudopsec/opsec/examples/internal/script"
)

func main() { script.Exit(run(os.Args[1:])) }

func run(args []string) error {
	flags := flag.NewFlagSet("drfailover", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "print the result as JSON")
	load := flags.Duration("run", 2*time.Second, "how `long` orders are taken before the primary is killed: 500 ms to a minute")
	be := flags.String("be", "", "be the site of this `name`; the program itself sets it")
	place := flags.String("third", "", "`address` of the third place; goes with -be")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 || *load < 500*time.Millisecond || *load > time.Minute {
		return errors.New("usage: drfailover [-json] [-run 500ms..1m]; -h lists the flags")
	}
	ctx := script.Interruptible()
	if *be != "" {
		return stand(ctx, *be, *place)
	}
	r, err := failover(ctx, *load)
	if err != nil {
		return err
	}
	return script.Print(r, *asJSON, r.good())
}

// failover is the story.
func failover(ctx context.Context, load time.Duration) (r report, err error) {
	ctx, cancel := context.WithTimeout(ctx, load+time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "drfailover-")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	t, err := open(ctx, dir)
	if err != nil {
		return r, err
	}
	defer func() { t.kill("east"); t.kill("west") }()

	t.start("east")
	t.until("east takes orders", func() bool { return t.leader.Name == "east" && len(t.orders) > 0 })
	t.start("west")
	t.until("west has a copy", func() bool { return !t.status["west"].Safe.IsZero() })
	loaded := time.Now().Add(load)
	t.until("west is behind", func() bool { // between two copies, when there is something to lose
		exposure, known := t.status["west"].Exposure()
		return time.Now().After(loaded) && known && exposure > every/2
	})
	r.Killed = t.kill("east") // kill -9
	t.mu.Lock()
	p99, _ := t.meter.Quantile(99, 100)
	r.First, r.P99, r.Worst = t.leader.Token, ms(p99), ms(time.Duration(t.meter.Worst))
	r.Exposed = ms(r.Killed.Sub(t.status["west"].Safe))
	t.mu.Unlock()
	former := t.manifest("east")

	t.until("west takes orders", func() bool { return t.leader.Name == "west" && t.orders[len(t.orders)-1].at.After(r.Killed) })
	t.start("east") // it takes itself for the primary
	t.until("east is refused", func() bool { return t.refused.Name == "east" && t.refused.Token == r.First })
	t.stopOrdering()
	end := time.Now()
	t.until("east has what west has", func() bool { return t.status["east"].Safe.After(end) })
	base, err := backup.OpenManifestFile(filepath.Join(dir, "west", treemirror.ManifestName)) // of the last copy before
	east, west := t.manifest("east"), t.manifest("west")
	if err := errors.Join(t.err, err); err != nil {
		return r, err
	}
	defer base.Close()

	r.Fenced, r.Second, r.Acknowledged = true, t.leader.Token, len(t.orders)
	only := map[string]bool{} // what east had and west had not
	for c, err := range treemirror.Diverge(base, former, west) {
		if err != nil {
			return r, err
		}
		if c.By == treemirror.Former {
			only[c.Path] = true
		}
	}
	r.Same = true
	for range treemirror.Diverge(nil, east, west) {
		r.Same = false
	}
	for _, o := range t.orders {
		if only[o.name] {
			if r.Lost++; r.Lost == 1 {
				r.LostSpan = ms(r.Killed.Sub(o.at))
			}
		} else if _, err := os.Lstat(filepath.Join(t.tree("west"), o.name)); err != nil {
			r.Same = false
		}
		if r.Took == 0 && o.at.After(r.Killed) {
			r.Took = ms(o.at.Sub(r.Killed))
		}
	}
	return r, nil
}

// report is what has come of it. Times are in milliseconds.
type report struct {
	Killed       time.Time `json:"killed"`
	Acknowledged int       `json:"acknowledged"` // orders
	Worst        int64     `json:"exposure_worst_ms"`
	P99          int64     `json:"exposure_p99_ms"`
	Exposed      int64     `json:"exposed_ms"` // when the primary was killed
	LostSpan     int64     `json:"lost_ms"`    // from the first order that was lost until then
	Lost         int       `json:"lost"`       // orders that were acknowledged
	Took         int64     `json:"took_ms"`    // until the next order was acknowledged
	First        uint64    `json:"former_token"`
	Second       uint64    `json:"token"`
	Fenced       bool      `json:"fenced"` // the former primary came back with its token, and was refused
	Same         bool      `json:"same"`   // in the end both sites held the same, and nothing else was missing
}

func ms(d time.Duration) int64 { return (d + time.Millisecond - 1).Milliseconds() }

func (r report) good() bool {
	return r.LostSpan <= r.Exposed && r.Fenced && r.Same && r.Second > r.First
}

// WriteText writes the report for people.
func (r report) WriteText(w io.Writer) error {
	_, err := fmt.Fprintf(w, `exposure before the failure   %d ms at worst, %d ms for 99 %% of the time
exposed at the failure        %d ms
lost                          %d of %d acknowledged orders, the oldest %d ms before the failure
taken over after              %d ms, token %d after %d
former primary came back      fenced: %t
both sites hold the same      %t
`, r.Worst, r.P99, r.Exposed, r.Lost, r.Acknowledged, r.LostSpan, r.Took, r.Second, r.First, r.Fenced, r.Same)
	return err
}
