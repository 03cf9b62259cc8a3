// Package recovery tests that backups can be restored: it restores one into a place of its own, looks whether what came out is what
// it should be, takes the time, leaves nothing behind, and says how sure many such tests make one.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.10: backups are to be tested by recovery, at intervals, and the tests recorded. A verification by hash
// (package backup) shows that the bytes are those that were backed up; only a recovery shows that they are of use, that the key is still
// there, and how long it takes.
//
// # In short
//
//	result, err := recovery.Run(ctx, recovery.Point{Tenant: "acme", Source: "orders", ID: "2026-03-01", Key: &recovery.KeyRef{Name: "backups", Version: 3}},
//		recovery.Test{
//			Target:  recovery.In("/srv/recovery"),
//			Keys:    keys,                              // fetches the key: one method, which Tink satisfies through a few lines
//			Restore: recovery.Archive{Open: openStore}, // an encrypted tar; recovery.Tree for files, or one of your own
//			Checks: []recovery.Check{
//				recovery.Manifest{Open: manifest, Believe: verifier},              // the files are those that were signed
//				recovery.Command{Name: "ledger", Path: "/usr/bin/ledger-check"},   // the program can read them; no network
//				recovery.Query{Name: "orders", Open: start, Text: "select count(*) > 0 from orders", Want: "true"},
//			},
//		}, &recovery.Options{Recorder: trail, Actor: operator})
//	if !result.Passed { fmt.Println(result.Failure) }
//
//	odds := recovery.OddsOf(passed, failed)      // how likely the next recovery is to succeed, and between which bounds
//	late := recovery.Overdue(history, every, now) // who has not been tested in time
//
// # Promises
//
// A test that fails is a result and no error: what cannot be fetched, decrypted, unpacked or checked is what one tests for. An error means that there
// was no test: the input is not valid, or the intent could not be recorded, and then nothing was touched.
//
// The target is new, empty and the test's own, and nothing is left of it; when that fails the test has failed ([Result].Cleaned). What comes out of
// an archive is bounded in bytes and in number, and never lands outside of the target, whatever names and links it holds.
//
// A test without checks does not pass. Each check's evidence is kept as a digest, with the first bytes of what was said.
//
// The intent is on record before anything is touched, and the end after it is clean ([opsec.Begin]).
//
// # What it will not do
//
// Start machines: a [Restorer] of the caller's does, with its hypervisor. Keep results: write their JSON where your evidence lies; package catalogue, beside this one,
// keeps who tested what, how it ended, and the digest of the rest ([Result.Digest]). Isolate by itself what a
// Restorer starts: [Command] runs without a network, the rest is the target's business.
package recovery
