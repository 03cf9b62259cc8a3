package catalogue

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/store"
)

// Execute does what an order says, once it is approved and its delay is over ([ActionExecute]); before that it is a [*DelayError]. The
// approval is spent first: signatures and roles of the approvers are looked at again. When by now the [Policy] asks others for their approval
// than were asked, that is [ErrChanged].
//
// Of a deletion each point is judged again, in the transaction that marks it: one that is held, locked, needed by another, or the last
// that is known to be whole stays, and the order says why ([Order].Kept). Points go before those that they need. Each copy is deleted
// between an intent and its end at the Recorder; what remains of the point is its record. When the Deleter fails or the process dies, the
// order is [Executing], and Execute goes on with it, without another approval: its error then joins those of all points. A hold that
// comes meanwhile stops it before the next copy, and so does what makes the point the last one known to be whole.
func (c *Catalogue) Execute(ctx context.Context, by By, tenant opsec.TenantID, id opsec.ID) (o Order, err error) {
	o, err = c.onOrder(ctx, by, ActionExecute, tenant, id, func(w *work, o *Order) error { return w.begin(o) })
	if err != nil || o.State != Executing {
		return o, err
	}
	kept, under, err := c.keptByRetention(ctx, &o)
	if err != nil {
		return o, err
	}
	points, err := c.inOrder(ctx, &o)
	if err != nil {
		return o, err
	}
	var failed []error
	gone, stay := 0, []KeptError(nil)
	for _, id := range points {
		stays, err := kept[id], error(nil)
		if stays == nil {
			stays, err = c.remove(ctx, by, &o, id, under)
		}
		switch {
		case stays != nil:
			stay = append(stay, *stays)
		case err == nil:
			gone++
		default:
			failed = append(failed, fmt.Errorf("catalogue: point %q: %w", id, err))
			if ctx.Err() != nil {
				return o, errors.Join(failed...)
			}
		}
	}
	if len(failed) > 0 {
		return o, errors.Join(failed...)
	}
	if b, err := json.Marshal(stay); err != nil || len(b) > maxKept {
		for i := range stay {
			stay[i].What = ""
		}
	}
	err = c.update(ctx, by, tenant, func(w *work) error {
		now, err := w.order(w.sub, o.ID)
		if err != nil {
			return err
		}
		if !now.State.final() { // another may have been as quick
			for p, err := range w.points.List(w.sub, store.Query{Index: "deleting", Prefix: store.Text(string(o.ID))}) {
				if err != nil {
					return err
				}
				return fmt.Errorf("catalogue: point %q: another execution of the order is at it, or was stopped: execute it again", p.ID)
			}
			now.State, now.Closed, now.Gone, now.Kept = Done, w.now, gone, stay
			if err := w.tell(ActionExecute, orderResource(tenant, o.ID), "verb", string(o.Terms.Verb), "source", o.Terms.Source,
				"gone", number(int64(gone)), "kept", number(int64(len(stay)))); err != nil {
				return err
			}
			if err := w.orders.Put(w.sub, now); err != nil {
				return err
			}
		}
		o = *now
		return nil
	})
	return o, err
}

// begin spends the approval of an order, and does what takes one transaction.
func (w *work) begin(o *Order) error {
	switch o.State {
	case Executing:
		return nil
	case Asked:
		return denied("order: is not approved")
	}
	if until := o.Ready.Add(max(0, w.policy.delay(o.Terms.Verb)-o.Terms.Delay)); w.now.Before(until) {
		return &DelayError{until} // a delay is never shorter than it was when people decided
	}
	if err := w.current(o); err != nil {
		return err
	}
	if o.Case != nil {
		action, err := o.action()
		if err != nil {
			return err
		}
		k, e, err := o.Case.Use(action, w.by.Actor, w.o.Authority, w.now)
		if err != nil {
			w.refusal = e
			return err
		}
		if err := w.tx.Emit(e); err != nil {
			return err
		}
		o.Case = &k
	}
	switch o.Terms.Verb {
	case Delete:
		o.State = Executing
		return w.tell(ActionExecute, orderResource(w.tenant, o.ID), "verb", string(Delete), "source", o.Terms.Source, "begun", "true")
	case Shorten:
		if err := w.shorten(o); err != nil {
			return err
		}
	case Release:
		if err := w.release(o); err != nil {
			return err
		}
	}
	o.State, o.Closed = Done, w.now
	return nil
}

// current returns an error when an order would be let through by less than the policy asks for by now.
func (w *work) current(o *Order) error {
	if o.Case == nil {
		if !w.policy.SkipApprovalUnderRetention {
			return fmt.Errorf("%w: what the retention policy drops needs approval: propose it again: %w", ErrChanged, opsec.ErrDenied)
		}
		if o.lapsed(&w.policy, w.now) {
			return approval.StatusError{Status: approval.Expired}
		}
		return nil
	}
	if !sameQuorum(o.Case.Request.Policy, w.policy.approval(o.Terms.Verb)) {
		return fmt.Errorf("%w: others must approve it: propose it again: %w", ErrChanged, opsec.ErrDenied)
	}
	return nil
}

// release takes a hold away.
func (w *work) release(o *Order) error {
	without := func(list []Hold) ([]Hold, error) {
		out := slices.DeleteFunc(slices.Clone(list), func(h Hold) bool { return h.ID == o.Terms.Hold })
		if len(out) == len(list) {
			return nil, ErrChanged
		}
		return out, nil
	}
	on := sourceResource(w.tenant, o.Terms.Source)
	if o.Terms.Point == "" {
		s, err := w.source(w.sub, o.Terms.Source)
		if err == nil {
			s.Holds, err = without(s.Holds)
		}
		if err == nil {
			err = w.sources.Put(w.sub, s)
		}
		if err != nil {
			return err
		}
	} else {
		p, err := w.point(w.sub, o.Terms.Source, o.Terms.Point)
		if err == nil {
			p.Holds, err = without(p.Holds)
		}
		if err == nil {
			err = w.points.Put(w.sub, p)
		}
		if err != nil {
			return err
		}
		on = pointResource(w.tenant, o.Terms.Source, o.Terms.Point)
	}
	return w.tell(ActionRelease, on, "hold", string(o.Terms.Hold), "order", string(o.ID))
}

// inOrder returns the points of an order, each before those that it needs.
func (c *Catalogue) inOrder(ctx context.Context, o *Order) ([]string, error) {
	depth := map[string]int{}
	err := c.db.View(ctx, func(tx *store.Tx) error {
		keys := make([]store.Key, len(o.Terms.Points))
		for i, id := range o.Terms.Points {
			keys[i] = pointKey(o.Terms.Source, id)
		}
		list, err := c.points.GetAll(tx.Sub(o.Tenant), keys...)
		for i, p := range list {
			if p != nil {
				depth[o.Terms.Points[i]] = p.Depth
			}
		}
		return err
	})
	points := slices.Clone(o.Terms.Points)
	slices.SortStableFunc(points, func(a, b string) int { return cmp.Compare(depth[b], depth[a]) })
	return points, err
}

// remove deletes a point, or goes on with it, unless it stays. Under is the retention policy by which it goes.
func (c *Catalogue) remove(ctx context.Context, by By, o *Order, id string, under json.RawMessage) (*KeptError, error) {
	var p Point
	var stays *KeptError
	err := c.update(ctx, by, o.Tenant, func(w *work) error {
		got, err := w.point(w.sub, o.Terms.Source, id)
		if err != nil {
			return err
		}
		p, stays = *got, nil
		if p.State != Present && p.Order == o.ID {
			return nil
		}
		if p.State != Present {
			stays = &KeptError{Point: id, Why: Ordered, What: string(p.Order)}
			return nil
		}
		s, err := w.source(w.sub, o.Terms.Source)
		if err != nil {
			return err
		}
		if o.Terms.ByRetention && (s.Keep == nil || !bytes.Equal(s.Keep.Policy, under)) {
			return ErrChanged // what it keeps is to be found out again
		}
		if now, err := w.order(w.sub, o.ID); err != nil || now.State.final() { // another execution has ended it
			return cmp.Or(err, ErrEnded)
		}
		if err := w.judge(s, &p, o.Terms.InsecureLastToo); err != nil {
			if kept, ok := errors.AsType[*KeptError](err); ok {
				stays = kept
				return nil
			}
			return err
		}
		p.State, p.Order, p.Ended = Deleting, o.ID, w.now
		if err := w.points.Put(w.sub, &p); err != nil {
			return err
		}
		return w.tell(ActionMark, pointResource(o.Tenant, p.Source, p.ID), "order", string(o.ID))
	})
	if err != nil || stays != nil || p.State == Deleted {
		return stays, err
	}
	var failed []error
	for i := range p.Copies {
		if !p.Copies[i].Gone.IsZero() {
			continue
		}
		if err := c.erase(ctx, by, o, p, p.Copies[i]); err != nil {
			failed = append(failed, fmt.Errorf("copy at %q: %w", p.Copies[i].Location, err))
		} else {
			p.Copies[i].Gone = plain(c.o.Now())
		}
	}
	return nil, errors.Join(append(failed, c.gone(ctx, by, o, &p))...)
}

// erase deletes a copy, if nobody has said meanwhile that it must stay.
func (c *Catalogue) erase(ctx context.Context, by By, o *Order, p Point, k Copy) error {
	err := c.db.View(ctx, func(tx *store.Tx) error {
		sub := tx.Sub(o.Tenant)
		s, err := c.source(sub, p.Source)
		if err != nil {
			return err
		}
		now, err := c.point(sub, p.Source, p.ID)
		if err != nil {
			return err
		}
		err = frozen(s, now, c.o.Now())
		if err == nil && !o.Terms.InsecureLastToo {
			err = c.last(sub, now)
		}
		if err != nil {
			return fmt.Errorf("catalogue: its deletion has begun, and is stopped: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	e := c.event(ActionErase, by, pointResource(o.Tenant, p.Source, p.ID), opsec.Pending)
	e.Attrs = []opsec.Attr{{Key: "location", Value: k.Location, Mark: opsec.Tenant}, {Key: "order", Value: string(o.ID), Mark: opsec.Tenant}}
	op, err := opsec.Begin(ctx, c.o.Recorder, e)
	if err != nil {
		return err
	}
	err = c.o.Deleter.Delete(ctx, o.Tenant, p, k)
	outcome := opsec.OutcomeOf(err)
	if err != nil && ctx.Err() != nil {
		outcome = opsec.Unknown
	}
	return errors.Join(err, op.End(context.WithoutCancel(ctx), outcome))
}

// gone writes down which copies are gone, and with the last of them the point.
func (c *Catalogue) gone(ctx context.Context, by By, o *Order, p *Point) error {
	return c.update(context.WithoutCancel(ctx), by, o.Tenant, func(w *work) error {
		now, err := w.point(w.sub, p.Source, p.ID)
		if err != nil || now.State != Deleting {
			return err
		}
		left := 0
		for i := range now.Copies { // of a marked point there are none to come
			if k := &now.Copies[i]; k.Gone.IsZero() {
				k.Gone = p.Copies[i].Gone
			}
			if now.Copies[i].Gone.IsZero() {
				left++
			}
		}
		if left == 0 {
			now.State = Deleted
			if err := w.tell(ActionDelete, pointResource(o.Tenant, p.Source, p.ID), "order", string(o.ID), "manifest", p.Manifest); err != nil {
				return err
			}
		}
		return w.points.Put(w.sub, now)
	})
}
