package document_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	markup "html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla/document"
)

// own lets everybody read the documents of its own tenant, but for those that are called secret.
type own struct{ asked []opsec.Resource }

func (a *own) Authorize(_ context.Context, who opsec.Actor, action string, what opsec.Resource) error {
	a.asked = append(a.asked, what)
	switch {
	case who.Account == "broken":
		return errors.New("the policy cannot be read")
	case action != document.ActionRead || what.Type != "document" || who.Tenant != what.Tenant || strings.HasPrefix(what.ID, "secret"):
		return fmt.Errorf("test: %w", opsec.ErrDenied)
	}
	return nil
}

// who takes the tenant from a header, for tests.
func who(r *http.Request) (opsec.Actor, error) {
	name := r.Header.Get("Tenant")
	if name == "" {
		return opsec.Actor{}, errors.New("nobody")
	}
	return opsec.Actor{Tenant: opsec.TenantID(name), Account: r.Header.Get("Account")}, nil
}

func small(t require.TestingT, title string) *document.Document {
	d, err := document.Comparison{Title: title, A: document.Side{Name: "a"}, B: document.Side{Name: "b"}}.Document()
	require.NoError(t, err)
	return d
}

func portal(t require.TestingT) (http.Handler, *own) {
	var shelf document.Memory
	require.NoError(t, shelf.Put("acme", "report-2026-03", small(t, "March of acme")))
	require.NoError(t, shelf.Put("acme", "report-2026-02", small(t, "February of acme")))
	require.NoError(t, shelf.Put("acme", "secret", small(t, "Plans")))
	require.NoError(t, shelf.Put("globex", "report-2026-03", small(t, "March of globex")))
	require.NoError(t, shelf.Put("umbra", "secret", small(t, "Plans")))
	a := &own{}
	h, err := document.Portal{Shelf: &shelf, Authorizer: a, Who: who}.Handler()
	require.NoError(t, err)
	return h, a
}

func get(h http.Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	r.Header.Set("Tenant", "acme")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestPortalServesDocuments(t *testing.T) {
	h, _ := portal(t)
	for ending, content := range map[string]string{"html": "text/html; charset=utf-8", "md": "text/markdown; charset=utf-8", "json": "application/json"} {
		w := get(h, "GET", "/acme/report-2026-03."+ending)
		require.Equal(t, 200, w.Code, ending)
		body := w.Body.Bytes()
		require.Contains(t, string(body), "March of acme")
		sum := sha256.Sum256(body)
		head := w.Header()
		require.Equal(t, content, head.Get("Content-Type"))
		require.Equal(t, `"`+hex.EncodeToString(sum[:])+`"`, head.Get("ETag"))
		require.Equal(t, "sha-256=:"+base64.StdEncoding.EncodeToString(sum[:])+":", head.Get("Repr-Digest"))
		require.Equal(t, "private, no-cache", head.Get("Cache-Control"))
		require.Equal(t, "nosniff", head.Get("X-Content-Type-Options"))
		require.Equal(t, `inline; filename="report-2026-03.`+ending+`"`, head.Get("Content-Disposition"))
		policy := head.Get("Content-Security-Policy")
		require.Contains(t, policy, "default-src 'none'")
		require.Contains(t, policy, "frame-ancestors 'none'")
		if ending == "html" {
			require.Contains(t, markup.UnescapeString(string(body)), `content="`+strings.TrimSuffix(policy, "; frame-ancestors 'none'")+`"`, "the page's own")
		}

		again := get(h, "GET", "/acme/report-2026-03."+ending, "If-None-Match", head.Get("ETag"))
		require.Equal(t, 304, again.Code)
		require.Zero(t, again.Body.Len())
		require.Equal(t, head.Get("ETag"), again.Header().Get("ETag"))
		only := get(h, "HEAD", "/acme/report-2026-03."+ending)
		require.Equal(t, 200, only.Code)
		require.Zero(t, only.Body.Len())
		require.Equal(t, fmt.Sprint(len(body)), only.Header().Get("Content-Length"))
		part := get(h, "GET", "/acme/report-2026-03."+ending, "Range", "bytes=0-9")
		require.Equal(t, 206, part.Code)
		require.Equal(t, body[:10], part.Body.Bytes())
		load := get(h, "GET", "/acme/report-2026-03."+ending+"?download")
		require.Equal(t, `attachment; filename="report-2026-03.`+ending+`"`, load.Header().Get("Content-Disposition"))
	}
}

func TestPortalListsWhatMayBeRead(t *testing.T) {
	h, _ := portal(t)
	w := get(h, "GET", "/acme/")
	require.Equal(t, 200, w.Code)
	page := w.Body.String()
	for _, want := range []string{"2 documents", "March of acme", "February of acme", `href="./report-2026-03.html"`, `href="./report-2026-03.html?download"`, `href="./report-2026-03.md?download"`, `href="./report-2026-03.json?download"`, small(t, "March of acme").Digest()} {
		require.Contains(t, page, want)
	}
	require.NotContains(t, page, "Plans")
	require.NotContains(t, page, "secret")
	require.Equal(t, 304, get(h, "GET", "/acme/", "If-None-Match", w.Header().Get("ETag")).Code)
}

// What is not there and what may not be read is the same, to the byte and the header.
func TestPortalDoesNotTellWhatIsThere(t *testing.T) {
	h, asked := portal(t)
	nothing := get(h, "GET", "/acme/no-such.html")
	require.Equal(t, 404, nothing.Code)
	require.Equal(t, "no-store", nothing.Header().Get("Cache-Control"))
	require.Empty(t, nothing.Header().Get("ETag"))
	for _, target := range []string{
		"/globex/report-2026-03.html", "/globex/no-such.html", "/globex/", "/umbra/", "/nobody/", "/acme/secret.html", "/acme/secret.json", "/acme", "/", "/acme/report-2026-03",
		"/acme/report-2026-03.", "/acme/report-2026-03.exe", "/acme/report-2026-03.html/", "/acme/.html", "/acme/..html", "/acme//report-2026-03.html", "//acme/report-2026-03.html",
		"/acme/../globex/report-2026-03.html", "/acme/..%2fglobex%2freport-2026-03.html", "/acme%2freport-2026-03.html", "/acme/report-2026-03%2ehtml%00", "/acme/a/b.html", "/@provider/report.html", "/a b/x.html",
		"/acme/REPORT-2026-03.html", "/acme/report-2026-03.HTML", "/acme/" + strings.Repeat("a", 200) + ".html", "/acme/%e2%80%ae.html", "/-acme/x.html",
	} {
		u, err := url.ParseRequestURI(strings.ReplaceAll(target, " ", "%20"))
		require.NoError(t, err, target)
		r := httptest.NewRequest("GET", "/", nil)
		r.URL = u
		r.Header.Set("Tenant", "acme")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Equal(t, 404, w.Code, target)
		require.Equal(t, nothing.Body.String(), w.Body.String(), target)
		require.Equal(t, nothing.Header(), w.Header(), target)
	}
	for _, r := range asked.asked {
		require.True(t, document.ValidName(r.ID), r.ID)
		require.NoError(t, r.Tenant.Validate(), "nobody is asked of a tenant that is none")
	}
}

func TestPortalRefuses(t *testing.T) {
	h, asked := portal(t)
	require.Equal(t, 401, get(h, "GET", "/acme/report-2026-03.html", "Tenant", "").Code)
	require.Equal(t, 401, get(h, "GET", "/acme/", "Tenant", "").Code)
	require.Empty(t, asked.asked)
	require.Equal(t, 503, get(h, "GET", "/acme/report-2026-03.html", "Account", "broken").Code)
	require.Equal(t, 503, get(h, "GET", "/acme/", "Account", "broken").Code)
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "PATCH"} {
		w := get(h, method, "/acme/report-2026-03.html")
		require.Equal(t, 405, w.Code, method)
		require.Equal(t, "GET, HEAD", w.Header().Get("Allow"))
	}
	for name, p := range map[string]document.Portal{
		"shelf":      {Authorizer: asked, Who: who},
		"authorizer": {Shelf: &document.Memory{}, Who: who},
		"who":        {Shelf: &document.Memory{}, Authorizer: asked},
	} {
		_, err := p.Handler()
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
	}
}

// bad is a shelf that breaks its contract.
type bad struct {
	err error
	d   *document.Document
}

func (b bad) Document(context.Context, opsec.TenantID, string) (*document.Document, error) {
	return b.d, b.err
}

func (b bad) Names(context.Context, opsec.TenantID) ([]string, error) {
	return []string{"../x", "a", ""}, b.err
}

func TestShelvesThatFail(t *testing.T) {
	for want, err := range map[int]error{404: nil, 503: errors.New("no connection")} {
		h, herr := document.Portal{Shelf: bad{err: err}, Authorizer: opsec.CallerAuthorized{}, Who: who}.Handler()
		require.NoError(t, herr)
		require.Equal(t, want, get(h, "GET", "/acme/a.html").Code)
		require.Equal(t, want, get(h, "GET", "/acme/").Code)
	}
}

func TestNamesThatAreNoneAreNotListed(t *testing.T) {
	h, err := document.Portal{Shelf: bad{d: small(t, "x")}, Authorizer: opsec.CallerAuthorized{}, Who: who}.Handler()
	require.NoError(t, err)
	w := get(h, "GET", "/acme/")
	require.Equal(t, 200, w.Code)
	require.Contains(t, w.Body.String(), "1 document")
	require.NotContains(t, w.Body.String(), "..")
}

func TestMemory(t *testing.T) {
	var m document.Memory
	d := small(t, "x")
	for _, name := range []string{"", "..", "a/b", "a..b", ".a", "-a", "_a", "a b", "é", strings.Repeat("a", 129)} {
		require.ErrorIs(t, m.Put("acme", name, d), opsec.ErrInvalid, name)
		require.False(t, document.ValidName(name))
	}
	require.ErrorIs(t, m.Put("acme", "a", nil), opsec.ErrInvalid)
	require.ErrorIs(t, m.Put("a/b", "a", d), opsec.ErrInvalid)
	require.NoError(t, m.Put("acme", strings.Repeat("a", 128), d))
	_, err := m.Document(t.Context(), "acme", "b")
	require.ErrorIs(t, err, opsec.ErrNotFound)
	m.Remove("acme", strings.Repeat("a", 128))
	m.Remove("nobody", "a")
	names, err := m.Names(t.Context(), "acme")
	require.NoError(t, err)
	require.Empty(t, names)

	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			name := fmt.Sprint("d", i)
			require.NoError(t, m.Put("acme", name, d))
			got, err := m.Document(t.Context(), "acme", name)
			require.NoError(t, err)
			require.NotEmpty(t, html(t, got))
		})
	}
	all.Wait()
	names, err = m.Names(t.Context(), "acme")
	require.NoError(t, err)
	require.Equal(t, []string{"d0", "d1", "d2", "d3", "d4", "d5", "d6", "d7"}, names)
}

// Whatever path is asked for, nobody gets a document that the authorizer was not asked for, and none of another tenant.
func FuzzPortal(f *testing.F) {
	for _, path := range []string{"/acme/report-2026-03.html", "/globex/report-2026-03.md", "/acme/../globex/report-2026-03.json", "//", "/acme/", "/acme/%2e%2e/x.html", "/acme/secret.html"} {
		f.Add(path)
	}
	h, _ := portal(f)
	f.Fuzz(func(t *testing.T, path string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL = &url.URL{Path: path}
		r.Header.Set("Tenant", "acme")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		body := w.Body.String()
		if strings.Contains(body, "globex") || strings.Contains(body, "Plans") {
			t.Fatalf("%q: %s", path, body)
		}
		if w.Code == 200 && !strings.HasPrefix(path, "/acme/") && !strings.HasPrefix(path, "acme/") || w.Code != 200 && w.Code != 404 {
			t.Fatalf("%q: %d", path, w.Code)
		}
	})
}

// What a client asks for beside the whole of a document.
func TestPortalAnswersConditionsAndRanges(t *testing.T) {
	h, _ := portal(t)
	const target = "/acme/report-2026-03.html"
	whole := get(h, "GET", target)
	tag := whole.Header().Get("ETag")
	for name, x := range map[string]struct {
		header []string
		want   int
	}{
		"one of several":           {[]string{"If-None-Match", `"x", W/` + tag}, 304},
		"any":                      {[]string{"If-None-Match", "*"}, 304},
		"another":                  {[]string{"If-None-Match", `"x"`}, 200},
		"not quoted":               {[]string{"If-None-Match", strings.Trim(tag, `"`)}, 200},
		"if it is this":            {[]string{"If-Match", tag}, 200},
		"if it is another":         {[]string{"If-Match", `"x"`}, 412},
		"the rest of this":         {[]string{"If-Range", tag, "Range", "bytes=10-"}, 206},
		"the rest of another":      {[]string{"If-Range", `"x"`, "Range", "bytes=10-"}, 200},
		"the end":                  {[]string{"Range", "bytes=-5"}, 206},
		"two parts":                {[]string{"Range", "bytes=0-1,5-6"}, 206},
		"beyond the end":           {[]string{"Range", "bytes=99999999-"}, 416},
		"no range":                 {[]string{"Range", "bytes=x"}, 416},
		"a hundred times all":      {[]string{"Range", "bytes=" + strings.Repeat("0-,", 99) + "0-"}, 200},
		"if it changed since 2026": {[]string{"If-Modified-Since", "Thu, 01 Jan 2026 00:00:00 GMT"}, 200},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			w := get(h, method, target, x.header...)
			require.Equal(t, x.want, w.Code, "%s: %s", method, name)
			head := w.Header()
			for key, want := range whole.Header() {
				switch {
				case key == "Accept-Ranges", strings.HasPrefix(key, "Content-L"), strings.HasPrefix(key, "Content-T") && w.Code != 200:
				case w.Code >= 400 && (key == "Etag" || key == "Repr-Digest" || key == "Content-Disposition"):
					require.Empty(t, head[key], "%s: %s of an error", name, key)
				case w.Code >= 400 && key == "Cache-Control":
					require.Equal(t, "no-store", head.Get(key), name)
				case key == "Content-Security-Policy" && w.Code >= 400:
					require.Contains(t, head.Get(key), "default-src 'none'")
				default:
					require.Equal(t, want, head[key], "%s: %s", name, key)
				}
			}
			if w.Code == 304 || method == "HEAD" && w.Code < 400 { // a server sends no body of an error to HEAD either
				require.Zero(t, w.Body.Len(), name)
			}
		}
	}
	for _, target := range []string{"/acme/secret.html", "/acme/no-such.html", "/globex/"} {
		for _, header := range []string{"If-None-Match", "If-Match", "Range"} {
			w := get(h, "GET", target, header, "*")
			require.Equal(t, 404, w.Code, "what may not be read is not compared")
			require.Equal(t, "not found\n", w.Body.String())
		}
	}
	list := get(h, "HEAD", "/acme/")
	require.Equal(t, 200, list.Code)
	require.Equal(t, fmt.Sprint(get(h, "GET", "/acme/").Body.Len()), list.Header().Get("Content-Length"))
	require.Empty(t, list.Header().Get("Content-Disposition"))
}

// Leave that was taken back is, for those who keep a document as well.
func TestPortalAsksEachTime(t *testing.T) {
	h, asked := portal(t)
	tag := get(h, "GET", "/acme/report-2026-03.html").Header().Get("ETag")
	n := len(asked.asked)
	require.Equal(t, 304, get(h, "GET", "/acme/report-2026-03.html", "If-None-Match", tag).Code)
	require.Equal(t, []opsec.Resource{{Tenant: "acme", Type: "document", ID: "report-2026-03"}}, asked.asked[n:])
	require.Equal(t, 404, get(h, "GET", "/acme/report-2026-03.html", "If-None-Match", tag, "Tenant", "globex").Code)
	require.Equal(t, 404, get(h, "HEAD", "/acme/report-2026-03.html", "Tenant", "globex").Code)
}
