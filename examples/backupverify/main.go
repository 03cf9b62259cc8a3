// Backupverify writes the signed manifest of a directory and verifies a backup of it. Exit 0: no fault was found;
// 1: there are findings; 2: wrong use or input. Without -pub or -trust nobody vouches for the manifest: the report
// says so, and exit 0 means only that the contents match.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup"
	"github.com/cloudopsec/opsec/backup/trust"
	"github.com/cloudopsec/opsec/examples/internal/script"
)

func main() {
	script.Exit(script.Command(script.Interruptible(), os.Args, map[string]script.Verb{
		"keygen": keygen, "build": build, "verify": verify, "export": export,
	}))
}

func keygen(_ context.Context, flags *flag.FlagSet, parse func() error) error {
	out := flags.String("out", "operator.key", "private key `file`; the public key goes beside it, as .pub")
	if err := parse(); err != nil {
		return err
	}
	key, err := trust.GenerateKeyFiles(*out, "")
	if err == nil {
		fmt.Println(key.ID())
	}
	return err
}

func build(ctx context.Context, flags *flag.FlagSet, parse func() error) error {
	h, o := backup.Header{Created: time.Now(), Tool: "backupverify"}, backup.BuildOptions{}
	src := flags.String("src", "", "`directory` to describe")
	out := flags.String("out", "backup.manifest", "manifest `file` to write")
	key := flags.String("key", "", "private key `file` to sign with (Ed25519, OpenSSH)")
	flags.StringVar(&h.Operator, "operator", "", "`name` of who signs")
	flags.StringVar((*string)(&h.Tenant), "tenant", string(opsec.Provider), "whose data")
	flags.StringVar(&h.Source, "source", "", "what is backed up (default: the directory's path)")
	previous := flags.String("previous", "", "manifest `file` before this one, of the same source")
	digests := script.OneOf(flags, "digests", "what to compute", "blake3", "blake3,sha256")
	flags.BoolVar(&o.Chunks, "chunks", false, "let verify tell which 64 KiB of a file are bad")
	if err := parse(); err != nil {
		return err
	}
	dir, err := backup.OpenDir(*src)
	if err != nil {
		return err
	}
	defer dir.Close()
	if *key != "" {
		signer, err := trust.LoadPrivateKey(*key, nil)
		if err != nil {
			return err
		}
		o.Signers = []trust.Signer{signer}
	}
	if path, err := filepath.Abs(*src); h.Source == "" && err == nil {
		h.Source = backup.Quote(path)
	}
	if *previous != "" {
		if o.Previous, err = backup.OpenManifestFile(*previous); err != nil {
			return err
		}
		defer o.Previous.Close()
	}
	show, clear := script.Progress()
	o.Header, o.SHA256, o.Progress = h, *digests != "blake3", func(p backup.Progress) { show(fmt.Sprintf("%d files, %s", p.Files, p.Path)) }
	done, err := backup.BuildFile(ctx, *out, dir, o)
	if clear(); err == nil {
		fmt.Printf("%s: %d files, %d bytes, %d signers\n", *out, done.Counts.Files, done.Counts.Bytes, len(o.Signers))
	}
	return err
}

func verify(ctx context.Context, flags *flag.FlagSet, parse func() error) error {
	var b backup.Budget
	name := flags.String("manifest", "backup.manifest", "manifest `file`, or a check file that b3sum or sha256sum wrote")
	src := flags.String("dir", "", "`directory` to verify")
	format := script.OneOf(flags, "format", "what a check file is of", "b3sum", "sha256sum")
	pubs := script.Strings(flags, "pub", "public key `file` of an operator to trust; may be repeated")
	policy := flags.String("trust", "", "trust policy `file` (JSON): persons, roles, threshold, validity, revocation")
	state := flags.String("state", "", "`file` that remembers what was accepted, so that rollback and omission show")
	gap := flags.Bool("accept-gap", false, "accept a manifest whose predecessor was not seen")
	flags.Int64Var(&b.Sample, "sample", 0, "read the content of `N` files, drawn at random (default all)")
	flags.Int64Var(&b.BytesPerSecond, "rate", 0, "read at most this many `bytes` a second (default no limit)")
	flags.DurationVar(&b.Duration, "for", 0, "stop after this `time`, to go on with -resume (default no limit)")
	resume := flags.String("resume", "", "`file` to go on from if it exists, and to leave the cursor in at a stop")
	flags.BoolVar(&b.StrictMetadata, "strict", false, "a differing mode, time or hole is a fault too")
	asJSON := flags.Bool("json", false, "print the report as JSON")
	if err := parse(); err != nil {
		return err
	}
	dir, err := backup.OpenDir(*src)
	if err != nil {
		return err
	}
	defer dir.Close()
	t, err := trust.LoadVerifier(*policy, *state, *pubs...)
	if err == nil {
		b.Resume, err = script.Resume(*resume, backup.ParseReport)
	}
	if err != nil {
		return err
	}
	show, clear := script.Progress()
	b.Progress = func(p backup.Progress) { show(fmt.Sprintf("%d of %d files, %s", p.Files, p.AllFiles, p.Path)) }
	var report *backup.Report
	m, err := backup.OpenManifestFile(*name)
	if errors.Is(err, backup.ErrNotManifest) {
		report, err = backup.VerifyCheckFile(ctx, *name, backup.CheckFormat(*format), dir, b)
	} else if err == nil {
		defer m.Close()
		report, err = backup.Verify(ctx, m, *t, dir, b)
	}
	if clear(); err != nil {
		return err
	}
	accepted, err := report.Accept(m, t, time.Now(), *gap)
	if err == nil && accepted {
		err = t.State.Save(*state)
	}
	if err = errors.Join(err, script.Leave(*resume, report, report.Cursor == nil)); err != nil {
		return err
	}
	unvouched := report.Status == backup.StatusUntrusted && len(t.Keys) == 0 && !report.History.Suspect()
	return script.Print(report, *asJSON, report.OK || accepted || unvouched || report.Status == backup.StatusIncomplete)
}

func export(_ context.Context, flags *flag.FlagSet, parse func() error) error {
	name := flags.String("manifest", "backup.manifest", "manifest `file`")
	format := flags.String("format", "b3sum", "b3sum, sha256sum; dsse (the envelope); signed and sshsig (for ssh-keygen -Y verify)")
	if err := parse(); err != nil {
		return err
	}
	m, err := backup.OpenManifestFile(*name)
	if err != nil {
		return err
	}
	defer m.Close()
	return m.Export(os.Stdout, *format)
}
