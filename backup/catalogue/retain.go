package catalogue

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/retention"
	"github.com/cloudopsec/opsec/store"
)

// Retainer applies retention policies: documents in JSON, which the catalogue keeps and people approve, but does not read. It is pure, and
// is called inside of a transaction, perhaps more than once.
type Retainer interface {
	// Drop returns which of a source's points the policy lets go. An error that wraps [opsec.ErrInvalid] says that the policy is none.
	Drop(policy json.RawMessage, points []retention.Point, now time.Time) ([]string, error)
	// AtLeast reports whether next keeps all that was keeps, whatever points there are at whatever time; false when that is not sure.
	AtLeast(was, next json.RawMessage) (bool, error)
}

// Keep is the retention policy of a source.
type Keep struct {
	Policy json.RawMessage `json:"policy"`
	Order  opsec.ID        `json:"order"` // by which it was approved, or the one that it came after and keeps more than
	Since  time.Time       `json:"since"`
}

// SetRetention has a source keep its points by another policy ([ActionLengthen]). One that is sure to keep all that the policy before keeps
// ([Retainer].AtLeast), and drops none of the points that are there which that would keep, is in force at once, and so is nil, which keeps everything. Anything else is an order
// (asked is true), open for [Catalogue.Decide]; so is the first policy of a source, before which everything is kept.
func (c *Catalogue) SetRetention(ctx context.Context, by By, tenant opsec.TenantID, source string, policy json.RawMessage) (o Order, asked bool, err error) {
	if c.o.Retainer == nil {
		return o, false, invalid("options: retainer: nil")
	}
	if policy, err = written(policy); err != nil {
		return o, false, err
	}
	on := sourceResource(tenant, source)
	t := Terms{Verb: Shorten, Source: source, Policy: policy}
	err = c.do(ctx, by, ActionLengthen, on, func(w *work) error {
		s, err := w.source(w.sub, source)
		if err != nil {
			return err
		}
		if asked, err = w.shortens(ctx, s, &t); err != nil || asked {
			return err
		}
		was := ""
		if s.Keep != nil {
			was = string(s.Keep.Policy)
		}
		if policy == nil {
			s.Keep = nil
		} else {
			s.Keep = &Keep{Policy: policy, Order: s.Keep.Order, Since: w.now}
		}
		if err := w.tell(ActionLengthen, on, "policy", string(policy), "was", was); err != nil {
			return err
		}
		return w.sources.Put(w.sub, s)
	})
	if err != nil || !asked {
		return o, false, err
	}
	o, err = c.propose(ctx, by, tenant, t, "", func(*store.Sub, *Source) error { return nil })
	return o, err == nil, err
}

// shortens reports whether a policy may keep less than the one before, and fills in what people are to know of that.
func (w *work) shortens(ctx context.Context, s *Source, t *Terms) (bool, error) {
	if t.Was = nil; t.Policy == nil {
		return false, nil
	}
	points, _, err := w.present(ctx, w.tenant, s)
	if err != nil {
		return false, err
	}
	drops, err := w.o.Retainer.Drop(t.Policy, points, w.now)
	if err != nil {
		return false, err
	}
	if t.Drops = len(drops); s.Keep == nil {
		return true, nil
	}
	t.Was = s.Keep.Policy
	before, err := w.o.Retainer.Drop(t.Was, points, w.now)
	if err != nil {
		return false, err
	}
	drops = slices.DeleteFunc(drops, func(id string) bool { return slices.Contains(before, id) })
	t.Drops = len(drops)
	safe, err := w.o.Retainer.AtLeast(t.Was, t.Policy)
	return !safe || t.Drops > 0, err
}

// written returns a policy in the form in which it is kept: JSON as it comes back from a store, without spaces; nil for none.
func written(policy json.RawMessage) (json.RawMessage, error) {
	if policy == nil {
		return nil, nil
	}
	var compact, b bytes.Buffer
	if err := json.Compact(&compact, policy); err != nil || !utf8.Valid(policy) {
		return nil, invalid("retention: want JSON in UTF-8")
	}
	if json.HTMLEscape(&b, compact.Bytes()); b.Len() > opsec.MaxValueLen {
		return nil, invalid("retention: %d bytes of JSON, with < > & as six bytes each: want at most %d", b.Len(), opsec.MaxValueLen)
	}
	return b.Bytes(), nil
}

// shorten puts an approved policy in force, if the one before is still what it was.
func (w *work) shorten(o *Order) error {
	s, err := w.source(w.sub, o.Terms.Source)
	if err != nil {
		return err
	}
	var is json.RawMessage
	if s.Keep != nil {
		is = s.Keep.Policy
	}
	if !bytes.Equal(is, o.Terms.Was) {
		return ErrChanged
	}
	s.Keep = &Keep{Policy: o.Terms.Policy, Order: o.ID, Since: w.now}
	if err := w.tell(ActionShorten, sourceResource(w.tenant, s.ID), "order", string(o.ID), "policy", string(o.Terms.Policy), "was", string(is)); err != nil {
		return err
	}
	return w.sources.Put(w.sub, s)
}

// present returns the present points of a source, for package retention, and their depths. A point that needs a broken one counts as not
// verified.
func (c *Catalogue) present(ctx context.Context, tenant opsec.TenantID, s *Source) (list []retention.Point, depth map[string]int, err error) {
	sound, waiting := map[string]bool{}, []*Point(nil)
	depth = map[string]int{}
	err = c.db.View(ctx, func(tx *store.Tx) error {
		for p, err := range c.points.List(tx.Sub(tenant), between("time", s.ID, time.Time{}, time.Time{})) {
			if err != nil {
				return err
			}
			p.By, p.Manifest = opsec.Actor{}, "" // what is not needed is not kept
			waiting, depth[p.ID] = append(waiting, p), p.Depth
		}
		return nil
	})
	slices.SortStableFunc(waiting, func(a, b *Point) int { return cmp.Compare(a.Depth, b.Depth) })
	for _, p := range waiting {
		ok := true
		for _, id := range p.Parents {
			ok = ok && sound[id]
		}
		sound[p.ID] = ok && !p.Broken()
		list = append(list, p.retained(s.Holds, ok))
	}
	return list, depth, err
}

// keptByRetention returns, of an order to delete what the policy drops, the points that it keeps by now, and the policy.
func (c *Catalogue) keptByRetention(ctx context.Context, o *Order) (kept map[string]*KeptError, under json.RawMessage, err error) {
	if !o.Terms.ByRetention {
		return nil, nil, nil
	}
	var s *Source
	err = c.db.View(ctx, func(tx *store.Tx) (err error) {
		s, err = c.source(tx.Sub(o.Tenant), o.Terms.Source)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	points, _, err := c.present(ctx, o.Tenant, s)
	if err != nil {
		return nil, nil, err
	}
	kept = map[string]*KeptError{}
	for _, p := range points {
		if _, ok := slices.BinarySearch(o.Terms.Points, p.ID); ok {
			kept[p.ID] = &KeptError{Point: p.ID, Why: ByRetention}
		}
	}
	// Nothing goes by a policy that is not there any more, nor without approval by one that another order has put in force.
	if s.Keep == nil || c.o.Retainer == nil || o.Case == nil && s.Keep.Order != o.Standing {
		return kept, nil, nil
	}
	list, err := c.o.Retainer.Drop(s.Keep.Policy, points, plain(c.o.Now()))
	for _, id := range list {
		delete(kept, id)
	}
	return kept, s.Keep.Policy, err
}

// ProposeExpiry asks that what the retention policy of a source drops be deleted ([ActionExpire], then [ActionPropose]): at most
// [MaxOrder] points, those first that no other needs, and none that another open order names. It is false when there is nothing to
// ask for. Under [Policy].SkipApprovalUnderRetention the order is approved already, and its delay runs. When it is executed the
// policy is applied again, and what it then keeps stays. It takes memory for all points of the source.
func (c *Catalogue) ProposeExpiry(ctx context.Context, by By, tenant opsec.TenantID, source string) (o Order, some bool, err error) {
	if c.o.Retainer == nil {
		return o, false, invalid("options: retainer: nil")
	}
	if err := c.Lapse(ctx, by, tenant, source); err != nil {
		return o, false, err
	}
	var s *Source
	named := map[string]bool{}
	err = c.db.View(ctx, func(tx *store.Tx) (err error) {
		if s, err = c.source(tx.Sub(tenant), source); err != nil {
			return err
		}
		for o, err := range c.orders.List(tx.Sub(tenant), store.Query{Index: "open", Prefix: store.Text(source)}) {
			if err != nil {
				return err
			}
			for _, id := range o.Terms.Points {
				named[id] = true
			}
		}
		return nil
	})
	if err != nil || s.Keep == nil {
		return o, false, err
	}
	points, depth, err := c.present(ctx, tenant, s)
	if err != nil {
		return o, false, err
	}
	list, err := c.o.Retainer.Drop(s.Keep.Policy, points, plain(c.o.Now()))
	list = slices.DeleteFunc(list, func(id string) bool { return named[id] })
	if err != nil || len(list) == 0 {
		return o, false, err
	}
	slices.SortFunc(list, func(a, b string) int { return cmp.Or(cmp.Compare(depth[b], depth[a]), cmp.Compare(a, b)) })
	list = slices.Sorted(slices.Values(list[:min(len(list), MaxOrder)]))
	var standing opsec.ID
	if c.policy.SkipApprovalUnderRetention {
		standing = s.Keep.Order
	}
	t := Terms{Verb: Delete, Source: source, Points: list, ByRetention: true}
	o, err = c.propose(ctx, by, tenant, t, standing, func(_ *store.Sub, now *Source) error {
		if now.Keep == nil || now.Keep.Order != s.Keep.Order {
			return ErrChanged
		}
		return nil
	})
	return o, err == nil, err
}
