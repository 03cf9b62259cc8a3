package translog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
	"github.com/cloudopsec/opsec/audit/translog/internal/ledger"
	"github.com/cloudopsec/opsec/audit/translog/tile"
	"github.com/cloudopsec/opsec/internal/pause"
	"github.com/cloudopsec/opsec/internal/wholefile"
)

// follower makes of the journal what others read: tiles, the index and checkpoints. All of it but the signatures could
// be made again from the journal.
type follower struct {
	dir    string
	tiles  *tile.Writer
	spans  *ledger.Spans
	size   atomic.Uint64 // entries in the tiles and the index
	leaves [][]byte
	saved  atomic.Uint64 // the size of the last savepoint
	signs  atomic.Int64  // checkpoints since the last savepoint
}

// maxSigns is how many checkpoints are signed from one savepoint to the next: their partial tiles go with it.
const maxSigns = 256

func (f *follower) close() error {
	if f.tiles == nil {
		return nil
	}
	return f.tiles.Close()
}

// follow puts a block into the tiles and the index.
func (f *follower) follow(b *block) error {
	leaves := f.leaves[:0]
	for i := range b.ends {
		leaves = append(leaves, b.leaf(i))
	}
	f.leaves = leaves
	if err := f.tiles.Append(leaves, b.hashes); err != nil {
		return err
	}
	for i := range leaves {
		if err := f.spans.Add(b.first+uint64(i), b.keys[i]); err != nil {
			return err
		}
	}
	f.size.Store(max(f.size.Load(), b.end()))
	return nil
}

// restart begins the tiles anew after an error, at the last savepoint, and brings them up to where the next block
// begins.
func (l *Log) restart() error {
	f := &l.reader
	if err := f.tiles.Close(); err != nil {
		l.opts.Logger.Warn("translog: tiles closed", "err", err)
	}
	tiles, err := tile.NewWriter(l.root, f.saved.Load())
	if err != nil {
		return err
	}
	f.tiles = tiles
	size := f.size.Load()
	block := newBlock(tiles.Size())
	flush := func() error {
		err := f.follow(block)
		block = newBlock(block.end())
		return err
	}
	for r, err := range l.journal.Replay(tiles.Size()) {
		if err != nil {
			return err
		}
		if r.Index >= size {
			break
		}
		block.add(r.Leaf, tlog.RecordHash(r.Leaf), ledger.Keys{}) // the index has it
		if len(block.ends) == replayBlock {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// followLoop follows until the tail is closed and empty.
func (l *Log) followLoop(ctx context.Context) error {
	f := &l.reader
	defer l.tail.leave()
	ticker := time.NewTicker(l.policy.CheckpointEvery)
	defer ticker.Stop()
	broken := false
	sign := func() error {
		err := l.sign()
		l.fails("checkpoint", err)
		l.makeRoom(err)
		broken = broken || f.tiles.Append(nil, nil) != nil // as every call of it, from the first error on
		return err
	}
	sign()
	for {
		b, open := l.tail.next()
		err := error(nil)
		switch {
		case broken:
			err = l.restart()
		case b != nil:
			if b.end() > f.size.Load() { // else what failed was the save after it
				err = f.follow(b)
			}
			if err == nil && b.save != nil {
				err = l.save(b.save)
			}
			if err == nil {
				l.tail.done()
			}
		case !open:
			err := sign()
			if err != nil && (!broken || l.restart() == nil) { // with the reserve given back there may be room
				err = sign()
			}
			if err != nil {
				return fmt.Errorf("translog: last checkpoint: %w", err)
			}
			return nil
		default:
			select {
			case <-l.tail.ready:
			case <-ticker.C:
				sign()
			}
			continue
		}
		l.fails("tiles", err)
		if broken = err != nil; broken {
			if !open {
				return fmt.Errorf("translog: tiles: %w", err) // the next Open follows the journal
			}
			l.makeRoom(err)
			if err := pause.For(ctx, time.Second); err != nil {
				return err
			}
			continue
		}
		select {
		case <-ticker.C:
			sign()
		default:
		}
	}
}

// makeRoom gives the reserve back when a disk that is full was the reason.
func (l *Log) makeRoom(err error) {
	if errors.Is(err, syscall.ENOSPC) {
		l.fails("reserve", l.journal.Release())
	}
}

// write writes a file of the log, whole and durably.
func (l *Log) write(name string, write func(io.Writer) error) error {
	return wholefile.Write(filepath.Join(l.reader.dir, name), 0o600, write)
}

// fails notes and logs what has failed, and that it works again.
func (l *Log) fails(part string, err error) {
	switch news := l.condition.set(part, err); {
	case news && err != nil:
		l.opts.Logger.Error("translog: fails", "part", part, "err", err)
	case news:
		l.opts.Logger.Info("translog: works again", "part", part)
	}
}

// sign signs a checkpoint if the tree has grown.
func (l *Log) sign() error {
	f := &l.reader
	last, _ := l.signed.get()
	if last.note != nil && last.Size == f.tiles.Size() || l.tamperedWith() {
		return nil
	}
	root, err := f.tiles.Flush()
	if err != nil {
		return err
	}
	c := checkpoint.Checkpoint{Origin: l.Origin(), Size: f.tiles.Size(), Root: root}
	signed, err := c.Sign(l.opts.Signer)
	if err != nil {
		return err
	}
	name := ledger.CheckpointFile
	if len(l.policy.Trust.Witnesses) > 0 {
		name = ledger.LatestFile
	}
	if err := l.write(name, func(w io.Writer) error { _, err := w.Write(signed); return err }); err != nil {
		return err
	}
	f.signs.Add(1)
	p := published{c, signed}
	l.signed.set(p)
	if name == ledger.CheckpointFile {
		l.shown.set(p)
	}
	return nil
}

// saveDue reports whether recovery has enough to replay, or partial tiles enough to remove.
func (l *Log) saveDue() bool {
	size := int64(l.chains.Len()) * ledger.HeadBytes
	return l.tail.passed() > max(l.policy.SegmentBytes/2, 4*size) || l.reader.signs.Load() > maxSigns
}

// save makes a savepoint of the present size, under a checkpoint.
func (l *Log) save(s *ledger.Savepoint) error {
	f := &l.reader
	if err := l.sign(); err != nil {
		return err
	}
	if last, _ := l.signed.get(); last.Size < s.Size {
		return nil // nothing is signed any more: see tamperedWith
	}
	if _, err := f.tiles.Flush(); err != nil { // once more, where a sync has failed since
		return err
	}
	if err := f.tiles.Sync(); err != nil {
		return err
	}
	if err := l.write(ledger.SavepointFile, func(w io.Writer) error { return s.WriteFile(w) }); err != nil {
		return err
	}
	f.saved.Store(s.Size)
	f.signs.Store(0)
	shown, _ := l.shown.get()
	return f.tiles.Clean(shown.Size)
}
