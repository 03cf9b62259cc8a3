package recompute

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/cloudopsec/opsec/internal/jsondiff"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// JSON returns the report as text: indented, with the fields in the order of the type.
func (r *Report) JSON() ([]byte, error) {
	text, err := r.compact()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		return nil, fmt.Errorf("recompute: report: %w", err)
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

func (r *Report) compact() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return nil, fmt.Errorf("recompute: report: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// maxReport is how long a report may be that is read.
const maxReport = 64 << 20 // bytes

// Read reads a report that [Report.JSON] has written, strictly: but for white space and the order of fields it is the same text, so that no
// reader finds another report in it. The error wraps [opsec.ErrInvalid].
func Read(text []byte) (*Report, error) {
	if len(text) > maxReport {
		return nil, invalid("report: more than %d bytes", maxReport)
	}
	var r Report
	if err := strictjson.Decode(text, &r); err != nil {
		return nil, invalid("report: %v", err)
	}
	if r.Schema != ReportSchema {
		return nil, invalid("report: schema is %.40q, want %q", r.Schema, ReportSchema)
	}
	own, err := r.compact()
	if err != nil {
		return nil, err
	}
	var given bytes.Buffer
	if err := json.Compact(&given, text); err == nil && bytes.Equal(given.Bytes(), own) {
		return &r, nil
	}
	if found, err := jsondiff.Texts(text, own); err != nil || len(found) > 0 || tokens(text) != tokens(own) { // in another order?
		return nil, invalid("report: a field is there twice, or it or its value has another form than that in which it is written")
	}
	return &r, nil
}

// readable returns an error if the report, written and read, would be another.
func (r *Report) readable() error {
	text, err := r.compact()
	if err != nil {
		return invalid("the report cannot be written; has a time no year of the calendar? %v", err)
	}
	again, err := Read(text)
	if err != nil {
		return err
	}
	if own, err := again.compact(); err != nil || !bytes.Equal(own, text) {
		return invalid("the report cannot be read again as it is; is a text not UTF-8?")
	}
	return nil
}

func tokens(text []byte) (n int) {
	for d := json.NewDecoder(bytes.NewReader(text)); ; n++ {
		if _, err := d.Token(); err != nil {
			return n
		}
	}
}

// Digest returns the digest of a report: "sha256:" and the SHA-256 of its JSON without white space, in hexadecimal digits.
func (r *Report) Digest() (string, error) {
	text, err := r.compact()
	if err != nil {
		return "", err
	}
	return digest(text), nil
}

func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Difference is a place at which two reports differ.
type Difference struct {
	Path string `json:"path"` // such as "services[0].objectives[0].figure.verdict"
	A    string `json:"a"`    // as JSON; empty where it is not there
	B    string `json:"b"`
}

// Diff returns where two reports differ, none when they are the same: what one party's recomputation has that the other's lacks.
// Their digests are equal exactly when there is none.
func Diff(a, b *Report) ([]Difference, error) {
	one, err := a.compact()
	if err != nil {
		return nil, err
	}
	other, err := b.compact()
	if err != nil {
		return nil, err
	}
	found, err := jsondiff.Texts(one, other)
	if err != nil {
		return nil, fmt.Errorf("recompute: %w", err)
	}
	var list []Difference
	for _, d := range found {
		list = append(list, Difference{d.Path, value(d.A), value(d.B)})
	}
	return list, nil
}

func value(v any) string {
	if v == nil {
		return ""
	}
	text, _ := json.Marshal(v) // it was JSON before
	return string(text)
}
