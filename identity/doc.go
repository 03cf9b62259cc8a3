// Package identity keeps accounts: who has them, what they may do, and where they stand in their lives.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.1.1: the life cycle of an identity, with an administrator's approval of registration and
// modification (item 2); names that are unique in their trust zone (3a); accounts disabled when unused for long (3c); one main
// account for a person or tenant user, whose sub-accounts hold what it may grant (4); self-service for simple properties (7).
//
// # In short
//
//	names, err := name.Preset("recommendation")
//	policy := identity.DefaultPolicy("cloud.example", names)
//	keys := approval.Keys{{Tenant: "acme", Person: "p2", Public: public}} // who signs approvals with what
//	directory, err := identity.New(db, policy, &identity.Options{Authorizer: authorizer, Keys: keys, Notifier: mail})
//
//	// once for a tenant: two administrators, each of whom can approve what the other asks for
//	admin := identity.Rights{Roles: []string{"account-administrator"}}
//	first, err := directory.Bootstrap(ctx, by, "acme", identity.Registration{Name: "alice", Person: "p1", Holds: admin},
//		identity.Registration{Name: "bob", Person: "p2", Holds: admin})
//
//	alice := identity.By{Actor: first[0].Actor(), Reason: "ticket 4711"}
//	account, request, err := directory.Register(ctx, alice, "acme", identity.Registration{Name: "carol", Person: "p3"})
//
//	decision := approval.Decision{Verb: approval.Approve, By: first[1].Actor(), Reason: "checked", SignedAt: time.Now()}
//	message, err := directory.Message(ctx, "acme", request.ID, decision)
//	decision.Signature = ed25519.Sign(private, message)
//	request, err = directory.Decide(ctx, "acme", request.ID, decision) // carol's account is active
//
//	_, err = directory.Sweep(ctx, timer, "acme") // once a day
//
// What happens to accounts is decided by a pure function, [Family.Apply], on a plain value: a [Family] is a main account with
// its sub-accounts. It needs no store, and a script can use it alone.
//
// # Promises
//
// A sub-account never holds what its main account may not grant: not when it is registered, approved or modified, and not after
// the main account may grant less, which cuts its sub-accounts in the same transaction. Who is suspended, disabled or deleted
// takes the sub-accounts along; when the main account is active again, they stand where they would have, each for itself.
//
// Who asks, or gets the account, does not approve, and who approves does so once, with whatever account and at whatever tenant:
// the person is the one on record. What is approved is what is done, to the last byte, and to the account as it was when
// approval was asked for. Roles that count are those of active accounts, at the decision and when it is carried out. An account
// that is not active, or whose time is over, does nothing, whatever the Authorizer says.
//
// A person has one main account at a tenant. A name, and what looks like it, belongs to one account of the trust zone, across
// tenants, and to nobody for a time after the account is deleted. Both hold for any number of nodes that register at once.
//
// A record and the step that led to it are written together or not at all, with the events of all accounts that it changed;
// the history, replayed, is the record. Attempts to change something that are denied are recorded. A family is never too large
// to be suspended, disabled or deleted: what makes it larger is refused before.
//
// In a sealed store ([store.Options]) names, persons and properties are sealed, and found by blinded keys. Readable are: ids of
// accounts, families and requests, which sub-account belongs to which family, in which state some account of a family is, names
// of tenants, and how many of all that there are; with [Policy].InsecureReadableNames, canonical names too. The id of an account
// that was imported is a digest of its row's id: who can guess the one can tell that it is there.
//
// # What it will not do
//
// Authenticate anybody: passwords, lockout and sessions have rooms of their own, beside this one. Sessions of an account that is
// disabled are for whoever keeps them to end: the events say which. [Account.Usable] is what a log-in asks.
//
// Know that a person has two names on record: who writes "p3" and "P-3" for one human has two. Two tenants that write one text
// for two humans keep these from approving for each other, which is the safe side.
//
// Keep the last administrator: have one that waits for an emergency in [Dormancy].Exempt. Bootstrap is once.
//
// Hide from whoever registers that a name is taken elsewhere in the zone: that is what uniqueness across tenants means.
//
// Rename an account, or give it to another person: register another, and delete the first.
package identity
