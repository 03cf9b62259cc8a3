package bolt

import (
	"context"
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/cloudopsec/opsec/store"
)

// Commit implements [store.Driver]. While it waits for others it obeys ctx and has then done nothing; once its turn has
// come it returns what has become of it.
func (d *Driver) Commit(ctx context.Context, b store.Batch) (store.Rev, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := b.Validate(); err != nil {
		return 0, err
	}
	c := &commit{batch: &b, bytes: payload(&b)}
	if err := d.enter(c); err != nil {
		return 0, err
	}
	if c.wake != nil {
		if err := d.wait(ctx, c); err != nil {
			return 0, err
		}
	}
	if c.leads {
		d.lead()
	}
	return c.rev, c.err
}

func payload(b *store.Batch) (n int) {
	for i := range b.Ops {
		n += len(b.Ops[i].Key) + len(b.Ops[i].Value)
	}
	return n
}

// lead works off one group.
func (d *Driver) lead() {
	group := d.take()
	if len(group) == 0 {
		return
	}
	defer d.release(group)
	writes := false
	for _, c := range group {
		writes = writes || len(c.batch.Ops) > 0
	}
	if !writes {
		d.answer(group)
		return
	}
	if err := d.write(group); err != nil {
		for _, c := range group { // what was checked may have been checked against what has failed
			c.rev, c.err = 0, err
		}
		return
	}
	if d.hub.Listening() {
		d.tell(group)
	}
}

// answer is for a group without ops. No other is being written, so what a read transaction sees is durable.
func (d *Driver) answer(group []*commit) {
	err := d.view(func(b *bbolt.Bucket) error {
		for _, c := range group {
			c.err = d.conflict(b, c.batch)
		}
		return nil
	})
	if err != nil {
		for _, c := range group {
			c.err = err
		}
	}
}

// fillPercent is how full the first of two pages is that one becomes. Keys of a store mostly grow within a tenant's
// collection, where what bbolt leaves half full stays so for ever. In 150,000 records of 200 tenants, against bbolt's half,
// the pages take 40 % less room and 6 % fewer are written; with random keys they take 15 % more, and 6 % more are written.
const fillPercent = 0.8

// write evaluates the group in one transaction. After an error nothing has been written, unless it is
// [store.ErrIndeterminate].
func (d *Driver) write(group []*commit) (err error) {
	tx, err := d.begin(true)
	if err != nil {
		return err
	}
	var before uint64
	committing := false
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w (%v): %s", ErrFormat, p, d.path)
			d.refuse(err)
			rollback(tx)
		}
		if err != nil && committing {
			err = d.aftermath(before, err)
		}
	}()
	b := tx.Bucket([]byte(bucket))
	b.FillPercent = fillPercent
	before = b.Sequence()
	wrote := false
	for _, c := range group {
		if c.err = d.conflict(b, c.batch); c.err != nil || len(c.batch.Ops) == 0 {
			continue
		}
		wrote = true
		if c.rev, err = d.apply(b, c.batch); err != nil {
			tx.Rollback()
			return fmt.Errorf("bolt: %s: %w", d.path, err)
		}
	}
	if !wrote {
		return tx.Rollback()
	}
	committing = true
	return d.settle(tx)
}

// settle makes the transaction durable. Readers that see it before that wait until it is.
func (d *Driver) settle(tx *bbolt.Tx) error {
	d.settling.Lock()
	defer d.settling.Unlock()
	id := tx.ID()
	if err := tx.Commit(); err != nil {
		return err
	}
	d.durable.Store(int64(id))
	return nil
}

// aftermath finds out what has become of a transaction whose commit returned an error. bbolt writes the pages of a
// transaction, syncs, writes the meta page that leads to them, and syncs again. Up to the meta page nothing has
// happened. When that has been written and only the last sync failed, the file shows the transaction, and nobody knows
// whether the disk has it.
func (d *Driver) aftermath(before uint64, cause error) error {
	var now uint64
	if tx, err := d.begin(false); err == nil {
		now = tx.Bucket([]byte(bucket)).Sequence()
		rollback(tx)
	} else {
		cause = fmt.Errorf("%w (%v)", cause, err)
		now = before + 1 // cannot be seen, so it is not known
	}
	if now == before {
		return fmt.Errorf("bolt: %s: nothing is written: %w", d.path, cause)
	}
	d.refuse(fmt.Errorf("bolt: %s: no commits until the file is opened anew: an earlier one failed: %w", d.path, cause))
	return fmt.Errorf("bolt: %s: %w: %w", d.path, store.ErrIndeterminate, cause)
}

// rollback ends a transaction in which something has gone wrong already.
func rollback(tx *bbolt.Tx) {
	defer func() { recover() }()
	tx.Rollback()
}

// conflict returns a [*store.ConflictError] unless all checks hold.
func (d *Driver) conflict(b *bbolt.Bucket, batch *store.Batch) error {
	var failed []string
	for _, check := range batch.Checks {
		d.key = append(d.key[:0], check.Key...)
		rev, err := revOf(b.Get(d.key))
		if err != nil {
			return fmt.Errorf("%w: %s", err, d.path)
		}
		if rev != check.Rev {
			failed = append(failed, check.Key)
		}
	}
	if failed != nil {
		return &store.ConflictError{Keys: failed}
	}
	return nil
}

// apply does the ops of a batch. Until the transaction ends bbolt refers to the values.
func (d *Driver) apply(b *bbolt.Bucket, batch *store.Batch) (store.Rev, error) {
	rev, err := b.NextSequence()
	if err != nil {
		return 0, err
	}
	values := make([]byte, 0, payload(batch)+revBytes*len(batch.Ops))
	for i := range batch.Ops {
		op := &batch.Ops[i]
		d.key = append(d.key[:0], op.Key...)
		if op.Delete {
			err = b.Delete(d.key)
		} else {
			at := len(values)
			values = append(binary.BigEndian.AppendUint64(values, rev), op.Value...)
			err = b.Put(d.key, values[at:])
		}
		if err != nil {
			return 0, err
		}
	}
	return store.Rev(rev), nil
}

// tell wakes those who watch what the group has changed.
func (d *Driver) tell(group []*commit) {
	var keys []string
	for _, c := range group {
		if c.rev == 0 {
			continue
		}
		for i := range c.batch.Ops {
			keys = append(keys, c.batch.Ops[i].Key)
		}
	}
	d.hub.Tell(keys...)
}
