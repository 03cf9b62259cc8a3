package meter

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// ErrSealed says that two meters are sealed each in its own way, and cannot be one.
var ErrSealed = errors.New("meter: sealed in another way")

// Merge takes in all that another meter has, as if each piece had been added to this one: meters of parts of the evidence
// may be merged in any order, and a piece may be in several. The other stays as it is.
//
// If both have seals, those of one must be the first of those of the other. What starts before the end of the time that the
// longer list seals counts only if it counts in a meter that has that list; the rest is kept aside. Otherwise the error is
// [ErrSealed]; more names than a meter holds are [opsec.ErrInvalid]. Neither changes anything.
func (m *Meter) Merge(other *Meter) error {
	if m == other {
		return nil
	}
	kept, late := other.both()
	m.mu.Lock()
	defer m.mu.Unlock()
	n := min(len(m.seals), len(kept.seals))
	for i := range n {
		if a, b := m.seals[i], kept.seals[i]; a != b {
			return fmt.Errorf("%w: seal %d is %s of the period from %d to %d, and %s of that from %d to %d in the other",
				ErrSealed, i+1, a.Digest, a.Period.Start, a.Period.End, b.Digest, b.Period.Start, b.Period.End)
		}
	}
	if uint64(len(m.sources.list)+len(kept.sources)) > maxSources || uint64(len(m.resources.list)+len(kept.resources)) > maxResources {
		return invalid("sources, resources", "more than a meter holds")
	}
	if len(kept.seals) > len(m.seals) {
		m.follow(kept.seals)
	}
	counts := len(kept.seals) == len(m.seals)
	sources, resources := m.sources.all(kept.sources), m.resources.all(kept.resources)
	for len(m.origins) < len(m.sources.list) {
		m.origins = append(m.origins, origin{mark: math.MinInt64})
	}
	for _, v := range []view{kept, late} {
		for _, list := range [][]record{v.main, v.side} {
			for _, r := range list {
				t := v.tally(&r)
				r.who = who(resources[r.resource()], sources[r.source()], r.kind())
				m.put(r, t, counts)
			}
		}
		counts = false
	}
	return nil
}

// both returns what counts and what was kept aside.
func (m *Meter) both() (kept, late view) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sift()
	return m.view(&m.kept), m.view(&m.late)
}

// follow seals a meter as another is, whose list of seals is longer.
func (m *Meter) follow(seals []Seal) {
	m.seals = slices.Clone(seals)
	for _, s := range seals {
		m.sealTo(s.Period.End)
	}
	m.kept.settle(len(m.resources.list))
	m.kept.keep(len(m.resources.list), func(r *record) bool {
		sealed := m.isSealed(r.start)
		if sealed {
			m.late.add(*r, m.kept.tally(r))
		}
		return !sealed
	})
}

// all returns the numbers of names, and gives some to new ones.
func (n *names) all(list []string) []uint32 {
	ids := make([]uint32, len(list))
	for i, name := range list {
		id, ok := n.find(name)
		if !ok {
			id = n.add(none, name)
		}
		ids[i] = id
	}
	return ids
}
