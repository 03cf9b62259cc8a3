package htmlreport

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"time"
)

//go:embed page.html
var pageHTML string

//go:embed style.css
var styleCSS string

var pageTemplate = template.Must(template.Must(template.New("page").Parse(chartsHTML)).Parse(pageHTML))

// security is the page's Content-Security-Policy: its own style sheet, and nothing else.
var security = func() string {
	sum := sha256.Sum256([]byte(styleCSS))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'"
}()

// Security returns the Content-Security-Policy that pages carry, for those who serve them to send along.
func Security() string { return security }

// HTML writes the page as a document of HTML that stands alone, which is well-formed XML too. A page that is not valid is
// refused before anything is written.
func (p *Page) HTML(w io.Writer) error {
	if err := p.validate(); err != nil {
		return err
	}
	sections := make([]sectionView, len(p.Sections))
	for i, s := range p.Sections {
		sections[i] = viewSection(s)
	}
	return pageTemplate.Execute(w, map[string]any{
		"Lang": p.lang(), "Title": clean(p.Title), "Subtitle": clean(p.Subtitle), "Facts": viewFacts(p.Facts),
		"Sections": sections, "Footer": clean(p.Footer), "Security": security, "Style": template.CSS(styleCSS),
	})
}

func (p *Page) lang() string {
	if p.Lang == "" {
		return "en"
	}
	return p.Lang
}

type sectionView struct {
	ID, Title string
	Break     bool
	Blocks    []blockView
	Sections  []sectionView
}

type blockView struct {
	Kind  string
	Block any
}

type cellView struct {
	Text
	Title, Class string
}

type headView struct{ Title, Class string }

type tableView struct {
	Caption string
	Whole   bool // on one page of paper
	Columns []headView
	Rows    [][]cellView
	Foot    []cellView
}

type barView struct {
	Label, Note string
	Parts       []partView
}

type partView struct {
	Text     string
	Tone     Tone
	X, Width string // per cent
}

// says returns the words for a part of a chart, before they are escaped.
func (p Part) says() string {
	if p.Text != "" {
		return clean(p.Text)
	}
	return fmt.Sprintf("%d %s", p.Count, clean(p.Label))
}

type periodView struct {
	Label, Note string
	Tone        Tone
	X, Width    string // per cent
}

type timelineView struct {
	Caption            string
	Rows               []periodView
	Now                string // per cent
	First, Today, Last string
}

type chartView struct {
	Caption string
	Rows    []barView
}

func viewSection(s Section) sectionView {
	v := sectionView{ID: s.ID, Title: clean(s.Title), Break: s.Break}
	for _, b := range s.Blocks {
		v.Blocks = append(v.Blocks, viewBlock(b))
	}
	for _, sub := range s.Sections {
		v.Sections = append(v.Sections, viewSection(sub))
	}
	return v
}

func viewBlock(b Block) blockView {
	v := blockView{Kind: b.kind()}
	switch b := b.(type) {
	case Paragraph:
		v.Block = cleanText(Text(b))
	case List:
		var items []Text
		for _, item := range b {
			items = append(items, cleanText(item))
		}
		v.Block = items
	case Facts:
		v.Block = viewFacts(b)
	case Table:
		v.Block = viewTable(b)
	case Callout:
		v.Block = Callout{b.Tone, clean(b.Title), cleanText(b.Text)}
	case Listing:
		v.Block = Listing{clean(b.Caption), clean(b.Text)}
	case Bars:
		v.Block = viewBars(b)
	case Timeline:
		v.Block = viewTimeline(b)
	case Calendar:
		v.Block = viewCalendar(b)
	case Curve:
		v.Block = viewCurve(b)
	case Strip:
		v.Block = viewStrip(b)
	}
	return v
}

func viewFacts(facts Facts) (list Facts) {
	for _, f := range facts {
		list = append(list, Fact{clean(f.Label), cleanText(f.Value)})
	}
	return list
}

// mostWhole is how many rows a table has, at most, that is not divided between pages of paper.
const mostWhole = 10

func (c Column) class() string {
	switch {
	case c.Numbers && c.Short:
		return "number short"
	case c.Numbers:
		return "number"
	case c.Short:
		return "short"
	}
	return ""
}

func viewTable(t Table) tableView {
	v := tableView{Caption: clean(t.Caption), Whole: len(t.Rows) <= mostWhole}
	for _, c := range t.Columns {
		v.Columns = append(v.Columns, headView{clean(c.Title), c.class()})
	}
	row := func(cells []Text) (list []cellView) {
		for i, c := range cells {
			list = append(list, cellView{cleanText(c), v.Columns[i].Title, v.Columns[i].Class})
		}
		return list
	}
	for _, r := range t.Rows {
		v.Rows = append(v.Rows, row(r))
	}
	v.Foot = row(t.Foot)
	return v
}

// leastWidth is how wide a part is drawn at least, in per cent of the chart: what is counted is seen.
const leastWidth = 1.5

func viewBars(b Bars) chartView {
	v := chartView{Caption: clean(b.Caption)}
	scale := 0
	for _, r := range b.Rows {
		scale = max(scale, r.total())
	}
	for _, r := range b.Rows {
		bar := barView{Label: clean(r.Label), Note: clean(r.Note)}
		var widths []float64
		all := 0.0
		for _, p := range r.Parts {
			if p.Count > 0 {
				widths = append(widths, max(leastWidth, 100*float64(p.Count)/float64(scale)))
				all += widths[len(widths)-1]
			}
		}
		x, squeeze := 0.0, min(1, 100/max(all, 1))
		for _, p := range r.Parts {
			if p.Count > 0 {
				width := widths[len(bar.Parts)] * squeeze
				bar.Parts = append(bar.Parts, partView{p.says(), p.Tone, percent(x), percent(width)})
				x += width
			}
		}
		v.Rows = append(v.Rows, bar)
	}
	return v
}

func (b Bar) total() (n int) {
	for _, p := range b.Parts {
		n += p.Count
	}
	return n
}

func viewTimeline(t Timeline) timelineView {
	v := timelineView{Caption: clean(t.Caption)}
	first, last := t.span()
	share := func(at time.Time) float64 {
		if !last.After(first) {
			return 0
		}
		return 100 * at.Sub(first).Seconds() / last.Sub(first).Seconds()
	}
	for _, r := range t.Rows {
		x := share(r.From)
		width := max(leastWidth, share(r.Until)-x)
		x = min(x, 100-width)
		v.Rows = append(v.Rows, periodView{clean(r.Label), clean(r.Note), r.Tone, percent(x), percent(width)})
	}
	layout := axis(first, last)
	v.First, v.Last = first.Format(layout), last.Format(layout)
	if !t.Now.IsZero() {
		v.Now, v.Today = percent(share(t.Now)), t.Now.Format(layout)+" (the line)"
	}
	return v
}

// span returns the first and the last instant that a timeline shows.
func (t Timeline) span() (first, last time.Time) {
	widen := func(at time.Time) {
		if first.IsZero() || at.Before(first) {
			first = at
		}
		if last.IsZero() || at.After(last) {
			last = at
		}
	}
	for _, r := range t.Rows {
		widen(r.From)
		widen(r.Until)
	}
	for _, at := range []time.Time{t.Now, t.From, t.Until} {
		if !at.IsZero() {
			widen(at)
		}
	}
	return first, last
}

func day(t time.Time) string { return t.Format(time.DateOnly) }

// axis returns how the ends of an axis are written: by their days, and where these are near each other with the time as well.
func axis(first, last time.Time) string {
	switch {
	case last.Sub(first) > 48*time.Hour:
		return time.DateOnly
	case last.Sub(first) > 2*time.Minute:
		return "2006-01-02 15:04"
	}
	return time.DateTime
}

func percent(f float64) string { return strconv.FormatFloat(f, 'f', 3, 64) }
