package correlate

import (
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
)

// digest is what is remembered of a value: two hashes under random seeds.
type digest [2]uint64

// hit is an event that fits a step.
type hit struct {
	at     time.Time
	ref    string
	tenant opsec.TenantID
	value  digest // of the field of Distinct
	before *part  // of an ordered rule: the steps before, as they were when it came
}

// began returns when the earliest event that a hit needs came.
func (h *hit) began() time.Time {
	if h.before != nil {
		return h.before.began
	}
	return h.at
}

// part is a step that was complete when the next one's hit came, and those before it.
type part struct {
	began    time.Time
	tenant   opsec.TenantID // of all of its events; opsec.Provider if they differ
	evidence Evidence
	before   *part
}

// progress is what is remembered of one rule about one key: of each step the latest hits, as many as it needs. That is
// enough. Of all ways to complete a step by some time, its latest hits are the one that began last, and a hit that comes
// later never has steps before it that began earlier; so if any way lies within the time of the rule, this one does.
type progress struct {
	steps []([]hit)
	last  time.Time

	key          digest
	newer, older *progress // in the order of last
}

// take adds a hit to a step. Of an ordered rule, it returns false when the steps before are not complete in time.
func (p *progress) take(r *Rule, i int, h hit, listed int) bool {
	if r.Ordered && i > 0 {
		if h.before = p.complete(r, i-1, h.at, listed); h.before == nil {
			return false
		}
	}
	list := p.steps[i]
	if r.Steps[i].Distinct != "" {
		if at := slices.IndexFunc(list, func(o hit) bool { return o.value == h.value }); at >= 0 {
			list = slices.Delete(list, at, at+1)
		}
	}
	if len(list) == r.Steps[i].count() {
		list = slices.Delete(list, 0, 1)
	}
	p.steps[i] = append(list, h)
	return true
}

// ready reports whether a step is complete at a time, by events of which the first is within the time of the rule.
func (p *progress) ready(r *Rule, i int, at time.Time) bool {
	list := p.steps[i]
	return len(list) == r.Steps[i].count() && !list[0].began().Before(at.Add(-r.Within))
}

// complete returns a step that is complete, or nil.
func (p *progress) complete(r *Rule, i int, at time.Time, listed int) *part {
	if !p.ready(r, i, at) {
		return nil
	}
	list := p.steps[i]
	done := &part{began: list[0].began(), tenant: list[0].tenant, before: list[0].before}
	done.evidence = Evidence{Count: len(list), Omitted: max(len(list)-listed, 0)}
	for j := range list {
		h := &list[j]
		if h.tenant != done.tenant || h.before != nil && h.before.tenant != done.tenant {
			done.tenant = opsec.Provider
		}
		if j >= done.evidence.Omitted {
			done.evidence.Refs = append(done.evidence.Refs, h.ref)
		}
	}
	return done
}

// matched returns the steps of a rule that an event has completed, the last one first, or nil.
func (p *progress) matched(r *Rule, at time.Time, listed int) *part {
	last := len(r.Steps) - 1
	if r.Ordered {
		return p.complete(r, last, at, listed)
	}
	for i := range r.Steps {
		if !p.ready(r, i, at) {
			return nil
		}
	}
	var whole *part
	for i := range r.Steps {
		next := p.complete(r, i, at, listed)
		if whole != nil {
			if next.before = whole; whole.began.Before(next.began) {
				next.began = whole.began
			}
			if whole.tenant != next.tenant {
				next.tenant = opsec.Provider
			}
		}
		whole = next
	}
	return whole
}

func (s *Step) count() int { return max(s.Count, 1) }

// table remembers the progress of one rule by key.
type table struct {
	keys           map[digest]*progress
	newest, oldest *progress
}

// get returns the progress of a key at a time, which it makes if there is none and begin says so. It returns whether
// another one, which could still have become a match, had to go.
func (t *table) get(r *Rule, key digest, at time.Time, begin bool, most int) (p *progress, evicted bool) {
	for t.oldest != nil && t.oldest.last.Before(at.Add(-r.Within)) {
		t.remove(t.oldest)
	}
	p = t.keys[key]
	if p == nil {
		if !begin {
			return nil, false
		}
		if len(t.keys) == most {
			t.remove(t.oldest)
			evicted = true
		}
		p = &progress{steps: make([][]hit, len(r.Steps)), key: key}
		t.keys[key] = p
	} else {
		t.unlink(p)
	}
	p.last = at
	if p.older = t.newest; t.newest != nil {
		t.newest.newer = p
	} else {
		t.oldest = p
	}
	t.newest = p
	return p, evicted
}

func (t *table) unlink(p *progress) {
	if p.newer != nil {
		p.newer.older = p.older
	} else {
		t.newest = p.older
	}
	if p.older != nil {
		p.older.newer = p.newer
	} else {
		t.oldest = p.newer
	}
	p.newer, p.older = nil, nil
}

func (t *table) remove(p *progress) {
	t.unlink(p)
	delete(t.keys, p.key)
}
