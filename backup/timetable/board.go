package timetable

import (
	"cmp"
	"math"
	"slices"
)

// share is what a job sends in a slot.
type share struct {
	slot  int32
	bytes int64
}

// board is an arrangement on its way.
type board struct {
	*grid
	early bool      // place as early as can be
	load  [][]int64 // of each link and slot, others' traffic included
	jobs  [][]int32 // of each cap and slot
	rates [][]int64
	runs  [][]share // of each job; none: it has no place
	wide  int       // jobs that can be divided take so many times the slots that they need at least, where their number in a slot is bounded
	work  int64     // slots that were looked at
}

func newBoard(g *grid) *board {
	b := &board{grid: g, runs: make([][]share, len(g.jobs))}
	for _, l := range g.links {
		b.load = append(b.load, slices.Clone(l.traffic))
	}
	for range g.caps {
		b.jobs = append(b.jobs, make([]int32, g.slots))
		b.rates = append(b.rates, make([]int64, g.slots))
	}
	return b
}

// copy returns a board that does not change with this one. What is in a run never changes.
func (b *board) copy() *board {
	c := *b
	c.load, c.jobs, c.rates, c.runs = deep(b.load), deep(b.jobs), deep(b.rates), slices.Clone(b.runs)
	return &c
}

func deep[T any](rows [][]T) [][]T {
	rows = slices.Clone(rows)
	for i := range rows {
		rows[i] = slices.Clone(rows[i])
	}
	return rows
}

// set gives a job a place, or takes it away (sign -1).
func (b *board) set(i int32, run []share, sign int64) {
	j := &b.grid.jobs[i]
	for _, s := range run {
		for _, l := range j.links {
			b.load[l][s.slot] += sign * s.bytes
		}
		for _, c := range j.caps {
			b.jobs[c][s.slot] += int32(sign)
			b.rates[c][s.slot] += sign * s.bytes
		}
	}
	b.runs[i] = run
	if sign < 0 {
		b.runs[i] = nil
	}
}

// room returns how many bytes of a job may go in a slot at most.
func (b *board) room(j *job, t int32) int64 {
	b.work++
	n := j.rate
	for _, l := range j.links {
		n = min(n, b.links[l].room-b.load[l][t])
	}
	for _, c := range j.caps {
		cap := &b.caps[c]
		if cap.jobs > 0 && int(b.jobs[c][t]) >= cap.jobs {
			return 0
		}
		if cap.rate > 0 {
			n = min(n, cap.rate-b.rates[c][t])
		}
	}
	return max(n, 0)
}

// used returns the greatest share of a link of the job in a slot, after so many bytes more.
func (b *board) used(j *job, t int32, more int64) (u float64) {
	for _, l := range j.links {
		u = max(u, float64(b.load[l][t]+more)/float64(b.links[l].room))
	}
	return u
}

// place finds the best place for a job as things are, and returns none when there is none.
func (b *board) place(i int32) []share {
	j := &b.grid.jobs[i]
	if j.divisible {
		return b.spread(j)
	}
	return b.once(j)
}

// once places a job that runs once: where the most used slot of its links is used least, then where the slots are used least in all. Of
// equals the one is taken that its tie says; for Finish, the first.
func (b *board) once(j *job) []share {
	slots, n := j.slots, j.runs
	starts := len(slots) - n + 1
	if starts < 1 {
		return nil
	}
	best, first, sum := -1, math.Inf(1), math.Inf(1)
	for k := range starts {
		at := k
		if !b.early {
			at = int((uint64(k) + j.tie) % uint64(starts))
		}
		if slots[at+n-1]-slots[at] != int32(n-1) {
			continue
		}
		worst, all, left, fits := 0.0, 0.0, j.bytes, true
		for k := range n {
			t, want := slots[at+k], min(left, j.rate)
			left -= want
			if b.room(j, t) < want {
				fits = false
				break
			}
			u := b.used(j, t, want)
			worst, all = max(worst, u), all+u*u
			if worst > first {
				fits = false
				break
			}
		}
		if !fits {
			continue
		}
		if worst < first || worst == first && all < sum {
			best, first, sum = at, worst, all
			if b.early {
				break
			}
		}
	}
	if best < 0 {
		return nil
	}
	run := make([]share, 0, n)
	left := j.bytes
	for k := range n {
		want := min(left, j.rate)
		left -= want
		run = append(run, share{slots[best+k], want})
	}
	return run
}

// spread places a job that can be divided: it fills the least used slots to one level; for Finish, it fills the first ones. Where the number of
// jobs in a slot is bounded it leaves slots to others: it takes no more than wide times what it needs, the least used.
func (b *board) spread(j *job) (run []share) {
	room, open := make([]int64, len(j.slots)), make([]int, 0, len(j.slots))
	all := int64(0)
	for k, t := range j.slots {
		if room[k] = b.room(j, t); room[k] > 0 {
			open = append(open, k)
			all += min(room[k], j.bytes-all)
		}
	}
	if all < j.bytes {
		return nil
	}
	left := j.bytes
	take := func(k int, n int64) {
		if n = min(n, left); n > 0 {
			run = append(run, share{j.slots[k], n})
			left -= n
		}
	}
	if b.early {
		for _, k := range open {
			take(k, room[k])
		}
		return run
	}
	if slices.ContainsFunc(j.caps, func(c int32) bool { return b.caps[c].jobs > 0 }) {
		open = b.calmest(j, open, room)
	}
	level := b.level(j, open, room)
	for _, k := range open {
		take(k, b.upTo(j, j.slots[k], level, room[k]))
	}
	for at := range run { // what rounding has left
		k, _ := slices.BinarySearch(j.slots, run[at].slot)
		n := min(room[k]-run[at].bytes, left)
		run[at].bytes += n
		left -= n
	}
	for _, k := range open {
		if left > 0 && !slices.ContainsFunc(run, func(s share) bool { return s.slot == j.slots[k] }) {
			take(k, room[k])
		}
	}
	slices.SortFunc(run, func(x, y share) int { return int(x.slot - y.slot) })
	return run
}

// calmest returns the slots that are least used, in their order: wide times as many as hold the job.
func (b *board) calmest(j *job, open []int, room []int64) []int {
	slices.SortStableFunc(open, func(x, y int) int { return cmp.Compare(b.used(j, j.slots[x], 0), b.used(j, j.slots[y], 0)) })
	held, n := int64(0), 0
	for held < j.bytes {
		held += min(room[open[n]], j.bytes-held)
		n++
	}
	if b.wide > 0 {
		open = open[:min(b.wide*n, len(open))]
	}
	slices.Sort(open)
	return open
}

// upTo returns how many bytes lift a slot to a level of use.
func (b *board) upTo(j *job, t int32, level float64, room int64) int64 {
	n := room
	for _, l := range j.links {
		n = min(n, int64(level*float64(b.links[l].room))-b.load[l][t])
	}
	return max(n, 0)
}

// level returns the lowest level of use to which the slots of a job hold all of it, nearly: from below.
func (b *board) level(j *job, open []int, room []int64) float64 {
	low, high := 0.0, 1.0
	for range 50 {
		mid := (low + high) / 2
		sum := int64(0)
		for _, k := range open {
			if sum += b.upTo(j, j.slots[k], mid, room[k]); sum > j.bytes {
				break
			}
		}
		b.work += int64(len(open))
		if sum > j.bytes {
			high = mid
		} else {
			low = mid
		}
	}
	return low
}

// peak returns the greatest share of any link that is used.
func (b *board) peak() Ratio {
	most := Ratio{0, 1}
	for l := range b.load {
		if r := (Ratio{slices.Max(b.load[l]), b.links[l].room}); r.Compare(most) > 0 {
			most = r
		}
	}
	return most
}

// last returns the slot after the last that is used by a job.
func (b *board) last() (end int) {
	for _, run := range b.runs {
		if n := len(run); n > 0 {
			end = max(end, int(run[n-1].slot)+1)
		}
	}
	return end
}
