package shelf

import (
	"context"
	"iter"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/session"
	"github.com/cloudopsec/opsec/store"
)

// Shelf is a [session.Books] and a [session.Agenda] in a store.
type Shelf struct{ db *store.DB }

// Stored returns the repository in db. Several may share db.
func Stored(db *store.DB) *Shelf { return &Shelf{db} }

// record is a book, and where it lies.
type record struct {
	ID   string       `json:"id"`
	Book session.Book `json:"book"`
}

var books = store.NewCollection(store.Schema[record]{
	Name: "session/books",
	ID:   func(r *record) store.Key { return store.Text(r.ID) },
	Indexes: []store.Index[record]{{
		Name: "due",
		Keys: func(r *record) []store.Key {
			if r.Book.Due.IsZero() {
				return nil
			}
			return []store.Key{store.Key{}.Time(r.Book.Due)}
		},
	}},
})

// Update implements [session.Books].
func (s *Shelf) Update(ctx context.Context, at session.Address, fn func(session.Book) (session.Change, error)) error {
	return s.db.Update(ctx, func(tx *store.Tx) error {
		sub, id := tx.Sub(at.Tenant), store.Text(at.Book)
		found, err := books.GetAll(sub, id)
		if err != nil {
			return err
		}
		var book session.Book
		if found[0] != nil {
			book = found[0].Book
		}
		change, err := fn(book)
		if err != nil {
			return err
		}
		for _, e := range change.Events {
			if err := tx.Emit(e); err != nil {
				return err
			}
		}
		switch {
		case change.Put == nil:
			return nil
		case change.Put.Blank():
			return books.Delete(sub, id)
		}
		return books.Put(sub, &record{at.Book, *change.Put})
	})
}

// Due implements [session.Agenda].
func (s *Shelf) Due(ctx context.Context, tenant opsec.TenantID, until time.Time) iter.Seq2[session.Address, error] {
	return func(yield func(session.Address, error) bool) {
		err := s.db.View(ctx, func(tx *store.Tx) error {
			q := store.Query{Index: "due", To: store.Key{}.Time(until.Add(1))}
			for r, err := range books.List(tx.Sub(tenant), q) {
				if err != nil {
					return err
				}
				if !yield(session.Address{Tenant: tenant, Book: r.ID}, nil) {
					return nil
				}
			}
			return nil
		})
		if err != nil {
			yield(session.Address{}, err)
		}
	}
}
