package document

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/htmlreport"
)

// ActionRead is the action that a [Portal] asks the [opsec.Authorizer] for, of the resource {tenant, "document", name}.
const ActionRead = "document.read"

// Shelf is where the documents of customers are.
type Shelf interface {
	// Document returns a document of a tenant by its name, or an error that wraps [opsec.ErrNotFound].
	Document(ctx context.Context, tenant opsec.TenantID, name string) (*Document, error)
	// Names returns the names of a tenant's documents, in the order in which they are listed.
	Names(ctx context.Context, tenant opsec.TenantID) ([]string, error)
}

// Portal serves documents to those who may read them.
type Portal struct {
	Shelf      Shelf
	Authorizer opsec.Authorizer
	Who        func(*http.Request) (opsec.Actor, error) // who asks; an error is answered with 401
}

// Handler returns a handler of GET and HEAD (put [http.StripPrefix] around it for another place):
//
//	/{tenant}/              a page that lists the documents that the actor may read
//	/{tenant}/{name}.html   a document; also .md and .json
//
// With ?download it is to be saved, not shown. Names are those that [ValidName] takes; every path has one spelling. What does not exist
// and what the actor may not read is the same 404, and a decision that could not be had is a 503. A document has the digest of its bytes
// as ETag and as Repr-Digest (RFC 9530), and whoever keeps it asks again before it is shown (Cache-Control: private, no-cache), so that
// leave that was taken back is. The error wraps [opsec.ErrInvalid] when a part of the portal is not given.
func (p Portal) Handler() (http.Handler, error) {
	if p.Shelf == nil || p.Authorizer == nil || p.Who == nil {
		return nil, invalid("portal: shelf, authorizer, who: one is not given")
	}
	return p, nil
}

// ValidName reports whether a document may have a name: 1 to 128 of the ASCII letters, digits, '.', '_' and '-', from a letter or a digit
// on, without two dots in a row.
func ValidName(name string) bool {
	if name == "" || len(name) > 128 || strings.Contains(name, "..") || strings.ContainsAny(name[:1], "._-") {
		return false
	}
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == ""
}

// kinds are the forms of a document, by the ending of its address.
var kinds = map[string]struct {
	content, policy string
	write           func(*Document, *bytes.Buffer) error
}{
	"html": {"text/html; charset=utf-8", htmlreport.Security() + "; frame-ancestors 'none'", func(d *Document, b *bytes.Buffer) error { return d.HTML(b) }},
	"md":   {"text/markdown; charset=utf-8", nothing, func(d *Document, b *bytes.Buffer) error { return d.Markdown(b) }},
	"json": {"application/json", nothing, func(d *Document, b *bytes.Buffer) error { return d.JSON(b) }},
}

// nothing is the Content-Security-Policy of what is no page.
const nothing = "default-src 'none'; frame-ancestors 'none'; sandbox"

// ServeHTTP implements [http.Handler].
func (p Portal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store") // until there is something to serve
	h.Set("Content-Security-Policy", nothing)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed)
		return
	}
	tenant, file, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if !ok || r.URL.RawPath != "" || opsec.TenantID(tenant).Validate() != nil { // one spelling of each path
		refuse(w, http.StatusNotFound)
		return
	}
	who, err := p.Who(r)
	if err != nil {
		refuse(w, http.StatusUnauthorized)
		return
	}
	if file == "" {
		p.list(w, r, who, opsec.TenantID(tenant))
		return
	}
	dot := strings.LastIndexByte(file, '.')
	if dot < 0 || !ValidName(file[:dot]) {
		refuse(w, http.StatusNotFound)
		return
	}
	p.document(w, r, who, opsec.TenantID(tenant), file[:dot], file[dot+1:])
}

// read returns a document that the actor may read.
func (p Portal) read(ctx context.Context, who opsec.Actor, tenant opsec.TenantID, name string) (*Document, error) {
	if err := p.Authorizer.Authorize(ctx, who, ActionRead, opsec.Resource{Tenant: tenant, Type: "document", ID: name}); err != nil {
		return nil, err
	}
	d, err := p.Shelf.Document(ctx, tenant, name)
	if err == nil && d == nil {
		return nil, fmt.Errorf("document: %w", opsec.ErrNotFound)
	}
	return d, err
}

func (p Portal) document(w http.ResponseWriter, r *http.Request, who opsec.Actor, tenant opsec.TenantID, name, ending string) {
	kind, ok := kinds[ending]
	if !ok {
		refuse(w, http.StatusNotFound)
		return
	}
	d, err := p.read(r.Context(), who, tenant, name)
	var b bytes.Buffer
	if err == nil {
		err = kind.write(d, &b)
	}
	if err != nil {
		refuse(w, status(err))
		return
	}
	disposition := "inline"
	if r.URL.Query().Has("download") {
		disposition = "attachment"
	}
	w.Header().Set("Content-Disposition", disposition+`; filename="`+name+"."+ending+`"`)
	send(w, r, kind.content, kind.policy, b.Bytes())
}

// list shows the documents that the actor may read; where there are none the answer is that of a tenant that does not exist.
func (p Portal) list(w http.ResponseWriter, r *http.Request, who opsec.Actor, tenant opsec.TenantID) {
	names, err := p.Shelf.Names(r.Context(), tenant)
	if err != nil {
		refuse(w, status(err))
		return
	}
	t := htmlreport.Table{Columns: []htmlreport.Column{{Title: "Document"}, {Title: "Read", Short: true}, {Title: "Download", Short: true}, {Title: "Digest"}}}
	for _, name := range names {
		if !ValidName(name) {
			continue
		}
		d, err := p.read(r.Context(), who, tenant, name)
		if err != nil {
			if status(err) == http.StatusNotFound {
				continue
			}
			refuse(w, status(err))
			return
		}
		download := htmlreport.Link("HTML", "./"+name+".html?download")
		for _, k := range [][2]string{{"Markdown", "md"}, {"JSON", "json"}} {
			download = append(download, append(plain(" · "), htmlreport.Link(k[0], "./"+name+"."+k[1]+"?download")...)...)
		}
		t.Rows = append(t.Rows, []htmlreport.Text{plain(d.Title()), htmlreport.Link(name, "./"+name+".html"), download, code(d.Digest())})
	}
	if len(t.Rows) == 0 {
		refuse(w, http.StatusNotFound)
		return
	}
	page := htmlreport.Page{Title: "Security documents of " + string(tenant), Sections: []htmlreport.Section{{ID: "documents", Title: count(len(t.Rows), "document"), Blocks: []htmlreport.Block{t}}}}
	var b bytes.Buffer
	if err := page.HTML(&b); err != nil {
		refuse(w, http.StatusServiceUnavailable)
		return
	}
	send(w, r, kinds["html"].content, kinds["html"].policy, b.Bytes())
}

// status returns what an error is answered with: it does not tell what is not there from what may not be read.
func status(err error) int {
	switch {
	case errors.Is(err, opsec.ErrDenied), errors.Is(err, opsec.ErrNotFound):
		return http.StatusNotFound
	}
	return http.StatusServiceUnavailable
}

// send answers with bytes, or that they are the ones that the client has.
func send(w http.ResponseWriter, r *http.Request, content, policy string, data []byte) {
	sum := sha256.Sum256(data)
	h := w.Header()
	h.Set("Content-Type", content)
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", "private, no-cache")
	h.Set("Etag", `"`+hex.EncodeToString(sum[:])+`"`)
	h.Set("Repr-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(sum[:])+":")
	http.ServeContent(part{w}, r, "", time.Time{}, bytes.NewReader(data))
}

// part takes what is said of a document from an answer that is an error: a range that there is not, a condition that does not hold.
type part struct{ http.ResponseWriter }

func (p part) WriteHeader(status int) {
	if h := p.Header(); status >= http.StatusBadRequest {
		for _, key := range []string{"Etag", "Repr-Digest", "Content-Disposition"} {
			h.Del(key)
		}
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", nothing)
		h.Set("Content-Type", "text/plain; charset=utf-8")
	}
	p.ResponseWriter.WriteHeader(status)
}

func refuse(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintln(w, strings.ToLower(http.StatusText(status)))
}
