package password

import (
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/norm"
)

// Prepare returns the form of a password that is counted, checked and hashed, in memory of its own: normalised by NFKC, and
// then held against the profile OpaqueString of RFC 8265, section 4, which refuses control characters, characters that cannot be
// seen and code points that are not assigned, and makes every space a plain one. Letter case and spaces stay as they are.
//
// OpaqueString alone would normalise by NFC. NFKC goes further: full-width letters and ligatures become plain ones, as input
// methods write one or the other for the same keys. NIST SP 800-63B names NFKC (and NFKD). What comes out passes
// OpaqueString unchanged, so a system that asks for the RFC takes it too. The price is a few characters that become one.
//
// Joiners that only hold an emoji together are refused with the rest that cannot be seen: keyboards differ in sending them.
//
// An empty text, one of more than [MaxBytes] bytes or one that is refused gives a [*Violation] of [RuleCharacters] or [RuleLongest].
// Prepare is idempotent. The caller may clear text and what is returned; a Go string cannot be cleared.
func Prepare(text []byte) ([]byte, error) {
	if len(text) > MaxBytes {
		return nil, &Violation{Rule: RuleLongest, Most: MaxBytes, Bytes: true}
	}
	if !utf8.Valid(text) {
		return nil, &Violation{Rule: RuleCharacters}
	}
	composed := norm.NFKC.Bytes(text)
	prepared, err := precis.OpaqueString.Bytes(composed)
	if err != nil || len(prepared) == 0 {
		return nil, &Violation{Rule: RuleCharacters}
	}
	if len(prepared) > MaxBytes {
		return nil, &Violation{Rule: RuleLongest, Most: MaxBytes, Bytes: true}
	}
	return append([]byte(nil), prepared...), nil
}
