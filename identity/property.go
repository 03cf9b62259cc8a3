package identity

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
)

// SetProperty sets a simple property of an account (8.1.1-7); "" removes it. Who acts with the account, or with the main
// account of it, may set those that the policy marks Self, and no others; anybody else may what the Authorizer permits, but not
// the same person with another account, of whatever tenant.
//
// Where the policy has a delay, also for administrators, the change is planned: it takes effect in a [Directory.Sweep] after
// it in which the account is active, can be cancelled until then, and each address of the account is told by itself, the old one and the new one among them. What
// cannot be delivered at once is delivered by Sweep.
func (d *Directory) SetProperty(ctx context.Context, by By, tenant opsec.TenantID, id opsec.ID, property, value string) (a Account, err error) {
	rule, err := d.policy.property(property)
	if err != nil {
		return a, err
	}
	of := opsec.NewID()
	err = d.do(ctx, by, ActionSet, resource(tenant, id), func(w *work) error {
		f, err := w.family(w.sub, id)
		if err != nil {
			return err
		}
		if self, err := w.self(f.Account(id)); err != nil || self && !rule.Self {
			return cmp.Or(err, denied("property %q is not for who has the account", property))
		}
		s := Step{Verb: Set, Account: id, Property: property, Value: value}
		if rule.Delay > 0 {
			s.Verb, s.Due = Plan, latest(w.now, f.Last).Add(rule.Delay)
		}
		old := f.Account(id).clone()
		if f, err = w.apply(f, s); err != nil {
			return err
		}
		if a = *f.Account(id); s.Verb == Plan {
			return w.announce(of, &old, rule, value, fmt.Sprintf("%s of account %s is to change on %s. If you have not asked for that, cancel it.",
				property, a.Canonical, s.Due.Format(time.RFC1123)))
		}
		return nil
	})
	if err == nil && rule.Delay > 0 {
		_, _ = d.deliver(ctx, tenant, store.Query{Prefix: store.Text(string(of))}) // what is left is for Sweep
	}
	return a, err
}

// CancelProperty cancels a planned change of a property: for who has the account, and for whom the Authorizer permits. The
// addresses are told.
func (d *Directory) CancelProperty(ctx context.Context, by By, tenant opsec.TenantID, id opsec.ID, property string) (a Account, err error) {
	of := opsec.NewID()
	err = d.do(ctx, by, ActionCancel, resource(tenant, id), func(w *work) error {
		f, err := w.family(w.sub, id)
		if err != nil {
			return err
		}
		old := f.Account(id).clone()
		if _, err := w.self(&old); err != nil {
			return err
		}
		if f, err = w.apply(f, Step{Verb: Cancel, Account: id, Property: property}); err != nil {
			return err
		}
		a = *f.Account(id)
		value := ""
		for _, c := range old.Planned {
			if c.Property == property {
				value = c.Value
			}
		}
		rule, _ := w.policy.property(property) // one that is no longer in the policy is no address
		return w.announce(of, &old, rule, value, fmt.Sprintf("The change of %s of account %s that was planned is cancelled.", property, a.Canonical))
	})
	if err == nil {
		_, _ = d.deliver(ctx, tenant, store.Query{Prefix: store.Text(string(of))})
	}
	return a, err
}

// self reports whether who acts has the account. The same person with another account than this or its main account may
// nothing: what a program of a person can do is not what the person can.
func (w *work) self(a *Account) (bool, error) {
	switch {
	case w.account == nil || w.account.Person != a.Person:
		return false, nil
	case w.account.ID == a.ID || w.account.ID == a.Main:
		return true, nil
	}
	return false, denied("another account of the same person")
}

// addresses returns where messages about an account go.
func (d *Directory) addresses(a *Account) (list []string) {
	for _, one := range d.policy.Properties {
		if v := a.Properties[one.Name]; one.Address && v != "" {
			list = append(list, v)
		}
	}
	if len(list) == 0 {
		list = []string{a.Person}
	}
	return inOrder(list)
}

// announce lets messages of a change of a property wait for their delivery, one for each address: one that takes nothing keeps
// no other from being told, and none learns of another.
func (w *work) announce(of opsec.ID, a *Account, rule Property, value, body string) error {
	to := w.addresses(a)
	if rule.Address && value != "" {
		to = inOrder(append(to, value))
	}
	var list []*notice
	for _, one := range to {
		list = append(list, &notice{of, opsec.Message{
			ID: opsec.NewID(), Tenant: a.Tenant, To: []string{one}, Severity: opsec.SeverityHigh, Subject: "A change to your account", Body: body,
		}})
	}
	return w.notices.Insert(w.sub, list...)
}

// deliver hands messages that wait to the notifier.
func (d *Directory) deliver(ctx context.Context, tenant opsec.TenantID, q store.Query) (n int, err error) {
	if d.o.Notifier == nil {
		return 0, nil
	}
	var errs []error
	n, err = d.notices.Sweep(ctx, d.db, tenant, q, func(_ *store.Sub, n *notice) error {
		if err := d.o.Notifier.Notify(ctx, n.Message); err != nil {
			if len(errs) < 8 {
				errs = append(errs, err)
			}
			return store.ErrKeep // and holds up no other
		}
		return nil
	})
	return n, errors.Join(append(errs, err)...)
}
