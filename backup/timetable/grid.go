package timetable

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"time"
)

// grid is a problem in slots and bytes.
type grid struct {
	*Problem
	slots   int
	links   []lane
	caps    []bound
	jobs    []job
	exact   [][]share // of jobs for which nothing is better
	short   []shortage
	seconds int64
}

// lane is a link: what it can carry in a slot, and what others send.
type lane struct {
	room    int64 // bytes a slot
	traffic []int64
}

// bound is what caps say of one tenant, host or array.
type bound struct {
	name string
	jobs int   // 0: any number
	rate int64 // bytes a slot; 0: any
}

// job is a job in slots.
type job struct {
	bytes, rate int64 // rate: bytes a slot
	links, caps []int32
	slots       []int32 // that it may use, in order
	runs        int     // slots that it takes when it is not divisible
	divisible   bool
	tie         uint64
}

func newGrid(p *Problem) *grid {
	g := &grid{Problem: p, slots: p.Slots, seconds: int64(time.Duration(p.Slot) / time.Second)}
	index := map[string]int32{}
	for i, l := range p.Links {
		index[l.ID] = int32(i)
		lane := lane{room: l.Rate * g.seconds, traffic: make([]int64, p.Slots)}
		for t := range lane.traffic {
			if n := len(l.Traffic); n > 0 {
				lane.traffic[t] = l.Traffic[t%n] * g.seconds
			}
		}
		g.links = append(g.links, lane)
	}
	caps := g.bounds()
	always := make([]int32, p.Slots)
	for t := range always {
		always[t] = int32(t)
	}
	for i := range p.Jobs {
		in := &p.Jobs[i]
		j := job{bytes: in.Bytes, rate: in.Rate * g.seconds, divisible: in.Divisible, tie: tie(in.ID), slots: always, caps: caps(in)}
		for _, id := range in.Links {
			j.links = append(j.links, index[id])
		}
		if len(in.Windows) > 0 {
			j.slots = g.within(in.Windows)
		}
		j.runs = int((j.bytes-1)/j.rate + 1)
		if (j.bytes-1)/j.rate >= int64(p.Slots) {
			j.runs = p.Slots + 1
		}
		g.jobs = append(g.jobs, j)
	}
	return g
}

// bounds returns a function that tells which caps a job is under: one for its tenant, its host and its array, of what all caps of the problem say
// of it together.
func (g *grid) bounds() func(*Job) []int32 {
	type key struct {
		kind Kind
		id   string
	}
	asked, made := map[key]bound{}, map[key]int32{}
	for _, c := range g.Problem.Caps {
		k := key{c.Kind, c.ID}
		asked[k] = asked[k].and(bound{jobs: c.Jobs, rate: c.Rate * g.seconds})
	}
	return func(j *Job) (list []int32) {
		for _, k := range []key{{Tenant, j.Tenant}, {Host, j.Host}, {Array, j.Array}} {
			if k.id == "" {
				continue
			}
			at, ok := made[k]
			if !ok {
				at = -1
				if b := asked[k].and(asked[key{k.kind, ""}]); b != (bound{}) {
					at = int32(len(g.caps))
					b.name = fmt.Sprintf("%s %q", k.kind, k.id)
					g.caps = append(g.caps, b)
				}
				made[k] = at
			}
			if at >= 0 {
				list = append(list, at)
			}
		}
		return list
	}
}

// and returns what two bounds allow together.
func (b bound) and(c bound) bound {
	b.jobs, b.rate = lesser(b.jobs, c.jobs), lesser(b.rate, c.rate)
	return b
}

// lesser returns the lesser of two bounds, of which 0 is none.
func lesser[T int | int64](a, b T) T {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// within returns the slots that are wholly in a window. Windows may overlap.
func (g *grid) within(windows []Window) (slots []int32) {
	length := time.Duration(g.Slot)
	change := make([]int32, g.slots+1) // of how many windows a slot is in
	for _, w := range windows {
		from := max(ceil(w.From.Sub(g.Start), length), 0)
		until := min(int64(w.Until.Sub(g.Start)/length), int64(g.slots))
		if from < until {
			change[from]++
			change[until]--
		}
	}
	in := int32(0)
	for t, n := range change[:g.slots] {
		if in += n; in > 0 {
			slots = append(slots, int32(t))
		}
	}
	return slots
}

func ceil(d, unit time.Duration) int64 {
	n := int64(d / unit)
	if d > 0 && d%unit > 0 {
		n++
	}
	return n
}

// tie orders what is equally good: always the same for a job, and different for different jobs.
func tie(id string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id))
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	return x ^ x>>33
}

// largest returns the jobs with the most bytes first.
func (g *grid) largest(which func(*job) bool) (order []int32) {
	for i := range g.jobs {
		if which(&g.jobs[i]) {
			order = append(order, int32(i))
		}
	}
	slices.SortFunc(order, func(a, b int32) int {
		x, y := &g.jobs[a], &g.jobs[b]
		return cmp.Or(cmp.Compare(y.bytes, x.bytes), cmp.Compare(len(x.slots), len(y.slots)), cmp.Compare(x.tie, y.tie), cmp.Compare(a, b))
	})
	return order
}
