package plan

import (
	"cmp"
	"container/heap"
	"encoding/json"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// Exposure is what would have been lost at every moment: the time since the newest point that could be restored was taken. It grows with
// the clock, and falls when a newer point is durable with all that it needs.
type Exposure struct {
	Steps []Step    `json:"steps"` // in order of At
	Until time.Time `json:"until"` // of the last step
}

// Step is from when on a point is the newest that can be restored.
type Step struct {
	At     time.Time `json:"at"`
	Newest time.Time `json:"newest,omitzero"` // when it was taken; zero: there is none, all would be lost
}

// Breach is a time in which more would have been lost than a limit.
type Breach struct {
	From  time.Time
	Until time.Time     // of a breach that goes on, when it was observed
	Worst time.Duration // just before Until; of a time without any point, how long it was
	None  bool          // there was none that could be restored for some of it
	Open  bool          // it goes on
}

// MarshalJSON implements [json.Marshaler].
func (b Breach) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		From  time.Time           `json:"from"`
		Until time.Time           `json:"until"`
		Worst strictjson.Duration `json:"worst"`
		None  bool                `json:"none,omitempty"`
		Open  bool                `json:"open,omitempty"`
	}{b.From, b.Until, strictjson.Duration(b.Worst), b.None, b.Open})
}

// Exposure returns the exposure from the copies on a side, or anywhere when it is empty. It begins with Since, or with the first point
// that could be restored. A point can be restored while one target has it and all that it needs: durable, not deleted and not known to
// be broken. What cannot be (twice the same id, a time to come) is left out. It takes O(n log n).
func (o Observed) Exposure(side Site) Exposure { return newView(o).exposure(side) }

// At returns what would have been lost at a moment. It is false before the first step, after Until, and while there was no point.
func (e Exposure) At(t time.Time) (time.Duration, bool) {
	i, _ := slices.BinarySearchFunc(e.Steps, t, func(s Step, t time.Time) int {
		if s.At.After(t) {
			return 1
		}
		return -1
	})
	if i == 0 || t.After(e.Until) || e.Steps[i-1].Newest.IsZero() {
		return 0, false
	}
	return t.Sub(e.Steps[i-1].Newest), true
}

// Worst returns the most that would have been lost, and when. It is false when there was a time without any point, or no step.
func (e Exposure) Worst() (worst time.Duration, at time.Time, ok bool) {
	for i, s := range e.Steps {
		end := e.end(i)
		if s.Newest.IsZero() {
			return 0, s.At, false
		}
		if d := end.Sub(s.Newest); d > worst || at.IsZero() {
			worst, at = d, end
		}
	}
	return worst, at, len(e.Steps) > 0
}

func (e Exposure) end(i int) time.Time {
	if i+1 < len(e.Steps) {
		return e.Steps[i+1].At
	}
	return e.Until
}

// Over returns when more would have been lost than limit, in order. Breaches that touch are one.
func (e Exposure) Over(limit time.Duration) (list []Breach) {
	for i, s := range e.Steps {
		end := e.end(i)
		from, worst := s.At, end.Sub(s.At)
		if !s.Newest.IsZero() {
			worst = end.Sub(s.Newest)
			if at := s.Newest.Add(limit); at.After(from) {
				from = at
			}
		}
		if !end.After(from) {
			continue
		}
		b := Breach{From: from, Until: end, Worst: worst, None: s.Newest.IsZero(), Open: i == len(e.Steps)-1}
		if n := len(list); n > 0 && !list[n-1].Until.Before(from) {
			last := &list[n-1]
			last.Until, last.Worst, last.None, last.Open = end, max(last.Worst, worst), last.None || b.None, b.Open
			continue
		}
		list = append(list, b)
	}
	return list
}

// use is when a target can restore a point.
type use struct {
	point       int
	from, until time.Time // until zero: still
}

// view is what is observed, in order and without what cannot be.
type view struct {
	Observed
	points  []ObservedPoint // by Taken, then id
	index   map[string]int
	targets []ObservedCopy // one of each target, by name
	uses    [][]use        // of each target
	loops   map[int]bool   // points that need themselves
	wrong   []Finding      // what was left out
}

func newView(o Observed) *view {
	v := &view{Observed: o, index: map[string]int{}, loops: map[int]bool{}}
	seen := map[string]bool{}
	for _, p := range o.Points {
		switch {
		case p.ID == "" || seen[p.ID]:
			v.leaveOut(p, "there is another point of this id, or it has none")
		case p.Level != Files && p.Level != Image:
			v.leaveOut(p, "it is of no level that is known")
		case p.Taken.IsZero() || p.Taken.After(o.At):
			v.leaveOut(p, "it was taken at a time to come, or at none")
		default:
			v.points = append(v.points, p)
		}
		seen[p.ID] = true
	}
	slices.SortFunc(v.points, func(a, b ObservedPoint) int { return cmp.Or(a.Taken.Compare(b.Taken), cmp.Compare(a.ID, b.ID)) })
	names := map[string]bool{}
	for i, p := range v.points {
		v.index[p.ID] = i
		for _, c := range p.Copies {
			if !names[c.Target] {
				names[c.Target] = true
				v.targets = append(v.targets, c)
			}
		}
	}
	slices.SortFunc(v.targets, func(a, b ObservedCopy) int { return cmp.Compare(a.Target, b.Target) })
	order := v.order()
	for _, t := range v.targets {
		v.uses = append(v.uses, v.usesOf(t, order))
	}
	return v
}

func (v *view) leaveOut(p ObservedPoint, why string) {
	v.wrong = append(v.wrong, Finding{Rule: RuleData, Severity: opsec.SeverityHigh, Subject: p.ID, Text: "the point is left out: " + why})
}

// order returns the points so that each comes after all that it needs. Those in a loop, and what needs them, are not in it.
func (v *view) order() (order []int) {
	waits, children := make([]int, len(v.points)), make([][]int32, len(v.points))
	for i, p := range v.points {
		for _, parent := range p.Parents {
			if at, ok := v.index[parent]; ok {
				waits[i]++
				children[at] = append(children[at], int32(i))
			}
		}
	}
	for i, n := range waits {
		if n == 0 {
			order = append(order, i)
		}
	}
	for next := 0; next < len(order); next++ {
		for _, c := range children[order[next]] {
			if waits[c]--; waits[c] == 0 {
				order = append(order, int(c))
			}
		}
	}
	for i, n := range waits {
		if n > 0 {
			v.loops[i] = true
		}
	}
	return order
}

// usesOf returns when a target can restore each point.
func (v *view) usesOf(t ObservedCopy, order []int) (list []use) {
	at := make([]int, len(v.points)) // place in the list, and one
	for _, i := range order {
		p := v.points[i]
		u, ok := use{point: i, until: p.Deleted}, false
		for _, c := range p.Copies {
			if c.Target == t.Target && c.Site == t.Site && !c.Durable.IsZero() && !c.Durable.After(v.At) && !c.Broken {
				u.from, ok = c.Durable, true
			}
		}
		for _, parent := range p.Parents {
			j, there := v.index[parent]
			if !there || at[j] == 0 {
				ok = false
				break
			}
			needs := list[at[j]-1]
			if needs.from.After(u.from) {
				u.from = needs.from
			}
			if !needs.until.IsZero() && (u.until.IsZero() || needs.until.Before(u.until)) {
				u.until = needs.until
			}
		}
		if ok && (u.until.IsZero() || u.until.After(u.from)) {
			list = append(list, u)
			at[i] = len(list)
		}
	}
	return list
}

// newest is a heap of uses, the one of the newest point first.
type newest []use

func (h newest) Len() int           { return len(h) }
func (h newest) Less(i, j int) bool { return h[i].point > h[j].point }
func (h newest) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *newest) Push(x any)        { *h = append(*h, x.(use)) }
func (h *newest) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}

func (v *view) exposure(side Site) Exposure {
	var all []use
	for i, list := range v.uses {
		if side == "" || v.targets[i].Site == side {
			all = append(all, list...)
		}
	}
	var moments []time.Time
	for _, u := range all {
		moments = append(moments, u.from)
		if !u.until.IsZero() && !u.until.After(v.At) {
			moments = append(moments, u.until)
		}
	}
	slices.SortFunc(all, func(a, b use) int { return a.from.Compare(b.from) })
	since := v.Since
	if since.IsZero() && len(all) > 0 {
		since = all[0].from
	}
	if since.IsZero() || since.After(v.At) {
		return Exposure{Until: v.At}
	}
	moments = append(moments, since)
	slices.SortFunc(moments, time.Time.Compare)
	moments = slices.CompactFunc(moments, time.Time.Equal)

	e := Exposure{Until: v.At}
	var live newest
	for _, t := range moments {
		for len(all) > 0 && !all[0].from.After(t) {
			heap.Push(&live, all[0])
			all = all[1:]
		}
		for len(live) > 0 && !live[0].until.IsZero() && !live[0].until.After(t) {
			heap.Pop(&live)
		}
		if t.Before(since) {
			continue
		}
		s := Step{At: t}
		if len(live) > 0 {
			s.Newest = v.points[live[0].point].Taken
		}
		if n := len(e.Steps); n == 0 || !e.Steps[n-1].Newest.Equal(s.Newest) {
			e.Steps = append(e.Steps, s)
		}
	}
	return e
}
