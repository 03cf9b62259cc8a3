package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// maxAttempts bounds the requests to one witness for one checkpoint: it may have to tell its size first, and a request
// that was given up before may still change it.
const maxAttempts = 3

// Options is the wiring of a [Gatherer]. Nil Options, and zero fields, are good.
type Options struct {
	Client *http.Client     // its Timeout, by default 10 s, is for each request
	Now    func() time.Time // by default time.Now
}

// Gatherer asks the witnesses of a policy to cosign the checkpoints of one log. It remembers in memory what each has last
// seen; after a start they say so themselves. Its methods may be called concurrently.
type Gatherer struct {
	rules     *rules
	witnesses []Witness // those with a URL
	client    *http.Client
	now       func() time.Time

	mu   sync.Mutex
	seen map[string]uint64 // by name of the witness
}

// NewGatherer returns a Gatherer, or an error wrapping [opsec.ErrInvalid] for a policy that is not valid or a witness's URL
// that cannot be used.
func NewGatherer(p Policy, o *Options) (*Gatherer, error) {
	r, err := p.trusted()
	if err != nil {
		return nil, err
	}
	if o == nil {
		o = &Options{}
	}
	g := &Gatherer{rules: r, client: o.Client, now: o.Now, seen: map[string]uint64{}}
	if g.now == nil {
		g.now = time.Now
	}
	for _, w := range p.Witnesses {
		if w.URL == "" {
			continue
		}
		if _, err := w.endpoint(); err != nil {
			return nil, err
		}
		g.witnesses = append(g.witnesses, w)
	}
	return g, nil
}

// WitnessError is what became of asking one witness.
type WitnessError struct {
	Name string // in the policy
	Err  error  // see [Witness.Cosign]
}

// Error names the witness.
func (e *WitnessError) Error() string { return fmt.Sprintf("witness %s: %v", e.Name, e.Err) }

// Unwrap returns Err.
func (e *WitnessError) Unwrap() error { return e.Err }

// Gathered is what came of asking all witnesses.
type Gathered struct {
	Signed   []byte          // the checkpoint with the cosignatures that came, each verified
	Verified Verified        // what it says now
	Failed   []*WitnessError // who refused or could not be reached before the quorum stood
}

// Gather asks all witnesses at once that have a URL and have not cosigned yet, and returns as soon as the quorum stands,
// or when all have answered or ctx ends. It waits for no straggler: what is still under way is given up. A checkpoint for
// which the quorum stands already is returned as it is, and nobody is asked: see [Gatherer.Refresh].
//
// prove returns the consistency proof (RFC 6962, section 2.1.2) from an older size to that of the checkpoint; it is called
// for sizes between 0 and that, one call at a time, and not after Gather has returned.
//
// When the quorum does not stand the error is a [*QuorumError], which wraps what each witness answered, and Gathered is
// set as well: cosignatures that came are worth keeping. A witness that has cosigned more than the checkpoint holds is an
// [*AheadError], one that has seen another tree is [ErrInconsistent]: look for both in Failed even when the quorum stands,
// for one of them from an honest witness means that this log was put back or forked. Other errors are those of
// [Policy.Open]; then nothing was sent.
func (g *Gatherer) Gather(ctx context.Context, signed []byte, prove func(old uint64) ([]tlog.Hash, error)) (Gathered, error) {
	got, err := g.look(signed)
	if !short(err) {
		return got, err
	}
	return g.collect(ctx, got, err, prove, false)
}

// Refresh asks every witness that has a URL, also those whose cosignatures the checkpoint bears, and waits until all have
// answered or ctx ends. The new cosignatures take the place of the old: they say that this is still the largest tree that
// the witnesses have seen. An old copy of a log, with its old cosignatures, is found out by this alone. A cosignature of
// more than [MaxSkew] ago does not count: somebody on the way may have answered what the witness said then. Otherwise it
// is like Gather.
func (g *Gatherer) Refresh(ctx context.Context, signed []byte, prove func(old uint64) ([]tlog.Hash, error)) (Gathered, error) {
	if _, err := g.look(signed); err != nil && !short(err) {
		return Gathered{}, err
	}
	got, err := g.look(g.rules.bare(signed))
	if err != nil && !short(err) {
		return Gathered{}, err
	}
	return g.collect(ctx, got, err, prove, true)
}

// collect adds to got, for which err is what look said, the cosignatures of those who are missing; until the quorum
// stands, or of all.
func (g *Gatherer) collect(ctx context.Context, got Gathered, err error, prove func(old uint64) ([]tlog.Hash, error), all bool) (Gathered, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan answer, len(g.witnesses))
	asked := 0
	a := &asking{
		Gatherer: g, size: got.Verified.Size, signed: g.rules.bare(got.Signed), fresh: all, prove: prove, proofs: map[uint64]proven{},
	}
	for _, w := range g.witnesses {
		if !slices.ContainsFunc(got.Verified.Cosigned, func(c Cosignature) bool { return c.Name == w.Name }) {
			asked++
			go func() { answers <- a.ask(ctx, w) }()
		}
	}
	for range asked {
		w := <-answers
		if w.err == nil {
			more, is := g.look(append(slices.Clip(got.Signed), w.text...))
			if is == nil || short(is) {
				more.Failed = got.Failed
				got, err = more, is
				if err == nil && !all {
					cancel()
				}
				continue
			}
			w.err = is
		}
		if err != nil || all || !errors.Is(w.err, context.Canceled) { // else it was given up by us
			got.Failed = append(got.Failed, &WitnessError{w.name, w.err})
		}
	}
	if short, ok := errors.AsType[*QuorumError](err); ok {
		short.Failed = got.Failed
	}
	return got, err
}

// look verifies what has been gathered so far. Its error is that of Open; the result is set beside a QuorumError too.
func (g *Gatherer) look(signed []byte) (Gathered, error) {
	v, err := g.rules.open(signed, g.now())
	if short, ok := errors.AsType[*QuorumError](err); ok {
		v = short.Verified
	} else if err != nil {
		return Gathered{}, err
	}
	return Gathered{Signed: slices.Clone(signed), Verified: v}, err
}

// short reports whether all that is missing is cosignatures.
func short(err error) bool {
	_, ok := errors.AsType[*QuorumError](err)
	return ok
}

// answer is what became of one witness.
type answer struct {
	name string
	text string
	err  error
}

// asking is one checkpoint on its way to all witnesses.
type asking struct {
	*Gatherer
	size   uint64
	signed []byte
	fresh  bool // an old cosignature is no answer

	proving sync.Mutex
	prove   func(old uint64) ([]tlog.Hash, error)
	proofs  map[uint64]proven
}

type proven struct {
	hashes []tlog.Hash
	err    error
}

// ask gets the cosignature of one witness. One that is elsewhere than we think is asked again from where it is.
func (a *asking) ask(ctx context.Context, w Witness) answer {
	old := min(a.last(w.Name), a.size)
	for range maxAttempts {
		l, err := a.once(ctx, w, old)
		if err == nil {
			a.remember(w.Name, a.size)
			return answer{name: w.Name, text: l.text}
		}
		ahead, ok := errors.AsType[*AheadError](err)
		if !ok || ahead.Size > a.size {
			return answer{name: w.Name, err: err}
		}
		old = ahead.Size
		a.remember(w.Name, old)
	}
	return answer{name: w.Name, err: fmt.Errorf("checkpoint: the witness contradicts itself: asked from size %d as it said, it names another", old)}
}

func (a *asking) once(ctx context.Context, w Witness, old uint64) (line, error) {
	p := a.proof(old)
	if p.err != nil {
		return line{}, p.err
	}
	l, err := w.cosign(ctx, a.client, old, p.hashes, a.signed)
	if err != nil {
		return line{}, err
	}
	if at, _ := cosignatureTime(l.sig); isEarly(at, a.now()) || a.fresh && isLate(at, a.now()) {
		return line{}, fmt.Errorf("checkpoint: the cosignature is of %s: %w", time.Unix(at, 0).UTC().Format(time.RFC3339), ErrUntrusted)
	}
	return l, nil
}

// proof returns the consistency proof from an older size, made once for all witnesses.
func (a *asking) proof(old uint64) proven {
	if old == 0 || old == a.size {
		return proven{}
	}
	a.proving.Lock()
	defer a.proving.Unlock()
	p, ok := a.proofs[old]
	if !ok {
		p.hashes, p.err = a.prove(old)
		if p.err != nil {
			p.err = fmt.Errorf("checkpoint: consistency proof from size %d: %w", old, p.err)
		}
		a.proofs[old] = p
	}
	return p
}

func (g *Gatherer) last(name string) uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.seen[name]
}

func (g *Gatherer) remember(name string, size uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seen[name] = size
}
