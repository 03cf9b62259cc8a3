package timetable

import (
	"fmt"
	"slices"
)

// Certificate is why no arrangement can do better: these jobs have so many bytes that must go through the link in these slots, whatever
// else is done, beside what others send there.
type Certificate struct {
	Link     string   `json:"link"`
	Jobs     []string `json:"jobs,omitempty"`  // the first 100
	JobsAll  int      `json:"jobs_all"`        // how many there are
	Slots    []int    `json:"slots,omitempty"` // the first 1000
	SlotsAll int      `json:"slots_all"`
	Bytes    int64    `json:"bytes"`   // of the jobs
	Traffic  int64    `json:"traffic"` // of others, in these slots
	Room     int64    `json:"room"`    // that the link carries in them
}

// shortage is why not all of these jobs have a place, whatever is done.
type shortage struct {
	jobs map[int32]bool
	why  string
}

// bind finds the bounds, what there is too little of, and the best runs of the jobs on links that the bound is exact for: where all can be
// divided, use no other link, and are under no cap.
func (g *grid) bind(out *Timetable, can []bool) (exact [][]share) {
	exact = make([][]share, len(g.jobs))
	out.PeakBound = Ratio{0, 1}
	last := 0
	for l := range g.links {
		jobs, index := g.under(can, func(j *job) bool { return slices.Contains(j.links, int32(l)) })
		share, why, cut, best := g.least(int32(l), jobs, func(i int32) string { return g.Jobs[index[i]].ID })
		if share.Compare(Ratio{1, 1}) > 0 {
			g.lacks(cut, index, "link %s: %d jobs have %d bytes that must go in %d slots, which hold %d beside others' %d",
				why.Link, why.JobsAll, why.Bytes, why.SlotsAll, why.Room, why.Traffic)
		} else if !slices.ContainsFunc(jobs, func(j *job) bool { return !j.divisible || len(j.links) > 1 || len(j.caps) > 0 }) {
			for k, i := range index {
				if best.left[k] == 0 {
					exact[i] = best.run(k)
				}
			}
		}
		out.Loads = append(out.Loads, Load{Link: g.Links[l].ID, Bound: share})
		if share.Compare(out.PeakBound) > 0 {
			out.PeakBound, out.Why = share, why
		}
		lane := &g.links[l]
		last = max(last, newFlow(jobs, g.slots, func(t int) int64 { return lane.room - lane.traffic[t] }).earliest())
	}
	for c := range g.caps {
		last = max(last, g.capped(int32(c), can))
	}
	if last <= g.slots {
		out.FinishBound = g.time(last)
	}
	return exact
}

// capped returns the first slot before which all jobs under a cap could be done, if there were no links; slots+1 when they cannot.
func (g *grid) capped(c int32, can []bool) (last int) {
	b := &g.caps[c]
	jobs, index := g.under(can, func(j *job) bool { return slices.Contains(j.caps, c) })
	if b.rate > 0 {
		f := newFlow(jobs, g.slots, func(int) int64 { return b.rate })
		if last = f.earliest(); last > g.slots {
			list, slots, bytes := f.cut()
			g.lacks(list, index, "the cap of %s: %d jobs have %d bytes that must go in %d slots, in which it lets %d pass",
				b.name, len(list), bytes, len(slots), b.rate*int64(len(slots)))
		}
	}
	if b.jobs > 0 { // slots are what is counted then
		for k, j := range jobs {
			jobs[k] = &job{bytes: int64(j.runs), rate: 1, slots: j.slots}
		}
		f := newFlow(jobs, g.slots, func(int) int64 { return int64(b.jobs) })
		end := f.earliest()
		if end > g.slots {
			list, slots, runs := f.cut()
			g.lacks(list, index, "the cap of %s: %d jobs need %d slots that must be among %d, in each of which it lets %d run",
				b.name, len(list), runs, len(slots), b.jobs)
		}
		last = max(last, end)
	}
	return last
}

// lacks notes why these jobs, by their places in index, do not all have a place.
func (g *grid) lacks(list, index []int32, format string, args ...any) {
	s := shortage{jobs: map[int32]bool{}, why: fmt.Sprintf(format, args...)}
	for _, k := range list {
		s.jobs[index[k]] = true
	}
	g.short = append(g.short, s)
}

// least returns the smallest share of a link that must be used at some time, with the reason. It is exact for jobs that can be divided, on
// a link by itself: the fractional optimum. Caps and other links may make more of it.
//
// The flow is how jobs would be divided then, but for bytes that have no place.
//
// It begins with what others send, and goes from cut to cut: each shows that a larger share is needed, and the last has none above it.
func (g *grid) least(l int32, jobs []*job, names func(int32) string) (share Ratio, why *Certificate, cut []int32, f *flow) {
	lane := &g.links[l]
	share = Ratio{slices.Max(lane.traffic), lane.room}
	at := slices.Index(lane.traffic, share.Num)
	why = &Certificate{Link: g.Links[l].ID, Slots: []int{at}, SlotsAll: 1, Traffic: share.Num, Room: lane.room}
	f = newFlow(jobs, g.slots, func(int) int64 { return 0 })
	for {
		for t := range f.cap {
			f.cap[t] = max(share.of(lane.room)-lane.traffic[t], f.load[t])
		}
		if f.fill() {
			return share, why, cut, f
		}
		list, slots, bytes := f.cut()
		c := &Certificate{Link: g.Links[l].ID, JobsAll: len(list), SlotsAll: len(slots), Bytes: bytes, Room: lane.room * int64(len(slots))}
		for _, t := range slots {
			c.Traffic += lane.traffic[t]
			if len(c.Slots) < 1000 {
				c.Slots = append(c.Slots, int(t))
			}
		}
		for _, i := range list[:min(len(list), 100)] {
			c.Jobs = append(c.Jobs, names(i))
		}
		next := Ratio{c.Bytes + c.Traffic, max(c.Room, 1)}
		if next.Compare(share) <= 0 { // only whole bytes stand between them
			for t := range f.cap {
				f.cap[t]++
			}
			f.fill()
			return share, why, cut, f
		}
		share, why, cut = next, c, list
	}
}

// under returns the jobs that can be done at all and are under a link or a cap.
func (g *grid) under(can []bool, what func(*job) bool) (jobs []*job, index []int32) {
	for i := range g.jobs {
		if can[i] && what(&g.jobs[i]) {
			jobs = append(jobs, &g.jobs[i])
			index = append(index, int32(i))
		}
	}
	return jobs, index
}
