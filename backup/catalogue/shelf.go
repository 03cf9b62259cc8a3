package catalogue

import (
	"errors"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
)

// shelf is where a [Catalogue] keeps what it knows.
type shelf struct {
	sources *store.Collection[Source]
	points  *store.Collection[Point]
	checks  *store.Collection[Check]
	tests   *store.Collection[Test]
	orders  *store.Collection[Order]
}

// Parts returns the collections, for [store.DB.Check] and for migrations.
func (s *shelf) Parts() []store.Part {
	return []store.Part{s.sources, s.points, s.checks, s.tests, s.orders}
}

func (k Key) key() store.Key { return store.Text(k.Name).Int(k.Version) }

func pointKey(source, id string) store.Key { return store.Text(source).Text(id) }

func newShelf() shelf {
	return shelf{
		sources: store.NewCollection(store.Schema[Source]{
			Name: "backup/sources",
			ID:   func(s *Source) store.Key { return store.Text(s.ID) },
		}),
		// Whether a point may go is decided by lists of others, so the collection is guarded.
		points: store.NewCollection(store.Schema[Point]{
			Name: "backup/points", Guarded: true,
			ID: func(p *Point) store.Key { return pointKey(p.Source, p.ID) },
			Indexes: []store.Index[Point]{
				{Name: "time", Keys: func(p *Point) []store.Key {
					if p.State != Present {
						return nil
					}
					return []store.Key{store.Text(p.Source).Time(p.Received).Text(p.ID)}
				}},
				{Name: "gone", Keys: func(p *Point) []store.Key {
					if p.State == Present {
						return nil
					}
					return []store.Key{store.Text(p.Source).Time(p.Ended).Text(p.ID)}
				}},
				{Name: "deleting", Keys: func(p *Point) []store.Key {
					if p.State != Deleting {
						return nil
					}
					return []store.Key{store.Text(string(p.Order)).Text(p.ID)}
				}},
				{Name: "child", Keys: func(p *Point) (list []store.Key) {
					for i := 0; i < len(p.Parents) && p.State != Deleted; i++ {
						list = append(list, pointKey(p.Source, p.Parents[i]))
					}
					return list
				}},
				{Name: "whole", Keys: func(p *Point) []store.Key {
					if !p.whole() {
						return nil
					}
					return []store.Key{store.Text(p.Source).Time(p.Verified()).Text(p.ID)}
				}},
				{Name: "key", Keys: func(p *Point) (list []store.Key) {
					for _, c := range p.Copies {
						if c.Gone.IsZero() && c.Key != (Key{}) {
							list = append(list, c.Key.key())
						}
					}
					return list
				}},
			},
		}),
		checks: store.NewCollection(store.Schema[Check]{
			Name: "backup/checks",
			ID: func(c *Check) store.Key {
				return store.Text(c.Source).Text(c.Point).Time(c.Time).Text(string(c.ID))
			},
		}),
		tests: store.NewCollection(store.Schema[Test]{
			Name: "backup/tests",
			ID: func(t *Test) store.Key {
				return store.Text(t.Source).Time(t.Time).Text(t.ID)
			},
			Indexes: []store.Index[Test]{{Name: "id", Unique: true, Keys: func(t *Test) []store.Key {
				return []store.Key{store.Text(t.Source).Text(t.ID)}
			}}},
		}),
		orders: store.NewCollection(store.Schema[Order]{
			Name: "backup/orders",
			ID:   func(o *Order) store.Key { return store.Text(string(o.ID)) },
			Indexes: []store.Index[Order]{
				{Name: "open", Keys: func(o *Order) []store.Key {
					if o.State.final() {
						return nil
					}
					return []store.Key{store.Text(o.Terms.Source).Text(string(o.ID))}
				}},
			},
		}),
	}
}

// Source is what backups are made of.
type Source struct {
	ID    string    `json:"id"`
	Since time.Time `json:"since"` // when its first point was registered
	Holds []Hold    `json:"holds,omitempty"`
	Keep  *Keep     `json:"keep,omitempty"` // nil: everything is kept
}

// source returns a source, or an error that wraps [opsec.ErrNotFound].
func (s *shelf) source(sub *store.Sub, id string) (*Source, error) {
	if !text(id, 1, MaxName) {
		return nil, notFound("source")
	}
	got, err := s.sources.Get(sub, store.Text(id))
	if errors.Is(err, opsec.ErrNotFound) {
		return nil, notFound("source")
	}
	return got, err
}

// point returns a point, or an error that wraps [opsec.ErrNotFound].
func (s *shelf) point(sub *store.Sub, source, id string) (*Point, error) {
	if !text(source, 1, MaxName) || !text(id, 1, MaxName) {
		return nil, notFound("point")
	}
	got, err := s.points.Get(sub, pointKey(source, id))
	if errors.Is(err, opsec.ErrNotFound) {
		return nil, notFound("point")
	}
	return got, err
}
