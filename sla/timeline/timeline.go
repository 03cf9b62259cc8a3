package timeline

import (
	"cmp"
	"slices"
)

// Span is the time from Start until before End, in milliseconds since 1970 (UTC, as POSIX: no leap seconds). It is empty
// unless Start < End.
type Span struct {
	Start int64 `json:"start"`
	End   int64 `json:"end"`
}

// Line is spans in order that neither overlap nor touch, and of which none is empty.
type Line []Span

// Union returns the time that is in any of the spans. It may reorder the list, and returns a part of it.
func Union(list []Span) Line {
	slices.SortFunc(list, func(a, b Span) int { return cmp.Compare(a.Start, b.Start) })
	n := 0
	for _, s := range list {
		switch {
		case s.Start >= s.End:
		case n > 0 && s.Start <= list[n-1].End:
			list[n-1].End = max(list[n-1].End, s.End)
		default:
			list[n] = s
			n++
		}
	}
	return Line(list[:n:n])
}

// Length returns how long the line is, in milliseconds.
func (l Line) Length() (ms uint64) {
	for _, s := range l {
		ms += uint64(s.End - s.Start)
	}
	return ms
}

// And returns the time that is in both lines.
func (l Line) And(o Line) Line {
	var out Line
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
func (l Line) Or(o Line) Line { return Union(slices.Concat(l, o)) }

// Without returns the time of l that is not in o.
func (l Line) Without(o Line) Line {
	var out Line
	j := 0
	for _, s := range l {
		for j < len(o) && o[j].End <= s.Start {
			j++
		}
		for k := j; k < len(o) && o[k].Start < s.End; k++ {
			if s.Start < o[k].Start {
				out = append(out, Span{s.Start, o[k].Start})
			}
			s.Start = max(s.Start, o[k].End)
		}
		if s.Start < s.End {
			out = append(out, s)
		}
	}
	return out
}

// Within returns the part of the line that is in a span.
func (l Line) Within(s Span) Line { return l.And(Line{s}) }

// Has reports whether a moment is in the line.
func (l Line) Has(ms int64) bool {
	i, _ := slices.BinarySearchFunc(l, ms, func(s Span, ms int64) int {
		if s.End <= ms {
			return -1
		}
		return 1
	})
	return i < len(l) && l[i].Start <= ms
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
