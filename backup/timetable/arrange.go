package timetable

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Share is what a job sends in a slot.
type Share struct {
	Slot  int   `json:"slot"`
	Bytes int64 `json:"bytes"`
}

// Run is when a job runs.
type Run struct {
	Job    string    `json:"job"`
	From   time.Time `json:"from"`
	Until  time.Time `json:"until"` // of its last slot
	Shares []Share   `json:"shares"`
}

// Unplaced is a job that has no place.
type Unplaced struct {
	Job string `json:"job"`
	// Why is in words: what is in its way also when it is alone; or a link or cap that cannot take all of so many jobs, of which it is one;
	// or that there may be an arrangement that was not found.
	Why string `json:"why"`
}

// Load is how much of a link is used at most.
type Load struct {
	Link  string `json:"link"`
	Peak  Ratio  `json:"peak"`
	Slot  int    `json:"slot"`  // when that is first
	Bound Ratio  `json:"bound"` // less is not possible, of the jobs that can run at all
}

// Timetable is an arrangement, and how good it is.
type Timetable struct {
	Goal     Goal       `json:"goal"`
	Runs     []Run      `json:"runs"` // by their beginning
	Unplaced []Unplaced `json:"unplaced,omitempty"`
	Loads    []Load     `json:"loads"` // of each link

	Peak   Ratio     `json:"peak"`   // the greatest of the loads
	Finish time.Time `json:"finish"` // the end of the last slot that is used; Start when none is

	// PeakBound is what no arrangement of the jobs that can run at all falls below, whether it can divide them or not: the fractional optimum of each
	// link by itself. FinishBound is the same of the end, of each link and each cap by itself. Why is what holds the first there; where
	// PeakBound is more than all of a link, it is why not everything fits.
	PeakBound   Ratio        `json:"peak_bound"`
	FinishBound time.Time    `json:"finish_bound,omitzero"` // zero: the jobs do not fit into the slots at all
	Why         *Certificate `json:"why,omitempty"`
}

// Gap returns by which part the timetable is worse than its bound: of the peak, or of the time until the end. At 0 it is the best there is.
// It is false when jobs have no place or the bound is nothing: a timetable of some jobs says nothing of one of all.
func (t *Timetable) Gap(p *Problem) (float64, bool) {
	is, least := t.Peak.Float(), t.PeakBound.Float()
	if t.Goal == Finish {
		is, least = t.Finish.Sub(p.Start).Seconds(), t.FinishBound.Sub(p.Start).Seconds()
	}
	if len(t.Unplaced) > 0 || least <= 0 {
		return 0, false
	}
	return max(is/least-1, 0), true
}

const maxWork = 400_000_000 // slots that the search looks at, after everything has a place

// Arrange finds a timetable. It is deterministic: the same problem has the same answer. Errors wrap opsec.ErrInvalid; that not everything fits is no
// error ([Timetable].Unplaced).
//
// Jobs that cannot be divided are placed by size, the largest first, each where it hurts least; then those that can be, which fill what is
// lowest; then each is taken out and placed again, as long as that helps. For [Finish] they are then drawn to the beginning, those first whose windows
// end first.
func Arrange(p *Problem) (*Timetable, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	g := newGrid(p)
	out := &Timetable{Goal: p.Goal}
	if out.Goal == "" {
		out.Goal = Peak
	}
	can := g.possible(out)
	exact := g.bind(out, can)
	order := slices.Concat(g.largest(func(j *job) bool { return !j.divisible }), g.largest(func(j *job) bool { return j.divisible }))
	order = slices.DeleteFunc(order, func(i int32) bool { return !can[i] })
	if out.Goal == Peak {
		order = slices.DeleteFunc(order, func(i int32) bool { return exact[i] != nil })
	} else {
		exact = nil
	}
	g.exact = exact
	b := g.arrange(order, 1, false)
	if g.counted() {
		for _, wide := range []int{2, 4, 0} {
			if c := g.arrange(order, wide, false); c.better(b) {
				b = c
			}
		}
	}
	if out.Goal == Finish {
		b.early = true // what has a place is drawn to the beginning
		b.improve(g.urgent(order))
		if c := g.arrange(g.urgent(order), 1, true); c.better(b) {
			b = c
		}
	}
	b.report(out, can)
	return out, nil
}

// counted says whether the number of jobs that can be divided is bounded anywhere.
func (g *grid) counted() bool {
	return slices.ContainsFunc(g.jobs, func(j job) bool {
		return j.divisible && slices.ContainsFunc(j.caps, func(c int32) bool { return g.caps[c].jobs > 0 })
	})
}

func (g *grid) arrange(order []int32, wide int, early bool) *board {
	b := newBoard(g)
	b.wide, b.early = wide, early
	for i, run := range g.exact {
		if run != nil {
			b.set(int32(i), run, 1)
		}
	}
	for _, i := range order {
		if run := b.place(i); run != nil {
			b.set(i, run, 1)
		}
	}
	b.improve(order)
	return b
}

// urgent returns the jobs in the order in which their last slots are.
func (g *grid) urgent(order []int32) []int32 {
	order = slices.Clone(order)
	slices.SortStableFunc(order, func(a, b int32) int {
		x, y := g.jobs[a].slots, g.jobs[b].slots
		return int(x[len(x)-1] - y[len(y)-1])
	})
	return order
}

// better says that b places more jobs than c, or as many with an earlier end or a lower peak.
func (b *board) better(c *board) bool {
	if n, m := b.placed(), c.placed(); n != m {
		return n > m
	}
	if b.early {
		return b.last() < c.last()
	}
	return b.peak().Compare(c.peak()) < 0
}

// possible says of each job whether it could run if it were alone.
func (g *grid) possible(out *Timetable) []bool {
	can := make([]bool, len(g.jobs))
	empty := newBoard(g)
	empty.early = true // the first place is as good as any
	for i := range g.jobs {
		j := &g.jobs[i]
		if can[i] = empty.fits(*j); !can[i] {
			out.Unplaced = append(out.Unplaced, Unplaced{g.Jobs[i].ID, fmt.Sprintf("also alone: %d bytes at %d a second take %d slots; ",
				j.bytes, g.Jobs[i].Rate, (j.bytes-1)/j.rate+1) + empty.lacking(*j)})
		}
	}
	return can
}

func (b *board) fits(j job) bool {
	if j.divisible {
		return b.spread(&j) != nil
	}
	return b.once(&j) != nil
}

// lacking says what leaves no place for a job that is alone: its windows, or one link or cap, or only all of them together.
func (b *board) lacking(j job) string {
	links, caps := j.links, j.caps
	j.links, j.caps = nil, nil
	if !b.fits(j) {
		if len(j.slots) >= j.runs {
			return fmt.Sprintf("its windows have %d, but not as many that follow each other", len(j.slots))
		}
		return fmt.Sprintf("its windows have %d", len(j.slots))
	}
	for _, l := range links {
		if j.links = []int32{l}; !b.fits(j) {
			return fmt.Sprintf("link %s, of %d a second, leaves too little in its windows beside others' traffic", b.Links[l].ID, b.Links[l].Rate)
		}
	}
	j.links = nil
	for _, c := range caps {
		if j.caps = []int32{c}; !b.fits(j) {
			return fmt.Sprintf("the cap of %s, of %d a second, leaves too little in its windows", b.caps[c].name, b.caps[c].rate/b.seconds)
		}
	}
	return "its links and caps together leave too little in its windows"
}

func (g *grid) time(slot int) time.Time {
	return g.Start.Add(time.Duration(slot) * time.Duration(g.Slot))
}

// improve takes each job out and places it again, as long as that lets another job in or makes the goal better by a thousandth. A pass that
// makes it worse is taken back.
func (b *board) improve(order []int32) {
	for b.work = 0; b.work < maxWork; {
		was := b.copy()
		for _, i := range order {
			if b.work >= maxWork {
				break
			}
			old := b.runs[i]
			if old != nil {
				b.set(i, old, -1)
			}
			if run := b.place(i); run != nil { // where it was it has a place in any case
				b.set(i, run, 1)
			}
		}
		if was.better(b) {
			*b = *was
			return
		}
		little := !b.early && b.placed() == was.placed() && b.peak().Float() >= was.peak().Float()*0.999
		if little || !b.better(was) {
			return
		}
	}
}

func (b *board) placed() (n int) {
	for _, run := range b.runs {
		if run != nil {
			n++
		}
	}
	return n
}

func (b *board) report(out *Timetable, can []bool) {
	for i, run := range b.runs {
		id := b.Jobs[i].ID
		if run == nil {
			if can[i] {
				out.Unplaced = append(out.Unplaced, Unplaced{id, b.why(i)})
			}
			continue
		}
		r := Run{Job: id, From: b.time(int(run[0].slot)), Until: b.time(int(run[len(run)-1].slot) + 1)}
		for _, s := range run {
			r.Shares = append(r.Shares, Share{int(s.slot), s.bytes})
		}
		out.Runs = append(out.Runs, r)
	}
	slices.SortStableFunc(out.Runs, func(a, b Run) int { return a.From.Compare(b.From) })
	slices.SortStableFunc(out.Unplaced, func(a, b Unplaced) int { return strings.Compare(a.Job, b.Job) })
	for l := range out.Loads {
		load := &out.Loads[l]
		for t, n := range b.load[l] {
			if r := (Ratio{n, b.links[l].room}); load.Peak.Den == 0 || r.Compare(load.Peak) > 0 {
				load.Peak, load.Slot = r, t
			}
		}
	}
	out.Peak = b.peak()
	out.Finish = b.time(b.last())
}

// why says why a job that could run alone has no place.
func (b *board) why(i int) string {
	for _, s := range b.short {
		if s.jobs[int32(i)] {
			return s.why
		}
	}
	return "what else runs leaves no place for it as it is arranged; there may be an arrangement that does"
}
