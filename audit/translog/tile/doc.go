// Package tile keeps the Merkle tree and the entries of a transparency log in static files of the C2SP tlog-tiles layout
// (version 0.1.0), serves them, proves from them, and compares them with the entries.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clauses 8.1.2 and 8.11.1: operation logs that can be audited. The tree is that of RFC 6962,
// section 2.1, and the hashes are those of golang.org/x/mod/sumdb/tlog, so whoever can verify a Go checksum database, a
// Certificate Transparency log or a log of Tessera can verify this one.
//
// # Most of what you need
//
//	w, err := tile.NewWriter(root, size)      // root is an *os.Root, size that of the last checkpoint, 0 at first
//	err = w.Append(entries, hashes)           // hashes[i] is tlog.RecordHash(entries[i])
//	head, err := w.Flush()                    // partial tiles too
//	err = w.Sync()                            // and only now sign a checkpoint of w.Size() and head
//	err = w.Clean(size)                       // what the checkpoint has made superfluous
//
//	t, err := tile.NewTree(fsys, size, head)  // a directory, or Remote(ctx, client, url)
//	proof, err := t.Prove(i)                  // tlog.CheckRecord verifies it
//
//	h, err := tile.Handler(root.FS(), tile.HandlerOptions{})
//
// The packages around it sign and verify checkpoints; this one only serves the file "checkpoint".
//
// # Promises
//
// A file appears under its name when it is whole, so no reader gets half of one, whatever serves the directory; the
// [Handler] serves nothing, besides, that no checkpoint covers yet. Opening a log reads nine files and the names beside
// them, however large the log is. What has been flushed and synced at one size is not written again, so a crash later on
// leaves it readable: go on from there, and what comes replaces what the crash has left.
//
// A [Tree] returns what its head proves, or an error that names the file. A [Verifier] that gets the log's entries reports
// exactly the files that are not as a [Writer] writes them: changed, cut, exchanged, missing, or put there by others.
//
// [Remote] reads from a server that is not trusted: bounded in bytes and in time, without redirections.
//
// # What it will not do
//
// Nothing here says that a tree is the right one: that is the signature under a checkpoint, and the witnesses'. Two
// Writers of one directory spoil it; whoever opens the log has to exclude the second. Entries have at most 65,535 bytes,
// as the format's lengths have 16 bits. On Linux before 5.8 syncfs(2) reports no error of writing back, so that a disk that
// fails there may stay unnoticed until [Verifier] reads it.
package tile
