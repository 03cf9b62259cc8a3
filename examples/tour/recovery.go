package main

import (
	"context"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/cloudopsec/opsec/backup"
	"github.com/cloudopsec/opsec/backup/recovery"
	"github.com/cloudopsec/opsec/backup/trust"
)

// recoveryStop restores what the first stop has backed up: the copy in which one bit was flipped, and the original.
func recoveryStop(ctx context.Context, t *tour) {
	public, err := trust.LoadPublicKey(filepath.Join(t.work, "key.pub"))
	check(err)
	manifest := recovery.Manifest{
		Name: "as it was signed",
		Open: func(context.Context) (*backup.Manifest, error) {
			return backup.OpenManifestFile(filepath.Join(t.work, "manifest"))
		},
		Believe: trust.Verifier{Policy: trust.Policy{Keys: []trust.Key{{Key: public, Operator: t.actor.Account}}}},
	}
	var tests []recovery.Result
	for _, from := range []string{filepath.Join(t.work, "copy"), t.dir} { // the copy with one flipped bit, and the original
		r, err := recovery.Run(ctx, recovery.Point{Tenant: t.actor.Tenant, Source: backup.Quote(t.dir), ID: from}, recovery.Test{
			Target:  recovery.In(t.work),
			Restore: recovery.Tree{Open: func(context.Context, recovery.Point) (fs.FS, error) { return backup.OpenDir(from) }},
			Checks:  []recovery.Check{manifest},
		}, &recovery.Options{Recorder: t.trail, Actor: t.actor})
		check(err)
		tests = append(tests, r)
		t.say("   restored %d files, %d MB in %s: passed %t %s", r.Files, r.Bytes/1e6, time.Duration(r.Took).Round(time.Millisecond), r.Passed, r.Failure)
	}
	t.say("   what two tests are worth: %s", recovery.OddsOf(1, 1))
	t.result["recovery"] = tests
}
