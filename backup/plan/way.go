package plan

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/cloudopsec/opsec/internal/strictjson"
)

// Figures are what a way to recover has, and limits ask for.
type Figures struct {
	Span time.Duration `json:"span"` // between two backups: RPO as the Recommendation defines it
	Loss time.Duration `json:"loss"` // the worst: until the next copy is durable, and what was captured late
	Time time.Duration `json:"time"` // until the service runs again
}

// Meets reports whether f is within all limits.
func (f Figures) Meets(l Limits) bool {
	return f.Span <= l.Span && f.Loss <= l.Loss && f.Time <= l.Time
}

// MarshalJSON implements [json.Marshaler].
func (f Figures) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Span strictjson.Duration `json:"span"`
		Loss strictjson.Duration `json:"loss"`
		Time strictjson.Duration `json:"time"`
	}{strictjson.Duration(f.Span), strictjson.Duration(f.Loss), strictjson.Duration(f.Time)})
}

// Way is how one target backs up and recovers, without any other: files, an image, or files that are laid on an image.
type Way struct {
	Target  string   `json:"target"`
	Site    Site     `json:"site"`
	Streams []Stream `json:"streams"` // files first
	Figures
	Parts []Part `json:"parts"` // of Time, in order
	Cost  int64  `json:"cost"`  // a month, in millionths of the currency
}

// MarshalJSON implements [json.Marshaler].
func (w Way) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Target  string   `json:"target"`
		Site    Site     `json:"site"`
		Streams []Stream `json:"streams"`
		Figures Figures  `json:"figures"`
		Parts   []Part   `json:"parts"`
		Cost    int64    `json:"cost"`
	}{w.Target, w.Site, w.Streams, w.Figures, w.Parts, w.Cost})
}

// Part is a part of the time that a recovery takes.
type Part struct {
	Name     string        `json:"name"`
	Took     time.Duration `json:"took"`
	Measured bool          `json:"measured,omitempty"` // by recovery tests
}

// MarshalJSON implements [json.Marshaler].
func (p Part) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Name     string              `json:"name"`
		Took     strictjson.Duration `json:"took"`
		Measured bool                `json:"measured,omitempty"`
	}{p.Name, strictjson.Duration(p.Took), p.Measured})
}

// way is a [Way] without its words.
type way struct {
	Figures
	cost         int64
	system       time.Duration // how old the image below newer files may be
	files, image int32         // indices of streams in the market; -1: none
	coarse       bool          // single files cannot be restored
}

// stand is a target with its ways.
type stand struct {
	Target
	ways []way // none is in every respect as good as another; the cheapest first
}

// market is a problem with all that it lets one choose from.
type market struct {
	problem Problem
	streams []Stream
	stands  []stand
	barred  []string // why options are of no use
	ways    int      // before those that others are better than were dropped
}

// open lists all ways that there are.
func (p Problem) open() (*market, error) {
	m := &market{problem: p}
	type candidate struct {
		option int
		Stream
	}
	at := map[string][]candidate{}
	for i, o := range p.Options {
		before := len(at[o.Target])
		every := o.Every
		if o.Chain == Dedup {
			every = []int{0}
		}
		for _, interval := range distinct(o.Intervals) {
			for _, k := range distinct(every) {
				if s, ok := o.runs(p.Workload, interval, k); ok {
					at[o.Target] = append(at[o.Target], candidate{i, s})
				}
			}
		}
		if len(at[o.Target]) == before {
			s, _ := o.runs(p.Workload, slices.Max(o.Intervals), 1)
			m.barred = append(m.barred, fmt.Sprintf("option %q: a run takes %s, which is longer than its longest interval, %s", o.ID, says(s.Run), says(s.Interval)))
		}
	}
	for _, o := range p.Options {
		if o.Level == Files && p.Workload.Rebuild == 0 && !slices.ContainsFunc(at[o.Target], func(c candidate) bool { return c.Level == Image }) {
			m.barred = append(m.barred, fmt.Sprintf("option %q: rebuild is 0, and its target has no image that files could be laid on", o.ID))
		}
	}
	for _, t := range p.Targets {
		var files, images []candidate
		for _, c := range at[t.ID] {
			if c.Level == Files {
				files = append(files, c)
			} else {
				images = append(images, c)
			}
		}
		if m.ways += (len(files) + 1) * (len(images) + 1); m.ways > MaxWays {
			return nil, invalid("options: more than %d ways to combine them; give fewer intervals, or fewer lengths of chains", MaxWays)
		}
		kept := map[[2]int]int32{} // the stream of a candidate with so many points
		keep := func(which int, c candidate, points int) (int32, error) {
			if at, ok := kept[[2]int{which, points}]; ok {
				return at, nil
			}
			s, err := p.Options[c.option].keep(c.Stream, p.Workload, points, p.Strategy.TestEvery)
			if err != nil {
				return 0, err
			}
			m.streams = append(m.streams, s)
			kept[[2]int{which, points}] = int32(len(m.streams) - 1)
			return int32(len(m.streams) - 1), nil
		}
		var ways []way
		for i, v := range images {
			at, err := keep(len(files)+i, v, points(p.Strategy.Points, p.Strategy.Reach, v.Interval))
			if err != nil {
				return nil, err
			}
			ways = append(ways, m.way(-1, at, !p.Options[v.option].Browse))
		}
		for i, f := range files {
			n := points(p.Strategy.Points, p.Strategy.Reach, f.Interval)
			at, err := keep(i, f, n)
			if err != nil {
				return nil, err
			}
			if p.Workload.Rebuild > 0 {
				ways = append(ways, m.way(at, -1, false))
			}
			reach := times(f.Interval, n-1)
			for j, v := range images { // below the oldest files too there must be an image
				below, err := keep(len(files)+j, v, points(1, reach, v.Interval))
				if err != nil {
					return nil, err
				}
				ways = append(ways, m.way(at, below, false))
			}
		}
		m.stands = append(m.stands, stand{t, best(ways)})
	}
	return m, nil
}

// points returns how many points are kept: so many, and as far back as the reach; one more than fit in, since the newest may be young.
func points(least int, reach, interval time.Duration) int {
	if reach == 0 {
		return least
	}
	return max(least, int(min(mulDiv(1, int64(reach), int64(interval))+1, 1<<40)))
}

func (m *market) way(files, image int32, coarse bool) way {
	w := way{files: files, image: image, coarse: coarse}
	for _, part := range m.parts(w) {
		w.Time = sum(w.Time, part.Took)
	}
	if image >= 0 {
		s := m.streams[image]
		w.Span, w.Loss, w.cost = s.Interval, s.Loss, s.Cost
	}
	if files >= 0 {
		s := m.streams[files]
		if image >= 0 {
			w.system = m.streams[image].Loss // until the next image is there
		}
		w.Span, w.Loss, w.cost = s.Interval, s.Loss, w.cost+s.Cost
	}
	return w
}

func (m *market) parts(w way) []Part {
	load := m.problem.Workload
	list := []Part{{Name: "detect", Took: load.Detect}, {Name: "decide", Took: load.Decide}, {Name: "provision", Took: load.Provision}}
	if w.image >= 0 {
		s := m.streams[w.image]
		list = append(list, Part{"restore image", s.Restore, s.Measured})
	} else {
		list = append(list, Part{Name: "rebuild", Took: load.Rebuild})
	}
	if w.files >= 0 {
		s := m.streams[w.files]
		list = append(list, Part{"restore files", s.Restore, s.Measured})
	}
	return append(list, Part{Name: "replay", Took: load.Replay}, Part{Name: "verify", Took: load.Verify})
}

// full returns a way with its words.
func (m *market) full(t Target, w way) Way {
	full := Way{Target: t.ID, Site: t.Site, Figures: w.Figures, Parts: m.parts(w), Cost: w.cost}
	for _, i := range []int32{w.files, w.image} {
		if i >= 0 {
			full.Streams = append(full.Streams, m.streams[i])
		}
	}
	return full
}

// best returns the ways that no other is as good as in every respect, the cheapest first.
func best(ways []way) (list []way) {
	slices.SortStableFunc(ways, func(a, b way) int {
		return cmp.Or(cmp.Compare(a.cost, b.cost), cmp.Compare(a.Loss, b.Loss), cmp.Compare(a.Time, b.Time),
			cmp.Compare(a.Span, b.Span), cmp.Compare(a.system, b.system), cmp.Compare(yes(a.coarse), yes(b.coarse)))
	})
	for _, w := range ways {
		if !slices.ContainsFunc(list, func(o way) bool {
			return o.Loss <= w.Loss && o.Time <= w.Time && o.Span <= w.Span && o.system <= w.system && yes(o.coarse) <= yes(w.coarse)
		}) {
			list = append(list, w)
		}
	}
	return list
}

func yes(b bool) int {
	if b {
		return 1
	}
	return 0
}

// distinct returns what is in a list, once and in order.
func distinct[T cmp.Ordered](list []T) []T {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// says writes a duration as people read it, in two units at most from minutes on.
func says(d time.Duration) string {
	if d >= never {
		return "for ever"
	}
	if d < time.Minute {
		return d.String()
	}
	days, d := d/day, d%day
	text := ""
	for _, unit := range []struct {
		n    time.Duration
		name string
	}{{days, "d"}, {d / time.Hour, "h"}, {d % time.Hour / time.Minute, "m"}, {d % time.Minute / time.Second, "s"}} {
		if unit.n > 0 {
			text += fmt.Sprintf("%d%s", unit.n, unit.name)
		}
	}
	return text
}
