package login

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/lockout"
	"github.com/cloudopsec/opsec/identity/password/hash"
	"github.com/cloudopsec/opsec/identity/session"
)

// The actions of the events of a [Desk]. The log-in itself is recorded with its session, by package session.
const (
	ActionPassed  = "login.passed"  // a factor was right
	ActionRefused = "login.refused" // with the reason
)

// Accounts finds who logs in.
type Accounts interface {
	// Find returns the account that a name, as it was typed, stands for; the error wraps [opsec.ErrNotFound] when there is none,
	// or the name is no name. Then the ID beside it may be the name in the form in which names are compared, so that guesses
	// at it count together however it is spelled, as they do at the name of an account.
	Find(ctx context.Context, tenant opsec.TenantID, name string) (Account, error)
}

// Account is what a desk needs to know of an account.
type Account struct {
	ID     string // which the gate counts by; required, and not a name, which may change
	Person string
	Kind   opsec.ActorKind
	Closed string // why nobody may log in with it: suspended, disabled, deleted; empty when it is open
}

// Secrets knows what is right. Package password/credential has one for passwords.
type Secrets interface {
	// Verify compares the secret with the account's, as [hash.Pool.Verify] does: one derivation whatever the answer. An error
	// says that it was not compared. What serves once, such as a code, Verify uses up: a visit may be continued twice.
	Verify(ctx context.Context, tenant opsec.TenantID, account string, factor lockout.Factor, secret []byte) (Answer, error)
	// Decoy costs what Verify costs, for nobody, as [hash.Pool.Dummy] does. Nil stands for wrong, and so does [hash.ErrHidden].
	Decoy(ctx context.Context, factor lockout.Factor, secret []byte) error
}

// Answer is what a comparison has found.
type Answer struct {
	Match      bool // the secret is right
	Hidden     bool // of a wrong one: it is told as busy, see [hash.Result]
	MustChange bool // of a right one: it serves for nothing but to change it
}

// Options are the wiring of a [Desk].
type Options struct {
	Now      func() time.Time // default time.Now
	Logger   *slog.Logger     // for what could not be recorded; default none
	Recorder opsec.Recorder   // required
	// NameKey names, in the gate and in the record, accounts that are not there, by a keyed digest of what was typed: people type
	// passwords where names belong. All nodes need the same, 16 bytes or more; by default each has one of its own, and an account
	// that is not there locks later than one that is, by as many guesses as there are nodes.
	NameKey []byte
	// Classify says from where an attempt comes, and which trusted device it is. Default: everything is [lockout.Unknown].
	Classify func(a Attempt, account string) (class lockout.Class, device string)
	// Second is how long a visit waits for its second factor: default 5 minutes.
	Second time.Duration
}

// Desk lets people in. It may be used by many goroutines.
type Desk struct {
	accounts Accounts
	secrets  Secrets
	gate     *lockout.Gate
	o        Options
}

// New returns a Desk. All arguments are required.
func New(accounts Accounts, secrets Secrets, gate *lockout.Gate, o *Options) (*Desk, error) {
	if accounts == nil || secrets == nil || gate == nil || o == nil || o.Recorder == nil {
		return nil, fmt.Errorf("login: accounts, secrets, gate and a recorder are required: %w", opsec.ErrInvalid)
	}
	d := &Desk{accounts, secrets, gate, *o}
	if d.o.Second < 0 || d.o.NameKey != nil && len(d.o.NameKey) < 16 {
		return nil, fmt.Errorf("login: second: want no less than 0; name key: want 16 bytes or more: %w", opsec.ErrInvalid)
	}
	if d.o.Now == nil {
		d.o.Now = time.Now
	}
	if d.o.Logger == nil {
		d.o.Logger = slog.New(slog.DiscardHandler)
	}
	if d.o.NameKey == nil {
		d.o.NameKey = make([]byte, 32)
		rand.Read(d.o.NameKey)
	}
	if d.o.Classify == nil {
		d.o.Classify = func(Attempt, string) (lockout.Class, string) { return lockout.Unknown, "" }
	}
	if d.o.Second == 0 {
		d.o.Second = 5 * time.Minute
	}
	return d, nil
}

// Attempt is what comes from a log-in page.
type Attempt struct {
	Tenant opsec.TenantID
	Name   string // as it was typed
	Factor lockout.Factor
	Secret []byte      // as it was typed; the caller clears it
	Device string      // the token of a trusted device, for Options.Classify
	System string      // what is logged in to; required, as clause 8.1.2 has it
	From   opsec.Actor // IP and Terminal, as the front end knows them, required likewise; the rest is ignored
}

// Format implements [fmt.Formatter]: without what was typed, under every verb. People type passwords where names belong.
func (a Attempt) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "%s at %s of %s, from %v", a.Factor, a.System, a.Tenant, a.From.IP)
}

// LogValue implements [slog.LogValuer] by Format.
func (a Attempt) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(a)) }

// Visit is somebody who has proved something, and has no session yet. It is a value, and opens as many sessions as it is used for
// while its proofs are fresh: who keeps one between two requests takes it away with the first use.
type Visit struct {
	User   opsec.Actor // the account, the person behind it, and from where
	System string
	// MustChange says that the secret must be changed before there is a session: there are no proofs. Let it be changed, with
	// package password/credential or what you have, and let the visitor enter again.
	MustChange bool

	name   string
	proofs []proof
}

// proof is of before the account was looked up: when the account is closed or its secret changed meanwhile, and its sessions
// revoked, it opens none.
type proof struct {
	lockout.Proof
	at time.Time
}

func (p proof) At() time.Time { return p.at }

// Request returns what session.Manager.Create asks for, beside the proofs.
func (v Visit) Request() session.Request { return session.Request{User: v.User, System: v.System} }

// Proofs returns what has been proved; nothing when a secret must be changed.
func (v Visit) Proofs() []session.Proof {
	if v.MustChange {
		return nil
	}
	list := make([]session.Proof, len(v.proofs))
	for i, p := range v.proofs {
		list[i] = p
	}
	return list
}

// Enter takes the first factor. The error is a [*Refusal], [ErrBusy], that of the context, or wraps [opsec.ErrInvalid] when the
// attempt is one that cannot be recorded, or there is no rule for its factor. The answer to a secret that is right
// is no session yet: see [Visit.Proofs].
func (d *Desk) Enter(ctx context.Context, a Attempt) (Visit, error) {
	account, err := d.find(ctx, a)
	if err != nil {
		return Visit{}, err
	}
	p, must, err := d.try(ctx, a, account)
	if err != nil {
		return Visit{}, err
	}
	return Visit{d.actor(a, account), a.System, must, a.Name, []proof{p}}, nil
}

// Continue takes another factor: of the attempt, what says who it is comes from the visit, and its factor must be one that the
// visit has no proof of. When the account has been locked or closed since, or the visit is too old, it is over.
func (d *Desk) Continue(ctx context.Context, v Visit, a Attempt) (Visit, error) {
	a.Tenant, a.Name = v.User.Tenant, v.name
	account, err := d.find(ctx, a)
	if err != nil {
		return Visit{}, err
	}
	if account.reason == nil {
		if account.reason, err = d.over(ctx, v, a, account); err != nil {
			return Visit{}, err
		}
	}
	p, must, err := d.try(ctx, a, account)
	if err != nil {
		return Visit{}, err
	}
	v.MustChange = v.MustChange || must
	v.proofs = append(v.proofs[:len(v.proofs):len(v.proofs)], p)
	return v, nil
}

// over returns why a visit cannot go on, which is [ErrStale], or an error when that cannot be told now.
func (d *Desk) over(ctx context.Context, v Visit, a Attempt, account found) (reason, err error) {
	if len(v.proofs) == 0 || v.User.Account != account.ID {
		return ErrStale, nil
	}
	for _, p := range v.proofs {
		if age := d.o.Now().Sub(p.at); age < 0 || age > d.o.Second || p.Factor() == string(a.Factor) {
			return ErrStale, nil
		}
		// Who has locked the account meanwhile, with whatever factor, has ended all that was under way.
		first := a
		first.Factor = lockout.Factor(p.Factor())
		r, err := d.gate.Begin(ctx, d.attempt(first, account))
		if err == nil {
			_, err = d.gate.Commit(ctx, r, lockout.Undecided())
		}
		var locked *lockout.LockedError
		switch {
		case errors.Is(err, lockout.ErrUndecided):
		case errors.As(err, &locked):
			return fmt.Errorf("%w: %w", ErrStale, err), nil
		default:
			return nil, d.untried(ctx, err)
		}
	}
	return nil, nil
}

// found is the account of an attempt, and why it will be refused whatever the secret is.
type found struct {
	Account
	reason error
	asked  time.Time // before it was found
}

func (d *Desk) find(ctx context.Context, a Attempt) (found, error) {
	// What whoever logs in has a hand in must not keep the record from being written.
	if err := d.event(ActionRefused, opsec.Denied, a, found{Account: Account{ID: "?"}}, nil).Validate(); err != nil {
		return found{}, fmt.Errorf("login: attempt: %w", err)
	}
	asked := d.o.Now()
	account, err := d.accounts.Find(ctx, a.Tenant, a.Name)
	switch {
	case errors.Is(err, opsec.ErrNotFound):
		return found{Account{ID: d.unknown(a.Tenant, cmp.Or(account.ID, a.Name))}, ErrUnknown, asked}, nil
	case err != nil:
		return found{}, d.busy(ctx, err)
	case account.Closed != "":
		return found{account, fmt.Errorf("%w: %s", ErrClosed, account.Closed), asked}, nil
	}
	return found{account, nil, asked}, nil
}

// unknown names an account that is not there. The mark in front keeps it apart from identifiers of accounts that are.
func (d *Desk) unknown(tenant opsec.TenantID, name string) string {
	mac := hmac.New(sha256.New, d.o.NameKey)
	fmt.Fprintf(mac, "%d %s %s", len(tenant), tenant, name)
	return "?" + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}

// try is the one way by which a secret is looked at.
func (d *Desk) try(ctx context.Context, a Attempt, account found) (p proof, mustChange bool, err error) {
	r, err := d.gate.Begin(ctx, d.attempt(a, account))
	var locked *lockout.LockedError
	switch {
	case errors.As(err, &locked):
		return p, false, d.decoy(ctx, a, account, err)
	case err != nil:
		return p, false, d.untried(ctx, err)
	}
	outcome, mustChange, reason := d.look(ctx, a, account)
	// What has been looked at is settled also when who asked has gone.
	proved, err := d.gate.Commit(context.WithoutCancel(ctx), r, outcome)
	switch {
	case err == nil:
		if err := d.record(ctx, ActionPassed, opsec.Success, a, account, nil); err != nil {
			return p, false, d.busy(ctx, err)
		}
		return proof{proved, account.asked}, mustChange, nil
	case reason == nil: // the secret was right, and still
		reason = err
	case errors.As(err, &locked):
		reason = errors.Join(reason, err)
	}
	return p, false, d.refuse(ctx, a, account, reason)
}

// look spends the one derivation. Where there is a reason to refuse already, it is not the account's. The reason is
// [hash.ErrBusy], among others, when whoever asks is to be told no more than that.
func (d *Desk) look(ctx context.Context, a Attempt, account found) (o lockout.Outcome, mustChange bool, reason error) {
	if account.reason != nil {
		err := d.secrets.Decoy(ctx, a.Factor, a.Secret)
		o := lockout.Wrong(a.Secret)
		if err != nil && !errors.Is(err, hash.ErrHidden) || errors.Is(account.reason, ErrStale) {
			o = lockout.Undecided() // in a visit that is over there is nothing to guess at
		}
		return o, false, errors.Join(account.reason, err)
	}
	answer, err := d.secrets.Verify(ctx, a.Tenant, account.ID, a.Factor, a.Secret)
	switch {
	case err != nil:
		return lockout.Undecided(), false, err
	case answer.Match:
		return lockout.Correct(), answer.MustChange, nil
	case answer.Hidden:
		return lockout.Wrong(a.Secret), false, errors.Join(ErrWrong, hash.ErrHidden)
	}
	return lockout.Wrong(a.Secret), false, ErrWrong
}

// decoy refuses an attempt that the gate has not let through, at the price of one that it has.
func (d *Desk) decoy(ctx context.Context, a Attempt, account found, reason error) error {
	err := d.secrets.Decoy(ctx, a.Factor, a.Secret)
	return d.refuse(ctx, a, account, errors.Join(account.reason, reason, err))
}

func (d *Desk) attempt(a Attempt, account found) lockout.Attempt {
	g := lockout.Attempt{
		Key:   lockout.Key{Tenant: a.Tenant, Account: account.ID, Factor: a.Factor},
		Actor: d.actor(a, account),
	}
	if account.reason == nil {
		g.Class, g.Device = d.o.Classify(a, account.ID)
	}
	return g
}

func (d *Desk) actor(a Attempt, account found) opsec.Actor {
	return opsec.Actor{
		Tenant: a.Tenant, Account: account.ID, Person: account.Person, Kind: account.Kind, IP: a.From.IP, Terminal: a.From.Terminal,
	}
}

func (d *Desk) refuse(ctx context.Context, a Attempt, account found, reason error) error {
	if err := d.record(ctx, ActionRefused, opsec.Denied, a, account, reason); err != nil {
		d.o.Logger.ErrorContext(ctx, "login: a refusal was not recorded", "error", err)
	}
	if errors.Is(reason, hash.ErrBusy) {
		return ErrBusy
	}
	return &Refusal{reason}
}

// untried is what the gate's refusal to let an attempt through is told as.
func (d *Desk) untried(ctx context.Context, err error) error {
	if errors.Is(err, opsec.ErrInvalid) {
		return err
	}
	return d.busy(ctx, err)
}

func (d *Desk) busy(ctx context.Context, cause error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d.o.Logger.WarnContext(ctx, "login: an attempt was not tried", "error", cause)
	return ErrBusy
}

// event is of the category of log-ins where one has failed, so that an audit of accounts sees it. One that succeeds is recorded
// with its session.
func (d *Desk) event(action string, outcome opsec.Outcome, a Attempt, account found, reason error) *opsec.Event {
	e := opsec.NewEvent(action, d.o.Now())
	e.Tenant, e.Class, e.Outcome, e.System = a.Tenant, opsec.Standard, outcome, a.System
	if action == ActionRefused {
		e.Category = opsec.Authentication
	}
	e.Actor = d.actor(a, account)
	e.Resource = opsec.Resource{Tenant: a.Tenant, Type: "account", ID: account.ID}
	e.Attrs = []opsec.Attr{{Key: "factor", Value: string(a.Factor), Mark: opsec.Tenant}}
	if reason != nil {
		e.Reason = reason.Error()
	}
	return e
}

func (d *Desk) record(ctx context.Context, action string, outcome opsec.Outcome, a Attempt, account found, reason error) error {
	_, err := d.o.Recorder.Record(context.WithoutCancel(ctx), d.event(action, outcome, a, account, reason))
	return err
}
