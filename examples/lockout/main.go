// Lockout shows what a policy of locking does. Replay takes a log of attempts to log in through a policy, and tells what would have
// been locked, for how long, who would have been refused, and which attacks go over many accounts. Simulate lets guessers, sprayers
// and owners meet several nodes at once, under each preset, on a clock of its own. Exit 0: nothing was found; 1: something was; 2:
// wrong use or input.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/examples/internal/script"
	"github.com/cloudopsec/opsec/identity/lockout"
	"github.com/cloudopsec/opsec/internal/wholefile"
)

func main() {
	script.Exit(script.Command(script.Interruptible(), os.Args, map[string]script.Verb{"replay": replayVerb, "simulate": simulateVerb}))
}

func replayVerb(ctx context.Context, flags *flag.FlagSet, parse func() error) error {
	name := flags.String("log", "", "`file` of attempts, sorted by time, a JSON object a line: t, account, ok, and perhaps source, device, secret (a tag); required")
	policy := flags.String("policy", lockout.PresetRecommendation, "`preset` ("+presets()+") or file of a profile, JSON")
	asJSON := flags.Bool("json", false, "print the report as JSON")
	if err := parse(); err != nil {
		return err
	}
	if *name == "" {
		return errors.New("usage: lockout replay -log FILE [flags]; -h lists them")
	}
	profile, err := profileOf(*policy)
	if err != nil {
		return err
	}
	log, err := os.Open(*name)
	if err != nil {
		return err
	}
	defer log.Close()
	r, err := replay(ctx, log, profile)
	if err != nil {
		return fmt.Errorf("%s:%w", *name, err)
	}
	return script.Print(r, *asJSON, len(r.Locks)+len(r.Attacks) == 0)
}

// profileOf returns a preset, or what is in a file.
func profileOf(name string) (lockout.Profile, error) {
	p, err := lockout.Preset(name)
	if !errors.Is(err, opsec.ErrNotFound) {
		return p, err
	}
	text, err := os.ReadFile(name)
	if err == nil {
		p, err = lockout.ParseProfile(text)
	}
	if err != nil {
		return p, fmt.Errorf("-policy %s, which is none of %s: %w", name, presets(), err)
	}
	return p, nil
}

func presets() string {
	var names []string
	for _, p := range lockout.Presets() {
		names = append(names, p.Name)
	}
	return strings.Join(names, ", ")
}

func simulateVerb(ctx context.Context, flags *flag.FlagSet, parse func() error) error {
	var c course
	flags.Uint64Var(&c.Seed, "seed", 1, "`number` that all chance comes from")
	flags.IntVar(&c.Nodes, "nodes", 3, "`nodes` that share the counters, 1 to 64")
	flags.IntVar(&c.Guessers, "guessers", 4, "`attackers` who guess at one account, 0 to 1000")
	flags.IntVar(&c.Sprayers, "sprayers", 40, "`attackers` who try one secret at all accounts, 0 to 1000")
	out := flags.String("out", "", "`file` for a timeline, SVG")
	asJSON := flags.Bool("json", false, "print the report as JSON")
	if err := parse(); err != nil {
		return err
	}
	if c.Nodes < 1 || c.Nodes > 64 || min(c.Guessers, c.Sprayers) < 0 || max(c.Guessers, c.Sprayers) > 1000 {
		return errors.New("simulate: want 1 to 64 nodes, and 0 to 1000 guessers and sprayers")
	}
	o := &outcome{course: c}
	for _, p := range lockout.Presets() {
		run, err := c.simulate(ctx, p)
		if err != nil {
			return err
		}
		o.Runs = append(o.Runs, run)
	}
	if *out != "" {
		if err := wholefile.Write(*out, 0o644, func(w io.Writer) error { return draw(w, o) }); err != nil {
			return err
		}
	}
	return script.Print(o, *asJSON, true)
}
