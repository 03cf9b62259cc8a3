package identity

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/store"
)

// Swept is what a sweep has done.
type Swept struct {
	Accounts  int64 // that it has looked at
	Warned    int64 // about dormancy
	Disabled  int64 // by dormancy or expiry, without the sub-accounts that follow
	Settled   int64 // changes of properties
	Forgotten int64 // deleted accounts, whose names are free again
	Expired   int64 // requests
	Delivered int64 // messages that had to wait
}

// due returns the steps that time brings to a family: maxDue of them at most, which are possible one after the other. What is
// dormant under a main account that goes as well only follows it. A sub-account that nobody ever approved is not kept.
func (p *Policy) due(f *Family, now time.Time) (steps []Step) {
	down := false
	for _, a := range f.All() {
		for _, c := range a.Planned {
			if a.State == Active && !down && !now.Before(c.Due) {
				steps = append(steps, Step{Verb: Settle, Account: a.ID, Property: c.Property})
			}
		}
		if (a.Own == Active || a.Own == Suspended) && a.expired(now) {
			steps = append(steps, Step{Verb: Disable, Account: a.ID, Cause: ByExpiry})
			down = down || a.IsMain()
		} else if !down && p.Dormancy.Judge(f, a, now).Disable {
			steps = append(steps, Step{Verb: Disable, Account: a.ID, Cause: ByDormancy})
			down = a.IsMain()
		}
		if a.State == Deleted && !a.IsMain() && (a.Approved.IsZero() || p.Quarantine > 0 && !now.Before(a.Since.Add(p.Quarantine))) {
			steps = append(steps, Step{Verb: Forget, Account: a.ID})
		}
	}
	return steps[:min(len(steps), maxDue)]
}

const maxDue = 8 // what a transaction has room for

// Sweep does what time brings to the accounts of a tenant: warnings about dormancy, each given once; accounts disabled that
// nobody uses, or whose time is over; properties that were planned; requests that nobody decided; names free again after their
// quarantine. It reads all accounts, and is to be run once a day. One that is interrupted is run again: what is done is done,
// and a message that was sent already has the same id. It goes on after errors about single accounts, and returns the first
// few of them joined.
func (d *Directory) Sweep(ctx context.Context, by By, tenant opsec.TenantID) (out Swept, err error) {
	if err := d.do(ctx, by, ActionSweep, resource(tenant, ""), func(*work) error { return nil }); err != nil {
		return out, err
	}
	var errs []error
	note := func(err error) {
		if err != nil && len(errs) < 8 {
			errs = append(errs, err)
		}
	}
	n, err := d.deliver(ctx, tenant, store.Query{})
	out.Delivered = int64(n)
	note(err)
	note(d.lapse(ctx, by, tenant, &out, note))
	note(d.db.View(ctx, func(tx *store.Tx) error {
		for f, err := range d.families.List(tx.Sub(tenant), store.Query{}) {
			if err != nil {
				return err
			}
			out.Accounts += int64(1 + len(f.Subs))
			note(d.sweepFamily(ctx, by, tenant, f, &out))
		}
		return ctx.Err()
	}))
	return out, errors.Join(errs...)
}

// lapse ends the requests whose time is over.
func (d *Directory) lapse(ctx context.Context, by By, tenant opsec.TenantID, out *Swept, note func(error)) error {
	return d.db.View(ctx, func(tx *store.Tx) error {
		for r, err := range d.requests.List(tx.Sub(tenant), store.Query{Index: "open"}) {
			if err != nil {
				return err
			}
			if s, err := r.Case.At(d.o.Now()); err != nil || s.Status == approval.Pending || s.Status == approval.Approved {
				continue
			}
			_, err = d.onRequest(ctx, ActionSweep, by, tenant, r.ID, func(w *work, r *Request) (approval.Case, *opsec.Event, error) {
				return r.Case.Expire(w.now)
			})
			if note(err); err == nil {
				out.Expired++
			}
		}
		return nil
	})
}

// sweepFamily does what time brings to one family. What it was read as decides only whether to look again.
func (d *Directory) sweepFamily(ctx context.Context, by By, tenant opsec.TenantID, f *Family, out *Swept) error {
	now := d.o.Now().UTC()
	id := f.Main.ID
	if len(d.policy.due(f, now)) > 0 {
		if err := d.sweepSteps(ctx, by, tenant, id, out); err != nil {
			return err
		}
	}
	for _, a := range f.All() {
		if v := d.policy.Dormancy.Judge(f, a, now); v.Warning > 0 && !v.Disable {
			if err := d.warn(ctx, by, a, v, out); err != nil {
				return err
			}
		}
	}
	q := d.policy.Quarantine
	if q > 0 && f.Main.State == Deleted && len(f.Subs) == 0 && !now.Before(f.Main.Since.Add(q)) {
		return d.forget(ctx, by, tenant, id, out)
	}
	return nil
}

func (d *Directory) sweepSteps(ctx context.Context, by By, tenant opsec.TenantID, id opsec.ID, out *Swept) error {
	var done []Step
	err := d.do(ctx, by, ActionSweep, resource(tenant, id), func(w *work) error {
		f, err := w.family(w.sub, id)
		if err != nil {
			return err
		}
		if done = w.policy.due(f, w.now); len(done) == 0 {
			return nil
		}
		for _, s := range done {
			if s.Verb == Forget {
				if err := w.names.Delete(w.tx.Sub(opsec.Provider), store.Text(string(s.Account))); err != nil {
					return err
				}
			}
		}
		_, err = w.apply(f, done...)
		return err
	})
	if err != nil {
		return err
	}
	for _, s := range done {
		switch s.Verb {
		case Settle:
			out.Settled++
		case Disable:
			out.Disabled++
		case Forget:
			out.Forgotten++
		}
	}
	if len(done) == maxDue { // perhaps there is more
		return d.sweepSteps(ctx, by, tenant, id, out)
	}
	return nil
}

// warn tells that an account is about to be disabled, and notes that it has: first the one, then the other, so that no warning
// counts that nobody has been given.
func (d *Directory) warn(ctx context.Context, by By, a *Account, v Idle, out *Swept) error {
	failed := d.o.Notifier.Notify(ctx, opsec.Message{
		ID: warningID(a, v), Tenant: a.Tenant, To: d.addresses(a), Severity: opsec.SeverityMedium, Subject: "Your account is not used",
		Body: fmt.Sprintf("Account %s has not been used since %s. Unless it is used, it will be disabled on %s.",
			a.Canonical, v.Base.Format(time.DateOnly), v.Until.Format(time.DateOnly)),
	})
	err := d.do(ctx, by, ActionSweep, resource(a.Tenant, a.ID), func(w *work) error {
		f, err := w.family(w.sub, a.ID)
		if err != nil {
			return err
		}
		b := f.Account(a.ID)
		is := w.policy.Dormancy.Judge(f, b, w.now)
		if !is.Base.Equal(v.Base) || is.Warning != v.Warning {
			return nil // used, or told, meanwhile
		}
		if !b.Warned.Base.Equal(v.Base) {
			b.Warned = Warned{Base: v.Base}
		}
		e := w.event(ActionWarn, w.by, resource(a.Tenant, a.ID), opsec.OutcomeOf(failed))
		e.Attrs = []opsec.Attr{{Key: "name", Value: b.Canonical, Mark: opsec.Personal}, {Key: "until", Value: v.Until.Format(time.DateOnly), Mark: opsec.Tenant}}
		switch {
		case failed == nil:
			b.Warned = Warned{Base: v.Base, Count: v.Warning, At: w.now}
		case !b.Warned.Failing.IsZero():
			return nil // it is known
		default:
			b.Warned.Failing = w.now
		}
		if err := w.tx.Emit(e); err != nil {
			return err
		}
		return w.put(f)
	})
	if failed == nil && err == nil {
		out.Warned++
	}
	return errors.Join(failed, err)
}

// warningID is the same for the same warning.
func warningID(a *Account, v Idle) opsec.ID {
	return derived("warning", string(a.ID), v.Base.UTC().Format(time.RFC3339Nano), fmt.Sprint(v.Warning))
}

// derived returns an id that is the same for the same texts: a UUID of version 8 (RFC 9562, section 5.8).
func derived(texts ...string) opsec.ID {
	h := sha256.New()
	for _, t := range texts {
		fmt.Fprintf(h, "%d:%s", len(t), t)
	}
	b := h.Sum(nil)[:16]
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	return opsec.ID(fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]))
}

// forget removes a deleted main account: its history, its name, and itself.
func (d *Directory) forget(ctx context.Context, by By, tenant opsec.TenantID, id opsec.ID, out *Swept) error {
	if _, err := d.history.Sweep(ctx, d.db, tenant, store.Query{Prefix: store.Text(string(id))}, nil); err != nil {
		return err
	}
	err := d.do(ctx, by, ActionSweep, resource(tenant, id), func(w *work) error {
		f, err := w.family(w.sub, id)
		if err != nil {
			return err
		}
		s := Step{Verb: Forget, Account: id, Time: w.now}
		if _, err := f.Apply(s); err != nil {
			return err
		}
		for _, e := range w.changed(ActionForget, &f.Main, nil, false, s) {
			if err := w.tx.Emit(e); err != nil {
				return err
			}
		}
		if err := w.names.Delete(w.tx.Sub(opsec.Provider), store.Text(string(id))); err != nil {
			return err
		}
		return w.families.Delete(w.sub, store.Text(string(id)))
	})
	if err == nil {
		out.Forgotten++
	}
	return err
}
