package credential

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/password"
	"github.com/cloudopsec/opsec/identity/password/hash"
)

// Set sets the first password of an account, by its owner. Whoever has one changes it: [opsec.ErrDenied]. What the profile does not
// like is in the error, for [password.Violations].
func (k *Keeper) Set(ctx context.Context, s Subject, fresh []byte, by opsec.Actor) error {
	if !s.owns(by) {
		return denied("a password is set by its owner")
	}
	r, err := k.read(ctx, s)
	if err != nil {
		return err
	}
	if r.Present.Text != "" {
		return denied("there is a password already")
	}
	if err := k.checker.Check(fresh, password.Context{Words: s.Words, MFA: s.MFA}); err != nil {
		return err
	}
	return k.replace(ctx, s, r, fresh, replacement{event: k.event(ActionSet, s, by)})
}

// Change replaces the present password by a fresh one. ErrWrong when the present one is wrong, at the cost of a log-in and to be
// counted as one; then what the profile does not like; [ErrOvertaken] when somebody else has changed it meanwhile.
// When the sessions cannot be ended, the password is changed all the same and the error says so, as with [Keeper.FinishReset].
func (k *Keeper) Change(ctx context.Context, s Subject, present, fresh []byte, by opsec.Actor) error {
	if !s.owns(by) {
		return denied("a password is changed by its owner")
	}
	v, r, err := k.verify(ctx, s, present)
	switch {
	case err != nil:
		return err
	case !v.Match:
		return ErrWrong
	}
	if !v.MustChange {
		if err := k.profile.MayChange(r.Changed, k.o.Now()); err != nil {
			return err
		}
	}
	if err := k.checker.Check(fresh, password.Context{Words: s.Words, Previous: present, MFA: s.MFA}); err != nil {
		return err
	}
	if err := k.unused(ctx, r, fresh, present); err != nil {
		return err
	}
	return k.replace(ctx, s, r, fresh, replacement{event: k.event(ActionChanged, s, by), owed: Owed{Sessions: "password changed"}})
}

// Issue gives the account a random password that works for a while, and for nothing but to choose another: for the start, where no
// mail reaches the owner. The caller clears what it returns. Sessions end; when that fails, nobody gets to know the password: issue
// another one.
func (k *Keeper) Issue(ctx context.Context, s Subject, by opsec.Actor) ([]byte, error) {
	if err := k.authorize(ctx, s, by, ActionIssued); err != nil {
		return nil, err
	}
	r, err := k.read(ctx, s)
	if err != nil {
		return nil, err
	}
	secret := make([]byte, 32) // 24 random bytes, longer than any profile's least length that people could meet
	random := make([]byte, 24)
	rand.Read(random)
	base64.RawURLEncoding.Encode(secret, random)
	clear(random)
	err = k.replace(ctx, s, r, secret, replacement{
		event: k.event(ActionIssued, s, by), owed: Owed{Sessions: "password issued"},
		also: func(r *Record, now time.Time) { r.MustChange, r.Until = true, now.Add(k.policy.IssueValid) },
	})
	if err != nil {
		clear(secret)
		return nil, err
	}
	return secret, nil
}

// Import takes the hash of another system for an account that has none here. It stays until the owner's next log-in replaces it. Changed
// is when the password was set, as far as that is known; the zero time counts as long ago, and one to come is refused.
func (k *Keeper) Import(ctx context.Context, s Subject, encoded string, changed time.Time, by opsec.Actor) error {
	if err := k.authorize(ctx, s, by, ActionImported); err != nil {
		return err
	}
	form, err := hash.Parse(encoded)
	if err != nil {
		return err
	}
	if changed.After(k.o.Now()) {
		return invalid("import: a password set at a time to come")
	}
	return k.records.Update(ctx, s.Tenant, s.Account, func(r Record) (Record, []*opsec.Event, error) {
		if r.Present.Text != "" {
			return r, nil, denied("there is a password already")
		}
		r.Present, r.Changed = Hash{encoded, true}, changed
		r.Version++
		r.Passwords++
		e := k.event(ActionImported, s, by)
		e.Attrs = []opsec.Attr{{Key: "scheme", Value: string(form.Scheme), Mark: opsec.Tenant}}
		return r, []*opsec.Event{e}, nil
	})
}

// Require asks the owner to change the password with the next log-in: for one that may be known to others.
func (k *Keeper) Require(ctx context.Context, s Subject, by opsec.Actor, reason string) error {
	if err := k.authorize(ctx, s, by, ActionRequired); err != nil {
		return err
	}
	return k.records.Update(ctx, s.Tenant, s.Account, func(r Record) (Record, []*opsec.Event, error) {
		if r.Present.Text == "" {
			return r, nil, opsec.ErrNotFound
		}
		r.MustChange = true
		e := k.event(ActionRequired, s, by)
		e.Reason = reason
		return r, []*opsec.Event{e}, nil
	})
}

// Due returns when the password has to be changed, the zero time when that is never, and whether the owner is to be told now:
// once for every password, when the policy's notice begins. The event records that it was told.
func (k *Keeper) Due(ctx context.Context, s Subject) (due time.Time, tell bool, err error) {
	if err := s.validate(); err != nil {
		return due, false, err
	}
	err = k.records.Update(ctx, s.Tenant, s.Account, func(r Record) (Record, []*opsec.Event, error) {
		due, tell = time.Time{}, false
		if r.Present.Text == "" {
			return r, nil, opsec.ErrNotFound
		}
		at, cycle := k.profile.Due(r.Changed, s.MFA)
		if !cycle {
			return r, nil, ErrUnchanged
		}
		due = at
		now := k.o.Now()
		if !r.Reminded.IsZero() || now.Before(due.Add(-k.policy.Notice)) {
			return r, nil, ErrUnchanged
		}
		tell, r.Reminded = true, now
		e := k.event(ActionReminded, s, opsec.Actor{Kind: opsec.System})
		e.Class = opsec.Standard
		return r, []*opsec.Event{e}, nil
	})
	if errors.Is(err, ErrUnchanged) {
		err = nil
	}
	return due, tell, err
}

// unused returns a violation when the fresh password is one of the last that the profile remembers, or the present one where that has to
// be changed. Present is the present one where it
// was just given; otherwise it costs a hash too.
func (k *Keeper) unused(ctx context.Context, r Record, fresh, present []byte) error {
	most := k.profile.History
	if present != nil || r.MustChange { // the present one does not take its own place
		most = max(most, 1)
	}
	if most == 0 || r.Present.Text == "" {
		return nil
	}
	prepared, err := password.Prepare(fresh)
	if err != nil {
		return err
	}
	defer clear(prepared)
	used := &password.Violation{Rule: password.RuleHistory, Most: most}
	list := r.History[:min(len(r.History), most-1)]
	if present != nil {
		old, err := password.Prepare(present)
		if err == nil && same(old, prepared) {
			err = used
		}
		clear(old)
		if errors.Is(err, used) {
			return err
		}
	} else {
		list = append([]Hash{r.Present}, list...)
	}
	for _, h := range list {
		secret := prepared
		if h.Raw {
			secret = fresh
		}
		match, err := k.pool.Compare(ctx, secret, h.Text)
		if errors.Is(err, opsec.ErrInvalid) { // its pepper has been destroyed: nobody can compare it any more
			k.o.Logger.WarnContext(ctx, "credential: a hash of the history cannot be read", "error", err)
			continue
		}
		if err != nil {
			return err
		}
		if match {
			return used
		}
	}
	return nil
}

// replacement is a change of a password.
type replacement struct {
	event *opsec.Event
	owed  Owed
	still func(Record) bool        // nil, or what must hold of the record besides
	also  func(*Record, time.Time) // nil, or what else is changed in it
}

// replace hashes a fresh password and puts it in the place of the one that r was read with.
func (k *Keeper) replace(ctx context.Context, s Subject, r Record, fresh []byte, with replacement) error {
	h, err := k.hashOf(ctx, fresh)
	if err != nil {
		return err
	}
	owed := with.owed
	if k.policy.SkipSessions {
		owed.Sessions = ""
	}
	if k.policy.SkipLocks {
		owed.Locks = false
	}
	var kept Record
	err = k.records.Update(ctx, s.Tenant, s.Account, func(now Record) (Record, []*opsec.Event, error) {
		if now.Passwords != r.Passwords || with.still != nil && !with.still(now) {
			return now, nil, ErrOvertaken
		}
		at := k.o.Now()
		if now.Present.Text != "" {
			now.History = slices.Insert(now.History, 0, now.Present)
		}
		now.History = now.History[:min(len(now.History), max(0, k.profile.History-1))]
		now.Present, now.Changed, now.MustChange, now.Until = h, at, false, time.Time{}
		now.Reset, now.Reminded = nil, time.Time{}
		now.Version++
		now.Passwords++
		if before := now.Owed; owed != (Owed{}) {
			owes := owed
			owes.Locks = owes.Locks || before != nil && before.Locks
			now.Owed = &owes
		}
		if with.also != nil {
			with.also(&now, at)
		}
		kept = now
		return now, []*opsec.Event{with.event}, nil
	})
	if err != nil {
		return err
	}
	return k.settle(ctx, s, kept)
}

func (k *Keeper) authorize(ctx context.Context, s Subject, by opsec.Actor, action string) error {
	if err := s.validate(); err != nil {
		return err
	}
	return k.o.Authorizer.Authorize(ctx, by, action, opsec.Resource{Tenant: s.Tenant, Type: "password", ID: s.Account})
}
