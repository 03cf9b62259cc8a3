package backup_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"testing/fstest"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup"
	"github.com/cloudopsec/opsec/backup/trust"
)

// day is when all files of the examples were changed last, and their manifests made.
var day = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// files is a tree for examples; a real one comes from [backup.OpenDir].
func files(contents ...string) fstest.MapFS {
	tree := fstest.MapFS{"data": {Mode: os.ModeDir | 0o755, ModTime: day}}
	for i := 0; i < len(contents); i += 2 {
		tree[contents[i]] = &fstest.MapFile{Data: []byte(contents[i+1]), Mode: 0o644, ModTime: day}
	}
	return tree
}

// key is for examples; a real one comes from ssh-keygen or [trust.GenerateKeyFiles].
func key(seed string) trust.Signer {
	return must(trust.NewSigner(ed25519.NewKeyFromSeed([]byte(seed + strings.Repeat(".", ed25519.SeedSize-len(seed))))))
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// manifest builds and opens the manifest of a tree, signed by alice.
func manifest(tree fstest.MapFS, o backup.BuildOptions) *backup.Manifest {
	o.Header = backup.Header{Tenant: "acme", Source: "vol-1", Sequence: 1, Created: day, Operator: "alice"}
	o.Signers = append(o.Signers, key("alice"))
	var b bytes.Buffer
	must(backup.Build(context.Background(), &b, tree, o))
	return must(backup.OpenManifest(bytes.NewReader(b.Bytes()), int64(b.Len())))
}

// alone trusts alice.
func alone() trust.Verifier {
	return trust.Verifier{Policy: trust.Policy{Keys: []trust.Key{{Key: key("alice").PublicKey(), Operator: "alice", Person: "p-17"}}}}
}

func Example() {
	ctx := context.Background()
	original := files("data/a.txt", "hello", "data/b.txt", "world")
	var stored bytes.Buffer // a file: see BuildFile and OpenManifestFile
	_, err := backup.Build(ctx, &stored, original, backup.BuildOptions{
		Header:  backup.Header{Tenant: "acme", Source: "vol-1", Sequence: 1, Created: day, Operator: "alice"},
		Signers: []trust.Signer{key("alice")},
	})
	if err != nil {
		log.Fatal(err)
	}

	m, err := backup.OpenManifest(bytes.NewReader(stored.Bytes()), int64(stored.Len()))
	if err != nil {
		log.Fatal(err)
	}
	restored := files("data/a.txt", "hello", "data/b.txt", "w0rld", "data/c.txt", "?")
	report, err := backup.Verify(ctx, m, alone(), restored, backup.Budget{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.OK, report.Status, report.Trust, report.Changed, report.Missing, report.Extra)
	// Output:
	// false damaged ok [data/b.txt] [] [data/c.txt]
}

func ExampleBuild() {
	tree := files("data/a.txt", "hello", "data/line\nbreak", "world")
	tree["data/latest"] = &fstest.MapFile{Data: []byte("a.txt"), Mode: os.ModeSymlink, ModTime: day}
	var b bytes.Buffer
	header, err := backup.Build(context.Background(), &b, tree, backup.BuildOptions{
		Header: backup.Header{Tenant: "acme", Source: "vol-1", Sequence: 1, Created: day},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(header.Counts.Files, "files,", header.Counts.Bytes, "bytes")
	for i, line := range strings.Split(b.String(), "\n") {
		if i < 5 {
			fmt.Println(strings.ReplaceAll(line, "\t", " "))
		}
	}
	// Output:
	// 2 files, 10 bytes
	// opsec-manifest/v1 blake3
	// d 0755 1772366400.000000000 data
	// f 0644 1772366400.000000000 5 ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f data/a.txt
	// l 1772366400.000000000 a.txt data/latest
	// f 0644 1772366400.000000000 5 d7894ae9716d38d2dfad0ec55424ca321ee12453d51f1b3adeb77d0475ed988c data/line\x0abreak
}

func ExampleOpenManifest() {
	m := manifest(files("data/a.txt", "hello"), backup.BuildOptions{})
	for e, err := range m.Entries() {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%c %v %s %d\n", e.Kind, e.Mode, backup.Quote(e.Path), e.Sums.Size)
	}

	_, err := backup.OpenManifest(strings.NewReader("opsec-manifest/v1 blake3\n"), 25)
	fmt.Println(err)
	fmt.Println(errors.Is(err, opsec.ErrInvalid))
	// Output:
	// d -rwxr-xr-x data 0
	// f -rw-r--r-- data/a.txt 5
	// backup: manifest: truncated: invalid
	// true
}

func ExampleVerify() {
	tree := files("data/a.txt", "hello")
	m := manifest(tree, backup.BuildOptions{})
	now := func() time.Time { return day.Add(time.Hour) }

	// Nobody is trusted by default: the content is right, and anybody may have written the manifest.
	report := must(backup.Verify(context.Background(), m, trust.Verifier{}, tree, backup.Budget{Now: now}))
	fmt.Println(report.Status, report.Faults(), report.Reasons)

	tree["data/a.txt"].Mode = 0o666
	for _, strict := range []bool{false, true} {
		report = must(backup.Verify(context.Background(), m, alone(), tree, backup.Budget{StrictMetadata: strict, Now: now}))
		fmt.Println(report.Status, report.Metadata, report.Details)
	}
	// Output:
	// untrusted 0 [no trusted keys were given]
	// ok [data/a.txt] [{data/a.txt mode was 0644, is 0666 []}]
	// damaged [data/a.txt] [{data/a.txt mode was 0644, is 0666 []}]
}

// With chunk lines in the manifest, a report says which 64 KiB of a file are bad.
func ExampleVerify_ranges() {
	image := make([]byte, 10<<20)
	m := manifest(files("data/disk.img", string(image)), backup.BuildOptions{Chunks: true})
	image[5_000_000] ^= 1
	report := must(backup.Verify(context.Background(), m, alone(), files("data/disk.img", string(image)), backup.Budget{}))
	for _, d := range report.Details {
		fmt.Println(d.Path, d.What, d.Ranges)
	}
	// Output:
	// data/disk.img content differs [[4980736,5046272)]
}

// A verification that runs out of time leaves a cursor in its report, from which the next one goes on.
func ExampleVerify_resume() {
	tree := files("data/a.txt", "hello", "data/b.txt", "world")
	m := manifest(tree, backup.BuildOptions{})
	clock := day
	slow := backup.Budget{Workers: 1, Duration: time.Minute, Now: func() time.Time { clock = clock.Add(30 * time.Second); return clock }}
	for {
		report := must(backup.Verify(context.Background(), m, alone(), tree, slow))
		fmt.Println(report.Status, report.Checked)
		if report.Cursor == nil {
			break
		}
		slow.Resume = report // or from a file, by ParseReport
	}
	// Output:
	// incomplete 1
	// ok 2
}

func ExampleManifest_CoSign() {
	tree := files("data/a.txt", "hello")
	first := manifest(tree, backup.BuildOptions{})
	var b bytes.Buffer
	if err := first.CoSign(context.Background(), &b, key("bob")); err != nil {
		log.Fatal(err)
	}
	second := must(backup.OpenManifest(bytes.NewReader(b.Bytes()), int64(b.Len())))
	fmt.Println(first.ID() == second.ID())

	both := alone()
	both.Threshold = 2
	both.Keys = append(both.Keys, trust.Key{Key: key("bob").PublicKey(), Operator: "bob", Person: "p-4"})
	for _, m := range []*backup.Manifest{first, second} {
		report := must(backup.Verify(context.Background(), m, both, tree, backup.Budget{}))
		fmt.Println(report.Status, report.Reasons)
	}
	// Output:
	// true
	// untrusted [1 of 2 persons have signed]
	// ok []
}

// For "b3sum --check" in the directory that was backed up.
func ExampleManifest_WriteCheckFile() {
	m := manifest(files("data/a.txt", "hello", "data/line\nbreak", "world"), backup.BuildOptions{})
	if err := m.WriteCheckFile(os.Stdout, backup.B3Sum); err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.WriteCheckFile(os.Stdout, backup.SHA256Sum))
	// Output:
	// ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f  data/a.txt
	// \d7894ae9716d38d2dfad0ec55424ca321ee12453d51f1b3adeb77d0475ed988c  data/line\nbreak
	// backup: the manifest holds no SHA-256 digests: it was built without them: invalid
}

func ExampleVerifySums() {
	list := "ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f  ./data/a.txt\n"
	sums := must(backup.ParseCheckFile(strings.NewReader(list), backup.B3Sum))
	for _, content := range []string{"hello", "HELLO"} {
		report := must(backup.VerifySums(context.Background(), sums, files("data/a.txt", content), backup.Budget{}))
		fmt.Println(report.Status, report.Changed, report.Reasons)
	}
	// Output:
	// untrusted [] [a list of digests carries no signature]
	// damaged [data/a.txt] [a list of digests carries no signature]
}

// An attacker who holds yesterday's manifest can restore yesterday. The state tells.
func ExampleReport_Accept() {
	tree := files("data/a.txt", "hello")
	yesterday := manifest(tree, backup.BuildOptions{})
	today := manifest(tree, backup.BuildOptions{Previous: yesterday})
	verifier := alone()
	verifier.State = new(trust.State) // from trust.LoadState
	for _, m := range []*backup.Manifest{yesterday, today, yesterday} {
		report := must(backup.Verify(context.Background(), m, verifier, tree, backup.Budget{}))
		accepted := must(report.Accept(m, &verifier, day, false))
		fmt.Println(report.Status, report.History, accepted)
	}
	// Output:
	// ok first true
	// ok next true
	// suspect older false
}

// The receipt of an audit event shows that a manifest was there before its key was revoked.
func ExampleEvidenceOf() {
	m := manifest(files("data/a.txt", "hello"), backup.BuildOptions{})
	event := m.Event()
	receipt := opsec.Receipt{Event: event.ID, Time: day.Add(time.Minute), Durable: true} // of a recorder: see package audit
	evidence := must(backup.EvidenceOf(event, receipt))

	verifier := alone()
	verifier.Keys[0].Revoked = day.Add(time.Hour)
	for range 2 {
		judgement := must(verifier.Judge(m.Claim(), day.Add(2*time.Hour)))
		fmt.Println(judgement.Trust)
		verifier.Evidence = []trust.Evidence{evidence}
	}
	// Output:
	// untrusted
	// ok
}

func ExampleQuote() {
	fmt.Println(backup.Quote("plain é"), backup.Quote("two\nlines"), backup.Quote(`back\slash`), backup.Quote("not UTF-8: \xff"))
	// Output:
	// plain é two\x0alines back\x5cslash not UTF-8: \xff
}

func ExampleSum() {
	sums := backup.Sum([]byte("hello"), &backup.SumOptions{SHA256: true})
	fmt.Println(sums.Size, sums.BLAKE3, sums.SHA256)
	// Output:
	// 5 ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
}
