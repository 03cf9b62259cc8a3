package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/lockout"
	"github.com/cloudopsec/opsec/identity/lockout/spray"
)

// Who tries: attackers, and owners in one of three places.
const (
	guesser  = "guessers"
	sprayer  = "sprayers"
	onDevice = "trusted device"
	atHome   = "familiar network"
	away     = "elsewhere"
)

var places = []string{onDevice, atHome, away}

// outcome is what a simulation has brought about.
type outcome struct {
	course
	Runs []*run `json:"runs"`
}

// run is what has become of the attempts under one preset. It is the recorder of its locks too.
type run struct {
	Preset  string             `json:"preset"`
	By      map[string]*tally  `json:"by"`
	Victim  map[string]*tally  `json:"victim"` // the owner that is guessed at
	Locks   int                `json:"locks"`
	Attacks map[spray.Kind]int `json:"attacks"`

	locked []span
	marks  []mark
}

// tally counts attempts.
type tally struct {
	Tried    int `json:"tried"`
	Verified int `json:"verified"` // the secret was looked at
	Right    int `json:"right"`    // it was right, whether it was looked at or not
	Admitted int `json:"admitted"`
}

// span is when strangers could not try the victim's secret, and mark an attempt at it.
type span struct{ from, to time.Time }

type mark struct {
	at       time.Time
	by       string
	verified bool
	in       bool
}

func newRun(preset string) *run {
	r := &run{Preset: preset, By: map[string]*tally{}, Victim: map[string]*tally{}, Attacks: map[spray.Kind]int{}}
	for _, by := range append([]string{guesser, sprayer}, places...) {
		r.By[by], r.Victim[by] = new(tally), new(tally)
	}
	return r
}

func (r *run) count(g *guess, at time.Time, verified, in bool) {
	list := []*tally{r.By[g.by]}
	if g.account == victim {
		list = append(list, r.Victim[g.by])
		r.marks = append(r.marks, mark{at, g.by, verified, in})
	}
	for _, t := range list {
		t.Tried++
		for n, yes := range map[*int]bool{&t.Verified: verified, &t.Right: g.right, &t.Admitted: in} {
			if yes {
				*n++
			}
		}
	}
}

// Record implements [opsec.Recorder]: it keeps when the victim was locked for strangers.
func (r *run) Record(_ context.Context, e *opsec.Event) (opsec.Receipt, error) {
	strangers, until := e.Resource.ID == victim, morning.Add(hours*time.Hour)
	for _, a := range e.Attrs {
		switch a.Key {
		case "class":
			strangers = false
		case "until":
			until, _ = time.Parse(time.RFC3339Nano, a.Value)
		}
	}
	began := e.Action == lockout.ActionLocked || e.Action == lockout.ActionBarred || e.Action == lockout.ActionPermanent
	if began {
		r.Locks++
	}
	switch {
	case strangers && began:
		r.locked = append(r.locked, span{e.Time, until})
	case strangers && e.Action == lockout.ActionUnlocked && len(r.locked) > 0:
		r.locked[len(r.locked)-1].to = e.Time
	}
	return opsec.Receipt{Event: e.ID, Time: e.Time}, nil
}

// WriteText writes a table.
func (o *outcome) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "%d hours, %d owners, %d nodes, seed %d. Guesses: those whose secret was verified, of all. Log-ins: admitted, of those with the right secret.\n\n",
		hours, owners, o.Nodes, o.Seed)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "preset\t%d %s\t%d %s\tthe one guessed at: %s\t%s\t%s\tall owners\tlocks\tfound\n", o.Guessers, guesser, o.Sprayers, sprayer, onDevice, atHome, away)
	for _, r := range o.Runs {
		all := tally{}
		for _, p := range places {
			all.Admitted, all.Right = all.Admitted+r.By[p].Admitted, all.Right+r.By[p].Right
		}
		fmt.Fprintf(t, "%s\t%s\t%s", r.Preset, part(r.By[guesser].Verified, r.By[guesser].Tried), part(r.By[sprayer].Verified, r.By[sprayer].Tried))
		for _, p := range places {
			fmt.Fprintf(t, "\t%s", part(r.Victim[p].Admitted, r.Victim[p].Right))
		}
		var found []string
		for _, k := range slices.Sorted(maps.Keys(r.Attacks)) {
			found = append(found, string(k))
		}
		fmt.Fprintf(t, "\t%s\t%d\t%s\n", part(all.Admitted, all.Right), r.Locks, strings.Join(found, ", "))
	}
	return t.Flush()
}

func part(n, of int) string { return fmt.Sprintf("%d/%d", n, of) }
