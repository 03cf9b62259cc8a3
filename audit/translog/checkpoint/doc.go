// Package checkpoint says what a log held, who signed that, which witnesses saw it, and whether that is enough. It reads
// and writes the C2SP forms: signed notes, checkpoints (tlog-checkpoint), timestamped cosignatures (tlog-cosignature),
// policies (tlog-policy) and offline proofs (tlog-proof); and it asks witnesses for cosignatures (tlog-witness).
//
// # Recommendation
//
// ITU-T X.1642, 8.3: monitoring logs are strictly protected; 8.11.1: what an audit relies on can be checked by another.
// A log that signs alone can be put back to an earlier day, or shown in two versions, by whoever holds its key and its
// disk. A witness run by somebody else cosigns only a tree that continues the last one it saw, so neither goes unnoticed.
//
// # In short
//
//	c := checkpoint.Checkpoint{Origin: "audit.example/eu-1", Size: n, Root: root}
//	signed, err := c.Sign(signer)                       // any note.Signer; NewSigner wraps the key of an HSM
//
//	policy, err := checkpoint.ParsePolicy(text)         // whose key, whose witnesses, how many of them
//	g, err := checkpoint.NewGatherer(policy, nil)
//	got, err := g.Gather(ctx, signed, prove)            // all witnesses at once, until the quorum stands
//	publish(got.Signed)
//	got, err = g.Refresh(ctx, found, prove)             // after a start: is what was found the latest that they have seen?
//
//	v, err := policy.Open(published, time.Now())        // on another machine: nil means signed, and seen by the quorum
//	v, err = proof.Verify(leaf, policy, time.Now())     // and this leaf is in it
//
// # Promises
//
// What [Policy.Open] accepts was signed by a log of the policy under the origin that it names, and cosigned over these
// very bytes by as many witnesses as the quorum asks; each witness counts once, however often it signed and in however
// many ways its name was written. Lines of unknown keys are passed over and never count. A line of a known key that does
// not verify spoils the whole. A cosignature from the future (more than [MaxSkew] ahead) does not count.
//
// Everything that comes from outside has one written form: a byte changed anywhere in a checkpoint, a proof, or a line of
// a known key is an error. Sizes, counts and lengths are bounded before they are used. What is malformed wraps
// [opsec.ErrInvalid]; what is well formed but not proven wraps [ErrUntrusted].
//
// A witness that hangs, floods, redirects or lies delays and spoils nothing but its own cosignature.
//
// # What it will not do
//
// Prove that a log is complete or a witness honest: that is what the choice of witnesses is for. ML-DSA-44 keys are
// refused in a policy (the standard library of Go 1.26 has no ML-DSA); such lines in a note are passed over as unknown.
// What a witness answers about sizes is not signed: an [AheadError] is a reason to stop and look, not evidence.
package checkpoint
