package evidence

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cloudopsec/opsec/sla/meter"
)

// Sample is a line of a page of metrics.
type Sample struct {
	Name   string
	Labels map[string]string
	Value  float64
	At     int64 // in milliseconds since 1970; 0: the page does not say
}

// maxLine is how long a line of metrics or of a log may be, in bytes.
const maxLine = 64 << 10

// Exposition reads a page of metrics in the text format of Prometheus, version 0.0.4. The first error, an [*Error] or one of
// r, ends the sequence; a page whose last line does not end was cut, perhaps within a number. A line is at most 64 KiB, the
// page [MaxAnswer].
func Exposition(r io.Reader, name string) iter.Seq2[Sample, error] {
	return func(yield func(Sample, error) bool) {
		for n, line := range lines(io.LimitReader(r, MaxAnswer+1), name) {
			if line.err != nil {
				yield(Sample{}, line.err)
				return
			}
			var s Sample
			var err error
			text := strings.Trim(line.text, " \t\r")
			silent := text == "" || text[0] == '#'
			switch {
			case line.end > MaxAnswer:
				err = fmt.Errorf("more than %d bytes", MaxAnswer)
			case silent:
			case !line.ended:
				err = errors.New("the last line does not end")
			default:
				s, err = sample(text)
			}
			if silent && err == nil {
				continue
			}
			if err != nil {
				yield(Sample{}, &Error{File: name, Line: n, Reason: err.Error()})
				return
			}
			if !yield(s, nil) {
				return
			}
		}
	}
}

// line is one of a text.
type line struct {
	text  string
	end   int  // where it ends, in bytes
	ended bool // with a line feed
	err   error
}

// lines returns the lines of a text, numbered from 1.
func lines(r io.Reader, name string) iter.Seq2[int, line] {
	return func(yield func(int, line) bool) {
		in := bufio.NewReaderSize(r, maxLine+1)
		end := 0
		for n := 1; ; n++ {
			b, err := in.ReadSlice('\n')
			end += len(b)
			switch {
			case err == bufio.ErrBufferFull:
				yield(n, line{err: &Error{File: name, Line: n, Reason: fmt.Sprintf("a line of more than %d bytes", maxLine)}})
				return
			case err == io.EOF && len(b) == 0:
				return
			case err != nil && err != io.EOF:
				yield(n, line{err: fmt.Errorf("evidence: %s: %w", name, err)})
				return
			}
			text, ended := strings.CutSuffix(string(b), "\n")
			if !yield(n, line{text: text, end: end, ended: ended}) {
				return
			}
		}
	}
}

var errSample = errors.New(`want a sample such as name{label="value"} 1.5`)

// sample reads name{label="value",...} value [timestamp].
func sample(text string) (s Sample, err error) {
	if !utf8.ValidString(text) {
		return s, errors.New("is not UTF-8")
	}
	if s.Name, text = word(text, true); s.Name == "" {
		return s, errSample
	}
	text = strings.TrimLeft(text, " \t")
	if strings.HasPrefix(text, "{") {
		if s.Labels, text, err = labels(text[1:]); err != nil {
			return s, err
		}
	}
	fields := strings.Fields(text)
	if len(fields) < 1 || len(fields) > 2 {
		return s, errSample
	}
	if s.Value, err = strconv.ParseFloat(fields[0], 64); err != nil && !errors.Is(err, strconv.ErrRange) {
		return s, errors.New("value: want a number")
	}
	if len(fields) == 2 {
		if s.At, err = strconv.ParseInt(fields[1], 10, 64); err != nil || !moments(s.At) {
			return s, errors.New("timestamp: want milliseconds since 1970, in the years to 9999")
		}
	}
	return s, nil
}

// word cuts a name off, of a metric or of a label, which has no colon.
func word(text string, colon bool) (name, rest string) {
	for i := range len(text) {
		switch c := text[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', c == ':' && colon, i > 0 && c >= '0' && c <= '9':
		default:
			return text[:i], text[i:]
		}
	}
	return text, ""
}

// labels reads label="value",...} and returns what follows.
func labels(text string) (map[string]string, string, error) {
	all := map[string]string{}
	for {
		text = strings.TrimLeft(text, " \t")
		if strings.HasPrefix(text, "}") {
			return all, text[1:], nil
		}
		var name string
		name, text = word(text, false)
		text = strings.TrimLeft(text, " \t")
		if name == "" || !strings.HasPrefix(text, "=") {
			return nil, "", errSample
		}
		text = strings.TrimLeft(text[1:], " \t")
		value, rest, ok := quoted(text)
		if !ok {
			return nil, "", errSample
		}
		if _, twice := all[name]; twice {
			return nil, "", fmt.Errorf("label %.40s is there twice", name)
		}
		all[name] = value
		text = strings.TrimLeft(rest, " \t")
		switch {
		case strings.HasPrefix(text, ","):
			text = text[1:]
		case !strings.HasPrefix(text, "}"):
			return nil, "", errSample
		}
	}
}

// quoted reads a value in quotation marks, in which \\, \" and \n are escaped.
func quoted(text string) (value, rest string, ok bool) {
	if !strings.HasPrefix(text, `"`) {
		return "", "", false
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; c {
		case '"':
			return b.String(), text[i+1:], true
		case '\\':
			i++
			at := -1
			if i < len(text) {
				at = strings.IndexByte(`\"n`, text[i])
			}
			if at < 0 {
				return "", "", false
			}
			b.WriteByte("\\\"\n"[at])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}

// Readings returns what the counters on a page say, for [Counters]: those that count all requests, and those of them that
// failed. A value that is not whole, or above 2^53, is an error.
func Readings(page []Sample, total, bad func(Sample) bool) ([]Reading, error) {
	var list []Reading
	for _, s := range page {
		for _, is := range []bool{false, true} {
			if !is && !total(s) || is && !bad(s) {
				continue
			}
			name := seriesText(s.Name, s.Labels)
			n, ok := exact(s.Value)
			if !ok {
				return nil, invalid("readings: %.200s: value %v: want a count up to 2^53", name, s.Value)
			}
			list = append(list, Reading{Series: name, Bad: is, Value: n})
		}
	}
	return list, nil
}

// Scrape fetches a page of metrics, of at most [MaxResources] samples. The client follows no redirection; nil is one without
// credentials, which waits five minutes.
func Scrape(ctx context.Context, client *http.Client, address string) ([]Sample, error) {
	return scrape(ctx, client, address, func(Sample) bool { return true })
}

// scrape fetches the samples of a page that are to be kept.
func scrape(ctx context.Context, client *http.Client, address string, keep func(Sample) bool) ([]Sample, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, invalid("scrape: url: is not one")
	}
	req.Header.Set("Accept", "text/plain;version=0.0.4")
	if deadline, ok := ctx.Deadline(); ok { // exporters that probe give up before that, and say that it failed
		req.Header.Set("X-Prometheus-Scrape-Timeout-Seconds", strconv.FormatFloat(time.Until(deadline).Seconds(), 'f', 3, 64))
	}
	res, err := direct(client).Do(req)
	if err != nil {
		return nil, fmt.Errorf("evidence: scrape: %w", noAddress(err))
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("evidence: scrape: HTTP status %d", res.StatusCode)
	}
	var page []Sample
	for s, err := range Exposition(res.Body, "scrape") {
		switch {
		case err != nil:
			return nil, err
		case !keep(s):
		case len(page) == MaxResources:
			return nil, invalid("scrape: more than %d samples", MaxResources)
		default:
			page = append(page, s)
		}
	}
	return page, nil
}

// Metric is a [Check] of a gauge on a page of metrics, such as probe_success of the blackbox exporter at
// http://host:9115/probe?module=http_2xx&target=... It is up at 1, down at 0, degraded in between, and otherwise unknown: also
// when the page cannot be read, does not have the gauge once and once only, or gives it a timestamp, which is of another
// moment than the check.
type Metric struct {
	URL    string
	Name   string
	Labels map[string]string // that the sample has, with these values
	Client *http.Client      // see [Scrape]
}

// Validate checks the fields. [NewProber] calls it.
func (m *Metric) Validate() error {
	u, err := url.Parse(m.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return invalid("metric: url: want http or https and a host")
	}
	if name, rest := word(m.Name, true); name == "" || rest != "" {
		return invalid("metric: name: is not one")
	}
	return nil
}

// Check implements [Check].
func (m *Metric) Check(ctx context.Context) (meter.State, error) {
	found, err := scrape(ctx, m.Client, m.URL, func(s Sample) bool { return s.Name == m.Name && holds(s.Labels, m.Labels) })
	if err != nil {
		return meter.Unknown, err
	}
	if len(found) != 1 {
		return meter.Unknown, fmt.Errorf("evidence: metric: %d samples of %s, want one", len(found), m.Name)
	}
	state, ok := stateOf(found[0].Value)
	switch {
	case found[0].At != 0:
		return meter.Unknown, fmt.Errorf("evidence: metric: %s has a timestamp: it is not of now", m.Name)
	case !ok:
		return meter.Unknown, fmt.Errorf("evidence: metric: %s is %v, want 0 to 1", m.Name, found[0].Value)
	case state != meter.Up:
		return state, fmt.Errorf("evidence: metric: %s is %v", m.Name, found[0].Value)
	}
	return state, nil
}

func holds(labels, want map[string]string) bool {
	for k, v := range want {
		if labels[k] != v {
			return false
		}
	}
	return true
}
