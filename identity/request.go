package identity

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/store"
)

// Order is what an approval is asked for: all of it is approved, to the last byte.
type Order struct {
	Verb     Verb       `json:"verb"` // Register, Modify, Enable, or "import"
	Account  opsec.ID   `json:"account,omitempty"`
	New      *Account   `json:"new,omitempty"`   // Register: the account, as it was registered
	Was      *Account   `json:"was,omitempty"`   // Modify: the account, as it was
	Holds    *Rights    `json:"holds,omitempty"` // Modify: what it is to hold; nil is what it does
	MayGrant *Rights    `json:"may_grant,omitempty"`
	Expires  *time.Time `json:"expires,omitempty"`
	Rows     int64      `json:"rows,omitempty"`   // import: how many
	Digest   string     `json:"digest,omitempty"` // import: of all rows
}

// Request is an order that people decide about.
type Request struct {
	ID     opsec.ID       `json:"id"`
	Tenant opsec.TenantID `json:"tenant"` // whose accounts it is about
	Order  Order          `json:"order"`
	Case   approval.Case  `json:"case"`
	Ended  bool           `json:"ended,omitempty"` // nothing more comes of it
}

func (r *Request) action() (approval.Action, error) {
	b, err := json.Marshal(r.Order)
	return approval.NewAction(actionOf(r.Order.Verb), resource(r.Tenant, r.Order.Account), b), err
}

// ask opens a request about an account of a family, nil for an import.
func (w *work) ask(o Order, f *Family, p approval.Policy) (Request, error) {
	if err := w.person(); err != nil {
		return Request{}, err
	}
	r := Request{Tenant: w.tenant, Order: o}
	action, err := r.action()
	if err != nil {
		return r, err
	}
	in := approval.Request{Action: action, By: w.by.Actor, Reason: w.by.Reason, Policy: p}
	if f != nil {
		in.For = []opsec.Actor{f.Account(o.Account).Actor()}
	}
	c, e, err := approval.New(in, w.now)
	if err != nil {
		return r, err
	}
	r.ID, r.Case = c.Request.ID, c
	if err := w.tx.Emit(e); err != nil {
		return r, err
	}
	return r, w.requests.Insert(w.sub, &r)
}

// authority knows the roles of accounts: those of the active ones.
func (w *work) authority() approval.Authority {
	return approval.Authority{Keys: w.o.Keys, Roles: func(actor opsec.Actor) ([]string, error) {
		a, err := w.known(w.tx, actor)
		if err != nil || a == nil || !a.Usable(w.now) || a.Person != actor.Person {
			return nil, err
		}
		return a.Holds.Roles, nil
	}}
}

// Modify asks for a change of what an account holds, what it may grant, or when it ends; nil leaves that as it is. The request
// is open for [Directory.Decide]. A main account that may grant less takes from its sub-accounts what is beyond, in the same
// transaction. What has to stop at once is for [Directory.Suspend].
func (d *Directory) Modify(ctx context.Context, by By, tenant opsec.TenantID, id opsec.ID, holds, mayGrant *Rights, expires *time.Time) (r Request, err error) {
	for _, one := range []**Rights{&holds, &mayGrant} {
		if *one != nil {
			in := (*one).sorted()
			*one = &in
		}
	}
	if expires != nil {
		at := expires.UTC().Round(0)
		expires = &at
	}
	return d.propose(ctx, by, tenant, Order{Verb: Modify, Account: id, Holds: holds, MayGrant: mayGrant, Expires: expires}, d.policy.Modify)
}

// Enable asks that a disabled account be active again. The request is open for [Directory.Decide]. With the main account its
// sub-accounts are again what they were, each for itself.
func (d *Directory) Enable(ctx context.Context, by By, tenant opsec.TenantID, id opsec.ID) (r Request, err error) {
	return d.propose(ctx, by, tenant, Order{Verb: Enable, Account: id}, d.policy.Enable)
}

// propose asks for approval of a change of an account.
func (d *Directory) propose(ctx context.Context, by By, tenant opsec.TenantID, o Order, p approval.Policy) (r Request, err error) {
	err = d.do(ctx, by, actionOf(o.Verb), resource(tenant, o.Account), func(w *work) error {
		f, err := w.family(w.sub, o.Account)
		if err != nil {
			return err
		}
		if _, err := f.Apply(o.step(w)); err != nil {
			return err // not what somebody should be asked about
		}
		o.Was = bare(f.Account(o.Account))
		r, err = w.ask(o, f, p)
		return err
	})
	return r, err
}

// bare is what of an account an approval depends on.
func bare(a *Account) *Account {
	return &Account{ID: a.ID, Tenant: a.Tenant, Canonical: a.Canonical, Person: a.Person, Main: a.Main, State: a.State, Own: a.Own,
		Since: a.Since, Holds: a.Holds, MayGrant: a.MayGrant, Expires: a.Expires}
}

// same reports whether an account is still as it was when an approval was asked for.
func same(a, b *Account) bool {
	return a.Holds.Equal(b.Holds) && a.MayGrant.Equal(b.MayGrant) && a.Expires.Equal(b.Expires) && a.Person == b.Person &&
		a.Own == b.Own && (a.Own != Disabled || a.Since.Equal(b.Since))
}

// step is what the order does.
func (o Order) step(w *work) Step {
	s := Step{Verb: o.Verb, Account: o.Account, Time: w.now, Holds: o.Holds, MayGrant: o.MayGrant, Expires: o.Expires}
	if o.Verb == Register {
		s.Verb = Approve
	}
	return s
}

// Request returns a request, or an error that wraps [opsec.ErrNotFound].
func (d *Directory) Request(ctx context.Context, who opsec.Actor, tenant opsec.TenantID, id opsec.ID) (r Request, err error) {
	err = d.read(ctx, who, resource(tenant, ""), func(tx *store.Tx) error {
		got, err := d.request(tx.Sub(tenant), id)
		if err == nil {
			r = *got
		}
		return err
	})
	return r, err
}

func (d *Directory) request(sub *store.Sub, id opsec.ID) (*Request, error) {
	if id.Validate() != nil {
		return nil, notFound("request")
	}
	r, err := d.requests.Get(sub, store.Text(string(id)))
	if errors.Is(err, opsec.ErrNotFound) {
		return nil, notFound("request")
	}
	return r, err
}

// Requests yields the requests of a tenant of which something may still come, the oldest first.
func (d *Directory) Requests(ctx context.Context, who opsec.Actor, tenant opsec.TenantID) iter.Seq2[Request, error] {
	return stream(func(yield func(Request) bool) error {
		return d.read(ctx, who, resource(tenant, ""), func(tx *store.Tx) error {
			for r, err := range d.requests.List(tx.Sub(tenant), store.Query{Index: "open"}) {
				if err != nil || !yield(*r) {
					return err
				}
			}
			return nil
		})
	})
}

// Message returns what an approver signs for a decision: with the person whom the directory knows behind the account.
func (d *Directory) Message(ctx context.Context, tenant opsec.TenantID, id opsec.ID, by approval.Decision) (message []byte, err error) {
	err = d.read(ctx, by.By, resource(tenant, ""), func(tx *store.Tx) error {
		r, err := d.request(tx.Sub(tenant), id)
		if err != nil {
			return err
		}
		a, err := d.known(tx, by.By)
		if err != nil {
			return err
		}
		if a == nil {
			return ErrUnknownActor
		}
		by.By.Person, by.By.Kind = a.Person, a.Kind
		message = r.Case.Message(by)
		return nil
	})
	return message, err
}

// Decide takes a decision about a request. The person is the one whom the directory has on record for the account that is
// acted with; an account that is not an active one of the directory is refused ([ErrUnknownActor]). Who asked, or gets the
// account, does not decide, with whatever account and at whatever tenant ([approval.ErrSamePerson]). With the last approval
// the order is carried out in the same transaction; of an import, [Directory.Import] does that. A registration that is
// rejected ends the account, and lets go of its name.
//
// Errors are those of [approval.Case.Decide] and of the order, among them [ErrChanged] when the account is not any more what
// it was: then nothing has been decided.
func (d *Directory) Decide(ctx context.Context, tenant opsec.TenantID, id opsec.ID, by approval.Decision) (r Request, err error) {
	return d.onRequest(ctx, ActionApprove, By{by.By, by.Reason}, tenant, id, func(w *work, r *Request) (approval.Case, *opsec.Event, error) {
		if err := w.person(); err != nil {
			return r.Case, nil, err
		}
		by.By = w.by.Actor
		for _, one := range append([]opsec.Actor{r.Case.Request.By}, r.Case.Request.For...) {
			if one.Person == by.By.Person && by.Verb != approval.Retract {
				return r.Case, nil, approval.ErrSamePerson
			}
		}
		for _, s := range r.Case.History { // a person is one, at whatever tenant
			if s.By.Person == by.By.Person && s.By.Tenant != by.By.Tenant {
				return r.Case, nil, approval.ErrDecided
			}
		}
		return r.Case.Decide(by, w.authority(), w.now)
	})
}

// Withdraw takes a request back, by the person who made it.
func (d *Directory) Withdraw(ctx context.Context, by By, tenant opsec.TenantID, id opsec.ID) (Request, error) {
	return d.onRequest(ctx, ActionWithdraw, by, tenant, id, func(w *work, r *Request) (approval.Case, *opsec.Event, error) {
		if err := w.person(); err != nil {
			return r.Case, nil, err
		}
		return r.Case.Withdraw(w.by.Actor, w.by.Reason, w.now)
	})
}

// onRequest moves the case of a request, and does what follows from it.
func (d *Directory) onRequest(ctx context.Context, action string, by By, tenant opsec.TenantID, id opsec.ID, fn func(*work, *Request) (approval.Case, *opsec.Event, error)) (out Request, err error) {
	others, err := d.sides(ctx, tenant, id)
	if err != nil {
		return out, err
	}
	err = d.do(ctx, by, action, opsec.Resource{Tenant: tenant, Type: "request", ID: string(id)}, func(w *work) error {
		r, err := w.request(w.sub, id)
		if err != nil {
			return err
		}
		c, e, err := fn(w, r)
		if err != nil {
			w.refusal = e
			return err
		}
		if err := w.tx.Emit(e); err != nil {
			return err
		}
		r.Case = c
		if err := w.follow(r); err != nil {
			return err
		}
		out = *r
		return w.requests.Put(w.sub, r)
	}, others...)
	return out, err
}

// sides returns the tenants from which people have a say in a request.
func (d *Directory) sides(ctx context.Context, tenant opsec.TenantID, id opsec.ID) (list []opsec.TenantID, err error) {
	if err := tenant.Validate(); err != nil {
		return nil, err
	}
	err = d.db.View(ctx, func(tx *store.Tx) error {
		r, err := d.request(tx.Sub(tenant), id)
		if err == nil {
			list = []opsec.TenantID{r.Case.Request.By.Tenant}
		}
		return err
	})
	return list, err
}

// follow does what follows from where a case stands.
func (w *work) follow(r *Request) error {
	standing, err := r.Case.At(w.now)
	if err != nil {
		return err
	}
	switch standing.Status {
	case approval.Pending:
		return nil
	case approval.Approved:
		if r.Order.Verb == importing {
			return nil
		}
		return w.carryOut(r)
	}
	r.Ended = true
	if r.Order.Verb != Register {
		return nil
	}
	f, err := w.family(w.sub, r.Order.Account)
	if errors.Is(err, opsec.ErrNotFound) {
		return nil
	}
	if err != nil || f.Account(r.Order.Account).Own != Registered {
		return err
	}
	if _, err := w.apply(f, Step{Verb: Refuse, Account: r.Order.Account, Request: r.ID}); err != nil {
		return err
	}
	return w.names.Delete(w.tx.Sub(opsec.Provider), store.Text(string(r.Order.Account)))
}

// carryOut uses up the approval of an order, and does it.
func (w *work) carryOut(r *Request) error {
	f, err := w.family(w.sub, r.Order.Account)
	if err != nil {
		return err
	}
	was := r.Order.Was
	if r.Order.Verb == Register {
		was = r.Order.New
	}
	if !same(was, f.Account(r.Order.Account)) {
		return ErrChanged
	}
	if err := w.spend(r); err != nil {
		return err
	}
	r.Ended = true
	s := r.Order.step(w)
	s.Request = r.ID
	_, err = w.apply(f, s)
	return err
}

// spend uses up an approval.
func (w *work) spend(r *Request) error {
	action, err := r.action()
	if err != nil {
		return err
	}
	c, e, err := r.Case.Use(action, w.by.Actor, w.authority(), w.now)
	if err != nil {
		w.refusal = e
		return err
	}
	r.Case = c
	return w.tx.Emit(e)
}
