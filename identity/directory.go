package identity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/store"
)

// Options is the wiring of a [Directory].
type Options struct {
	Now        func() time.Time  // nil is time.Now
	Authorizer opsec.Authorizer  // has a say in everything; decisions about requests are for the roles of the policy beside it
	Keys       approval.Verifier // checks the signatures of those who decide; may be nil where the policy asks for none
	// Notifier tells people of changes of their properties that take effect later, and of accounts that are about to be
	// disabled: at the addresses that the account has in properties marked Address, or under the person. It may be nil if the
	// policy has neither.
	Notifier opsec.Notifier
}

// By is who does something, and why.
type By struct {
	Actor  opsec.Actor // as authenticated. Account is an id or a name; Person is not believed where the directory knows better
	Reason string      // at most 1 KiB
}

// Directory keeps the accounts of a trust zone. Every method authorises, by the constant whose name the method has, or by
// [ActionRead]; every change is recorded in the transaction that makes it, and what is denied is recorded too. An error that
// wraps [opsec.ErrDenied] says that somebody may not, one that wraps [opsec.ErrInvalid] or [opsec.ErrNotFound] that an argument
// is wrong; all others but the named ones come from the store. A method that fails has changed nothing. Methods may be called
// by many goroutines, and on many nodes over one store.
type Directory struct {
	db     *store.DB
	policy Policy
	o      Options
	shelf
}

// New returns a Directory. Without an Authorizer, with a policy that is not valid, or without a Notifier where one is needed,
// the error wraps [opsec.ErrInvalid].
func New(db *store.DB, p Policy, o *Options) (*Directory, error) {
	if db == nil || o == nil || o.Authorizer == nil {
		return nil, invalid("database, options, authorizer: one is nil")
	}
	if err := p.Validate(); err != nil {
		return nil, err
	}
	tells := len(p.Dormancy.Warnings) > 0
	for _, one := range p.Properties {
		tells = tells || one.Delay > 0
	}
	if tells && o.Notifier == nil {
		return nil, invalid("options: notifier: the policy has warnings or delays, and somebody must be told")
	}
	d := &Directory{db: db, policy: p, o: *o, shelf: newShelf(p.InsecureReadableNames)}
	if d.o.Now == nil {
		d.o.Now = time.Now
	}
	return d, nil
}

// work is a transaction in which somebody does something.
type work struct {
	*Directory
	tx      *store.Tx
	sub     *store.Sub
	tenant  opsec.TenantID
	by      By       // Person and Kind as the directory knows them
	account *Account // acted with, an active one; nil when the directory does not know it
	now     time.Time
	refusal *opsec.Event // to be recorded when the work is denied
}

// do authorises, and runs fn in a transaction of the tenant, the actor's tenant and others.
func (d *Directory) do(ctx context.Context, by By, action string, on opsec.Resource, fn func(*work) error, others ...opsec.TenantID) error {
	if err := on.Tenant.Validate(); err != nil {
		return err
	}
	if !text(by.Reason, maxReason) {
		return invalid("by: reason: want at most %d bytes without control characters", maxReason)
	}
	refusal := d.event(action, by, on, opsec.Denied)
	err := d.o.Authorizer.Authorize(ctx, by.Actor, action, on)
	if err == nil {
		tenants := []opsec.TenantID{on.Tenant, opsec.Provider}
		for _, t := range append(others, by.Actor.Tenant) {
			if t.Validate() == nil {
				tenants = append(tenants, t)
			}
		}
		err = d.db.UpdateAcross(ctx, tenants, func(tx *store.Tx) error {
			w := &work{Directory: d, tx: tx, sub: tx.Sub(on.Tenant), tenant: on.Tenant, by: by, now: d.o.Now().UTC().Round(0)}
			err := w.meet()
			if err == nil {
				err = fn(w)
			}
			if w.refusal != nil {
				refusal = w.refusal
			}
			return err
		})
	}
	if errors.Is(err, opsec.ErrDenied) {
		if unrecorded := d.db.Update(ctx, func(tx *store.Tx) error { return tx.Emit(refusal) }); unrecorded != nil {
			err = fmt.Errorf("%w (the attempt is not recorded: %w)", err, unrecorded)
		}
	}
	return err
}

// meet finds out who acts. An account of the directory that nobody may use does nothing.
func (w *work) meet() (err error) {
	if w.account, err = w.known(w.tx, w.by.Actor); err != nil || w.account == nil {
		return err
	}
	if !w.account.Usable(w.now) {
		return ErrUnknownActor
	}
	w.by.Actor.Person, w.by.Actor.Kind = w.account.Person, w.account.Kind
	return nil
}

// person insists on an account of the directory behind the actor.
func (w *work) person() error {
	if w.account == nil {
		return ErrUnknownActor
	}
	return nil
}

// apply does steps to a family, and writes what becomes of it with its history and events.
func (w *work) apply(f *Family, steps ...Step) (*Family, error) {
	was, g := f, *f
	var rows []*entry
	for _, s := range steps {
		s.By, s.Reason, s.Time = w.by.Actor, w.by.Reason, w.now
		next, err := g.Apply(s)
		if err != nil {
			return nil, err
		}
		switch s.Verb {
		case Register, Modify, Set, Plan:
			if n := next.size(); n > max(maxFamily, g.size()) {
				return nil, invalid("account: with all of its main account it takes %d bytes, want at most %d", n, maxFamily)
			}
		}
		g = next
		rows = append(rows, &entry{Family: g.Main.ID, Number: g.Steps, Step: s})
	}
	if err := w.history.Insert(w.sub, rows...); err != nil {
		return nil, err
	}
	for _, e := range w.tell(was, &g, steps) {
		if err := w.tx.Emit(e); err != nil {
			return nil, err
		}
	}
	return &g, w.put(&g)
}

// put writes a family.
func (w *work) put(f *Family) error {
	err := w.families.Put(w.sub, f)
	if exists, ok := errors.AsType[*store.ExistsError](err); ok && exists.Index == "person" {
		return ErrSecondMain
	}
	return err
}

// on is a step to one account.
func (d *Directory) on(ctx context.Context, by By, tenant opsec.TenantID, id opsec.ID, s Step) (a Account, err error) {
	s.Account = id
	err = d.do(ctx, by, actionOf(s.Verb), resource(tenant, id), func(w *work) error {
		f, err := w.family(w.sub, id)
		if err != nil {
			return err
		}
		if s.Verb == Review && (w.account == nil || w.account.Person == f.Main.Person) {
			return denied("a review is for another person, with an account")
		}
		if f, err = w.apply(f, s); err == nil {
			a = *f.Account(id)
		}
		return err
	})
	return a, err
}
