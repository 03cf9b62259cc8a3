package htmlreport

import (
	_ "embed"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

//go:embed charts.html
var chartsHTML string

// Calendar is a chart of counts by day, a month a row.
type Calendar struct {
	Caption string
	Days    []Day // in order, each once; those without are empty
}

// Day is a day of a [Calendar]. Its parts are shown one above the other, the first at the bottom.
type Day struct {
	Date  time.Time // the date counts, not the time
	Parts []Part
}

// MostSamples is how many a [Curve] has at most.
const MostSamples = 4000

// Curve is a chart of one value over time, with a limit: what is above it is shown as bad.
type Curve struct {
	Caption string
	Samples []Sample // in order; between two of them the value is on the line from one to the other
	Limit   int64    // 0: none
	Note    string   // the greatest value and the limit, in words: what a reader who cannot see the chart gets
}

// Sample is a value at a time. Two of one time are a step.
type Sample struct {
	At    time.Time
	Value int64 // from 0
	Open  int64 // by how much it may be more, because not everything is known; from 0
}

func (Calendar) kind() string { return "calendar" }
func (Curve) kind() string    { return "curve" }

// wrongChart says what is wrong with a chart; nothing is "".
func wrongChart(b Block) string {
	switch b := b.(type) {
	case Calendar:
		for i, d := range b.Days {
			if i > 0 && !date(d.Date).After(date(b.Days[i-1].Date)) {
				return fmt.Sprintf("day %s: not after the one before it", day(d.Date))
			}
			for _, p := range d.Parts {
				if p.Count < 0 || !p.Tone.known() {
					return fmt.Sprintf("day %s: a count of %d, tone %q", day(d.Date), p.Count, p.Tone)
				}
			}
		}
	case Strip:
		return b.wrong()
	case Curve:
		if len(b.Samples) < 2 || len(b.Samples) > MostSamples || b.Limit < 0 {
			return fmt.Sprintf("a curve of %d samples, limit %d: want 2 to %d, and no limit below 0", len(b.Samples), b.Limit, MostSamples)
		}
		for i, s := range b.Samples {
			if s.At.IsZero() || s.Value < 0 || s.Open < 0 || s.Open > math.MaxInt64-s.Value || i > 0 && s.At.Before(b.Samples[i-1].At) {
				return fmt.Sprintf("sample %d: %d at %v, want 0 or more, not before the one before it", i, s.Value, s.At)
			}
		}
	}
	return ""
}

func date(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// months divides the days of a calendar into months, with the sums of their parts in the order that they first come in.
func (c Calendar) months() (list []monthSum) {
	for _, d := range c.Days {
		name := d.Date.Format("2006-01")
		if n := len(list); n == 0 || list[n-1].name != name {
			list = append(list, monthSum{name: name})
		}
		m := &list[len(list)-1]
		m.days = append(m.days, d)
		for _, p := range d.Parts {
			at := slices.IndexFunc(m.sums, func(o Part) bool { return o.Label == p.Label && o.Tone == p.Tone })
			if at < 0 {
				at, m.sums = len(m.sums), append(m.sums, Part{Label: p.Label, Tone: p.Tone})
			}
			m.sums[at].Count += p.Count
		}
	}
	return list
}

type monthSum struct {
	name string
	days []Day
	sums []Part
}

func (m *markdown) calendar(c Calendar) {
	m.caption(c.Caption)
	m.printf("\n")
	for _, month := range c.months() {
		var parts []string
		for _, p := range month.sums {
			if p.Count > 0 {
				parts = append(parts, inline(p.says(), " "))
			}
		}
		m.printf("- %s: %s\n", month.name, strings.Join(parts, " · "))
	}
}

func (m *markdown) curve(c Curve) {
	m.caption(c.Caption)
	m.printf("\n%s\n", label(c.Note))
}

// The height of a row of a calendar, in pixels, and how high a part is at least.
const (
	rowHeight  = 16
	leastShown = 3.0
)

type cellRect struct {
	Tone                Tone
	X, Width, Y, Height string
}

type calendarView struct {
	Caption string
	Rows    []calendarRow
}

type calendarRow struct {
	Label string
	Cells []cellRect
	Parts []partView
}

func viewCalendar(c Calendar) calendarView {
	v := calendarView{Caption: clean(c.Caption)}
	for _, month := range c.months() {
		row := calendarRow{Label: month.name}
		for _, p := range month.sums {
			if p.Count > 0 {
				row.Parts = append(row.Parts, partView{Text: p.says(), Tone: p.Tone})
			}
		}
		for _, d := range month.days {
			row.Cells = append(row.Cells, cells(d)...)
		}
		v.Rows = append(v.Rows, row)
	}
	return v
}

// cells returns the parts of a day as rectangles that fill its column; what is counted is seen.
func cells(d Day) (list []cellRect) {
	var sizes []uint64
	for _, p := range d.Parts {
		sizes = append(sizes, uint64(p.Count))
	}
	stack(sizes, rowHeight, func(i int, y, height float64) {
		list = append(list, cellRect{d.Parts[i].Tone, percent(float64(d.Date.Day()-1) / 31 * 100), percent(2.9), percent(y), percent(height)})
	})
	return list
}

// stack divides a height by sizes, the first at the bottom: what has a size is seen.
func stack(sizes []uint64, full float64, place func(i int, y, height float64)) {
	total, all := 0.0, 0.0
	for _, n := range sizes {
		total += float64(n)
	}
	share := func(n uint64) float64 { return max(leastShown, full*float64(n)/total) }
	for _, n := range sizes {
		if n > 0 {
			all += share(n)
		}
	}
	y, squeeze := full, min(1, full/max(all, 1))
	for i, n := range sizes {
		if n > 0 {
			height := share(n) * squeeze
			y -= height
			place(i, max(y, 0), height)
		}
	}
}

type curveView struct {
	Caption, Note string
	Area          string // the points of a polygon, in a box of 1000 to 100
	Open          string // likewise, of what may come on top; none: ""
	Limit         string // where it is, from above; none: ""
	Bad           []cellRect
	First, Last   string
}

func viewCurve(c Curve) curveView {
	v := curveView{Caption: clean(c.Caption), Note: clean(c.Note)}
	first, last := c.Samples[0].At, c.Samples[len(c.Samples)-1].At
	top := max(c.Limit, 1)
	for _, s := range c.Samples {
		top = max(top, s.Value+s.Open)
	}
	x := func(at time.Time) float64 {
		if !last.After(first) {
			return 0
		}
		return 1000 * at.Sub(first).Seconds() / last.Sub(first).Seconds()
	}
	y := func(value int64) float64 { return 100 - 95*float64(value)/float64(top) }
	var area strings.Builder
	fmt.Fprintf(&area, "0,100")
	for i, s := range c.Samples {
		fmt.Fprintf(&area, " %.2f,%.2f", x(s.At), y(s.Value))
		if i > 0 {
			v.over(c, c.Samples[i-1], s, x)
		}
	}
	fmt.Fprintf(&area, " %.2f,100", x(last))
	v.Area = area.String()
	v.Open = open(c.Samples, x, y)
	if c.Limit > 0 {
		v.Limit = fmt.Sprintf("%.2f", y(c.Limit))
	}
	layout := axis(first, last)
	v.First, v.Last = first.Format(layout), last.Format(layout)
	return v
}

// open returns the points of a polygon around what may come on top of the values.
func open(samples []Sample, x func(time.Time) float64, y func(int64) float64) string {
	if !slices.ContainsFunc(samples, func(s Sample) bool { return s.Open > 0 }) {
		return ""
	}
	var points []string
	for _, s := range samples {
		points = append(points, fmt.Sprintf("%.2f,%.2f", x(s.At), y(s.Value+s.Open)))
	}
	for _, s := range slices.Backward(samples) {
		points = append(points, fmt.Sprintf("%.2f,%.2f", x(s.At), y(s.Value)))
	}
	return strings.Join(points, " ")
}

// over marks where the line from one sample to the next is above the limit.
func (v *curveView) over(c Curve, from, until Sample, x func(time.Time) float64) {
	if c.Limit == 0 || max(from.Value, until.Value) <= c.Limit || !until.At.After(from.At) {
		return
	}
	left, right := x(from.At), x(until.At)
	if from.Value <= c.Limit {
		left += (right - left) * float64(c.Limit-from.Value) / float64(until.Value-from.Value)
	} else if until.Value < c.Limit {
		right = left + (right-left)*float64(from.Value-c.Limit)/float64(from.Value-until.Value)
	}
	v.Bad = append(v.Bad, cellRect{Bad, fmt.Sprintf("%.2f", left), fmt.Sprintf("%.2f", max(right-left, 1)), "97", "3"})
}
