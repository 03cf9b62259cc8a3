package plan

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Solution is what there is to choose from.
type Solution struct {
	Best       *Choice     `json:"best,omitempty"`       // the cheapest that meets the strategy; nil: none does
	Infeasible *Infeasible `json:"infeasible,omitempty"` // why there is no Best
	Frontier   []Choice    `json:"frontier"`             // no other choice is as good in cost, span, loss and time; the cheapest first
	Ways       int         `json:"ways"`                 // that were compared
}

// Choice is a set of ways, one a target. With the first the service recovers from an incident; all others are copies that meet the
// strategy by themselves. All of it but the first way's figures meets the strategy; Meets says whether these do.
type Choice struct {
	Ways     []Way    `json:"ways"`
	Cost     int64    `json:"cost"` // a month, in millionths of the currency, rounded up for each stream
	Incident Figures  `json:"incident"`
	Disaster *Figures `json:"disaster,omitempty"` // the worst of the copies that are off the site; nil: none is asked for
	Meets    bool     `json:"meets"`
}

// Optimise finds the cheapest backups that meet a strategy, or says why there are none. The answer is exact: it is that of a search
// through every combination. The error wraps [opsec.ErrInvalid].
func Optimise(p Problem) (Solution, error) {
	if err := p.Validate(); err != nil {
		return Solution{}, err
	}
	m, err := p.open()
	if err != nil {
		return Solution{}, err
	}
	all := m.strategy()
	s := Solution{Ways: m.ways, Frontier: []Choice{}}
	if c, ok := m.cheapest(all); ok {
		s.Best = new(m.choice(all, c))
	} else {
		s.Infeasible = m.why(all)
	}
	for _, c := range m.frontier(all) {
		s.Frontier = append(s.Frontier, m.choice(all, c))
	}
	return s, nil
}

// ask is what a choice has to meet.
type ask struct {
	in, site   Limits
	primary    Limits // of the first way: as in, or none
	system     time.Duration
	files      bool // single files
	encrypted  bool
	regions    []string
	everywhere bool // whatever the regions
	on, off    int
	budget     int64
}

var unlimited = Limits{math.MaxInt64, math.MaxInt64, math.MaxInt64}

// strategy returns what the strategy asks for.
func (m *market) strategy() ask {
	s := m.problem.Strategy
	a := ask{
		in: s.Incident(), site: s.Disaster(), system: s.SystemAge(), files: m.problem.Workload.SingleFiles,
		encrypted: !s.InsecurePlain, regions: s.Regions, everywhere: s.SkipRegions, on: s.OnSite, off: s.OffSite, budget: m.problem.Budget,
	}
	if a.budget == 0 {
		a.budget = math.MaxInt64
	}
	a.primary = a.in
	return a
}

// allows reports whether copies may be at a target.
func (a ask) allows(t Target) bool {
	return (t.Encrypted || !a.encrypted) && (a.everywhere || slices.Contains(a.regions, t.Region))
}

// takes reports whether a way is one at all, its figures aside.
func (a ask) takes(w way) bool { return w.system <= a.system && !(a.files && w.coarse) }

// pick is a way at a target.
type pick struct {
	at, way int
	cost    int64
}

// selection is a choice as picks, the first way first.
type selection struct {
	picks []pick
	cost  int64
}

// copies returns the cheapest way of each target on a side that is a copy by itself, the cheapest first.
func (m *market) copies(a ask, site Site, l Limits) (list []pick) {
	for i, st := range m.stands {
		if st.Site != site || !a.allows(st.Target) {
			continue
		}
		if j := slices.IndexFunc(st.ways, func(w way) bool { return a.takes(w) && w.Meets(l) }); j >= 0 {
			list = append(list, pick{i, j, st.ways[j].cost})
		}
	}
	slices.SortStableFunc(list, func(x, y pick) int { return cmp.Compare(x.cost, y.cost) })
	return list
}

// each yields, for each way that may come first, the cheapest selection that begins with it; when they are few, only for those of a
// target that are the best by cost, loss, time and span.
//
// Every target stands by itself and costs what its way costs, so the cheapest copies beside the first way are those that are the
// cheapest each.
func (m *market) each(a ask, few bool, yield func(first way, s selection)) {
	on, off := m.copies(a, OnSite, a.in), m.copies(a, OffSite, a.site)
	for i, st := range m.stands {
		if !a.allows(st.Target) {
			continue
		}
		var seen [2]bool // a way that is no copy, one that is
		for j, w := range st.ways {
			if !a.takes(w) || !w.Meets(a.primary) {
				continue
			}
			copies := yes(st.Site == OnSite || w.Meets(a.site))
			if few && seen[copies] {
				continue
			}
			seen[copies] = true
			needOn, needOff := a.on, a.off
			switch {
			case st.Site == OnSite:
				needOn = max(needOn-1, 0)
			case copies == 1:
				needOff = max(needOff-1, 0)
			}
			s := selection{picks: []pick{{i, j, w.cost}}, cost: w.cost}
			if s.take(on, needOn, i) && s.take(off, needOff, i) {
				yield(w, s)
			}
		}
	}
}

// take adds the first n picks that are not at a target; false when there are not so many.
func (s *selection) take(from []pick, n, notAt int) bool {
	for _, p := range from {
		if n == 0 {
			break
		}
		if p.at != notAt {
			s.picks, s.cost, n = append(s.picks, p), s.cost+p.cost, n-1
		}
	}
	return n == 0
}

// cheapest returns the cheapest selection that meets all that is asked for.
func (m *market) cheapest(a ask) (found selection, ok bool) {
	var first way
	m.each(a, true, func(w way, s selection) {
		if s.cost <= a.budget && (!ok || cmp.Or(cmp.Compare(s.cost, found.cost), cmp.Compare(w.Loss, first.Loss),
			cmp.Compare(w.Time, first.Time), cmp.Compare(w.Span, first.Span), len(s.picks)-len(found.picks)) < 0) {
			found, first, ok = s, w, true
		}
	})
	return found, ok
}

// frontier returns the selections that no other is as good as. The figures of the first way and the budget are free.
func (m *market) frontier(a ask) (list []selection) {
	a.primary = unlimited
	type point struct {
		way
		selection
	}
	var all []point
	m.each(a, false, func(w way, s selection) { all = append(all, point{w, s}) })
	slices.SortStableFunc(all, func(x, y point) int {
		return cmp.Or(cmp.Compare(x.selection.cost, y.selection.cost), cmp.Compare(x.Loss, y.Loss), cmp.Compare(x.Time, y.Time), cmp.Compare(x.Span, y.Span))
	})
	var front []point
	for _, p := range all {
		if !slices.ContainsFunc(front, func(o point) bool { return o.Loss <= p.Loss && o.Time <= p.Time && o.Span <= p.Span }) {
			front, list = append(front, p), append(list, p.selection)
		}
	}
	return list
}

// choice returns a selection with its words.
func (m *market) choice(a ask, s selection) Choice {
	c := Choice{Cost: s.cost}
	for i, p := range s.picks {
		st := m.stands[p.at]
		w := st.ways[p.way]
		c.Ways = append(c.Ways, m.full(st.Target, w))
		if i == 0 {
			c.Incident, c.Meets = w.Figures, w.Meets(a.in) && s.cost <= a.budget
		}
		if st.Site == OffSite && a.off > 0 && w.Meets(a.site) {
			if c.Disaster == nil {
				c.Disaster = new(Figures)
			}
			c.Disaster.Span, c.Disaster.Loss, c.Disaster.Time = max(c.Disaster.Span, w.Span), max(c.Disaster.Loss, w.Loss), max(c.Disaster.Time, w.Time)
		}
	}
	return c
}
