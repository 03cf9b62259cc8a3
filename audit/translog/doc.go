// Package translog is a log of events that proves itself: what was written cannot be changed, taken out, reordered or
// put back unnoticed, by nobody, its own operator included.
//
// A [Log] is a directory with one writer. It is an [opsec.Recorder] and an [audit.Sink]. What it writes is a
// transparency log as the C2SP specifications describe it (tlog-tiles, tlog-checkpoint, signed-note, tlog-cosignature), so
// that anybody's tools can check it.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.11.1: an audit trail that is collected, stored and shared in an agreed way.
// Clause 8.1.2: access to logs is itself controlled, and tenants see by themselves what concerns them. Clauses 8.3 and
// 8.8: what was monitored and configured is strictly protected, and can be handed to a customer.
//
// # Most of what you need
//
//	log, err := translog.Open("/var/lib/opsec/log", policy, translog.Options{
//		Signer: signer, Keys: keys, Authorizer: authorizer, // see packages checkpoint and subject
//	})
//	// ...
//	go log.Run(ctx) // until ctx ends; wait for it before the process ends
//
//	receipt, err := log.Append(ctx, event)        // durable: the third event of its tenant, entry 4711 of the log
//	proof, err := log.Prove(ctx, receipt.Index)   // a file that proves it to anybody, without the log
//
//	view := log.View(operator, translog.TenantProfile())
//	for e, err := range view.Query(ctx, translog.Query{Tenant: "acme", From: monday}) { ... }
//	statement, err := view.Export(ctx, file, "acme", export.OCSF, export.Policy{})
//
//	report, err := verify.Log(ctx, os.DirFS("/var/lib/opsec/log"), policy.Trust, verify.Options{})
//
// # What stands in it
//
// An event becomes a leaf, which says in clear what was done when and how it ended, under a tag that stands for the
// tenant; all else is committed to by salted digests, and its values are sealed: those about the tenant under a key of
// the tenant, those about a person under a key of that account. The leaf also says which one of its tenant's events
// it is, and names the one before. Every few seconds an epoch binds the ends of all these chains.
//
// So a neighbour learns nothing from a tenant's leaves but that somebody did something; a person can be forgotten, by
// [Log.Erase], although nothing was changed; and a tenant can prove, from an export and on another machine, that
// nothing of its own was withheld: see [statement.Read].
//
// # Promises
//
// When [Log.Append] returns nil the event is on stable storage, in an order that is the same for everybody. A crash, a
// full disk or a second process loses nothing that was acknowledged. After a crash the torn end of the journal is cut
// off; if anything is missing that was signed, or that was acknowledged, [Open] refuses with [ErrTampered].
//
// [verify.Log] finds every change of what a checkpoint covers: in tiles, journal, sealed values, index. A whole directory
// put back to an older state is a good log; a witness, or a checkpoint noted elsewhere, finds that: see
// [checkpoint.Policy], [Options].Noted and [verify.Options].
//
// # What it will not do
//
// An entry that is acknowledged and not yet under a checkpoint (a second, by default) is protected by its checksum
// alone; its receipt shows that it was there. A log cannot show that an event was never written, nor that one was
// written under the right tenant: only who holds receipts can. Time is what the writers say it is; witnesses add when
// they saw it. One directory has one writer: use one log for each node, and a log of logs ([Log.Observe]).
// Erasure is as good as the destruction of keys: what somebody has read before, or a backup of the keys, is beyond it.
package translog
