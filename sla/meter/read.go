package meter

import (
	"cmp"
	"iter"
	"slices"
	"sort"

	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// Reader hands out evidence of a period, resource by resource in order of their names.
type Reader interface {
	// Resources calls yield for each resource with evidence in the period until it returns false. What yield is given is
	// valid until it returns.
	Resources(period timeline.Span, yield func(resource string, in metric.Input) bool)
	// Digest returns the digest of all evidence in a period: "sha256:" and 64 hexadecimal digits.
	Digest(period timeline.Span) string
}

// view is what a meter had at one moment.
type view struct {
	set
	resources, sources []string
	order, ranks       []uint32 // resources in order of their names, and the places of sources in that of theirs
	seals              []Seal
}

// view settles a set and looks at it.
func (m *Meter) view(s *set) view {
	s.settle(len(m.resources.list))
	return view{*s, m.resources.list, m.sources.list, m.resources.sorted(), m.sources.ranks(), m.seals}
}

// now returns what counts.
func (m *Meter) now() view {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.view(&m.kept)
}

// Resources calls yield for each resource with evidence in a period, in order of their names, until it returns false. States
// are cut at the ends of the period; requests are those of slices that start in it. What yield is given is valid until it
// returns. It may use the meter: what it adds is not handed out.
func (m *Meter) Resources(period timeline.Span, yield func(resource string, in metric.Input) bool) {
	var lines [Down + 1][]timeline.Span
	var counts []metric.Count
	v := m.now()
	for resource, list := range v.all() {
		for i := range lines {
			lines[i] = lines[i][:0]
		}
		counts = counts[:0]
		found := false
		for r, end := range v.within(list, period) {
			found = true
			if r.kind() == requests {
				t := v.tallies[r.end]
				counts = append(counts, metric.Count{Start: r.start, Good: t.good, Total: t.total})
				continue
			}
			lines[r.kind()] = append(lines[r.kind()], timeline.Span{Start: max(r.start, period.Start), End: min(end, period.End)})
		}
		if !found {
			continue
		}
		slices.SortFunc(counts, func(a, b metric.Count) int {
			return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.Total, b.Total), cmp.Compare(a.Good, b.Good))
		})
		in := metric.Input{Counts: counts, States: metric.States{
			Up: timeline.Union(lines[Up]), Degraded: timeline.Union(lines[Degraded]), Down: timeline.Union(lines[Down]),
		}}
		if !yield(v.resources[resource], in) {
			return
		}
	}
}

// Evidence returns the evidence of a period that counts, whole, in order of resource, source and number. A meter with these
// pieces alone has the same [Meter.Digest] of the period.
func (m *Meter) Evidence(period timeline.Span) iter.Seq[Evidence] {
	return func(yield func(Evidence) bool) {
		v := m.now()
		for _, list := range v.all() {
			for r := range v.within(list, period) {
				if !yield(v.evidence(r)) {
					return
				}
			}
		}
	}
}

// Conflicts returns evidence that does not count because its source says something else of the resource under the same number,
// in order of resource, source and number. Not one of these is a state that was open, and has an end since.
func (m *Meter) Conflicts() iter.Seq[Evidence] {
	return func(yield func(Evidence) bool) {
		v := m.now()
		for _, list := range v.all() {
			first := 0
			for i := range list {
				r := &list[i]
				if i == 0 || !again(&list[first], r) {
					first = i
				} else if c := &list[first]; r.end == Open && r.start == c.start && r.who == c.who {
					continue
				} else if !yield(v.evidence(r)) {
					return
				}
			}
		}
	}
}

// evidence makes a record evidence again.
func (v *view) evidence(r *record) Evidence {
	e := Evidence{Source: v.sources[r.source()], Seq: r.seq, Resource: v.resources[r.resource()], Span: timeline.Span{Start: r.start, End: r.end}}
	if r.kind() == requests {
		t := v.tallies[r.end]
		e.Span.End, e.Good, e.Total = t.end, t.good, t.total
	} else {
		e.State = State(r.kind())
	}
	return e
}

// again reports whether a record has the number of the one before it.
func again(a, b *record) bool { return a.seq == b.seq && a.source() == b.source() }

// all returns the records of each resource that has some, in order of the resources' names, and of the sources' names and
// numbers. They are valid until the next.
func (v *view) all() iter.Seq2[uint32, []record] {
	return func(yield func(uint32, []record) bool) {
		var scratch, ordered []record
		for _, resource := range v.order {
			list := v.of(resource, &scratch)
			if len(list) == 0 {
				continue
			}
			if !v.named(list) {
				ordered = append(ordered[:0], list...)
				slices.SortStableFunc(ordered, func(a, b record) int { return cmp.Compare(v.ranks[a.source()], v.ranks[b.source()]) })
				list = ordered
			}
			if !yield(resource, list) {
				return
			}
		}
	}
}

// named reports whether records are in order of the names of their sources.
func (v *view) named(list []record) bool {
	if list[0].source() == list[len(list)-1].source() {
		return true // they are in order of the sources' numbers
	}
	for i := range list[1:] {
		if v.ranks[list[i].source()] > v.ranks[list[i+1].source()] {
			return false
		}
	}
	return true
}

// within returns which records of a resource count in a period, and when they end.
func (v *view) within(list []record, period timeline.Span) iter.Seq2[*record, int64] {
	return func(yield func(*record, int64) bool) {
		if period.Start >= period.End {
			return
		}
		var starts []int64 // of the states of the source, when one of them is open
		for i := range list {
			r := &list[i]
			first := i == 0 || list[i-1].source() != r.source()
			if first {
				starts = starts[:0]
			}
			if r.start >= period.End || !first && again(&list[i-1], r) {
				continue
			}
			end := r.end
			switch {
			case r.kind() == requests:
				end = r.start + 1 // they are where they start
			case end == Open:
				if len(starts) == 0 {
					starts = stating(starts, list, i)
				}
				k := sort.Search(len(starts), func(k int) bool { return starts[k] > r.start })
				if k < len(starts) {
					end = starts[k]
				}
			}
			if period.Start < end && !yield(r, end) {
				return
			}
		}
	}
}

// stating returns in order when the states start of the source of list[i]. What does not count ends an open state as well.
func stating(starts []int64, list []record, i int) []int64 {
	source := list[i].source()
	for i > 0 && list[i-1].source() == source {
		i--
	}
	for ; i < len(list) && list[i].source() == source; i++ {
		if list[i].kind() != requests {
			starts = append(starts, list[i].start)
		}
	}
	slices.Sort(starts)
	return starts
}
