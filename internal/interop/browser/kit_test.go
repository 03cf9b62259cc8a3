package browser_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
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

	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/programme/catalogue"
	"github.com/cloudopsec/opsec/audit/programme/competence"
	"github.com/cloudopsec/opsec/audit/programme/report"
)

// tool returns the path of a program. Without it the test is skipped, and fails in CI.
func tool(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("none of %q is installed", names)
	}
	t.Skipf("none of %q is installed", names)
	return ""
}

// tab is a page in Chromium, and what it said and asked for.
type tab struct {
	context.Context

	mu       sync.Mutex
	said     []string // console messages, exceptions, and what the browser reports, violations of the policy among them
	asked    []string // addresses, ours and those that the policy has stopped
	requests []string // paths that the server was asked for
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

func (p *tab) heard() (said, asked, requests []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.said), slices.Clone(p.asked), slices.Clone(p.requests)
}

// browser is one Chromium for all tests; each page has a tab of its own.
var browser struct {
	sync.Once
	context.Context
	stop []func()
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, stop := range slices.Backward(browser.stop) {
		stop()
	}
	os.Exit(code)
}

func start(t *testing.T) context.Context {
	t.Helper()
	path := tool(t, "chromium", "chromium-browser", "google-chrome")
	browser.Do(func() {
		dir, err := os.MkdirTemp("", "chromium")
		if browser.err = err; err != nil {
			return
		}
		// The sandbox does not start as root, which CI is; the pages are our own.
		alloc, cancelAlloc := chromedp.NewExecAllocator(context.Background(), chromedp.ExecPath(path), chromedp.Headless,
			chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.UserDataDir(dir),
			chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("hide-scrollbars", true))
		ctx, cancel := chromedp.NewContext(alloc)
		browser.Context = ctx
		browser.stop = []func(){func() { os.RemoveAll(dir) }, cancelAlloc, cancel}
		browser.err = chromedp.Do(ctx)
	})
	require.NoError(t, browser.err)
	return browser.Context
}

// open shows a page of HTML in a tab of its own.
func open(t *testing.T, html string) *tab {
	t.Helper()
	parent := start(t)
	p := &tab{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.requests = append(p.requests, r.URL.Path)
		p.mu.Unlock()
		if r.URL.Path != "/report" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, html)
	}))
	t.Cleanup(srv.Close)
	ctx, cancel := chromedp.NewContext(parent, chromedp.WithListener(p.hear))
	t.Cleanup(cancel)
	p.Context, cancel = context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(p, chromedp.Navigate(srv.URL+"/report")))
	return p
}

// eval returns what an expression in the page comes to.
func eval[T any](t *testing.T, p *tab, expression string) T {
	t.Helper()
	v, err := chromedp.Run(p, chromedp.Evaluate[T](expression))
	require.NoError(t, err)
	return v
}

// look sets the width of the window in CSS pixels, the colour scheme, and the medium: "screen" or "print".
func look(t *testing.T, p *tab, width int64, scheme, medium string) {
	t.Helper()
	require.NoError(t, chromedp.Do(p, chromedp.EmulateViewport(width, 900)))
	require.NoError(t, chromedp.Do(p, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Media: medium, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	})))
}

// spring is the audit that the report's own tests have.
func spring(t *testing.T) report.Source {
	t.Helper()
	b, err := os.ReadFile("../../../audit/programme/report/testdata/audit.json")
	require.NoError(t, err)
	var file struct {
		Audit        programme.Audit          `json:"audit"`
		Certificates []competence.Certificate `json:"certificates"`
		Warnings     []competence.Warning     `json:"warnings"`
		At           time.Time                `json:"at"`
	}
	require.NoError(t, json.Unmarshal(b, &file))
	return report.Source{
		Audit: file.Audit, Catalogue: catalogue.X1642(), Certificates: file.Certificates, Warnings: file.Warnings, At: file.At,
	}
}

var audiences = map[string]report.Audience{
	"management": report.Management, "auditor": report.Auditor, "customer": report.Tenant("acme"),
}

func render(t *testing.T, src report.Source, who report.Audience) string {
	t.Helper()
	d, err := report.View(src, who)
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, report.HTML(&b, d))
	return b.String()
}

// The release of axe-core that pages are examined by: a file of its package, and the digest that npm publishes of that.
const (
	axePackage   = "axe-core@4.14.1"
	axeIntegrity = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
)

// axe returns the script, fetched once by npm.
func axe(t *testing.T) string {
	t.Helper()
	npm := tool(t, "npm")
	dir := t.TempDir()
	cmd := exec.Command(npm, "pack", "--silent", "--pack-destination", dir, axePackage)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	packed, err := filepath.Glob(filepath.Join(dir, "axe-core-*.tgz"))
	require.NoError(t, err)
	require.Len(t, packed, 1)
	b, err := os.ReadFile(packed[0])
	require.NoError(t, err)
	sum := sha512.Sum512(b)
	require.Equal(t, axeIntegrity, base64.StdEncoding.EncodeToString(sum[:]))
	z, err := gzip.NewReader(bytes.NewReader(b))
	require.NoError(t, err)
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		require.NoError(t, err, "no axe.min.js in the package")
		if strings.HasSuffix(h.Name, "/axe.min.js") {
			script, err := io.ReadAll(r)
			require.NoError(t, err)
			return string(script)
		}
	}
}
