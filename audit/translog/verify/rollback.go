package verify

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
	"github.com/cloudopsec/opsec/audit/translog/internal/ledger"
	"github.com/cloudopsec/opsec/audit/translog/tile"
)

// rollback compares the log with what others have seen of it.
func (v *verifier) rollback(signed []byte) {
	own := checkpoint.Policy{Logs: v.trust.Logs, Quorum: checkpoint.None}
	tree, err := tile.NewTree(v.fsys, v.signed.Size, v.signed.Root)
	if err != nil {
		v.finds(Finding{Part: "tiles", What: err.Error()})
		return
	}
	if root, err := RootAt(tree, v.shown.Size); err != nil || root != v.shown.Root {
		v.finds(Finding{Part: "checkpoint", Path: ledger.CheckpointFile, Index: v.shown.Size, What: "the log does not continue it"})
	}
	for _, n := range v.opts.Noted {
		was, err := own.Open(n, v.opts.Now())
		if err != nil || was.Origin != v.signed.Origin {
			v.finds(Finding{Part: "rollback", What: fmt.Sprintf("a noted checkpoint is not of this log: %v", err)})
			continue
		}
		if was.Size > v.signed.Size {
			v.finds(Finding{Part: "rollback", Index: v.signed.Size, What: fmt.Sprintf("the log once had %d entries", was.Size)})
			continue
		}
		root, err := RootAt(tree, was.Size)
		if err != nil || root != was.Root {
			v.finds(Finding{Part: "rollback", Index: was.Size, What: "the log is not the one that was noted"})
		}
	}
	if v.opts.Witness == nil {
		return
	}
	v.askWitnesses(signed)
}

// askWitnesses asks them whether this is the largest log that they have seen.
func (v *verifier) askWitnesses(signed []byte) {
	tree, err := tile.NewTree(v.fsys, v.shown.Size, v.shown.Root)
	if err != nil {
		v.finds(Finding{Part: "tiles", What: err.Error()})
		return
	}
	got, err := v.opts.Witness.Refresh(v.ctx, signed, tree.ProveConsistency)
	late := false // the log has grown since it was read, and a witness has seen that
	for _, failed := range got.Failed {
		var ahead *checkpoint.AheadError
		switch {
		case errors.As(failed, &ahead):
			if size := v.grown(); ahead.Size > size {
				err = nil
				v.finds(Finding{Part: "rollback", Index: size, What: fmt.Sprintf("witness %s has seen the log with %d entries", failed.Name, ahead.Size)})
			} else {
				late = true
			}
		case errors.Is(failed, checkpoint.ErrInconsistent):
			err = nil
			v.finds(Finding{Part: "rollback", Index: v.shown.Size, What: fmt.Sprintf("witness %s has seen another log of this name", failed.Name)})
		}
	}
	if err != nil && !late {
		v.finds(Finding{Part: "witness", What: err.Error()})
	}
}

// latest is the checkpoint that the log has signed last, whatever its witnesses say: which may be larger than the
// published one.
func (v *verifier) latest() (checkpoint.Checkpoint, bool) {
	own := checkpoint.Policy{Logs: v.trust.Logs, Quorum: checkpoint.None}
	signed, err := fs.ReadFile(v.fsys, ledger.LatestFile)
	if err != nil {
		return checkpoint.Checkpoint{}, false
	}
	c, err := own.Open(signed, v.opts.Now())
	if err != nil || c.Origin != v.shown.Origin {
		v.finds(Finding{Part: "checkpoint", Path: ledger.LatestFile, What: fmt.Sprintf("not to be believed: %v", err)})
		return checkpoint.Checkpoint{}, false
	}
	return c.Checkpoint, true
}

// grown is the size that the log has now, as a continuation of the one that was verified.
func (v *verifier) grown() uint64 {
	size := v.signed.Size
	candidates := []checkpoint.Checkpoint{}
	if latest, ok := v.latest(); ok {
		candidates = append(candidates, latest)
	}
	if signed, err := fs.ReadFile(v.fsys, ledger.CheckpointFile); err == nil {
		if c, err := v.trust.Open(signed, v.opts.Now()); err == nil {
			candidates = append(candidates, c.Checkpoint)
		}
	}
	for _, c := range candidates {
		tree, err := tile.NewTree(v.fsys, c.Size, c.Root)
		if err != nil || c.Size <= size {
			continue
		}
		if root, err := RootAt(tree, v.signed.Size); err == nil && root == v.signed.Root {
			size = c.Size
		}
	}
	return size
}
