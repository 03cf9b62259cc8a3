package store

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/cloudopsec/opsec/internal/layout"
	"github.com/cloudopsec/opsec/internal/pause"
)

// Progress is how far a long work has come.
type Progress struct {
	Done  int64 // values
	Total int64 // that there were when it began
}

// resealNote is what is kept of a re-sealing, so that it can go on after an end of the process.
type resealNote struct {
	After []byte // the last raw key that is done: not text, which JSON would mend
	Progress
	Finished bool
}

// Reseal writes every value anew, as the Sealer of the DB does now: after a rotation of its key, so that the old one can
// be retired, or to seal a store that was not ([Options.InsecureReadPlain]). Others may read and write meanwhile. Epoch
// names the rotation, such as the id of the new key: what is done is kept under it in the store, an interrupted Reseal of
// the same epoch goes on where it was, and a finished one does nothing. Every node must write by the new key before it
// begins. Progress, which may be nil, is told after each commit.
func (db *DB) Reseal(ctx context.Context, epoch string, progress func(Progress)) error {
	if db.vault.Sealer == nil || epoch == "" || len(epoch) > 256 {
		return invalid("reseal: want a store with a Sealer, and an epoch of 1 to 256 bytes")
	}
	note, err := db.resealNote(ctx, epoch)
	if err != nil {
		return err
	}
	for !note.Finished {
		if err := db.resealSome(ctx, epoch, note); err != nil {
			return err
		}
		if progress != nil {
			progress(note.Progress)
		}
	}
	return nil
}

func resealKey(epoch string) string { return Text(layout.Notes).Text("reseal").Text(epoch).Encode() }

// resealNote returns how far a re-sealing is, or begins one by counting.
func (db *DB) resealNote(ctx context.Context, epoch string) (*resealNote, error) {
	note := new(resealNote)
	err := db.View(ctx, func(tx *Tx) error {
		items, err := tx.get(resealKey(epoch))
		if err == nil && items[0].Rev != 0 && json.Unmarshal(items[0].Value, note) != nil {
			err = &CorruptError{Collection: "notes", Reason: "does not decode"}
		}
		return err
	})
	if err != nil || note.Total > 0 {
		return note, err
	}
	for _, err := range Scan(ctx, db.driver, Range{KeysOnly: true}) {
		if err != nil {
			return nil, err
		}
		note.Total++
	}
	return note, nil
}

// resealSome does what fits into one commit, and notes it there.
func (db *DB) resealSome(ctx context.Context, epoch string, note *resealNote) error {
	r := Range{Start: string(note.After) + "\x00", Limit: maxKeys - 1}
	for attempt := 0; ; attempt++ {
		if err := pause.Before(ctx, attempt); err != nil {
			return err
		}
		page, err := db.driver.List(ctx, r)
		if err != nil {
			return err
		}
		next := *note
		b, err := db.resealed(page, &next, resealKey(epoch))
		if err != nil {
			return err
		}
		next.Finished = len(page) == 0
		text, err := json.Marshal(next)
		if err != nil {
			return err
		}
		value, err := db.vault.Seal(resealKey(epoch), text)
		if err != nil {
			return err
		}
		b.Ops = append(b.Ops, Op{Key: resealKey(epoch), Value: value})
		_, err = db.commit(ctx, b)
		if _, conflict := errors.AsType[*ConflictError](err); conflict || errors.Is(err, errLost) {
			continue // a value was written meanwhile
		}
		*note = next
		return err
	}
}

// resealed returns the batch that seals the values of a page anew, up to half of what a commit holds in bytes. The
// markers, which are not sealed, and the note of the re-sealing itself are left out.
func (db *DB) resealed(page []Item, note *resealNote, own string) (b Batch, err error) {
	size := 0
	for _, item := range page {
		if size += len(item.Value) + len(item.Key); size > MaxBatch/2 && len(b.Ops) > 0 {
			break
		}
		note.After = []byte(item.Key)
		note.Done++
		if item.Key == own || strings.HasPrefix(item.Key, Text(layout.Marker).Encode()) {
			continue
		}
		payload, err := db.open(item)
		if err != nil {
			return b, err
		}
		value, err := db.vault.Seal(item.Key, payload)
		if err != nil {
			return b, err
		}
		b.Checks = append(b.Checks, Check{Key: item.Key, Rev: item.Rev})
		b.Ops = append(b.Ops, Op{Key: item.Key, Value: value})
	}
	return b, nil
}
