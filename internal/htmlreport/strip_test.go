package htmlreport_test

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/htmlreport"
)

func TestStrip(t *testing.T) {
	s := htmlreport.Strip{Caption: "March <", From: march(1), Until: march(3), Rows: []htmlreport.Lane{{
		Label: "vm <",
		Cells: []htmlreport.Cell{
			{From: march(1), Until: march(2), Shares: []htmlreport.Share{{Size: 1, Tone: htmlreport.Good}}},
			{From: march(2), Until: march(3), Title: "half <", Shares: []htmlreport.Share{{Size: 5, Tone: htmlreport.Good}, {Size: 0, Tone: htmlreport.Warn}, {Size: 5, Tone: htmlreport.Unknown}}},
		},
		Parts: []htmlreport.Part{{Count: 3, Text: "up 1 d <", Tone: htmlreport.Good}, {Tone: htmlreport.Bad, Text: "down"}},
	}}}
	text := render(t, pageOf(s))
	for _, want := range []string{
		"March &lt;", "vm &lt;", "<title>half &lt;</title>", "up 1 d &lt;", "<span>2026-03-01 12:00</span><span>2026-03-03 12:00</span>",
		`<rect class="good" x="0.000%" width="49.650%" y="0.000" height="24.000"/>`,
		`<rect class="good" x="50.000%" width="49.650%" y="12.000" height="12.000"/><rect class="unknown" x="50.000%" width="49.650%" y="0.000" height="12.000"/>`,
	} {
		require.Contains(t, text, want)
	}
	require.Equal(t, 1, strings.Count(text, "<title>half"))
	require.NotContains(t, text, "down", "there is none")
	require.Equal(t, "# T\n\n## S\n\n**March \\<**\n\n- vm \\<: up 1 d \\<\n", markdown(t, pageOf(s)))
}

// Cells have a gap between them while they are wide enough for one, and none is beyond the end.
func TestCellsOfAnyWidth(t *testing.T) {
	for days, want := range map[int]string{1: `x="0.000%" width="99.650%"`, 31: `x="96.774%" width="2.903%"`, 366: `x="99.727%" width="0.273%"`} {
		s := htmlreport.Strip{From: march(1), Until: march(1 + days), Rows: []htmlreport.Lane{{Label: "l"}}}
		for i := range days {
			s.Rows[0].Cells = append(s.Rows[0].Cells, htmlreport.Cell{From: march(1 + i), Until: march(2 + i), Shares: []htmlreport.Share{{Size: 1, Tone: htmlreport.Bad}}})
		}
		page := render(t, pageOf(s))
		require.Contains(t, page, want)
		if days == 366 {
			require.Contains(t, page, `x="0.000%" width="0.410%"`, "up to the next, and below it")
		}
	}
}

// However large the other shares are, each is seen, and all of them fill the cell.
func TestSharesOfACellFillItAndAreAllSeen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOfN(rapid.OneOf(rapid.Just[uint64](0), rapid.Uint64Range(1, 3), rapid.Uint64()), 1, 5).Draw(t, "sizes")
		cell := htmlreport.Cell{From: march(1), Until: march(2)}
		shown := 0
		for _, n := range sizes {
			cell.Shares = append(cell.Shares, htmlreport.Share{Size: n, Tone: htmlreport.Bad})
			if n > 0 {
				shown++
			}
		}
		text := render(t, pageOf(htmlreport.Strip{From: march(1), Until: march(9), Rows: []htmlreport.Lane{{Cells: []htmlreport.Cell{cell}}}}))
		sum, seen := 0.0, 0
		for _, e := range parse(t, text) {
			if e.name != "rect" || e.attrs["class"] != "bad" {
				continue
			}
			y, err := strconv.ParseFloat(e.attrs["y"], 64)
			require.NoError(t, err)
			height, err := strconv.ParseFloat(e.attrs["height"], 64)
			require.NoError(t, err)
			require.GreaterOrEqual(t, height, 2.0)
			require.True(t, y >= 0 && y+height <= 24.01)
			sum, seen = sum+height, seen+1
		}
		require.Equal(t, shown, seen)
		if seen > 0 {
			require.InDelta(t, 24, sum, 0.02)
		}
	})
}

func TestCurveShowsWhatMayComeOnTop(t *testing.T) {
	c := htmlreport.Curve{Caption: "Budget", Limit: 100, Note: "n", Samples: []htmlreport.Sample{{At: march(1)}, {At: march(3), Value: 50}, {At: march(5), Value: 50, Open: 150}}}
	text := render(t, pageOf(c))
	require.Contains(t, text, `points="0,100 0.00,100.00 500.00,76.25 1000.00,76.25 1000.00,100"`, "the scale has room for it")
	require.Contains(t, text, `<polygon points="0.00,100.00 500.00,76.25 1000.00,5.00 1000.00,76.25 500.00,76.25 0.00,100.00" fill="url(#hatch)"/>`)
	require.Equal(t, 1, strings.Count(text, `class="bad"`), "the limit: it is not known to be passed")
	c.Samples[2].Open = 0
	require.NotContains(t, render(t, pageOf(c)), `fill-opacity="0.3"`)
}

func TestTimelineShowsAllOfItsTime(t *testing.T) {
	line := htmlreport.Timeline{From: march(1), Until: march(21), Rows: []htmlreport.Period{{Label: "i", From: march(11), Until: march(16), Tone: htmlreport.Bad}}}
	text := render(t, pageOf(line))
	require.Contains(t, text, `x="50.000%" y="3" width="25.000%"`)
	require.Contains(t, text, "<span>2026-03-01</span><span>2026-03-21</span>")
}

// On an axis of a night the time is of use, and on one of a month the day is.
func TestAxesAreWrittenByTheirLength(t *testing.T) {
	start := time.Date(2026, 3, 9, 22, 0, 0, 0, time.UTC)
	for length, want := range map[time.Duration][2]string{
		0:                          {"2026-03-09 22:00:00", "2026-03-09 22:00:00"},
		2 * time.Minute:            {"2026-03-09 22:00:00", "2026-03-09 22:02:00"},
		2*time.Minute + 1:          {"2026-03-09 22:00", "2026-03-09 22:02"},
		8 * time.Hour:              {"2026-03-09 22:00", "2026-03-10 06:00"},
		48 * time.Hour:             {"2026-03-09 22:00", "2026-03-11 22:00"},
		48*time.Hour + time.Second: {"2026-03-09", "2026-03-11"},
		365 * 24 * time.Hour:       {"2026-03-09", "2027-03-09"},
		90 * 365 * 24 * time.Hour:  {"2026-03-09", "2116-02-16"},
	} {
		end := start.Add(length)
		ends := "<span>" + want[0] + "</span><span>" + want[1] + "</span>"
		require.Contains(t, render(t, pageOf(htmlreport.Timeline{From: start, Until: end, Rows: []htmlreport.Period{{Label: "i", From: start, Until: end, Tone: htmlreport.Bad}}})), ends, length)
		require.Contains(t, render(t, pageOf(htmlreport.Curve{Samples: []htmlreport.Sample{{At: start}, {At: end}}})), strings.ReplaceAll(ends, "</span><", "</span> – <"), length)
		if length > 0 {
			require.Contains(t, render(t, pageOf(htmlreport.Strip{From: start, Until: end, Rows: []htmlreport.Lane{{Label: "l"}}})), ends, length)
		}
	}
	midnight := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	require.Contains(t, render(t, pageOf(htmlreport.Strip{From: midnight, Until: midnight.AddDate(0, 1, 0), Rows: []htmlreport.Lane{{Label: "l"}}})),
		"<span>2026-03-01</span><span>2026-03-31</span>", "the last day is the last that is shown")
	page := render(t, pageOf(htmlreport.Timeline{Now: start.Add(time.Hour), From: start, Until: start.Add(8 * time.Hour)}))
	require.Contains(t, page, "<span>2026-03-09 23:00 (the line)</span>")
}

// A text that begins with spaces is neither code nor two asterisks.
func TestSpacesThatBeginATextInMarkdown(t *testing.T) {
	const s = "    x "
	p := pageOf(htmlreport.Strip{Caption: s, From: march(1), Until: march(2), Rows: []htmlreport.Lane{{Label: s}}})
	p.Subtitle, p.Footer, p.Facts = s, s, htmlreport.Facts{{Label: s, Value: htmlreport.Plain(s)}}
	b := &p.Sections[0].Blocks
	*b = append(*b, htmlreport.Callout{Tone: htmlreport.Bad, Title: s}, htmlreport.Bars{Rows: []htmlreport.Bar{{Label: s, Note: "n"}}},
		htmlreport.Timeline{Rows: []htmlreport.Period{{Label: s, Note: "n", From: march(1), Until: march(1), Tone: htmlreport.Bad}}},
		htmlreport.Curve{Samples: []htmlreport.Sample{{At: march(1)}, {At: march(2)}}, Note: s})
	require.Equal(t, "# T\n\nx\n\n- **x:** x\n\n## S\n\n**x**\n\n- x: \n\n> **x.**\n\n- x: n\n\n- x: n\n\nx\n\n---\n\nx\n", markdown(t, p))
}

func TestPartsInWords(t *testing.T) {
	b := htmlreport.Bars{Rows: []htmlreport.Bar{{Label: "b", Parts: []htmlreport.Part{{Label: "used", Count: 3, Text: "3 h <used>", Tone: htmlreport.Bad}}}}}
	require.Contains(t, render(t, pageOf(b)), "&nbsp;3 h &lt;used&gt;</span>")
	require.Equal(t, "# T\n\n## S\n\n- b: 3 h \\<used\\>\n", markdown(t, pageOf(b)))
}

func TestPolicyIsHandedOut(t *testing.T) {
	for _, e := range parse(t, render(t, full("x"))) {
		if e.attrs["http-equiv"] == "Content-Security-Policy" {
			require.Equal(t, e.attrs["content"], htmlreport.Security())
			return
		}
	}
	t.Fatal("no policy")
}

func TestStripsThatAreRefused(t *testing.T) {
	lane := func(c htmlreport.Cell) htmlreport.Block {
		return htmlreport.Strip{From: march(1), Until: march(3), Rows: []htmlreport.Lane{{Cells: []htmlreport.Cell{c}}}}
	}
	for name, b := range map[string]htmlreport.Block{
		"no time":   htmlreport.Strip{},
		"no end":    htmlreport.Strip{From: march(2), Until: march(2)},
		"before":    lane(htmlreport.Cell{From: march(1).Add(-time.Second), Until: march(2)}),
		"after":     lane(htmlreport.Cell{From: march(1), Until: march(3).Add(1)}),
		"empty":     lane(htmlreport.Cell{From: march(1), Until: march(1)}),
		"tone":      lane(htmlreport.Cell{From: march(1), Until: march(2), Shares: []htmlreport.Share{{}}}),
		"part":      htmlreport.Strip{From: march(1), Until: march(3), Rows: []htmlreport.Lane{{Parts: []htmlreport.Part{{Count: -1, Tone: htmlreport.Bad}}}}},
		"open":      htmlreport.Curve{Samples: []htmlreport.Sample{{At: march(1)}, {At: march(2), Open: -1}}},
		"open, sum": htmlreport.Curve{Samples: []htmlreport.Sample{{At: march(1)}, {At: march(2), Value: 1, Open: math.MaxInt64}}},
	} {
		var w strings.Builder
		require.ErrorIs(t, pageOf(b).HTML(&w), opsec.ErrInvalid, name)
		require.ErrorIs(t, pageOf(b).Markdown(&w), opsec.ErrInvalid, name)
	}
}

func TestLinksToFilesBesideThePage(t *testing.T) {
	for to, want := range map[string]bool{
		"./report-2026-03.html": true, "./a_b.md?download": true, "./": false, "./?download": false, "./..": false, "./a..b": false, "./a/b": false,
		"./a?x": false, "../a": false, "./a b": false, "a.html": false, ".//evil.example": false,
	} {
		text := render(t, pageOf(htmlreport.Paragraph(htmlreport.Link("x", to))))
		require.Equal(t, want, strings.Contains(text, `href="`), to)
		require.Equal(t, want, strings.Contains(markdown(t, pageOf(htmlreport.Paragraph(htmlreport.Link("x", to)))), "]("), to)
	}
}

func TestColumnsOfNumbersThatStayInOneLine(t *testing.T) {
	table := htmlreport.Table{Columns: []htmlreport.Column{{Title: "a"}, {Title: "b", Numbers: true, Short: true}}, Rows: [][]htmlreport.Text{{htmlreport.Plain("x"), htmlreport.Plain("99.95 %")}}}
	require.Contains(t, render(t, pageOf(table)), `data-label="b" class="number short">99.95 %</td>`)
}
