// Package entry turns an [opsec.Event] into what a transparency log holds of it, and back: a leaf that everybody may
// see, and beside it a body with the values, sealed for those whom they are about.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clauses 8.1.2 and 8.3: logs have detailed fields, reading them is controlled, and what
// is about a customer is shown to that customer. Clause 8.11.1: they are evidence. The three pull in different
// directions; this package is where they meet.
//
// # In short
//
//	scribe := &entry.Scribe{Keys: keys} // of package subject
//	draft, err := scribe.Draft(ctx, event)
//	// ...
//	leaf := draft.AppendLeaf(nil, seq, prev) // into the log, with draft.Body beside it
//
//	l, err := entry.Parse(leaf)
//	b, err := entry.ParseBody(body)
//	// ...
//	e, evidence, err := entry.Open(ctx, keys, l, b, func(f entry.Field) bool {
//		return !f.Mark.Exceeds(opsec.Tenant) // what is personal stays back
//	})
//	// ...
//	same, err := entry.VerifyEvidence(leaf, evidence) // by somebody else, without keys
//
// # Leaf
//
// A leaf is one JSON object in one form, field by field, without spaces; [Parse] refuses any other:
//
//	{"v":1,"id":"019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071","time":"2026-11-24T08:30:00.5Z","class":"standard",
//	"category":"authentication","action":"authn.login","outcome":"success","attrs":[["zone","eu-1"]],
//	"body":"<SHA-256 of the skeleton>","tenant":"<handle>","seq":12,"prev":"<hash of the tenant's leaf before>"}
//
// Hashes and handles are base64url without padding. "category", "attrs" and, at seq 1, "prev" may be missing.
//
// # Body
//
// A body is a skeleton and blobs. The skeleton names the groups of fields, whose they are (by [Handle]), which fields
// each has, and the group's commitment: SHA-256 over the SHA-256 of every field's value with 16 random bytes before it.
// It holds no value. A blob is one group's values and random bytes, sealed under the key of the subject and bound to
// the event, the group and the subject.
//
// So the leaf commits to every value on its own, and a value can be shown without its neighbours: [Open] makes evidence
// of any selection of fields, and [VerifyEvidence] proves it from the leaf alone.
//
// # Promises
//
// An event opens as it was drafted, to the byte, also where texts are not UTF-8. Exceptions: the time is in UTC, empty
// lists are nil, and a secret is its digest or empty.
//
// Values that are not Public are in no leaf, no skeleton and no blob in clear, nor can they be guessed from hashes.
// When a subject's key is erased its values are gone, and everything verifies as before.
//
// # What it will not do
//
// The leaf shows everybody who may read leaves: id, time, class, category, action, outcome, Public attributes, and
// which events are of one tenant, though not of which. Who has bodies, but no keys, also sees which events share a
// subject, which fields they have and how long all values of a group are together, and the keys and marks of
// attributes: as for opsec.Event.Redacted, an attribute's key is no secret, and it stays after an erasure.
//
// Evidence that has been handed out stays readable: who was shown a value has it.
package entry
