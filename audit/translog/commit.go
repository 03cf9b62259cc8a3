package translog

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit"
	"github.com/cloudopsec/opsec/audit/translog/entry"
	"github.com/cloudopsec/opsec/audit/translog/heads"
	"github.com/cloudopsec/opsec/audit/translog/internal/ledger"
	"github.com/cloudopsec/opsec/internal/journal"
)

var errClosed = fmt.Errorf("%w: the log is closed", ErrUnavailable)

// Receipt says where an event stands in the log. It is given when the event is durable there.
type Receipt struct {
	Event opsec.ID       `json:"event"`  // the event
	Index uint64         `json:"index"`  // its place in the log, from 0
	Leaf  tlog.Hash      `json:"leaf"`   // the hash of its leaf (RFC 6962, section 2.1)
	Seq   uint64         `json:"seq"`    // its place among its tenant's events, from 1
	Of    opsec.TenantID `json:"tenant"` // the tenant
	Time  time.Time      `json:"time"`   // when it was known to be durable, by the log's clock
}

// place is what the log remembers of an event by its id.
type place struct {
	index, seq uint64
	leaf       tlog.Hash
}

// draft is an event on its way into the log.
type draft struct {
	*entry.Draft
	action  string
	outcome opsec.Outcome
	place   place
	err     error
}

// round is the events that share a commit.
type round struct {
	drafts []*draft
	done   chan struct{}
}

func newRound() *round { return &round{done: make(chan struct{})} }

// Append writes an event and returns when it is on stable storage, in an order that is the same for everybody. An event
// whose id is among the latest ones is there already: its receipt is the first one's.
//
// Errors wrap [opsec.ErrInvalid], for an event that breaks its rules, or [ErrUnavailable]. When ctx ends first, the
// event may still come into the log. While the disk is full, critical events alone are taken, for as long as the room
// lasts that was allotted before.
func (l *Log) Append(ctx context.Context, e *opsec.Event) (Receipt, error) {
	d, err := l.draft(ctx, e)
	if err != nil {
		return Receipt{}, err
	}
	if err := l.enter(ctx, d); err != nil {
		return Receipt{}, err
	}
	return l.receipt(e, d), nil
}

func (l *Log) receipt(e *opsec.Event, d *draft) Receipt {
	return Receipt{e.ID, d.place.index, d.place.leaf, d.place.seq, e.Tenant, l.opts.Now()}
}

// AppendAll is Append of several events, in one commit if there is room for all of them: they stand in the log in their
// order, though others may come between. After an error some of them may be there.
func (l *Log) AppendAll(ctx context.Context, events ...*opsec.Event) ([]Receipt, error) {
	drafts := make([]*draft, len(events))
	for i, e := range events {
		var err error
		if drafts[i], err = l.draft(ctx, e); err != nil {
			return nil, err
		}
	}
	if err := l.enter(ctx, drafts...); err != nil {
		return nil, err
	}
	receipts := make([]Receipt, len(events))
	for i, e := range events {
		receipts[i] = l.receipt(e, drafts[i])
	}
	return receipts, nil
}

// Record implements [opsec.Recorder] by Append: every event is durable, whatever its class.
func (l *Log) Record(ctx context.Context, e *opsec.Event) (opsec.Receipt, error) {
	r, err := l.Append(ctx, e)
	if err != nil {
		return opsec.Receipt{}, err
	}
	return opsec.Receipt{Event: r.Event, Time: r.Time, Durable: true}, nil
}

// Write implements [audit.Sink]: a log can be one of the sinks of an [audit.Trail]. The events of a batch stand in the
// log in their order.
func (l *Log) Write(ctx context.Context, batch []audit.Record) error {
	events := make([]*opsec.Event, len(batch))
	for i, r := range batch {
		events[i] = r.Event
	}
	_, err := l.AppendAll(ctx, events...)
	return err
}

// Durable implements [audit.Sink].
func (l *Log) Durable() bool { return true }

func (l *Log) draft(ctx context.Context, e *opsec.Event) (*draft, error) {
	d, err := l.scribe.Draft(ctx, e)
	if err != nil {
		if errors.Is(err, opsec.ErrInvalid) {
			return nil, fmt.Errorf("translog: %w", err)
		}
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return &draft{Draft: d, action: e.Action, outcome: e.Outcome}, nil
}

// enter waits until the drafts are committed, all in one commit if there is room.
func (l *Log) enter(ctx context.Context, drafts ...*draft) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if len(drafts) == 0 {
		return nil
	}
	l.mu.Lock()
	if err := l.refuses; err != nil {
		l.mu.Unlock()
		return err
	}
	r := l.waiting
	first := len(r.drafts) == 0
	r.drafts = append(r.drafts, drafts...)
	l.mu.Unlock()
	if first {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		return fmt.Errorf("%w: the event may come into the log yet: %w", ErrUnavailable, ctx.Err())
	}
	for _, d := range drafts {
		if d.err != nil {
			return d.err
		}
	}
	return nil
}

// refuse makes the log take nothing more. The first reason stays.
func (l *Log) refuse(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuses == nil {
		l.refuses = err
	}
}

// abandon makes a log that nobody runs refuse what waits, and all else.
func (l *Log) abandon(err error) {
	l.refuse(err)
	if r := l.take(); r != nil {
		for _, d := range r.drafts {
			d.err = l.refusal()
		}
		close(r.done)
	}
}

func (l *Log) refusal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refuses
}

// tamperedWith reports whether the log was found to be another than the one it should continue.
func (l *Log) tamperedWith() bool { return errors.Is(l.refusal(), ErrTampered) }

// take returns the round that waits, if it has any events.
func (l *Log) take() *round {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting.drafts) == 0 {
		return nil
	}
	r := l.waiting
	l.waiting = newRound()
	return r
}

// commitLoop is the log's one writer.
func (l *Log) commitLoop(ctx context.Context) error {
	epochs := time.NewTicker(l.policy.EpochEvery)
	defer epochs.Stop()
	for {
		select {
		case <-ctx.Done():
			l.refuse(errClosed)
			for r := l.take(); r != nil; r = l.take() {
				l.commitRound(r)
			}
			return l.commitEpoch(true)
		case <-l.wake:
			if r := l.take(); r != nil {
				l.commitRound(r)
			}
		case do := <-l.bind:
			do()
		case <-epochs.C:
			if err := l.commitEpoch(false); err != nil {
				l.opts.Logger.Error("translog: no epoch", "err", err)
			}
		}
	}
}

// commitRound gives the drafts their places and makes them durable.
func (l *Log) commitRound(r *round) {
	defer close(r.done)
	if l.tamperedWith() {
		for _, d := range r.drafts {
			d.err = l.refusal()
		}
		return
	}
	for rest := r.drafts; len(rest) > 0; {
		l.tail.wait()
		done, err := l.commitSome(rest)
		if err != nil {
			for _, d := range rest {
				d.err = err
			}
			return
		}
		rest = rest[done:]
	}
}

// commitSome commits as many of the drafts as one batch of the journal takes.
func (l *Log) commitSome(drafts []*draft) (done int, err error) {
	batch, block := l.journal.Batch(), l.tail.block(l.journal.Size())
	if left, next := l.journal.Left(); !next && left < l.policy.SegmentBytes/4 {
		l.fails("prepare", l.journal.Prepare()) // what is left is for critical events, unless there is more to come
	}
	full := l.journal.Low()
	record := l.record // a zero byte and the leaf: what RFC 6962, section 2.1, hashes
	defer func() { l.record = record }()
	var fresh [][16]byte
	for _, d := range drafts {
		if at, ok := l.known.Get(d.ID); ok {
			d.place = at
			done++
			continue
		}
		if full && d.Class != opsec.Critical {
			d.err = fmt.Errorf("%w: the disk is full", ErrUnavailable)
			done++
			continue
		}
		chain := l.chains.Of(d.Tenant)
		record = d.AppendLeaf(append(record[:0], 0), chain.Seq+1, chain.Leaf)
		leaf := record[1:]
		index, err := batch.Add(leaf, d.Body)
		if errors.Is(err, journal.ErrBatchFull) {
			break
		}
		if err != nil {
			d.err = fmt.Errorf("translog: %w", err)
			done++
			continue
		}
		hash := tlog.Hash(sha256.Sum256(record))
		l.chains.Extend(chain, hash)
		d.place = place{index, chain.Seq, hash}
		l.known.Put(d.ID, d.place)
		fresh = append(fresh, d.ID)
		block.add(leaf, hash, ledger.Keys{Time: d.Time, Tenant: d.Tenant, Action: d.action, Outcome: d.outcome, Terms: d.Terms()})
		done++
	}
	if batch.Len() == 0 {
		return done, nil
	}
	if err := l.commit(batch); err != nil {
		for _, id := range fresh {
			l.known.Forget(id)
		}
		l.chains.Undo()
		return 0, err
	}
	l.chains.Keep()
	l.tail.put(block)
	return done, nil
}

// commit makes a batch durable. An error other than of a full disk is the end of this log until it is opened anew.
func (l *Log) commit(batch *journal.Batch) error {
	err := l.journal.Commit(batch)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, journal.ErrFull):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	case errors.Is(err, journal.ErrReplaced):
		err = fmt.Errorf("%w: %w: %w", ErrUnavailable, ErrTampered, err)
	default:
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	l.refuse(err)
	l.condition.set("journal", err)
	return err
}

// bound is the latest epoch, and what it says about a tenant's chain.
type bound struct {
	ledger.Bound
	path heads.Proof
	err  error
}

// bindNow has an epoch made of all that is committed, if there is anything new, and returns what it says about a tenant.
func (l *Log) bindNow(ctx context.Context, tenant entry.Handle) (b bound, err error) {
	reply := make(chan bound, 1)
	ask, asked := l.bind, func() {
		var b bound
		ok := false
		if b.err = l.commitEpoch(false); b.err == nil {
			if b.Bound, b.path, ok = l.chains.Prove(tenant); !ok {
				b.err = fmt.Errorf("%w: there is no epoch yet", ErrUnavailable)
			}
		}
		reply <- b
	}
	for {
		select {
		case ask <- asked:
			ask = nil
		case b := <-reply:
			return b, b.err
		case <-l.stopped:
			return bound{}, errClosed
		case <-ctx.Done():
			return bound{}, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
		}
	}
}

// commitEpoch binds the ends of all chains, if they have changed since the last time.
func (l *Log) commitEpoch(last bool) error {
	if l.tamperedWith() {
		return nil // nothing is added to what was put back
	}
	leaf, changed := l.chains.Epoch(l.opts.Now())
	if !changed {
		if s := l.chains.Snapshot(); last && s.Size == l.journal.Size() && s.Size > l.reader.saved.Load() {
			block := newBlock(s.Size) // of nothing, to be saved
			block.save = s
			l.tail.put(block)
		}
		return nil
	}
	text, err := leaf.Append(nil)
	if err != nil {
		return fmt.Errorf("translog: epoch: %w", err)
	}
	l.tail.wait()
	batch, block := l.journal.Batch(), newBlock(l.journal.Size())
	if _, err := batch.Add(text, nil); err != nil {
		return fmt.Errorf("translog: epoch: %w", err)
	}
	if err := l.commit(batch); err != nil {
		return err
	}
	hash := tlog.RecordHash(text)
	l.chains.Bound(leaf, block.first, hash)
	block.add(text, hash, ledger.Keys{Time: leaf.Time})
	if last || l.saveDue() {
		block.save = l.chains.Snapshot()
	}
	l.tail.put(block)
	return nil
}
