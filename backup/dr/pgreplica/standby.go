package pgreplica

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloudopsec/opsec"
)

// Standby is what a standby says of itself, also when its primary is gone: how much of the log it has, and how far a takeover would come. Has and
// Replayed are places in the log; what lies between them is replayed before a promotion ends.
type Standby struct {
	Status   string    // of the receiver, such as "streaming", as in pg_stat_wal_receiver; "": none runs
	Heard    time.Time // when the last message came from the primary, by the standby's clock; zero: no receiver runs
	Has      LSN       // the log is on the standby's disk up to here
	Replayed LSN       // the log is in the standby's tables up to here
	Commit   time.Time // when the newest transaction that has been replayed was committed, by the primary's clock; zero: none since the start
	Paused   bool      // somebody has paused the replay: nothing is replayed until that ends, not even for a promotion
}

// ToReplay is the number of bytes of the log that the standby has and that its tables have not.
func (s Standby) ToReplay() int64 { return int64(max(s.Has, s.Replayed) - s.Replayed) }

// Of a log that was read from an archive, nothing is received: then what was replayed is what it has. Times are microseconds since 1970.
const standbySQL = `SELECT pg_is_in_recovery(),
	coalesce((SELECT status FROM pg_stat_wal_receiver), ''),
	coalesce((SELECT extract(epoch FROM last_msg_receipt_time) * 1000000 FROM pg_stat_wal_receiver), 0)::bigint,
	greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn(), '0/0'::pg_lsn)::text,
	coalesce(pg_last_wal_replay_lsn(), '0/0'::pg_lsn)::text,
	coalesce(extract(epoch FROM pg_last_xact_replay_timestamp()) * 1000000, 0)::bigint,
	CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() ELSE false END`

// LookAtStandby asks a standby. Nothing is written. An error that wraps [opsec.ErrDenied] says that the server is a primary.
func LookAtStandby(ctx context.Context, c Conn) (Standby, error) {
	var s Standby
	var recovering bool
	var heard, commit int64
	var has, replayed string
	if err := c.Row(ctx, []any{&recovering, &s.Status, &heard, &has, &replayed, &commit, &s.Paused}, standbySQL); err != nil {
		return Standby{}, fmt.Errorf("pgreplica: standby: %w", err)
	}
	if !recovering {
		return Standby{}, fmt.Errorf("pgreplica: the server is a primary: %w", opsec.ErrDenied)
	}
	var errs [2]error
	s.Has, errs[0] = ParseLSN(has)
	s.Replayed, errs[1] = ParseLSN(replayed)
	s.Heard, s.Commit = micros(heard), micros(commit)
	if err := errors.Join(errs[:]...); err != nil {
		return Standby{}, err
	}
	return s, nil
}

func micros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}
