package meter

import (
	"math"
	"slices"
	"sync"
)

// Meter is evidence of resources; the zero value has none. It is safe for several goroutines.
type Meter struct {
	mu        sync.Mutex
	resources names
	sources   names
	origins   []origin // by the number of the source
	recent    uint32   // the source of the last evidence
	kept      set      // what counts
	late      set      // what came after its time was sealed
	seals     []Seal   // in the order in which they were made
	sealed    int64    // what starts earlier is sealed, in milliseconds since year 1: 0 is nothing
}

// origin is what is known of a source.
type origin struct {
	last   uint32 // the resource of its last evidence
	mark   int64  // how far its evidence goes
	number top    // its highest number, and the highest resource with that
	series top    // its highest resource, and the highest number of that
}

// top is the highest of pairs. A piece that is above it is new.
type top struct{ major, minor uint64 }

// raise makes a higher pair the top. It reports whether it is one.
func (t *top) raise(major, minor uint64) bool {
	if major < t.major || major == t.major && minor <= t.minor {
		return false
	}
	*t = top{major, minor}
	return true
}

// New returns a meter without evidence.
func New() *Meter { return new(Meter) }

// Add takes in evidence, in any order. What the meter has already changes nothing; what starts before the end of a sealed
// period is kept aside: see [Meter.Seal]. The error wraps [opsec.ErrInvalid].
func (m *Meter) Add(e Evidence) error {
	if err := e.check(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	source, resource, err := m.number(&e)
	if err != nil {
		return err
	}
	kind := uint32(e.State)
	if e.Total > 0 {
		kind = requests
	}
	m.put(record{e.Span.Start, e.Span.End, e.Seq, who(resource, source, kind)}, tally{e.Span.End, e.Good, e.Total}, false)
	return nil
}

// put takes in a record; t is the tally of requests. That of a time which is sealed counts only if the caller knows so.
func (m *Meter) put(r record, t tally, counts bool) {
	fresh := m.mark(r, t)
	s := &m.kept
	if m.isSealed(r.start) && !counts {
		s = &m.late
	}
	s.add(r, t)
	if fresh {
		return
	}
	if s.doubtful++; s.doubtful < longTail || s.doubtful < len(s.main)+len(s.side) {
		return
	}
	if s == &m.late {
		m.sift()
	} else {
		s.settle(len(m.resources.list))
	}
}

// mark notes how far the evidence of a source goes. It reports whether the record is surely new.
func (m *Meter) mark(r record, t tally) (fresh bool) {
	o := &m.origins[r.source()]
	end := r.end
	switch {
	case r.kind() == requests:
		end = t.end
	case end == Open:
		end = r.start
	}
	o.mark = max(o.mark, end)
	id := uint64(r.resource())
	rising := o.number.raise(r.seq, id) // of a source that goes through its resources again and again
	return o.series.raise(id, r.seq) || rising
}

// number returns the numbers of the source and the resource of evidence, and gives some to new ones.
func (m *Meter) number(e *Evidence) (source, resource uint32, err error) {
	source, ok := m.sources.after(m.recent, e.Source)
	last := uint32(none) // of a new source
	if ok {
		last = m.origins[source].last
	}
	resource, known := m.resources.after(last, e.Resource)
	if !ok || !known {
		if err := m.admit(e, ok, known); err != nil {
			return 0, 0, err
		}
		if !ok {
			source = m.sources.add(m.recent, e.Source)
			m.origins = append(m.origins, origin{mark: math.MinInt64})
		}
		if !known {
			resource = m.resources.add(last, e.Resource)
		}
	}
	m.recent, m.origins[source].last = source, resource
	return source, resource, nil
}

// admit returns an error unless the names of evidence can be added that are new.
func (m *Meter) admit(e *Evidence, source, resource bool) error {
	if !source {
		if err := checkName("source", e.Source); err != nil {
			return err
		}
		if uint64(len(m.sources.list)) >= maxSources {
			return invalid("source", "%.40q: there are %d others", e.Source, uint64(maxSources))
		}
	}
	if !resource {
		if err := checkName("resource", e.Resource); err != nil {
			return err
		}
		if uint64(len(m.resources.list)) >= maxResources {
			return invalid("resource", "%.40q: there are %d others", e.Resource, uint64(maxResources))
		}
	}
	return nil
}

// What the numbers of a record hold.
const (
	maxSources   = math.MaxUint32 / kinds
	maxResources = none
)

// Mark returns up to when the evidence of a source goes, in milliseconds since 1970: to the latest end, or the latest start
// of a state that is open. It is not known that nothing earlier is still to come. Of a source that the meter does not know ok
// is false.
func (m *Meter) Mark(source string) (ms int64, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	id, ok := m.sources.find(source)
	if !ok {
		return 0, false
	}
	return m.origins[id].mark, true
}

// Behind returns the sources whose evidence does not go up to a moment, in order of their names: those to wait for, or to ask,
// before a period is sealed.
func (m *Meter) Behind(ms int64) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []string
	for id, o := range m.origins {
		if o.mark < ms {
			list = append(list, m.sources.list[id])
		}
	}
	slices.Sort(list)
	return list
}
