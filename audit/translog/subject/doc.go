// Package subject keeps the keys under which a transparency log seals what it says about subjects: tenants, accounts,
// persons. A log cannot forget an entry; it can forget the key of one subject, and with it everything that it has ever
// said about it, while every proof still holds.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.3: monitoring logs are strictly protected. Clause 8.1.2: logs hold accounts,
// addresses and terminals of people, who may demand that those be erased.
//
// # In short
//
//	keys, err := subject.OpenFile("/var/lib/opsec/log/keys", master, lookup, nil)
//	// ...
//	defer keys.Close()
//	scribe := &entry.Scribe{Keys: keys}
//
//	handles, err := keys.Find(ctx, entry.Subject{Tenant: "acme", Person: "p-17"}) // all accounts of that person
//	// ...
//	err = keys.Erase(ctx, handles...)
//
// The master key comes from where keys come from in the house, as a Tink AEAD for instance; the lookup key is 32 random
// bytes that are kept the same way. Neither is stored in the file.
//
// # Promises
//
// A subject that was given out has its key on stable storage. When [File.Erase] has returned nil, the key is neither in
// the file nor in use: zeros stand in its place, and what is left is its handle, so that readers learn that it has been
// erased and not lost. An erasure that a crash has interrupted is finished when the file is opened. Who comes again after
// it is a new subject with a new key.
//
// The file shows nobody who the subjects are, except which have an account or a person in common, and how long names are
// that have more than about 90 bytes together.
//
// A key is 32 random bytes for XChaCha20-Poly1305, whose random nonces need no limit on messages (the form is that of
// Tink's keys XCHACHA20_POLY1305_RAW), and 32 for HMAC-SHA-256.
//
// # What it will not do
//
// Overwriting in place reaches what the file system calls that place. A copy made before is another file: a backup, a
// snapshot, a replica, the old blocks of a file system that writes elsewhere or of a flash disk. Keep backups of this
// file apart from those of the log, and for shorter than you promise an erasure to take; where old blocks worry you, a
// master key that is itself destroyed with the disk makes them useless.
//
// Damage to a key is noticed when the file is opened, unless it is one of those that were written last: that looks like a
// write which was cut short, and the key is missing from then on (opsec.ErrNotFound).
//
// Who can write the file can erase keys, or put an old file in its place, which brings erased keys back: [ErrReplaced]
// says so only while the file is open. The log knows what was erased. Copies that have gone into the memory of this
// process are not hunted down; the keys there are dropped.
//
// A file has one user at a time, and is for a local file system. The master key stays the one that the file was made
// with; one that has versions, as Tink's keysets have, can be rotated within.
package subject
