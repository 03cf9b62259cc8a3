//go:build unix

package slaprobe_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/sla/evidence"
	"github.com/cloudopsec/opsec/sla/meter"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// TestAnOutageIsTheSameToAllWhoWatch lets a server fail for 4 of 12 seconds, and watches it in five ways: by HTTP, through
// one exporter, by Prometheus through another, and by the logs of both exporters, of which one is JSON.
func TestAnOutageIsTheSameToAllWhoWatch(t *testing.T) {
	need(t, "prometheus", "prometheus-blackbox-exporter")
	var down atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(server.Close)
	modules := filepath.Join(t.TempDir(), "blackbox.yml")
	require.NoError(t, os.WriteFile(modules, []byte("modules: {http: {prober: http, http: {preferred_ip_protocol: ip4}}}\n"), 0o644))
	exporter := func(format string) (string, *log) {
		return start(t, "prometheus-blackbox-exporter", "--config.file="+modules, "--timeout-offset=0.1", "--log.level=debug", "--log.format="+format)
	}
	ours, asJSON := exporter("json")
	theirs, asText := exporter("logfmt")
	base := prometheus(t, fmt.Sprintf(`
global: {scrape_interval: 500ms, scrape_timeout: 500ms}
scrape_configs:
- job_name: blackbox
  metrics_path: /probe
  params: {module: [http]}
  static_configs: [{targets: [%q]}]
  relabel_configs:
  - {source_labels: [__address__], target_label: __param_target}
  - {source_labels: [__param_target], target_label: instance}
  - {target_label: __address__, replacement: %q}
`, server.URL, theirs), t.TempDir())
	require.Eventually(t, func() bool {
		return len(value(t, base, "count_over_time(probe_success[1m])", time.Now().UnixMilli())) == 1
	}, 60*time.Second, 100*time.Millisecond, "Prometheus scrapes")

	begun := time.Now()
	period := timeline.Span{Start: begun.UnixMilli(), End: begun.Add(12 * time.Second).UnixMilli()}
	time.AfterFunc(4*time.Second, func() { down.Store(true) })
	time.AfterFunc(8*time.Second, func() { down.Store(false) })
	const gap = 3 * time.Second
	prober, err := evidence.NewProber([]evidence.Target{
		{Resource: "http", Check: &evidence.HTTP{URL: server.URL}},
		{Resource: "exporter", Check: &evidence.Metric{URL: "http://" + ours + "/probe?module=http&target=" + url.QueryEscape(server.URL), Name: "probe_success"}},
	}, evidence.ProbePolicy{
		Source: "probe", Interval: 500 * time.Millisecond, Timeout: 500 * time.Millisecond, Gap: gap, Parallel: 2,
	}, &evidence.ProbeOptions{Until: time.UnixMilli(period.End)})
	require.NoError(t, err)
	var list []meter.Evidence
	require.NoError(t, prober.Run(t.Context(), func(e meter.Evidence) error { list = append(list, e); return nil }))
	time.Sleep(gap + 500*time.Millisecond) // then all is there that Prometheus is asked for

	client := &evidence.Prometheus{URL: base, Source: "prometheus", Resource: "instance", Gap: gap}
	for e, err := range client.States(t.Context(), "probe_success", period) {
		require.NoError(t, err)
		require.Equal(t, server.URL, e.Resource)
		e.Resource = "prometheus"
		list = append(list, e)
	}
	for name, written := range map[string]*log{"log, JSON": asJSON, "log, logfmt": asText} {
		track := &evidence.Track{Source: "log", Gap: gap}
		for e, err := range evidence.BlackboxLog(bytes.NewReader(written.text()), name, track, func(module, target string) string {
			require.Equal(t, "http", module)
			require.Equal(t, server.URL, target)
			return name
		}) {
			require.NoError(t, err)
			list = append(list, e)
		}
		list = append(list, track.End(period.End)...)
	}

	aim, err := ratio.Parse("99.9%")
	require.NoError(t, err)
	tallies := measure(t, metric.Objective{ID: "o", Target: aim, Method: metric.Time, Window: metric.Window{Calendar: "day"}}, period, list)
	require.Len(t, tallies, 5)
	for way, tally := range tallies {
		t.Logf("%s: good %d, bad %d, unknown %d ms", way, tally.Good, tally.Bad, tally.Unknown)
		require.InDelta(t, 4000, float64(tally.Bad), 2000, way)
		require.Less(t, tally.Unknown, uint64(2000), way)
	}
}
