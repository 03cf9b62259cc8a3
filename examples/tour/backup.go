package main

import (
	"context"
	"path/filepath"
	"time"

	"github.com/cloudopsec/opsec/backup"
	"github.com/cloudopsec/opsec/backup/trust"
)

// backupStop signs the manifest of a directory, verifies a copy, flips one bit of it and finds that bit.
func backupStop(ctx context.Context, t *tour) {
	key, manifest, copied := filepath.Join(t.work, "key"), filepath.Join(t.work, "manifest"), filepath.Join(t.work, "copy")
	public, err := trust.GenerateKeyFiles(key, "")
	check(err)
	signer, err := trust.LoadPrivateKey(key, nil)
	check(err)
	original, err := backup.OpenDir(t.dir)
	check(err)
	defer original.Close()
	start := time.Now()
	h, err := backup.BuildFile(ctx, manifest, original, backup.BuildOptions{
		Header: backup.Header{
			Tenant: t.actor.Tenant, Source: backup.Quote(t.dir), Sequence: 1, Created: start,
			Operator: t.actor.Account, Tool: "tour",
		},
		Signers: []trust.Signer{signer}, Chunks: true,
	})
	check(err)
	t.say("   %d files, %d MB of %s read and signed in %s", h.Counts.Files, h.Counts.Bytes/1e6, t.dir, since(start))
	t.say("   key %s", public.ID())
	m, err := backup.OpenManifestFile(manifest)
	check(err)
	defer m.Close()
	t.record(ctx, m.Event())
	copyTree(copied, original, m)

	believe := trust.Verifier{Policy: trust.Policy{Keys: []trust.Key{{Key: public, Operator: t.actor.Account}}}}
	verify := func(what string) *backup.Report {
		tree, err := backup.OpenDir(copied)
		check(err)
		defer tree.Close()
		r, err := backup.Verify(ctx, m, believe, tree, backup.Budget{})
		check(err)
		t.record(ctx, r.Event())
		t.say("   %s: %s, signature %s, %d files compared in %s", what, r.Status, r.Trust, r.Checked, since(r.Started))
		return r
	}
	verify("the copy")
	where := flipBit(copied, m)
	r := verify("one bit of it flipped")
	for _, d := range r.Details {
		t.say("     found in %s: %s, bytes %v; the bit was %s", d.Path, d.What, d.Ranges, where)
	}
	t.result["backup"] = r
}
