// Package sample draws a sample that anybody can draw again. Who audits cannot choose what is looked at, and who is audited
// cannot know it before the scope is fixed: the sample comes out of a checkpoint of a transparency log that witnesses signed
// after the log had recorded the scope.
//
// # Recommendation
//
// ITU-T X.1642, 8.11.1: audits are fair, their scope is defined, and what they did can be shown; 7.2.2.5: their results are
// shown to the customers concerned, who may want to see that the sample was not picked.
//
// # In short
//
//	frame := sample.Frame{Procedure: "backup-1", Items: volumes}      // the population, sorted
//	c, err := frame.Commit()                                          // its size and Merkle root
//	k, err := sample.Size(c.Size, 50_000, 950_000, 0)                 // see a rate of 5 % with a confidence of 95 %
//	f := sample.Freeze{Audit: id, Attempt: 1, Scope: scope, Frames: []sample.Commitment{c}, NotBefore: noon}
//	// ... record f.Digest() in the log; after noon take a checkpoint of it that the witnesses have signed:
//	seed, err := sample.Derive(f, anchor, checkpoint, verifier)
//	positions, err := seed.Draw(c, k)
//	// ... and what an outsider runs, on what was published:
//	seed, err = sample.Recompute(dossier, verifier, holds)
//
// # Promises
//
// [Derive] refuses a checkpoint that does not cover the freeze, is of another log, was not signed by it and by as many
// witnesses as asked, or was signed by them outside the time that the freeze names. The seed hangs on the freeze, on the
// text of the checkpoint and on the signature of one witness, the first by name, which nobody can know before that witness
// has made it; and on nothing that the log alone can vary, so not on the log's own signature.
//
// [Seed.Draw] gives every subset the same chance, without replacement, and depends on the procedure, the size and the
// digest of the population. A larger sample contains every smaller one of the same population: an extension keeps what
// was done. [Size] and [Evaluate] are exact: the hypergeometric distribution in integers.
//
// # What it will not do
//
// Keep a provider from trying. Whoever runs the log can ask for several checkpoints in the time that the freeze names, or
// freeze several times, and take the one it likes: one question to a witness for each try. Keep the time between NotBefore
// and NotAfter short, and look for other freezes of the same audit in the log: each has its Attempt. Where fewer witnesses
// must sign than there are, one question to each is a few tries, since the first by name may be said to have been away.
//
// Do without a witness to trust: the sample is the choice of whoever holds the key of the one that comes first. With a
// Quorum of all witnesses that is the first by name; with a lower one, anybody's that can be made the first by leaving
// others out. So have a Quorum of all, and nobody first whom the provider could ask a favour.
package sample
