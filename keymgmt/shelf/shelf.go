package shelf

import (
	"context"
	"encoding/json"
	"iter"
	"strings"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/store"
)

// Shelf is a [keymgmt.Repository], with all that one may be, in a store.
type Shelf struct {
	db     *store.DB
	sealed bool
}

// Stored returns the repository in db. Made is what db was made with: it tells whether db is sealed. Several may share db.
func Stored(db *store.DB, made *store.Options) *Shelf {
	return &Shelf{db, made != nil && made.Sealer != nil && !made.InsecureReadPlain}
}

// Sealed implements [keymgmt.Sealed].
func (s *Shelf) Sealed() bool { return s.sealed }

// document is a record of the store. Names are readable in it also where it is sealed: they have tenants' names for keysets, and
// ids.
type document struct {
	Name string          `json:"name"`
	Data json.RawMessage `json:"data"`
}

var documents = store.NewCollection(store.Schema[document]{
	Name: "keymgmt/documents",
	ID:   func(d *document) store.Key { return store.Text(d.Name) },
})

// Update implements [keymgmt.Repository].
func (s *Shelf) Update(ctx context.Context, tenant opsec.TenantID, fn func(keymgmt.Read) (keymgmt.Changes, error)) error {
	return s.db.Update(ctx, func(tx *store.Tx) error {
		sub := tx.Sub(tenant)
		changes, err := fn(func(names ...string) ([][]byte, error) { return read(sub, names) })
		if err != nil {
			return err
		}
		if err := changes.Validate(); err != nil {
			return err
		}
		for _, e := range changes.Events {
			if err := tx.Emit(e); err != nil {
				return err
			}
		}
		for _, d := range changes.Put {
			if len(d.Data) == 0 {
				err = documents.Delete(sub, store.Text(d.Name))
			} else {
				err = documents.Put(sub, &document{d.Name, d.Data})
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func read(sub *store.Sub, names []string) ([][]byte, error) {
	if err := keymgmt.CheckNames(names...); err != nil {
		return nil, err
	}
	keys := make([]store.Key, len(names))
	for i, name := range names {
		keys[i] = store.Text(name)
	}
	found, err := documents.GetAll(sub, keys...)
	if err != nil {
		return nil, err
	}
	list := make([][]byte, len(names))
	for i, d := range found {
		if d != nil {
			list[i] = d.Data
		}
	}
	return list, nil
}

// List implements [keymgmt.Lister].
func (s *Shelf) List(ctx context.Context, tenant opsec.TenantID, prefix, after string) iter.Seq2[keymgmt.Document, error] {
	return func(yield func(keymgmt.Document, error) bool) {
		err := s.db.View(ctx, func(tx *store.Tx) error {
			for d, err := range documents.List(tx.Sub(tenant), store.Query{From: store.Text(max(prefix, after))}) {
				if err != nil {
					return err
				}
				if !strings.HasPrefix(d.Name, prefix) {
					if d.Name > prefix {
						return nil
					}
					continue
				}
				if d.Name > after && !yield(keymgmt.Document{Name: d.Name, Data: d.Data}, nil) {
					return nil
				}
			}
			return nil
		})
		if err != nil {
			yield(keymgmt.Document{}, err)
		}
	}
}

// Watch implements [keymgmt.Watcher].
func (s *Shelf) Watch(ctx context.Context, tenant opsec.TenantID) iter.Seq2[struct{}, error] {
	return documents.Watch(ctx, s.db, tenant)
}
