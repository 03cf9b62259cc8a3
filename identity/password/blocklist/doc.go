// Package blocklist is a set of passwords that nobody may choose, common or stolen ones, in 9 or 18 bits each. It says within
// 100 ns whether a password is on it, offline, and nobody can read a password out of it.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.1.1: the password policy. NIST SP 800-63B asks for a blocklist of commonly used, expected or
// compromised values; OWASP ASVS 5 for the 3,000 most common (6.2.4) and for breached ones (6.2.12).
//
// # In short
//
//	common, err := blocklist.Default()                         // comes with the library
//	stolen, err := blocklist.FromPwned(file, &blocklist.Options{LeastCount: 100, Bits: 8}) // once, then
//	_, err = stolen.WriteTo(out)                               // ... a file for every node:
//	stolen, err = blocklist.Read(in)
//	opts.Blocklist = blocklist.Lists{common, stolen}           // of password.Options
//
// # Promises
//
// What was put in is found. What was not is found with a chance of 1/256 (8 bits) or 1/65536 (16 bits), tested against
// the theory: one of the 256 must then choose another password, which costs them a minute and no security. The same set of
// passwords gives the same file, to the byte. A file that is damaged, cut off or too long is refused, and reading one
// allocates no more than it delivers.
//
// Five million passwords need 5.4 MiB at 8 bits, or 10.8 MiB at 16.
//
// # What it will not do
//
// Find a password within another, or one that was changed a little: NIST wants the whole password compared, and package
// [github.com/cloudopsec/opsec/identity/password/strength] sees through the rest. A list of kind [Pwned] is exact about letter
// case, since SHA-1 is all that its source gives, and SHA-1 is most of the cost of asking it.
//
// Hide that a password is refused: who can ask without limit can test membership. Nor does it fetch anything.
package blocklist
