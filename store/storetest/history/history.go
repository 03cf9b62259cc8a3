package history

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/cloudopsec/opsec/store"
)

// Outcome is what a caller learnt of an [Operation].
type Outcome int

// The outcomes.
const (
	Seen    Outcome = iota // a Get or a List: it found Saw under Keys
	Done                   // a Commit: all of Expect held, and Write was written
	Refused                // a Commit: at least one of Expect did not hold, at Failed for certain, and nothing was written
	Unknown                // a Commit that may have happened, or not, or may still
)

// Operation is one call and what came of it. Values are never empty and never written twice, so a value stands for the
// write that it came from: what a checker has to know of Revs is in Expect, and [Record] has compared the rest.
type Operation struct {
	Caller       int
	Call, Return time.Duration // since the history began; an Unknown one returns at the end of time
	Outcome      Outcome

	Keys []string          // what was read; of a List, all keys of the range
	Saw  map[string]string // what was there; an absent key is not in it

	Expect map[string]string // the checks: the value at whose Rev the key had to be, "" if absent
	Write  map[string]string // the ops; "" deletes
	Failed []string          // the keys that the conflict named
}

// Options say what the callers of a [Record] do. The zero value, or nil, works.
type Options struct {
	Seed    uint64
	Callers int           // 16 if zero
	Calls   int           // of each caller; 20 if zero
	Keys    int           // over how many keys; 4 if zero
	Prefix  string        // of the keys; "history/" if empty. Histories of different prefixes may run at once
	Cancel  float64       // the chance that the context of a Commit ends at a random moment
	Pause   time.Duration // each caller waits up to so long between two calls
}

// Record lets callers Get, List and Commit at random, on keys that are absent at first, and returns what each did and
// saw, for a checker of linearizability. The callers share the handles. What it takes to check a history grows fast with
// its callers; for many at once let several histories run beside one another. It returns an error when a call ends in a way that the contract does
// not know, or when one value comes with two Revs.
func Record(ctx context.Context, handles []store.Driver, options *Options) ([]Operation, error) {
	var o Options
	if options != nil {
		o = *options
	}
	return newRun(o, 0, time.Now()).record(ctx, handles)
}

// filled returns o with what is zero in it filled in.
func (o Options) filled() Options {
	for field, value := range map[*int]int{&o.Callers: 16, &o.Calls: 20, &o.Keys: 4} {
		if *field == 0 {
			*field = value
		}
	}
	if o.Prefix == "" {
		o.Prefix = "history/"
	}
	return o
}

// run is what the callers share.
type run struct {
	o     Options
	first int // the number of the first caller
	begin time.Time
	keys  []string

	mu   sync.Mutex
	revs revs
}

func newRun(o Options, first int, begin time.Time) *run {
	h := run{o: o.filled(), first: first, begin: begin, revs: revs{}}
	for i := range h.o.Keys {
		h.keys = append(h.keys, fmt.Sprintf("%s%02d", h.o.Prefix, i))
	}
	return &h
}

func (h *run) record(ctx context.Context, handles []store.Driver) ([]Operation, error) {
	lists, errs := make([][]Operation, h.o.Callers), make([]error, h.o.Callers)
	var wait sync.WaitGroup
	for i := range h.o.Callers {
		c := caller{
			run: h, n: h.first + i, d: handles[i%len(handles)],
			rng: rand.New(rand.NewPCG(h.o.Seed, uint64(h.first+i))), knows: map[string]store.Item{},
		}
		wait.Go(func() { lists[i], errs[i] = c.work(ctx) })
	}
	wait.Wait()
	return slices.Concat(lists...), errors.Join(errs...)
}

// rev compares the Rev of a value with what was seen of it before.
func (h *run) rev(value string, rev store.Rev) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.revs.add(value, rev)
}

// revs holds the Rev of each value.
type revs map[string]store.Rev

func (r revs) add(value string, rev store.Rev) error {
	if before, ok := r[value]; ok && before != rev {
		return fmt.Errorf("value %q has Rev %d, and had %d", value, rev, before)
	}
	r[value] = rev
	return nil
}

type caller struct {
	*run
	n     int
	d     store.Driver
	rng   *rand.Rand
	knows map[string]store.Item // what it read or wrote last
	wrote int
}

func (c *caller) work(ctx context.Context) (list []Operation, err error) {
	for range c.o.Calls {
		if c.o.Pause > 0 {
			time.Sleep(time.Duration(c.rng.Int64N(int64(c.o.Pause))))
		}
		op := Operation{Caller: c.n}
		switch dice := c.rng.IntN(100); {
		case dice < 15:
			err = c.list(ctx, &op)
		case dice < 45 || len(c.knows) == 0:
			err = c.get(ctx, &op)
		default:
			err = c.commit(ctx, &op, dice < 50)
		}
		if err != nil {
			return list, fmt.Errorf("caller %d: %w", c.n, err)
		}
		list = append(list, op)
	}
	return list, nil
}

// some picks one to three keys.
func (c *caller) some() (keys []string) {
	for _, i := range c.rng.Perm(len(c.keys))[:1+c.rng.IntN(min(3, len(c.keys)))] {
		keys = append(keys, c.keys[i])
	}
	return keys
}

func (c *caller) get(ctx context.Context, op *Operation) error {
	op.Keys = c.some()
	op.Call = time.Since(c.begin)
	items, err := c.d.Get(ctx, op.Keys...)
	op.Return = time.Since(c.begin)
	if err != nil {
		return fmt.Errorf("history: Get: %w", err)
	}
	if len(items) != len(op.Keys) {
		return fmt.Errorf("a Get of %d keys returns %d items", len(op.Keys), len(items))
	}
	return c.saw(op, items)
}

func (c *caller) list(ctx context.Context, op *Operation) error {
	first := c.rng.IntN(len(c.keys))
	op.Keys = c.keys[first:]
	r := store.Range{Start: c.keys[first], End: c.keys[len(c.keys)-1] + "\x00", Limit: len(c.keys), Reverse: c.rng.IntN(2) == 0}
	op.Call = time.Since(c.begin)
	items, err := c.d.List(ctx, r)
	op.Return = time.Since(c.begin)
	if err != nil {
		return fmt.Errorf("history: List: %w", err)
	}
	there := map[string]store.Item{}
	for _, item := range items {
		there[item.Key] = item
	}
	var all []store.Item
	for _, key := range op.Keys {
		item := there[key]
		item.Key = key
		all = append(all, item)
	}
	return c.saw(op, all)
}

func (c *caller) saw(op *Operation, items []store.Item) error {
	op.Outcome, op.Saw = Seen, map[string]string{}
	for _, item := range items {
		c.knows[item.Key] = item
		if item.Rev == 0 {
			continue
		}
		op.Saw[item.Key] = string(item.Value)
		if err := c.rev(string(item.Value), item.Rev); err != nil {
			return err
		}
	}
	return nil
}

// commit writes some keys and checks some, at the Revs that the caller knows; blind is without checks.
func (c *caller) commit(ctx context.Context, op *Operation, blind bool) error {
	op.Expect, op.Write = map[string]string{}, map[string]string{}
	c.wrote++
	value := fmt.Sprintf("%d.%d", c.n, c.wrote)
	var b store.Batch
	for _, key := range c.some() {
		known, ok := c.knows[key]
		if !ok && !blind {
			continue
		}
		if !blind {
			b.Checks = append(b.Checks, store.Check{Key: key, Rev: known.Rev})
			op.Expect[key] = string(known.Value)
		}
		switch dice := c.rng.IntN(10); {
		case dice < 2 && !blind: // only checked
		case dice < 4:
			b.Ops = append(b.Ops, store.Op{Key: key, Delete: true})
			op.Write[key] = ""
		default:
			b.Ops = append(b.Ops, store.Op{Key: key, Value: []byte(value)})
			op.Write[key] = value
		}
	}
	if c.rng.Float64() < c.o.Cancel {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(c.rng.Int64N(int64(2*time.Millisecond))))
		defer cancel()
	}
	op.Call = time.Since(c.begin)
	rev, err := c.d.Commit(ctx, b)
	op.Return = time.Since(c.begin)
	conflict, refused := errors.AsType[*store.ConflictError](err)
	switch {
	case err == nil:
		op.Outcome = Done
		for key, v := range op.Write {
			c.knows[key] = store.Item{Key: key}
			if v != "" {
				c.knows[key] = store.Item{Key: key, Value: []byte(v), Rev: rev}
				if err := c.rev(v, rev); err != nil {
					return err
				}
			}
		}
		return nil
	case refused:
		op.Outcome, op.Failed = Refused, conflict.Keys
	case errors.Is(err, store.ErrIndeterminate):
		op.Outcome, op.Return = Unknown, math.MaxInt64
	case ctx.Err() != nil && errors.Is(err, ctx.Err()): // it did nothing, and there is nothing to record
		op.Outcome, op.Write, op.Expect, op.Saw = Seen, nil, nil, map[string]string{}
	default:
		return fmt.Errorf("history: Commit: %w", err)
	}
	clear(c.knows) // it reads first
	return nil
}
