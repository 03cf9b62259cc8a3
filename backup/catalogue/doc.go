// Package catalogue knows which backups exist, where they are, what they need and what has been shown of them; and it lets nothing go
// that people have not agreed to let go, or that something else still needs.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.10: what was backed up at file level or of whole machines, on-site and off-site, the number of
// copies that are kept, and regular recovery tests; clause 8.4: copies away from the site; clause 7.2.2.2: evidence of all that for the
// customer.
//
// # In short
//
//	policy := catalogue.DefaultPolicy() // two persons who have not asked, then a week
//	backups, err := catalogue.New(db, policy, &catalogue.Options{Authorizer: authorizer, Authority: authority, Recorder: recorder, Deleter: stores})
//
//	point, err := backups.Register(ctx, agent, "acme", catalogue.Registration{Source: "vol-7", ID: "mon", Level: plan.Image, Claimed: began,
//		Manifest: digest, Copies: []catalogue.Copy{{Location: "rack-1", Site: plan.OnSite, Key: catalogue.Key{Name: "acme", Version: 3}, Durable: now}}})
//	point, err = backups.Verify(ctx, verifier, "acme", "vol-7", "mon", catalogue.Check{Location: "rack-1", Whole: true, Report: digest})
//	findings, err := backups.Findings(ctx, who, strategy, since) // against the strategy that the customer is owed
//
//	order, err := backups.ProposeDeletion(ctx, alice, "acme", "vol-7", []string{"mon"}, false)
//	order, err = backups.Decide(ctx, "acme", order.ID, decision) // of bob, and of carol: a week runs in which anybody may Cancel
//	order, err = backups.Execute(ctx, alice, "acme", order.ID)   // order.Kept says what stayed, and why
//
// # Promises
//
// What is registered is never written over, not even after it was deleted: a host that was taken over adds points and nothing else. What
// it says of the time is kept apart from when its word came; nothing that lets a point go is decided by the former alone.
//
// A point goes by an order that so many persons have approved as the policy says, none of whom has asked, each once with whatever
// account, and after a delay in which anybody who is let may cancel and any approver retract, counted from no earlier than the source's newest
// point. A policy with a shorter delay does not
// shorten one that runs, and no order goes through that has other approvals than the policy then asks for. Approvers must hold their roles still when the order is executed. A retention policy is shortened in the same way,
// and a hold ended, the latter without the delay; a policy that is sure to keep more is in force at once ([Catalogue.SetRetention]).
//
// At the execution each point is judged again in the transaction that marks it. It stays when it is held, or its source is; while a copy is
// under object lock; while another point that is not all gone needs it; and when it is the last of its source: the last known to be whole, or, of
// those that nobody has verified, the last that has a durable copy not known to be damaged, each with all that it needs; unless the order says so
// ([Terms].InsecureLastToo). Before each copy that goes, holds, locks and the last point are looked at again. A point under deletion takes no
// children. All this holds for any number of nodes that register, verify, hold and delete at once.
//
// Before a copy is deleted the intent is at the [opsec.Recorder]; when it cannot be recorded, nothing is deleted. After a crash
// [Catalogue.Execute] goes on, and no copy is forgotten. What was known of a point stays when it is gone ([Catalogue.Deleted]).
//
// [Catalogue.Points], [Catalogue.ByKey] and the other lists take memory for a page. Every verb is authorised, and recorded in the
// transaction that does it, refusals included. No method reads or writes another tenant's.
//
// # What it will not do
//
// Look at backups: package backup compares them with manifests, package backup/recovery restores them, and what they find is entered here.
// Whoever may [Catalogue.Verify] can say that a point is whole when it is not: let verifiers, not the hosts that are backed up. Likewise whoever
// may [Catalogue.Register] or [Catalogue.AddCopy] can say that a copy is durable, off-site or locked, and nobody takes back a lock: verify what matters.
//
// Believe that a key is gone: [Catalogue.ByKey] says what a key's end would take along; to end it is for package keymgmt.
//
// Know of a point that nobody has registered, or notice that a store lost one: reconcile with a store's own list, and Verify.
//
// Look for another point without end: of those that could take the place of one that goes it looks at the ten that were verified last, or received
// last, and at 40 points of their chains. Where none of them will do the point stays, which is the safe side; verify a full one.
//
// Free the bytes: that is for the [Deleter], and stores that share blocks between points may keep them until their own collection.
package catalogue
