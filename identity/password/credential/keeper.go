package credential

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"time"
	"unicode/utf8"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/password"
	"github.com/cloudopsec/opsec/identity/password/hash"
)

// The actions of events, and of questions to the Authorizer.
const (
	ActionSet           = "password.set"            // the owner's first one
	ActionIssued        = "password.issued"         // a random one, by an administrator
	ActionImported      = "password.imported"       // the hash of another system
	ActionChanged       = "password.changed"        // by the owner
	ActionRequired      = "password.required"       // an administrator asks the owner to change it
	ActionResetBegun    = "password.reset-begun"    // a token was sent
	ActionResetFinished = "password.reset-finished" // with the token, the owner has set another one
	ActionRehashed      = "password.rehashed"       // the same password, of today's costs and pepper
	ActionReminded      = "password.reminded"       // the owner is told that an update is due
)

var (
	// ErrWrong says that the present password is not the one given, or that there is none.
	ErrWrong = fmt.Errorf("credential: wrong password: %w", opsec.ErrDenied)
	// ErrToken says that a token is not the one outstanding: wrong, used, expired, replaced, or of no account.
	ErrToken = fmt.Errorf("credential: no such token: %w", opsec.ErrDenied)
	// ErrOvertaken says that the password was changed at the same time, and that this change is not made.
	ErrOvertaken = errors.New("credential: overtaken by another change")
	// ErrTooMany says that as many resets as the policy permits have been begun for this account.
	ErrTooMany = fmt.Errorf("credential: too many resets: %w", opsec.ErrDenied)
	// ErrUnchanged is what a function given to [Records] returns for a record that stays as it is.
	ErrUnchanged = errors.New("credential: unchanged")
)

// Subject is the owner of a password, as far as the profile asks.
type Subject struct {
	Tenant  opsec.TenantID
	Account string   // an id; 1 to 256 bytes of UTF-8
	Words   []string // names of the person and of the account, that a new password must not hold
	MFA     bool     // the account always needs another factor too
}

func (s Subject) validate() error {
	if err := s.Tenant.Validate(); err != nil {
		return err
	}
	if len(s.Account) < 1 || len(s.Account) > 256 || !utf8.ValidString(s.Account) {
		return invalid("subject.account: %d bytes, want 1 to 256 of UTF-8", len(s.Account))
	}
	return nil
}

// owns reports whether the actor acts with the subject's own account.
func (s Subject) owns(by opsec.Actor) bool { return by.Tenant == s.Tenant && by.Account == s.Account }

// Sessions ends the sessions of an account.
type Sessions interface {
	RevokeAll(ctx context.Context, tenant opsec.TenantID, account, reason string) error
}

// Locks clears the lock that wrong passwords have put on an account whose owner has proved who it is. One that an administrator
// holds stays as it is, and that is no error.
type Locks interface {
	Recovered(ctx context.Context, tenant opsec.TenantID, account, reason string) error
}

// Courier brings the token of a reset to the owner of an account, by an address that was verified before.
type Courier interface {
	Deliver(ctx context.Context, tenant opsec.TenantID, account string, t Token, expires time.Time) error
}

// Options is the wiring of a [Keeper].
type Options struct {
	Authorizer opsec.Authorizer // of what administrators do; nil is refused
	Courier    Courier          // nil: there are no resets
	Sessions   Sessions         // nil is refused unless the policy skips it
	Locks      Locks            // likewise
	Logger     *slog.Logger     // of what fails beside a log-in that succeeds; nil is none
	Now        func() time.Time // nil is time.Now
	// Pace is how long [Keeper.AskReset] takes, whatever there is to do; [hash.DefaultPace] if zero.
	Pace time.Duration
}

// Keeper keeps passwords. It may be used by many goroutines.
type Keeper struct {
	records Records
	pool    *hash.Pool
	checker *password.Checker
	profile password.Profile
	policy  Policy
	o       Options
}

// New returns a Keeper. The error wraps [opsec.ErrInvalid].
func New(records Records, pool *hash.Pool, checker *password.Checker, policy Policy, opts *Options) (*Keeper, error) {
	if records == nil || pool == nil || checker == nil || opts == nil || opts.Authorizer == nil {
		return nil, invalid("want records, a pool, a checker and an authorizer")
	}
	if err := policy.Validate(); err != nil {
		return nil, err
	}
	o := *opts
	if o.Sessions == nil && !policy.SkipSessions || o.Locks == nil && !policy.SkipLocks {
		return nil, invalid("options: want sessions and locks, or a policy that skips them")
	}
	if o.Pace < 0 {
		return nil, invalid("options.pace: %v, want 0 or more", o.Pace)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Pace == 0 {
		o.Pace = hash.DefaultPace
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Keeper{records, pool, checker, checker.Profile(), policy, o}, nil
}

// Verdict is what [Keeper.Verify] found.
type Verdict struct {
	Match  bool // the password is right
	Hidden bool // of a wrong one: it counts as wrong, and is told as busy ([hash.Result])
	// MustChange says, of a right one, that it serves for nothing but to change it: it was issued, an administrator asks for
	// it, or its update is overdue.
	MustChange bool
	Due        time.Time // of a right one: when its update is due, if the profile has an update cycle
}

// Verify says whether this is the account's password. It computes one hash, whatever there is. An error is no verdict: above all
// [hash.ErrBusy].
func (k *Keeper) Verify(ctx context.Context, s Subject, secret []byte) (Verdict, error) {
	v, _, err := k.verify(ctx, s, secret)
	return v, err
}

// Dummy does what Verify does with a wrong password: for accounts that may not log in. Nil stands for wrong.
func (k *Keeper) Dummy(ctx context.Context, secret []byte) error { return k.pool.Dummy(ctx, secret) }

// verify is Verify, with the record that it was decided by.
func (k *Keeper) verify(ctx context.Context, s Subject, secret []byte) (Verdict, Record, error) {
	r, err := k.read(ctx, s)
	if err != nil {
		return Verdict{}, r, err
	}
	now := k.o.Now()
	typed, prepared := secret, []byte(nil)
	if !r.Present.Raw {
		if prepared, err = password.Prepare(secret); err != nil { // nothing that could have been set
			r.Present = Hash{}
		} else {
			defer clear(prepared)
			typed = prepared
		}
	}
	if r.Present.Text == "" || len(typed) == 0 || len(typed) > password.MaxBytes || !r.Until.IsZero() && !now.Before(r.Until) {
		err := k.pool.Dummy(ctx, nil)
		if errors.Is(err, hash.ErrHidden) { // as a wrong one would be just now
			return Verdict{Hidden: true}, r, nil
		}
		return Verdict{}, r, err
	}
	found, err := k.pool.Verify(ctx, typed, r.Present.Text)
	if err != nil || !found.Match {
		return Verdict{Hidden: found.Hidden}, r, err
	}
	if err := k.settle(ctx, s, r); err != nil {
		return Verdict{}, r, err
	}
	if found.Rehash || r.Present.Raw {
		k.rehash(ctx, s, &r, secret)
	}
	due, cycle := k.profile.Due(r.Changed, s.MFA)
	if !cycle {
		due = time.Time{}
	}
	return Verdict{Match: true, MustChange: r.MustChange || cycle && !now.Before(due), Due: due}, r, nil
}

// rehash hashes a right password as it is hashed today. That it fails is no reason to refuse the log-in.
func (k *Keeper) rehash(ctx context.Context, s Subject, r *Record, secret []byte) {
	fresh, err := k.hashOf(ctx, secret)
	if err == nil {
		err = k.records.Update(ctx, s.Tenant, s.Account, func(now Record) (Record, []*opsec.Event, error) {
			if now.Version != r.Version {
				return now, nil, ErrUnchanged
			}
			now.Present = fresh
			now.Version++
			e := k.event(ActionRehashed, s, opsec.Actor{Kind: opsec.System})
			e.Class = opsec.Standard
			return now, []*opsec.Event{e}, nil
		})
	}
	switch {
	case err == nil:
		r.Present = fresh
		r.Version++
	case !errors.Is(err, ErrUnchanged):
		k.o.Logger.WarnContext(ctx, "credential: hash out of date stays", "tenant", s.Tenant, "account", s.Account, "error", err)
	}
}

// hashOf hashes what is prepared of a password.
func (k *Keeper) hashOf(ctx context.Context, secret []byte) (Hash, error) {
	prepared, err := password.Prepare(secret)
	if err != nil {
		return Hash{}, err
	}
	defer clear(prepared)
	text, err := k.pool.Hash(ctx, prepared)
	return Hash{Text: text}, err
}

// read returns the record of an account.
func (k *Keeper) read(ctx context.Context, s Subject) (r Record, err error) {
	if err := s.validate(); err != nil {
		return r, err
	}
	err = k.records.Update(ctx, s.Tenant, s.Account, func(now Record) (Record, []*opsec.Event, error) {
		r = now
		return now, nil, ErrUnchanged
	})
	if errors.Is(err, ErrUnchanged) {
		err = nil
	}
	return r, err
}

func (k *Keeper) event(action string, s Subject, by opsec.Actor) *opsec.Event {
	e := opsec.NewEvent(action, k.o.Now())
	e.Tenant, e.Class, e.Outcome, e.Actor = s.Tenant, opsec.Critical, opsec.Success, by
	e.Resource = opsec.Resource{Tenant: s.Tenant, Type: "password", ID: s.Account}
	return e
}

// settle does what the last change has still to do outside the store.
func (k *Keeper) settle(ctx context.Context, s Subject, r Record) error {
	if r.Owed == nil {
		return nil
	}
	owed := *r.Owed
	if owed.Sessions != "" && k.o.Sessions != nil {
		if err := k.o.Sessions.RevokeAll(ctx, s.Tenant, s.Account, owed.Sessions); err != nil {
			return fmt.Errorf("credential: sessions not ended: %w", err)
		}
	}
	if owed.Locks && k.o.Locks != nil {
		if err := k.o.Locks.Recovered(ctx, s.Tenant, s.Account, "password reset"); err != nil {
			return fmt.Errorf("credential: lock not cleared: %w", err)
		}
	}
	err := k.records.Update(ctx, s.Tenant, s.Account, func(now Record) (Record, []*opsec.Event, error) {
		if now.Passwords != r.Passwords || now.Owed == nil {
			return now, nil, ErrUnchanged // done, or another change owes anew
		}
		now.Owed = nil
		return now, nil, nil
	})
	if errors.Is(err, ErrUnchanged) {
		return nil
	}
	return err
}

func same(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }
