package catalogue

import (
	"context"
	"errors"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/store"
)

// Lapse ends the orders about a source whose time has run out ([ActionExpire]).
func (c *Catalogue) Lapse(ctx context.Context, by By, tenant opsec.TenantID, source string) error {
	if err := c.do(ctx, by, ActionExpire, sourceResource(tenant, source), func(*work) error { return nil }); err != nil {
		return err
	}
	var old []opsec.ID
	err := c.db.View(ctx, func(tx *store.Tx) error {
		for o, err := range c.orders.List(tx.Sub(tenant), store.Query{Index: "open", Prefix: store.Text(source)}) {
			if err != nil {
				return err
			}
			if o.lapsed(&c.policy, c.o.Now()) {
				old = append(old, o.ID)
			}
		}
		return nil
	})
	for _, id := range old {
		err = errors.Join(err, c.update(ctx, by, tenant, func(w *work) error {
			o, err := w.order(w.sub, id)
			if err != nil || o.State.final() || !o.lapsed(&w.policy, w.now) {
				return err
			}
			o.State, o.Why, o.Closed = Ended, string(approval.Expired), w.now
			if o.Case == nil {
				err = w.tell(ActionExpire, orderResource(tenant, id), "source", source, "standing", string(o.Standing))
			} else {
				k, e, wrong := o.Case.Expire(w.now)
				if wrong != nil {
					return wrong
				}
				o.Case, err = &k, w.tx.Emit(e)
			}
			if err != nil {
				return err
			}
			return w.orders.Put(w.sub, o)
		}))
	}
	return err
}

// lapsed reports whether the time of an order has run out.
func (o *Order) lapsed(p *Policy, now time.Time) bool {
	if o.State != Asked && o.State != Waiting {
		return false
	}
	if o.Case == nil { // its delay has begun when it was asked for
		return !now.Before(o.Asked.Add(p.approval(o.Terms.Verb).UseWithin))
	}
	s, err := o.Case.At(now)
	return err == nil && s.Status == approval.Expired
}
