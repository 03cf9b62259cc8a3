package main

import (
	"context"
	"fmt"
	"time"

	"github.com/cloudopsec/opsec/backup/retention"
	"github.com/cloudopsec/opsec/backup/snapshot"
)

// snapshotsStop reckons what a month of snapshots puts at risk, and asks which of a year's backups a policy keeps.
func snapshotsStop(_ context.Context, t *tour) {
	var b snapshot.Builder
	for night := range 30 {
		n := snapshot.Node{ID: fmt.Sprintf("night-%02d.qcow2", night), Restore: true, Size: 3 << 30, Virtual: 40 << 30}
		if night > 0 {
			n.Needs = []snapshot.Need{{ID: fmt.Sprintf("night-%02d.qcow2", night-1), As: snapshot.AsBacking}}
		}
		check(b.Add(n))
	}
	graph, _ := b.Build()
	model := snapshot.FailureModel{P: 0.01, Now: time.Now()}
	risk, err := graph.Analyze(model, nil)
	check(err)
	lost, err := graph.Destroy("night-10.qcow2")
	check(err)
	less, err := graph.Flatten(model, snapshot.Budget{Bytes: 100 << 30})
	check(err)
	t.say("   30 nightly snapshots in a chain, each bad in 1 of 100: %.2f points lost on average, %.2f if none needed another;", risk.ExpectedLost, risk.Independent)
	t.say("     with night 10 alone %d points are gone; %d of them made independent for 100 GiB bring the first figure to %.2f", lost.Points, len(less.Steps), less.After)
	t.result["snapshots"] = map[string]any{"risk": risk, "kept": t.kept()}
}

// kept says which of a year's nightly backups a policy keeps, though the last is stamped with a year that is to come.
func (t *tour) kept() (kept int) {
	var points []retention.Point
	now := time.Now()
	for night := range 366 {
		at := now.AddDate(0, 0, -night)
		points = append(points, retention.Point{ID: fmt.Sprint("night ", night), Claimed: at, Received: at, Replicated: true, Verified: at})
	}
	points[0].Claimed = now.AddDate(10, 0, 0)
	plan, err := retention.Plan(points, retention.Policy{Semantics: retention.Calendar, Zone: "UTC", Daily: 7, Weekly: 5, Monthly: 12}, now)
	check(err)
	for _, d := range plan.Decisions {
		if d.Keep {
			kept++
		}
	}
	t.say("   of 366 nightly backups 7 daily, 5 weekly and 12 monthly ones: %d stay, and one stamped ten years ahead pushes none out:", kept)
	for _, f := range plan.Findings {
		t.say("     %s: %s", f.Rule, f.Text)
	}
	return kept
}
