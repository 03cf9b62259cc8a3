package catalogue

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/store"
)

// MaxOrder is how many points an order deletes at most.
const MaxOrder = 500

const (
	maxTerms = 64 << 10 // bytes of JSON: an order is one record, and must hold what becomes of it too
	maxKept  = 96 << 10
)

// Verb is what an order does.
type Verb string

// The verbs.
const (
	Delete  Verb = "delete"  // points
	Shorten Verb = "shorten" // what the retention policy of a source keeps
	Release Verb = "release" // a hold
)

// Terms is what people decide about: all of it is approved, to the last byte.
type Terms struct {
	Verb   Verb     `json:"verb"`
	Source string   `json:"source"`
	Points []string `json:"points,omitempty"` // Delete: in the order of their ids
	// InsecureLastToo deletes also what no other point of the source could replace: its last verified and its last point. It is how
	// a source ends.
	InsecureLastToo bool            `json:"insecure_last_too,omitempty"`
	ByRetention     bool            `json:"by_retention,omitempty"` // Delete: of the points, those that the source's policy drops also when it is done
	Policy          json.RawMessage `json:"policy,omitempty"`       // Shorten: to be in force
	Was             json.RawMessage `json:"was,omitempty"`          // Shorten: in force when asked; empty: none, and everything was kept
	Drops           int             `json:"drops,omitempty"`        // Shorten: how many present points go that would have stayed
	Point           string          `json:"point,omitempty"`        // Release: of a hold on a point
	Hold            opsec.ID        `json:"hold,omitempty"`         // Release
	Delay           time.Duration   `json:"delay"`                  // nanoseconds, from the last approval
}

// Stand is where an order stands.
type Stand string

// The stands. The last two are final.
const (
	Asked     Stand = "asked"     // people decide
	Waiting   Stand = "waiting"   // it is approved, and its delay runs or is over
	Executing Stand = "executing" // some of it may be done
	Done      Stand = "done"
	Ended     Stand = "ended" // nothing was done: rejected, withdrawn, expired, cancelled
)

func (s Stand) final() bool { return s == Done || s == Ended }

// Order is a step that needs approval and time.
type Order struct {
	ID       opsec.ID       `json:"id"`
	Tenant   opsec.TenantID `json:"tenant"`
	Terms    Terms          `json:"terms"`
	By       opsec.Actor    `json:"by"`
	Asked    time.Time      `json:"asked"`
	Case     *approval.Case `json:"case,omitempty"`     // nil when Standing
	Standing opsec.ID       `json:"standing,omitempty"` // the order by which the retention policy was approved that drops these points
	State    Stand          `json:"state"`
	Ready    time.Time      `json:"ready,omitzero"` // when it may be executed at the earliest, once it is approved
	Why      string         `json:"why,omitempty"`  // Ended: by what
	Closed   time.Time      `json:"closed,omitzero"`
	Gone     int            `json:"gone,omitempty"` // points deleted
	Kept     []KeptError    `json:"kept,omitempty"` // points that stayed, and why; where that takes too much room, without What
}

func (o *Order) action() (approval.Action, error) {
	b, err := json.Marshal(o.Terms)
	return approval.NewAction("backup."+string(o.Terms.Verb), sourceResource(o.Tenant, o.Terms.Source), b), err
}

// ProposeDeletion asks that points of a source be deleted ([ActionPropose]): 1 to [MaxOrder], present ones. What is held or locked
// is refused at once; everything is judged again when the order is executed. With lastToo it deletes also what protects the source
// from having nothing.
func (c *Catalogue) ProposeDeletion(ctx context.Context, by By, tenant opsec.TenantID, source string, points []string, lastToo bool) (Order, error) {
	t := Terms{Verb: Delete, Source: source, Points: slices.Compact(slices.Sorted(slices.Values(points))), InsecureLastToo: lastToo}
	if len(t.Points) == 0 || len(t.Points) > MaxOrder {
		return Order{}, invalid("order: %d points, want 1 to %d", len(t.Points), MaxOrder)
	}
	return c.propose(ctx, by, tenant, t, "", func(sub *store.Sub, s *Source) error {
		for _, id := range t.Points {
			p, err := c.point(sub, source, id)
			if err != nil {
				return err
			}
			if p.State != Present {
				return invalid("order: point %q is %s", id, p.State)
			}
			if err := frozen(s, p, c.o.Now()); err != nil {
				return err
			}
		}
		return nil
	})
}

// ProposeRelease asks that a hold on a point, or with an empty point on the source, end ([ActionPropose]). There is no delay.
func (c *Catalogue) ProposeRelease(ctx context.Context, by By, tenant opsec.TenantID, source, point string, hold opsec.ID) (Order, error) {
	t := Terms{Verb: Release, Source: source, Point: point, Hold: hold}
	return c.propose(ctx, by, tenant, t, "", func(sub *store.Sub, s *Source) error {
		list := s.Holds
		if point != "" {
			p, err := c.point(sub, source, point)
			if err != nil {
				return err
			}
			list = p.Holds
		}
		if !slices.ContainsFunc(list, func(h Hold) bool { return h.ID == hold }) {
			return notFound("hold")
		}
		return nil
	})
}

// propose opens an order, after a look at what it is about. With standing it is approved already.
func (c *Catalogue) propose(ctx context.Context, by By, tenant opsec.TenantID, t Terms, standing opsec.ID, look func(*store.Sub, *Source) error) (o Order, err error) {
	if b, err := json.Marshal(t); err != nil || len(b) > maxTerms {
		return o, invalid("order: %d bytes of JSON, want at most %d: name fewer points", len(b), maxTerms)
	}
	err = c.do(ctx, by, ActionPropose, sourceResource(tenant, t.Source), func(w *work) error {
		s, err := w.source(w.sub, t.Source)
		if err != nil {
			return err
		}
		// What is looked at may be more than a transaction holds; it is all judged again at the execution.
		if err := c.db.View(ctx, func(tx *store.Tx) error { return look(tx.Sub(tenant), s) }); err != nil {
			return err
		}
		t.Delay = w.policy.delay(t.Verb)
		o = Order{ID: opsec.NewID(), Tenant: tenant, Terms: t, By: by.Actor, Asked: w.now, State: Asked}
		if standing != "" {
			o.Standing, o.State = standing, Waiting
			if o.Ready, err = w.ready(&o, w.now); err != nil {
				return err
			}
		} else if err := w.ask(&o); err != nil {
			return err
		}
		if err := w.tell(ActionPropose, orderResource(tenant, o.ID), "verb", string(t.Verb), "source", t.Source, "points", number(int64(len(t.Points))),
			"standing", string(standing), "ready", stamp(o.Ready)); err != nil {
			return err
		}
		return w.orders.Insert(w.sub, &o)
	})
	return o, err
}

func (w *work) ask(o *Order) error {
	action, err := o.action()
	if err != nil {
		return err
	}
	in := approval.Request{Action: action, By: w.by.Actor, Reason: w.by.Reason, Policy: w.policy.approval(o.Terms.Verb)}
	k, e, err := approval.New(in, w.now)
	if err != nil {
		return err
	}
	o.ID, o.Case = k.Request.ID, &k
	return w.tx.Emit(e)
}

func (s *shelf) order(sub *store.Sub, id opsec.ID) (*Order, error) {
	if id.Validate() != nil {
		return nil, notFound("order")
	}
	o, err := s.orders.Get(sub, store.Text(string(id)))
	if errors.Is(err, opsec.ErrNotFound) {
		return nil, notFound("order")
	}
	return o, err
}

// Order returns an order ([ActionRead]).
func (c *Catalogue) Order(ctx context.Context, who opsec.Actor, tenant opsec.TenantID, id opsec.ID) (o Order, err error) {
	err = c.read(ctx, who, orderResource(tenant, id), func(sub *store.Sub) error {
		got, err := c.order(sub, id)
		if err == nil {
			o = *got
		}
		return err
	})
	return o, err
}

// Orders yields the orders about a source of which something may still come, the oldest first.
func (c *Catalogue) Orders(ctx context.Context, who opsec.Actor, tenant opsec.TenantID, source string) iter.Seq2[Order, error] {
	return each(c, ctx, who, sourceResource(tenant, source), c.orders, store.Query{Index: "open", Prefix: store.Text(source)})
}

// Message returns what an approver signs for a decision; see [approval.Case.Message].
func (c *Catalogue) Message(ctx context.Context, tenant opsec.TenantID, id opsec.ID, d approval.Decision) (message []byte, err error) {
	err = c.read(ctx, d.By, orderResource(tenant, id), func(sub *store.Sub) error {
		o, err := c.order(sub, id)
		if err == nil && o.Case == nil {
			err = denied("order: nobody is asked about it")
		}
		if err == nil {
			message = o.Case.Message(d)
		}
		return err
	})
	return message, err
}

// onOrder changes an order of which something may still come.
func (c *Catalogue) onOrder(ctx context.Context, by By, action string, tenant opsec.TenantID, id opsec.ID, fn func(*work, *Order) error) (out Order, err error) {
	err = c.do(ctx, by, action, orderResource(tenant, id), func(w *work) error {
		o, err := w.order(w.sub, id)
		if err != nil {
			return err
		}
		if o.State.final() {
			return ErrEnded
		}
		if err := fn(w, o); err != nil {
			return err
		}
		out = *o
		return w.orders.Put(w.sub, o)
	})
	return out, err
}

// Decide takes a decision about an order ([ActionDecide]). With the last approval the delay begins; until the execution an approver may
// still retract, which ends the order. Errors are those of [approval.Case.Decide], and [ErrChanged] when by now the [Policy] asks others.
func (c *Catalogue) Decide(ctx context.Context, tenant opsec.TenantID, id opsec.ID, d approval.Decision) (Order, error) {
	return c.onCase(ctx, By{d.By, d.Reason}, ActionDecide, tenant, id, func(w *work, o *Order) (approval.Case, *opsec.Event, error) {
		if d.Verb == approval.Approve {
			if err := w.current(o); err != nil {
				return *o.Case, nil, err
			}
		}
		return o.Case.Decide(d, w.o.Authority, w.now)
	})
}

// Withdraw takes an order back, by the person who asked ([ActionDecide]).
func (c *Catalogue) Withdraw(ctx context.Context, by By, tenant opsec.TenantID, id opsec.ID) (Order, error) {
	return c.onCase(ctx, by, ActionDecide, tenant, id, func(w *work, o *Order) (approval.Case, *opsec.Event, error) {
		return o.Case.Withdraw(by.Actor, by.Reason, w.now)
	})
}

func (c *Catalogue) onCase(ctx context.Context, by By, action string, tenant opsec.TenantID, id opsec.ID, fn func(*work, *Order) (approval.Case, *opsec.Event, error)) (Order, error) {
	return c.onOrder(ctx, by, action, tenant, id, func(w *work, o *Order) error {
		if o.Case == nil || o.State == Executing {
			return denied("order: is not for decisions any more, or never was")
		}
		k, e, err := fn(w, o)
		if err != nil {
			w.refusal = e
			return err
		}
		o.Case = &k
		if err := w.follow(o); err != nil {
			return err
		}
		return w.tx.Emit(e)
	})
}

// follow brings the order to where its case stands.
func (w *work) follow(o *Order) error {
	s, err := o.Case.At(w.now)
	if err != nil {
		return err
	}
	switch s.Status {
	case approval.Pending:
	case approval.Approved:
		if o.State == Asked {
			o.State = Waiting
			o.Ready, err = w.ready(o, o.Case.History[len(o.Case.History)-1].Time)
		}
	default:
		o.State, o.Why, o.Closed = Ended, string(s.Status), w.now
	}
	return err
}

// ready returns when an order that was approved at some time may be executed. A delay counts from no earlier than the newest point of the source
// was received, so that the clock of one node that has gone back does not cut it short; but for points that are from so far ahead that the order
// will have lapsed by then, lest a clock that was ahead once puts off everything for ever.
func (w *work) ready(o *Order, approved time.Time) (time.Time, error) {
	newest := between("time", o.Terms.Source, time.Time{}, time.Time{})
	newest.Reverse = true
	for p, err := range w.points.List(w.sub, newest) {
		if err != nil {
			return time.Time{}, err
		}
		if late := p.Received.Sub(approved); o.Terms.Delay > 0 && late > 0 && late < w.policy.approval(o.Terms.Verb).UseWithin {
			approved = p.Received
		}
		break
	}
	return approved.Add(o.Terms.Delay), nil
}

// Cancel ends an order that is not being executed yet ([ActionCancel]): anybody may whom the Authorizer lets, since nothing is lost by
// it.
func (c *Catalogue) Cancel(ctx context.Context, by By, tenant opsec.TenantID, id opsec.ID) (Order, error) {
	return c.onOrder(ctx, by, ActionCancel, tenant, id, func(w *work, o *Order) error {
		if o.State == Executing {
			return denied("order: is being executed")
		}
		o.State, o.Why, o.Closed = Ended, "cancelled", w.now
		return w.tell(ActionCancel, orderResource(tenant, id), "verb", string(o.Terms.Verb), "source", o.Terms.Source)
	})
}
