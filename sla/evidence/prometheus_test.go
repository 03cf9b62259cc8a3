package evidence_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla/evidence"
	"github.com/cloudopsec/opsec/sla/meter"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// fake answers as Prometheus does: by ranges of samples, and steps of the last sample of five minutes.
type fake struct {
	series map[string][]evidence.Series // by query
	open   bool                         // a range is without its start, as from version 3
	asked  int
}

var ranged = regexp.MustCompile(`^(.*)\[(\d+)ms\]$`)

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.asked++
	ms := func(field string) int64 {
		v, err := strconv.ParseFloat(r.PostFormValue(field), 64)
		if err != nil {
			panic(err)
		}
		return int64(v*1000 + 0.5)
	}
	query := r.PostFormValue("query")
	type series struct {
		Metric map[string]string `json:"metric"`
		Values [][2]any          `json:"values"`
	}
	out := []series{}
	pair := func(at int64, v float64) [2]any {
		return [2]any{json.Number(fmt.Sprintf("%d.%03d", at/1000, at%1000)), strconv.FormatFloat(v, 'g', -1, 64)}
	}
	switch r.URL.Path {
	case "/prefix/api/v1/query":
		m := ranged.FindStringSubmatch(query)
		length, _ := strconv.ParseInt(m[2], 10, 64)
		for _, s := range f.series[m[1]] {
			one := series{Metric: s.Labels}
			for _, p := range s.Points {
				if from := ms("time") - length; p.At > from && p.At <= ms("time") || p.At == from && !f.open {
					one.Values = append(one.Values, pair(p.At, p.Value))
				}
			}
			if one.Values != nil {
				out = append(out, one)
			}
		}
	case "/prefix/api/v1/query_range":
		if (ms("end")-ms("start"))/ms("step") > 11_000 {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"status":"error","errorType":"bad_data","error":"exceeded maximum resolution of 11,000 points per timeseries."}`)
			return
		}
		for _, s := range f.series[query] {
			one := series{Metric: s.Labels}
			for at := ms("start"); at <= ms("end"); at += ms("step") {
				for _, p := range slices.Backward(s.Points) {
					if p.At <= at && p.At > at-300_000 {
						one.Values = append(one.Values, pair(at, p.Value))
						break
					}
				}
			}
			if one.Values != nil {
				out = append(out, one)
			}
		}
	default:
		http.NotFound(w, r)
		return
	}
	json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{"resultType": "matrix", "result": out}})
}

func (f *fake) client(t *testing.T) *evidence.Prometheus {
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return &evidence.Prometheus{URL: server.URL + "/prefix/", Source: "prom", Resource: "instance", Gap: 2 * time.Minute, Client: server.Client()}
}

func series(instance, job string, points ...evidence.Point) evidence.Series {
	return evidence.Series{Labels: map[string]string{"__name__": "up", "instance": instance, "job": job}, Points: points}
}

func TestPrometheusStates(t *testing.T) {
	f := &fake{series: map[string][]evidence.Series{"up": {
		series("a", "x", evidence.Point{march - 30_000, 1}, evidence.Point{march + 30_000, 1}, evidence.Point{march + 90_000, 0}, evidence.Point{march + 600_000, 0.5}),
		series("a", "y", evidence.Point{march + 30_000, 1}),
		series("b", "x", evidence.Point{march - 300_000, 1}, evidence.Point{march + 3_599_000, 1}, evidence.Point{march + 3_610_000, 0}),
	}}}
	p := f.client(t)
	hour := timeline.Span{Start: march, End: march + 3_600_000}
	s := func(job, resource string, start, end int64, is meter.State) meter.Evidence {
		return state(`prom/up{job="`+job+`"}`, uint64(march+start), resource, march+start, march+end, is)
	}
	want := []meter.Evidence{
		s("x", "a", 0, 30_000, meter.Up),
		s("x", "a", 30_000, 90_000, meter.Up),
		s("x", "a", 90_000, 210_000, meter.Down),
		s("x", "a", 600_000, 720_000, meter.Degraded),
		s("y", "a", 30_000, 150_000, meter.Up),
		s("x", "b", 3_599_000, 3_600_000, meter.Up),
	}
	sorted := func(list []meter.Evidence) []meter.Evidence {
		slices.SortFunc(list, func(a, b meter.Evidence) int {
			return cmp.Or(strings.Compare(a.Resource, b.Resource), strings.Compare(a.Source, b.Source), cmp.Compare(a.Seq, b.Seq))
		})
		return list
	}
	for _, f.open = range []bool{false, true} {
		for _, p.Chunk = range []time.Duration{0, time.Second, 7 * time.Second, 30 * time.Second, time.Hour} {
			require.Equal(t, want, sorted(all(t, p.States(t.Context(), "up", hour))), "%v %v", f.open, p.Chunk)
		}
	}
	p.Chunk, p.Join = 0, 100*24*time.Hour // which began before
	require.Equal(t, 5, len(all(t, p.States(t.Context(), "up", hour))))
	n := 0
	for range p.States(t.Context(), "up", hour) {
		if n++; n == 1 {
			break
		}
	}
	for range p.States(t.Context(), "up", timeline.Span{Start: march, End: march + 1}) {
		break
	}
}

// TestPartsOfAPeriodHoldWhatTheWholeHolds is the law of asking in parts.
func TestPartsOfAPeriodHoldWhatTheWholeHolds(t *testing.T) {
	f := &fake{}
	p := f.client(t)
	p.Gap = 50 * time.Millisecond
	rapid.Check(t, func(t *rapid.T) {
		f.open = rapid.Bool().Draw(t, "open")
		p.Join = time.Duration(rapid.SampledFrom([]int{0, 100}).Draw(t, "join")) * time.Millisecond
		p.FromZero = rapid.Bool().Draw(t, "zero")
		p.Step = time.Duration(rapid.SampledFrom([]int{0, 0, 10}).Draw(t, "step")) * time.Millisecond
		moments := func() (list []int64) {
			at := int64(march - 60)
			for range rapid.IntRange(5, 40).Draw(t, "n") {
				at += rapid.Int64Range(1, 60).Draw(t, "ms")
				list = append(list, at)
			}
			return list
		}
		f.series = map[string][]evidence.Series{}
		for _, target := range [][2]string{{"a", "x"}, {"a", "y"}, {"b", "x"}} {
			up := series(target[0], target[1])
			for _, at := range moments() {
				up.Points = append(up.Points, evidence.Point{At: at, Value: rapid.SampledFrom([]float64{0, 0.5, 1}).Draw(t, "up")})
			}
			f.series["up"] = append(f.series["up"], up)
			scrapes := moments()
			for _, code := range []string{"200", "500"} { // which come, go, and begin again; failures may be missing alone
				all, bad := series(target[0], target[1]+code), series(target[0], target[1]+code)
				last := 0.0
				for _, at := range scrapes {
					last = rapid.SampledFrom([]float64{last, last + 1, last + 5, 0, 2}).Draw(t, "count")
					read := rapid.SampledFrom([]int{0, 1, 2, 2, 2, 2}).Draw(t, "read")
					if p := (evidence.Point{At: at, Value: last}); read > 0 {
						all.Points = append(all.Points, p)
						if read > 1 {
							bad.Points = append(bad.Points, p)
						}
					}
				}
				f.series["all"] = append(f.series["all"], all)
				if code == "500" {
					f.series["bad"] = append(f.series["bad"], bad)
				}
			}
		}
		end := march + rapid.Int64Range(2, 1000).Draw(t, "end")
		cut := march + rapid.Int64Range(1, end-march-1).Draw(t, "cut")
		whole, parts := timeline.Span{Start: march, End: end}, []timeline.Span{{Start: march, End: cut}, {Start: cut, End: end}}

		lines := func(periods ...timeline.Span) map[string]timeline.Line {
			spans := map[string][]timeline.Span{}
			for _, period := range periods {
				for e, err := range p.States(context.Background(), "up", period) {
					require.NoError(t, err)
					require.True(t, e.Span.Start >= period.Start && e.Span.End <= period.End)
					key := fmt.Sprint(e.Source, e.Resource, e.State)
					spans[key] = append(spans[key], e.Span)
				}
			}
			lines := map[string]timeline.Line{}
			for key, list := range spans {
				lines[key] = timeline.Union(list)
			}
			return lines
		}
		require.Equal(t, lines(whole), lines(parts...))
		counts := func(periods ...timeline.Span) (list []meter.Evidence) {
			for _, period := range periods {
				for e, err := range p.Requests(context.Background(), "all", "bad", period) {
					require.NoError(t, err)
					list = append(list, e)
				}
			}
			slices.SortFunc(list, func(a, b meter.Evidence) int {
				return cmp.Or(strings.Compare(a.Resource, b.Resource), cmp.Compare(a.Seq, b.Seq))
			})
			return list
		}
		require.Equal(t, counts(whole), counts(parts...))
	})
}

func TestPrometheusRequests(t *testing.T) {
	f := &fake{series: map[string][]evidence.Series{
		"all": {series("a", "200", evidence.Point{march - 60_000, 10}, evidence.Point{march, 20}, evidence.Point{march + 60_000, 30}),
			series("a", "500", evidence.Point{march - 60_000, 5}, evidence.Point{march, 5}, evidence.Point{march + 60_000, 6}),
			series("b", "200", evidence.Point{march, 1 << 53})},
		"bad":  {series("a", "500", evidence.Point{march - 60_000, 5}, evidence.Point{march, 5}, evidence.Point{march + 60_000, 6})},
		"half": {series("a", "200", evidence.Point{march, 0.5})},
		"nan":  {series("a", "200", evidence.Point{march, math.NaN()})},
		"many": {series("a", "200", evidence.Point{march, 1<<53 + 2})},
	}}
	p := f.client(t)
	hour := timeline.Span{Start: march, End: march + 3_600_000}
	require.Equal(t, []meter.Evidence{
		{Source: "prom", Seq: march, Resource: "a", Span: timeline.Span{Start: march, End: march + 60_000}, Good: 10, Total: 11},
	}, all(t, p.Requests(t.Context(), "all", "bad", hour)))
	require.Empty(t, all(t, p.Requests(t.Context(), "all", "none", hour)), "nobody knows how many failed")
	p.FromZero = true
	require.Len(t, all(t, p.Requests(t.Context(), "all", "none", hour)), 1)
	p.FromZero = false
	_, err := collect(p.Requests(t.Context(), "none", "bad", hour))
	require.ErrorContains(t, err, "without a counter of all")
	f.series["elsewhere"] = []evidence.Series{series("a", "app", evidence.Point{march - 59_000, 5}, evidence.Point{march + 1000, 9})}
	_, err = collect(p.Requests(t.Context(), "all", "elsewhere", hour))
	require.ErrorContains(t, err, "read both at one moment", "failures of another scrape are not lost")
	for _, bad := range []string{"half", "many", "nan"} {
		_, err := collect(p.Requests(t.Context(), "all", bad, hour))
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	f.series["seam"] = []evidence.Series{series("a", "200", evidence.Point{march + 59_999, 10}, evidence.Point{march + 61_000, 12})}
	p.FromZero = true
	for _, p.Chunk = range []time.Duration{time.Second, time.Hour} { // a closed range hands out the first twice
		list := all(t, p.Requests(t.Context(), "seam", "none", hour))
		require.Len(t, list, 1)
		require.Equal(t, uint64(2), list[0].Total)
	}
	p.Chunk, p.Step, p.FromZero = 0, time.Minute, false
	require.NotEmpty(t, all(t, p.Requests(t.Context(), "all", "bad", hour)))
	for range p.Requests(t.Context(), "all", "bad", hour) {
		break
	}
}

func TestPrometheusByStepsAsksNoMoreThanTheServerGives(t *testing.T) {
	f := &fake{series: map[string][]evidence.Series{"up": {series("a", "x", evidence.Point{march, 1})}}}
	p := f.client(t)
	p.Step = time.Second
	day := timeline.Span{Start: march, End: march + 86_400_000}
	sum := int64(0)
	for _, e := range all(t, p.States(t.Context(), "up", day)) {
		sum += e.Span.End - e.Span.Start
	}
	require.Equal(t, int64(299_000+120_000), sum, "Prometheus repeats a sample for five minutes")
	require.Equal(t, 9, f.asked, "86,400 steps and the gaps, 10,000 at a time")
	for _, period := range []timeline.Span{{Start: march + 1, End: march + 999}} {
		p.Gap = time.Millisecond
		require.Empty(t, all(t, p.States(t.Context(), "up", period)), "no step is in it")
	}
}

func TestPrometheusByLongSteps(t *testing.T) {
	day := int64(86_400_000)
	f := &fake{series: map[string][]evidence.Series{"up": {series("a", "x", evidence.Point{41 * day, 1}, evidence.Point{120 * day, 0})}}}
	p := f.client(t)
	for _, p.Step = range []time.Duration{10 * 24 * time.Hour, 20 * 24 * time.Hour, 30 * 24 * time.Hour, 366 * 24 * time.Hour} {
		p.Gap = p.Step
		_, err := collect(p.States(t.Context(), "up", timeline.Span{Start: 0, End: 5000 * day}))
		require.NoError(t, err, p.Step)
		require.Less(t, f.asked, 600, p.Step) // 10,000 steps would be more years than a moment counts in nanoseconds
		f.asked = 0
	}
}

// TestWhatAServerDoesInsteadOfAnswering is of those that fail, send elsewhere, do not end, or send more than anybody asked for.
func TestWhatAServerDoesInsteadOfAnswering(t *testing.T) {
	good := answer(`{"metric":{"instance":"a"},"values":[[1772323200,"1"]]}`)
	var seen []string
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.URL.String()+fmt.Sprint(r.Header))
		fmt.Fprint(w, good)
	}))
	defer elsewhere.Close()
	bomb := func(w http.ResponseWriter, line string) {
		var block bytes.Buffer // a megabyte in a few thousand bytes
		z := gzip.NewWriter(&block)
		io.WriteString(z, strings.Repeat(line, 1<<20/len(line)))
		z.Close()
		w.Header().Set("Content-Encoding", "gzip")
		for range 2 * evidence.MaxAnswer >> 20 {
			if _, err := w.Write(block.Bytes()); err != nil {
				return
			}
		}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // else it is not told that the client went away
		switch dir, _, _ := strings.Cut(r.URL.Path[1:], "/"); dir {
		case "busy":
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, good)
		case "moved":
			http.Redirect(w, r, elsewhere.URL, http.StatusMovedPermanently)
		case "sent":
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		case "bomb":
			bomb(w, " ")
		case "lines":
			bomb(w, "#"+strings.Repeat("x", 1022)+"\n")
		case "cut":
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, good)
		default:
			<-r.Context().Done()
		}
	}))
	defer server.Close()
	withToken := &http.Client{Transport: token{}}
	for dir, want := range map[string]string{
		"busy": "HTTP status 503", "moved": "(HTTP status 301)", "sent": "(HTTP status 307)",
		"bomb": "more than 67108864 bytes", "cut": "unexpected EOF",
	} {
		for _, client := range []*http.Client{nil, withToken} {
			p := &evidence.Prometheus{URL: strings.Replace(server.URL, "http://", "http://user:secret@", 1) + "/" + dir,
				Source: "s", Resource: "instance", Gap: time.Minute, Client: client}
			_, err := collect(p.States(t.Context(), "up", timeline.Span{Start: march, End: march + 1}))
			require.ErrorContains(t, err, want, dir)
			require.NotContains(t, err.Error(), "secret")
		}
	}
	for dir, want := range map[string]string{
		"moved": "HTTP status 301", "sent": "HTTP status 307", "lines": "more than 67108864 bytes", "bomb": "a line of more than",
	} {
		_, err := evidence.Scrape(t.Context(), withToken, server.URL+"/"+dir+"?token=secret")
		require.ErrorContains(t, err, want, dir)
		require.NotContains(t, err.Error(), "secret")
		state, err := (&evidence.Metric{URL: server.URL + "/" + dir, Name: "x"}).Check(t.Context())
		require.ErrorContains(t, err, want, dir)
		require.Equal(t, meter.Unknown, state)
	}
	require.Empty(t, seen, "nobody else is told anything")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	p := &evidence.Prometheus{URL: server.URL + "/hangs", Source: "s", Resource: "instance", Gap: time.Minute}
	_, err := collect(p.States(ctx, "up", timeline.Span{Start: march, End: march + 1}))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = evidence.Scrape(ctx, nil, server.URL+"/hangs")
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// token is a transport that shows a token to whom it asks, as those of OAuth do.
type token struct{}

func (token) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer secret")
	return http.DefaultTransport.RoundTrip(r)
}

func TestWithoutAClientNothingIsWaitedForForever(t *testing.T) {
	old := http.DefaultTransport
	defer func() { http.DefaultTransport = old }()
	http.DefaultTransport = hanging{}
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		p := &evidence.Prometheus{URL: "http://p", Source: "s", Resource: "instance", Gap: time.Minute}
		_, err := collect(p.States(t.Context(), "up", timeline.Span{Start: march, End: march + 1}))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 5*time.Minute, time.Since(begun))
		_, err = evidence.Scrape(t.Context(), nil, "http://p")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 10*time.Minute, time.Since(begun))
	})
}

type hanging struct{}

func (hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestPrometheusRefuses(t *testing.T) {
	good := evidence.Prometheus{URL: "http://p", Source: "s", Resource: "instance", Gap: time.Minute}
	require.NoError(t, good.Validate())
	for name, change := range map[string]func(*evidence.Prometheus){
		"url":      func(p *evidence.Prometheus) { p.URL = "p:9090" },
		"query":    func(p *evidence.Prometheus) { p.URL = "http://p?x" },
		"no query": func(p *evidence.Prometheus) { p.URL = "http://p?" },
		"fragment": func(p *evidence.Prometheus) { p.URL = "http://p#" },
		"bad url":  func(p *evidence.Prometheus) { p.URL = "http://a b" },
		"source":   func(p *evidence.Prometheus) { p.Source = "" },
		"resource": func(p *evidence.Prometheus) { p.Resource = "" },
		"gap":      func(p *evidence.Prometheus) { p.Gap = 0 },
		"join":     func(p *evidence.Prometheus) { p.Join = -1 },
		"step":     func(p *evidence.Prometheus) { p.Step = time.Microsecond },
		"step < 0": func(p *evidence.Prometheus) { p.Step = -time.Second },
		"chunk":    func(p *evidence.Prometheus) { p.Chunk = time.Millisecond },
		"chunk s":  func(p *evidence.Prometheus) { p.Step, p.Chunk = time.Hour, time.Minute },
	} {
		p := good
		change(&p)
		require.ErrorIs(t, p.Validate(), opsec.ErrInvalid, name)
		_, err := collect(p.States(t.Context(), "up", timeline.Span{Start: march, End: march + 1}))
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
		_, err = collect(p.Requests(t.Context(), "up", "up", timeline.Span{Start: march, End: march + 1}))
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
	}
	for _, period := range []timeline.Span{{}, {Start: march, End: march - 120_000}, {Start: march, End: meter.Open}, {Start: -1 << 63, End: 1<<63 - 1}} {
		_, err := collect(good.States(t.Context(), "up", period))
		require.ErrorIs(t, err, opsec.ErrInvalid, period)
	}

	f := &fake{series: map[string][]evidence.Series{
		"bytes":  {series("a", "x", evidence.Point{march, 42})},
		"job":    {{Labels: map[string]string{"job": "x"}, Points: []evidence.Point{{march, 1}}}},
		"broken": {series("a\n", "x", evidence.Point{march, 1})},
		"long":   {series("a", strings.Repeat("x", meter.MaxName), evidence.Point{march, 1})},
	}}
	p := f.client(t)
	hour := timeline.Span{Start: march, End: march + 3_600_000}
	for query, want := range map[string]string{"bytes": "value 42: want 0 to 1", "job": `series {job="x"} has no label "instance"`, "broken": "without control"} {
		_, err := collect(p.States(t.Context(), query, hour))
		require.ErrorContains(t, err, want)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	list := all(t, p.States(t.Context(), "long", hour))
	require.Len(t, list, 1)
	require.Regexp(t, `^prom/[0-9a-f]{64}$`, list[0].Source)
	_, err := collect(p.Requests(t.Context(), "job", "job", hour))
	require.ErrorContains(t, err, "has no label")
	p.URL += "none"
	_, err = collect(p.States(t.Context(), "up", hour))
	require.ErrorContains(t, err, "HTTP status 404")
	p.URL = "http://u:secret@127.0.0.1:1/secret"
	_, err = collect(p.States(t.Context(), "up", hour))
	require.ErrorContains(t, err, "refused")
	require.NotContains(t, err.Error(), "secret")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = collect(p.Requests(ctx, "up", "up", hour))
	require.ErrorIs(t, err, context.Canceled)
}
