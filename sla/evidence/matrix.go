package evidence

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// MaxAnswer is how long an answer of Prometheus, or a page of metrics, may be, in bytes.
const MaxAnswer = 64 << 20

// Series is what Prometheus has of one series: its labels, the name under "__name__", and its samples in order of their time.
type Series struct {
	Labels map[string]string `json:"metric"`
	Points []Point           `json:"values"`
}

// Point is a sample of a series.
type Point struct {
	At    int64 // in milliseconds since 1970
	Value float64
}

// UnmarshalJSON reads a pair such as [1772323200.5,"1"].
func (p *Point) UnmarshalJSON(b []byte) error {
	at, value, ok := bytes.Cut(b, []byte{','})
	at, value = bytes.TrimSpace(bytes.TrimPrefix(at, []byte{'['})), bytes.TrimSpace(bytes.TrimSuffix(value, []byte{']'}))
	var err error
	if p.At, err = seconds(string(at)); err != nil {
		return err
	}
	if !ok || len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' {
		return errPoint
	}
	if p.Value, err = strconv.ParseFloat(string(value[1:len(value)-1]), 64); err != nil && !errors.Is(err, strconv.ErrRange) {
		return errPoint
	}
	return nil
}

var errPoint = errors.New("want a pair of seconds and a number in quotation marks")

// seconds reads decimal seconds since 1970 as milliseconds, rounded down, without a float in between.
func seconds(text string) (int64, error) {
	whole, part, _ := strings.Cut(text, ".")
	n, err := strconv.ParseUint(whole, 10, 40)
	part += "000"
	ms, err2 := strconv.ParseUint(part[:3], 10, 16)
	if err != nil || err2 != nil || strings.Trim(part, "0123456789") != "" || !moments(int64(n*1000+ms)) {
		return 0, fmt.Errorf("%.40q: want seconds since 1970, in the years to 9999", text)
	}
	return int64(n*1000 + ms), nil
}

// ReadMatrix reads the answer of Prometheus' HTTP API to a range query, or to an instant query for a range: the value of
// "data" is a matrix. The API's own errors and warnings are errors, as are native histograms and samples that are not in order.
// The error is an [*Error] that names the answer, or one of r. At most [MaxAnswer] bytes are read.
func ReadMatrix(r io.Reader, name string) ([]Series, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("evidence: %s: %w", name, err)
	}
	bad := func(form string, args ...any) ([]Series, error) {
		return nil, &Error{File: name, Reason: fmt.Sprintf(form, args...)}
	}
	if len(b) > MaxAnswer {
		return bad("more than %d bytes", MaxAnswer)
	}
	var answer struct {
		Status, ErrorType, Error string
		Warnings                 []string
		Data                     struct {
			ResultType string
			Result     json.RawMessage
		}
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		return bad("is not an answer of Prometheus: %v", err)
	}
	switch {
	case answer.Status != "success":
		return bad("status %.40q: %.40q: %.400q", answer.Status, answer.ErrorType, answer.Error)
	case len(answer.Warnings) > 0:
		return bad("warning: %.400q", answer.Warnings[0])
	case answer.Data.ResultType != "matrix":
		return bad("result type %.40q: want matrix", answer.Data.ResultType)
	}
	var list []Series
	if err := json.Unmarshal(answer.Data.Result, &list); err != nil {
		return bad("result: %v", err)
	}
	for i, s := range list {
		if len(s.Points) == 0 {
			return bad("series %d: has no values: it may be a native histogram", i)
		}
		for k, p := range s.Points[1:] {
			if p.At <= s.Points[k].At {
				return bad("series %d: samples are not in order", i)
			}
		}
	}
	return list, nil
}

// label returns the value of a label of a series, or says that it has none.
func (s Series) label(name string) (string, error) {
	if v := s.Labels[name]; v != "" {
		return v, nil
	}
	return "", invalid("prometheus: series %s has no label %q", s.text(), name)
}

// text writes labels as Prometheus does, in order.
func (s Series) text() string { return seriesText(s.Labels["__name__"], s.Labels) }

func seriesText(name string, labels map[string]string) string {
	var pairs []string
	for k, v := range labels {
		if k != "__name__" {
			pairs = append(pairs, k+"="+strconv.Quote(v))
		}
	}
	slices.Sort(pairs)
	return name + "{" + strings.Join(pairs, ",") + "}"
}

// exact returns a count that a float holds.
func exact(v float64) (uint64, bool) {
	return uint64(max(min(v, 1<<53), 0)), v >= 0 && v <= 1<<53 && v == math.Trunc(v)
}
