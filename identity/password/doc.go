// Package password decides whether a new password may be set: by a [Profile], which is data, with presets after NIST, OWASP, PCI
// DSS and the Recommendation. It says where profiles contradict each other, and explains one to those who choose a password and
// to auditors. It hashes nothing and keeps nothing; the packages below it do.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.1.1: the password policy sets algorithms, length, complexity and update cycle. Length,
// complexity and cycle are here; algorithms are in [github.com/cloudopsec/opsec/identity/password/hash].
//
// # In short
//
//	p, err := password.Preset(password.NIST)
//	c, err := password.New(p, &password.Options{Blocklist: list, Words: []string{"Example Cloud", "example.com"}})
//	for _, hint := range p.Hints(mfa) { ... }   // beside the field
//	err = c.Check(text, password.Context{Words: []string{account, mail, name}, Previous: old, MFA: mfa})
//	for _, v := range password.Violations(err) { show(v.Reason()) } // all at once
//	secret, err := password.Prepare(text)       // what is hashed, and verified later
//	when, ok := p.Due(changed, mfa)             // the update cycle
//
//	both, err := password.Combine("ours", nist, pci) // or the conflicts: one forbids classes and cycles, the other asks for them
//
// # Promises
//
// A password is counted, checked and hashed in one form, [Prepare], in which it looks the same from any keyboard, and no part of it is
// cut off. Length counts code points. What a profile asks for and nobody has wired (a blocklist, an estimate) is an error of
// [New], not a check left out.
//
// All rules that a text breaks are told at once, each with a reason for the person who chose it. No error holds the password, a part
// of it, or which word was found in it.
//
// What [Combine] returns accepts nothing that one of the profiles would refuse, and where no password or no practice can meet all
// of them it names each contradiction, with the sources. Every figure of a preset names its clause, or says that it is this library's.
//
// # What it will not do
//
// Settle which document is right: NIST and OWASP forbid composition rules and update cycles, PCI DSS and the Recommendation ask for
// them. OWASP ASVS 6.2.8 wants a password verified exactly as it was received, while NIST wants it normalised; this package
// normalises, and changes neither letter case nor spaces.
//
// Know which estimate of guesses can be reached within a length: estimates differ, so [Conflicts] does not look at them.
//
// Look within a password for words of a list, or for context words shorter than four code points. History needs the hashes, so it
// is asked where they are; [RuleHistory] and [Violation] are its words. Reasons and hints are in English: [Rule] and the figures are what a
// translation goes by.
package password
