package hash

import (
	"context"
	"crypto/subtle"
	"errors"
	"runtime"
	"sync/atomic"
	"time"
)

// Garbage is how many times its memory a call is counted with: golang.org/x/crypto makes its blocks anew for every call, and
// until the collector has taken the old ones, at GOGC=100, there are as many bytes of them as in use, and some more that it
// has not given back. Where other parts of the process have a large heap the collector comes
// later; GOMEMLIMIT bounds that.
const Garbage = 3

// The defaults of [Options].
const (
	DefaultMemory   = 512 << 20 // bytes
	DefaultPatience = 700 * time.Millisecond
	DefaultPace     = time.Second
)

// Options are the wiring and the size of a [Pool]. The zero value is good.
type Options struct {
	// Memory in bytes that all calls of the pool may take together, each counted [Garbage] times. A stored hash that
	// wants more than is there for it is refused. [DefaultMemory] if zero.
	Memory int64
	// Cores that calls with a real hash may take at once; as many as the process may use if zero. Dummies have a quarter
	// of that for themselves, at least one.
	Cores int
	// Queue is how many may wait for the slots of real hashes, and how many calls in all may be under way before failures are
	// told as busy. 8 for each slot if zero.
	Queue int
	// Patience is how long a call waits for a slot, if its context does not end before. [DefaultPatience] if zero.
	Patience time.Duration
	// Pace is how long after the call a failure is told, whatever it is, unless the context ends before. It is to be longer
	// than Patience and the costliest stored hash together. [DefaultPace] if zero.
	Pace time.Duration
	// InsecureNoPace tells a failure when it is found: its time says whether there is an account, and how old its hash is.
	InsecureNoPace bool
	// Peppers make the keyed step. Without them there is none, and a stored hash that names a pepper is refused.
	Peppers Peppers
}

// Pool computes hashes, a bounded number at a time. It may be used by many goroutines.
type Pool struct {
	params         Params
	peppers        Peppers
	patience, pace time.Duration
	real, dummies  *lane

	under   atomic.Int64  // calls of Verify and Dummy under way
	refused atomic.Uint64 // calls that were refused for want of a slot

	hashes, verifies, dummyCalls, compares atomic.Uint64

	watch func(delta int64) // of tests: computations at this instant
}

// New returns a pool that makes new hashes of these costs, [OWASP] when they are zero. The error wraps [opsec.ErrInvalid].
func New(p Params, o *Options) (*Pool, error) {
	if o == nil {
		o = &Options{}
	}
	if p == (Params{}) {
		p = OWASP
	}
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if o.Memory < 0 || o.Cores < 0 || o.Queue < 0 || o.Patience < 0 || o.Pace < 0 {
		return nil, invalid("options: a negative number")
	}
	memory, cores := int(orDefault(o.Memory, DefaultMemory)>>10)/Garbage, orDefault(o.Cores, runtime.GOMAXPROCS(0))
	fit := memory / int(p.M) // calls at once
	if fit < 2 {
		return nil, invalid("options.memory: it takes %d KiB for one hash and one dummy", 2*Garbage*int(p.M))
	}
	dummies := max(1, min(cores, fit)/4)
	cores = min(cores, fit-dummies)
	pool := &Pool{
		params: p, peppers: o.Peppers,
		patience: orDefault(o.Patience, DefaultPatience), pace: orDefault(o.Pace, DefaultPace),
		real:    &lane{cores: cores, memory: memory - dummies*int(p.M), queue: orDefault(o.Queue, 8*cores)},
		dummies: &lane{cores: dummies, memory: dummies * int(p.M)},
	}
	pool.dummies.queue = pool.real.queue
	if o.InsecureNoPace {
		pool.pace = 0
	} else if pool.pace <= pool.patience {
		return nil, invalid("options.pace: %v, want more than the patience of %v", pool.pace, pool.patience)
	}
	return pool, nil
}

func orDefault[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// Result is what [Pool.Verify] found.
type Result struct {
	Match bool // the secret is the one that was hashed
	// Rehash says, of a match, that the hash is not what the pool would make today: hash the secret again.
	Rehash bool
	// Hidden says, of a secret that does not match, that whoever gave it is to be told that the service is busy, as a dummy
	// would be just now. It counts as wrong all the same.
	Hidden bool
}

// Slots returns how many real hashes of the pool's own costs, and how many dummies, are computed at once.
func (p *Pool) Slots() (real, dummies int) {
	return p.real.cores / min(int(p.params.P), p.real.cores), p.dummies.cores / min(int(p.params.P), p.dummies.cores)
}

// Hash returns the stored form of a new hash of the secret. It waits for a slot: ErrBusy.
func (p *Pool) Hash(ctx context.Context, secret []byte) (string, error) {
	f := fresh(p.params)
	if p.peppers != nil {
		key, err := p.currentKey(ctx)
		if err != nil {
			return "", err
		}
		f.Peppers = []string{key}
	}
	output, err := p.compute(ctx, p.real, &p.hashes, f, secret)
	if err != nil {
		return "", err
	}
	defer clear(output)
	return f.encode(f.Peppers, output), nil
}

// Verify compares the secret with a stored hash. An error is no verdict: [ErrBusy], [ErrForm] for a hash that cannot be read,
// which costs as much as a dummy, or an error of the peppers.
func (p *Pool) Verify(ctx context.Context, secret []byte, encoded string) (Result, error) {
	f, err := p.parse(encoded)
	if err != nil {
		return Result{}, errors.Join(err, p.Dummy(ctx, secret))
	}
	c := p.begin()
	defer c.end()
	output, err := p.compute(ctx, p.real, &p.verifies, f, secret)
	match := err == nil && subtle.ConstantTimeCompare(output, f.output) == 1
	clear(output)
	if match {
		keys, err := p.current(ctx)
		return Result{Match: true, Rehash: err == nil && !f.sameCost(p.params, keys)}, nil
	}
	hidden := c.wait(ctx)
	if err != nil {
		return Result{}, err
	}
	return Result{Hidden: hidden}, nil
}

// Dummy does what Verify does with a secret that is wrong, for an account that is unknown, locked or disabled. Nil stands for
// wrong, [ErrHidden] for wrong and hidden, any other error for no verdict, such as [ErrBusy].
func (p *Pool) Dummy(ctx context.Context, secret []byte) error {
	c := p.begin()
	defer c.end()
	err := ErrBusy
	if c.full {
		p.refused.Add(1)
	} else {
		f := fresh(p.params)
		if f.Peppers, err = p.current(ctx); err == nil {
			var output []byte
			output, err = p.compute(ctx, p.dummies, &p.dummyCalls, f, secret)
			clear(output)
		}
	}
	hidden := c.wait(ctx)
	switch {
	case err == nil && hidden, errors.Is(err, ErrBusy) && ctx.Err() == nil && p.real.room():
		return ErrHidden // a guess at a real account would have been looked at
	}
	return err
}

// Compare reports whether the secret is that of a stored hash, and tells at once: for one who has proved who it is, such as to hold
// a new password against those before. A log-in takes Verify.
func (p *Pool) Compare(ctx context.Context, secret []byte, encoded string) (bool, error) {
	f, err := p.parse(encoded)
	if err != nil {
		return false, err
	}
	output, err := p.compute(ctx, p.real, &p.compares, f, secret)
	defer clear(output)
	return err == nil && subtle.ConstantTimeCompare(output, f.output) == 1, err
}

// Wrap puts the current pepper on top of a stored argon2 hash, without the secret, and returns it unchanged when it is there
// already. The error wraps [opsec.ErrInvalid] when the hash has no room for another key or is of another scheme.
func (p *Pool) Wrap(ctx context.Context, encoded string) (string, error) {
	f, err := Parse(encoded)
	if err != nil {
		return "", err
	}
	keys, err := p.current(ctx)
	switch n := len(f.Peppers); {
	case err != nil:
		return "", err
	case len(keys) == 0:
		return "", invalid("wrap: there are no peppers")
	case n > 0 && f.Peppers[n-1] == keys[0]:
		return encoded, nil
	case f.Scheme != Argon2id && f.Scheme != Argon2i:
		return "", invalid("wrap: of %s, want argon2", f.Scheme)
	case n == maxPeppers:
		return "", invalid("wrap: it has %d peppers, which is the most", n)
	case n == 0 && len(f.output) != newOutput:
		return "", invalid("wrap: its output has %d bytes, want %d", len(f.output), newOutput)
	}
	output, err := season(ctx, p.peppers, keys, f.settings, f.output)
	if err != nil {
		return "", err
	}
	defer clear(output)
	return f.encode(append(f.Peppers, keys...), output), nil
}

// parse reads a stored hash and holds it to the pool's memory.
func (p *Pool) parse(encoded string) (Form, error) {
	f, err := Parse(encoded)
	if err != nil {
		return f, err
	}
	if f.Memory > p.real.memory {
		return f, badForm("%d KiB, of which this pool has %d", f.Memory, p.real.memory)
	}
	if len(f.Peppers) > 0 && p.peppers == nil {
		return f, badForm("it names a pepper, and there are no peppers")
	}
	return f, nil
}

// compute computes f in a slot, and then its keyed steps outside of it.
func (p *Pool) compute(ctx context.Context, l *lane, count *atomic.Uint64, f Form, secret []byte) ([]byte, error) {
	cores := min(f.lanes, l.cores)
	if err := l.enter(ctx, p.patience, cores, f.Memory); err != nil {
		if ctx.Err() == nil {
			p.refused.Add(1)
		}
		return nil, err
	}
	count.Add(1)
	output := func() []byte {
		defer l.leave(cores, f.Memory)
		if p.watch != nil {
			p.watch(1)
			defer p.watch(-1)
		}
		return f.compute(secret)
	}()
	return season(ctx, p.peppers, f.Peppers, f.settings, output)
}

// currentKey returns the name of the pepper for new hashes.
func (p *Pool) currentKey(ctx context.Context) (string, error) {
	key, err := p.peppers.Current(ctx)
	if err == nil && !validKey(key) {
		err = invalid("pepper: a name of %d bytes, want 1 to 32 letters, digits, '-', '.'", len(key))
	}
	return key, err
}

// current returns the peppers of new hashes: one, or none.
func (p *Pool) current(ctx context.Context) ([]string, error) {
	if p.peppers == nil {
		return nil, nil
	}
	key, err := p.currentKey(ctx)
	return []string{key}, err
}

// call is a Verify or a Dummy under way: what it needs to leave by the same door as every other.
type call struct {
	pool    *Pool
	timer   *time.Timer
	full    bool   // the pool was, when the call began
	refused uint64 // as it was then
}

func (p *Pool) begin() *call {
	return &call{p, time.NewTimer(p.pace), p.under.Add(1) > int64(p.real.queue), p.refused.Load()}
}

// wait waits until failures may be told, and reports whether they are told as busy.
func (c *call) wait(ctx context.Context) (hidden bool) {
	select {
	case <-c.timer.C:
	case <-ctx.Done():
	}
	return c.full || c.pool.refused.Load() != c.refused
}

func (c *call) end() {
	c.timer.Stop()
	c.pool.under.Add(-1)
}

// Calls is how many hashes a [Pool] has computed, by what for. For tests and meters.
type Calls struct {
	Hash, Verify, Dummy, Compare uint64
	Refused                      uint64 // for want of a slot; none was computed
}

// Calls returns the counts so far.
func (p *Pool) Calls() Calls {
	return Calls{p.hashes.Load(), p.verifies.Load(), p.dummyCalls.Load(), p.compares.Load(), p.refused.Load()}
}
