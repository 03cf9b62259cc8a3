package translog

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
	"github.com/cloudopsec/opsec/audit/translog/entry"
	"github.com/cloudopsec/opsec/audit/translog/index"
	"github.com/cloudopsec/opsec/audit/translog/internal/ledger"
	"github.com/cloudopsec/opsec/audit/translog/tile"
	"github.com/cloudopsec/opsec/internal/journal"
)

// replayBlock is how many entries recovery takes at a time.
const replayBlock = 4096

// recover opens what is in the directory: everything below the savepoint is in the tiles, what is behind it comes from
// the journal again, and at every size that was ever signed the tree must be the one that was signed.
func (l *Log) recover(dir string) error {
	l.reader.dir = dir
	l.chains = ledger.New()
	l.known.Size = l.policy.Remember
	fsys := l.root.FS()
	marks, err := l.readMarks(fsys)
	if err != nil {
		return err
	}
	var synced uint64
	for _, m := range marks {
		synced = max(synced, m.Size)
	}
	save, err := ledger.ReadSavepoint(fsys)
	if err != nil {
		return tampered("%w", err)
	}
	var from uint64
	if save != nil {
		if save.Size > synced {
			return tampered("savepoint of %d entries, but the latest checkpoint has %d", save.Size, synced)
		}
		if err := l.chains.Restore(save); err != nil {
			return tampered("savepoint: %w", err)
		}
		from = save.Size
	}
	kept, err := readPruned(fsys)
	if err != nil {
		return err
	}
	first := max(kept, l.replayed(from))
	j, found, err := journal.Open(filepath.Join(dir, ledger.JournalDir), synced, first, journal.Options{
		SegmentBytes: l.policy.SegmentBytes, ReserveBytes: l.policy.ReserveBytes,
	})
	switch {
	case errors.Is(err, journal.ErrLocked):
		return fmt.Errorf("%w: %w", ErrLocked, err)
	case errors.Is(err, journal.ErrTampered):
		return fmt.Errorf("%w: %w", ErrTampered, err)
	case err != nil:
		return fmt.Errorf("translog: %w", err)
	}
	l.journal, l.begun = j, found.Size
	if found.First > kept {
		return tampered("journal: it begins with entry %d, and entries from %d on were kept", found.First, kept)
	}
	if found.Cut > 0 {
		l.opts.Logger.Warn("translog: an unfinished write was cut off, which nobody was promised", "bytes", found.Cut)
	}
	if l.holds.list, err = readHolds(fsys); err != nil {
		return err
	}
	if l.reader.tiles, err = tile.NewWriter(l.root, from); err != nil {
		return tampered("tiles at the savepoint: %w", err)
	}
	l.reader.saved.Store(from)
	if l.reader.spans, err = ledger.NewSpans(filepath.Join(dir, ledger.IndexDir), j, from); err != nil {
		return fmt.Errorf("translog: %w", err)
	}
	if err := l.replay(first, save, marks); err != nil {
		return err
	}
	return l.compare(marks)
}

// replayed is the first entry that recovery reads again when the savepoint is at from: for the ids of the latest
// events, and for the span of the index that is growing.
func (l *Log) replayed(from uint64) uint64 {
	return min(from/index.Span*index.Span, from-min(from, uint64(l.policy.Remember)))
}

// readPruned returns the first entry that must be there.
func readPruned(fsys fs.FS) (uint64, error) {
	text, err := fs.ReadFile(fsys, ledger.PrunedFile)
	if isMissing(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("translog: %w", err)
	}
	n, err := strconv.ParseUint(strings.TrimSuffix(string(text), "\n"), 10, 63)
	if err != nil {
		return 0, tampered("%s: %w", ledger.PrunedFile, err)
	}
	return n, nil
}

// readMarks returns the checkpoints that this log has signed: those in the directory, and those noted elsewhere.
func (l *Log) readMarks(fsys fs.FS) ([]published, error) {
	own := checkpoint.Policy{Logs: l.policy.Trust.Logs, Quorum: "none"}
	var marks []published
	mark := func(name string, signed []byte) (published, error) {
		v, err := own.Open(signed, l.opts.Now())
		if err != nil {
			return published{}, tampered("%s: %w", name, err)
		}
		if v.Origin != l.Origin() {
			return published{}, tampered("%s is of the log %q, not of %q", name, v.Origin, l.Origin())
		}
		marks = append(marks, published{v.Checkpoint, signed})
		return marks[len(marks)-1], nil
	}
	for i, signed := range l.opts.Noted {
		if _, err := mark(fmt.Sprintf("noted checkpoint %d", i), signed); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{ledger.CheckpointFile, ledger.LatestFile} {
		signed, err := fs.ReadFile(fsys, name)
		if isMissing(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("translog: %w", err)
		}
		p, err := mark(name, signed)
		if err != nil {
			return nil, err
		}
		if last, _ := l.signed.get(); last.note == nil || last.Size < p.Size {
			l.signed.set(p)
		}
		if name == ledger.CheckpointFile {
			l.shown.set(p)
		}
	}
	return marks, nil
}

// replay takes the journal from first on: into the index all of it, into chains and tiles what is behind the savepoint.
// At each size that was signed the partial tiles are written: those on the disk may have been lost with its power.
func (l *Log) replay(first uint64, save *ledger.Savepoint, marks []published) error {
	signed := map[uint64]bool{}
	for _, m := range marks {
		signed[m.Size] = true
	}
	var from uint64
	if save != nil {
		from = save.Size
	}
	block := newBlock(from)
	for r, err := range l.journal.Replay(first) {
		if err != nil {
			return tampered("%w", err)
		}
		leaf, keys, err := ledger.Parse(r.Leaf, r.Body)
		if err != nil {
			return tampered("entry %d: %w", r.Index, err)
		}
		keys.Action = strings.Clone(keys.Action)
		hash := tlog.RecordHash(r.Leaf)
		if r.Index < from {
			if err := l.reader.spans.Add(r.Index, keys); err != nil {
				return tampered("%w", err)
			}
			if leaf.Kind == entry.Event {
				l.known.Put(leaf.ID, place{r.Index, leaf.Seq, hash})
			}
			if r.Index+1 == from {
				if leaf.Kind != entry.Epoch || leaf.Number != save.Epoch || leaf.Heads != l.chains.Root() {
					return tampered("savepoint: its heads are not those that entry %d binds", r.Index)
				}
				l.chains.Bound(leaf, r.Index, hash)
			}
			continue
		}
		if err := l.chains.Replay(r.Index, leaf, hash); err != nil {
			return tampered("%w", err)
		}
		if leaf.Kind == entry.Event {
			l.known.Put(leaf.ID, place{r.Index, leaf.Seq, hash})
		}
		block.add(r.Leaf, hash, keys)
		if !signed[block.end()] && len(block.ends) < replayBlock {
			continue
		}
		if err := l.reader.follow(block); err != nil {
			return fmt.Errorf("translog: %w", err)
		}
		if signed[block.end()] {
			if _, err := l.reader.tiles.Flush(); err != nil {
				return fmt.Errorf("translog: %w", err)
			}
		}
		block = newBlock(block.end())
	}
	l.reader.size.Store(block.first)
	if len(block.ends) == 0 {
		return nil
	}
	if err := l.reader.follow(block); err != nil {
		return fmt.Errorf("translog: %w", err)
	}
	return nil
}

// compare makes sure that the tree continues every one that was signed.
func (l *Log) compare(marks []published) error {
	if len(marks) == 0 {
		return nil
	}
	root, err := l.reader.tiles.Flush()
	if err != nil {
		return fmt.Errorf("translog: %w", err)
	}
	tree, err := tile.NewTree(l.root.FS(), l.reader.tiles.Size(), root)
	if err != nil {
		return tampered("tiles: %w", err)
	}
	for _, m := range marks {
		if m.Size == 0 {
			continue
		}
		was, err := tree.RootAt(m.Size)
		if err != nil {
			return tampered("tiles: %w", err)
		}
		if was != m.Root {
			return tampered("at %d entries the tree is another than the one that was signed", m.Size)
		}
	}
	return nil
}
