package document

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/htmlreport"
)

// Document is something to read, in three forms that say the same. It does not change, and may be used by many goroutines.
type Document struct {
	digest string
	page   *htmlreport.Page
	json   []byte
}

// newDocument tries whether the page can be written, so that nothing fails later.
func newDocument(digest string, page *htmlreport.Page, text []byte) (*Document, error) {
	d := &Document{digest: digest, page: page, json: text}
	if err := page.Markdown(io.Discard); err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	return d, nil
}

// Title returns what stands at the top.
func (d *Document) Title() string { return d.page.Title }

// Digest returns the digest of what the document shows, that others cite: of an agreement [sla.Agreement.Digest], of the
// report itself [recompute.Report.Digest], for customers as well; of a comparison, of its JSON.
func (d *Document) Digest() string { return d.digest }

// HTML writes one file that has no script and asks for nothing, for screens from 400 px on and for paper.
func (d *Document) HTML(w io.Writer) error { return d.page.HTML(w) }

// Markdown writes GitHub Flavored Markdown.
func (d *Document) Markdown(w io.Writer) error { return d.page.Markdown(w) }

// JSON writes the data: of an agreement what [sla.Parse] or [sla.ParseSealed] reads, of a report for the provider what
// [recompute.Read] reads, of one for a customer a [View], of a comparison a [Comparison].
func (d *Document) JSON(w io.Writer) error {
	_, err := w.Write(d.json)
	return err
}

// encode returns a value as indented JSON.
func encode(v any) ([]byte, error) {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	return append(text, '\n'), nil
}

func digestOf(text []byte) string {
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("document: %s: %w", fmt.Sprintf(format, args...), opsec.ErrInvalid)
}
