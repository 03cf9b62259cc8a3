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
	Labels map[string]string
	Points []Point
}

// Point is a sample of a series.
type Point struct {
	At    int64 // in milliseconds since 1970, rounded down
	Value float64
}

// points are samples in JSON, such as [[1772323200.5,"1"]].
type points []Point

// UnmarshalJSON implements [json.Unmarshaler].
func (list *points) UnmarshalJSON(b []byte) error {
	rest := b
	next := func(c byte) bool { // cuts c off
		rest = bytes.TrimLeft(rest, " \t\r\n")
		ok := len(rest) > 0 && rest[0] == c
		if ok {
			rest = rest[1:]
		}
		return ok
	}
	if !next('[') {
		return errPoint
	}
	if next(']') {
		return nil
	}
	for {
		var p Point
		ok := next('[')
		rest = bytes.TrimLeft(rest, " \t\r\n")
		if p.At, rest, ok = seconds(rest, ok); !ok || !next(',') || !next('"') {
			return errPoint
		}
		text, after, found := bytes.Cut(rest, []byte{'"'})
		var err error
		if p.Value, err = strconv.ParseFloat(string(text), 64); !found || err != nil && !errors.Is(err, strconv.ErrRange) {
			return errPoint
		}
		if rest = after; !next(']') {
			return errPoint
		}
		*list = append(*list, p)
		if next(']') {
			return nil
		}
		if !next(',') {
			return errPoint
		}
	}
}

var errPoint = errors.New("want pairs of seconds since 1970, in the years to 9999, and of a number in quotation marks")

// seconds cuts decimal seconds since 1970 off, and returns them as milliseconds, rounded down, without a float in between.
func seconds(b []byte, ok bool) (ms int64, rest []byte, _ bool) {
	digits := func() int64 { // the value of those that are next: more than twelve are none
		n, i := int64(0), 0
		for ; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
			n = n*10 + int64(b[i]-'0')
			ok = ok && i < 12
		}
		ok = ok && i > 0
		b = b[i:]
		return n
	}
	ms = digits() * 1000
	if len(b) > 0 && b[0] == '.' {
		b = b[1:]
		for unit := int64(100); len(b) > 0 && b[0] >= '0' && b[0] <= '9'; unit /= 10 {
			ms += unit * int64(b[0]-'0')
			b = b[1:]
		}
	}
	return ms, b, ok && moments(ms)
}

// ReadMatrix reads the answer of Prometheus' HTTP API to a range query, or to an instant query for a range: the value of
// "data" is a matrix. The API's own errors and warnings are errors, as are an answer that says that it is partial, native
// histograms and samples that are not in order. The error is an [*Error] that names the answer, or one of r. At most
// [MaxAnswer] bytes are read.
func ReadMatrix(r io.Reader, name string) ([]Series, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("evidence: %s: %w", name, err)
	}
	bad := func(form string, args ...any) ([]Series, error) {
		return nil, &Error{File: name, Reason: fmt.Sprintf(form, args...)}
	}
	if len(b) > MaxAnswer {
		return bad("more than %d bytes: ask for less at once", MaxAnswer)
	}
	var answer struct {
		Status, ErrorType, Error string
		Warnings                 json.RawMessage
		IsPartial                bool // of VictoriaMetrics
		Data                     struct {
			ResultType string
			Result     json.RawMessage
		}
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		return bad("is not an answer of Prometheus with a matrix: %v", err)
	}
	warning := elements(answer.Warnings, func(text string) error { return fmt.Errorf("warning: %.400q", text) })
	switch {
	case answer.Status != "success":
		return bad("status %.40q: %.40q: %.400q", answer.Status, answer.ErrorType, answer.Error)
	case warning != nil:
		return bad("%v", warning)
	case answer.IsPartial:
		return bad("is partial")
	case answer.Data.ResultType != "matrix":
		return bad("result type %.40q: want matrix", answer.Data.ResultType)
	case len(answer.Data.Result) == 0 || answer.Data.Result[0] != '[':
		return bad("is not an answer of Prometheus with a matrix: want an array of series")
	}
	list := []Series{}
	err = elements(answer.Data.Result, func(s struct {
		Metric map[string]string
		Values points
	}) error {
		if len(s.Values) == 0 {
			return errors.New("has no values: it may be a native histogram")
		}
		for k, p := range s.Values[1:] {
			if p.At <= s.Values[k].At {
				return errors.New("samples are not in order")
			}
		}
		list = append(list, Series{s.Metric, s.Values})
		return nil
	})
	if err != nil {
		return bad("series %d: %v", len(list), err)
	}
	return list, nil
}

// elements does something with one element of a JSON array after another, until one fails. What is no array has none.
func elements[T any](array json.RawMessage, do func(T) error) error {
	d := json.NewDecoder(bytes.NewReader(array))
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return nil
	}
	for d.More() {
		var one T
		if err := d.Decode(&one); err != nil {
			return err
		}
		if err := do(one); err != nil {
			return err
		}
	}
	return nil
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
