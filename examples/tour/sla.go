package main

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/cloudopsec/opsec/sla/evidence"
	"github.com/cloudopsec/opsec/sla/meter"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// slaStop probes a server on this machine, which is out of order for a while, and reckons its availability from what the probes have seen.
// An hour passes in a second: prober and server share a clock that moves on when the prober waits.
func slaStop(ctx context.Context, t *tour) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	two := time.Date(2026, 3, 9, 14, 0, 0, 0, time.UTC)
	var seconds atomic.Int64
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		minute := seconds.Load() / 60
		if outage, cut := minute >= 20 && minute < 22, minute >= 40 && minute < 45; cut || outage && r.URL.Path == "/" {
			http.Error(w, "out of order", http.StatusServiceUnavailable)
		}
	})}
	go server.Serve(l)
	defer server.Close()

	try := func(path string) evidence.Check { return &evidence.HTTP{URL: "http://" + l.Addr().String() + path} }
	prober, err := evidence.NewProber([]evidence.Target{{Resource: "web", Check: try("/")}}, evidence.ProbePolicy{
		Source: "tour", Interval: 10 * time.Second, Timeout: 5 * time.Second, Gap: 20 * time.Second, Parallel: 1,
	}, &evidence.ProbeOptions{
		Now: func() time.Time { return two.Add(time.Duration(seconds.Load()) * time.Second) }, Until: two.Add(time.Hour),
		Wait: func(ctx context.Context, d time.Duration) error {
			seconds.Add(int64(d / time.Second))
			return ctx.Err()
		},
		Control: try("/gateway"), // what the prober itself stands behind
	})
	check(err)
	m := meter.New()
	check(prober.Run(ctx, m.Add))

	target, err := ratio.Parse("95%")
	check(err)
	o := metric.Objective{ID: "web", Method: metric.Time, Target: target, Window: metric.Window{Rolling: metric.Duration(time.Hour)}}
	span, err := o.Window.Period("2026-03-09T15:00:00Z")
	check(err)
	measure := func(excluded timeline.Line) (f metric.Figure) {
		m.Resources(span, func(_ string, in metric.Input) bool {
			in.Excluded = excluded
			r, err := o.Measure(in, span)
			check(err)
			f = r.Figure(target)
			return true
		})
		return f
	}
	seen := measure(nil)
	work := timeline.Line{{Start: two.Add(15 * time.Minute).UnixMilli(), End: two.Add(25 * time.Minute).UnixMilli()}}
	without := measure(work)
	t.say("   360 probes of a server on this machine, in an hour that passed quickly: %s to %s %% available, wanted %s: %s;",
		seen.Availability.Low.Percent(3), seen.Availability.High.Percent(3), target, seen.Verdict)
	t.say("     for two minutes it was down, and for five the prober itself was cut off: nobody knows, so the figure has two ends;")
	t.say("     had the two minutes been announced: %s to %s %%, which is %s as well", without.Availability.Low.Percent(3), without.Availability.High.Percent(3), without.Verdict)
	t.result["sla"] = map[string]any{"seen": seen, "without": without}
}
