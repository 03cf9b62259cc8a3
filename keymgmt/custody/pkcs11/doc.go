// Package pkcs11 keeps key-encryption keys in hardware, or in whatever else speaks PKCS #11: AES-256 keys that are made
// there and never leave it. It is a module of its own, since it needs cgo.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.2: protection of key storage; destruction of keys.
//
// # Most of what you need
//
//	module, err := pkcs11.Load("/usr/lib/softhsm/libsofthsm2.so")
//	token, err := module.Open(ctx, pkcs11.Name{Label: "provider"}, pin, nil)
//	manager, err := lifecycle.New(repository, keyring.Material{}, token, options)
//
// [Token] is a [keymgmt.Custodian]. Load a library once in a process.
//
// # Formats
//
// What a token wraps is nonce (12 bytes), ciphertext and tag (16 bytes) of CKM_AES_GCM: as Tink's AES-256-GCM without
// prefix. The keys are objects with the label "opsec: " and the handle.
//
// # Promises
//
// A key is sensitive, not extractable, not modifiable, and can encrypt and decrypt but not wrap, unwrap or derive keys, so
// that no call of the device hands it out. One that says otherwise of itself is not used.
//
// A token that has gone is [keymgmt.ErrUnavailable], never a token without keys: an object that is made at the first opening
// tells them apart. When it is back, the next call logs in again. A PIN that was refused is not tried again, so that it does
// not lock the token.
//
// A caller does not wait for a device that hangs beyond the end of the context.
//
// # What it will not do
//
// Know of copies that the device's maker provides for: backups, replicas, clusters. [keymgmt.Evidence] lists them as left.
//
// Clear the memory of C libraries through which material passes. Hold millions of keys: devices search their objects one
// by one.
//
// Keep handles to one object when two processes generate a key at the same time: both stay, both open what they have
// wrapped, and Destroy destroys both.
package pkcs11
