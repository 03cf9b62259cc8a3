package snapshot

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
)

// maxListed is how many chains and single points of failure a report lists, the worst first.
const maxListed = 1000

// Report says what a graph puts at risk. Figures for each node are [Report.Usable], [Report.Depth], [Report.Files] and
// [Report.Blast]; [Report.WriteJSON] writes all of them.
type Report struct {
	Model   FailureModel
	Profile *Profile // nil: nothing was judged
	Images  int      // nodes that are there
	Missing int      // nodes that are needed and not there
	Edges   int
	Points  int // restore points
	Lost    int // restore points that cannot be read as things are

	// ExpectedLost is the expected number of restore points that cannot be read, with those that are Lost. Where the figures
	// are not Exact, it is an upper bound and ExpectedLostLow a lower one; otherwise the two are equal.
	ExpectedLost, ExpectedLostLow float64
	// Independent is what ExpectedLost would be if every restore point needed nothing but itself.
	Independent float64
	// Exact says that nothing in the report is a bound. If not, chances lie between two bounds, and numbers of files and of
	// restore points that die with a node are at least what is told.
	Exact bool

	Chains    []Chain // a thousand at most: the least usable first, then the deepest
	AllChains int
	// SPOF are nodes with which more restore points than one die, or one that is another node: a thousand at most, the worst first.
	SPOF    []SPOF
	AllSPOF int
	Reads   Reads
	Growth  Growth
	// Findings are those of [Builder.Build] and of Analyze, and whatever [Report.Add] has added; the worst first.
	Findings []Finding

	g *Graph
	s *survey
}

// Chain is a way from a node that nothing is read through to one that needs nothing.
type Chain struct {
	Tip       string  `json:"tip"`
	Root      string  `json:"root"`
	Depth     int     `json:"depth"`      // nodes from tip to root, both counted: see [AsBacking]
	Files     int     `json:"files"`      // all nodes that a read of the tip may pass
	Usable    float64 `json:"usable"`     // the chance that all of them are sound; a lower bound if the report is not exact
	UsableMax float64 `json:"usable_max"` // the upper bound
	tip       int32
}

// SPOF is a single point of failure.
type SPOF struct {
	Path  string  `json:"path"`
	Blast int     `json:"blast"` // restore points that need it, itself included; those that are lost anyway too
	P     float64 `json:"p"`     // the chance that it fails, of itself
	node  int32
}

// Reads says how many files a read of a restore point may have to ask: a format that keeps an index for each file reads, in
// the worst case, that many indexes, and keeps them in memory.
type Reads struct {
	Mean float64 `json:"mean"` // over the restore points; 0 when there are none
	Max  int     `json:"max"`
}

// Analyze says what the graph puts at risk under a model of failure, and judges it by a profile unless that is nil.
//
// The chance of a restore point is the product over the different nodes of its closure, and the expected number of losses the
// sum over the restore points, which needs no independence between these (linearity of expectation). The time is linear where
// ways that part meet again soon. Where they do not, it grows with what lies between; beyond 2^26 steps of that kind the
// figures concerned become bounds, which the report says ([Report.Exact], [RuleInexact]).
//
// Errors wrap [opsec.ErrInvalid]: a model or profile that is not valid, or a profile with ages and a model without a time.
func (g *Graph) Analyze(m FailureModel, p *Profile) (*Report, error) { return g.analyze(m, p, maxWork) }

func (g *Graph) analyze(m FailureModel, p *Profile, work int) (*Report, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	if p != nil {
		if err := p.Validate(); err != nil {
			return nil, err
		}
		if p.timed() && micros(m.Now) == 0 {
			return nil, fmt.Errorf("snapshot: failure model: now %v: want a time, with a profile of ages: %w", m.Now, opsec.ErrInvalid)
		}
		copied := *p
		p = &copied
	}
	s := newSurvey(g, &m, work)
	exact := s.count(work) && s.sound
	s.walk = walk{}
	r := &Report{Model: m, Profile: p, Edges: len(g.to), Exact: exact, g: g, s: s}
	own := own{g, &r.Model}
	chains := top[Chain]{before: worseChain}
	points := top[SPOF]{before: worsePoint}
	files := 0
	for v := range int32(g.Len()) {
		flags := g.flags[v]
		if flags&flagMissing != 0 {
			r.Missing++
		}
		if flags&flagRestore != 0 {
			r.Points++
			if s.cause != nil && s.cause[v] >= 0 {
				r.Lost++
			}
			r.ExpectedLost -= math.Expm1(s.log[v])
			r.ExpectedLostLow -= math.Expm1(s.highest(v))
			r.Independent += own.p(v)
			files += int(s.filesOf(v))
			r.Reads.Max = max(r.Reads.Max, int(s.filesOf(v)))
		}
		if s.tip(v) {
			r.AllChains++
			chains.add(Chain{Depth: int(s.depth[v]), Usable: s.log[v], tip: v})
		}
		if b := s.blast[v]; b > 1 || b == 1 && flags&flagRestore == 0 {
			r.AllSPOF++
			points.add(SPOF{Blast: int(b), node: v})
		}
	}
	r.Images = g.Len() - r.Missing
	if r.Points > 0 {
		r.Reads.Mean = float64(files) / float64(r.Points)
	}
	r.Chains, r.SPOF = chains.done(), points.done()
	for i := range r.Chains {
		c := &r.Chains[i]
		c.Tip, c.Root, c.Files = g.ID(int(c.tip)), g.ID(int(s.root[c.tip])), int(s.filesOf(c.tip))
		c.Usable, c.UsableMax = math.Exp(s.log[c.tip]), math.Exp(s.highest(c.tip))
	}
	for i := range r.SPOF {
		p := &r.SPOF[i]
		p.Path, p.P = g.ID(int(p.node)), own.p(p.node)
	}
	r.Growth = r.grow()
	r.Add(g.findings...)
	r.Add(r.judge()...)
	return r, nil
}

// Add adds findings of the caller's, such as those of package image.
func (r *Report) Add(list ...Finding) {
	r.Findings = append(r.Findings, list...)
	slices.SortStableFunc(r.Findings, func(a, b Finding) int { return b.Severity.Rank() - a.Severity.Rank() })
}

// Usable returns the chance that node i and all that it needs are sound: two bounds of it, which are equal unless the graph
// round the node is too entangled. It panics, as the others do, when i is out of range.
func (r *Report) Usable(i int) (low, high float64) {
	return math.Exp(r.s.log[i]), math.Exp(r.s.highest(int32(i)))
}

// Depth returns how many nodes lie on the longest way from node i to a root, both counted: see [AsBacking].
func (r *Report) Depth(i int) int { return int(r.s.depth[i]) }

// Files returns how many nodes a read of node i may pass, itself counted.
func (r *Report) Files(i int) int { return int(r.s.filesOf(int32(i))) }

// Blast returns how many restore points cannot be read without node i, itself counted if it is one.
func (r *Report) Blast(i int) int { return int(r.s.blast[i]) }

// Graph returns the graph that the report is about.
func (r *Report) Graph() *Graph { return r.g }

func (s *survey) highest(v int32) float64 {
	if s.high != nil {
		return s.high[v]
	}
	return s.log[v]
}

func (s *survey) filesOf(v int32) int32 {
	if s.files != nil {
		return s.files[v]
	}
	return s.depth[v]
}

// tip says whether a chain ends at v: nothing is read through it, and it is not a snapshot inside a file, nor a missing node.
func (s *survey) tip(v int32) bool { return s.g.flags[v]&(flagNeeded|flagMissing|flagInside) == 0 }

func worseChain(a, b Chain) int {
	return cmp.Or(cmp.Compare(a.Usable, b.Usable), cmp.Compare(b.Depth, a.Depth), cmp.Compare(a.tip, b.tip))
}

func worsePoint(a, b SPOF) int {
	return cmp.Or(cmp.Compare(b.Blast, a.Blast), cmp.Compare(a.node, b.node))
}

// top keeps the first maxListed of many values.
type top[T any] struct {
	before func(a, b T) int
	list   []T
	full   bool // the first maxListed of the list are in order, and what comes after them is not wanted
}

func (t *top[T]) add(v T) {
	if t.full && t.before(v, t.list[maxListed-1]) > 0 {
		return
	}
	if t.list = append(t.list, v); len(t.list) >= 2*maxListed {
		t.list, t.full = t.done(), true
	}
}

func (t *top[T]) done() []T {
	slices.SortFunc(t.list, t.before)
	return t.list[:min(len(t.list), maxListed)]
}

// Growth says how fast a graph grows, by the times and sizes of its snapshots: what is a difference to something else, or
// inside of it. Times after the model's Now do not count. No pace is told when the first and the last are less than a day
// apart, since files that were copied or made together have times that say nothing; nor when nothing has come since the last
// for longer than lies between these two.
type Growth struct {
	Horizon     Duration `json:"horizon"`       // how far ahead is told
	PerDay      float64  `json:"per_day"`       // snapshots; 0: no pace is told
	BytesPerDay float64  `json:"bytes_per_day"` // that they take
	Bytes       int64    `json:"bytes"`         // that all images take
	BytesThen   int64    `json:"bytes_then"`    // the same at the horizon
	BytesMost   int64    `json:"bytes_most"`    // if every image grew to the size of the disk that it shows
	DepthThen   int      `json:"depth_then"`    // of the chain that is deepest now, if it goes on as it did
	// LimitReached is the time until that chain has the profile's SnapshotsMax; 0: never, or no such limit; negative: it has.
	LimitReached Duration `json:"limit_reached"`
}

const minSpan = 24 * time.Hour // from which a pace is told

func (r *Report) grow() Growth {
	g, s := r.g, r.s
	gr := Growth{Horizon: Duration(30 * 24 * time.Hour)}
	if r.Profile != nil && r.Profile.Horizon > 0 {
		gr.Horizon = r.Profile.Horizon
	}
	all := pace{now: micros(r.Model.Now)}
	chain := all
	deepest := int32(-1)
	for v := range int32(g.Len()) {
		size := get(g.size, v)
		gr.Bytes = add(gr.Bytes, size)
		gr.BytesMost = add(gr.BytesMost, max(size, get(g.virtual, v)))
		if s.snapshot(v) {
			all.see(get(g.created, v), size)
		}
		if deepest < 0 || s.depth[v] > s.depth[deepest] {
			deepest = v
		}
	}
	gr.BytesThen = gr.Bytes
	if deepest < 0 {
		return gr
	}
	gr.DepthThen = int(s.depth[deepest])
	left := 0 // snapshots, until the limit
	if r.Profile != nil && r.Profile.SnapshotsMax > 0 {
		if left = r.Profile.SnapshotsMax - (gr.DepthThen - 1); left <= 0 {
			gr.LimitReached = -1
		}
	}
	horizon := time.Duration(gr.Horizon).Hours() / 24
	gr.PerDay, gr.BytesPerDay = all.perDay()
	gr.BytesThen = add(gr.Bytes, int64(min(gr.BytesPerDay*horizon, math.MaxInt64/2)))
	for v := deepest; s.depth[v] > 1; v = s.below(v) {
		chain.see(get(g.created, v), 0)
	}
	if perDay, _ := chain.perDay(); perDay > 0 {
		gr.DepthThen += int(min(perDay*horizon, MaxNodes))
		if left > 0 {
			gr.LimitReached = Duration(min(float64(left)/perDay*24*float64(time.Hour), math.MaxInt64/2))
		}
	}
	return gr
}

// snapshot says whether v is a difference to something else, or inside of it.
func (s *survey) snapshot(v int32) bool { return s.depth[v] > 1 || s.g.flags[v]&flagInside != 0 }

// below is the first need of v that makes it as deep as it is; v has one.
func (s *survey) below(v int32) int32 {
	g := s.g
	for j := g.off[v]; j < g.off[v+1]; j++ {
		to, as := g.to[j], get(g.as, j)
		if to >= v || s.soft[as] {
			continue
		}
		inside := as != 0 && g.words[as] == AsContains
		if s.depth[to] == s.depth[v] || s.depth[to] == s.depth[v]-1 && !inside {
			return to
		}
	}
	return s.root[v]
}

// pace measures how often something happened, until now if that is known.
type pace struct {
	now, first, last  int64
	count             int
	bytes, firstBytes int64
}

func (p *pace) see(at, bytes int64) {
	if at == 0 || p.now != 0 && at > p.now {
		return
	}
	if p.count == 0 || at < p.first {
		p.first, p.firstBytes = at, bytes
	}
	if p.count == 0 || at > p.last {
		p.last = at
	}
	p.count++
	p.bytes = add(p.bytes, bytes)
}

// perDay leaves out the first, with which the time that is measured begins.
func (p *pace) perDay() (times, bytes float64) {
	span := since(p.last, p.first)
	if span < minSpan || p.now != 0 && since(p.now, p.last) > span {
		return 0, 0
	}
	days := span.Hours() / 24
	return float64(p.count-1) / days, float64(p.bytes-p.firstBytes) / days
}

// add returns the sum of two numbers that are not negative, or the largest number.
func add(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
