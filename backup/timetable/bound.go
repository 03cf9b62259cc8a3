package timetable

import "slices"

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

// least returns the smallest share of a link that must be used at some time, with the reason. It is exact for jobs that can be divided, on
// a link by itself: the fractional optimum. Caps and other links may make more of it.
//
// The flow is how jobs would be divided then, but for bytes that have no place.
//
// It begins with what others send, and goes from cut to cut: each shows that a larger share is needed, and the last has none above it.
func (g *grid) least(l int32, jobs []*job, names func(int32) string) (Ratio, *Certificate, *flow) {
	lane := &g.links[l]
	share := Ratio{slices.Max(lane.traffic), lane.room}
	at := slices.Index(lane.traffic, share.Num)
	why := &Certificate{Link: g.Links[l].ID, Slots: []int{at}, SlotsAll: 1, Traffic: share.Num, Room: lane.room}
	f := newFlow(jobs, g.slots)
	for {
		for t := range f.cap {
			f.cap[t] = max(share.of(lane.room)-lane.traffic[t], f.load[t])
		}
		if f.fill() {
			return share, why, f
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
				f.cap[t] = min(f.cap[t]+1, lane.room-lane.traffic[t])
			}
			f.fill()
			return share, why, f
		}
		share, why = next, c
	}
}

// earliest returns the first slot before which all jobs of a link could be done, if they could be divided; slots+1 when they cannot.
func (g *grid) earliest(l int32, jobs []*job) int {
	lane := &g.links[l]
	f := newFlow(jobs, g.slots)
	for t := range f.cap {
		f.cap[t] = lane.room - lane.traffic[t]
	}
	low, high := 0, g.slots+1
	for low < high {
		mid := (low + high) / 2
		if mid > g.slots {
			break
		}
		f.clear(mid)
		if f.fill() {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return low
}

// on returns the jobs on a link that can be done at all.
func (g *grid) on(l int32, can []bool) (jobs []*job, index []int32) {
	for i := range g.jobs {
		if can[i] && slices.Contains(g.jobs[i].links, l) {
			jobs = append(jobs, &g.jobs[i])
			index = append(index, int32(i))
		}
	}
	return jobs, index
}
