package identity

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
)

// read authorises, and reads.
func (d *Directory) read(ctx context.Context, who opsec.Actor, on opsec.Resource, fn func(*store.Tx) error) error {
	if err := on.Tenant.Validate(); err != nil {
		return err
	}
	if err := d.o.Authorizer.Authorize(ctx, who, ActionRead, on); err != nil {
		return err
	}
	return d.db.View(ctx, fn)
}

// stream turns a function that yields into an iterator: its error comes last.
func stream[T any](fn func(yield func(T) bool) error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		stopped := false
		err := fn(func(v T) bool {
			stopped = stopped || !yield(v, nil)
			return !stopped
		})
		if err != nil && !stopped {
			var none T
			yield(none, err)
		}
	}
}

// Get returns an account, or an error that wraps [opsec.ErrNotFound].
func (d *Directory) Get(ctx context.Context, who opsec.Actor, tenant opsec.TenantID, id opsec.ID) (a Account, err error) {
	f, err := d.Family(ctx, who, tenant, id)
	if err == nil {
		a = *f.Account(id)
	}
	return a, err
}

// Family returns an account's main account with all of its sub-accounts.
func (d *Directory) Family(ctx context.Context, who opsec.Actor, tenant opsec.TenantID, id opsec.ID) (f Family, err error) {
	err = d.read(ctx, who, resource(tenant, id), func(tx *store.Tx) error {
		got, err := d.family(tx.Sub(tenant), id)
		if err == nil {
			f = *got
		}
		return err
	})
	return f, err
}

// Lookup returns the account of a name, in whatever form somebody types it, or an error that wraps [opsec.ErrNotFound]. It
// takes three reads. What a log-in page shows of it must be alike for accounts that are not there and that are not usable.
func (d *Directory) Lookup(ctx context.Context, who opsec.Actor, tenant opsec.TenantID, name string) (a Account, err error) {
	err = d.read(ctx, who, resource(tenant, ""), func(tx *store.Tx) error {
		_, got, err := d.named(tx, tenant, name)
		if err == nil {
			a = *got
		}
		return err
	})
	return a, err
}

// Query selects accounts; the zero Query is all. An account is selected if all that is set applies.
type Query struct {
	State  State
	Person string // and not deleted, unless State says so
	Prefix string // of the canonical name
}

func (q Query) has(a *Account) bool {
	return (q.State == "" || a.State == q.State) && (q.Person == "" || a.Person == q.Person && (a.State != Deleted || q.State == Deleted)) &&
		strings.HasPrefix(a.Canonical, q.Prefix)
}

// List yields the accounts of a tenant that a query selects, a main account before its sub-accounts, in constant memory. By
// State or Person it reads what it yields; by Prefix too, then in the order of names, if the policy has
// InsecureReadableNames, and otherwise everything. It is no picture of one point in time: an account that is there throughout
// comes once, as it was when its page was read.
func (d *Directory) List(ctx context.Context, who opsec.Actor, tenant opsec.TenantID, q Query) iter.Seq2[Account, error] {
	return stream(func(yield func(Account) bool) error {
		return d.read(ctx, who, resource(tenant, ""), func(tx *store.Tx) error {
			if q.Prefix != "" && q.Person == "" && d.policy.InsecureReadableNames {
				return d.byName(tx, tenant, q, yield)
			}
			for f, err := range d.candidates(tx.Sub(tenant), q) {
				if err != nil {
					return err
				}
				for _, a := range f.All() {
					if q.has(a) && !yield(*a) {
						return nil
					}
				}
			}
			return nil
		})
	})
}

// candidates yields the families in which a query may find something.
func (d *Directory) candidates(sub *store.Sub, q Query) iter.Seq2[*Family, error] {
	switch {
	case q.Person != "" && q.State != Deleted:
		return func(yield func(*Family, error) bool) {
			if f, err := d.families.Find(sub, "person", store.Text(q.Person)); !errors.Is(err, opsec.ErrNotFound) {
				yield(f, err)
			}
		}
	case q.State != "":
		return d.families.List(sub, store.Query{Index: "state", Prefix: store.Text(string(q.State))})
	}
	return d.families.List(sub, store.Query{})
}

// byName yields by the order of names.
func (d *Directory) byName(tx *store.Tx, tenant opsec.TenantID, q Query, yield func(Account) bool) error {
	at := store.Text(d.policy.Zone).Text(string(tenant))
	for r, err := range d.names.List(tx.Sub(opsec.Provider), store.Query{Index: "order", Prefix: at, From: at.Text(q.Prefix)}) {
		if err != nil || !strings.HasPrefix(r.Canonical, q.Prefix) {
			return err
		}
		f, err := d.family(tx.Sub(tenant), r.Family)
		if errors.Is(err, opsec.ErrNotFound) {
			continue // forgotten meanwhile
		}
		if err != nil {
			return err
		}
		if a := f.Account(r.Account); a != nil && q.has(a) && !yield(*a) {
			return nil
		}
	}
	return nil
}

// Page returns the accounts of at most n main accounts, 1 to 1000, behind the cursor that the last page came with (none is
// ""), each followed by its sub-accounts, and the cursor of the next page, which is "" when there is no more.
func (d *Directory) Page(ctx context.Context, who opsec.Actor, tenant opsec.TenantID, q Query, cursor string, n int) (list []Account, next string, err error) {
	if q.Person != "" || n < 1 || n > store.MaxPage {
		return nil, "", invalid("page: %d main accounts, want 1 to %d; of one person use List", n, store.MaxPage)
	}
	err = d.read(ctx, who, resource(tenant, ""), func(tx *store.Tx) error {
		at := store.Query{}
		if q.State != "" {
			at = store.Query{Index: "state", Prefix: store.Text(string(q.State))}
		}
		families, behind, err := d.families.Page(tx.Sub(tenant), at, cursor, n)
		if err != nil {
			return err
		}
		for _, f := range families {
			for _, a := range f.All() {
				if q.has(a) {
					list = append(list, *a)
				}
			}
		}
		next = behind
		return nil
	})
	return list, next, err
}

// History yields what has happened to an account's family, in order; [Replay] makes the family of it.
func (d *Directory) History(ctx context.Context, who opsec.Actor, tenant opsec.TenantID, id opsec.ID) iter.Seq2[Step, error] {
	return stream(func(yield func(Step) bool) error {
		return d.read(ctx, who, resource(tenant, id), func(tx *store.Tx) error {
			f, err := d.family(tx.Sub(tenant), id)
			if err != nil {
				return err
			}
			for e, err := range d.history.List(tx.Sub(tenant), store.Query{Prefix: store.Text(string(f.Main.ID))}) {
				if err != nil || !yield(e.Step) {
					return err
				}
			}
			return nil
		})
	})
}
