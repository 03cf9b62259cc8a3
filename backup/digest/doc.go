// Package digest computes the BLAKE3 digest of contents of any size on all cores, and SHA-256 beside it from the same
// reading.
//
// # Recommendation
//
// ITU-T X.1642, clause 8.10: verification of a backup by a one-way hash.
//
// # Most of what you need
//
//	sums, err := digest.SumReaderAt(ctx, file, size, nil)
//	fmt.Println(sums.BLAKE3) // as b3sum prints it
//
// A [Scan] is the same with a rate limit, pauses, and the chaining values of the 64 KiB groups, by which damage can be
// located; a [GroupTree] merges those into the digest again.
//
// # Promises
//
// Digests are the standard's. Every byte is read once. Memory is bounded: some hundred KiB for each worker, whatever the
// size. All goroutines have ended when a function returns.
//
// # What it will not do
//
// BLAKE3 is used as a hash alone: no keyed mode, no key derivation, no extended output.
package digest
