package catalogue

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
)

// Register enters a new backup ([ActionRegister]). Its parents must be present points of its source. A point of this id that is or
// was there is [ErrExists]: nothing is ever written over, also not by a host that has been taken over.
func (c *Catalogue) Register(ctx context.Context, by By, tenant opsec.TenantID, r Registration) (p Point, err error) {
	if err := r.validate(c.o.Now()); err != nil {
		return p, err
	}
	r = r.clone()
	err = c.do(ctx, by, ActionRegister, pointResource(tenant, r.Source, r.ID), func(w *work) error {
		_, err := w.source(w.sub, r.Source)
		if errors.Is(err, opsec.ErrNotFound) {
			err = w.sources.Insert(w.sub, &Source{ID: r.Source, Since: w.now})
		}
		if err != nil {
			return err
		}
		p = Point{Registration: r, Received: w.now, By: by.Actor, Depth: 1, State: Present}
		keys := make([]store.Key, len(r.Parents))
		for i, id := range r.Parents {
			keys[i] = pointKey(r.Source, id)
		}
		parents, err := w.points.GetAll(w.sub, keys...)
		if err != nil {
			return err
		}
		for i, parent := range parents {
			if parent == nil || parent.State != Present {
				return invalid("registration: parents[%d]: %q is no present point of the source", i, r.Parents[i])
			}
			p.Depth = max(p.Depth, parent.Depth+1)
		}
		if p.Depth > MaxDepth {
			return invalid("registration: parents: a chain of %d points, want at most %d", p.Depth, MaxDepth)
		}
		err = w.points.Insert(w.sub, &p)
		if _, ok := errors.AsType[*store.ExistsError](err); ok {
			return ErrExists
		}
		if err != nil {
			return err
		}
		return w.tell(ActionRegister, pointResource(tenant, r.Source, r.ID), "level", string(r.Level), "manifest", r.Manifest,
			"parents", strconv.Itoa(len(r.Parents)), "claimed", stamp(r.Claimed))
	})
	return p, err
}

// onPoint changes a point that is present.
func (c *Catalogue) onPoint(ctx context.Context, by By, action string, tenant opsec.TenantID, source, id string, fn func(*work, *Point) error) (p Point, err error) {
	err = c.do(ctx, by, action, pointResource(tenant, source, id), func(w *work) error {
		got, err := w.point(w.sub, source, id)
		if err != nil {
			return err
		}
		if got.State != Present {
			return invalid("point: is %s", got.State)
		}
		if err := fn(w, got); err != nil {
			return err
		}
		p = *got
		return w.points.Put(w.sub, got)
	})
	return p, err
}

// AddCopy enters another copy of a point, or what is new of one ([ActionCopy]): that it is durable by now, or locked for longer.
// What was said of a copy before is not taken back: an error that wraps [opsec.ErrDenied].
func (c *Catalogue) AddCopy(ctx context.Context, by By, tenant opsec.TenantID, source, id string, add Copy) (Point, error) {
	if err := add.validate(c.o.Now()); err != nil {
		return Point{}, invalid("copy: %v", err)
	}
	add.Durable, add.LockedUntil = plain(add.Durable), plain(add.LockedUntil)
	return c.onPoint(ctx, by, ActionCopy, tenant, source, id, func(w *work, p *Point) error {
		i := slices.IndexFunc(p.Copies, func(o Copy) bool { return o.Location == add.Location })
		switch {
		case i < 0 && len(p.Copies) == MaxCopies:
			return invalid("copy: the point has %d, want at most %d", len(p.Copies), MaxCopies)
		case i < 0:
			p.Copies = append(p.Copies, add)
		default:
			old := &p.Copies[i]
			if old.Site != add.Site || old.Region != add.Region || old.Key != add.Key ||
				!old.Durable.IsZero() && !old.Durable.Equal(add.Durable) || add.LockedUntil.Before(old.LockedUntil) {
				return denied("copy: what was said of it is not taken back")
			}
			old.Durable, old.LockedUntil = add.Durable, add.LockedUntil
		}
		return w.tell(ActionCopy, pointResource(tenant, source, id), "location", add.Location, "site", string(add.Site), "durable", stamp(add.Durable),
			"locked_until", stamp(add.LockedUntil), "key", add.Key.Name, "key_version", number(add.Key.Version))
	})
}

// Check is a comparison of a copy with its manifest, and how it ended.
type Check struct {
	ID       opsec.ID    `json:"id"`     // set by the catalogue, as are Source, Point, By and Time
	Source   string      `json:"source"` //
	Point    string      `json:"point"`
	Location string      `json:"location"`         // which copy
	Whole    bool        `json:"whole"`            // all of it was there, and as the manifest says
	Method   string      `json:"method,omitempty"` // how, in at most 128 bytes
	Report   string      `json:"report,omitempty"` // digest of the report, at most 128 bytes
	By       opsec.Actor `json:"by"`
	Time     time.Time   `json:"time"` // by the catalogue's clock
}

// Verify enters how a copy was compared with its manifest ([ActionVerify]). The point is whole as long as one of its copies is
// known to be.
func (c *Catalogue) Verify(ctx context.Context, by By, tenant opsec.TenantID, source, id string, k Check) (Point, error) {
	if !text(k.Location, 1, MaxName) || !text(k.Method, 0, MaxName) || !text(k.Report, 0, MaxName) {
		return Point{}, invalid("check: location, method, report: want at most %d bytes each, and a location", MaxName)
	}
	return c.onPoint(ctx, by, ActionVerify, tenant, source, id, func(w *work, p *Point) error {
		own := k
		own.ID, own.Source, own.Point, own.By, own.Time = opsec.NewID(), source, id, by.Actor, w.now
		if err := p.note(own.Location, own.Whole, w.now); err != nil {
			return err
		}
		if err := w.checks.Insert(w.sub, &own); err != nil {
			return err
		}
		return w.tell(ActionVerify, pointResource(tenant, source, id), "location", own.Location, "whole", strconv.FormatBool(own.Whole), "report", own.Report)
	})
}

// note writes down that a copy was found whole or damaged.
func (p *Point) note(location string, whole bool, now time.Time) error {
	for i := range p.Copies {
		if k := &p.Copies[i]; k.Location == location && k.Gone.IsZero() {
			if whole {
				k.Verified, k.Damaged = now, time.Time{}
			} else {
				k.Damaged = now
			}
			return nil
		}
	}
	return invalid("point: no copy at this location")
}

// HoldPoint keeps a point whatever any policy says ([ActionHold]), and with it all that it needs. The reason is that of by, and
// must be given. Of a point whose deletion has begun it keeps what is left. Holds end by [Catalogue.ProposeRelease] alone.
func (c *Catalogue) HoldPoint(ctx context.Context, by By, tenant opsec.TenantID, source, id string) (h Hold, err error) {
	err = c.do(ctx, by, ActionHold, pointResource(tenant, source, id), func(w *work) error {
		p, err := w.point(w.sub, source, id)
		if err != nil {
			return err
		}
		if p.State == Deleted {
			return invalid("point: is %s", p.State)
		}
		if h, err = w.hold(&p.Holds, pointResource(tenant, source, id)); err != nil {
			return err
		}
		return w.points.Put(w.sub, p)
	})
	return h, err
}

// HoldSource keeps all points of a source, those to come included ([ActionHold]).
func (c *Catalogue) HoldSource(ctx context.Context, by By, tenant opsec.TenantID, source string) (h Hold, err error) {
	err = c.do(ctx, by, ActionHold, sourceResource(tenant, source), func(w *work) error {
		s, err := w.source(w.sub, source)
		if err != nil {
			return err
		}
		if h, err = w.hold(&s.Holds, sourceResource(tenant, source)); err != nil {
			return err
		}
		return w.sources.Put(w.sub, s)
	})
	return h, err
}

func (w *work) hold(list *[]Hold, on opsec.Resource) (Hold, error) {
	h := Hold{ID: opsec.NewID(), By: w.by.Actor, Time: w.now, Reason: w.by.Reason}
	if h.Reason == "" || len(*list) == MaxHolds {
		return h, invalid("hold: want a reason, and at most %d holds", MaxHolds)
	}
	*list = append(*list, h)
	return h, w.tell(ActionHold, on, "hold", string(h.ID))
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func number(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}
