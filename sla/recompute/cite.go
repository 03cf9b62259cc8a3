package recompute

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cloudopsec/opsec/internal/jsondiff"
	"github.com/cloudopsec/opsec/internal/strictjson"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/response"
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

// Read reads a report that [Report.JSON] has written, strictly. The error wraps [opsec.ErrInvalid].
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
	return &r, nil
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

// cite notes the digests of what the report was made from.
func (w *work) cite(context.Context) error {
	span := w.r.Period.Span
	for _, s := range w.r.Services { // the longest window of them all
		for _, o := range s.Objectives {
			span.Start, span.End = min(span.Start, o.Span.Start), max(span.End, o.Span.End)
		}
	}
	span.End = max(span.Start, min(span.End, w.asOf))
	w.r.Evidence = Evidence{States: w.States.Digest(span), Span: span}
	var err error
	incidents := slices.Clone(w.Incidents)
	slices.SortFunc(incidents, func(a, b response.Incident) int { return strings.Compare(a.ID, b.ID) })
	if w.r.Evidence.Incidents, err = digestOf(incidents); err != nil {
		return err
	}
	exclusions := slices.Clone(w.Exclusions)
	slices.SortFunc(exclusions, func(a, b sla.Exclusion) int { return strings.Compare(a.ID, b.ID) })
	if w.r.Evidence.Exclusions, err = digestOf(exclusions); err != nil {
		return err
	}
	points := make([]sourced, 0, len(w.Points))
	for _, source := range slices.Sorted(maps.Keys(w.Points)) {
		own := slices.Clone(w.Points[source])
		slices.SortFunc(own, func(a, b metric.Point) int {
			return cmp.Or(cmp.Compare(a.Taken, b.Taken), cmp.Compare(a.Usable, b.Usable), cmp.Compare(a.Lost, b.Lost))
		})
		points = append(points, sourced{source, own})
	}
	w.r.Evidence.Points, err = digestOf(points)
	return err
}

// sourced is the recovery points of a source.
type sourced struct {
	Source string         `json:"source"`
	Points []metric.Point `json:"points"`
}

// digestOf returns the digest of a list, none of an empty one.
func digestOf[T any](list []T) (string, error) {
	if len(list) == 0 {
		return "", nil
	}
	text, err := json.Marshal(list)
	if err != nil {
		return "", fmt.Errorf("recompute: %w", err)
	}
	return digest(text), nil
}
