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
//	err = commits.Do(func() error { return tx.Commit(ctx) }) // each commit of the service; [Commits] says how it is wired
//	// nil: on both sites. ErrNotAcknowledged: do not tell anybody that it is safe
//
//	follower, err := pgreplica.LookAtStandby(ctx, pgreplica.SQL(other)) // the other site itself, also when the primary is gone
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
// That holds while Policy.Standby is the name of one standby (of several of that name, the one that is behind counts), and the service's sessions
// have the synchronous_commit that the monitor's has. Commits are said to wait for the standby when pg_stat_replication calls it "sync": a
// quorum (ANY) may be made without it, so that for n of n names FIRST n is to be written. Where synchronous_standby_names has a substitute for
// the standby, commits may be acknowledged by that one between two Looks.
//
// No Look waits longer than Policy.Wait. The user needs the role pg_monitor on both sites, and may write the table of beats.
//
// # What it will not do
//
// Know of a write that was committed after the beat and before the server died: what is lost is less than the exposure of the last Look
// and the time since. Change what the server waits for. Promote anything. Follow logical replication.
//
// Tell whether a cancelled wait has reached the standby after all: PostgreSQL does not know it either. The row is on the primary.
package pgreplica
