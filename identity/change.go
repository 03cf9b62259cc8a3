package identity

import (
	"context"
	"time"

	"github.com/cloudopsec/opsec"
)

// Suspend keeps an account, and its sub-accounts, from being used for a while.
func (d *Directory) Suspend(ctx context.Context, by By, tenant opsec.TenantID, id opsec.ID) (Account, error) {
	return d.on(ctx, by, tenant, id, Step{Verb: Suspend})
}

// Resume ends a suspension.
func (d *Directory) Resume(ctx context.Context, by By, tenant opsec.TenantID, id opsec.ID) (Account, error) {
	return d.on(ctx, by, tenant, id, Step{Verb: Resume})
}

// Disable keeps an account, and its sub-accounts, from being used until somebody approves that it is ([Directory.Enable]).
func (d *Directory) Disable(ctx context.Context, by By, tenant opsec.TenantID, id opsec.ID) (Account, error) {
	return d.on(ctx, by, tenant, id, Step{Verb: Disable})
}

// Delete ends an account, and its sub-accounts, for ever. Rights and properties are gone; the name is nobody's until the
// quarantine of the policy is over.
func (d *Directory) Delete(ctx context.Context, by By, tenant opsec.TenantID, id opsec.ID) (Account, error) {
	return d.on(ctx, by, tenant, id, Step{Verb: Delete})
}

// Review notes that somebody, another person than who has the account, has confirmed that it is needed as it is.
func (d *Directory) Review(ctx context.Context, by By, tenant opsec.TenantID, id opsec.ID) (Account, error) {
	return d.on(ctx, by, tenant, id, Step{Verb: Review})
}

// Touch notes that an account has been used; for whoever has authenticated somebody. It is written once a day at most, and
// otherwise only reads. An account that is not usable is an error that wraps [opsec.ErrDenied].
func (d *Directory) Touch(ctx context.Context, by By, tenant opsec.TenantID, id opsec.ID) error {
	return d.do(ctx, by, ActionTouch, resource(tenant, id), func(w *work) error {
		f, err := w.family(w.sub, id)
		if err != nil {
			return err
		}
		a, today := f.Account(id), w.now.Truncate(day)
		switch {
		case !a.Usable(w.now):
			return denied("the account is %s, or its time is over", a.State)
		case !a.LastUsed.Before(today):
			return nil
		}
		a.LastUsed, a.Warned = today, Warned{}
		e := w.event(ActionTouch, w.by, resource(tenant, id), opsec.Success)
		e.Class = opsec.BestEffort
		if err := w.tx.Emit(e); err != nil {
			return err
		}
		return w.put(f)
	})
}

// Usable reports whether somebody may sign in with the account at the time now: it is active, and its time is not over. That of
// its main account counts from the next [Directory.Sweep].
func (a *Account) Usable(now time.Time) bool { return a.State == Active && !a.expired(now) }
