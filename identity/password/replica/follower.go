package replica

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
)

// ActionUnreadable is of the event that a target cannot read the hash of an account.
const ActionUnreadable = "replica.unreadable"

// Target is a system that changes are brought to.
type Target interface {
	// Apply takes a change, unless it has that version already, which is no error, or a later one: [ErrOlder]. When it returns
	// nil or ErrOlder the change is not brought again, so it must last.
	Apply(ctx context.Context, tenant opsec.TenantID, c Change) error
}

// Options is the wiring of a [Follower]. The zero value is good.
type Options struct {
	Now func() time.Time // nil is time.Now
}

// pageLen is after how many changes a follower writes down how far it is.
const pageLen = 32 // with an event and a note for each, within a transaction of the store

// Follower brings the changes of an outbox to one target. One at a time is enough; several do no harm.
type Follower struct {
	db     *store.DB
	name   string
	target Target
	reads  Reads
	now    func() time.Time
}

// NewFollower returns a follower of the outbox in db. Its name, 1 to 64 bytes, is under which it is found again after a restart, and
// in the status.
func NewFollower(db *store.DB, name string, target Target, reads Reads, o *Options) (*Follower, error) {
	if db == nil || target == nil || len(name) < 1 || len(name) > 64 || !utf8.ValidString(name) || len(reads.Schemes) == 0 {
		return nil, invalid("follower: want a store, a target, a name of 1 to 64 bytes of UTF-8, and schemes that the target reads")
	}
	f := &Follower{db, name, target, reads, time.Now}
	if o != nil && o.Now != nil {
		f.now = o.Now
	}
	return f, nil
}

// Follow brings a tenant's changes as they come, until ctx ends or something fails; then call it again.
func (f *Follower) Follow(ctx context.Context, tenant opsec.TenantID) error {
	for _, err := range changes.Watch(ctx, f.db, tenant) {
		if err != nil {
			return err
		}
		if _, err := f.CatchUp(ctx, tenant); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// CatchUp brings what a tenant's outbox has now, and returns how many changes that were. It fails with [feed.ErrTrimmed] when the
// outbox has no longer what it would have to begin with: [Follower.Seed]. Nor is a change passed over that the target refuses, such as
// one that does not open; what Seed brings goes on behind it.
//
// [feed.ErrTrimmed]: https://pkg.go.dev/github.com/cloudopsec/opsec/store/feed#ErrTrimmed
func (f *Follower) CatchUp(ctx context.Context, tenant opsec.TenantID) (n int, err error) {
	for {
		seq, page, err := f.page(ctx, tenant)
		if err != nil {
			return n, err
		}
		if len(page) == 0 {
			return n, f.write(ctx, tenant, seq, nil)
		}
		done, err := f.bring(ctx, tenant, page)
		// What was brought is written down also when the next was not, and when who asked has gone.
		err = errors.Join(err, f.write(context.WithoutCancel(ctx), tenant, seq+uint64(len(done)), done))
		if n += len(done); err != nil {
			return n, err
		}
	}
}

// Seed brings the present state of all accounts of a tenant, to a target that begins, that missed what was trimmed or that reads
// more than it did. All is read after the place is marked from which the target goes on. The outbox seals it, if it does.
func (f *Follower) Seed(ctx context.Context, tenant opsec.TenantID, outbox *Outbox, all iter.Seq2[Change, error]) error {
	var last uint64
	err := f.db.View(ctx, func(tx *store.Tx) (err error) {
		last, err = changes.Last(tx.Sub(tenant))
		return err
	})
	if err != nil {
		return err
	}
	var page []Change
	flush := func() error {
		done, err := f.bring(ctx, tenant, page)
		page = nil
		return errors.Join(err, f.write(ctx, tenant, 0, done))
	}
	for c, err := range all {
		if err == nil {
			c, err = outbox.prepared(tenant, c)
		}
		if err != nil {
			return err
		}
		if page = append(page, c); len(page) == pageLen {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	return f.write(ctx, tenant, last, nil)
}

// page reads where the target is, and the changes behind that.
func (f *Follower) page(ctx context.Context, tenant opsec.TenantID) (seq uint64, page []Change, err error) {
	err = f.db.View(ctx, func(tx *store.Tx) error {
		seq, page = 0, nil
		sub := tx.Sub(tenant)
		p, err := positions.GetAll(sub, store.Text(f.name))
		if err != nil {
			return err
		}
		if p[0] != nil {
			seq = p[0].Seq
		}
		for e, err := range changes.Since(sub, seq) {
			if err != nil {
				return err
			}
			if page = append(page, e.Value); len(page) == pageLen {
				break
			}
		}
		return nil
	})
	return seq, page, err
}

// outcome is what became of a change.
type outcome struct {
	Change
	unreadable error
}

// bring hands changes to the target, in order, up to the first that fails.
func (f *Follower) bring(ctx context.Context, tenant opsec.TenantID, page []Change) (done []outcome, err error) {
	for _, c := range page {
		unreadable := f.reads.Can(c)
		if unreadable == nil {
			err = f.target.Apply(ctx, tenant, c)
			if errors.Is(err, ErrUnreadable) || errors.Is(err, ErrForked) {
				unreadable, err = err, nil
			}
		}
		if err != nil && !errors.Is(err, ErrOlder) {
			return done, fmt.Errorf("replica: %s: %v not brought: %w", f.name, c, err)
		}
		done = append(done, outcome{c, unreadable})
	}
	return done, nil
}

// write writes down what was brought, and how far the target is: never back.
func (f *Follower) write(ctx context.Context, tenant opsec.TenantID, seq uint64, done []outcome) error {
	return f.db.Update(ctx, func(tx *store.Tx) error {
		sub := tx.Sub(tenant)
		p, err := positions.GetAll(sub, store.Text(f.name))
		if err != nil {
			return err
		}
		now := position{Target: f.name}
		if p[0] != nil {
			now = *p[0]
		}
		if seq <= now.Seq && p[0] != nil && len(done) == 0 {
			return nil
		}
		now.Seq, now.At = max(now.Seq, seq), f.now()
		if err := positions.Put(sub, &now); err != nil {
			return err
		}
		for i, o := range done {
			if slices.ContainsFunc(done[i+1:], func(later outcome) bool { return later.Account == o.Account }) {
				continue // what comes later counts
			}
			if err := f.note(sub, o); err != nil {
				return err
			}
		}
		return nil
	})
}

// note keeps whether the account's present hash is read at the target.
func (f *Follower) note(sub *store.Sub, o outcome) error {
	key := store.Text(f.name).Text(o.Account)
	found, err := unreads.GetAll(sub, key)
	if err != nil {
		return err
	}
	had := found[0]
	switch {
	case had != nil && (had.Version > o.Version || had.Version == o.Version && o.unreadable != nil): // brought again
		return nil
	case o.unreadable == nil && had == nil:
		return nil
	case o.unreadable == nil:
		return unreads.Delete(sub, key)
	}
	e := opsec.NewEvent(ActionUnreadable, f.now())
	e.Tenant, e.Outcome, e.Actor = sub.Tenant(), opsec.Failure, opsec.Actor{Kind: opsec.System}
	e.Resource = opsec.Resource{Tenant: sub.Tenant(), Type: "password", ID: o.Account}
	e.Reason = o.unreadable.Error()
	e.Attrs = []opsec.Attr{{Key: "target", Value: f.name, Mark: opsec.Tenant}}
	if err := sub.Tx().Emit(e); err != nil {
		return err
	}
	return unreads.Put(sub, &unread{f.name, o.Account, o.Version, e.Reason})
}
