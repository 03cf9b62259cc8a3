// Package keymgmt is the life of cryptographic keys as rules and data: which states a key passes through, what may be done
// with it in each, for how long, how often, and by whom. It encrypts nothing and keeps nothing: package
// [github.com/cloudopsec/opsec/keymgmt/lifecycle] has the manager that leads keys by these rules, package
// [github.com/cloudopsec/opsec/keymgmt/keyring] the nodes that use them, with Tink.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.2: keys are managed from their generation over use, storage, backup, recovery and
// update to their destruction, in separate roles, and their protection is stated with algorithm and period (7.2.2.2). The
// states and periods are those of NIST SP 800-57 part 1: what was read is section 7 of revision 4 and table 1 of the edition
// of March 2007, not revision 5.
//
// # Most of what you need
//
//	set := keymgmt.Keyset{Purpose: keymgmt.DataEncryption, Policy: keymgmt.Preset(keymgmt.DataEncryption)}
//	protect, process := set.Policy.Periods(now)
//	key, effects, err := keymgmt.Apply(key, keymgmt.Event{
//		Verb: keymgmt.Activate, By: "acme/alice", ProtectUntil: protect, ProcessUntil: process,
//	}, now)
//	// ... keep the event, with Time = key.Changed; on loading: keymgmt.Replay(ref, events)
//
//	permit := keymgmt.NewPermit(set, key, keymgmt.Operator, &block)    // once
//	err = permit.Use(keymgmt.Protect, time.Now().UnixNano(), len(data)) // for each message
//
//	c, err := keymgmt.NewContext("volume", "v1") // what a ciphertext is bound to
//
// # The life of a key
//
// A key is made (pre-activation) or its material is awaited (importing). Active, it protects and processes; deactivated, it
// only processes what it has protected. Suspended, it does neither until it is resumed. Destruction is scheduled, waits,
// can be cancelled meanwhile, and then is done, or fails and is tried again. A compromise is marked in any state but that of a
// key whose material has not come, and the mark outlives the key. The material of an external key is with a third party: this side can only let go of it.
//
//	state                  protect  process  leads to, beside compromised and destroy-scheduled
//	pre-activation         -        -        active
//	active                 yes      yes      suspended, deactivated
//	suspended              -        -        where it was, deactivated
//	deactivated            -        yes      suspended
//	compromised            -        policy
//	importing              -        -        pre-activation
//	external               yes      yes      suspended, deactivated
//	destroy-scheduled      -        -        where it was, destroyed, destroy-failed
//	destroy-failed         -        -        destroyed
//	destroyed              -        -        destroyed-compromised, destroy-failed
//	destroyed-compromised  -        -        destroy-failed
//
// "Protect" stands for encrypting, wrapping, signing and deriving, "process" for their opposites. A key can be exported
// when it is active or deactivated, unless it is external.
//
// # Promises
//
// One table says what a state allows ([State.Allows]), one where a verb leads ([Apply]); no policy adds to them. Apply is
// pure: the events of a key, replayed, give the same key, and a record that no life could have left is refused ([Replay]).
// Time does not go back within a life. A destroyed key never becomes usable.
//
// Both ends of a key's use are dates in the key, and are looked at when it is used: no timer has to run for a key to
// end. What is used up stays used up: a [Block] holds what a node has leased and gives it once.
//
// A policy leaves nothing unlimited by leaving it out, and the zero [Policy] is refused. What does not belong to an event
// is refused too. Errors name the field or the key, and no material: none passes through this package's own code.
//
// A context's encoding ([NewContext]) is version 1 for ever: the same pairs give the same bytes in every release.
//
// # What it will not do
//
// Know who somebody is, or keep a role from somebody: it compares texts. Ask for the consent that [Policy].Quorum names:
// that is the manager's part. Wait for the nodes that still hold a key in memory: a destruction by [Apply] alone says
// nothing of them.
//
// Judge a clock. A node whose clock is behind uses a key for as much longer.
//
// Tell another key manager more than it has words for: [State.In] says what gets lost.
package keymgmt
