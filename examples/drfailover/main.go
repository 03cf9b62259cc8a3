// Drfailover runs two sites, kills the one that is primary while it takes orders, lets the other one take over, and has the killed
// one come back. It prints what was exposed when it was killed beside what was lost. Exit 0: the loss was within the exposure,
// the former primary was refused, and both sites hold the same in the end; 1: not so; 2: it could not be run.
//
//	drfailover [-json] [-run 2s]
//
// Each site is a process of this program with a directory: orders are files in its tree. The site that stands by mirrors the tree
// of the primary (package treemirror), and both contend for a lease (package fence). A third place, this process, has the lease and
// the gate before both sites: it loses nothing when a site does.
package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"slices"
	"time"

	"github.com/cloudopsec/opsec/examples/internal/script"
)

func main() { script.Exit(run(os.Args[1:])) }

func run(args []string) error {
	flags := flag.NewFlagSet("drfailover", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "print the result as JSON")
	load := flags.Duration("run", 2*time.Second, "how `long` orders are taken before the primary is killed: 500 ms to a minute")
	be := flags.String("be", "", "be the site of this `name`; the program itself sets it")
	third := flags.String("third", "", "`address` of the third place; goes with -be")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 || *load < 500*time.Millisecond || *load > time.Minute {
		return errors.New("usage: drfailover [-json] [-run 500ms..1m]; -h lists the flags")
	}
	ctx := script.Interruptible()
	if *be != "" {
		return stand(ctx, *be, *third)
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
	third, err := open(ctx, dir)
	if err != nil {
		return r, err
	}
	defer third.close()
	if err := third.start("east"); err != nil {
		return r, err
	}
	if err := third.until(ctx, "east becomes primary", func() bool { return third.leader.Name == "east" }); err != nil {
		return r, err
	}
	if err := third.start("west"); err != nil {
		return r, err
	}
	orders := order(ctx, third.front.Addr().String())
	defer orders.end()
	if err := third.until(ctx, "west has a copy", func() bool { return !third.status["west"].Safe.IsZero() }); err != nil {
		return r, err
	}
	select {
	case <-ctx.Done():
		return r, ctx.Err()
	case <-time.After(load):
	}
	// Between two copies, when there is something to lose.
	if err := third.until(ctx, "west is behind", func() bool {
		exposure, known := third.status["west"].Exposure()
		return known && exposure > every/2 && exposure < every
	}); err != nil {
		return r, err
	}

	r.Killed = third.kill("east") // kill -9
	third.mu.Lock()
	last, meter := third.status["west"], third.meter
	r.First, r.Exposed, r.Worst = third.leader.Token, ms(r.Killed.Sub(last.Safe)), ms(time.Duration(meter.Worst))
	p99, _ := meter.Quantile(99, 100)
	r.P99 = ms(p99)
	third.mu.Unlock()

	if err := third.until(ctx, "west takes orders", func() bool { return orders.since(r.Killed) > 20 && third.leader.Name == "west" }); err != nil {
		return r, err
	}
	r.Took = ms(orders.next(r.Killed).Sub(r.Killed))
	now := time.Now()
	there, err := third.tree("west")
	if err != nil {
		return r, err
	}
	lost := orders.missing(there, now)
	r.Lost = len(lost)
	if len(lost) > 0 {
		r.LostSpan = ms(r.Killed.Sub(lost[0]))
	}
	if err := third.start("east"); err != nil { // it takes itself for the primary
		return r, err
	}
	if err := third.until(ctx, "east is refused", func() bool { return third.refused["east"] == r.First }); err != nil {
		return r, err
	}
	orders.end()
	end := time.Now()
	west, err := third.tree("west")
	if err != nil {
		return r, err
	}
	if err := third.until(ctx, "east has what west has", func() bool { return third.status["east"].Safe.After(end) }); err != nil {
		return r, err
	}
	r.Fenced, r.Second, r.Acknowledged = true, third.leader.Token, orders.count()
	east, err := third.tree("east")
	if err != nil {
		return r, err
	}
	r.Same = len(orders.missing(west, end)) == r.Lost && slices.Equal(east, west)
	return r, nil
}
