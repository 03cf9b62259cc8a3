package browser_test

import (
	_ "embed"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/programme/report"
)

// TestReport shows the report of each audience at each width and in both colour schemes.
func TestReport(t *testing.T) {
	script := axe(t)
	for name, who := range audiences {
		t.Run(name, func(t *testing.T) {
			p := open(t, render(t, spring(t), who))
			for _, width := range []int64{400, 1280} {
				for _, scheme := range []string{"light", "dark"} {
					t.Run(fmt.Sprintf("%d px, %s", width, scheme), func(t *testing.T) {
						p.look(width, scheme, "screen")
						p.picture(fmt.Sprintf("%s-%d-%s", name, width, scheme))
						p.fits(width)
						readable(t, p, scheme)
						ordered(t, p)
						if (width == 400) == (scheme == "dark") { // it takes its time, and looks at colours as readable does
							found, passed := p.violations(script)
							require.Empty(t, found)
							require.Greater(t, passed, 15)
						}
					})
				}
			}
			said, asked := p.heard()
			require.Empty(t, said)
			require.Len(t, asked, 1)
			require.Equal(t, []string{"/report"}, p.requests())
		})
	}
}

//go:embed contrast.js
var contrast string

// readable measures contrast: WCAG 2.2, success criterion 1.4.3, 4.5 to 1, or 3 to 1 for large text.
func readable(t *testing.T, p *tab, scheme string) {
	t.Helper()
	got := eval[struct {
		Texts  int      `json:"texts"`
		Dark   bool     `json:"dark"`
		Poor   []string `json:"poor"`
		Lowest float64  `json:"lowest"`
	}](p, contrast)
	require.Empty(t, got.Poor)
	require.Greater(t, got.Texts, 100)
	require.Equal(t, scheme == "dark", got.Dark)
	t.Logf("%d texts, lowest contrast %.2f", got.Texts, got.Lowest)
}

func ordered(t *testing.T, p *tab) {
	t.Helper()
	last := 0
	for i, level := range eval[[]int](p, `[...document.querySelectorAll("h1,h2,h3,h4,h5,h6")].map(h => +h.tagName[1])`) {
		require.True(t, level <= last+1 && (level > 1) == (i > 0), "heading %d is of level %d after %d", i, level, last)
		last = level
	}
	require.Equal(t, "en", eval[string](p, "document.documentElement.lang"))
	require.Zero(t, eval[int](p, "document.querySelectorAll('th:not([scope])').length"))
}

// A page with a script, an image, styles and frames beside ours: none of them has an effect, or reaches the server, and the
// browser says so of each. So what TestReport hears would be heard.
func TestPolicyStopsWhatIsNotOurs(t *testing.T) {
	tags := []string{
		`<script>document.title = "changed"</script>`,
		`<img src="/image.png" alt=""/>`,
		`<p style="color: red">red</p>`,
		`<style>main p { color: red }</style>`,
		`<link rel="stylesheet" href="/style.css"/>`,
		`<iframe src="/frame" title="frame"></iframe>`,
		`<object data="/object"></object>`,
	}
	html := render(t, spring(t), report.Management)
	p := open(t, strings.Replace(html, "<main>", "<main>"+strings.Join(tags, ""), 1))
	stopped := 0
	require.Eventually(t, func() bool {
		said, _ := p.heard()
		stopped = strings.Count(strings.Join(said, "\n"), "Content Security Policy directive")
		return stopped >= len(tags)
	}, 30*time.Second, 50*time.Millisecond, "reported: %d", stopped)
	require.Equal(t, []string{"/report"}, p.requests())
	require.NotEqual(t, "changed", eval[string](p, "document.title"))
	require.NotEqual(t, "rgb(255, 0, 0)", eval[string](p, "getComputedStyle(document.querySelector('main p')).color"))
}

func TestReportOfLongNamesFitsItsWindow(t *testing.T) {
	src := spring(t)
	long := strings.Repeat("x", 200)
	src.Audit.Plan.Title += long
	src.Audit.Results[1].Item, src.Audit.Results[1].Detail = long, long
	src.Audit.Findings[0].Subject, src.Audit.Findings[0].Condition, src.Audit.Findings[0].Items = long, long, []string{long}
	src.Audit.Actions[0].Text, src.Audit.Actions[0].Owner, src.Audit.Actions[0].ID = long, long, long
	src.Audit.Team[0].Person = long
	for name, who := range audiences {
		t.Run(name, func(t *testing.T) {
			p := open(t, render(t, src, who))
			for _, width := range []int64{400, 1280} {
				p.look(width, "light", "screen")
				require.LessOrEqual(t, eval[int64](p, "document.scrollingElement.scrollWidth"), width)
			}
			p.look(680, "light", "print")
			require.Empty(t, eval[[]string](p, outside), "on paper")
		})
	}
}

func TestReportIsPrinted(t *testing.T) {
	for name, who := range audiences {
		t.Run(name, func(t *testing.T) {
			p := open(t, render(t, spring(t), who))
			sheets := p.paper(chromedp.PaperA4, name)
			all := strings.Join(sheets, "\n")
			require.Greater(t, len(sheets), 2)
			for _, want := range []string{"Summary", "backup of vol-10", "not tested", "Certificates", "ISO/IEC 27001:2022"} {
				require.Contains(t, all, want)
			}
			if who == report.Auditor {
				require.Contains(t, strings.ReplaceAll(all, "\n", ""), "https://pkg.go.dev/", "links are shown")
			}
			p.look(680, "dark", "print")
			require.Empty(t, eval[[]string](p, outside))
			require.Equal(
				t,
				"rgb(255, 255, 255)",
				eval[string](p, "getComputedStyle(document.documentElement).backgroundColor"),
				"paper is white when the screen is dark",
			)
		})
	}
}

// The summary of management is one page, however bad things are.
func TestSummaryIsOnePage(t *testing.T) {
	src := spring(t)
	src.Audit.Stage = programme.Fieldwork // not issued: a callout more
	src.Audit.Waivers = nil               // not covered: another
	src.Audit.Plan.Title = strings.Repeat("A long title of an audit ", 4)
	for i := range 9 {
		src.Audit.Plan.Objectives = append(src.Audit.Plan.Objectives, strings.Repeat(fmt.Sprintf("objective %d ", i), 20))
		src.Audit.Findings = append(src.Audit.Findings, programme.Finding{
			ID: fmt.Sprintf("G-%d", i), Risk: opsec.SeverityCritical, Subject: strings.Repeat("a grave finding ", 20),
		})
		src.Audit.Actions = append(src.Audit.Actions, programme.Action{
			ID: fmt.Sprintf("B-%d", i), Finding: fmt.Sprintf("G-%d", i), Text: strings.Repeat("a late action ", 20),
			Owner: "somebody.with.a.name@provider.example", Due: src.At.AddDate(0, 0, -i-90),
		})
	}
	p := open(t, render(t, src, report.Management))
	for name, size := range map[string]chromedp.PaperSize{"a4": chromedp.PaperA4, "letter": chromedp.PaperLetter} {
		sheets := p.paper(size, "summary-"+name)
		require.Contains(t, sheets[0], "Summary", name)
		require.Contains(t, sheets[0], "B-4", name)
		require.Contains(t, strings.SplitN(strings.TrimSpace(sheets[1]), "\n", 2)[0], "Results", name)
	}
}
