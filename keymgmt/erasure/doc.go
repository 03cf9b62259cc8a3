// Package erasure is the evidence of destruction: signed receipts of destroyed keys, certificates that deleted data is gone
// with its keys, and a gate that gives no storage to its next owner without one.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 7.2.2.2, data deletion: it is assured that data is deleted permanently before its
// resources are allocated to others. Clause 8.2: the life of a key up to its destruction.
//
// # Most of what you need
//
//	ledger, err := erasure.New(repository, erasure.Options{
//		Signer: erasure.Ed25519(private), KeyID: "erasure-2026",
//		Trust:  erasure.Trust{"erasure-2026": erasure.Ed25519Public(public)}, Authorizer: auth,
//	})
//	manager, err := lifecycle.New(repository, material, custodian, &lifecycle.Options{Receipts: ledger, Tombstones: []keymgmt.Tombstones{stones}})
//	... manager.Destroy(ctx, by, key)                       // issues the receipt
//	doc, err := ledger.Certify(ctx, by, erasure.Declaration{Resource: volume, Keys: keys, AlwaysEncrypted: true})
//	doc, err = ledger.Release(ctx, by, volume, "vol-7 to globex") // or an error that wraps opsec.ErrDenied
//	receipt, err := erasure.Verify(doc, trust)              // anywhere, offline
//
// A receipt is a DSSE envelope (payload, its type, a signature over both), so that other programs can check it too. The
// [Signer] and the [Verifier] are those of Tink, by their shape: any signature of Tink's will do.
//
// # The chain
//
// All receipts of a tenant form one chain: each has a number and the digest of the one before it. What is left out in the
// middle shows ([VerifyChain]). What is cut off at the end shows when one compares with the digest in the last event of the
// audit log.
//
// # Promises
//
// Changing one byte of a receipt makes [Verify] fail. A key has one receipt that says that all went well, however often
// Issue is called. A certificate is issued only when each key has such a receipt, no check failed, and each copy that was
// out of reach has been attested to be gone. It serves for one [Ledger.Release]; when the tenant gets the resource back, the
// next one needs keys that were destroyed after that.
//
// A restored store does not bring a key back: [Tombstones] are built from the audit log, which is not restored with it.
//
// # What it will not do
//
// Know that data was always encrypted, and under which keys: that is declared, by a person whose name is in the certificate,
// and as much as [Options.Protected] knows is added. Guidance on cryptographic erase (NIST SP 800-88) allows it only for data
// that has never been written in clear, and only when every copy of the key, or of what wraps it, is gone.
package erasure
