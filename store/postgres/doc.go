// Package postgres is the engine of package store for a control plane of several nodes: one table in a PostgreSQL that you
// run already, through your own pool of pgx.
//
// # Recommendation
//
// Clause 8.8 of Recommendation ITU-T X.1642 asks for a database with roles, cleaning, audit and backup: the role that
// changes the table is not the one that runs ([Schema]), and the rest is PostgreSQL's own, as any other table has it. Clauses 8.1.2
// and 8.2 ask for encryption on the wire and where data lies: TLS is the pool's, sealing is [store.Options].
//
// # In short
//
//	err := postgres.Migrate(ctx, owner, "opsec", "runner") // when you deploy; or the text of Schema among your migrations
//
//	pool, err := pgxpool.New(ctx, "host=db.example user=runner sslmode=verify-full sslrootcert=ca.crt sslcert=me.crt sslkey=me.key")
//	engine, err := postgres.New(pool, nil)
//	err = engine.Verify(ctx) // the table, the rights, a primary, settings that survive a crash
//	db, err := store.New(engine, &store.Options{Node: "control-1"})
//
// [Driver.Join] makes a commit part of a transaction of your own, with your own tables.
//
// # Promises
//
// Many nodes write at once; keys that are not the same do not collide. A commit is one round trip: a statement for each
// key, in the order of the keys, in one transaction, each of which takes its lock and ends the transaction when its
// condition is not met. A key that is checked absent is held by a row that is there for no longer than the commit. So
// READ COMMITTED, PostgreSQL's default, is enough, and a stricter default is obeyed: collisions (SQLSTATE 40001, 40P01) are
// tried again inside.
//
// The server is told the deadline of the context, and gives up shortly before it, so that who waits behind a lock learns
// that nothing has happened. A cut of the network surfaces when the context ends. Reads are tried again on another
// connection where one has died, as all have when the server restarts; a commit whose answer is lost is
// [store.ErrIndeterminate], which a [store.DB] settles.
//
// A [store.Rev] is a random number, so none is used twice after a restore: any backup of PostgreSQL will do, pg_dump of the
// schema or a copy of the cluster, at any time.
//
// [Driver.Watch] hears other nodes through LISTEN. Notifications are sent beside the commits, not in them, ten milliseconds
// apart at least, and carry nothing.
//
// # What to set up
//
// The pool leads to the primary. A commit is as durable as the server's settings say: Verify refuses fsync = off and
// synchronous_commit = off; a standby that takes over must have what was acknowledged, so set synchronous_standby_names
// where a failover is automatic. (When the caller of a commit gives up while no standby answers, PostgreSQL ends the wait as
// well: the commit is seen then, and stands on the primary alone.) With PgBouncer in transaction mode, set
// default_query_exec_mode=exec in the pool's connection string, and [Options.Listen] or [Options.Poll].
//
// Each replaced or deleted value leaves a dead row, which autovacuum removes; the table asks for it early. A conflict is an
// ERROR in the server's log ("division by zero", in a statement that names the reason). The log holds no values unless
// log_parameter_max_length_on_error is set.
//
// # What it will not do
//
// Make or change a table behind anybody's back; read from a standby; keep the stores of one table apart from a role that
// can read it, which takes a schema and a role each.
package postgres
