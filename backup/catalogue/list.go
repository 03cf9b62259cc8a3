package catalogue

import (
	"context"
	"iter"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
)

// Source returns a source ([ActionRead]).
func (c *Catalogue) Source(ctx context.Context, who opsec.Actor, tenant opsec.TenantID, source string) (s Source, err error) {
	err = c.read(ctx, who, sourceResource(tenant, source), func(sub *store.Sub) error {
		got, err := c.source(sub, source)
		if err == nil {
			s = *got
		}
		return err
	})
	return s, err
}

// Sources yields the sources of a tenant, in the order of their ids.
func (c *Catalogue) Sources(ctx context.Context, who opsec.Actor, tenant opsec.TenantID) iter.Seq2[Source, error] {
	return each(c, ctx, who, sourceResource(tenant, ""), c.sources, store.Query{})
}

// Point returns a point, deleted or not.
func (c *Catalogue) Point(ctx context.Context, who opsec.Actor, tenant opsec.TenantID, source, id string) (p Point, err error) {
	err = c.read(ctx, who, pointResource(tenant, source, id), func(sub *store.Sub) error {
		got, err := c.point(sub, source, id)
		if err == nil {
			p = *got
		}
		return err
	})
	return p, err
}

// Points yields the present points of a source, in the order in which they were received: from <= received < to,
// where a zero time is no bound. It takes memory for a page, whatever the number of points.
func (c *Catalogue) Points(ctx context.Context, who opsec.Actor, tenant opsec.TenantID, source string, from, to time.Time) iter.Seq2[Point, error] {
	return each(c, ctx, who, sourceResource(tenant, source), c.points, between("time", source, from, to))
}

// Page returns at most n points of a source as [Catalogue.Points] yields them, those behind the cursor that the last page came
// with, and the cursor of the next page, which is "" when there is no more.
func (c *Catalogue) Page(ctx context.Context, who opsec.Actor, tenant opsec.TenantID, source, cursor string, n int) (list []Point, next string, err error) {
	err = c.read(ctx, who, sourceResource(tenant, source), func(sub *store.Sub) error {
		got, behind, err := c.points.Page(sub, between("time", source, time.Time{}, time.Time{}), cursor, n)
		next, list = behind, make([]Point, len(got))
		for i, p := range got {
			list[i] = *p
		}
		return err
	})
	return list, next, err
}

// Deleted yields what remains of the points of a source whose deletion has begun: from <= [Point].Ended < to, where a zero time is no bound.
func (c *Catalogue) Deleted(ctx context.Context, who opsec.Actor, tenant opsec.TenantID, source string, from, to time.Time) iter.Seq2[Point, error] {
	return each(c, ctx, who, sourceResource(tenant, source), c.points, between("gone", source, from, to))
}

// ByKey yields the points of a tenant that have a copy under this version of a key: what [Point.Under] says all of, and with it
// all that needs it ([Catalogue.Children]), goes with the key.
func (c *Catalogue) ByKey(ctx context.Context, who opsec.Actor, tenant opsec.TenantID, key Key) iter.Seq2[Point, error] {
	if err := key.validate(); err != nil || key == (Key{}) {
		return func(yield func(Point, error) bool) { yield(Point{}, invalid("key: want a name and a version")) }
	}
	return each(c, ctx, who, sourceResource(tenant, ""), c.points, store.Query{Index: "key", Prefix: key.key()})
}

// Children yields the points that cannot be restored without this one, of those that name it as a parent.
func (c *Catalogue) Children(ctx context.Context, who opsec.Actor, tenant opsec.TenantID, source, id string) iter.Seq2[Point, error] {
	return each(c, ctx, who, sourceResource(tenant, source), c.points, store.Query{Index: "child", Prefix: pointKey(source, id)})
}

// Chain yields a point and all that it needs, each once, the nearest first. One that is not there any more, which no verb of the
// catalogue brings about, is an error that wraps [opsec.ErrNotFound].
func (c *Catalogue) Chain(ctx context.Context, who opsec.Actor, tenant opsec.TenantID, source, id string) iter.Seq2[Point, error] {
	return stream(func(yield func(Point) bool) error {
		return c.read(ctx, who, sourceResource(tenant, source), func(sub *store.Sub) error {
			_, err := c.climb(sub, source, []string{id}, 0, func(p *Point) bool { return yield(*p) })
			return err
		})
	})
}

// climb calls fn with the points of these ids and all that they need, level by level, until it returns false or has been called most
// times (0: no bound). It reports whether it has come to the end.
func (s *shelf) climb(sub *store.Sub, source string, ids []string, most int, fn func(*Point) bool) (end bool, err error) {
	seen, n := map[string]bool{}, 0
	for len(ids) > 0 {
		var next []string
		for _, id := range ids {
			if seen[id] {
				continue
			}
			if n++; most > 0 && n > most {
				return false, nil
			}
			seen[id] = true
			p, err := s.point(sub, source, id)
			if err != nil {
				return false, err
			}
			if p.State == Deleted {
				return false, notFound("point of a chain")
			}
			if !fn(p) {
				return false, nil
			}
			next = append(next, p.Parents...)
		}
		ids = next
	}
	return true, nil
}

// Checks yields how the copies of a point were compared with its manifest, the oldest first.
func (c *Catalogue) Checks(ctx context.Context, who opsec.Actor, tenant opsec.TenantID, source, id string) iter.Seq2[Check, error] {
	return each(c, ctx, who, pointResource(tenant, source, id), c.checks, store.Query{Prefix: pointKey(source, id)})
}

func between(index, source string, from, to time.Time) store.Query {
	q := store.Query{Index: index, Prefix: store.Text(source)}
	if !from.IsZero() {
		q.From = store.Text(source).Time(from)
	}
	if !to.IsZero() {
		q.To = store.Text(source).Time(to)
	}
	return q
}

// each authorises, and yields what a query selects.
func each[T any](c *Catalogue, ctx context.Context, who opsec.Actor, on opsec.Resource, of *store.Collection[T], q store.Query) iter.Seq2[T, error] {
	return stream(func(yield func(T) bool) error {
		return c.read(ctx, who, on, func(sub *store.Sub) error {
			for v, err := range of.List(sub, q) {
				if err != nil || !yield(*v) {
					return err
				}
			}
			return nil
		})
	})
}
