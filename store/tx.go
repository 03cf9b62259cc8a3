package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/draft"
	"github.com/cloudopsec/opsec/internal/relay"
	"github.com/cloudopsec/opsec/internal/stamp"
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
	passes    int             // how many times the driver was asked, each time at another point of time
	clashed   []string        // the keys of the conflict that ended it
	runner    relay.Runner[*group]
	group     *group // on top of which it runs

	draft  draft.Draft // what it depends on, checked at commit, and what it writes: payloads, not yet sealed
	events []*opsec.Event
	wrote  map[string]stamp.Witness
	ended  bool
}

// pending is the Rev of what has been written and not committed, by this transaction or by others of its group.
const pending = Rev(draft.Pending)

// maxKeys is how many keys a transaction may read, and how many it may write: one of each is left for its marker.
const maxKeys = min(MaxOps, MaxChecks) - 1

// maxPayload leaves room for what a Sealer adds to a value.
const maxPayload = MaxValue - 1<<10

// try runs fn once, and commits. It sets overtaken when another attempt is due.
func (tx *Tx) try(last *Tx, fn func(*Tx) error) error {
	defer tx.end()
	tx.runner = tx.db.lanes.Runner()
	if last != nil {
		if err := tx.prepare(last); err != nil {
			return err
		}
	}
	err := fn(tx)
	switch {
	case tx.group != nil:
		return tx.join(err)
	case err == nil && tx.mode == updating:
		return tx.commit()
	case tx.passes > 1:
		same, checkErr := tx.unchanged()
		if checkErr != nil {
			return notKnown(err, checkErr)
		}
		tx.overtaken = !same
	}
	return err
}

// notKnown is what becomes of the error of a function that has decided by something that could not be compared.
func notKnown(err, why error) error {
	if err == nil {
		return why
	}
	return fmt.Errorf("store: not known to hold: %v: %w", err, why)
}

// prepare waits for a turn at the keys that the last attempt has lost, and reads all that it had read, in one piece.
func (tx *Tx) prepare(last *Tx) error {
	if tx.mode == updating {
		tx.runner.Alone = last.runner.Alone
		tx.runner.Take(tx.ctx, last.clashed, true)
		_ = tx.enter() // it has read nothing yet
	}
	keys := slices.DeleteFunc(last.draft.Reads(), func(key string) bool {
		_, ok := tx.draft.Find(key)
		return ok
	})
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
	tx.runner.End()
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
	look := func() (ask []string) {
		for i, key := range keys {
			item, ok := tx.cached(key)
			if !ok {
				ask = append(ask, key)
			}
			items[i] = item
		}
		return ask
	}
	ask := look()
	if met, err := tx.meet(ask); err != nil {
		return nil, err
	} else if met {
		ask = look()
	}
	got, err := tx.ask(ask)
	if err != nil {
		return nil, err
	}
	for i := range items {
		if items[i].Key == "" {
			items[i], got = got[0], got[1:]
		}
	}
	return items, nil
}

// ask returns the payloads under keys as the driver has them. The transaction depends on them.
func (tx *Tx) ask(keys []string) (got []Item, err error) {
	for chunk := range slices.Chunk(keys, MaxGet) {
		answer, err := tx.db.driver.Get(tx.ctx, chunk...)
		if err != nil {
			return nil, err
		}
		tx.passes++
		got = append(got, answer...)
	}
	for i := range got {
		if got[i], err = tx.opened(got[i]); err != nil {
			return nil, err
		}
		if err := tx.depend(got[i]); err != nil {
			return nil, err
		}
	}
	return got, nil
}

// pin makes the transaction depend on a key as the driver has it, also when it or its group has written there: what is
// written does not tell what was seen.
func (tx *Tx) pin(key string) error {
	if _, err := tx.meet([]string{key}); err != nil {
		return err
	}
	if _, ok := tx.draft.Read(key); ok {
		return nil
	}
	if _, ok := tx.recalled(key); ok {
		return nil
	}
	_, err := tx.ask([]string{key})
	return err
}

// cached returns a key that the transaction or its group has written, or that it knows already.
func (tx *Tx) cached(key string) (Item, bool) {
	if v, ok := tx.draft.Find(key); ok {
		return Item{Key: key, Value: v.Payload, Rev: Rev(v.Rev)}, true
	}
	return tx.recalled(key)
}

// recalled returns a key that was read before this attempt.
func (tx *Tx) recalled(key string) (Item, bool) {
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
	if tx.mode != viewing && !tx.draft.See(item.Key, draft.Value{Payload: item.Value, Rev: uint64(item.Rev)}) {
		return tx.clash(item.Key)
	}
	return nil
}

// clash notes that the transaction cannot hold.
func (tx *Tx) clash(keys ...string) error {
	tx.clashed = append(tx.clashed, keys...)
	return &ConflictError{Keys: tx.clashed}
}

// absent returns the item under a key that is most likely absent: it is taken to be, and the commit checks. If the
// commit finds otherwise, the next attempt reads it, as do others where some have met: they would spoil their group.
func (tx *Tx) absent(key string) (Item, error) {
	if err := tx.usable(false); err != nil {
		return Item{}, err
	}
	if item, ok := tx.cached(key); ok {
		return item, nil
	}
	if tx.attempt > 0 || tx.db.lanes.At(key) {
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

func (tx *Tx) put(key string, payload []byte) { tx.draft.Put(key, payload) }

func (tx *Tx) delete(key string) { tx.draft.Delete(key) }

// atomically undoes what fn has written when it fails, so that who goes on after an error leaves nothing half done.
func (tx *Tx) atomically(fn func() error) error {
	if err := tx.usable(true); err != nil {
		return err
	}
	mark, wrote := tx.draft.Mark(), maps.Clone(tx.wrote)
	err := fn()
	if err != nil {
		tx.draft.Undo(mark)
		tx.wrote = wrote
	}
	return err
}

// unchanged reports whether all that was read is still so. A Rev is never used again, but absence comes back: so what was
// absent is read first and in one piece, and all was as it was read at that moment.
func (tx *Tx) unchanged() (bool, error) {
	keys := tx.draft.Reads()
	if len(keys) > MaxGet && tx.draft.Rev(keys[MaxGet]) == 0 {
		return false, tooLarge("a transaction that found more than %d keys absent", MaxGet)
	}
	for chunk := range slices.Chunk(keys, MaxGet) {
		items, err := tx.db.driver.Get(tx.ctx, chunk...)
		if err != nil {
			return false, err
		}
		for _, item := range items {
			if uint64(item.Rev) != tx.draft.Rev(item.Key) {
				tx.clashed = append(tx.clashed, item.Key)
			}
		}
	}
	return len(tx.clashed) == 0, nil
}

func (tx *Tx) commit() error {
	if tx.draft.Mark() == 0 && len(tx.events) == 0 {
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
	if tx.runner.Wanted() {
		tx.group = new(group)
		tx.runner.Start(tx.group)
		return tx.share(nil)
	}
	_, err = tx.db.commit(tx.ctx, b)
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
	err := tx.draft.Seal(func(key string, payload []byte) ([]byte, error) {
		if len(payload) > maxPayload {
			return nil, tooLarge("a record of %d bytes, at most %d", len(payload), maxPayload)
		}
		return tx.db.vault.Seal(key, payload)
	})
	if err != nil {
		return Batch{}, err
	}
	b := batch(&tx.draft)
	if len(b.Checks) > maxKeys || len(b.Ops) > maxKeys {
		return Batch{}, tooLarge("a transaction that reads %d keys and writes %d, at most %d each",
			len(b.Checks), len(b.Ops), maxKeys)
	}
	return b, b.Validate()
}

// batch returns what the driver commits of a draft.
func batch(d *draft.Draft) Batch {
	reads, writes := d.Reads(), d.Writes()
	slices.Sort(reads)
	b := Batch{Checks: make([]Check, len(reads), len(reads)+1), Ops: make([]Op, len(writes), len(writes)+1)}
	for i, key := range reads {
		b.Checks[i] = Check{Key: key, Rev: Rev(d.Rev(key))}
	}
	for i, key := range writes {
		w, _ := d.Written(key)
		b.Ops[i] = Op{Key: key, Value: w.Value, Delete: w.Delete}
	}
	return b
}
