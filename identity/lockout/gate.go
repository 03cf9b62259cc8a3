package lockout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/cloudopsec/opsec"
)

// Options is the wiring of a [Gate].
type Options struct {
	// Authorizer decides who may unlock and hold, by [ActionUnlocked], [ActionRecovered] and [ActionHeld] on a resource of type
	// "account". Nil is refused; a caller that has decided passes [opsec.CallerAuthorized].
	Authorizer opsec.Authorizer
	// Patience is how long [Gate.Begin] waits for guesses that are under way; 0 is 5 seconds.
	Patience time.Duration
	// Tags is how many bytes of memory remember wrong passwords, so that the same one does not count twice: 64 for some eight of
	// them. 0 is 1 MiB; less than 0 is none, then each counts.
	Tags int
	// Logger hears of guesses that could not be settled; nil is silent.
	Logger *slog.Logger
	// Now is the clock; nil is that of the system, whose being set is noticed within a second.
	Now func() time.Time
}

const (
	defaultPatience = 5 * time.Second
	settleTime      = 10 * time.Second // in which a guess is settled, also when who made it has gone
	firstPoll       = 20 * time.Millisecond
	lastPoll        = time.Second
)

// Gate stands before the verification of a secret: [Gate.Begin], then verify, then [Gate.Commit]. Only Commit gives the [Proof] that
// a session is made of. A Gate may be used by many goroutines, and any number of them, in as many processes, may share [States].
type Gate struct {
	states   States
	profile  Profile
	auth     opsec.Authorizer
	patience time.Duration
	tags     *tags
	log      *slog.Logger
	now      func() time.Time
	memory   *Memory // is states, when that is one
	tickets  sync.Pool
	queues   queues
}

// New returns a Gate that counts in states by the rules of p, of which it keeps a copy. An error wraps [opsec.ErrInvalid].
func New(states States, p Profile, o *Options) (*Gate, error) {
	if o == nil {
		o = &Options{}
	}
	switch {
	case states == nil:
		return nil, invalid("no states")
	case o.Authorizer == nil:
		return nil, invalid("options: no authorizer")
	case o.Patience < 0:
		return nil, invalid("options: patience %v", o.Patience)
	}
	if err := p.Validate(); err != nil {
		return nil, err
	}
	p.Rules = slices.Clone(p.Rules)
	g := &Gate{states: states, profile: p, auth: o.Authorizer, patience: o.Patience, log: o.Logger, now: o.Now}
	if g.patience == 0 {
		g.patience = defaultPatience
	}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	if g.now == nil {
		g.now = new(clock).now
	}
	g.memory, _ = states.(*Memory)
	g.tags = newTags(o.Tags, g.now())
	g.tickets.New = func() any { return &ticket{gate: g} }
	return g, nil
}

// Attempt is a guess that is about to be tried, and who makes it: for the record, as far as it is known.
type Attempt struct {
	Key
	Actor opsec.Actor
}

// Begin reserves a guess. When it returns nil the secret may be verified, and then [Gate.Commit] must be called, whatever has become
// of it; what is not committed counts as wrong after [Policy.Reserve].
//
// When all that the policy leaves is being tried already, Begin waits for an outcome: right log-ins at the same time all come
// through. After [Options.Patience], or when ctx ends, that is [ErrBusy]. A [*LockedError] says that no secret may be tried; an
// error that wraps [opsec.ErrInvalid], that the attempt names no counter, or one that the profile has no rule for. After any other
// error no secret may be tried either.
func (g *Gate) Begin(ctx context.Context, a Attempt) (Reservation, error) {
	key, policy := g.profile.Counter(a.Key)
	if err := a.Key.Validate(); err != nil {
		return Reservation{}, err
	}
	if policy == nil {
		return Reservation{}, invalid("factor %s: the profile has no rule for it", a.Factor)
	}
	t := g.tickets.Get().(*ticket)
	t.key, t.change.Policy, t.change.Actor = key, policy, a.Actor
	v, err := g.reserve(ctx, t)
	if err != nil {
		g.tickets.Put(t)
		return Reservation{}, err
	}
	t.batch, t.failed = v.Batch, v.Failures > 0
	return Reservation{t, t.turn.Load()}, nil
}

// reserve returns a nil error with leave to try a secret alone.
func (g *Gate) reserve(ctx context.Context, t *ticket) (Verdict, error) {
	if g.memory != nil {
		t.digest = digest(g.memory.seed, &t.key)
	}
	if err := g.held(ctx, &t.key, t.change.Actor); err != nil {
		return Verdict{}, err
	}
	v, err := g.step(ctx, t, Event{Kind: Reserve}, g.now())
	if err == nil && v.Answer == Wait {
		v, err = g.wait(ctx, t)
	}
	if err == nil && v.Answer != Done {
		err = locked(v)
	}
	return v, err
}

// step changes the counter of a ticket.
func (g *Gate) step(ctx context.Context, t *ticket, e Event, now time.Time) (Verdict, error) {
	t.change.Event, t.change.Now = e, now
	if g.memory != nil {
		return g.memory.update(ctx, t.digest, &t.key, &t.change)
	}
	return g.states.Update(ctx, t.key, t.change)
}

// wait asks again until the answer is another: when a guess of this process has been settled at once, and now and then, since others
// may have settled theirs.
func (g *Gate) wait(ctx context.Context, t *ticket) (v Verdict, err error) {
	w := g.queues.join(t.key)
	defer func() {
		n := v.Left
		if v.Answer != Done && v.Answer != Wait {
			n = 1 // what holds for this one the next may find out by itself
		}
		g.queues.leave(t.key, w, n)
	}()
	patience := time.NewTimer(g.patience)
	defer patience.Stop()
	again, pause := time.NewTimer(jitter(firstPoll)), firstPoll
	defer again.Stop()
	for {
		if v, err = g.step(ctx, t, Event{Kind: Reserve}, g.now()); err != nil || v.Answer != Wait {
			return v, err
		}
		for asked := false; !asked; {
			select {
			case <-w.woken:
				asked = true
			case <-again.C:
				asked = g.queues.first(t.key, w)
				pause = min(2*pause, lastPoll)
				again.Reset(jitter(pause))
			case <-patience.C:
				return v, ErrBusy
			case <-ctx.Done():
				return v, fmt.Errorf("%w: %w", ErrBusy, context.Cause(ctx))
			}
		}
	}
}

func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d) }

// Commit settles a guess, and returns a nil error with a [Proof] alone: when the secret was right, and nobody has held the account
// meanwhile. Else it is [ErrWrong], with a [*LockedError] when the account stands locked after it, [ErrUndecided], [ErrExpired], or
// a [*LockedError]. After any other error nobody knows; the guess then counts as wrong in the end, unless it has been settled.
//
// A reservation is settled once; after that it is ErrExpired. The end of ctx does not keep a guess from being settled.
func (g *Gate) Commit(ctx context.Context, r Reservation, o Outcome) (Proof, error) {
	t := r.ticket
	if t == nil || t.gate != g {
		return Proof{}, invalid("a reservation that is not of this gate")
	}
	if !t.turn.CompareAndSwap(r.turn, r.turn+1) {
		return Proof{}, ErrExpired
	}
	defer g.tickets.Put(t)
	if g.memory == nil && ctx.Done() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), settleTime)
		defer cancel()
	}
	e, now, began := Event{Kind: o.kind, Batch: t.batch}, g.now(), t.change.Now
	switch e.Kind {
	case Succeed:
		if t.failed {
			g.tags.forget(&t.key)
		}
	case Release:
	default: // also the zero Outcome
		e.Kind = Fail
		e.Repeat = t.key.Factor == Password && g.tags.known(&t.key, o.secret, now)
	}
	v, err := g.step(ctx, t, e, now)
	if err != nil {
		g.log.WarnContext(ctx, "lockout: a guess could not be settled", "tenant", t.key.Tenant, "error", err)
		return Proof{}, err
	}
	n := v.Left
	if v.Standing != Open {
		n = 1
	}
	g.queues.wake(&t.key, n)
	switch {
	case v.Answer == Expired:
		return Proof{}, ErrExpired
	case e.Kind == Release:
		return Proof{}, ErrUndecided
	case e.Kind == Fail && v.Standing != Open:
		return Proof{}, fmt.Errorf("%w: %w", ErrWrong, locked(v))
	case e.Kind == Fail:
		return Proof{}, ErrWrong
	case v.Answer != Done:
		return Proof{}, locked(v)
	}
	if err := g.held(ctx, &t.key, t.change.Actor); err != nil {
		return Proof{}, err
	}
	return Proof{t.key.Tenant, t.key.Account, t.key.Factor, began}, nil
}

// held returns an error when an administrator holds the account, of which a trusted device that nobody has listed does not know.
func (g *Gate) held(ctx context.Context, k *Key, by opsec.Actor) error {
	if k.Class != Trusted {
		return nil
	}
	counter, policy := g.profile.Counter(Key{Tenant: k.Tenant, Account: k.Account, Factor: k.Factor})
	v, err := g.update(ctx, counter, policy, Event{Kind: Look}, by, "")
	if err == nil && v.Standing == Held {
		err = locked(v)
	}
	return err
}

func locked(v Verdict) error { return &LockedError{v.Standing, v.Until} }

func (g *Gate) update(ctx context.Context, k Key, p *Policy, e Event, by opsec.Actor, reason string) (Verdict, error) {
	return g.states.Update(ctx, k, Change{Policy: p, Event: e, Now: g.now(), Actor: by, Reason: reason})
}

// Who is an account, with those of its trusted devices that are meant.
type Who struct {
	Tenant  opsec.TenantID
	Account string
	Devices []string
}

// Unlock opens an account again, for every factor and class of the profile: locks, holds and failures are gone. Devices that are
// not named keep what they have caused. It is recorded, with the reason.
func (g *Gate) Unlock(ctx context.Context, who Who, by opsec.Actor, reason string) error {
	return g.each(ctx, who, g.profile.Factors(), Unlock, ActionUnlocked, by, reason)
}

// Recovered is [Gate.Unlock] for one factor of an account, whose owner has just recovered it, as a password reset does the
// password: the others keep their counters, or whoever reads the owner's mail could guess at them without end. It does not open what
// an administrator holds: that is a [*LockedError].
func (g *Gate) Recovered(ctx context.Context, who Who, f Factor, by opsec.Actor, reason string) error {
	if !slices.Contains(g.profile.Factors(), f) {
		return invalid("recovered: the profile has no rule for the factor")
	}
	return g.each(ctx, who, []Factor{f}, Recover, ActionRecovered, by, reason)
}

// Hold locks an account until it is unlocked. No Commit that begins when it has returned nil gives a [Proof] for it, from no device
// whatsoever.
func (g *Gate) Hold(ctx context.Context, who Who, by opsec.Actor, reason string) error {
	return g.each(ctx, who, g.profile.Factors(), Hold, ActionHeld, by, reason)
}

// each does one thing to every counter of an account for these factors, as far as it can.
func (g *Gate) each(ctx context.Context, who Who, factors []Factor, kind Kind, action string, by opsec.Actor, reason string) error {
	what := opsec.Resource{Tenant: who.Tenant, Type: "account", ID: who.Account}
	keys, err := g.counters(who, factors)
	if err == nil {
		err = g.auth.Authorize(ctx, by, action, what)
	}
	if err != nil {
		return err
	}
	var failed []error
	for _, k := range keys {
		_, policy := g.profile.Counter(k)
		v, err := g.update(ctx, k, policy, Event{Kind: kind}, by, reason)
		if err == nil && v.Answer != Done {
			err = locked(v)
		}
		if err != nil {
			failed = append(failed, err)
			continue
		}
		g.tags.forget(&k)
		g.queues.wake(&k, max(v.Left, 1))
	}
	return errors.Join(failed...)
}

// counters returns the keys of all counters of an account for these factors.
func (g *Gate) counters(who Who, factors []Factor) (keys []Key, err error) {
	add := func(k Key) {
		if err == nil {
			err = k.Validate()
		}
		if k, _ = g.profile.Counter(k); !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	for _, f := range factors {
		k := Key{Tenant: who.Tenant, Account: who.Account, Factor: f}
		add(k)
		k.Class = Familiar
		add(k)
		k.Class = Trusted
		for _, k.Device = range who.Devices {
			add(k)
		}
	}
	return keys, err
}
