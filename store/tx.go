package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/stamp"
	"github.com/cloudopsec/opsec/internal/turns"
)

type mode int

const (
	viewing mode = iota
	snapshot
	updating
)

// Tx is a transaction: what a function given to [DB.View], [DB.Snapshot] or [DB.Update] works through, in one goroutine
// and until it returns.
type Tx struct {
	ctx    context.Context
	db     *DB
	mode   mode
	across map[opsec.TenantID]bool // the tenants of UpdateAcross
	tenant opsec.TenantID          // the one tenant of any other, once it is bound

	attempt   int
	overtaken bool            // what it read has changed: try again
	known     map[string]Item // read in one piece before this attempt, since the last one wanted it
	reads     map[string]Item // what the transaction depends on: checked at commit
	passes    int             // how many times the driver was asked, each time at another point of time
	turns     turns.Turns
	clashed   []string // the keys of the conflict that ended it

	writes map[string]Op // with payloads, not yet sealed
	undo   []undo
	events []*opsec.Event
	wrote  map[string]stamp.Witness
	ended  bool
}

// undo takes back one write.
type undo struct {
	key string
	op  Op
	had bool
}

// pending is the Rev of what this transaction has written itself.
const pending = ^Rev(0)

// maxKeys is how many keys a transaction may read, and how many it may write: one of each is left for its marker.
const maxKeys = min(MaxOps, MaxChecks) - 1

// maxPayload leaves room for what a Sealer adds to a value.
const maxPayload = MaxValue - 1<<10

// try runs fn once, and commits. It sets overtaken when another attempt is due.
func (tx *Tx) try(last *Tx, fn func(*Tx) error) error {
	defer tx.end()
	tx.turns = tx.db.queues.New()
	if last != nil {
		if err := tx.prepare(last); err != nil {
			return err
		}
	}
	err := fn(tx)
	if err == nil && tx.mode == updating {
		err = tx.commit()
	} else if tx.passes > 1 {
		same, checkErr := tx.unchanged()
		if checkErr != nil && err == nil {
			return checkErr
		}
		if checkErr != nil {
			return fmt.Errorf("store: not known to hold: %v: %w", err, checkErr)
		}
		tx.overtaken = !same
	}
	return err
}

// prepare waits for a turn at the keys that the last attempt has lost, and reads all that it had read, in one piece.
func (tx *Tx) prepare(last *Tx) error {
	if tx.mode == updating {
		tx.turns.Take(tx.ctx, last.clashed, true)
	}
	keys := slices.Sorted(maps.Keys(last.reads))
	keys = keys[:min(len(keys), MaxGet)]
	if len(keys) == 0 {
		return nil
	}
	items, err := tx.db.driver.Get(tx.ctx, keys...)
	if err != nil {
		return err
	}
	tx.passes++
	tx.known = make(map[string]Item, len(items))
	for _, item := range items {
		tx.known[item.Key] = item
	}
	return nil
}

func (tx *Tx) end() {
	tx.ended = true
	tx.turns.End()
}

// usable returns an error when fn has kept tx, or writes where it may only read.
func (tx *Tx) usable(write bool) error {
	switch {
	case tx.ended:
		return invalid("transaction: used after its function returned")
	case write && tx.mode != updating:
		return invalid("transaction: a write in View or Snapshot")
	}
	return tx.ctx.Err()
}

// get returns the payloads under keys as this transaction sees them, its own writes included.
func (tx *Tx) get(keys ...string) ([]Item, error) {
	if err := tx.usable(false); err != nil {
		return nil, err
	}
	items := make([]Item, len(keys))
	var ask []string
	for i, key := range keys {
		item, ok := tx.cached(key)
		if !ok {
			ask = append(ask, key)
		}
		items[i] = item
	}
	if len(ask) == 0 {
		return items, nil
	}
	if tx.mode == updating {
		tx.turns.Take(tx.ctx, ask, false)
	}
	var got []Item
	for chunk := range slices.Chunk(ask, MaxGet) {
		answer, err := tx.db.driver.Get(tx.ctx, chunk...)
		if err != nil {
			return nil, err
		}
		tx.passes++
		got = append(got, answer...)
	}
	for i := range items {
		if len(got) == 0 || items[i].Key != "" {
			continue
		}
		item, err := tx.opened(got[0])
		if err != nil {
			return nil, err
		}
		items[i], got = item, got[1:]
		if err := tx.depend(item); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// pin makes the transaction depend on a key as the driver has it, also when it has written there itself: what it writes
// does not tell what it has seen.
func (tx *Tx) pin(key string) error {
	own, wrote := tx.writes[key]
	delete(tx.writes, key)
	_, err := tx.get(key)
	if wrote {
		tx.writes[key] = own
	}
	return err
}

// cached returns a key that the transaction has written or knows already.
func (tx *Tx) cached(key string) (Item, bool) {
	if op, ok := tx.writes[key]; ok {
		if op.Delete {
			return Item{Key: key}, true
		}
		return Item{Key: key, Value: op.Value, Rev: pending}, true
	}
	if item, ok := tx.reads[key]; ok {
		return item, true
	}
	if item, ok := tx.known[key]; ok {
		if item, err := tx.opened(item); err == nil && tx.depend(item) == nil {
			return item, true
		}
	}
	return Item{}, false
}

func (tx *Tx) opened(item Item) (Item, error) {
	if item.Rev == 0 {
		return item, nil
	}
	payload, err := tx.db.open(item)
	item.Value = payload
	return item, err
}

// depend notes that the transaction has seen item. Seen in two states, the transaction is overtaken.
func (tx *Tx) depend(item Item) error {
	if tx.mode == viewing {
		return nil
	}
	if before, ok := tx.reads[item.Key]; ok && before.Rev != item.Rev {
		tx.clashed = append(tx.clashed, item.Key)
		return &ConflictError{Keys: tx.clashed}
	}
	if tx.reads == nil {
		tx.reads = map[string]Item{}
	}
	tx.reads[item.Key] = item
	return nil
}

// absent returns the item under a key that is most likely absent: it is taken to be, and the commit checks. If the
// commit finds otherwise, the next attempt reads it.
func (tx *Tx) absent(key string) (Item, error) {
	if err := tx.usable(false); err != nil {
		return Item{}, err
	}
	if item, ok := tx.cached(key); ok {
		return item, nil
	}
	if tx.attempt > 0 {
		items, err := tx.get(key)
		if err != nil {
			return Item{}, err
		}
		return items[0], nil
	}
	tx.passes += 2 // nothing was read: an error that follows from it must not be believed unchecked
	item := Item{Key: key}
	return item, tx.depend(item)
}

func (tx *Tx) put(key string, payload []byte) { tx.write(Op{Key: key, Value: payload}) }

func (tx *Tx) delete(key string) { tx.write(Op{Key: key, Delete: true}) }

func (tx *Tx) write(op Op) {
	if tx.writes == nil {
		tx.writes = map[string]Op{}
	}
	before, had := tx.writes[op.Key]
	tx.undo = append(tx.undo, undo{op.Key, before, had})
	tx.writes[op.Key] = op
}

// atomically undoes what fn has written when it fails, so that who goes on after an error leaves nothing half done.
func (tx *Tx) atomically(fn func() error) error {
	if err := tx.usable(true); err != nil {
		return err
	}
	mark, wrote := len(tx.undo), maps.Clone(tx.wrote)
	err := fn()
	if err == nil {
		return nil
	}
	for _, u := range slices.Backward(tx.undo[mark:]) {
		if u.had {
			tx.writes[u.key] = u.op
		} else {
			delete(tx.writes, u.key)
		}
	}
	tx.undo, tx.wrote = tx.undo[:mark], wrote
	return err
}

// unchanged reports whether all that was read is still so. A Rev is never used again, but absence comes back: so what was
// absent is read first and in one piece, and all was as it was read at that moment.
func (tx *Tx) unchanged() (bool, error) {
	keys := slices.SortedFunc(maps.Keys(tx.reads), func(a, b string) int { // what was absent first
		return cmp.Or(cmp.Compare(min(tx.reads[a].Rev, 1), min(tx.reads[b].Rev, 1)), cmp.Compare(a, b))
	})
	if len(keys) > MaxGet && tx.reads[keys[MaxGet]].Rev == 0 {
		return false, tooLarge("a transaction that found more than %d keys absent", MaxGet)
	}
	for chunk := range slices.Chunk(keys, MaxGet) {
		items, err := tx.db.driver.Get(tx.ctx, chunk...)
		if err != nil {
			return false, err
		}
		for _, item := range items {
			if item.Rev != tx.reads[item.Key].Rev {
				tx.clashed = append(tx.clashed, item.Key)
			}
		}
	}
	return len(tx.clashed) == 0, nil
}

func (tx *Tx) commit() error {
	if len(tx.writes) == 0 && len(tx.events) == 0 {
		if tx.passes < 2 {
			return nil
		}
		same, err := tx.unchanged()
		tx.overtaken = !same && err == nil
		return err
	}
	b, err := tx.batch()
	if err != nil {
		return err
	}
	err = tx.db.commit(tx.ctx, b)
	if conflict, ok := errors.AsType[*ConflictError](err); ok {
		tx.overtaken, tx.clashed = true, conflict.Keys
	}
	tx.overtaken = tx.overtaken || errors.Is(err, errLost)
	return err
}

// batch turns the transaction into what the driver commits: values sealed, keys in order.
func (tx *Tx) batch() (Batch, error) {
	if err := tx.file(); err != nil {
		return Batch{}, err
	}
	if len(tx.reads) > maxKeys || len(tx.writes) > maxKeys {
		return Batch{}, tooLarge("a transaction that reads %d keys and writes %d, at most %d each",
			len(tx.reads), len(tx.writes), maxKeys)
	}
	b := Batch{Checks: make([]Check, 0, len(tx.reads)+1), Ops: make([]Op, 0, len(tx.writes)+1)}
	for _, key := range slices.Sorted(maps.Keys(tx.reads)) {
		b.Checks = append(b.Checks, Check{Key: key, Rev: tx.reads[key].Rev})
	}
	for _, key := range slices.Sorted(maps.Keys(tx.writes)) {
		op := tx.writes[key]
		if len(op.Value) > maxPayload {
			return Batch{}, tooLarge("a record of %d bytes, at most %d", len(op.Value), maxPayload)
		}
		if !op.Delete {
			var err error
			if op.Value, err = tx.db.vault.Seal(key, op.Value); err != nil {
				return Batch{}, err
			}
		}
		b.Ops = append(b.Ops, op)
	}
	return b, b.Validate()
}
