package htmlreport_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/htmlreport"
)

func pageOf(b htmlreport.Block) *htmlreport.Page {
	return &htmlreport.Page{Title: "T", Sections: []htmlreport.Section{{ID: "s", Title: "S", Blocks: []htmlreport.Block{b}}}}
}

func march(d int) time.Time { return time.Date(2026, 3, d, 12, 0, 0, 0, time.UTC) }

func TestCalendarHasAMonthARow(t *testing.T) {
	day := func(at time.Time, kept, dropped int) htmlreport.Day {
		return htmlreport.Day{Date: at, Parts: []htmlreport.Part{
			{Label: "kept", Count: kept, Tone: htmlreport.Good}, {Label: "dropped", Count: dropped, Tone: htmlreport.Neutral},
		}}
	}
	c := htmlreport.Calendar{Caption: "Points <", Days: []htmlreport.Day{day(march(1), 1, 3), day(march(31), 2, 0), day(march(32), 0, 4)}}
	require.Equal(t, "# T\n\n## S\n\n**Points \\<**\n\n- 2026-03: 3 kept · 3 dropped\n- 2026-04: 4 dropped\n", markdown(t, pageOf(c)))
	text := render(t, pageOf(c))
	require.Contains(t, text, "Points &lt;")
	require.Equal(t, 2, strings.Count(text, `class="bar"`))
	require.Equal(t, 2, strings.Count(text, `<rect class="good" x=`))
	require.Contains(t, text, `<rect class="good" x="96.774%" width="2.900%" y="0.000" height="16.000"/>`)
}

func TestPartsOfADayFillItAndAreAllSeen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := htmlreport.Day{Date: march(rapid.IntRange(1, 31).Draw(t, "day"))}
		shown := 0
		for _, tone := range []htmlreport.Tone{htmlreport.Good, htmlreport.Bad, htmlreport.Neutral} {
			n := rapid.OneOf(rapid.Just(0), rapid.IntRange(1, 3), rapid.IntRange(1, 1_000_000)).Draw(t, "n")
			d.Parts = append(d.Parts, htmlreport.Part{Label: "n", Count: n, Tone: tone})
			if n > 0 {
				shown++
			}
		}
		sum, seen := 0.0, 0
		for _, e := range parse(t, render(t, pageOf(htmlreport.Calendar{Days: []htmlreport.Day{d}}))) {
			if e.name != "rect" || !strings.HasSuffix(e.attrs["x"], "%") {
				continue
			}
			x, err := strconv.ParseFloat(strings.TrimSuffix(e.attrs["x"], "%"), 64)
			require.NoError(t, err)
			require.LessOrEqual(t, x, 97.1)
			y, err := strconv.ParseFloat(e.attrs["y"], 64)
			require.NoError(t, err)
			height, err := strconv.ParseFloat(e.attrs["height"], 64)
			require.NoError(t, err)
			require.GreaterOrEqual(t, height, 2.0)
			require.True(t, y >= 0 && y+height <= 16.01)
			sum += height
			seen++
		}
		require.Equal(t, shown, seen)
		if seen > 0 {
			require.InDelta(t, 16, sum, 0.02)
		}
	})
}

func TestCurveMarksWhatIsAboveTheLimit(t *testing.T) {
	c := htmlreport.Curve{Caption: "Exposure", Limit: 50, Note: "At most 100, limit 50 <", Samples: []htmlreport.Sample{
		{At: march(1), Value: 0}, {At: march(3), Value: 100}, {At: march(3), Value: 20}, {At: march(5), Value: 30},
	}}
	text := render(t, pageOf(c))
	require.Contains(t, text, `points="0,100 0.00,100.00 500.00,5.00 500.00,81.00 1000.00,71.50 1000.00,100"`)
	require.Contains(t, text, `<rect class="bad" x="250.00" y="97" width="250.00" height="3"/>`)
	require.Equal(t, 2, strings.Count(text, `class="bad"`), "the limit and what is above it")
	require.Contains(t, text, "limit 50 &lt;")
	require.Contains(t, text, "2026-03-01")
	require.Equal(t, "# T\n\n## S\n\n**Exposure**\n\nAt most 100, limit 50 \\<\n", markdown(t, pageOf(c)))
	c.Limit = 0
	require.NotContains(t, render(t, pageOf(c)), `class="bad"`)
	c.Limit, c.Samples = 50, []htmlreport.Sample{{At: march(1), Value: 90}, {At: march(5), Value: 10}} // falling
	require.Contains(t, render(t, pageOf(c)), `<rect class="bad" x="0.00" y="97" width="500.00" height="3"/>`)
}

func TestChartsAreTextAndStandAlone(t *testing.T) {
	const hostile = "<script>&\"'\x00\u202e"
	for _, b := range []htmlreport.Block{
		htmlreport.Calendar{Caption: hostile, Days: []htmlreport.Day{{Date: march(1), Parts: []htmlreport.Part{{Label: hostile, Count: 1, Tone: htmlreport.Unknown}}}}},
		htmlreport.Curve{Caption: hostile, Note: hostile, Samples: []htmlreport.Sample{{At: march(1)}, {At: march(1)}}},
		htmlreport.Strip{Caption: hostile, From: march(1), Until: march(2), Rows: []htmlreport.Lane{{
			Label: hostile,
			Cells: []htmlreport.Cell{{From: march(1), Until: march(2), Title: hostile, Shares: []htmlreport.Share{{Size: 1, Tone: htmlreport.Unknown}}}},
			Parts: []htmlreport.Part{{Label: hostile, Text: hostile, Count: 1, Tone: htmlreport.Unknown}},
		}}},
	} {
		text := render(t, pageOf(b))
		require.NotEmpty(t, parse(t, text)) // well-formed
		require.NotContains(t, text, "<script")
		require.NotContains(t, text, "style=")
		require.NotContains(t, text, "\u202e")
	}
}

func TestChartsThatAreRefused(t *testing.T) {
	good := []htmlreport.Part{{Label: "n", Count: 1, Tone: htmlreport.Good}}
	for name, b := range map[string]htmlreport.Block{
		"a day twice":    htmlreport.Calendar{Days: []htmlreport.Day{{Date: march(1), Parts: good}, {Date: march(1).Add(time.Hour), Parts: good}}},
		"back":           htmlreport.Calendar{Days: []htmlreport.Day{{Date: march(2)}, {Date: march(1)}}},
		"count":          htmlreport.Calendar{Days: []htmlreport.Day{{Date: march(2), Parts: []htmlreport.Part{{Count: -1, Tone: htmlreport.Good}}}}},
		"tone":           htmlreport.Calendar{Days: []htmlreport.Day{{Date: march(2), Parts: []htmlreport.Part{{Count: 1}}}}},
		"one sample":     htmlreport.Curve{Samples: []htmlreport.Sample{{At: march(1)}}},
		"many samples":   htmlreport.Curve{Samples: make([]htmlreport.Sample, htmlreport.MostSamples+1)},
		"no time":        htmlreport.Curve{Samples: []htmlreport.Sample{{}, {At: march(1)}}},
		"back in time":   htmlreport.Curve{Samples: []htmlreport.Sample{{At: march(2)}, {At: march(1)}}},
		"negative":       htmlreport.Curve{Samples: []htmlreport.Sample{{At: march(1)}, {At: march(2), Value: -1}}},
		"negative limit": htmlreport.Curve{Limit: -1, Samples: []htmlreport.Sample{{At: march(1)}, {At: march(2)}}},
	} {
		var w strings.Builder
		require.ErrorIs(t, pageOf(b).HTML(&w), opsec.ErrInvalid, name)
		require.ErrorIs(t, pageOf(b).Markdown(&w), opsec.ErrInvalid, name)
		require.Zero(t, w.Len())
	}
}
