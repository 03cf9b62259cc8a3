// Package lifecycle leads keys through their lives: its [Manager] generates, imports, activates, rotates, suspends, backs up,
// recovers and destroys them, each step authorised, agreed to where the policy says so, and recorded.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.2: keys are managed over their whole life (generation, use, storage, backup, recovery,
// update, destruction), with separate roles; and clause 7.2.2.2: what is left of a customer's data can no longer be read. States
// and periods are those of NIST SP 800-57 part 1; see package keymgmt.
//
// # In short
//
//	m, err := lifecycle.New(shelf.Stored(db, made), keyring.Material{}, custodian, &lifecycle.Options{Authorizer: authorizer})
//	set, err := m.Create(ctx, by, keymgmt.Keyset{
//		SetID: id, Purpose: keymgmt.DataEncryption, Algorithm: "AES256_GCM", Policy: policy, Roles: roles,
//	})
//	key, err := m.Rotate(ctx, by, id)                       // the first key, and every next one
//	for task, err := range m.Sweep(ctx, by, tenant) { ... } // once an hour: rotates what is due
//	for task, err := range m.Due(ctx, id) { ... }           // and what is left to people: keys to schedule, to count, to destroy
//	key, err = m.Schedule(ctx, by, old)                     // from now on nobody uses it
//	_, err = m.Count(ctx, operator, old, census)
//	destruction, err := m.Destroy(ctx, by, old)             // days later; a *PendingError while a node may hold it: call again
//
// Nodes that use keys take them from the Manager through [keymgmt.Source] and [keymgmt.Membership]: see package keyring.
//
// # Promises
//
// There is never more than one key of a keyset that protects. A step and its events are kept together or not at all; what is
// refused has changed nothing, and is recorded too. Custodians are called outside of updates, before them: when one fails nothing
// is half done. Recovery and destruction can be interrupted anywhere, and are called again.
//
// No person has two roles in a keyset: administrators decide on the life of keys, custodians hold backups and bring imports,
// operators use keys and count what is left on them, auditors read. Where the policy asks for consent it is signed, by other
// persons than who proposed, for one order to the last byte, and for one use ([Manager.Propose]).
//
// However many nodes lease at once, together they never protect more than the policy allows ([Manager.Lease]).
//
// A key is destroyed only when no node can hold it any more and, unless by force, a census younger than that says that nothing is
// left on it. Afterwards no method gives it out: not the record, nor an older one put back beside the tombstone, nor a bundle. A
// repository that is restored as a whole needs Options.Tombstones, which come from elsewhere.
//
// A step reads and writes a handful of documents, whatever the number of keys; only [Manager.Keys], [Manager.Due],
// [Manager.BackUp] and [Manager.Retire] go along all keys of a keyset. Nothing is held in memory for a keyset.
//
// # What it will not do
//
// Wipe: what an engine or its medium keeps of a record that was overwritten is wrapped, and opens with the custodian's key
// alone. Take back what was exported or handed out as a backup: the receipt lists that as left. Know a person behind two names:
// accounts are told apart by [opsec.Actor].Person. Protect by itself: an old key of a keyset without a rotation stops at the end
// of its period, and then nothing protects.
package lifecycle
