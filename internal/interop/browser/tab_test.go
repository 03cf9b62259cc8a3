package browser_test

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// tool returns the path of a program. Without it the test is skipped, and fails in CI.
func tool(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	lacking(t, fmt.Sprintf("none of %q is installed", names))
	return ""
}

// lacking skips the test, and fails it in CI.
func lacking(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// tab is a page in Chromium, and what it said and asked for.
type tab struct {
	context.Context
	t *testing.T

	mu       sync.Mutex
	said     []string        // console messages, exceptions, and what the browser reports, violations of the policy among them
	asked    []string        // addresses, also those that the policy has stopped
	requests func() []string // paths that the server of open was asked for
}

// visit shows the page at an address in a tab of its own.
func visit(t *testing.T, browser context.Context, address string) *tab {
	t.Helper()
	p := &tab{t: t}
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithListener(p.hear))
	t.Cleanup(cancel)
	p.Context, cancel = context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(p, chromedp.Navigate(address)))
	return p
}

func (p *tab) hear(ev any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch ev := ev.(type) {
	case *runtime.EventConsoleAPICalled:
		p.said = append(p.said, fmt.Sprintf("console: %s", ev.Type))
	case *runtime.EventExceptionThrown:
		p.said = append(p.said, "exception: "+ev.ExceptionDetails.Text)
	case *cdplog.EventEntryAdded:
		p.said = append(p.said, fmt.Sprintf("%s: %s", ev.Entry.Source, ev.Entry.Text))
	case *network.EventRequestWillBeSent:
		p.asked = append(p.asked, ev.Request.URL)
	}
}

// heard returns what the page, and the browser about it, have said so far, and the addresses that were asked for.
func (p *tab) heard() (said, asked []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.said), slices.Clone(p.asked)
}

// eval returns what an expression in the page comes to.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	v, err := chromedp.Run(p, chromedp.Evaluate[T](expression))
	require.NoError(p.t, err)
	return v
}

// look sets the width of the window in CSS pixels, the colour scheme, "light" or "dark", and the medium, "screen" or "print".
func (p *tab) look(width int64, scheme, medium string) {
	p.t.Helper()
	require.NoError(p.t, chromedp.Do(p, chromedp.EmulateViewport(width, 900)))
	require.NoError(p.t, chromedp.Do(p, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Media: medium, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	})))
}

// picture saves what is shown for people to look at, when OPSEC_PICTURES names a folder.
func (p *tab) picture(name string) {
	p.t.Helper()
	dir := os.Getenv("OPSEC_PICTURES")
	if dir == "" {
		return
	}
	b, err := chromedp.Run(p, chromedp.FullScreenshot(100))
	if err != nil { // Chromium paints no page that is very long
		p.t.Log(name, err)
		return
	}
	require.NoError(p.t, os.WriteFile(filepath.Join(dir, name+".png"), b, 0o644))
}

// outside lists the elements that stick out of the window; squeezed those with a text that stands in a column of a few letters.
const (
	outside = `[...document.querySelectorAll("body *")].filter(e => {
	const box = e.getBoundingClientRect()
	return box.width > 1 && (box.right > innerWidth + 1 || box.left < -1)
}).map(e => e.outerHTML.slice(0, 120))`
	squeezed = `[...document.querySelectorAll("caption, th, td, p, dd, dt, li, h1, h2, h3, h4")].filter(e => {
	const box = e.getBoundingClientRect()
	return box.width > 1 && box.width < 40 && e.textContent.trim().length > 10
}).map(e => e.outerHTML.slice(0, 120))`
)

// fits looks whether the page is as wide as the window, and nothing sticks out of it or is as narrow as a letter.
func (p *tab) fits(width int64) {
	p.t.Helper()
	require.Empty(p.t, eval[[]string](p, outside), "sticks out")
	require.LessOrEqual(p.t, eval[int64](p, "document.scrollingElement.scrollWidth"), width, "it scrolls sideways")
	require.Empty(p.t, eval[[]string](p, squeezed), "is as narrow as a letter")
}

// paper prints the page and returns the text of each sheet.
func (p *tab) paper(size chromedp.PaperSize, name string) []string {
	p.t.Helper()
	text := tool(p.t, "pdftotext")
	b, err := chromedp.Run(p, chromedp.PrintToPDF(chromedp.PDFPaper(size)))
	require.NoError(p.t, err)
	dir := p.t.TempDir()
	if keep := os.Getenv("OPSEC_PICTURES"); keep != "" {
		dir = keep
	}
	file := filepath.Join(dir, name+".pdf")
	require.NoError(p.t, os.WriteFile(file, b, 0o644))
	out, err := exec.Command(text, "-layout", file, "-").Output()
	require.NoError(p.t, err)
	return strings.Split(strings.TrimSuffix(string(out), "\f"), "\f")
}
