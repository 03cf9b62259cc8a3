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
		"March &lt;", "vm &lt;", "<title>half &lt;</title>", "up 1 d &lt;", "<span>2026-03-01</span><span>2026-03-03</span>",
		`<rect class="good" x="0.000%" width="45.000%" y="0.000" height="24.000"/>`,
		`<rect class="good" x="50.000%" width="45.000%" y="12.000" height="12.000"/><rect class="unknown" x="50.000%" width="45.000%" y="0.000" height="12.000"/>`,
	} {
		require.Contains(t, text, want)
	}
	require.Equal(t, 1, strings.Count(text, "<title>half"))
	require.NotContains(t, text, "down", "there is none")
	require.Equal(t, "# T\n\n## S\n\n**March \\<**\n\n- vm \\<: up 1 d \\<\n", markdown(t, pageOf(s)))
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
