package meter

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"sync"

	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// Reader hands out evidence of a period, resource by resource in order of their names.
type Reader interface {
	// Resources calls yield for each resource with evidence in the period until it returns false.
	Resources(period timeline.Span, yield func(resource string, in metric.Input) bool)
	// Digest returns the digest of all evidence in a period: "sha256:" and 64 hexadecimal digits.
	Digest(period timeline.Span) string
}

// Meter is evidence of resources. It is safe for several goroutines.
type Meter struct {
	mu   sync.Mutex
	seen map[string]map[Evidence]bool // by resource
}

// New returns a meter without evidence.
func New() *Meter { return &Meter{seen: map[string]map[Evidence]bool{}} }

// Add takes in evidence, in any order; what it has already changes nothing. The error wraps [opsec.ErrInvalid].
func (m *Meter) Add(e Evidence) error {
	if err := e.check(); err != nil {
		return err
	}
	if err := checkName("source", e.Source); err != nil {
		return err
	}
	if err := checkName("resource", e.Resource); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seen[e.Resource] == nil {
		m.seen[e.Resource] = map[Evidence]bool{}
	}
	m.seen[e.Resource][e] = true
	return nil
}

// Resources calls yield for each resource with evidence in a period, in order of their names, until it returns false.
func (m *Meter) Resources(period timeline.Span, yield func(resource string, in metric.Input) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(m.seen)) {
		var in metric.Input
		var by [4][]timeline.Span
		list := m.of(name, period)
		for _, e := range list {
			if e.Total > 0 {
				in.Counts = append(in.Counts, metric.Count{Start: e.Span.Start, Good: e.Good, Total: e.Total})
			} else {
				by[e.State] = append(by[e.State], timeline.Span{Start: max(e.Span.Start, period.Start), End: min(e.Span.End, period.End)})
			}
		}
		in.States = metric.States{Up: timeline.Union(by[Up]), Degraded: timeline.Union(by[Degraded]), Down: timeline.Union(by[Down])}
		if len(list) > 0 && !yield(name, in) {
			return
		}
	}
}

// of returns the evidence of a resource in a period.
func (m *Meter) of(resource string, period timeline.Span) (list []Evidence) {
	for e := range m.seen[resource] {
		if e.Span.End == Open {
			for o := range m.seen[resource] {
				if o.Source == e.Source && o.Total == 0 && o.Span.Start > e.Span.Start {
					e.Span.End = min(e.Span.End, o.Span.Start)
				}
			}
		}
		if e.Total > 0 && e.Span.Start >= period.Start && e.Span.Start < period.End ||
			e.Total == 0 && e.Span.Start < period.End && period.Start < e.Span.End {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b Evidence) int {
		return cmp.Or(cmp.Compare(a.Span.Start, b.Span.Start), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Seq, b.Seq))
	})
	return list
}

// Digest returns the digest of the evidence in a period: "sha256:" and 64 hexadecimal digits.
func (m *Meter) Digest(period timeline.Span) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := sha256.New()
	enc := json.NewEncoder(h)
	for _, name := range slices.Sorted(maps.Keys(m.seen)) {
		for _, e := range m.of(name, period) {
			_ = enc.Encode(e) // a hash takes anything
		}
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}
