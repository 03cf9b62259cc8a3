package pgreplica

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/cloudopsec/opsec"
)

// ErrNotAcknowledged says that a commit has returned without an error, and that its wait for the other site has not: the write is on the
// primary, and may be on it alone. Nobody is to be told that it is safe, and it is not to be made once more as if it were absent.
var ErrNotAcknowledged = errors.New("pgreplica: committed, and not known to be on the other site")

// Commits makes the commits of one session of a synchronous mirror, and returns nil only for those that are on both sites. It is for a
// session, and not for a pool: notices do not say which statement they are of. With pgx:
//
//	commits := new(pgreplica.Commits)
//	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { commits.Notice(n.Code) }
//	err = commits.Prove(ctx, session) // once: the notices of this session do arrive
//	err = commits.Do(func() error { return tx.Commit(ctx) })
//
// Several Dos at a time are made one after the other.
type Commits struct {
	one    sync.Mutex // of Do and Prove
	proven bool

	mu    sync.Mutex
	codes []string
}

// Notice takes in the SQLSTATE of a notice of the session, from the handler of the driver.
func (c *Commits) Notice(code string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Contains(c.codes, code) {
		c.codes = append(c.codes, code)
	}
}

func (c *Commits) take() (codes []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	codes, c.codes = c.codes, nil
	return codes
}

// waitsSQL tells whether commits of the session wait until a standby has flushed them.
const waitsSQL = `SELECT current_setting('synchronous_commit') IN ('on', 'remote_apply') AND current_setting('synchronous_standby_names') <> ''`

// proofSQL raises a warning with the code that a cancelled wait has.
const proofSQL = `DO $$ BEGIN RAISE WARNING 'opsec: are warnings heard?' USING ERRCODE = '01000'; END $$`

// Prove makes the session warn, and returns an error that wraps [opsec.ErrInvalid] when the warning does not arrive: the handler is not set, is that
// of another session, or client_min_messages is higher than warning. Then a cancelled wait would not be heard either. The error is the same when
// commits of the session wait for no standby, by its synchronous_commit or the server's synchronous_standby_names. It is to be called once for each
// connection, before the first Do, and again after one of these settings was changed; what changes them unseen is seen by [Monitor.Look].
func (c *Commits) Prove(ctx context.Context, session Conn) error {
	c.one.Lock()
	defer c.one.Unlock()
	c.proven = false
	c.take()
	var waits bool
	if err := session.Row(ctx, []any{&waits}, waitsSQL); err != nil {
		return fmt.Errorf("pgreplica: prove: %w", err)
	}
	if !waits {
		return fmt.Errorf("pgreplica: prove: commits of the session wait for no standby: %w", opsec.ErrInvalid)
	}
	if err := session.Exec(ctx, proofSQL); err != nil {
		return fmt.Errorf("pgreplica: prove: %w", err)
	}
	if !slices.Contains(c.take(), CodeWarning) {
		return fmt.Errorf("pgreplica: prove: the session has warned, and no notice has come: %w", opsec.ErrInvalid)
	}
	c.proven = true
	return nil
}

// Do calls commit, which commits one transaction of the session or runs one statement that does. It returns nil when that is on both sites;
// [ErrNotAcknowledged] when it is committed and its wait was cancelled, or something else has warned likewise; and else the error of commit, after
// which, as ever, a lost connection leaves open whether it is committed. Without [Commits.Prove] nothing is called, and the error
// wraps [opsec.ErrInvalid].
func (c *Commits) Do(commit func() error) error {
	c.one.Lock()
	defer c.one.Unlock()
	if !c.proven {
		return fmt.Errorf("pgreplica: commits: not proven that notices arrive: %w", opsec.ErrInvalid)
	}
	c.take()
	err := commit()
	if codes := c.take(); err == nil && !Acknowledged(nil, codes...) {
		return ErrNotAcknowledged
	}
	return err
}
