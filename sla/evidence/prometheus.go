package evidence

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cloudopsec/opsec/sla/meter"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// Prometheus asks a server for what it has seen.
//
// It asks for samples as they were scraped: queries are selectors, such as up{job="api"}, and the answer holds the moments of
// the scrapes. So nothing is interpolated, and what was not scraped is unknown, not what it was five minutes ago.
//
// A period may be asked for in parts that meet: together they hold what the whole holds, with states cut where they meet. Ask
// for what ended at least Gap ago; for the same period the same evidence comes each time.
type Prometheus struct {
	URL      string        // of the server, such as "http://prometheus:9090"
	Source   string        // of the evidence; that of states has a slash and the series behind it
	Resource string        // the label whose value names the resource, such as "instance"
	Gap      time.Duration // how long a sample holds at most: twice the scrape interval forgives one scrape
	Join     time.Duration // of states; see [Track]
	FromZero bool          // of requests; see [Counters]
	// Step makes queries any expressions, such as recorded rules, which are evaluated at the multiples of Step since 1970. Each
	// value is what Prometheus makes of it: of a selector it is the last sample of the five minutes before. 0: they are
	// selectors.
	Step  time.Duration
	Chunk time.Duration // how much to ask for at once; 0 is 6 hours
	// Client asks, and follows no redirection. Nil is one without credentials, which waits five minutes for an answer; one of
	// yours ends with its own time-out or the context.
	Client *http.Client
}

// Validate checks the fields.
func (p *Prometheus) Validate() error {
	u, err := url.Parse(p.URL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.ContainsAny(p.URL, "?#"):
		return invalid("prometheus: url: want http or https, a host, and no query")
	case p.Resource == "":
		return invalid("prometheus: resource: want the name of a label")
	case p.Step < 0 || p.Step%time.Millisecond != 0 || p.Step > maxGap:
		return invalid("prometheus: step: want whole milliseconds, up to 366 days")
	case p.Chunk < 0 || p.Chunk > maxGap || p.Chunk > 0 && p.Chunk < max(p.Step, time.Second):
		return invalid("prometheus: chunk: want 1 s or a step to 366 days")
	}
	return (&Track{Source: p.Source, Gap: p.Gap, Join: p.Join}).Validate()
}

// States returns the states of resources in a period by a query such as up or probe_success: 1 is up, 0 is down, what is
// between is degraded, NaN is unknown, and another value is an error. Each series is a source of its own: where two of one
// resource differ, the worse holds. The first error ends the sequence.
func (p *Prometheus) States(ctx context.Context, query string, period timeline.Span) iter.Seq2[meter.Evidence, error] {
	return func(yield func(meter.Evidence, error) bool) {
		track := &Track{Source: p.Source, Gap: p.Gap, Join: p.Join}
		give := func(e meter.Evidence) bool {
			e.Span.Start, e.Span.End = max(e.Span.Start, period.Start), min(e.Span.End, period.End)
			e.Seq = uint64(e.Span.Start)
			return e.Span.Start >= e.Span.End || yield(e, nil)
		}
		for list, err := range p.chunks(ctx, []string{query}, period) {
			if err != nil {
				yield(meter.Evidence{}, err)
				return
			}
			for _, s := range list[0] {
				resource, err := s.label(p.Resource)
				of := series{p.source(s), resource}
				var e meter.Evidence
				var ok bool
				for i := 0; i < len(s.Points) && err == nil; i++ {
					if e, ok, err = p.state(track, s, of, s.Points[i]); ok && !give(e) {
						return
					}
				}
				if err != nil {
					yield(meter.Evidence{}, err)
					return
				}
			}
		}
		for _, e := range track.End(period.End) {
			if !give(e) {
				return
			}
		}
	}
}

func (p *Prometheus) state(track *Track, s Series, of series, at Point) (meter.Evidence, bool, error) {
	state, ok := stateOf(at.Value)
	if !ok {
		return meter.Evidence{}, false, invalid("prometheus: series %s: value %v: want 0 to 1", s.text(), at.Value)
	}
	return track.add(of, at.At, state)
}

// stateOf is the state that a gauge such as up or probe_success tells.
func stateOf(v float64) (s meter.State, ok bool) {
	switch {
	case v == 1:
		return meter.Up, true
	case v == 0:
		return meter.Down, true
	case v > 0 && v < 1:
		return meter.Degraded, true
	}
	return meter.Unknown, math.IsNaN(v)
}

// source names the series of a resource: what it is called but for the resource, such as prom/up{job="api"}.
func (p *Prometheus) source(s Series) string {
	labels := maps.Clone(s.Labels)
	delete(labels, p.Resource)
	return sourceOf(p.Source, seriesText(s.Labels["__name__"], labels))
}

// sourceOf names a series of a source.
func sourceOf(source, series string) string {
	name := source + "/" + series
	if checkName(name) != nil {
		sum := sha256.Sum256([]byte(name))
		name = source + "/" + hex.EncodeToString(sum[:])
	}
	return name
}

// Requests returns the requests of resources in a period by counters of all and of those that failed, such as
// http_requests_total and http_requests_total{code=~"5.."}; see [Counters], which has a series for each of theirs, and whose
// readings are what both queries find at one moment. So both come from the same scrapes, or by [Prometheus.Step]. A count
// that is not whole, or above 2^53, is an error. The first error ends the sequence.
//
// Where bad finds nothing, nothing is known unless FromZero says that none failed; then see that bad is what you mean.
func (p *Prometheus) Requests(ctx context.Context, total, bad string, period timeline.Span) iter.Seq2[meter.Evidence, error] {
	return func(yield func(meter.Evidence, error) bool) {
		counters := &Counters{Source: p.Source, Gap: p.Gap, FromZero: p.FromZero}
		// Failures first: of what comes meanwhile all is known, and is left out, instead of failures alone.
		for list, err := range p.chunks(ctx, []string{bad, total}, period) {
			var all []reading
			if err == nil {
				all, err = p.readings(list)
			}
			for err == nil && len(all) > 0 {
				n := 1
				for n < len(all) && all[n].resource == all[0].resource && all[n].at == all[0].at {
					n++
				}
				now := make([]Reading, n)
				for i, r := range all[:n] {
					now[i] = r.Reading
				}
				var e meter.Evidence
				var ok bool
				e, ok, err = counters.Add(all[0].resource, all[0].at, now)
				if ok && e.Span.Start >= period.Start && e.Span.Start < period.End && !yield(e, nil) {
					return
				}
				all = all[n:]
			}
			if err != nil {
				yield(meter.Evidence{}, err)
				return
			}
		}
	}
}

// reading is what one counter of a resource said at a moment.
type reading struct {
	Reading
	resource string
	at       int64
}

// readings returns what counters of failures and of all said, by resources and moments.
func (p *Prometheus) readings(list [][]Series) ([]reading, error) {
	var all []reading
	for i, found := range list {
		for _, s := range found {
			resource, err := s.label(p.Resource)
			if err != nil {
				return nil, err
			}
			name := s.text()
			for _, at := range s.Points {
				n, ok := exact(at.Value)
				if !ok {
					return nil, invalid("prometheus: series %s: value %v: want a count up to 2^53", name, at.Value)
				}
				all = append(all, reading{Reading{Series: name, Bad: i == 0, Value: n}, resource, at.At})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b reading) int {
		return cmp.Or(strings.Compare(a.resource, b.resource), cmp.Compare(a.at, b.at))
	})
	return all, nil
}

// chunks asks queries for a period and the gaps around it, part by part.
func (p *Prometheus) chunks(ctx context.Context, queries []string, period timeline.Span) iter.Seq2[[][]Series, error] {
	return func(yield func([][]Series, error) bool) {
		if err := p.Validate(); err != nil {
			yield(nil, err)
			return
		}
		if !moments(period.Start) || !moments(period.End) || period.Start >= period.End {
			yield(nil, invalid("prometheus: period: want moments of the years 1970 to 9999, in order"))
			return
		}
		gap := p.Gap.Milliseconds()
		span := timeline.Span{Start: max(period.Start-gap, firstMoment), End: min(period.End+gap, lastMoment)}
		chunk := cmp.Or(p.Chunk, max(6*time.Hour, p.Step))
		if p.Step > 0 && chunk/10_000 > p.Step { // the server gives 11,000 at most
			chunk = 10_000 * p.Step
		}
		for at := span.Start; at < span.End; at += chunk.Milliseconds() {
			part := timeline.Span{Start: at, End: min(at+chunk.Milliseconds(), span.End)}
			list := make([][]Series, len(queries))
			for i, q := range queries {
				var err error
				if list[i], err = p.ask(ctx, q, part); err != nil {
					yield(nil, err)
					return
				}
			}
			if !yield(list, nil) {
				return
			}
		}
	}
}

// ask returns the samples of a span.
func (p *Prometheus) ask(ctx context.Context, query string, span timeline.Span) ([]Series, error) {
	path, form := "/api/v1/query", url.Values{}
	if step := p.Step.Milliseconds(); step > 0 {
		path = "/api/v1/query_range"
		first := (span.Start + step - 1) / step * step
		if first >= span.End {
			return nil, nil
		}
		form.Set("start", unix(first))
		form.Set("end", unix(span.End-1))
		form.Set("step", unix(step))
	} else {
		// A range is open at its start, or was closed before version 3: what is asked for too much is dropped below.
		query += "[" + strconv.FormatInt(span.End-span.Start, 10) + "ms]"
		form.Set("time", unix(span.End-1))
	}
	form.Set("query", query)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(p.URL, "/")+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, invalid("prometheus: url: is not one")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := direct(p.Client).Do(req)
	if err != nil {
		return nil, fmt.Errorf("evidence: prometheus: %w", noAddress(err))
	}
	defer res.Body.Close()
	list, err := ReadMatrix(res.Body, "prometheus")
	if err != nil {
		return nil, fmt.Errorf("%w (HTTP status %d)", err, res.StatusCode)
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("evidence: prometheus: HTTP status %d", res.StatusCode)
	}
	for i := range list {
		s := &list[i]
		s.Points = slices.DeleteFunc(s.Points, func(x Point) bool { return x.At < span.Start })
	}
	return slices.DeleteFunc(list, func(s Series) bool { return len(s.Points) == 0 }), nil
}

// direct returns a client that follows no redirection: what it knows is for the server that was named, and so is the evidence.
func direct(c *http.Client) *http.Client {
	own := http.Client{Timeout: 5 * time.Minute}
	if c != nil {
		own = *c
	}
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

// unix writes milliseconds as decimal seconds.
func unix(ms int64) string { return fmt.Sprintf("%d.%03d", ms/1000, ms%1000) }

// noAddress takes the address out of an error of a request: it may hold a secret.
func noAddress(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
