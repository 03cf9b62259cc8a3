package pgreplica

import "slices"

// The conditions that PostgreSQL warns with when it ends a commit without the standby: the statement succeeds all the same, and the
// write is on the primary alone. Both come as a notice of severity WARNING with this code; see SyncRepWaitForLSN in its sources, and
// the documentation of synchronous_commit.
const (
	// CodeCanceled is the SQLSTATE of the error of a cancelled statement.
	CodeCanceled = "57014"
	// CodeWarning is the SQLSTATE of "canceling wait for synchronous replication due to user request".
	CodeWarning = "01000"
	// CodeShutdown is the SQLSTATE of "canceling the wait for synchronous replication and terminating connection due to
	// administrator command".
	CodeShutdown = "57P01"
)

// Acknowledged reports whether a commit of a synchronous mirror is on both sites: it has returned without an error, and none of the
// notices that came with it has a code that a cancelled wait has. A plain warning (01000) of something else counts as a cancelled
// wait too: a write that is safe is then not called so, never the other way round.
//
// The notices are what the driver hands to its handler: OnNotice of pgx, ConnectorNoticeHandler of lib/pq. Without a handler they are
// lost, and nobody can tell: [Commits] proves that there is one. A caller that cannot see them must not let a wait be cancelled: not by a context,
// pg_cancel_backend or pg_terminate_backend. A statement_timeout has no effect on the wait of a commit.
func Acknowledged(err error, notices ...string) bool {
	return err == nil && !slices.ContainsFunc(notices, func(code string) bool {
		return code == CodeWarning || code == CodeShutdown || code == CodeCanceled
	})
}
