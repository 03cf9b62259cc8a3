package pgreplica

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/dr"
)

// Duration is written as text in JSON, such as "2s".
type Duration = dr.Duration

// Policy says what is looked at.
type Policy struct {
	Standby string   `json:"standby"` // application_name of the standby, as in pg_stat_replication
	Wait    Duration `json:"wait"`    // how long one Look may take; more than 0, at most a minute
}

// Monitor watches one standby from its primary. Several Looks at a time are made one after the other.
type Monitor struct {
	conn   Conn
	policy Policy

	// Now is the clock that the times of a status are of; New sets that of the system. It may be replaced before the first Look.
	Now func() time.Time

	mu     sync.Mutex
	beats  []beat // not yet on the other site, oldest first
	newest time.Time
	safe   time.Time
	line   string // the timeline; places in the log of another one mean something else
}

// beat is a commit of known time, and a place in the log that is not before its end.
type beat struct {
	at  time.Time
	end LSN
}

// maxBeats is how many are remembered; of more, every second one is dropped, so that exposure is coarser and never too small.
const maxBeats = 4096

// Prepare makes the table of beats where it is absent: one row.
func Prepare(ctx context.Context, c Conn) error {
	if err := c.Exec(ctx, `CREATE TABLE IF NOT EXISTS opsec_replica_beat (id int PRIMARY KEY, n bigint NOT NULL)`); err != nil {
		return fmt.Errorf("pgreplica: prepare: %w", err)
	}
	return nil
}

// New returns a Monitor of a primary whose table is there; see [Prepare]. An error wraps [opsec.ErrInvalid].
func New(c Conn, p Policy) (*Monitor, error) {
	switch {
	case c == nil:
		return nil, fmt.Errorf("pgreplica: no connection: %w", opsec.ErrInvalid)
	case p.Standby == "" || len(p.Standby) > 63:
		return nil, fmt.Errorf("pgreplica: policy: standby of %d bytes: want 1 to 63: %w", len(p.Standby), opsec.ErrInvalid)
	case p.Wait <= 0 || p.Wait > Duration(time.Minute):
		return nil, fmt.Errorf("pgreplica: policy: wait %v: want more than 0, at most a minute: %w", time.Duration(p.Wait), opsec.ErrInvalid)
	}
	return &Monitor{conn: c, policy: p, Now: time.Now}, nil
}

// The beat is flushed on the primary when it returns, whatever the session says; whether it waits for a standby is as for any commit.
const beatSQL = `INSERT INTO opsec_replica_beat (id, n)
	SELECT 1, length(set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'local'
		ELSE current_setting('synchronous_commit') END, true))
	ON CONFLICT (id) DO UPDATE SET n = opsec_replica_beat.n + 1`

// Everything in one row: whether the server is a standby itself; its timeline; the end of the log; of the standby, whether it streams,
// whether commits wait until it has flushed, and how far it has; whether commits wait for nobody who is there. Of several of one name, such as a
// new connection beside one that is not yet known to be dead, the worst counts. A quorum is no wait: another standby may have made it.
const lookSQL = `SELECT pg_is_in_recovery(),
	CASE WHEN pg_is_in_recovery() THEN '' ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END,
	CASE WHEN pg_is_in_recovery() THEN '0/0' ELSE pg_current_wal_insert_lsn()::text END,
	coalesce((SELECT bool_and(state = 'streaming') FROM pg_stat_replication WHERE application_name = $1), false),
	coalesce((SELECT bool_and(sync_state = 'sync') FROM pg_stat_replication WHERE application_name = $1), false)
		AND current_setting('synchronous_commit') IN ('on', 'remote_apply'),
	current_setting('synchronous_standby_names') <> '' AND current_setting('synchronous_commit') NOT IN ('off', 'local')
		AND NOT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')),
	coalesce((SELECT min(coalesce(flush_lsn, '0/0'))::text FROM pg_stat_replication WHERE application_name = $1), '0/0')`

type look struct {
	recovering, streams, waits, stuck bool
	line                              string
	end, flushed                      LSN
}

// Look commits a beat and returns what is on the other site. Where commits wait for a standby that is gone, the status says so, and
// there is no error. An error says that nothing is known, not even of the primary; one that wraps [opsec.ErrDenied], that the server
// is a standby itself.
func (m *Monitor) Look(ctx context.Context) (dr.Status, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, time.Duration(m.policy.Wait))
	defer cancel()
	before, err := m.look(ctx)
	if err != nil {
		return dr.Status{}, err
	}
	if before.stuck { // a beat would wait for nobody
		return m.status(m.Now(), before, before), nil
	}
	if err := m.beat(ctx); err != nil {
		if ctx.Err() != nil && caller.Err() == nil && before.waits { // the standby has gone while the beat waited for it
			before.streams, before.waits, before.stuck = false, false, true
			return m.status(m.Now(), before, before), nil
		}
		return dr.Status{}, err
	}
	for {
		at := m.Now() // before the standby is looked at: what was acknowledged by then is in the log by then
		after, err := m.look(ctx)
		if err != nil {
			return dr.Status{}, err
		}
		place := m.beats[len(m.beats)-1].end
		if !before.waits || !after.waits || after.flushed >= place {
			return m.status(at, before, after), nil
		}
		select { // it has been flushed there, and the standby has yet to be seen to say so
		case <-ctx.Done():
			return m.status(at, before, after), nil
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func (m *Monitor) look(ctx context.Context) (l look, err error) {
	var end, flushed string
	if err := m.conn.Row(ctx, []any{&l.recovering, &l.line, &end, &l.streams, &l.waits, &l.stuck, &flushed}, lookSQL, m.policy.Standby); err != nil {
		return look{}, fmt.Errorf("pgreplica: look: %w", err)
	}
	var errs [2]error
	l.end, errs[0] = ParseLSN(end)
	l.flushed, errs[1] = ParseLSN(flushed)
	if err := errors.Join(errs[:]...); err != nil {
		return look{}, err
	}
	if l.recovering {
		return look{}, fmt.Errorf("pgreplica: the server is a standby: %w", opsec.ErrDenied)
	}
	if l.line != m.line { // after a promotion the log has another history
		m.line, m.beats, m.safe = l.line, nil, time.Time{}
	}
	return l, nil
}

// beat commits one, and remembers where the log ended after it. When its acknowledgement does not come, it is not a write that anybody
// was promised.
func (m *Monitor) beat(ctx context.Context) error {
	sent := m.Now()
	if err := m.conn.Exec(ctx, beatSQL); err != nil {
		return fmt.Errorf("pgreplica: beat: %w", err)
	}
	var end string
	if err := m.conn.Row(ctx, []any{&end}, `SELECT pg_current_wal_flush_lsn()::text`); err != nil {
		return fmt.Errorf("pgreplica: beat: %w", err)
	}
	place, err := ParseLSN(end)
	if err != nil {
		return err
	}
	if sent.After(m.newest) {
		m.newest = sent
	}
	if m.beats = append(m.beats, beat{sent, place}); len(m.beats) > maxBeats {
		kept := m.beats[:0]
		for i, b := range m.beats {
			if i%2 == 0 || i == len(m.beats)-1 {
				kept = append(kept, b)
			}
		}
		m.beats = kept
	}
	return nil
}

// status moves what has been flushed over. Where commits wait, the newest that was acknowledged is the newest beat or is safe anyway;
// where they do not, there may be newer ones, unless all of the log is there.
func (m *Monitor) status(at time.Time, before, l look) dr.Status {
	n := 0
	for n < len(m.beats) && m.beats[n].end <= l.flushed {
		m.safe = m.beats[n].at
		n++
	}
	m.beats = m.beats[n:]
	synchronous := l.streams && l.waits
	if !(before.waits && synchronous) && !l.stuck && l.end > l.flushed {
		m.newest = at
	}
	s := dr.Status{At: at, Newest: m.newest, Safe: m.safe, Behind: -1, Connected: l.streams, Synchronous: synchronous}
	if l.flushed > 0 {
		s.Behind = int64(max(l.end, l.flushed) - l.flushed)
	}
	return s
}
