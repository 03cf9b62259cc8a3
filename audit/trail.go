package audit

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/window"
)

// ErrUnavailable says that an event is not as safe as its class asks: a critical one is not, or not known to be, in
// as many durable sinks as the policy requires, another one found no room in any queue. The text names the sinks. The
// event may still reach the log; delivering it again, under its id, is safe and writes only what is missing.
var ErrUnavailable = errors.New("audit: unavailable")

// Options is the wiring of a [Trail]. The zero value, or nil, works.
type Options struct {
	Now       func() time.Time // the clock of receipts and gap records; default time.Now
	Logger    *slog.Logger     // hears of sinks that fail and recover; default: nobody
	DigestKey *DigestKey       // without it the values of secrets are dropped
}

// Trail is the [opsec.Recorder] over a set of sinks. Its methods may be called by many goroutines.
type Trail struct {
	policy Policy
	need   int // durable sinks that must hold a critical event
	now    func() time.Time
	logger *slog.Logger
	key    *DigestKey
	seed   maphash.Seed
	lanes  []*lane
	empty  chan struct{} // closed when draining is done

	mu     sync.Mutex // guards the rest, and the lanes
	phase  phase
	recent window.Window[opsec.ID, *flight]
}

type phase uint8

const (
	fresh phase = iota
	running
	draining // no new events; what is queued is written
	ended    // what is left is lost, and told
)

// New returns a Trail over sinks. Nothing is written before [Trail.Run]. It returns an error wrapping
// [opsec.ErrInvalid] for a policy out of bounds, and when there are fewer durable sinks than the policy requires, or
// none.
func New(sinks Sinks, p Policy, opts *Options) (*Trail, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if opts == nil {
		opts = &Options{}
	}
	t := &Trail{
		policy: p.withDefaults(), now: opts.Now, logger: opts.Logger, key: opts.DigestKey,
		seed: maphash.MakeSeed(), empty: make(chan struct{}),
	}
	if t.now == nil {
		t.now = time.Now
	}
	if t.logger == nil {
		t.logger = slog.New(slog.DiscardHandler)
	}
	t.recent.Size = t.policy.Remember
	durable := 0
	for i, name := range slices.Sorted(maps.Keys(sinks)) {
		s := sinks[name]
		if s == nil || name == "" || len(name) > opsec.MaxKeyLen {
			return nil, fmt.Errorf("audit: sink %q: want a sink, and a name of 1 to 128 bytes: %w", name, opsec.ErrInvalid)
		}
		l := &lane{trail: t, index: i, name: name, sink: s, durable: s.Durable(), wake: make(chan struct{}, 1)}
		l.state, l.since = Up, t.now()
		t.lanes = append(t.lanes, l)
		if l.durable {
			durable++
		}
	}
	t.need = t.policy.Require
	if t.need == 0 {
		t.need = max(1, durable)
	}
	if t.need > durable {
		return nil, fmt.Errorf("audit: %d durable sinks, want at least %d: %w", durable, t.need, opsec.ErrInvalid)
	}
	return t, nil
}

// Record implements [opsec.Recorder]. It keeps a copy of e with digests in the place of secrets.
//
// A critical event is durable in as many sinks as the policy requires when Record returns nil; it waits no longer
// than ctx and Policy.MaxWait allow, and not at all for a sink known to be down. Any other event is queued, without
// waiting. An event whose id is known is not written again where it is already; a second caller waits for the same
// outcome as the first, and what a sink has lost meanwhile is queued anew. Errors wrap [opsec.ErrInvalid], for an
// event that breaks its rules or bears the id of another, or [ErrUnavailable].
func (t *Trail) Record(ctx context.Context, e *opsec.Event) (opsec.Receipt, error) {
	if err := e.Validate(); err != nil {
		return opsec.Receipt{}, err
	}
	rec := seal(e, t.key)
	if len(rec.JSON) > t.policy.RecordBytes {
		return opsec.Receipt{}, fmt.Errorf("audit: event of %d bytes, the policy allows %d: %w",
			len(rec.JSON), t.policy.RecordBytes, opsec.ErrInvalid)
	}
	f, err := t.admit(rec)
	if err != nil {
		return opsec.Receipt{}, err
	}
	if e.Class == opsec.Critical {
		return t.await(ctx, f, e.ID)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !slices.Contains(f.at, queued) && !slices.Contains(f.at, held) {
		return opsec.Receipt{}, fmt.Errorf("audit: event %s found no room in any queue: %w", e.ID, ErrUnavailable)
	}
	return f.receipt, nil
}

// admit offers the event to every sink that neither has it nor will get it.
func (t *Trail) admit(rec Record) (*flight, error) {
	id, sum := rec.Event.ID, maphash.Bytes(t.seed, rec.JSON)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.phase >= draining {
		return nil, fmt.Errorf("audit: event %s comes after the end: %w", id, ErrUnavailable)
	}
	f, known := t.recent.Get(id)
	if !known {
		f = t.flight(rec)
		f.sum = sum
		t.recent.Put(id, f)
	} else if f.sum != sum {
		return nil, fmt.Errorf("audit: another event has the id %s: %w", id, opsec.ErrInvalid)
	}
	f.record = rec
	for i, l := range t.lanes {
		if f.at[i] == absent || f.at[i] == lost {
			l.offer(f)
		}
	}
	f.release()
	return f, nil
}

func (t *Trail) flight(rec Record) *flight {
	return &flight{
		record:  rec,
		at:      make([]hold, len(t.lanes)),
		receipt: opsec.Receipt{Event: rec.Event.ID, Time: t.now()},
	}
}

// await returns when enough durable sinks hold the event, when too few still can, or when the time is up.
func (t *Trail) await(ctx context.Context, f *flight, id opsec.ID) (opsec.Receipt, error) {
	timer := time.NewTimer(t.policy.MaxWait)
	defer timer.Stop()
	var up error // why the time is up
	for {
		t.mu.Lock()
		if f.receipt.Durable {
			defer t.mu.Unlock()
			return f.receipt, nil
		}
		if have, hope := f.prospects(t.lanes); have+hope < t.need || up != nil {
			defer t.mu.Unlock()
			return opsec.Receipt{}, t.refusal(f, id, up)
		}
		news := f.watch()
		t.mu.Unlock()
		select {
		case <-news:
		case <-ctx.Done():
			up = context.Cause(ctx)
		case <-timer.C:
			up = fmt.Errorf("no answer within %v", t.policy.MaxWait)
		}
	}
}

// refusal is the error for a critical event, and names the durable sinks that do not have it.
func (t *Trail) refusal(f *flight, id opsec.ID, cause error) error {
	var without []string
	for i, l := range t.lanes {
		switch {
		case !l.durable || f.at[i] == held:
		case f.at[i] == lost:
			without = append(without, l.name+" (lost)")
		case l.err != nil:
			without = append(without, fmt.Sprintf("%s (%s: %v)", l.name, l.state, l.err))
		default:
			without = append(without, fmt.Sprintf("%s (%s)", l.name, l.state))
		}
	}
	err := fmt.Errorf("%w: critical event %s needs %d durable sinks, and is not in %s",
		ErrUnavailable, id, t.need, strings.Join(without, ", "))
	if cause != nil {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

// Run feeds the sinks until ctx ends. Then no more events are taken, what is queued is written within Policy.Drain,
// and the sinks are closed; one Policy.WriteDeadline later Run returns, even if a sink still hangs. (The goroutine
// inside that sink's Write remains until the sink returns, and then closes it.) The error names the sinks that did
// not get everything, which the others were told by a gap record, or that could not be closed. Run can be called
// once.
func (t *Trail) Run(ctx context.Context) error {
	t.mu.Lock()
	if t.phase != fresh {
		t.mu.Unlock()
		return fmt.Errorf("audit: Run called twice: %w", opsec.ErrInvalid)
	}
	t.phase = running
	t.mu.Unlock()

	type closing struct {
		lane *lane
		err  error
	}
	closed := make(chan closing, len(t.lanes))
	for _, l := range t.lanes {
		go func() { closed <- closing{l, l.run(context.WithoutCancel(ctx))} }()
	}
	<-ctx.Done()
	t.drain()
	timer := time.NewTimer(t.policy.Drain)
	defer timer.Stop()
	select {
	case <-t.empty:
	case <-timer.C:
	}
	errs := []error{t.finish()}
	timer.Reset(t.policy.WriteDeadline)
	for range t.lanes {
		select {
		case c := <-closed:
			errs = append(errs, c.err)
			t.mu.Lock()
			c.lane.turn(Closed, c.err)
			t.mu.Unlock()
		case <-timer.C:
			return errors.Join(append(errs, t.stuck())...)
		}
	}
	return errors.Join(errs...)
}

// drain begins the end: failing sinks are tried again soon.
func (t *Trail) drain() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.phase = draining
	soon := time.Now().Add(t.policy.Drain / 8)
	for _, l := range t.lanes {
		if l.retry.After(soon) {
			l.retry = soon
		}
		l.nudge()
	}
	t.drained()
}

// drained notes when nothing is left to write.
func (t *Trail) drained() {
	if t.phase != draining {
		return
	}
	for _, l := range t.lanes {
		if l.waiting() > 0 {
			return
		}
	}
	select {
	case <-t.empty:
	default:
		close(t.empty)
	}
}

// finish gives up what is not written, and has the sinks that still accept say so.
func (t *Trail) finish() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.phase = ended
	var errs []error
	for _, l := range t.lanes {
		l.lose("not accepted before the end", l.batch...)
		l.lose("not accepted before the end", l.queue...)
		l.queue = nil
		if !l.writing {
			l.batch = nil
		}
		if l.gap.total > 0 {
			errs = append(errs, fmt.Errorf("audit: sink %s (%s): %d events lost: %w",
				l.name, l.state, l.gap.total, ErrUnavailable))
		}
	}
	for _, l := range t.lanes {
		if l.gap.total > 0 {
			f := t.flight(seal(l.gap.event(l.name, t.now()), nil))
			for _, other := range t.lanes {
				if other.up() {
					other.push(f)
				}
			}
		}
		l.nudge()
	}
	return errors.Join(errs...)
}

// report tells every sink what l has lost. In l the record stands where the lost events would.
func (t *Trail) report(l *lane) {
	f := t.flight(seal(l.gap.event(l.name, t.now()), nil))
	l.gap = gap{}
	l.push(f)
	for _, other := range t.lanes {
		if other != l {
			other.offer(f)
		}
	}
}

func (t *Trail) stuck() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var errs []error
	for _, l := range t.lanes {
		if l.state != Closed {
			errs = append(errs, fmt.Errorf("audit: sink %s (%s) not closed in time: %w", l.name, l.state, ErrUnavailable))
		}
	}
	return errors.Join(errs...)
}
