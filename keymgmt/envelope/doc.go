// Package envelope encrypts data with data keys that a key-encryption key wraps: messages, streams and files, of one or of
// very many tenants, in a format that Tink reads. The key-encryption key is a ring of package keyring, a handle of a
// custodian, or any Tink AEAD.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.2: data is encrypted where it is stored, and in backups. Clause 7.2.2.2: what a
// tenant has deleted cannot come back, which destroying the tenant's key sees to ([Tenants]).
//
// # Most of what you need
//
//	e, err := envelope.New(envelope.Keyring(ring), envelope.Limits{
//		Age: 5 * time.Minute, Messages: 1 << 20, Bytes: 1 << 40, Entries: 10_000, Memory: 16 << 20,
//	}, nil)
//	c, err := keymgmt.NewContext("tenant", "acme", "table", "invoices", "row", "4711") // not secret, not kept in the envelope
//	sealed, err := e.Seal(ctx, nil, plaintext, c)
//	plaintext, err = e.Open(ctx, nil, sealed, c)
//	err = e.EncryptFile(ctx, "backup.tar.sealed", "backup.tar", c, nil)
//	go e.Run(ctx) // forgets what is too old
//
//	tenants, err := envelope.NewTenants(func(ctx context.Context, t opsec.TenantID) (envelope.Wrapper, error) {
//		return envelope.Custodian(root, "tenant/"+string(t)), nil
//	}, limits, nil)
//	acme, err := tenants.Of("acme")
//
// # Format
//
// An envelope is the length of the wrapped data key (4 bytes, big endian), the wrapped data key, and what is encrypted
// under it with [keymgmt.Context.Bytes] as associated data: for a message a nonce of 12 bytes, the ciphertext of
// AES256_GCM and a tag of 16 bytes; for a stream that of Tink's AES256_GCM_HKDF_1MB. The data key is wrapped as Tink
// serialises it (AesGcmKey, AesGcmHkdfStreamingKey), under the same associated data.
//
// So a message is what Tink's KMSEnvelopeAEAD with the template AES256_GCM writes and reads, but for one thing: Tink wraps
// data keys under no associated data. A program that uses Tink gives it a key-encryption AEAD that adds the context, as
// TestTinkOpensOursAndWeOpenTinks shows in five lines.
//
// # Promises
//
// The context is bound to the wrapped key and to the payload: neither opens under another. What is cached for one tenant
// and context is used for no other.
//
// No data key is used beyond the limits, with any number of goroutines; the node that has made a key is the only one that
// encrypts with it. When the key above says that it may not be used any more ([Checker]), or after [Envelope.Purge], no
// operation that begins uses a data key below it, also none that was on its way.
//
// Of those who want one key at the same time one asks for it. The others wait no longer than their own context lasts, and
// get its errors, but not that its context has ended.
//
// A stream that was cut, changed or put in another order never ends with io.EOF. A file is there whole or as it was.
// Memory does not depend on the length of a stream, nor on the number of tenants.
//
// # What it will not do
//
// Decide who may use it: whoever has an [Envelope] can open everything under its key, and what is cached was perhaps
// fetched on behalf of somebody else. One tenant can crowd others out of the cache, which costs time.
//
// Wipe memory for certain. A raw data key is cleared as soon as it is expanded, and an expanded one is dropped with its
// entry in the cache; but crypto/aes has no way to clear it, and Go may have copied either.
//
// Hide lengths, commit to keys (whoever has the key above can make an envelope that two keys open to two texts), or
// read from the middle of a stream. Under GODEBUG=fips140=only messages work and streams do not, since Tink's do not.
package envelope
