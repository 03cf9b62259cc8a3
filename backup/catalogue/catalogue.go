package catalogue

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/store"
)

const (
	maxReason = 1 << 10 // bytes
	maxActor  = 512     // bytes, of each field of an actor
	// bytes of a resource's id: a source's and a point's, of which each may take three bytes in a URL
	maxResource = 6*MaxName + 1
)

// Options is the wiring of a [Catalogue]. Authorizer, Recorder and Deleter must be set, and Authority.Roles.
type Options struct {
	Now        func() time.Time // nil is time.Now
	Authorizer opsec.Authorizer // has a say in everything
	// Authority knows the roles of those who decide about orders, and checks their signatures. It is asked inside of a
	// transaction, perhaps more than once.
	Authority approval.Authority
	// Recorder has the intent before a copy is deleted, and the end: see [opsec.Begin]. All other events go through the store.
	Recorder opsec.Recorder
	Deleter  Deleter
	Retainer Retainer // may be nil where no source has a retention policy
}

// Deleter deletes what the catalogue knows.
type Deleter interface {
	// Delete deletes one copy of a point. It is called again for a copy of which it is not known whether it went; that a copy is
	// not there is success.
	Delete(ctx context.Context, tenant opsec.TenantID, p Point, c Copy) error
}

// By is who does something, and why.
type By struct {
	Actor  opsec.Actor // as authenticated
	Reason string      // at most 1 KiB
}

// Catalogue keeps what is known of backups. Every method authorises, by the constant that its documentation names or by
// [ActionRead]; every change is recorded in the transaction that makes it, and what is denied is recorded too. An error that wraps
// [opsec.ErrDenied] says that something may not be, one that wraps [opsec.ErrInvalid] or [opsec.ErrNotFound] that an argument is
// wrong; all others but the named ones come from the store. A method that fails has changed nothing, but for
// [Catalogue.Execute], which goes on where it stopped. Methods may be called by many goroutines, and on many nodes over one store.
type Catalogue struct {
	db     *store.DB
	policy Policy
	o      Options
	shelf
}

// New returns a Catalogue. The error wraps [opsec.ErrInvalid].
func New(db *store.DB, p Policy, o *Options) (*Catalogue, error) {
	if db == nil || o == nil || o.Authorizer == nil || o.Recorder == nil || o.Deleter == nil || o.Authority.Roles == nil {
		return nil, invalid("database, options, authorizer, recorder, deleter, authority.roles: one is nil")
	}
	if err := p.Validate(); err != nil {
		return nil, err
	}
	c := &Catalogue{db: db, policy: p, o: *o, shelf: newShelf()}
	if c.o.Now == nil {
		c.o.Now = time.Now
	}
	return c, nil
}

// named returns an error for what is no name of a resource: an event could not hold it, nor an authorizer be asked about it.
func named(on opsec.Resource) error {
	if !text(on.ID, 0, maxResource) {
		return invalid("%s: id: want at most %d bytes without control characters", on.Type, maxResource)
	}
	return on.Tenant.Validate()
}

// work is a transaction in which somebody does something.
type work struct {
	*Catalogue
	tx      *store.Tx
	sub     *store.Sub
	tenant  opsec.TenantID
	by      By
	now     time.Time
	refusal *opsec.Event // to be recorded when the work is denied
}

// do authorises, and runs fn in a transaction of the tenant.
func (c *Catalogue) do(ctx context.Context, by By, action string, on opsec.Resource, fn func(*work) error) error {
	if err := named(on); err != nil {
		return err
	}
	if !text(by.Reason, 0, maxReason) {
		return invalid("by: reason: want at most %d bytes without control characters", maxReason)
	}
	for _, s := range []string{by.Actor.Account, by.Actor.Person, by.Actor.Session, by.Actor.Terminal} {
		if !text(s, 0, maxActor) {
			return invalid("by: actor: want at most %d bytes without control characters in each field", maxActor)
		}
	}
	refusal := c.event(action, by, on, opsec.Denied)
	err := c.o.Authorizer.Authorize(ctx, by.Actor, action, on)
	if err == nil {
		err = c.update(ctx, by, on.Tenant, func(w *work) error {
			err := fn(w)
			if w.refusal != nil {
				refusal = w.refusal
			}
			return err
		})
	}
	if errors.Is(err, opsec.ErrDenied) {
		if unrecorded := c.db.Update(ctx, func(tx *store.Tx) error { return tx.Emit(refusal) }); unrecorded != nil {
			err = fmt.Errorf("%w (the attempt is not recorded: %w)", err, unrecorded)
		}
	}
	return err
}

func (c *Catalogue) update(ctx context.Context, by By, tenant opsec.TenantID, fn func(*work) error) error {
	return c.db.Update(ctx, func(tx *store.Tx) error {
		return fn(&work{Catalogue: c, tx: tx, sub: tx.Sub(tenant), tenant: tenant, by: by, now: plain(c.o.Now())})
	})
}

// tell emits what was done, with attributes in pairs of key and value.
func (w *work) tell(action string, on opsec.Resource, pairs ...string) error {
	e := w.event(action, w.by, on, opsec.Success)
	e.Time = w.now
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			e.Attrs = append(e.Attrs, opsec.Attr{Key: pairs[i], Value: pairs[i+1], Mark: opsec.Tenant})
		}
	}
	return w.tx.Emit(e)
}

// read authorises, and runs fn over the latest state.
func (c *Catalogue) read(ctx context.Context, who opsec.Actor, on opsec.Resource, fn func(*store.Sub) error) error {
	if err := named(on); err != nil {
		return err
	}
	if err := c.o.Authorizer.Authorize(ctx, who, ActionRead, on); err != nil {
		return err
	}
	return c.db.View(ctx, func(tx *store.Tx) error { return fn(tx.Sub(on.Tenant)) })
}

// stream turns a function that calls yield, and returns what went wrong, into a sequence.
func stream[T any](fn func(yield func(T) bool) error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		left := false
		err := fn(func(v T) bool {
			left = !yield(v, nil)
			return !left
		})
		if err != nil && !left {
			var none T
			yield(none, err)
		}
	}
}
