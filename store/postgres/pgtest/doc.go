// Package pgtest starts servers for tests: a PostgreSQL of the test's own, crashed and started again at will, with TLS
// where asked for, and a PgBouncer before it.
//
//	func TestMine(t *testing.T) {
//		server := pgtest.Start(t, nil)
//		pool, err := pgxpool.New(t.Context(), server.DSN())
//		...
//		server.Crash(t)
//		server.Up(t)
//	}
//
// The binaries are those of Debian's packages postgresql and pgbouncer, or whatever is in PATH. A test is skipped where they
// are absent, and fails where CI=true. A server takes about a second to make, listens on a UNIX socket in a folder of its
// own, and goes with the test; what a test process leaves that is killed is in folders named pg… of the temporary directory
// ("pg_ctl --pgdata=…/data stop" ends it). Started by root, it runs as nobody, since PostgreSQL refuses root.
//
// # Recommendation
//
// Clause 8.8 of Recommendation ITU-T X.1642, through package store: what is said of a database has been tried on one.
package pgtest
