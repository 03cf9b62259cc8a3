package credential

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/password"
)

// AskReset sends the owner a token, as anybody may ask who has forgotten a password. It returns nil after [Options.Pace], whatever
// it did: for an account that is not there, that has no password, or for which too many were asked, it does nothing, and what fails
// is in the log. Only an invalid subject is an error. A [Courier] that takes longer than the pace tells that there is an account.
func (k *Keeper) AskReset(ctx context.Context, s Subject, by opsec.Actor) error {
	if err := s.validate(); err != nil {
		return err
	}
	timer := time.NewTimer(k.o.Pace)
	defer timer.Stop()
	err := k.beginReset(ctx, s, by, false)
	if err != nil && !errors.Is(err, opsec.ErrNotFound) && !errors.Is(err, ErrTooMany) {
		k.o.Logger.ErrorContext(ctx, "credential: reset not begun", "tenant", s.Tenant, "account", s.Account, "error", err)
	}
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return nil
}

// BeginReset sends the owner a token, by an administrator, who does not see it; also the owner of an account that has no password
// yet. Until it is used the present password works: see [Keeper.Require]. The error may be [ErrTooMany], or the courier's; then
// ask again.
func (k *Keeper) BeginReset(ctx context.Context, s Subject, by opsec.Actor) error {
	if err := k.authorize(ctx, s, by, ActionResetBegun); err != nil {
		return err
	}
	return k.beginReset(ctx, s, by, true)
}

func (k *Keeper) beginReset(ctx context.Context, s Subject, by opsec.Actor, enrol bool) error {
	if k.o.Courier == nil {
		return invalid("options: there is no courier")
	}
	t := newToken()
	var expires time.Time
	err := k.records.Update(ctx, s.Tenant, s.Account, func(r Record) (Record, []*opsec.Event, error) {
		if r.Present.Text == "" && !enrol {
			return r, nil, opsec.ErrNotFound
		}
		now := k.o.Now()
		var asked []int64
		for _, at := range r.Asked {
			if at > now.Add(-k.policy.ResetEach).Unix() {
				asked = append(asked, at)
			}
		}
		if len(asked) >= k.policy.Resets {
			return r, nil, ErrTooMany
		}
		expires = now.Add(k.policy.ResetValid)
		r.Reset, r.Asked = &Reset{t.digest(), expires}, append(asked, now.Unix())
		return r, []*opsec.Event{k.event(ActionResetBegun, s, by)}, nil
	})
	if err != nil {
		return err
	}
	if err := k.o.Courier.Deliver(ctx, s.Tenant, s.Account, t, expires); err != nil {
		return errors.Join(fmt.Errorf("credential: token not delivered: %w", err), k.uncount(context.WithoutCancel(ctx), s, t))
	}
	return nil
}

// uncount takes back that a reset was begun whose token did not leave: an hour without mail must not cost the owner a day.
func (k *Keeper) uncount(ctx context.Context, s Subject, t Token) error {
	err := k.records.Update(ctx, s.Tenant, s.Account, func(r Record) (Record, []*opsec.Event, error) {
		if r.Reset == nil || !same(r.Reset.Digest, t.digest()) {
			return r, nil, ErrUnchanged
		}
		r.Asked = r.Asked[:len(r.Asked)-1]
		return r, nil, nil
	})
	if errors.Is(err, ErrUnchanged) {
		return nil
	}
	return err
}

// FinishReset sets a fresh password with a token. [ErrToken] when it is not the one outstanding: count it as a failure of factor "reset".
// What the profile does not like leaves the token as it is; the minimum age is not asked. By is where the request comes from; its
// account is the subject's.
//
// When what a reset does besides fails, the password is set all the same and the error says so; the next log-in makes up for it, and
// so does the same token, though it is used up: an account that is locked does not get as far as a log-in.
func (k *Keeper) FinishReset(ctx context.Context, s Subject, token string, fresh []byte, by opsec.Actor) error {
	r, err := k.read(ctx, s)
	if err != nil {
		return err
	}
	if err := k.settle(ctx, s, r); err != nil {
		k.o.Logger.ErrorContext(ctx, "credential: a change owes more than it has done", "tenant", s.Tenant, "account", s.Account, "error", err)
	}
	digest := parseToken(token).digest()
	valid := func(r Record) bool {
		return r.Reset != nil && same(r.Reset.Digest, digest) && k.o.Now().Before(r.Reset.Expires)
	}
	if !valid(r) {
		return ErrToken
	}
	if err := k.checker.Check(fresh, password.Context{Words: s.Words, MFA: s.MFA}); err != nil {
		return err
	}
	if err := k.unused(ctx, r, fresh, nil); err != nil {
		return err
	}
	by.Tenant, by.Account = s.Tenant, s.Account
	err = k.replace(ctx, s, r, fresh, replacement{
		event: k.event(ActionResetFinished, s, by), owed: Owed{"password reset", true}, still: valid,
	})
	if errors.Is(err, ErrOvertaken) {
		return ErrToken // used, replaced, or taken away by a change
	}
	return err
}

func denied(why string) error { return fmt.Errorf("credential: %s: %w", why, opsec.ErrDenied) }
