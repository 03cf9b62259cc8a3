package htmlreport

import (
	"fmt"
	"strings"
	"time"
)

// Strip is a chart of what parts of a time were like, such as days. All rows are of one scale.
type Strip struct {
	Caption string
	From    time.Time
	Until   time.Time // after From
	Rows    []Lane
}

// Lane is a row of a [Strip].
type Lane struct {
	Label string
	Cells []Cell
	Parts []Part // the sums, in words: what a reader who cannot see the chart gets
}

// Cell is a part of the time. Its shares are shown one above the other, the first at the bottom; those of 0 are not shown.
type Cell struct {
	From   time.Time // not before that of the strip
	Until  time.Time // after From, and not after that of the strip
	Shares []Share
	Title  string // what is shown to those who point at it
}

// Share is how much of a [Cell] was what.
type Share struct {
	Size uint64
	Tone Tone
}

func (Strip) kind() string { return "strip" }

func (s Strip) wrong() string {
	if s.From.IsZero() || !s.Until.After(s.From) {
		return fmt.Sprintf("a strip from %v until %v", s.From, s.Until)
	}
	for _, r := range s.Rows {
		for i, c := range r.Cells {
			if c.From.Before(s.From) || !c.Until.After(c.From) || c.Until.After(s.Until) {
				return fmt.Sprintf("lane %q: cell %d: from %v until %v", r.Label, i, c.From, c.Until)
			}
			for _, p := range c.Shares {
				if !p.Tone.known() {
					return fmt.Sprintf("lane %q: cell %d: tone %q", r.Label, i, p.Tone)
				}
			}
		}
		for _, p := range r.Parts {
			if p.Count < 0 || !p.Tone.known() {
				return fmt.Sprintf("lane %q: a count of %d, tone %q", r.Label, p.Count, p.Tone)
			}
		}
	}
	return ""
}

func (m *markdown) strip(s Strip) {
	m.caption(s.Caption)
	m.printf("\n")
	for _, r := range s.Rows {
		var parts []string
		for _, p := range r.Parts {
			if p.Count > 0 {
				parts = append(parts, inline(p.says(), " "))
			}
		}
		m.printf("- %s: %s\n", label(r.Label), strings.Join(parts, " · "))
	}
}

// stripHeight is that of a row, in pixels; leastApart is how wide cells are at least that have a gap between them, in per cent.
const (
	stripHeight = 24
	leastApart  = 0.7
)

type stripView struct {
	Caption, First, Last string
	Rows                 []laneView
}

type laneView struct {
	Label string
	Cells []stripCell
	Parts []partView
}

type stripCell struct {
	Title string
	Rects []cellRect
}

func viewStrip(s Strip) stripView {
	v := stripView{Caption: clean(s.Caption), First: day(s.From), Last: day(s.Until.Add(-1))}
	if layout := axis(s.From, s.Until); layout != time.DateOnly {
		v.First, v.Last = s.From.Format(layout), s.Until.Format(layout)
	}
	share := func(at time.Time) float64 { return 100 * at.Sub(s.From).Seconds() / s.Until.Sub(s.From).Seconds() }
	for _, r := range s.Rows {
		lane := laneView{Label: clean(r.Label)}
		for _, p := range r.Parts {
			if p.Count > 0 {
				lane.Parts = append(lane.Parts, partView{Text: p.says(), Tone: p.Tone})
			}
		}
		for _, c := range r.Cells {
			x := share(c.From)
			width := share(c.Until) - x
			if width > leastApart {
				width -= min(width/10, 0.35)
			} else { // a gap would be as wide as they are; the next one covers what is too much, so that no seam shines through
				width = min(1.5*width, 100-x)
			}
			cell := stripCell{Title: clean(c.Title)}
			var sizes []uint64
			for _, p := range c.Shares {
				sizes = append(sizes, p.Size)
			}
			stack(sizes, stripHeight, func(i int, y, height float64) {
				cell.Rects = append(cell.Rects, cellRect{c.Shares[i].Tone, percent(x), percent(width), percent(y), percent(height)})
			})
			lane.Cells = append(lane.Cells, cell)
		}
		v.Rows = append(v.Rows, lane)
	}
	return v
}
