package identity

import (
	"encoding/json"
	"errors"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/name"
	"github.com/cloudopsec/opsec/store"
)

// shelf is where a [Directory] keeps what it knows.
type shelf struct {
	families *store.Collection[Family]
	names    *store.Collection[reservation]
	history  *store.Collection[entry]
	requests *store.Collection[Request]
	notices  *store.Collection[notice]
	founded  *store.Collection[founding]
}

// reservation is a name that an account has in a trust zone. It lies with the provider, since a zone spans tenants.
type reservation struct {
	Zone      string         `json:"zone"`
	Canonical string         `json:"canonical"`
	Skeleton  string         `json:"skeleton"`
	Tenant    opsec.TenantID `json:"tenant"`
	Family    opsec.ID       `json:"family"`
	Account   opsec.ID       `json:"account"`
}

// entry is a step in the history of a family.
type entry struct {
	Family opsec.ID `json:"family"`
	Number int64    `json:"number"` // from 1
	Step   Step     `json:"step"`
}

// notice is a message that waits for the notifier.
type notice struct {
	Of      opsec.ID      `json:"of"` // the change that it tells of
	Message opsec.Message `json:"message"`
}

// founding says that a tenant has had its first accounts.
type founding struct {
	Tenant opsec.TenantID `json:"tenant"`
}

// maxFamily is how large a family may grow, in bytes: the rest is for what must always be possible, such as to disable it.
const maxFamily = store.MaxValue - 32<<10

// size is how many bytes a family takes where it is kept.
func (f *Family) size() int {
	b, _ := json.Marshal(f)
	return len(b)
}

func textKeys(texts ...string) []store.Key {
	list := make([]store.Key, len(texts))
	for i, s := range texts {
		list[i] = store.Text(s)
	}
	return list
}

func newShelf(readable bool) shelf {
	names := store.Schema[reservation]{
		Name: "identity/names",
		ID:   func(r *reservation) store.Key { return store.Text(string(r.Account)) },
		Indexes: []store.Index[reservation]{
			{Name: "canonical", Unique: true, Blind: true, Keys: func(r *reservation) []store.Key {
				return []store.Key{store.Text(r.Zone).Text(r.Canonical)}
			}},
			{Name: "skeleton", Unique: true, Blind: true, Keys: func(r *reservation) []store.Key {
				return []store.Key{store.Text(r.Zone).Text(r.Skeleton)}
			}},
		},
	}
	if readable {
		names.Indexes = append(names.Indexes, store.Index[reservation]{Name: "order", Keys: func(r *reservation) []store.Key {
			return []store.Key{store.Text(r.Zone).Text(string(r.Tenant)).Text(r.Canonical)}
		}})
	}
	return shelf{
		names: store.NewCollection(names),
		families: store.NewCollection(store.Schema[Family]{
			Name: "identity/families",
			ID:   func(f *Family) store.Key { return store.Text(string(f.Main.ID)) },
			Indexes: []store.Index[Family]{
				{Name: "person", Unique: true, Blind: true, Keys: func(f *Family) []store.Key {
					if f.Main.State == Deleted {
						return nil
					}
					return textKeys(f.Main.Person)
				}},
				{Name: "sub", Unique: true, Keys: func(f *Family) (list []store.Key) {
					for i := range f.Subs {
						list = append(list, store.Text(string(f.Subs[i].ID)))
					}
					return list
				}},
				{Name: "state", Keys: func(f *Family) (list []store.Key) {
					for _, a := range f.All() {
						list = append(list, store.Text(string(a.State)))
					}
					return list
				}},
			},
		}),
		history: store.NewCollection(store.Schema[entry]{
			Name: "identity/history",
			ID:   func(e *entry) store.Key { return store.Text(string(e.Family)).Int(e.Number) },
		}),
		requests: store.NewCollection(store.Schema[Request]{
			Name: "identity/requests",
			ID:   func(r *Request) store.Key { return store.Text(string(r.ID)) },
			Indexes: []store.Index[Request]{{Name: "open", Keys: func(r *Request) []store.Key {
				if r.Ended {
					return nil
				}
				return textKeys(string(r.ID))
			}}},
		}),
		notices: store.NewCollection(store.Schema[notice]{
			Name: "identity/notices",
			ID:   func(n *notice) store.Key { return store.Text(string(n.Of)).Text(string(n.Message.ID)) },
		}),
		founded: store.NewCollection(store.Schema[founding]{
			Name: "identity/founded",
			ID:   func(f *founding) store.Key { return store.Text(string(f.Tenant)) },
		}),
	}
}

// Parts returns the collections of the Directory, for [store.DB.Check].
func (d *Directory) Parts() []store.Part {
	return []store.Part{d.families, d.names, d.history, d.requests, d.notices, d.founded}
}

// family returns the family of an account, or an error that wraps [opsec.ErrNotFound].
func (d *Directory) family(sub *store.Sub, account opsec.ID) (*Family, error) {
	if account.Validate() != nil {
		return nil, notFound("account")
	}
	f, err := d.families.Get(sub, store.Text(string(account)))
	if errors.Is(err, opsec.ErrNotFound) {
		f, err = d.families.Find(sub, "sub", store.Text(string(account)))
	}
	if errors.Is(err, opsec.ErrNotFound) {
		return nil, notFound("account")
	}
	return f, err
}

// named returns the family and the account of a name in the zone, or an error that wraps [opsec.ErrNotFound].
func (d *Directory) named(tx *store.Tx, tenant opsec.TenantID, text string) (*Family, *Account, error) {
	canonical, err := name.Canonical(text)
	if err != nil {
		return nil, nil, notFound("account")
	}
	r, err := d.names.Find(tx.Sub(opsec.Provider), "canonical", store.Text(d.policy.Zone).Text(canonical))
	if errors.Is(err, opsec.ErrNotFound) || err == nil && r.Tenant != tenant {
		return nil, nil, notFound("account")
	}
	if err != nil {
		return nil, nil, err
	}
	f, err := d.family(tx.Sub(tenant), r.Family)
	if err != nil {
		return nil, nil, err
	}
	if a := f.Account(r.Account); a != nil {
		return f, a, nil
	}
	return nil, nil, notFound("account")
}

// known returns the account that an actor acts with, or nil if the directory has none.
func (d *Directory) known(tx *store.Tx, actor opsec.Actor) (a *Account, err error) {
	if actor.Tenant.Validate() != nil || actor.Account == "" {
		return nil, nil
	}
	if id := opsec.ID(actor.Account); id.Validate() == nil {
		var f *Family
		if f, err = d.family(tx.Sub(actor.Tenant), id); err == nil {
			a = f.Account(id)
		}
	} else {
		_, a, err = d.named(tx, actor.Tenant, actor.Account)
	}
	if errors.Is(err, opsec.ErrNotFound) {
		return nil, nil
	}
	return a, err
}
