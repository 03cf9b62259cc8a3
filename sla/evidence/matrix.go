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
		return bad("more than %d bytes: ask for less at once", MaxAnswer)
	}
	var answer struct {
		Status, ErrorType, Error string
		Warnings                 []string
		Data                     struct {
			ResultType string
			Result     []struct {
				Metric map[string]string
				Values points
			}
		}
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		return bad("is not an answer of Prometheus with a matrix: %v", err)
	}
	switch {
	case answer.Status != "success":
		return bad("status %.40q: %.40q: %.400q", answer.Status, answer.ErrorType, answer.Error)
	case len(answer.Warnings) > 0:
		return bad("warning: %.400q", answer.Warnings[0])
	case answer.Data.ResultType != "matrix" || answer.Data.Result == nil:
		return bad("result type %.40q: want matrix", answer.Data.ResultType)
	}
	list := make([]Series, 0, len(answer.Data.Result))
	for i, s := range answer.Data.Result {
		if len(s.Values) == 0 {
			return bad("series %d: has no values: it may be a native histogram", i)
		}
		for k, p := range s.Values[1:] {
			if p.At <= s.Values[k].At {
				return bad("series %d: samples are not in order", i)
			}
		}
		list = append(list, Series{s.Metric, s.Values})
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
