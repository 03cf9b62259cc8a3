package identity

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
)

// Registration is what an account is to be.
type Registration struct {
	Name       string            `json:"name"`
	Person     string            `json:"person,omitempty"` // of a main account; a sub-account has its main account's
	Main       opsec.ID          `json:"main,omitempty"`   // of a sub-account
	Kind       opsec.ActorKind   `json:"kind,omitempty"`   // "" is human
	System     string            `json:"system,omitempty"` // of a sub-account: where it belongs
	Holds      Rights            `json:"holds,omitzero"`
	MayGrant   Rights            `json:"may_grant,omitzero"` // of a main account
	Properties map[string]string `json:"properties,omitempty"`
	Expires    time.Time         `json:"expires,omitzero"` // zero is never
}

// asked returns the account that is asked for, and its skeleton. The family is that of a sub-account's main account, or empty.
func (w *work) asked(r Registration, f *Family, id opsec.ID) (Account, string, error) {
	a := Account{
		ID: id, Tenant: w.tenant, Name: r.Name, Kind: r.Kind, Person: r.Person, Main: r.Main, System: r.System,
		Holds: r.Holds.sorted(), MayGrant: r.MayGrant.sorted(), Properties: r.Properties, Expires: r.Expires,
	}
	if a.Kind == "" {
		a.Kind = opsec.Human
	}
	kind := "main"
	if r.Main != "" {
		if kind = "sub"; a.Person != "" && a.Person != f.Main.Person {
			return a, "", invalid("registration: person: a sub-account has its main account's")
		}
		a.Person = f.Main.Person
	}
	for one := range a.Properties {
		if _, err := w.policy.property(one); err != nil {
			return a, "", err
		}
	}
	if a.expired(w.now) {
		return a, "", invalid("registration: expires: is over")
	}
	n, err := w.policy.Names.Check(r.Name, kind)
	a.Canonical = n.Canonical
	return a, n.Skeleton, err
}

// enrol registers an account, with more steps to it at once.
func (w *work) enrol(r Registration, id opsec.ID, more ...Step) (*Family, *Account, error) {
	f, err := &Family{}, error(nil)
	if r.Main != "" {
		if f, err = w.family(w.sub, r.Main); err != nil {
			return nil, nil, err
		}
	}
	a, skeleton, err := w.asked(r, f, id)
	if err != nil {
		return nil, nil, err
	}
	err = w.names.Insert(w.tx.Sub(opsec.Provider), &reservation{
		Zone: w.policy.Zone, Canonical: a.Canonical, Skeleton: skeleton, Tenant: a.Tenant, Family: cmp.Or(f.Main.ID, a.ID), Account: a.ID,
	})
	if errors.Is(err, store.ErrExists) {
		return nil, nil, ErrTaken
	}
	if err != nil {
		return nil, nil, err
	}
	if f, err = w.apply(f, append([]Step{{Verb: Register, Account: a.ID, New: &a}}, more...)...); err != nil {
		return nil, nil, err
	}
	return f, f.Account(a.ID), nil
}

// Register registers an account, which waits for approval: the request is open for [Directory.Decide]. Who asks acts with an
// active account of the directory; neither that person nor the one who gets the account can approve, with whatever account.
//
// A sub-account is registered by naming its main account, and holds nothing that this may not grant. Where the policy has
// SkipApprovalOfSubs and who asks acts with that main account, it is active at once, and there is no request.
//
// Errors: [ErrTaken], [ErrSecondMain], [ErrBeyondMain], [ErrMain], [ErrUnknownActor], [opsec.ErrDenied], [opsec.ErrInvalid] (a
// *name.Refused for the name), and [opsec.ErrNotFound] for the main account.
func (d *Directory) Register(ctx context.Context, by By, tenant opsec.TenantID, r Registration) (account Account, request Request, err error) {
	id := opsec.NewID()
	err = d.do(ctx, by, ActionRegister, resource(tenant, id), func(w *work) error {
		if err := w.person(); err != nil {
			return err
		}
		var more []Step
		own := r.Main != "" && w.account.ID == r.Main && w.account.Tenant == tenant // with the main account, not with another of it
		if own && w.policy.SkipApprovalOfSubs {
			for one := range r.Properties {
				if rule, err := w.policy.property(one); err != nil || !rule.Self {
					return cmp.Or(err, denied("property %q is not for who has the account", one))
				}
			}
			more = []Step{{Verb: Approve, Account: id}}
		}
		f, a, err := w.enrol(r, id, more...)
		if err != nil {
			return err
		}
		account, request = *a, Request{}
		if a.State == Active {
			return nil
		}
		request, err = w.ask(Order{Verb: Register, Account: a.ID, New: a}, f, w.policy.Register)
		return err
	})
	return account, request, err
}

// Bootstrap registers the first accounts of a tenant and activates them without approval, since there is nobody yet who could:
// two at least, so that the one can approve what the other asks for. It is possible once for a tenant ([ErrFounded]), and the
// one thing for which the actor needs no account in the directory: the Authorizer decides alone. Tenants whose accounts the
// provider's administrators approve do not need it.
func (d *Directory) Bootstrap(ctx context.Context, by By, tenant opsec.TenantID, first ...Registration) (list []Account, err error) {
	if len(first) < 2 || len(first) > 4 {
		return nil, invalid("bootstrap: %d accounts, want 2 to 4", len(first))
	}
	err = d.do(ctx, by, ActionBootstrap, resource(tenant, ""), func(w *work) error {
		list = nil
		e := w.event(ActionBootstrap, w.by, resource(tenant, ""), opsec.Success)
		err := w.founded.Insert(w.tx.Sub(opsec.Provider), &founding{tenant})
		if errors.Is(err, store.ErrExists) {
			return ErrFounded
		}
		if err != nil {
			return err
		}
		if err := w.tx.Emit(e); err != nil {
			return err
		}
		for _, r := range first {
			if r.Main != "" {
				return invalid("bootstrap: main accounts alone")
			}
			id := opsec.NewID()
			_, a, err := w.enrol(r, id, Step{Verb: Approve, Account: id})
			if err != nil {
				return err
			}
			list = append(list, *a)
		}
		return nil
	})
	return list, err
}
