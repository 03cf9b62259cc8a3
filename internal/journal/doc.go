// Package journal keeps entries in their order, durably, in preallocated files. It is the part of the transparency log
// that an acknowledgement waits for: what Commit has returned nil for is on stable storage, and all else (tiles,
// checkpoints, indexes) can be made from it again.
//
// # Recommendation
//
// ITU-T X.1642 asks for detailed logs of authentication and authorization that are kept under control (8.1.2) and
// strictly protected (8.3). A log is worth what its beginning is worth: an event that was acknowledged and then lost in
// a crash is missing from every proof made later.
//
// # In short
//
//	j, recovered, err := journal.Open(dir, signed, followed, journal.Options{})
//	b := j.Batch()
//	index, err := b.Add(leaf, body)
//	err = j.Commit(b)                        // one write, one fdatasync
//	for r, err := range j.Replay(followed) { // what the tiles do not have yet
//	go j.Prepare()                           // now and then: the next segment, the reserve
//
// One goroutine fills batches and commits them. Prepare, Read, Replay, Intact and Prune are for others, at any time.
//
// # Files
//
// A directory holds segments, each named by the index of its first entry; next.seg, the segment that will be the next;
// and reserve, room that can be given back to a full disk. All are filled with zeros and synced before they are used,
// so that a Commit changes no metadata of the file system: on ext4 that halves the time of a sync, and a disk that fills
// up does not stop a write in the middle. A batch never goes from one segment to the next.
//
// # What a crash leaves
//
// A batch is written when the one before it is durable. So an entry that is not whole belongs to the last batch, which
// nobody was told about, if nothing of a later batch stands behind it: Open overwrites it with zeros, and keeps what is
// whole before it. In every other case it was changed by somebody, and Open refuses ([ErrTampered]) and changes nothing.
// Below the number of entries that the last checkpoint is about, no excuse holds. The last batch is written once more
// when the journal is opened, since after a failed sync the system may show what the disk does not have.
//
// # Promises
//
//   - What was acknowledged is there after kill -9, a power cut, a full disk, a failed write, at its index.
//   - What is read is what was written: every entry is checked against its CRC-32C and its index each time.
//   - One Journal has a directory at a time, whatever path leads to it, across processes and within one. The lock is
//     flock(2) on the directory itself, where there is no file to remove.
//   - A segment removed, replaced or truncated under the running journal is noticed: the current one before the next
//     acknowledgement, all by [Journal.Intact].
//   - A full disk is an error that changes nothing ([ErrFull]). Prepare never takes the last ReserveBytes of the disk.
//   - No bytes that somebody has logged are taken for an entry, wherever a crash tears them: checksums begin with a
//     random number of the journal that its users do not see.
//
// # What it will not do
//
// A checksum is no signature. Who can write the files can make a journal that is sound in itself: [Scan] finds what was
// changed by accident or without that care, and the checkpoint over the Merkle tree finds the rest. Nor can a journal
// alone tell that its last entries were cut off, or its first pruned by somebody else; the caller knows how many were
// signed and what was pruned. It does not compress, encrypt, or send anything anywhere.
//
// A directory belongs on a local file system: flock(2) may not be honoured elsewhere. Without flock(2), as on Windows,
// Open returns [errors.ErrUnsupported].
//
// # Cost
//
// Open reads 64 bytes of each segment and, whole, the last one and those from the entry to replay on. Read opens its
// file each time, to see that it is still the one.
package journal
