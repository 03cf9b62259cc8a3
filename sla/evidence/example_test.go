package evidence_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/cloudopsec/opsec/sla/evidence"
	"github.com/cloudopsec/opsec/sla/meter"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// hour is the first of March 2026.
var hour = timeline.Span{Start: march, End: march + 3_600_000}

func show(e meter.Evidence) {
	clock := func(ms int64) string { return time.UnixMilli(ms).UTC().Format("15:04:05") }
	if e.Total > 0 {
		fmt.Printf("%s %s-%s %d of %d requests good\n", e.Resource, clock(e.Span.Start), clock(e.Span.End), e.Good, e.Total)
		return
	}
	fmt.Printf("%s %s-%s %s\n", e.Resource, clock(e.Span.Start), clock(e.Span.End), []string{"unknown", "up", "degraded", "down"}[e.State])
}

func ExampleStates() {
	file := strings.NewReader(`resource,start,end,state
db-1,2026-03-01T00:00:00Z,2026-03-01T00:40:00Z,up
db-1,2026-03-01T00:40:00Z,2026-03-01T00:45:00Z,down
`)
	m := meter.New()
	for e, err := range evidence.States(file, "march.csv") {
		if err == nil {
			err = m.Add(e)
		}
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	m.Resources(hour, func(resource string, in metric.Input) bool {
		fmt.Println(resource, "up", in.States.Up.Length()/60_000, "min, down", in.States.Down.Length()/60_000, "min")
		return true
	})
	// Output: db-1 up 40 min, down 5 min
}

func ExampleError() {
	file := strings.NewReader("resource,start,end,state\ndb-1,2026-03-01,,up\n")
	for _, err := range evidence.States(file, "march.csv") {
		fmt.Println(err)
	}
	// Output: evidence: march.csv:2:6: start: want a time such as 2026-03-01T00:00:00Z, in the years 1970 to 9999
}

func ExampleNewWriter() {
	w, err := evidence.NewWriter(os.Stdout)
	if err != nil {
		fmt.Println(err)
		return
	}
	w.Write(meter.Evidence{Resource: "db-1", Span: timeline.Span{Start: march, End: march + 60_000}, State: meter.Up})
	w.Write(meter.Evidence{Resource: "db-1", Span: timeline.Span{Start: march + 60_000, End: meter.Open}, State: meter.Down})
	w.Flush()
	// Output:
	// resource,start,end,state
	// db-1,2026-03-01T00:00:00Z,2026-03-01T00:01:00Z,up
	// db-1,2026-03-01T00:01:00Z,,down
}

func ExampleIncidents() {
	file := strings.NewReader(`id,severity,occurred,reported,restored
INC-7,high,2026-03-03T04:10:00Z,2026-03-03T04:12:00Z,2026-03-03T05:00:00Z
`)
	for i, err := range evidence.Incidents(file, "incidents.csv") {
		fmt.Println(i.ID, i.Severity, i.Restored.Sub(i.Occurred), err)
	}
	// Output: INC-7 high 50m0s <nil>
}

func ExampleTrack() {
	t := &evidence.Track{Source: "probe", Gap: 90 * time.Second, Join: time.Hour}
	for _, result := range []struct {
		minute int64
		state  meter.State
	}{{0, meter.Up}, {1, meter.Up}, {2, meter.Down}, {3, meter.Up}, {10, meter.Up}} {
		e, ok, err := t.Add("api", march+result.minute*60_000, result.state)
		if err != nil {
			fmt.Println(err)
		}
		if ok {
			show(e)
		}
	}
	for _, e := range t.End(march + 11*60_000) {
		show(e)
	}
	// Output:
	// api 00:00:00-00:02:00 up
	// api 00:02:00-00:03:00 down
	// api 00:03:00-00:04:30 up
	// api 00:10:00-00:11:00 up
}

// The clock of this prober goes as fast as the probes are made.
func ExampleProber_Run() {
	clock := time.UnixMilli(march)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if m := clock.Sub(time.UnixMilli(march)).Minutes(); m >= 20 && m < 25 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer server.Close()
	p, err := evidence.NewProber([]evidence.Target{{Resource: "api", Check: &evidence.HTTP{URL: server.URL}}}, evidence.ProbePolicy{
		Source: "berlin", Interval: time.Minute, Timeout: 10 * time.Second, Gap: 2 * time.Minute, Join: time.Hour, Parallel: 1,
	}, &evidence.ProbeOptions{
		Now:   func() time.Time { return clock },
		Wait:  func(ctx context.Context, d time.Duration) error { clock = clock.Add(d); return ctx.Err() },
		Until: time.UnixMilli(hour.End),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = p.Run(context.Background(), func(e meter.Evidence) error { show(e); return nil })
	fmt.Println(err)
	// Output:
	// api 00:00:00-00:20:00 up
	// api 00:20:00-00:25:00 down
	// api 00:25:00-01:00:00 up
	// <nil>
}

func ExampleHTTP() {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	state, why := (&evidence.HTTP{URL: server.URL}).Check(ctx)
	fmt.Println(state == meter.Down, why)
	// Output: true evidence: http: status 404
}

func ExampleTCP() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	state, why := (&evidence.TCP{Address: l.Addr().String()}).Check(context.Background())
	fmt.Println(state == meter.Up, why)
	// Output: true <nil>
}

func ExampleCheckFunc() {
	var queue evidence.Check = evidence.CheckFunc(func(context.Context) (meter.State, error) {
		if waiting := 12_000; waiting > 10_000 {
			return meter.Degraded, fmt.Errorf("%d jobs wait", waiting)
		}
		return meter.Up, nil
	})
	state, why := queue.Check(context.Background())
	fmt.Println(state == meter.Degraded, why)
	// Output: true 12000 jobs wait
}

// A page such as that of the blackbox exporter at /probe?module=http_2xx&target=...
func ExampleMetric() {
	exporter := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "# TYPE probe_success gauge\nprobe_success 0\n")
	}))
	defer exporter.Close()
	state, why := (&evidence.Metric{URL: exporter.URL, Name: "probe_success"}).Check(context.Background())
	fmt.Println(state == meter.Down, why)
	// Output: true evidence: metric: probe_success is 0
}

func ExampleCounters() {
	c := &evidence.Counters{Source: "app", Gap: 5 * time.Minute}
	for minute, n := range []uint64{100, 160, 20} { // the process begins again before the third
		e, ok, err := c.Add("api", march+int64(minute)*60_000, []evidence.Reading{
			{Series: "requests", Value: n},
			{Series: "failures", Value: n / 20, Bad: true},
		})
		if err != nil {
			fmt.Println(err)
		}
		if ok {
			show(e)
		}
	}
	// Output:
	// api 00:00:00-00:01:00 57 of 60 requests good
	// api 00:01:00-00:02:00 19 of 20 requests good
}

func ExampleReadMatrix() {
	list, err := evidence.ReadMatrix(strings.NewReader(`{"status":"success","data":{"resultType":"matrix","result":[
		{"metric":{"__name__":"up","instance":"a"},"values":[[1772323200.5,"1"]]}]}}`), "answer.json")
	fmt.Println(list, err)
	// Output: [{map[__name__:up instance:a] [{1772323200500 1}]}] <nil>
}

// prometheus stands for a server that scraped "api" at 00:00 and 00:01, and found 3 requests in between, of which one failed.
func prometheus() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first, second := "1", "0" // probe_success
		switch query := r.FormValue("query"); {
		case strings.HasPrefix(query, "requests"):
			first, second = "40", "43"
		case strings.HasPrefix(query, "failures"):
			first, second = "0", "1"
		}
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[
			{"metric":{"instance":"api"},"values":[[1772323200,%q],[1772323260,%q]]}]}}`, first, second)
	}))
}

func ExamplePrometheus_States() {
	server := prometheus()
	defer server.Close()
	p := &evidence.Prometheus{URL: server.URL, Source: "prom", Resource: "instance", Gap: time.Minute}
	for e, err := range p.States(context.Background(), `probe_success{job="api"}`, hour) {
		if err != nil {
			fmt.Println(err)
			return
		}
		show(e)
	}
	// Output:
	// api 00:00:00-00:01:00 up
	// api 00:01:00-00:02:00 down
}

func ExamplePrometheus_Requests() {
	server := prometheus()
	defer server.Close()
	p := &evidence.Prometheus{URL: server.URL, Source: "prom", Resource: "instance", Gap: time.Minute}
	for e, err := range p.Requests(context.Background(), "requests_total", "failures_total", hour) {
		if err != nil {
			fmt.Println(err)
			return
		}
		show(e)
	}
	// Output: api 00:00:00-00:01:00 2 of 3 requests good
}

const page = `# TYPE http_requests_total counter
http_requests_total{code="200"} 1027
http_requests_total{code="500"} 3
`

func ExampleExposition() {
	for s, err := range evidence.Exposition(strings.NewReader(page), "metrics") {
		fmt.Println(s.Name, s.Labels["code"], s.Value, err)
	}
	// Output:
	// http_requests_total 200 1027 <nil>
	// http_requests_total 500 3 <nil>
}

func ExampleScrape() {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, page) }))
	defer app.Close()
	samples, err := evidence.Scrape(context.Background(), nil, app.URL+"/metrics")
	fmt.Println(len(samples), err)
	// Output: 2 <nil>
}

func ExampleReadings() {
	var samples []evidence.Sample
	for s := range evidence.Exposition(strings.NewReader(page), "metrics") {
		samples = append(samples, s)
	}
	all := func(s evidence.Sample) bool { return s.Name == "http_requests_total" }
	bad := func(s evidence.Sample) bool { return all(s) && strings.HasPrefix(s.Labels["code"], "5") }
	readings, err := evidence.Readings(samples, all, bad) // for Counters.Add
	for _, r := range readings {
		fmt.Println(r.Series, r.Value, r.Bad)
	}
	fmt.Println(err)
	// Output:
	// http_requests_total{code="200"} 1027 false
	// http_requests_total{code="500"} 3 false
	// http_requests_total{code="500"} 3 true
	// <nil>
}

func ExampleBlackboxLog() {
	file := strings.NewReader(`ts=2026-03-01T00:00:00.020Z caller=handler.go:184 module=http_2xx target=https://api.example level=debug msg="Probe succeeded" duration_seconds=0.020
ts=2026-03-01T00:01:00.500Z caller=handler.go:184 module=http_2xx target=https://api.example level=debug msg="Probe failed" duration_seconds=0.500
`)
	track := &evidence.Track{Source: "log", Gap: 2 * time.Minute}
	name := func(module, target string) string { return strings.TrimPrefix(target, "https://") }
	for e, err := range evidence.BlackboxLog(file, "blackbox.log", track, name) {
		if err != nil {
			fmt.Println(err)
			return
		}
		show(e)
	}
	for _, e := range track.End(hour.End) {
		show(e)
	}
	// Output:
	// api.example 00:00:00-00:01:00 up
	// api.example 00:01:00-00:03:00 down
}
