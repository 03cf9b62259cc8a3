package translog

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
	"github.com/cloudopsec/opsec/audit/translog/internal/ledger"
	"github.com/cloudopsec/opsec/audit/translog/tile"
)

// witnessLoop publishes what the quorum of witnesses has seen. When ctx ends it tries once more, for the last
// checkpoint.
func (l *Log) witnessLoop(ctx context.Context, g *checkpoint.Gatherer, asked []byte) error {
	if g == nil {
		return nil
	}
	for {
		p, changed := l.signed.get()
		err := error(nil)
		if p.note != nil && !bytes.Equal(p.note, asked) {
			if err = l.cosign(ctx, g.Gather, p); err == nil {
				asked = p.note
			}
			l.fails("witness", err)
		}
		again := (<-chan time.Time)(nil)
		if err != nil {
			again = time.After(time.Second)
		}
		select {
		case <-changed:
		case <-again:
		case <-ctx.Done():
			if p, _ := l.signed.get(); p.note != nil && !bytes.Equal(p.note, asked) {
				return l.cosign(ctx, g.Gather, p)
			}
			return nil
		}
	}
}

// meetWitnesses asks the witnesses about the checkpoint that the log begins with, before it takes anything: a log that
// was put back must not go on. It returns the checkpoint, if enough of them have cosigned it.
func (l *Log) meetWitnesses(ctx context.Context) (g *checkpoint.Gatherer, asked []byte, err error) {
	if len(l.policy.Trust.Witnesses) == 0 {
		return nil, nil, nil
	}
	g, err = checkpoint.NewGatherer(l.policy.Trust, &checkpoint.Options{Client: l.opts.Client, Now: l.opts.Now})
	if err != nil {
		return nil, nil, err
	}
	p, _ := l.signed.get()
	if p.note == nil {
		return g, nil, nil
	}
	err = l.cosign(ctx, g.Refresh, p) // an old copy of the log brings its old cosignatures along
	l.fails("witness", err)
	if err == nil {
		asked = p.note
	}
	return g, asked, nil
}

// gather is a method of [checkpoint.Gatherer].
type gather func(ctx context.Context, signed []byte, prove func(old uint64) ([]tlog.Hash, error)) (checkpoint.Gathered, error)

// cosign asks the witnesses, and publishes the checkpoint when enough of them have answered. When there are too few,
// and one of them says that this log was put back, it takes nothing more.
func (l *Log) cosign(ctx context.Context, ask gather, p published) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.policy.WitnessWait)
	defer cancel()
	got, err := ask(ctx, p.note, func(old uint64) ([]tlog.Hash, error) {
		tree, err := tile.NewTree(l.root.FS(), p.Size, p.Root)
		if err != nil {
			return nil, err
		}
		return tree.ProveConsistency(old)
	})
	for _, failed := range got.Failed {
		said := error(nil)
		var ahead *checkpoint.AheadError
		switch {
		case errors.As(failed, &ahead) && ahead.Size > p.Size:
			said = tampered("witness %s has seen this log with %d entries, and it has %d: it was put back", failed.Name, ahead.Size, p.Size)
		case errors.Is(failed, checkpoint.ErrInconsistent):
			said = tampered("witness %s has seen another log of this name", failed.Name)
		default:
			continue
		}
		l.opts.Logger.Error("translog: witness", "err", said)
		if err != nil { // no quorum against it; what one witness says is not signed, and must not stop the log alone
			err = said
			l.refuse(said)
		}
	}
	if err != nil {
		return err
	}
	if err := l.write(ledger.CheckpointFile, func(w io.Writer) error { _, err := w.Write(got.Signed); return err }); err != nil {
		return err
	}
	l.shown.set(published{p.Checkpoint, got.Signed})
	return nil
}
