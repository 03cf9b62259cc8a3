package browser_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/programme/catalogue"
	"github.com/cloudopsec/opsec/audit/programme/competence"
	"github.com/cloudopsec/opsec/audit/programme/report"
)

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

// open shows a page of HTML in a tab of its own, and notes which paths the page asks for.
func open(t *testing.T, html string) *tab {
	t.Helper()
	var mu sync.Mutex
	var requests []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		requests = append(requests, r.URL.Path)
		mu.Unlock()
		if r.URL.Path != "/report" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, html)
	}))
	t.Cleanup(srv.Close)
	p := visit(t, start(t), srv.URL+"/report")
	p.requests = func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(requests)
	}
	return p
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
