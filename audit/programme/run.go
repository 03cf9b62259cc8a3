package programme

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
)

// Check is an automated procedure. Whatever finds out about an item can be one: a backup's verification, a baseline's
// scan. An error says that the item could not be tested.
type Check interface {
	Check(ctx context.Context, item Item) (Verdict, error)
}

// CheckFunc is a function that is a Check.
type CheckFunc func(ctx context.Context, item Item) (Verdict, error)

// Check calls f.
func (f CheckFunc) Check(ctx context.Context, item Item) (Verdict, error) { return f(ctx, item) }

// Item is one thing of a population.
type Item struct {
	ID     string         // as in the population that was frozen
	Type   string         // of the resource, as the targets of grants name it: "volume"; none: "item"
	Tenant opsec.TenantID // whose it is; none: the provider's
}

func (i Item) resource() opsec.Resource {
	r := opsec.Resource{Tenant: i.Tenant, Type: i.Type, ID: i.ID}
	if r.Tenant == "" {
		r.Tenant = opsec.Provider
	}
	if r.Type == "" {
		r.Type = "item"
	}
	return r
}

// Verdict is what a check has found.
type Verdict struct {
	Status   Status
	Detail   string     // why; needed unless it passed
	Evidence []Evidence // needed when it passed; who collected it and when is filled in
}

// Run carries out an automated procedure on the items drawn, one after the other: under the grant of its check, each use of
// which is counted and recorded before the check begins. Items that have a result are passed over, so Run can be called
// again after it was cut short.
//
// An item is [NotTested], with the reason, when the check returns an error, panics, does not return within the timeout
// (it is left alone then, and what it says later is not heard), or has a verdict that cannot be taken: an unknown status,
// a pass without evidence, a failure without a reason, evidence that is not valid or whose proof does not verify.
//
// The population needs to have the items drawn. The first use that is refused ends the run, and so does the end of ctx:
// the audit comes back as it is, with the error.
func (d *Desk) Run(ctx context.Context, who opsec.Actor, id, procedure, grant string, c Check,
	population []Item, timeout time.Duration) (Audit, error) {
	if c == nil || timeout <= 0 {
		return Audit{}, invalid("run: no check, or no timeout")
	}
	if err := d.authorize(ctx, who, ActionPerform, id); err != nil {
		return Audit{}, err
	}
	a, err := d.enter(ctx, who, ActionUse, id)
	if err != nil {
		return a, err
	}
	items, err := a.toTest(procedure, population)
	if err != nil {
		return a, err
	}
	for _, item := range items {
		if a.result(procedure, item.ID) != nil {
			continue // from another run, meanwhile
		}
		if err := ctx.Err(); err != nil {
			return a, err
		}
		now := d.opts.Now()
		if err := d.open(now, now.Add(timeout)); err != nil {
			return a, err
		}
		use := Use{Grant: grant, Target: item.resource(), Procedure: procedure}
		if a, err = d.take(ctx, who, id, use); err != nil {
			return a, err
		}
		r, err := d.test(ctx, who.Person, procedure, c, item, timeout)
		if err != nil {
			return a, err
		}
		if a, err = d.record(ctx, who, id, r); err != nil {
			return a, err
		}
	}
	return a, nil
}

// toTest returns the items that the procedure has to look at still.
func (a *Audit) toTest(procedure string, population []Item) (items []Item, err error) {
	x := a.Plan.procedure(procedure)
	switch {
	case x == nil || x.Check == "":
		return nil, invalid("run: no automated procedure %s in the plan", short(procedure))
	case a.Stage != Fieldwork:
		return nil, notNow("the audit is %s", a.Stage)
	}
	known := make(map[string]Item, len(population))
	for _, item := range population {
		if _, twice := known[item.ID]; twice || item.Tenant != "" && item.Tenant.Validate() != nil {
			return nil, invalid("run: procedure %s: an item of the population is there twice, or its tenant has no id", x.ID)
		}
		known[item.ID] = item
	}
	for _, drawn := range a.Draw.Items[x.ID] {
		item, ok := known[drawn]
		if !ok {
			return nil, invalid("run: procedure %s: the population does not have an item that was drawn", x.ID)
		}
		if a.result(x.ID, drawn) == nil {
			items = append(items, item)
		}
	}
	return items, nil
}

// record takes the step Perform, unless somebody else has found out about the item meanwhile.
func (d *Desk) record(ctx context.Context, who opsec.Actor, id string, r Result) (Audit, error) {
	a, err := d.take(ctx, who, id, Perform{Results: []Result{r}})
	if err != nil && a.result(r.Procedure, r.Item) != nil {
		return a, nil
	}
	return a, err
}

// test returns what came of the check. An error says that ctx has ended.
func (d *Desk) test(ctx context.Context, person, procedure string, c Check, item Item, timeout time.Duration) (Result, error) {
	began := d.opts.Now()
	v, err := guarded(ctx, c, item, timeout)
	if ended := ctx.Err(); ended != nil {
		return Result{}, ended
	}
	r := Result{
		Procedure: procedure, Item: item.ID, Tenant: item.Tenant, Status: v.Status, Detail: cut(v.Detail, maxText),
		Evidence: slices.Clone(v.Evidence), Automated: true,
	}
	for i := range r.Evidence {
		e := &r.Evidence[i]
		if e.Person == "" {
			e.Person = person
		}
		if e.Collected.IsZero() {
			e.Collected = began
		}
	}
	if err == nil {
		_, tooLong := own("result", r, maxElement)
		err = first(r.validate(), tooLong, checkCollected(r.Evidence, d.opts.Now()), d.prove(ctx, r.Evidence))
	}
	if err != nil {
		d.opts.Logger.WarnContext(ctx, "programme: not tested", "procedure", procedure, "item", item.ID, "reason", err)
		r.Status, r.Evidence, r.Detail = NotTested, nil, cut(err.Error(), maxText)
	}
	return r, nil
}

// guarded calls the check, and waits no longer than the timeout.
func guarded(ctx context.Context, c Check, item Item, timeout time.Duration) (Verdict, error) {
	type answer struct {
		verdict Verdict
		err     error
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	answers := make(chan answer, 1)
	go func() {
		a := answer{err: errors.New("the check ended without a verdict")} // runtime.Goexit
		defer func() {
			if p := recover(); p != nil {
				a = answer{err: fmt.Errorf("the check panicked: %v", p)}
			}
			answers <- a
		}()
		v, err := c.Check(ctx, item)
		if err != nil { // in words now: what it says of itself may panic, or be nothing
			err = errors.New(cmp.Or(fmt.Sprint(err), "the check returned an error without a text"))
		}
		a = answer{v, err}
	}()
	select {
	case a := <-answers:
		return a.verdict, a.err
	case <-ctx.Done():
		return Verdict{}, fmt.Errorf("no verdict within %v", timeout)
	}
}
