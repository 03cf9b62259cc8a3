//go:build unix

package slaprobe_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/sla/evidence"
	"github.com/cloudopsec/opsec/sla/meter"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// app is a process with counters, which cannot be scraped for a while, and goes on counting meanwhile.
type app struct {
	sync.Mutex
	away     bool
	requests uint64     // 10 more with each scrape, 3 of which failed
	scraped  [][]uint64 // counts in a row, without a time in between when it was away
}

func (a *app) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	a.Lock()
	defer a.Unlock()
	a.requests += 10
	if a.away {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	last := &a.scraped[len(a.scraped)-1]
	*last = append(*last, a.requests)
	fmt.Fprintf(w, "# TYPE healthy gauge\nhealthy 1\n# TYPE requests_total counter\nrequests_total %d\n# TYPE failures_total counter\nfailures_total %d\n",
		a.requests, a.requests/10*3)
}

func (a *app) set(away bool) {
	a.Lock()
	defer a.Unlock()
	if a.away = away; !away {
		a.scraped = append(a.scraped, nil)
	}
}

// TestWhatWasNotScrapedIsUnknown lets scrapes fail for 6 of 14 seconds, which Prometheus marks as stale: its gauge is not up
// for longer than the gap, its requests of that time are neither good nor bad, and "up" is down.
func TestWhatWasNotScrapedIsUnknown(t *testing.T) {
	need(t, "prometheus")
	scraped := &app{scraped: [][]uint64{nil}}
	server := httptest.NewServer(scraped)
	t.Cleanup(server.Close)
	base := prometheus(t, fmt.Sprintf("global: {scrape_interval: 250ms, scrape_timeout: 250ms}\nscrape_configs: [{job_name: app, static_configs: [{targets: [%q]}]}]\n",
		strings.TrimPrefix(server.URL, "http://")), t.TempDir())
	require.Eventually(t, func() bool {
		return len(value(t, base, "count_over_time(healthy[1m])", time.Now().UnixMilli())) == 1
	}, 60*time.Second, 100*time.Millisecond, "Prometheus scrapes")

	const gap = time.Second
	begun := time.Now()
	time.Sleep(4 * time.Second)
	scraped.set(true)
	away := timeline.Span{Start: time.Now().UnixMilli()}
	time.Sleep(6 * time.Second)
	away.End = time.Now().UnixMilli()
	scraped.set(false)
	time.Sleep(4 * time.Second)
	period := timeline.Span{Start: begun.UnixMilli(), End: time.Now().UnixMilli()}
	time.Sleep(2 * gap)

	client := &evidence.Prometheus{URL: base, Source: "prometheus", Resource: "job", Gap: gap}
	spans := func(query string) map[meter.State][]timeline.Span {
		all := map[meter.State][]timeline.Span{}
		for e, err := range client.States(until(t, time.Minute), query, period) {
			require.NoError(t, err)
			all[e.State] = append(all[e.State], e.Span)
		}
		return all
	}
	healthy := spans("healthy")
	require.Len(t, healthy, 1)
	require.NotEmpty(t, healthy[meter.Up])
	// A scrape that began before it was away may have been stamped up to its own time-out earlier or later than here.
	unseen := timeline.Span{Start: away.Start + (gap + 250*time.Millisecond).Milliseconds(), End: away.End - 250}
	for _, s := range healthy[meter.Up] {
		require.False(t, s.Start < unseen.End && s.End > unseen.Start, "up from %d to %d, away from %d to %d", s.Start, s.End, away.Start, away.End)
	}
	require.NotEmpty(t, spans("up")[meter.Down])

	scraped.Lock()
	defer scraped.Unlock()
	var most, all, good uint64 // of what was counted between scrapes that follow each other
	for _, counts := range scraped.scraped {
		if len(counts) > 0 {
			most += counts[len(counts)-1] - counts[0]
		}
	}
	for e, err := range client.Requests(until(t, time.Minute), "requests_total", "failures_total", period) {
		require.NoError(t, err)
		require.Equal(t, e.Total/10*7, e.Good)
		all, good = all+e.Total, good+e.Good
	}
	require.NotZero(t, all)
	require.LessOrEqual(t, all, most)
	require.Less(t, most, scraped.requests-scraped.scraped[0][0], "or nothing was away")
	t.Logf("%d requests counted, %d good, of %d at most, and %d in all", all, good, most, scraped.requests)
}
