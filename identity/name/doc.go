// Package name decides what an account may be called: which texts are one and the same name, which look like another, and which
// are refused, with the reason.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.1.1: a policy for the names of accounts, which are unique within a trust zone. The
// canonical form is that of RFC 8265 (PRECIS UsernameCaseMapped), the look that of Unicode UTS #39.
//
// # In short
//
//	policy, err := name.Preset("recommendation")
//	n, err := policy.Check("Alice.Miller", "main")
//	// n.Canonical is "alice.miller": unique, and what is shown. n.Skeleton: unique too.
//
//	var refused *name.Refused
//	if errors.As(err, &refused) {
//		fmt.Println(refused.Reason, refused.Position) // mixed 1
//	}
//
//	key, err := name.Canonical(typed) // at log-in
//
// # Promises
//
// Two texts that a person types for one name, in small or capital letters, composed or not, full or half width, have one
// canonical form, and that form is its own. A name that a policy accepts holds no character without a picture, is shown in the
// order in which it is written, has digits of one system, and mixes scripts no further than "highly restrictive" of UTS #39, nor
// a stroke of Han or Kana with Latin, as if it were an l or a slash.
// Two names with different skeletons do not look alike, as far as Unicode's tables know. Everything is a pure function, and
// nothing is computed before it is called for. Errors carry the number of a character, never the text that was given.
//
// The tables are those of Unicode 15.0.0, whatever the version of Go, except for what the standard library and
// golang.org/x/text know of letter case, composition and PRECIS; these only grow by characters that had no meaning before. The
// data are © Unicode, Inc., under the Unicode licence in LICENSE-UNICODE.
//
// # What it will not do
//
// Know which names are taken: keep both parts of a [Name] in unique indexes of the trust zone. Tell names apart that differ by
// meaning or a slip (anna and ana, alice and alice1). Judge fonts: in some, "cl" is a d. Fold ß and ss, or the sigmas: RFC 8265
// keeps them apart, and so does the skeleton. Let a joiner pass where Persian, Indic or Sinhala spelling wants it: nobody sees it.
// Take a Thai or Lao sara am as it is typed: PRECIS has it in two characters alone. Tell that сара or αννα is a person, if it reads
// as Latin: that is for Policy.InsecureAllowLookalikes to say.
package name
