// Package custody keeps the keys that wrap other keys: in software, under a root key that a passphrase or a ceremony
// opens, or in a key management service, through its Tink client. Package pkcs11 below it, a module of its own, keeps them
// in hardware.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.2: protection of key storage; destruction of keys. Clause 7.2.2.2: data protection.
//
// # Most of what you need
//
//	dir, err := custody.OpenDir("/var/lib/provider/custody")
//	root, err := custody.NewRoot(dir, nil)
//	err = root.CreateWithPassphrase(ctx, passphrase, custody.Cost{}) // once
//	err = root.UnsealWithPassphrase(ctx, passphrase)                 // at each start
//	manager, err := lifecycle.New(repository, keyring.Material{}, root, options)
//	defer root.Seal()
//
// With a ceremony (package ceremony) instead of a passphrase, several persons unseal it together:
//
//	key := custody.NewRootKey() // split it among the custodians, then
//	err = root.Create(ctx, key) // once
//	err = unsealing.Recover(ctx, operator, root.Unseal)
//
// With a key management service whose Tink client is at hand, handles are key URIs:
//
//	custodian, err := custody.NewKMS(client.GetAEAD, &custody.KMSOptions{Name: "AWS KMS"})
//
// The contract is [keymgmt.Custodian]; package custodytest tries a custodian against it.
//
// # Formats
//
// A key-encryption key is a Tink keyset of AES256_GCM, encrypted by Tink (JSON) under the root key; what it wraps is a
// ciphertext of Tink. The root key is a raw key of Tink's AES-256-GCM without prefix. A passphrase opens it through
// Argon2id (RFC 9106). The associated data is a [keymgmt.Context]: the names "custody" and "value" with "handle" and the
// handle for a key, with "passphrase", "check" and nothing for the two in the root document.
//
// # Promises
//
// A wrong root key, wrong passphrase or changed document opens nothing, and changes nothing. Keys are whole or not there
// after a crash; of two processes that generate one handle, one key stays. A key that is destroyed is unreadable to every
// process at once: none is cached. A directory that has gone is an error, not a place without keys.
//
// # What it will not do
//
// Hide keys from whoever reads the memory of the process: that takes hardware. Clearing memory is best effort in Go.
//
// Erase what is not in its reach: backups, journals, flash memory; [keymgmt.Evidence] says so under Left. A key that a restore
// of the directory brings back is there again.
//
// Change a root key: make a new root, and let the manager wrap anew. Count attempts at a passphrase, or record who unseals:
// that is for who calls, as package ceremony does.
package custody
