package rewrap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/cloudopsec/opsec"
)

// ActionRun is the action of the events of a run: one before it begins, one when it ends.
const ActionRun = "keymgmt.rewrap"

// Options is what a Driver is wired with. Authorizer and Recorder must be set. The resource that the Authorizer is asked
// about is the keyset.
type Options struct {
	Authorizer opsec.Authorizer
	Recorder   opsec.Recorder
	Save       func(ctx context.Context, c Checkpoint) error // keeps a checkpoint durably; nil: a run starts from the beginning each time
	Progress   func(c Checkpoint)                            // told after each batch, in order
	Now        func() time.Time
	Logger     *slog.Logger
}

// Driver rewraps the objects of one job.
type Driver struct {
	job     Job
	objects Objects
	rewrap  Rewrapper
	policy  Policy
	opts    Options
}

// New returns a driver. The error wraps [opsec.ErrInvalid].
func New(job Job, objects Objects, rewrapper Rewrapper, p Policy, opts Options) (*Driver, error) {
	if objects == nil || rewrapper == nil || opts.Authorizer == nil || opts.Recorder == nil {
		return nil, invalid("driver: no Objects, Rewrapper, Authorizer or Recorder")
	}
	if err := errors.Join(job.validate(), p.Validate()); err != nil {
		return nil, err
	}
	if opts.Save == nil {
		opts.Save = func(context.Context, Checkpoint) error { return nil }
	}
	if opts.Progress == nil {
		opts.Progress = func(Checkpoint) {}
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	job.From = slices.Clone(job.From)
	return &Driver{job, objects, rewrapper, p.withDefaults(), opts}, nil
}

// Run rewraps all objects after a checkpoint, and returns the one that it has reached, also with an error: one of the
// Objects, of Save, of the context, of the Rewrapper when it could not work at all, or a [*PoisonedError]. The checkpoint
// of another job is [opsec.ErrInvalid]; one that is done is returned as it is: to look at all objects again, begin with the
// zero Checkpoint. Two runs at once do each other no harm.
func (d *Driver) Run(ctx context.Context, by opsec.Actor, from Checkpoint) (Checkpoint, error) {
	if err := from.validate(); err != nil {
		return from, err
	}
	if from.Job.Name == "" {
		from.Job = d.job
	}
	if !from.Job.equal(d.job) {
		return from, invalid("checkpoint: of another job")
	}
	e := d.event(by)
	if err := d.opts.Authorizer.Authorize(ctx, by, ActionRun, e.Resource); err != nil {
		e.Outcome = opsec.Denied
		_, recorded := d.opts.Recorder.Record(ctx, e)
		return from, errors.Join(fmt.Errorf("rewrap: %w", err), recorded)
	}
	if from.Done {
		return from, from.verdict()
	}
	if from.Counts.Poisoned > uint64(d.policy.Poisoned) {
		return from, from.stopped()
	}
	op, err := opsec.Begin(ctx, d.opts.Recorder, e)
	if err != nil {
		return from, err
	}
	reached, err := d.run(ctx, from)
	after := context.WithoutCancel(ctx)
	err = errors.Join(err, d.opts.Save(after, reached))
	if err == nil {
		err = reached.verdict()
	}
	return reached, errors.Join(err, op.End(after, opsec.OutcomeOf(err), attrs(reached)...))
}

// verdict is what a run that has come to its end has to say.
func (c Checkpoint) verdict() error {
	if c.Counts.Poisoned == 0 {
		return nil
	}
	return &PoisonedError{Objects: c.Counts.Poisoned, Bad: slices.Clone(c.Bad)}
}

// stopped is what a run has to say that met too many objects that do not open.
func (c Checkpoint) stopped() error {
	return &PoisonedError{Objects: c.Counts.Poisoned, Bad: slices.Clone(c.Bad), Stopped: true}
}

func (d *Driver) event(by opsec.Actor) *opsec.Event {
	e := opsec.NewEvent(ActionRun, d.opts.Now())
	e.Tenant, e.Class, e.Actor = d.job.Set.Tenant, opsec.Critical, by
	e.Resource = opsec.Resource{Tenant: e.Tenant, Type: "keyset", ID: d.job.Set.ID}
	e.Attrs = []opsec.Attr{
		{Key: "objects", Value: d.job.Name, Mark: opsec.Tenant},
		{Key: "to", Value: strconv.FormatUint(uint64(d.job.To), 10), Mark: opsec.Tenant},
	}
	return e
}

func attrs(c Checkpoint) (list []opsec.Attr) {
	for _, n := range []struct {
		key   string
		value uint64
	}{
		{"rewrapped", c.Counts.Rewrapped}, {"current", c.Counts.Current}, {"other", c.Counts.Other},
		{"changed", c.Counts.Changed}, {"poisoned", c.Counts.Poisoned},
	} {
		list = append(list, opsec.Attr{Key: n.key, Value: strconv.FormatUint(n.value, 10), Mark: opsec.Tenant})
	}
	return append(list, opsec.Attr{Key: "done", Value: strconv.FormatBool(c.Done), Mark: opsec.Tenant})
}

// run reads batches, has workers do them, and moves the checkpoint over those that are done, in their order.
func (d *Driver) run(ctx context.Context, c Checkpoint) (Checkpoint, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var (
		room    = make(chan struct{}, 4*d.policy.Workers) // batches between the reader and the checkpoint
		todo    = make(chan *batch)
		results = make(chan *batch, cap(room)) // so that no worker waits for the collector
		workers sync.WaitGroup
		readErr error
	)
	workers.Go(func() {
		defer close(todo)
		readErr = d.read(ctx, c.After, room, todo)
	})
	for range d.policy.Workers {
		workers.Go(func() {
			w := worker{Driver: d}
			for b := range todo {
				if b.err = ctx.Err(); b.err == nil {
					b.err = w.do(ctx, b)
				}
				results <- b
			}
		})
	}
	go func() {
		workers.Wait()
		close(results)
	}()

	waiting := map[int]*batch{} // done, and one before them is not
	next, saved := 0, c.Counts.Of()
	var err error
	for b := range results {
		if b.err != nil {
			stop(b.err)
			err = firstCause(err, b.err)
			continue
		}
		for waiting[b.number] = b; waiting[next] != nil; next++ {
			d.take(&c, waiting[next])
			delete(waiting, next)
			d.opts.Progress(c)
			<-room
			if err == nil && c.Counts.Poisoned > uint64(d.policy.Poisoned) {
				err = c.stopped()
				stop(err)
			}
			if err == nil && c.Counts.Of()-saved >= uint64(d.policy.Save) {
				if err = d.opts.Save(ctx, c); err != nil {
					stop(err)
				}
				saved = c.Counts.Of()
			}
		}
	}
	if err = firstCause(err, readErr); err == nil {
		c.Done = true
	}
	return c, err
}

// firstCause keeps the first error, but prefers one that is not only a consequence of stopping.
func firstCause(have, next error) error {
	if have == nil || errors.Is(have, context.Canceled) && next != nil {
		return next
	}
	return have
}

// take moves the checkpoint over a batch.
func (d *Driver) take(c *Checkpoint, b *batch) {
	c.After = b.objects[len(b.objects)-1].ID
	c.Counts.add(b.counts)
	room := d.policy.Poisoned - len(c.Bad)
	c.Bad = append(slices.Clip(c.Bad), b.bad[:max(min(len(b.bad), room), 0)]...)
}

// read puts batches together.
func (d *Driver) read(ctx context.Context, after string, room chan<- struct{}, todo chan<- *batch) error {
	b, size := &batch{before: after, objects: make([]Object, 0, d.policy.Batch)}, 0
	send := func() error {
		if len(b.objects) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case room <- struct{}{}:
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case todo <- b:
		}
		b, size = &batch{
			number: b.number + 1, before: b.objects[len(b.objects)-1].ID, objects: make([]Object, 0, d.policy.Batch),
		}, 0
		return nil
	}
	for o, err := range ordered(ctx, d.objects, after) {
		if err == nil && len(b.objects) > 0 && size+len(o.Wrapped) > d.policy.Bytes {
			err = send()
		}
		if err != nil {
			return err
		}
		b.objects = append(b.objects, o)
		size += len(o.Wrapped)
		if len(b.objects) >= d.policy.Batch {
			if err := send(); err != nil {
				return err
			}
		}
	}
	return send()
}
