package timeline

import (
	"slices"
	"sort"
)

// Span is the time from Start until before End, in milliseconds since 1970 (UTC, as POSIX: no leap seconds). It is empty
// unless Start < End.
type Span struct {
	Start int64 `json:"start"`
	End   int64 `json:"end"`
}

// Line is spans in order that neither overlap nor touch, and of which none is empty. What makes lines here returns none that
// is nil: a nil line may mean "always" elsewhere, and a line of nothing must not.
type Line []Span

// Length returns how long the line is, in milliseconds.
func (l Line) Length() (ms uint64) {
	for _, s := range l {
		ms += uint64(s.End - s.Start)
	}
	return ms
}

// And returns the time that is in both lines.
func (l Line) And(o Line) Line {
	out := Line{}
	for i, j := 0, 0; i < len(l) && j < len(o); {
		if s := (Span{max(l[i].Start, o[j].Start), min(l[i].End, o[j].End)}); s.Start < s.End {
			out = append(out, s)
		}
		if l[i].End < o[j].End {
			i++
		} else {
			j++
		}
	}
	return out
}

// Or returns the time that is in any of the lines.
func (l Line) Or(o Line) Line {
	out := make([]Span, 0, len(l)+len(o))
	for len(l) > 0 && len(o) > 0 {
		if o[0].Start < l[0].Start {
			l, o = o, l
		}
		out, l = append(out, l[0]), l[1:]
	}
	return Union(append(append(out, l...), o...))
}

// Without returns the time of l that is not in o.
func (l Line) Without(o Line) Line {
	out := Line{}
	j := 0
	for _, s := range l {
		for j < len(o) && o[j].End <= s.Start {
			j++
		}
		for k := j; k < len(o) && o[k].Start < s.End; k++ {
			if s.Start < o[k].Start {
				out = append(out, Span{s.Start, o[k].Start})
			}
			s.Start = o[k].End
		}
		if s.Start < s.End {
			out = append(out, s)
		}
	}
	return out
}

// Within returns the part of the line that is in a span.
func (l Line) Within(s Span) Line {
	from := l.after(s.Start)
	to := from
	for to < len(l) && l[to].Start < s.End {
		to++
	}
	if from == to || s.Start >= s.End {
		return Line{}
	}
	out := slices.Clone(l[from:to:to])
	out[0].Start = max(out[0].Start, s.Start)
	out[len(out)-1].End = min(out[len(out)-1].End, s.End)
	return out
}

// Has reports whether a moment is in the line.
func (l Line) Has(ms int64) bool {
	i := l.after(ms)
	return i < len(l) && l[i].Start <= ms
}

// after returns the number of the first span that ends after a moment.
func (l Line) after(ms int64) int {
	return sort.Search(len(l), func(i int) bool { return l[i].End > ms })
}

// Strip is how long a part of the time was what, in milliseconds, for a chart.
type Strip struct {
	Start    int64  `json:"start"`
	End      int64  `json:"end"`
	Up       uint64 `json:"up"`
	Degraded uint64 `json:"degraded,omitempty"`
	Down     uint64 `json:"down,omitempty"`
	Excluded uint64 `json:"excluded,omitempty"`
	Unknown  uint64 `json:"unknown,omitempty"`
}
