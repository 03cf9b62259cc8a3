package store

import (
	"context"
	"errors"
	"slices"

	"github.com/cloudopsec/opsec/internal/draft"
	"github.com/cloudopsec/opsec/internal/slot"
)

// group is what transactions that met at a key have done one on top of the other, to be committed by one of them for all.
// Each has run in its own goroutine and sees what those before it will have written. None returns before the commit has:
// an error that one of them returns may follow from what another has written.
type group struct {
	draft draft.Draft // of all members
	sent  bool        // a commit was tried
	doubt *slot.Slot  // it is not settled
}

// maxGroup returns how large a group may be: some bytes are left for the marker.
func maxGroup() draft.Size {
	return draft.Size{Reads: maxKeys, Writes: maxKeys, Bytes: MaxBatch - 4<<10}
}

// risky is from which attempt on a transaction works on keys at which others have the turn, if it must.
const risky = 5

// meet waits for turns at keys that are to be read. It reports true when it has come back with a group, which then may
// have them.
func (tx *Tx) meet(keys []string) (met bool, err error) {
	if tx.mode != updating || len(keys) == 0 {
		return false, nil
	}
	before := tx.group
	missing := tx.runner.Take(tx.ctx, keys, false)
	if err := tx.enter(); err != nil {
		return false, err
	}
	if len(missing) > 0 && tx.group != nil && tx.attempt < risky {
		return false, tx.clash(missing...) // it would put the group at risk: again, with the turns in order
	}
	return tx.group != before, nil
}

// enter puts the transaction on top of the group that it was given with a turn. When it has read before what the group
// has changed, it cannot hold.
func (tx *Tx) enter() error {
	g := tx.runner.Group()
	if g == nil || tx.group != nil {
		return nil
	}
	tx.group = g.State
	if stale := tx.draft.LayOn(&tx.group.draft); len(stale) > 0 {
		return tx.clash(stale...)
	}
	return nil
}

// join ends a transaction that has run on top of a group. Its function has returned err.
func (tx *Tx) join(err error) error {
	if err == nil {
		_, err = tx.batch()
	}
	if ctxErr := tx.ctx.Err(); ctxErr != nil {
		return notKnown(err, ctxErr)
	}
	if err != nil {
		tx.draft.Undo(0) // and is a member by what it has read
	}
	if len(tx.clashed) == 0 && tx.group.draft.Fits(&tx.draft, maxGroup()) && tx.runner.Arrive() {
		return tx.share(err)
	}
	tx.overtaken, tx.runner.Alone = true, len(tx.clashed) == 0
	tx.clashed = append(tx.clashed, tx.runner.Met()...)
	return err
}

// share adds the transaction to its group, and returns how that has ended, and err if it was committed.
func (tx *Tx) share(err error) error {
	g, ctx := tx.group, tx.ctx
	g.draft.Merge(&tx.draft)
	if tx.db.markers == nil {
		ctx = context.WithoutCancel(ctx) // an engine in this process does not keep one waiting
	}
	outcome, known := tx.runner.Share(ctx, g.draft.Full(maxGroup()), func() (error, bool) { return g.commit(ctx, tx.db) })
	conflict, isConflict := errors.AsType[*ConflictError](outcome)
	switch {
	case tx.draft.Mark() == 0 && (!known || errors.Is(outcome, ErrIndeterminate)): // nothing of it is in doubt: again, alone
		tx.overtaken, tx.runner.Alone = true, true
	case !known:
		return errors.Join(ErrIndeterminate, context.Cause(ctx))
	case isConflict:
		tx.overtaken, tx.clashed = true, slices.Concat(tx.runner.Met(), tx.draft.Among(conflict.Keys))
	case errors.Is(outcome, errLost):
		tx.overtaken, tx.clashed = true, tx.runner.Met()
	case outcome != nil:
		return notKnown(err, outcome)
	}
	return err
}

// commit commits for all members, or settles the commit of another whose context has ended. It reports false when its
// own ends before that is settled. When it ends before anything was written, all try again.
func (g *group) commit(ctx context.Context, db *DB) (outcome error, known bool) {
	switch {
	case g.doubt != nil:
		g.doubt, outcome = db.markers.settle(ctx, g.doubt)
	case g.sent:
		return ErrIndeterminate, true // the driver has panicked under another
	default:
		g.sent = true
		g.doubt, outcome = db.commit(ctx, batch(&g.draft))
	}
	if outcome != nil && ctx.Err() != nil && !errors.Is(outcome, ErrIndeterminate) {
		outcome = errLost
	}
	return outcome, g.doubt == nil
}
