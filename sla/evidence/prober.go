package evidence

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/cloudopsec/opsec/internal/pause"
	"github.com/cloudopsec/opsec/sla/meter"
)

// Target is a resource and how it is tried.
type Target struct {
	Resource string
	Check    Check
}

// ProbePolicy says how often resources are tried, and what the results are worth.
type ProbePolicy struct {
	Source   string        // of the evidence: which prober this is
	Interval time.Duration // from one round to the next; at least 1 ms
	Timeout  time.Duration // of a check; at most Interval
	Gap      time.Duration // how long a result holds at most, at least Interval: twice that forgives one late round
	Join     time.Duration // see [Track]
	Parallel int           // checks at one time; at least 1
}

// ProbeOptions is wiring. Nil, or a zero field, is the default.
type ProbeOptions struct {
	Now func() time.Time // [time.Now]; checks call it at the same time
	// Wait waits for so long, or until the context ends, and returns its error.
	Wait func(context.Context, time.Duration) error
	// Until is when Run ends by itself. Zero: it ends with its context.
	Until time.Time
	// Control is tried in each round as well: something that does not depend on any target, such as the prober's own gateway.
	// While it is not up, what is not up either is unknown: nobody knows on whose side the fault is.
	Control Check
	// Logger is told when the state of a resource changes, and why. Nil: nobody is.
	Logger *slog.Logger
}

// Prober tries resources again and again.
type Prober struct {
	targets []Target
	policy  ProbePolicy
	options ProbeOptions
}

// NewProber returns a prober. The error wraps [opsec.ErrInvalid].
func NewProber(targets []Target, p ProbePolicy, o *ProbeOptions) (*Prober, error) {
	probe := &Prober{targets: append([]Target(nil), targets...), policy: p}
	if o != nil {
		probe.options = *o
	}
	if probe.options.Now == nil {
		probe.options.Now = time.Now
	}
	if probe.options.Wait == nil {
		probe.options.Wait = pause.For
	}
	if err := probe.validate(); err != nil {
		return nil, err
	}
	return probe, nil
}

func (p *Prober) validate() error {
	y := p.policy
	if err := (&Track{Source: y.Source, Gap: y.Gap, Join: y.Join}).Validate(); err != nil {
		return err
	}
	switch {
	case y.Interval < time.Millisecond || y.Timeout < time.Millisecond || y.Timeout > y.Interval:
		return invalid("prober: interval, timeout: want at least 1 ms, and a timeout within the interval")
	case y.Gap < y.Interval:
		return invalid("prober: gap: is shorter than the interval")
	case y.Parallel < 1:
		return invalid("prober: parallel: want at least 1")
	case len(p.targets) == 0 || len(p.targets) > MaxResources:
		return invalid("prober: want 1 to %d targets", MaxResources)
	}
	seen := map[string]bool{}
	for _, t := range p.targets {
		switch err := checkName(t.Resource); {
		case err != nil:
			return invalid("prober: resource %.40q: %v", t.Resource, err)
		case seen[t.Resource]:
			return invalid("prober: resource %.40q is there twice", t.Resource)
		case t.Check == nil:
			return invalid("prober: resource %.40q: no check", t.Resource)
		}
		seen[t.Resource] = true
		if err := validCheck(t.Check); err != nil {
			return err
		}
	}
	return validCheck(p.options.Control)
}

func validCheck(c Check) error {
	if v, ok := c.(interface{ Validate() error }); ok {
		return v.Validate()
	}
	return nil
}

// Run tries all targets now and then each Interval, and hands out evidence as spans end, in order of the targets, from one
// goroutine. It ends when its context ends or at Until, hands out what it still holds, and returns nil; an error of add ends
// it too, and is returned. A round that takes longer than Interval makes it leave out those that it missed.
//
// A result is of the moment when its check began. Checks that the end of the context cut off have no result. When the clock
// goes back, results count for the last moment until it has caught up, and what Gap does not reach in between is unknown.
func (p *Prober) Run(ctx context.Context, add func(meter.Evidence) error) error {
	track := &Track{Source: p.policy.Source, Gap: p.policy.Gap, Join: p.policy.Join}
	last := make([]result, len(p.targets))
	now := p.options.Now
	first := now()
	for ctx.Err() == nil && !p.over(now()) {
		for i, r := range p.round(ctx) {
			if !r.made {
				continue
			}
			p.tell(ctx, p.targets[i].Resource, last[i], r)
			r.at = max(r.at, last[i].at)
			last[i] = r
			e, ok, err := track.Add(p.targets[i].Resource, r.at, r.state)
			if err == nil && ok {
				err = add(e)
			}
			if err != nil {
				return err
			}
		}
		since := now().Sub(first) % p.policy.Interval
		if since < 0 { // the clock went back
			since += p.policy.Interval
		}
		if p.options.Wait(ctx, p.policy.Interval-since) != nil {
			break
		}
	}
	end := now()
	if p.over(end) {
		end = p.options.Until
	}
	for _, e := range track.End(end.UnixMilli()) {
		if err := add(e); err != nil {
			return err
		}
	}
	return nil
}

func (p *Prober) over(t time.Time) bool {
	return !p.options.Until.IsZero() && !t.Before(p.options.Until)
}

// result is of one check.
type result struct {
	made  bool
	at    int64
	state meter.State
	why   error
}

// round tries all targets once.
func (p *Prober) round(ctx context.Context) []result {
	results := make([]result, len(p.targets))
	next := make(chan int)
	var all sync.WaitGroup
	var control result
	if p.options.Control != nil {
		all.Go(func() { control = p.try(ctx, p.options.Control) })
	}
	for range min(p.policy.Parallel, len(p.targets)) {
		all.Go(func() {
			for i := range next {
				results[i] = p.try(ctx, p.targets[i].Check)
			}
		})
	}
	for i := range p.targets {
		next <- i
	}
	close(next)
	all.Wait()
	if p.options.Control != nil && control.state != meter.Up {
		for i := range results {
			if results[i].state != meter.Up {
				results[i].state = meter.Unknown
			}
		}
	}
	return results
}

func (p *Prober) try(ctx context.Context, c Check) result {
	if ctx.Err() != nil {
		return result{}
	}
	r := result{made: true, at: p.options.Now().UnixMilli()}
	within, cancel := context.WithTimeout(ctx, p.policy.Timeout)
	defer cancel()
	r.state, r.why = c.Check(within)
	r.made = ctx.Err() == nil // else it may have failed for that alone
	return r
}

func (p *Prober) tell(ctx context.Context, resource string, old, r result) {
	if p.options.Logger == nil || old.made && old.state == r.state {
		return
	}
	attrs := []slog.Attr{slog.String("resource", resource), slog.String("state", words[min(int(r.state), len(words)-1)])}
	if r.why != nil {
		attrs = append(attrs, slog.String("why", r.why.Error()))
	}
	p.options.Logger.LogAttrs(ctx, slog.LevelInfo, "evidence: state changed", attrs...)
}
