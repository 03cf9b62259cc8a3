package htmlreport_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/htmlreport"
)

func render(t require.TestingT, p *htmlreport.Page) string {
	var b bytes.Buffer
	require.NoError(t, p.HTML(&b))
	return b.String()
}

func markdown(t require.TestingT, p *htmlreport.Page) string {
	var b bytes.Buffer
	require.NoError(t, p.Markdown(&b))
	return b.String()
}

// full has every kind of block, and s in each of their texts.
func full(s string) *htmlreport.Page {
	day := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
	text := htmlreport.Plain(s)
	return &htmlreport.Page{
		Title: "T" + s, Subtitle: s, Footer: s, Facts: htmlreport.Facts{{Label: s, Value: text}},
		Sections: []htmlreport.Section{
			{ID: "one", Title: "One" + s, Break: true, Blocks: []htmlreport.Block{
				htmlreport.Paragraph{
					{Text: s},
					{Text: s, Code: true},
					{Text: s, Mark: htmlreport.Unknown},
					{Text: s, Link: "#two"},
					{Text: s, Link: s},
				},
				htmlreport.List{text, text},
				htmlreport.Facts{{Label: s, Value: htmlreport.Code(s)}},
				htmlreport.Callout{Tone: htmlreport.Bad, Title: s, Text: text},
				htmlreport.Listing{Caption: s, Text: s},
			}},
			{ID: "two", Title: "Two", Sections: []htmlreport.Section{{ID: "three", Title: "Three" + s, Blocks: []htmlreport.Block{
				htmlreport.Table{
					Caption: s,
					Columns: []htmlreport.Column{{Title: s}, {Title: s, Numbers: true}, {Title: s, Short: true}},
					Rows: [][]htmlreport.Text{
						{text, htmlreport.Code(s), htmlreport.Mark(htmlreport.Good, s)},
					},
					Foot: []htmlreport.Text{text, nil, text},
				},
				htmlreport.Bars{
					Caption: s,
					Rows: []htmlreport.Bar{
						{
							Label: s,
							Note:  s,
							Parts: []htmlreport.Part{{Label: s, Count: 3, Tone: htmlreport.Unknown}, {Label: s, Tone: htmlreport.Good}},
						},
					},
				},
				htmlreport.Timeline{
					Caption: s,
					Now:     day,
					Rows:    []htmlreport.Period{{Label: s, Note: s, From: day, Until: day.AddDate(0, 1, 0), Tone: htmlreport.Calm}},
				},
			}, Sections: []htmlreport.Section{{ID: "four", Title: "Four" + s}}}}},
		},
	}
}

// element is what a page has: its name, its attributes, and the text right in it.
type element struct {
	name  string
	attrs map[string]string
	text  string
}

// parse takes a page apart, which is refused when it is not well-formed XML.
func parse(t require.TestingT, page string) (list []element) {
	dec := xml.NewDecoder(strings.NewReader(page))
	dec.Entity = map[string]string{"nbsp": "\u00a0"}
	var open []int
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return list
		}
		require.NoError(t, err)
		switch token := token.(type) {
		case xml.StartElement:
			e := element{name: token.Name.Local, attrs: map[string]string{}}
			for _, a := range token.Attr {
				e.attrs[a.Name.Local] = a.Value
			}
			open = append(open, len(list))
			list = append(list, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				list[open[len(open)-1]].text += string(token)
			}
		}
	}
}

var nasty = []string{
	`<script>alert(1)</script>`, `</style><script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `&lt;b&gt;`, `&amp;`, "a\x00b", "\xff\xfe",
	"javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "//evil.example", "./a.html", "./..", "./a/b", "./?download", "./a?x", "../a", "https://good.example/a?b=c#d", "http://good.example/\" onclick=\"x",
	"{{.}}", "{{template \"page\"}}", "\u202egnp.exe", "\u2066x", "line\nbreak", "]]>", "<!-- x", "-->", "é", "日本", "🦊", "", " ", "\r\n", "\t",
}

var printable = regexp.MustCompile(`^[ -~]+$`)

func TestAnyTextIsText(t *testing.T) {
	check := func(t require.TestingT, s string) {
		page := render(t, full(s))
		require.Equal(t, page, render(t, full(s)))
		found := map[string]bool{}
		for _, e := range parse(t, page) {
			require.NotContains(t, []string{"script", "img", "b", "iframe", "object", "link", "base", "form"}, e.name)
			for name, value := range e.attrs {
				require.NotRegexp(t, "^on", name)
				require.NotEqual(t, "style", name, "the policy forbids it")
				if name == "href" {
					require.Regexp(t, `^(#[A-Za-z0-9-]+|\./[A-Za-z0-9._-]+(\?download)?|https?://[!-~]+)$`, value)
					require.NotContains(t, value, "/..")
				}
			}
			found[e.text] = true
		}
		if printable.MatchString(s) {
			require.True(t, found[s], "%q is shown as it is", s)
		}
		for _, r := range page + markdown(t, full(s)) {
			require.NotContains(t, "\x00\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f", string(r))
		}
	}
	for _, s := range nasty {
		check(t, s)
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, rapid.OneOf(rapid.String(), rapid.StringMatching(`[ -~]{1,8}`)).Draw(t, "s"))
	})
}

func TestPolicyIsOfTheStyleSheetAlone(t *testing.T) {
	var policy, style string
	styles := 0
	for _, e := range parse(t, render(t, full("x"))) {
		if e.attrs["http-equiv"] == "Content-Security-Policy" {
			policy = e.attrs["content"]
			require.Zero(t, styles, "it stands before what it is about")
		}
		if e.name == "style" {
			styles++
			style = e.text
		}
	}
	require.Equal(t, 1, styles)
	sum := sha256.Sum256([]byte(style))
	require.Equal(
		t,
		"default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(
			sum[:],
		)+"'; base-uri 'none'; form-action 'none'",
		policy,
	)
	require.NotContains(t, style, "url(")
	require.NotContains(t, style, "@import")
}

// WCAG 2.2, 1.4.3 and 1.4.11: texts have a contrast of 4.5 to 1, parts of charts one of 3 to 1, in both schemes.
func TestColoursHaveContrast(t *testing.T) {
	css, err := os.ReadFile("style.css")
	require.NoError(t, err)
	light, dark, ok := strings.Cut(string(css), "prefers-color-scheme: dark")
	require.True(t, ok)
	dark, _, _ = strings.Cut(dark, "\n}\n")
	variable := regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`)
	for name, sheet := range map[string]string{"light": light, "dark": dark} {
		colours := map[string]float64{}
		for _, m := range variable.FindAllStringSubmatch(sheet, -1) {
			colours[m[1]] = luminance(t, m[2])
		}
		pairs := [][2]string{{"ink", "paper"}, {"soft", "paper"}, {"link", "paper"}, {"ink", "shade"}}
		for _, tone := range []string{"good", "bad", "unknown", "warn", "mild", "calm", "neutral"} {
			pairs = append(pairs, [2]string{tone + "-ink", tone + "-back"})
			require.GreaterOrEqual(t, ratio(colours[tone], colours["paper"]), 3.0, "%s: %s", name, tone)
		}
		for _, p := range pairs {
			require.Contains(t, colours, p[0])
			require.Contains(t, colours, p[1])
			require.GreaterOrEqual(t, ratio(colours[p[0]], colours[p[1]]), 4.5, "%s: %v", name, p)
		}
	}
}

func luminance(t *testing.T, hex string) float64 {
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		require.NoError(t, err)
		v := float64(n) / 255
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		sum += weight * v
	}
	return sum
}

func ratio(a, b float64) float64 { return (max(a, b) + 0.05) / (min(a, b) + 0.05) }

// However many there are of the others, what is counted is seen, and nothing sticks out of the chart.
func TestBarsShowWhatIsCounted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tones := []htmlreport.Tone{htmlreport.Bad, htmlreport.Unknown, htmlreport.Good, htmlreport.Neutral}
		var bars htmlreport.Bars
		shown := 0
		for range rapid.IntRange(1, 4).Draw(t, "rows") {
			bar := htmlreport.Bar{Label: "row"}
			for _, tone := range tones {
				n := rapid.OneOf(rapid.Just(0), rapid.IntRange(1, 3), rapid.IntRange(1, 1_000_000)).Draw(t, "count")
				bar.Parts = append(bar.Parts, htmlreport.Part{Label: "n", Count: n, Tone: tone})
				if n > 0 {
					shown++
				}
			}
			bars.Rows = append(bars.Rows, bar)
		}
		page := render(
			t,
			&htmlreport.Page{Title: "T", Sections: []htmlreport.Section{{ID: "s", Title: "S", Blocks: []htmlreport.Block{bars}}}},
		)
		parts, end := 0, 0.0
		for _, e := range parse(t, page) {
			switch {
			case e.attrs["class"] == "track":
				end = 0
			case e.name == "rect" && strings.HasSuffix(e.attrs["x"], "%") && e.attrs["class"] != "":
				x, err := strconv.ParseFloat(strings.TrimSuffix(e.attrs["x"], "%"), 64)
				require.NoError(t, err)
				width, err := strconv.ParseFloat(strings.TrimSuffix(e.attrs["width"], "%"), 64)
				require.NoError(t, err)
				require.InDelta(t, end, x, 0.01, "one beside the other")
				require.GreaterOrEqual(t, width, 1.0)
				end = x + width
				require.LessOrEqual(t, end, 100.01)
				parts++
			}
		}
		require.Equal(t, shown, parts)
	})
}

func TestTimelineStaysInItsChart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		day := func(label string) time.Time {
			return time.Date(2026, 1, rapid.IntRange(1, 400).Draw(t, label), 0, 0, 0, 0, time.UTC)
		}
		line := htmlreport.Timeline{Now: day("now")}
		for range rapid.IntRange(1, 4).Draw(t, "rows") {
			from := day("from")
			line.Rows = append(
				line.Rows,
				htmlreport.Period{
					Label: "p",
					From:  from,
					Until: from.AddDate(0, 0, rapid.IntRange(0, 90).Draw(t, "days")),
					Tone:  htmlreport.Mild,
				},
			)
		}
		page := render(
			t,
			&htmlreport.Page{Title: "T", Sections: []htmlreport.Section{{ID: "s", Title: "S", Blocks: []htmlreport.Block{line}}}},
		)
		for _, m := range regexp.MustCompile(`(?:x|x1)="([0-9.-]+)%"(?: y="3" width="([0-9.]+)%")?`).FindAllStringSubmatch(page, -1) {
			x, err := strconv.ParseFloat(m[1], 64)
			require.NoError(t, err)
			width, _ := strconv.ParseFloat(m[2], 64)
			require.True(t, x >= 0 && x+width <= 100.01, "%s", m[0])
		}
	})
}

func TestMarkdown(t *testing.T) {
	for in, want := range map[string]string{
		"plain - text, 1.5 (x).": "plain - text, 1.5 (x).",
		"# x":                    `\# x`,
		"  + x":                  `\+ x`,
		"12. x":                  `12\. x`,
		"12) x":                  `12\) x`,
		"*x* _y_ `z`":            "\\*x\\* \\_y\\_ \\`z\\`",
		"<b>&amp;":               `\<b\>\&amp;`,
		"[a](b)":                 `\[a\](b)`,
		"a|b":                    `a\|b`,
		"https://x.example":      `https\://x.example`,
		"www.x.example":          `www\.x.example`,
		"a\nb":                   "a\\\nb",
		"a\n    b":               "a\\\nb",
		"a\n- b":                 "a\\\n\\- b",
		"\n\n a \n":              "a",
		`\`:                      `\\`,
	} {
		p := &htmlreport.Page{
			Title: "T",
			Sections: []htmlreport.Section{
				{ID: "s", Title: "S", Blocks: []htmlreport.Block{htmlreport.Paragraph(htmlreport.Plain(in))}},
			},
		}
		require.Equal(t, "# T\n\n## S\n\n"+want+"\n", markdown(t, p), "%q", in)
	}
	p := &htmlreport.Page{
		Title: "T\n# x",
		Facts: htmlreport.Facts{{Label: "a", Value: htmlreport.Plain("b\nc")}},
		Sections: []htmlreport.Section{{ID: "s", Title: "S", Blocks: []htmlreport.Block{
			htmlreport.Table{Columns: []htmlreport.Column{{Title: "a"}, {Title: "n", Numbers: true}},
				Rows: [][]htmlreport.Text{
					{htmlreport.Code("x|y"), htmlreport.Plain("1\n2")},
					{htmlreport.Code("`"), htmlreport.Mark(htmlreport.Bad, "3")},
				},
				Foot: []htmlreport.Text{htmlreport.Plain("All"), htmlreport.Mark(htmlreport.Bad, "3")}},
			htmlreport.Callout{Tone: htmlreport.Bad, Title: "Look", Text: htmlreport.Plain("a\nb")},
			htmlreport.Listing{Caption: "note", Text: "```\nx\n"},
			htmlreport.Bars{
				Caption: "c",
				Rows: []htmlreport.Bar{
					{
						Label: "r",
						Note:  "n",
						Parts: []htmlreport.Part{
							{Label: "failed", Count: 2, Tone: htmlreport.Bad},
							{Label: "passed", Tone: htmlreport.Good},
						},
					},
				},
			},
		}}},
	}
	require.Equal(
		t,
		"# T \\# x\n\n- **a:** b<br>c\n\n## S\n\n| a | n |\n|---|---:|\n| x\\|y | 1<br>2 |\n| `` ` `` | **3** |\n| **All** | **3** |\n\n"+
			"> **Look.** a\\\n> b\n\n**note**\n\n````text\n```\nx\n````\n\n**c**\n\n- r: 2 failed · n\n",
		markdown(t, p),
	)
}

func TestFormsThatAreRefused(t *testing.T) {
	section := func(blocks ...htmlreport.Block) *htmlreport.Page {
		return &htmlreport.Page{Title: "T", Sections: []htmlreport.Section{{ID: "s", Title: "S", Blocks: blocks}}}
	}
	deep := htmlreport.Section{ID: "d", Title: "D"}
	for i := range 3 {
		deep = htmlreport.Section{ID: fmt.Sprint("d", i), Title: "D", Sections: []htmlreport.Section{deep}}
	}
	day := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
	for name, p := range map[string]*htmlreport.Page{
		"no title":            {Title: " "},
		"id of a section":     {Title: "T", Sections: []htmlreport.Section{{ID: "a b", Title: "S"}}},
		"no id":               {Title: "T", Sections: []htmlreport.Section{{Title: "S"}}},
		"id twice":            {Title: "T", Sections: []htmlreport.Section{{ID: "a", Title: "S"}, {ID: "b", Title: "S", Sections: []htmlreport.Section{{ID: "a", Title: "S"}}}}},
		"no title of section": {Title: "T", Sections: []htmlreport.Section{{ID: "a"}}},
		"too deep":            {Title: "T", Sections: []htmlreport.Section{deep}},
		"no block":            section(nil),
		"tone of a mark":      section(htmlreport.Paragraph(htmlreport.Mark("loud", "x"))),
		"tone in a list":      section(htmlreport.List{htmlreport.Mark("loud", "x")}),
		"tone in facts":       section(htmlreport.Facts{{Value: htmlreport.Mark("loud", "x")}}),
		"tone of a callout":   section(htmlreport.Callout{}),
		"no columns":          section(htmlreport.Table{}),
		"a short row":         section(htmlreport.Table{Columns: make([]htmlreport.Column, 2), Rows: [][]htmlreport.Text{{nil}}}),
		"an empty row":        section(htmlreport.Table{Columns: make([]htmlreport.Column, 2), Rows: [][]htmlreport.Text{{}}}),
		"a long foot":         section(htmlreport.Table{Columns: make([]htmlreport.Column, 2), Foot: make([]htmlreport.Text, 3)}),
		"tone in a table":     section(htmlreport.Table{Columns: make([]htmlreport.Column, 1), Foot: []htmlreport.Text{htmlreport.Mark("loud", "x")}}),
		"a count below 0":     section(htmlreport.Bars{Rows: []htmlreport.Bar{{Parts: []htmlreport.Part{{Count: -1, Tone: htmlreport.Bad}}}}}),
		"tone of a part":      section(htmlreport.Bars{Rows: []htmlreport.Bar{{Parts: []htmlreport.Part{{Count: 1}}}}}),
		"no beginning":        section(htmlreport.Timeline{Rows: []htmlreport.Period{{Until: day, Tone: htmlreport.Bad}}}),
		"an end before":       section(htmlreport.Timeline{Rows: []htmlreport.Period{{From: day, Until: day.Add(-1), Tone: htmlreport.Bad}}}),
		"tone of a period":    section(htmlreport.Timeline{Rows: []htmlreport.Period{{From: day, Until: day}}}),
	} {
		var b bytes.Buffer
		require.ErrorIs(t, p.HTML(&b), opsec.ErrInvalid, name)
		require.ErrorIs(t, p.Markdown(&b), opsec.ErrInvalid, name)
		require.Zero(t, b.Len(), name)
	}
	var b bytes.Buffer
	require.NoError(t, section().HTML(&b))
}

type failing struct{ left int }

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

func TestErrorsOfTheWriterAreReturned(t *testing.T) {
	for _, left := range []int{0, 1000} {
		require.ErrorIs(t, full("x").HTML(&failing{left}), io.ErrShortWrite)
		require.ErrorIs(t, full(strings.Repeat("x", 5000)).Markdown(&failing{left}), io.ErrShortWrite)
	}
}
