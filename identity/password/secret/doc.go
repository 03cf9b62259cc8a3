// Package secret reads passwords that are not text: a PIN, a pattern on a grid, points on a picture, pictures in order, a
// melody. Each becomes bytes for a password hash, the same bytes whenever it is entered well enough, together with an honest
// number of guesses that it withstands.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.1.1: several types of passwords, such as text, graphical and sound-based ones.
//
// # In short
//
//	scheme, s, err := secret.Pattern{Side: 4, Min: 6}.Enroll(entry) // entry, err := secret.ParseEntry(body)
//	defer s.Clear()
//	text, err := secret.Text(scheme) // keep this in clear, beside the hash
//	encoded, err := pool.Hash(ctx, s.Bytes())
//	fmt.Println(s.Advice().Attempts)
//
//	scheme, err = secret.Parse(text) // at log-in
//	s, err = scheme.Read(entry)      // errors.Is(err, secret.ErrEntry): count it as wrong
//	result, err := pool.Verify(ctx, s.Bytes(), encoded)
//
// # Promises
//
// Two different secrets have different bytes, whatever their schemes: kind, version, parameters and symbols stand there, each
// with its length. The same secret has the same bytes in every release, and for every key, speed and aim within the tolerance
// that its scheme states; one that is farther off has others. Bounds of a scheme that say what may be enrolled are not in the
// bytes: a stricter policy spoils nothing.
//
// Estimates count guesses in the order in which people choose, where that was measured, and never the whole space alone
// ([Kind.Measured] has the sources). What by its estimate falls within the hundred guesses that NIST SP 800-63B-4 lets an
// account have is not enrolled.
//
// A [Secret] and an [Entry] show themselves in no error, log line, format or JSON, and are wiped on request. No float decides
// anything.
//
// # What it will not do
//
// Stand alone: each kind is advised beside a second factor, behind a limit of 3 to 10 attempts (package lockout), and is worth
// little once its hash is stolen, for then nobody counts the attempts. Keep watchers away, smudges off the glass, or a
// tune from being heard. Keep it secret that the offsets of [Clicks] narrow each point to one pixel in each cell: hot spots
// that lie elsewhere in their cells are ruled out. Hear: it is given notes.
package secret
