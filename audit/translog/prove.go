package translog

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
	"github.com/cloudopsec/opsec/audit/translog/tile"
)

// Checkpoint returns the published checkpoint, a signed note with the signatures of its witnesses, or nil before the
// first.
func (l *Log) Checkpoint() []byte {
	p, _ := l.shown.get()
	return slices.Clone(p.note)
}

// Prove returns the proof that the entry at index stands in the log under its published checkpoint. Put into a file
// it proves that to anybody who knows the log's key, without the log: see [checkpoint.Proof]. For an entry that has
// just been written it waits for the next checkpoint, as long as ctx allows.
func (l *Log) Prove(ctx context.Context, index uint64) (checkpoint.Proof, error) {
	p, err := l.await(ctx, index)
	if err != nil {
		return checkpoint.Proof{}, err
	}
	tree, err := l.tree(p)
	if err != nil {
		return checkpoint.Proof{}, err
	}
	hashes, err := tree.Prove(index)
	if err != nil {
		return checkpoint.Proof{}, l.unread(err)
	}
	return checkpoint.Proof{Index: index, Hashes: hashes, Checkpoint: p.note}, nil
}

// await returns a published checkpoint that covers the entry at index.
func (l *Log) await(ctx context.Context, index uint64) (published, error) {
	for {
		p, changed := l.shown.get()
		if p.note != nil && p.Size > index {
			return p, nil
		}
		if index >= l.journal.Size() {
			return published{}, invalid("there is no entry %d yet", index)
		}
		select {
		case <-changed:
		case <-l.stopped:
			return published{}, fmt.Errorf("%w: no published checkpoint covers entry %d", ErrUnavailable, index)
		case <-ctx.Done():
			return published{}, fmt.Errorf("%w: no published checkpoint covers entry %d yet: %w", ErrUnavailable, index, ctx.Err())
		}
	}
}

// tree returns the tree of a published checkpoint. The latest one asked for is kept, with what it has read.
func (l *Log) tree(p published) (*tile.Tree, error) {
	l.trees.Lock()
	defer l.trees.Unlock()
	if l.trees.tree != nil && l.trees.size == p.Size {
		return l.trees.tree, nil
	}
	tree, err := tile.NewTree(l.root.FS(), p.Size, p.Root)
	if err != nil {
		return nil, l.unread(err)
	}
	l.trees.size, l.trees.tree = p.Size, tree
	return tree, nil
}

// Handler serves the log as C2SP tlog-tiles: its checkpoint and tiles to everybody, who learn hashes from them; entry
// bundles, which show what was done when under every tenant's tag, to those whom the options let in.
func (l *Log) Handler(o tile.HandlerOptions) (http.Handler, error) {
	return tile.Handler(l.root.FS(), o)
}

// unread says why tiles could not be read.
func (l *Log) unread(err error) error {
	if l.refusal() == errClosed {
		return fmt.Errorf("%w: %w", errClosed, err)
	}
	return tampered("tiles: %w", err)
}
