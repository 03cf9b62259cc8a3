// Package pgreplica watches a streaming replication of PostgreSQL, and says for package dr what is on the other site.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.4: synchronous mirroring loses nothing that was acknowledged; asynchronous mirroring is chosen
// with its possible loss known.
//
// # In short
//
//	db, err := sql.Open("pgx", dsn) // or any other driver
//	err = pgreplica.Prepare(ctx, pgreplica.SQL(db))
//	monitor, err := pgreplica.New(pgreplica.SQL(db), pgreplica.Policy{Standby: "other", Wait: pgreplica.Duration(2 * time.Second)})
//
//	status, err := monitor.Look(ctx)           // beats once, and looks at the standby
//	verdict, err := mirror.Observe(ctx, replicator, status)
//
//	// for each write of the service, with what the driver has as notices of it:
//	ok := pgreplica.Acknowledged(err, codes...) // false: do not tell anybody that it is safe
//
// # How exposure is measured
//
// Each Look commits a beat, a row in the table opsec_replica_beat, and remembers where the log (WAL) ended after it. A beat whose end the
// standby has flushed is on the other site, and so is all that was committed before it, since the log is one sequence. So the newest such
// beat is a time up to which nothing is missing, by the clock of whoever looks; what comes after it may be.
//
// Where commits wait for the standby, the beat does too. One whose wait was cancelled, or ran into Policy.Wait, is not acknowledged and
// does not count as the newest write.
//
// # Promises
//
// Exposure is never reported smaller than it is, at the moment of the Look: times are taken before a beat is sent, and places in the log
// are taken after it is committed. It is too large by the time between two Looks at most, and by what the standby is slow to report.
//
// Nothing here waits longer than Policy.Wait.
//
// # What it will not do
//
// Know of a write that was committed after the beat and before the server died: what is lost is less than the exposure of the last Look
// and the time since. Change what the server waits for. Promote anything. Follow logical replication.
//
// Tell whether a cancelled wait has reached the standby after all: PostgreSQL does not know it either. The row is on the primary.
package pgreplica
