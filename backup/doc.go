// Package backup proves that a copy is the original, and says who answers for it: it hashes files and whole trees, writes
// signed manifests of them, and verifies a tree against a manifest.
//
// # Recommendation
//
// ITU-T X.1642, clause 8.10: the backup is compared with the original by a one-way hash, and the operator is verified
// by a digital signature. Who is believed is decided in package trust, beside this one.
//
// # Ten lines
//
//	src, err := backup.OpenDir("/srv/data")
//	signer, err := trust.LoadPrivateKey("operator.key", nil) // an Ed25519 key of ssh-keygen, or of trust.GenerateKeyFiles
//	_, err = backup.BuildFile(ctx, "data.manifest", src, backup.BuildOptions{
//		Header:  backup.Header{Tenant: "acme", Source: "data", Sequence: 1, Created: time.Now(), Operator: "alice"},
//		Signers: []trust.Signer{signer},
//	})
//
//	m, err := backup.OpenManifestFile("data.manifest")
//	verifier, err := trust.LoadVerifier("", "seen.json", "operator.key.pub")
//	report, err := backup.Verify(ctx, m, *verifier, restored, backup.Budget{})
//	if !report.OK { report.WriteText(os.Stderr) }
//
// [Sum], [SumReaderAt] and [SumFS] give digests alone: those of b3sum, on all cores, with SHA-256 beside them from the
// same reading where asked for.
//
// # Promises
//
// Memory is bounded whatever the size of a file, a tree or a manifest; only the listing of the largest directory, and
// of those above it, must fit. [Build] and [Verify] read a file once, and look at it before and after: one that changes
// meanwhile is reported as that, and never as damage or as sound.
//
// Paths are bytes. Names that are not UTF-8 work on a [Dir], and are shown unmistakably ([Quote]). Links are recorded
// and never followed; FIFOs, sockets and devices are recorded and never opened. [Verify] opens what it finds in the
// tree, never what a manifest names.
//
// A manifest has one encoding, and every byte of it matters: a flipped one is found also where nothing is signed.
// Without trusted keys a [Report] is never OK.
//
// # What it will not do
//
// It does not copy, compress, encrypt or restore. It records no owner, no extended attribute and no hard link. A
// [Verify] that passes says that the tree is what was signed, not that what was signed was sound: only a recovery test
// shows that.
package backup
