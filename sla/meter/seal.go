package meter

import (
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/cloudopsec/opsec/sla/timeline"
)

// Seal says of what evidence a report of a period is made, for good.
type Seal struct {
	Period timeline.Span `json:"period"`
	Digest string        `json:"digest"`          // of the evidence in it
	Cites  string        `json:"cites,omitempty"` // the digest that this one takes the place of
	Why    string        `json:"why,omitempty"`   // it does
}

// Seal seals a period, and all that starts before its end: what comes later with such a start is kept aside, also that which
// lasts longer, and changes nothing until it is asked for by [Meter.Restate]. So a report of the period can be made again. A
// period that is sealed already keeps its seal, which is returned.
//
// Whether the evidence is complete is for the caller to know: see [Meter.Behind]. Meters that are merged are sealed at one
// place.
func (m *Meter) Seal(period timeline.Span) (Seal, error) {
	if badPeriod(period) {
		return Seal{}, invalid("period", "from %d to %d", period.Start, period.End)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if s, ok := m.seal(period); ok {
		return s, nil
	}
	v := m.view(&m.kept)
	s := Seal{Period: period, Digest: v.digest(period)}
	m.seals = append(m.seals, s)
	m.sealTo(period.End)
	return s, nil
}

// sealTo seals all that starts before a moment.
func (m *Meter) sealTo(ms int64) { m.sealed = max(m.sealed, ms-earliest) }

// isSealed reports whether what starts at a moment is sealed.
func (m *Meter) isSealed(ms int64) bool { return ms-earliest < m.sealed }

// badPeriod reports whether a period cannot be sealed.
func badPeriod(p timeline.Span) bool { return p.Start >= p.End || p.Start < earliest || p.End > latest }

// badReason reports whether a text cannot say why a period is restated.
func badReason(why string) bool { return strings.TrimSpace(why) == "" || checkName("why", why) != nil }

// seal returns the last seal of a period.
func (m *Meter) seal(period timeline.Span) (Seal, bool) {
	for _, s := range slices.Backward(m.seals) {
		if s.Period == period {
			return s, true
		}
	}
	return Seal{}, false
}

// Seals returns all seals, those that others took the place of as well, in the order in which they were made.
func (m *Meter) Seals() []Seal {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.seals)
}

// Late returns what was kept aside, in order of resource, source and number.
func (m *Meter) Late() iter.Seq[Evidence] {
	return func(yield func(Evidence) bool) {
		m.mu.Lock()
		m.sift()
		v := m.view(&m.late)
		m.mu.Unlock()
		for _, list := range v.all() {
			for i := range list {
				if !yield(v.evidence(&list[i])) {
					return
				}
			}
		}
	}
}

// sift removes from what was kept aside that which counts already, and settles both.
func (m *Meter) sift() {
	m.kept.settle(len(m.resources.list))
	m.late.settle(len(m.resources.list))
	m.late.keep(len(m.resources.list), func(r *record) bool { return !m.kept.has(r, m.late.tally(r)) })
}

// keep leaves the records of a settled set for which a function says so.
func (s *set) keep(resources int, wanted func(*record) bool) {
	var out set
	n := 0
	for _, list := range [][]record{s.main, s.side} {
		for i := range list {
			if wanted(&list[i]) {
				out.add(list[i], s.tally(&list[i]))
				n++
			}
		}
	}
	if n < len(s.main)+len(s.side) {
		out.build(resources)
		*s = out
	}
}

// Restate takes in what was kept aside of a sealed period, and seals it anew. It cites the digest that the period was sealed
// with last, and says why. Other sealed periods that are changed by it are sealed anew as well, for the same reason; all new
// seals are returned, in the order in which the periods were first sealed. If nothing that was kept aside changes the period,
// or another digest is the last, the error wraps [opsec.ErrInvalid], and nothing is changed. It takes the time of a
// [Meter.Digest], and more for pieces that are in several sealed periods. A state that ends before the period is of a period
// before, also if it ends one that is open and would last into this: seal and restate that.
func (m *Meter) Restate(period timeline.Span, cites, why string) ([]Seal, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	last, ok := m.seal(period)
	switch {
	case !ok:
		return nil, invalid("period", "from %d to %d is not sealed", period.Start, period.End)
	case cites != last.Digest:
		return nil, invalid("cites", "%.80q is not the digest of the period", cites)
	case badReason(why):
		return nil, invalid("why", "want 1 to %d bytes of UTF-8", MaxName)
	}
	m.sift()
	kept, late := m.kept, m.late // they are settled: what is added to a copy is not in the set
	resources := len(m.resources.list)
	late.keep(resources, func(r *record) bool {
		t := late.tally(r)
		out := r.start >= period.End || t.end <= period.Start || r.kind() == requests && r.start < period.Start
		if !out {
			kept.add(*r, t)
		}
		return out
	})
	v := m.view(&kept)
	cited := map[timeline.Span]string{}
	for _, s := range m.seals {
		cited[s.Period] = s.Digest
	}
	digests := v.digests(slices.Collect(maps.Keys(cited)))
	if digests[period] == cites {
		return nil, invalid("period", "nothing that was kept aside of it changes it")
	}
	var seals []Seal
	for _, s := range m.seals {
		if digest, old := digests[s.Period], cited[s.Period]; digest != old {
			seals = append(seals, Seal{Period: s.Period, Digest: digest, Cites: old, Why: why})
			cited[s.Period] = digest // the period may have more seals
		}
	}
	m.kept, m.late, m.seals = kept, late, append(m.seals, seals...)
	return slices.Clone(seals), nil
}
