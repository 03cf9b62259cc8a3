package main

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme/independence"
	"github.com/cloudopsec/opsec/audit/programme/sample"
	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
	"github.com/cloudopsec/opsec/examples/internal/witness"
)

// programmeStop finds out who may audit the backups of this tour, and draws the files to be looked at so that neither
// who audits nor who is audited can choose them.
func programmeStop(ctx context.Context, t *tour) {
	scope := independence.Scope{Actions: []string{"backup.*"}}
	clearance, err := independence.Policy{}.Examine(ctx, scope, []string{t.actor.Person, "ann"}, independence.Organisation{}, t.acts(), time.Now())
	check(err)
	t.say("   may the visitor audit the backups? %v\n   may ann? %s", clearance.Cleared(t.actor.Person), okOr(clearance.Cleared("ann")))

	frame := sample.Frame{Procedure: "files"}
	check(fs.WalkDir(os.DirFS(t.dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			frame.Items = append(frame.Items, name)
		}
		return err
	}))
	slices.Sort(frame.Items)
	commitment, err := frame.Commit()
	check(err)
	size := 0
	if commitment.Size > 0 {
		size, err = sample.Size(commitment.Size, 100_000, 950_000, 0) // see it, with 95 %, if a tenth of them is wrong
		check(err)
	}
	seen := witness.New("witness.example")
	log, trust, closeLog := openLog(ctx, filepath.Join(t.work, "programme"))
	logKey, err := note.NewVerifier(trust.Logs[0].Key)
	check(err)
	witnessKey, err := checkpoint.NewCosignatureVerifier(seen.Key())
	check(err)
	believe := sample.CheckpointVerifier{Logs: []note.Verifier{logKey}, Witnesses: []note.Verifier{witnessKey}, Quorum: 1}

	freeze := sample.Freeze{Audit: "tour", Attempt: 1, Frames: []sample.Commitment{commitment}, NotBefore: time.Now().Truncate(time.Second)}
	digest, err := freeze.Digest()
	check(err)
	anchor := sample.Anchor{Log: log.Origin()}
	publish := func(action, digest string) []byte { // records it, and returns a checkpoint that covers it
		e := opsec.NewEvent(action, time.Now())
		e.Actor, e.Outcome, e.Attrs = t.actor, opsec.Success, []opsec.Attr{{Key: "digest", Value: digest, Mark: opsec.Public}}
		r, err := log.Append(ctx, e)
		check(err)
		proof, err := log.Prove(ctx, r.Index)
		check(err)
		signed, err := seen.Cosign(proof.Checkpoint)
		check(err)
		anchor.Index = r.Index
		return signed
	}
	before, signed := publish("tour.plan", clearance.Digest()), publish("tour.freeze", digest.String())
	check(closeLog())
	seed, err := sample.Derive(freeze, anchor, signed, believe)
	check(err)
	drawn, err := seed.Draw(commitment, size)
	check(err)
	t.say("   of %d files, %d are drawn by a checkpoint that a witness signed after the freeze:", commitment.Size, size)
	for _, i := range drawn[:min(3, size)] {
		t.say("     %s", frame.Items[i])
	}
	_, early := sample.Derive(freeze, anchor, before, believe)
	frame.Items = append(frame.Items, "~one more")
	other, err := frame.Commit()
	check(err)
	t.say("   by a checkpoint of before: %v\n   with one file more: is it what was frozen? %v", early, other.Digest == commitment.Digest)
	t.result["programme"] = map[string]any{"clearance": clearance, "population": commitment, "drawn": drawn, "early": early.Error(), "same": other.Digest == commitment.Digest}
}
