// Package trust says whether a signed claim about a backup is to be believed: who has signed it, whether that is
// enough, and whether it fits what was accepted before.
//
// # Recommendation
//
// ITU-T X.1642, clause 8.10: a backup is verified by a one-way hash, and the operator who answers for it by a digital
// signature.
//
// # Ten lines
//
//	key, _, err := trust.ParsePublicKey(pub) // a .pub file of ssh-keygen
//	verifier := trust.Verifier{
//		Policy: trust.Policy{Threshold: 2, Keys: []trust.Key{
//			{Key: key, Operator: "alice", Person: "p-17", Role: "operator"},
//			{Key: other, Operator: "bob", Person: "p-4", Role: "supervisor"},
//		}},
//		State: state, // from trust.ParseState
//	}
//	judgement, err := verifier.Judge(manifest.Claim(), time.Now())
//
// # Promises
//
// Persons are counted, not keys: two keys of one person are one vote. All keys of nobody known are one vote together, or
// none beside persons who are known, since it may be one of theirs. A signature's own time is only a claim, so once a key
// is revoked, what it has signed counts only where evidence from outside (an audit receipt, an earlier acceptance) shows
// that the signature was there before. Nothing is trusted by default: without keys the answer is [Untrusted]. A [State]
// tells an older manifest, a second one in the same place, and one whose predecessor was never seen.
//
// Signatures are Ed25519 (RFC 8032) in a DSSE envelope, in one or both of two forms: over the DSSE encoding itself, as
// DSSE verifiers expect, and as an SSHSIG blob, which "ssh-keygen -Y verify" accepts. Keys are OpenSSH's.
//
// # What it will not do
//
// It keeps no key and no clock, and fetches no revocation list: the policy is data that you bring. It cannot tell the
// newest manifest on the first look: [First] is taken as it comes.
package trust
