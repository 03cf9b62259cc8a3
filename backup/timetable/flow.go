package timetable

// flow is what one link could carry at best, if jobs could be divided at will, and nothing but this link (or cap), their rates and windows bound
// them: a maximum flow from jobs through slots (E. A. Dinic, 1970). More than that no arrangement can do.
type flow struct {
	jobs      []*job
	left      []int64 // of each job, that has no place
	from      []int32 // of each job, its first edge
	slot      []int32 // of each edge
	owner     []int32 // of each edge
	sent      []int64 // through each edge
	into      [][]int32
	load      []int64 // of each slot
	cap       []int64
	jobLevel  []int32
	slotLevel []int32
	jobNext   []int32
	slotNext  []int32
	last      int32 // slots before it count
}

func newFlow(jobs []*job, slots int, cap func(slot int) int64) *flow {
	f := &flow{
		jobs: jobs, into: make([][]int32, slots), load: make([]int64, slots), cap: make([]int64, slots), last: int32(slots),
		jobLevel: make([]int32, len(jobs)), jobNext: make([]int32, len(jobs)), slotLevel: make([]int32, slots), slotNext: make([]int32, slots),
	}
	for t := range f.cap {
		f.cap[t] = cap(t)
	}
	for i, j := range jobs {
		f.left = append(f.left, j.bytes)
		f.from = append(f.from, int32(len(f.slot)))
		for _, t := range j.slots {
			f.into[t] = append(f.into[t], int32(len(f.slot)))
			f.slot = append(f.slot, t)
			f.owner = append(f.owner, int32(i))
		}
	}
	f.from = append(f.from, int32(len(f.slot)))
	f.sent = make([]int64, len(f.slot))
	return f
}

// clear starts again, with the slots before last.
func (f *flow) clear(last int) {
	f.last = int32(last)
	clear(f.sent)
	clear(f.load)
	for i, j := range f.jobs {
		f.left[i] = j.bytes
	}
}

// earliest returns the first slot before which all jobs could be done, if they could be divided; one more than there are when they cannot: then
// cut says why.
func (f *flow) earliest() int {
	low, high := 0, len(f.cap)+1
	for low < high {
		mid := (low + high) / 2
		f.clear(mid)
		if f.fill() {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return low
}

// fill sends as much as the caps allow, and returns whether that is all.
func (f *flow) fill() bool {
	for f.levels() {
		for i := range f.jobs {
			f.jobNext[i] = f.from[i]
		}
		clear(f.slotNext)
		for i := range f.jobs {
			for f.left[i] > 0 {
				n := f.push(int32(i), f.left[i])
				if n == 0 {
					break
				}
				f.left[i] -= n
			}
		}
	}
	for _, n := range f.left {
		if n > 0 {
			return false
		}
	}
	return true
}

// levels numbers what can still be reached from jobs that have something left, and returns whether a slot with room is among it.
func (f *flow) levels() (room bool) {
	var queue, next []int32
	for i := range f.jobs {
		f.jobLevel[i] = -1
		if f.left[i] > 0 {
			f.jobLevel[i] = 0
			queue = append(queue, int32(i))
		}
	}
	for t := range f.slotLevel {
		f.slotLevel[t] = -1
	}
	for level := int32(1); len(queue) > 0; level += 2 {
		var slots []int32
		for _, i := range queue {
			for e := f.from[i]; e < f.from[i+1]; e++ {
				if t := f.slot[e]; t < f.last && f.slotLevel[t] < 0 && f.sent[e] < f.jobs[i].rate {
					f.slotLevel[t] = level
					slots = append(slots, t)
					room = room || f.load[t] < f.cap[t]
				}
			}
		}
		next = next[:0]
		for _, t := range slots {
			for _, e := range f.into[t] {
				if i := f.owner[e]; f.sent[e] > 0 && f.jobLevel[i] < 0 {
					f.jobLevel[i] = level + 1
					next = append(next, i)
				}
			}
		}
		queue, next = next, queue
	}
	return room
}

// push sends up to n more bytes of a job.
func (f *flow) push(i int32, n int64) int64 {
	for ; f.jobNext[i] < f.from[i+1]; f.jobNext[i]++ {
		e := f.jobNext[i]
		t := f.slot[e]
		if f.slotLevel[t] != f.jobLevel[i]+1 {
			continue
		}
		if most := min(n, f.jobs[i].rate-f.sent[e]); most > 0 {
			if done := f.enter(t, most); done > 0 {
				f.sent[e] += done
				return done
			}
		}
	}
	return 0
}

// enter finds a place for up to n bytes in a slot, or moves as much of another job out of it.
func (f *flow) enter(t int32, n int64) int64 {
	if room := f.cap[t] - f.load[t]; room > 0 {
		n = min(n, room)
		f.load[t] += n
		return n
	}
	for ; int(f.slotNext[t]) < len(f.into[t]); f.slotNext[t]++ {
		e := f.into[t][f.slotNext[t]]
		i := f.owner[e]
		if f.jobLevel[i] != f.slotLevel[t]+1 || f.sent[e] == 0 {
			continue
		}
		if done := f.push(i, min(n, f.sent[e])); done > 0 {
			f.sent[e] -= done
			return done
		}
	}
	return 0
}

// run returns what the flow sends of a job.
func (f *flow) run(i int) (run []share) {
	for e := f.from[i]; e < f.from[i+1]; e++ {
		if f.sent[e] > 0 {
			run = append(run, share{f.slot[e], f.sent[e]})
		}
	}
	return run
}

// cut returns why there is no more, after fill: those of the jobs that want these slots, and how many of their bytes have no other place
// than there, whatever one does.
func (f *flow) cut() (jobs, slots []int32, bytes int64) {
	for t, level := range f.slotLevel {
		if level >= 0 {
			slots = append(slots, int32(t))
		}
	}
	for i, j := range f.jobs {
		if f.jobLevel[i] < 0 {
			continue
		}
		jobs = append(jobs, int32(i))
		bytes += j.bytes
		for e := f.from[i]; e < f.from[i+1]; e++ {
			if t := f.slot[e]; t < f.last && f.slotLevel[t] < 0 {
				bytes -= f.sent[e]
			}
		}
	}
	return jobs, slots, bytes
}
