package correlate

import (
	"container/heap"
	"encoding/binary"
	"hash/maphash"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
)

// Engine finds matches in a stream of events. It is for one goroutine at a time.
type Engine struct {
	policy Policy
	tables []table // by rule
	hash   [2]maphash.Hash
	held   queue
	seq    uint64
	newest time.Time // the latest event, or Advance
	mark   time.Time // events from before it come too late
	status Status
}

// Status counts what an engine has seen and what it has left out.
type Status struct {
	Events  uint64            `json:"events"`            // given to Add
	Matches uint64            `json:"matches"`           //
	Held    int               `json:"held"`              // waiting to be put in order
	Late    uint64            `json:"late"`              // left out: they came too late to be put in order
	Ahead   uint64            `json:"ahead"`             // left out: their time had not come yet
	Evicted map[string]uint64 `json:"evicted,omitempty"` // keys forgotten too early, because there were too many, by rule
}

// Lost reports whether anything was left out, so that there may be matches that were not found.
func (s Status) Lost() bool { return s.Late > 0 || s.Ahead > 0 || len(s.Evicted) > 0 }

// New returns an engine that has seen nothing. The error wraps [opsec.ErrInvalid].
func New(p Policy) (*Engine, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	p = p.withDefaults()
	p.Rules = slices.Clone(p.Rules)
	g := &Engine{policy: p, tables: make([]table, len(p.Rules))}
	for i := range g.tables {
		g.tables[i].keys = map[digest]*progress{}
	}
	g.hash[0].SetSeed(maphash.MakeSeed())
	g.hash[1].SetSeed(maphash.MakeSeed())
	return g, nil
}

// pending is an event that fits some steps, and what they need of it.
type pending struct {
	at     time.Time
	seq    uint64
	ref    string
	tenant opsec.TenantID
	fits   []fit // by rule, and of each rule the last step first
}

// fit is a step that an event fits.
type fit struct {
	rule, step int
	key, value digest
	values     []Value // where it can complete the rule
}

// Add takes an event and returns the matches that it completes, together with events that had waited for it: events are
// put in the order of their times, and so judged once the latest is newer by the lateness ([Engine.Flush] ends the wait).
// The reference says where the event is recorded. An event whose time is after now by more than the lateness is left
// out. The event is not kept.
func (g *Engine) Add(e *opsec.Event, ref string, now time.Time) []Match {
	g.status.Events++
	switch {
	case e.Time.After(now.Add(g.policy.Lateness)):
		g.status.Ahead++
		return nil
	case e.Time.Before(g.mark):
		g.status.Late++
		return nil
	}
	if list := g.fits(e); len(list) > 0 {
		g.seq++
		heap.Push(&g.held, &pending{e.Time, g.seq, ref, e.Tenant, list})
	}
	var found []Match
	for len(g.held) > g.policy.Held {
		found = g.release(found)
	}
	return append(found, g.Advance(e.Time)...)
}

// Advance judges the events that have waited long enough at a time, and returns their matches. Where events may stop
// coming, call it with the time now and then.
func (g *Engine) Advance(now time.Time) (found []Match) {
	if now.After(g.newest) {
		g.newest = now
	}
	if m := g.newest.Add(-g.policy.Lateness); m.After(g.mark) {
		g.mark = m
	}
	for len(g.held) > 0 && g.held[0].at.Before(g.mark) {
		found = g.release(found)
	}
	return found
}

// Flush judges the events that wait, and returns their matches. Whatever is older than they are comes too late then.
func (g *Engine) Flush() (found []Match) {
	for len(g.held) > 0 {
		found = g.release(found)
	}
	if g.newest.After(g.mark) {
		g.mark = g.newest
	}
	return found
}

// Status returns what the engine has counted up to now.
func (g *Engine) Status() Status {
	s := g.status
	s.Held, s.Evicted = len(g.held), maps.Clone(s.Evicted)
	return s
}

// fits returns the steps that an event fits.
func (g *Engine) fits(e *opsec.Event) (list []fit) {
	for i := range g.policy.Rules {
		r := &g.policy.Rules[i]
		for j := len(r.Steps) - 1; j >= 0; j-- {
			s := &r.Steps[j]
			if !s.takes(e) {
				continue
			}
			by := r.By
			if len(s.By) > 0 {
				by = s.By
			}
			f := fit{rule: i, step: j}
			key, ok := g.digest(e, by)
			if ok && s.Distinct != "" {
				f.value, ok = g.digest(e, []Field{s.Distinct})
			}
			if !ok {
				continue
			}
			f.key = key
			for k := 0; k < len(by) && (!r.Ordered || j == len(r.Steps)-1); k++ {
				f.values = append(f.values, valueOf(e, r.By[k], by[k]))
			}
			list = append(list, f)
		}
	}
	return list
}

// digest returns false if one of the fields is empty.
func (g *Engine) digest(e *opsec.Event, fields []Field) (d digest, ok bool) {
	g.hash[0].Reset()
	g.hash[1].Reset()
	for _, f := range fields {
		tenant, name, ok := f.value(e)
		if !ok {
			return digest{}, false
		}
		var lengths [16]byte // so that what is joined cannot be joined otherwise
		binary.LittleEndian.PutUint64(lengths[:8], uint64(len(tenant)))
		binary.LittleEndian.PutUint64(lengths[8:], uint64(len(name)))
		for i := range g.hash {
			g.hash[i].Write(lengths[:])
			g.hash[i].WriteString(tenant)
			g.hash[i].WriteString(name)
		}
	}
	return digest{g.hash[0].Sum64(), g.hash[1].Sum64()}, true
}

const maxShown = 256 // bytes of a value in a match

func valueOf(e *opsec.Event, shown, field Field) Value {
	tenant, name, _ := field.value(e)
	if tenant != "" {
		name = tenant + "/" + name
	}
	if len(name) > maxShown {
		name = strings.ToValidUTF8(name[:maxShown], "") + "..."
	}
	return Value{shown, strings.Clone(name)}
}

// release judges the earliest event that waits.
func (g *Engine) release(found []Match) []Match {
	e := heap.Pop(&g.held).(*pending)
	if e.at.After(g.mark) {
		g.mark = e.at
	}
	var last *fit // which was part of a match
	for i := range e.fits {
		f := &e.fits[i]
		if last != nil && last.rule == f.rule && last.key == f.key {
			continue
		}
		if m, ok := g.judge(e, f); ok {
			found = append(found, m)
			g.status.Matches++
			last = f
		}
	}
	return found
}

func (g *Engine) judge(e *pending, f *fit) (Match, bool) {
	r, t := &g.policy.Rules[f.rule], &g.tables[f.rule]
	p, evicted := t.get(r, f.key, e.at, !r.Ordered || f.step == 0, g.policy.Keys)
	if evicted {
		if g.status.Evicted == nil {
			g.status.Evicted = map[string]uint64{}
		}
		g.status.Evicted[r.Name]++
	}
	if p == nil || !p.take(r, f.step, hit{at: e.at, ref: e.ref, tenant: e.tenant, value: f.value}, g.policy.Listed) {
		return Match{}, false
	}
	if r.Ordered && f.step < len(r.Steps)-1 {
		return Match{}, false
	}
	done := p.matched(r, e.at, g.policy.Listed)
	if done == nil {
		return Match{}, false
	}
	t.remove(p)
	return matchOf(r, f.values, done, e.at), true
}

// queue is a heap of events, the earliest first; of one time, in the order in which they came.
type queue []*pending

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool {
	if c := q[i].at.Compare(q[j].at); c != 0 {
		return c < 0
	}
	return q[i].seq < q[j].seq
}

func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

func (q *queue) Push(x any) { *q = append(*q, x.(*pending)) }

func (q *queue) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return last
}
