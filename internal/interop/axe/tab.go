package axe

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

// Tool returns the path of a program. Without it the test is skipped, and fails in CI.
func Tool(t *testing.T, names ...string) string {
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

// Browser starts Chromium for a test, until it ends.
func Browser(t *testing.T) context.Context {
	t.Helper()
	path := Tool(t, "chromium", "chromium-browser", "google-chrome")
	// The sandbox does not start as root, which CI is; the pages are our own.
	alloc, cancelAlloc := chromedp.NewExecAllocator(context.Background(), chromedp.ExecPath(path), chromedp.Headless,
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("hide-scrollbars", true))
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancelAlloc)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(ctx))
	return ctx
}

// Tab is a page in Chromium, and what it said and asked for.
type Tab struct {
	context.Context
	t *testing.T

	mu    sync.Mutex
	said  []string // console messages, exceptions, and what the browser reports, violations of the policy among them
	asked []string // addresses, also those that the policy has stopped
}

// Open shows the page at an address in a tab of its own.
func Open(t *testing.T, browser context.Context, address string) *Tab {
	t.Helper()
	p := &Tab{t: t}
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithListener(p.hear))
	t.Cleanup(cancel)
	p.Context, cancel = context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(p, chromedp.Navigate(address)))
	return p
}

func (p *Tab) hear(ev any) {
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

// Heard returns what the page, and the browser about it, have said so far, and the addresses that were asked for.
func (p *Tab) Heard() (said, asked []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.said), slices.Clone(p.asked)
}

// Eval returns what an expression in the page comes to.
func Eval[T any](p *Tab, expression string) T {
	p.t.Helper()
	v, err := chromedp.Run(p, chromedp.Evaluate[T](expression))
	require.NoError(p.t, err)
	return v
}

// Look sets the width of the window in CSS pixels, the colour scheme, "light" or "dark", and the medium, "screen" or "print".
func (p *Tab) Look(width int64, scheme, medium string) {
	p.t.Helper()
	require.NoError(p.t, chromedp.Do(p, chromedp.EmulateViewport(width, 900)))
	require.NoError(p.t, chromedp.Do(p, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Media: medium, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	})))
}

// Picture saves what is shown for people to look at, when OPSEC_PICTURES names a folder.
func (p *Tab) Picture(name string) {
	p.t.Helper()
	dir := os.Getenv("OPSEC_PICTURES")
	if dir == "" {
		return
	}
	b, err := chromedp.Run(p, chromedp.FullScreenshot(100))
	require.NoError(p.t, err)
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

// Fits looks whether the page is as wide as the window, and nothing sticks out of it or is as narrow as a letter.
func (p *Tab) Fits(width int64) {
	p.t.Helper()
	require.LessOrEqual(p.t, Eval[int64](p, "document.scrollingElement.scrollWidth"), width, "it scrolls sideways")
	require.Empty(p.t, Eval[[]string](p, outside), "sticks out")
	require.Empty(p.t, Eval[[]string](p, squeezed), "is as narrow as a letter")
}

// Paper prints the page on A4 and returns the text of each sheet.
func (p *Tab) Paper(name string) []string {
	p.t.Helper()
	text := Tool(p.t, "pdftotext")
	b, err := chromedp.Run(p, chromedp.PrintToPDF(chromedp.PDFPaper(chromedp.PaperA4)))
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
