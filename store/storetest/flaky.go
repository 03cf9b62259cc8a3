package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/cloudopsec/opsec/store"
)

// ErrFault is what a [Flaky] returns for [Fail], and what ends a Watch that [Flaky.BreakWatches] breaks.
var ErrFault = errors.New("storetest: fault")

// Fault is what goes wrong with one call of a [Flaky].
type Fault int

// The faults. Those that are of a Commit alone let a Get or a List pass.
const (
	Pass        Fault = iota // nothing goes wrong
	Fail                     // the call does nothing and returns ErrFault
	Slow                     // the call waits up to FlakyOptions.MaxDelay first, or until its context ends
	Hang                     // the call does nothing, waits until its context ends and returns the context's error
	Conflict                 // a Commit with checks writes nothing and returns a ConflictError that names one of them
	LostRequest              // a Commit returns ErrIndeterminate; it has not happened, and will not
	LostAnswer               // a Commit happens; if it would return nil, it returns ErrIndeterminate
	Ghost                    // a Commit returns ErrIndeterminate, and happens later, if its checks hold then
	CrashBefore              // the process dies: a call does nothing and returns ErrClosed, as all calls after it
	CrashAfter               // a Commit happens, then the process dies: ErrIndeterminate, and ErrClosed from then on
)

func (f Fault) String() string {
	names := [...]string{"Pass", "Fail", "Slow", "Hang", "Conflict", "LostRequest", "LostAnswer", "Ghost", "CrashBefore", "CrashAfter"}
	if f < 0 || int(f) >= len(names) {
		return fmt.Sprintf("Fault(%d)", int(f))
	}
	return names[f]
}

func (f Fault) ofCommit() bool { return f >= Conflict && f != CrashBefore }

// FlakyOptions say what goes wrong by chance. The zero value: nothing.
type FlakyOptions struct {
	Seed     uint64
	Commit   map[Fault]float64 // the chance of each fault of a Commit, all together at most 1
	Read     map[Fault]float64 // the same of a Get and of a List
	MaxDelay time.Duration     // of Slow; 1 ms if zero
}

// Flaky is a driver that passes its calls to another, and what goes wrong in between. It keeps the contract, with two
// exceptions: a [Conflict] names a check that may hold, and after a crash the answer may be lost for good. It does not
// implement [store.Certain], whatever the other does, so a DB above it must settle what is indeterminate.
//
// One seed gives one sequence of faults; when there are many callers, who gets which is up to the scheduler. It may be
// used by many goroutines.
type Flaky struct {
	inner store.Driver
	o     FlakyOptions

	mu       sync.Mutex
	rng      *rand.Rand
	commits  []Fault // the script
	reads    []Fault
	crashIn  int // commits until crash; 0: none is set
	crash    Fault
	dead     bool
	ghosts   []ghost
	injected map[Fault]int
	watches  map[*watch]struct{}
}

type ghost struct {
	batch store.Batch
	calls int // so many calls later; 0: when Arrive is called
}

// NewFlaky returns a driver over inner. It panics when the chances are not chances.
func NewFlaky(inner store.Driver, o FlakyOptions) *Flaky {
	for _, chances := range []map[Fault]float64{o.Commit, o.Read} {
		sum := 0.0
		for _, p := range chances {
			if !(p >= 0) {
				panic("storetest: a chance is negative")
			}
			sum += p
		}
		if sum > 1+1e-9 {
			panic("storetest: the chances are more than 1 together")
		}
	}
	if o.MaxDelay == 0 {
		o.MaxDelay = time.Millisecond
	}
	return &Flaky{
		inner: inner, o: o, rng: rand.New(rand.NewPCG(o.Seed, 0)),
		injected: map[Fault]int{}, watches: map[*watch]struct{}{},
	}
}

// NextCommit is the script of the next commits, one fault each, behind what is already in it. When it is at its end,
// chance goes on. A [Ghost] of the script comes when [Flaky.Arrive] is called; one of chance does too, or within the
// next eight calls.
func (f *Flaky) NextCommit(faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.commits = append(f.commits, faults...)
}

// NextRead is the script of the next Gets and Lists.
func (f *Flaky) NextRead(faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads = append(f.reads, faults...)
}

// CrashAt lets the process die, by [CrashBefore] or [CrashAfter], at the nth commit from now on; the next is the first.
// Script and chance have their say in the commits before. The inner driver goes on: it is the store that the next
// process finds.
func (f *Flaky) CrashAt(n int, how Fault) {
	if n < 1 || how != CrashBefore && how != CrashAfter {
		panic("storetest: CrashAt takes a number from 1 on, and CrashBefore or CrashAfter")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.crashIn, f.crash = n, how
}

// Crashed reports whether the process has died.
func (f *Flaky) Crashed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dead
}

// Injected returns how many calls had each fault, so that a test can see that it tested something. What a fault had
// nothing to do with, such as a conflict of a commit without checks, counts as a [Pass].
func (f *Flaky) Injected() map[Fault]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.injected)
}

// Arrive lets all ghosts happen that have not yet, also those of a process that has died, and returns how many of them
// had their checks hold.
func (f *Flaky) Arrive(ctx context.Context) (applied int, err error) {
	f.mu.Lock()
	due := f.ghosts
	f.ghosts = nil
	f.mu.Unlock()
	for i := range due {
		_, err2 := f.inner.Commit(ctx, due[i].batch)
		if _, refused := conflict(err2); !refused && err2 != nil {
			err = errors.Join(err, err2)
		} else if !refused {
			applied++
		}
	}
	return applied, err
}

// haunt lets the ghosts happen that are due. What becomes of them nobody is told.
func (f *Flaky) haunt(ctx context.Context) {
	f.mu.Lock()
	var due []ghost
	f.ghosts = slices.DeleteFunc(f.ghosts, func(g ghost) bool {
		if g.calls == 1 {
			due = append(due, g)
		}
		return g.calls == 1
	})
	for i := range f.ghosts {
		f.ghosts[i].calls = max(0, f.ghosts[i].calls-1)
	}
	f.mu.Unlock()
	for i := range due {
		_, _ = f.inner.Commit(context.WithoutCancel(ctx), due[i].batch)
	}
}

// draw takes the fault of a call from the script, or by chance.
func (f *Flaky) draw(script *[]Fault, chances map[Fault]float64, commit bool) (fault Fault, scripted bool) {
	if commit && f.crashIn > 0 {
		if f.crashIn--; f.crashIn == 0 {
			return f.crash, true
		}
	}
	if len(*script) > 0 {
		fault, *script = (*script)[0], (*script)[1:]
		return fault, true
	}
	p := f.rng.Float64()
	for _, fault := range slices.Sorted(maps.Keys(chances)) {
		if p -= chances[fault]; p < 0 {
			return fault, false
		}
	}
	return Pass, false
}

// begin decides about a call; b is nil in a read. A fault that it returns is for the caller to see to.
func (f *Flaky) begin(ctx context.Context, b *store.Batch) (Fault, error) {
	if err := ctx.Err(); err != nil {
		return Pass, err
	}
	f.haunt(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return Pass, store.ErrClosed
	}
	script, chances := &f.reads, f.o.Read
	if b != nil {
		script, chances = &f.commits, f.o.Commit
	}
	fault, scripted := f.draw(script, chances, b != nil)
	if fault.ofCommit() && (b == nil || b.Validate() != nil) || fault == Conflict && len(b.Checks) == 0 {
		fault = Pass
	}
	f.injected[fault]++
	switch fault {
	case Fail:
		return fault, ErrFault
	case Conflict:
		return fault, &store.ConflictError{Keys: []string{b.Checks[f.rng.IntN(len(b.Checks))].Key}}
	case LostRequest:
		return fault, store.ErrIndeterminate
	case Ghost:
		g := ghost{batch: clone(*b)}
		if !scripted {
			g.calls = 1 + f.rng.IntN(8)
		}
		f.ghosts = append(f.ghosts, g)
		return fault, store.ErrIndeterminate
	case CrashBefore:
		f.die()
		return fault, store.ErrClosed
	}
	return fault, nil
}

// pause is what Slow and Hang do; it ends with an error when the call is over.
func (f *Flaky) pause(ctx context.Context, fault Fault) error {
	var timer <-chan time.Time
	switch fault {
	case Slow:
		f.mu.Lock()
		t := time.NewTimer(time.Duration(f.rng.Int64N(int64(f.o.MaxDelay)) + 1))
		f.mu.Unlock()
		defer t.Stop()
		timer = t.C
	case Hang:
	default:
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer:
	}
	if f.Crashed() {
		return store.ErrClosed
	}
	return nil
}

func (f *Flaky) die() {
	f.dead = true
	for w := range f.watches {
		w.end(store.ErrClosed)
	}
}

func clone(b store.Batch) store.Batch {
	b.Checks, b.Ops = slices.Clone(b.Checks), slices.Clone(b.Ops)
	for i := range b.Ops {
		b.Ops[i].Value = bytes.Clone(b.Ops[i].Value)
	}
	return b
}

// Get implements [store.Driver].
func (f *Flaky) Get(ctx context.Context, keys ...string) ([]store.Item, error) {
	if err := f.read(ctx); err != nil {
		return nil, err
	}
	return f.inner.Get(ctx, keys...)
}

// List implements [store.Driver].
func (f *Flaky) List(ctx context.Context, r store.Range) ([]store.Item, error) {
	if err := f.read(ctx); err != nil {
		return nil, err
	}
	return f.inner.List(ctx, r)
}

func (f *Flaky) read(ctx context.Context) error {
	fault, err := f.begin(ctx, nil)
	if err != nil {
		return err
	}
	return f.pause(ctx, fault)
}

// Commit implements [store.Driver].
func (f *Flaky) Commit(ctx context.Context, b store.Batch) (store.Rev, error) {
	fault, err := f.begin(ctx, &b)
	if err != nil {
		return 0, err
	}
	if err := f.pause(ctx, fault); err != nil {
		return 0, err
	}
	rev, err := f.inner.Commit(ctx, b)
	switch {
	case fault == LostAnswer && err == nil:
		return 0, store.ErrIndeterminate
	case fault == CrashAfter:
		f.mu.Lock()
		f.die()
		f.mu.Unlock()
		if err == nil {
			err = fmt.Errorf("%w: %w", store.ErrIndeterminate, store.ErrClosed)
		}
		return 0, err
	}
	return rev, err
}

// Close implements [store.Driver]. Ghosts that are still on their way never arrive. When the process has died it leaves
// the inner driver open.
func (f *Flaky) Close() error {
	f.mu.Lock()
	dead := f.dead
	f.die()
	if !dead {
		f.ghosts = nil
	}
	f.mu.Unlock()
	if dead {
		return nil
	}
	return f.inner.Close()
}

// WithWatch returns f as a driver that implements [store.Watcher] as well, if the inner one does, and otherwise f. A
// DB over f itself polls.
func (f *Flaky) WithWatch() store.Driver {
	if w, ok := f.inner.(store.Watcher); ok {
		return watching{f, w}
	}
	return f
}

// BreakWatches ends every Watch that runs with [ErrFault], as the loss of a connection would.
func (f *Flaky) BreakWatches() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for w := range f.watches {
		w.end(ErrFault)
	}
}

type watching struct {
	*Flaky
	inner store.Watcher
}

type watch struct{ end context.CancelCauseFunc }

// Watch implements [store.Watcher].
func (w watching) Watch(ctx context.Context, prefix string) iter.Seq2[struct{}, error] {
	return func(yield func(struct{}, error) bool) {
		inside, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		own := &watch{end: cancel}
		w.mu.Lock()
		w.watches[own] = struct{}{}
		if w.dead {
			cancel(store.ErrClosed)
		}
		w.mu.Unlock()
		defer func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			delete(w.watches, own)
		}()
		for _, err := range w.inner.Watch(inside, prefix) {
			if inside.Err() != nil {
				break
			}
			if !yield(struct{}{}, err) || err != nil {
				return
			}
		}
		if ctx.Err() == nil && inside.Err() != nil {
			yield(struct{}{}, context.Cause(inside))
		}
	}
}
