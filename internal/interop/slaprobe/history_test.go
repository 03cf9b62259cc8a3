//go:build unix

package slaprobe_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/sla/evidence"
	"github.com/cloudopsec/opsec/sla/meter"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/timeline"
)

const minute = 60_000

// march is the period: March 2026.
var march = timeline.Span{
	Start: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).UnixMilli(),
	End:   time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC).UnixMilli(),
}

// probe is one result, and what the counters of the resource said then.
type probe struct {
	at         int64
	up         bool
	all, fails uint64
}

// month plays probes, one a minute from the first of the month until the first of the next: outages of minutes to hours,
// processes that begin again, and of a resource that has holes minutes without probe.
func month(seed uint64, holes bool) (list []probe) {
	r := rand.New(rand.NewPCG(seed, seed))
	var p probe
	down, away := 0, 0
	for p.at = march.Start; p.at <= march.End; p.at += minute {
		if down--; down < 0 && r.IntN(2000) == 0 {
			down = 1 + r.IntN(200)
		}
		if away--; away < 0 && holes && r.IntN(1000) == 0 {
			away = 1 + r.IntN(30)
		}
		if r.IntN(5000) == 0 {
			p.all, p.fails = 0, 0
		}
		p.up = down < 0
		n := uint64(r.IntN(1000))
		p.all += n
		if !p.up {
			p.fails += n
		}
		if away < 0 || p.at == march.Start || p.at == march.End {
			list = append(list, p)
		}
	}
	return list
}

// backfilled starts a Prometheus that has seen the probes.
func backfilled(t *testing.T, probes map[string][]probe) string {
	t.Helper()
	var page strings.Builder
	for _, m := range []struct {
		name, kind string
		value      func(probe) any
	}{
		{"probe_success", "gauge", func(p probe) any {
			if p.up {
				return 1
			}
			return 0
		}},
		{"requests_total", "counter", func(p probe) any { return p.all }},
		{"failures_total", "counter", func(p probe) any { return p.fails }},
	} {
		fmt.Fprintf(&page, "# TYPE %s %s\n", strings.TrimSuffix(m.name, "_total"), m.kind)
		for _, resource := range slices.Sorted(keys(probes)) {
			for _, p := range probes[resource] {
				fmt.Fprintf(&page, "%s{instance=%q} %d %d.%03d\n", m.name, resource, m.value(p), p.at/1000, p.at%1000)
			}
		}
	}
	page.WriteString("# EOF\n")
	dir := t.TempDir()
	file := filepath.Join(dir, "page")
	require.NoError(t, os.WriteFile(file, []byte(page.String()), 0o644))
	data := filepath.Join(dir, "data")
	out, err := exec.Command("promtool", "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=744h", "-q", file, data).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return prometheus(t, "global: {}\n", data)
}

func keys(probes map[string][]probe) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range probes {
			if !yield(k) {
				return
			}
		}
	}
}

// TestAMonthInPrometheusIsTheMonthThatWasProbed compares evidence that went through Prometheus with that of the probes, and
// both with what Prometheus makes of them.
func TestAMonthInPrometheusIsTheMonthThatWasProbed(t *testing.T) {
	need(t, "prometheus", "promtool")
	probes := map[string][]probe{"a": month(1, false), "b": month(2, false), "c": month(3, true)}
	base := backfilled(t, probes)
	client := &evidence.Prometheus{URL: base, Source: "prom", Resource: "instance", Gap: time.Minute, Join: 24 * time.Hour, Chunk: 24 * time.Hour}
	days := int((march.End - march.Start) / (1440 * minute))

	// What the API gives is what was probed, to the millisecond.
	var want, got []meter.Evidence
	track := &evidence.Track{Source: "prom/probe_success{}", Gap: client.Gap, Join: client.Join}
	for _, resource := range slices.Sorted(keys(probes)) {
		for _, p := range probes[resource] {
			state := meter.Down
			if p.up {
				state = meter.Up
			}
			if e, ok, err := track.Add(resource, p.at, state); ok && e.Span.Start < march.End {
				want = append(want, e)
			} else {
				require.NoError(t, err)
			}
		}
	}
	for _, e := range track.End(march.End) {
		if e.Span.Start < march.End {
			want = append(want, e)
		}
	}
	ctx := until(t, 5*time.Minute)
	for e, err := range client.States(ctx, "probe_success", march) {
		require.NoError(t, err)
		got = append(got, e)
	}
	order := func(a, b meter.Evidence) int {
		return cmp.Or(strings.Compare(a.Resource, b.Resource), cmp.Compare(a.Seq, b.Seq))
	}
	slices.SortFunc(want, order)
	slices.SortFunc(got, order)
	require.Equal(t, want, got)
	require.Greater(t, len(got), 3*days)

	// Availability: every probe stands for a minute, so good and bad time are the good and bad samples of Prometheus, and
	// its average is our figure where nothing is missing; else it lies within our bounds, because it leaves out what it
	// did not see.
	target, err := ratio.Parse("99.9 %")
	require.NoError(t, err)
	tallies := measure(t, metric.Objective{ID: "o", Target: target, Method: metric.Time, Window: metric.Window{Calendar: "month"}}, march, got)
	month := fmt.Sprintf("[%dd]", days)
	sum := value(t, base, "sum_over_time(probe_success"+month+")", march.End-1)
	count := value(t, base, "count_over_time(probe_success"+month+")", march.End-1)
	average := value(t, base, "avg_over_time(probe_success"+month+")", march.End-1)
	require.Len(t, tallies, 3)
	for resource, tally := range tallies {
		require.Equal(t, uint64(sum[resource])*minute, tally.Good, resource)
		require.Equal(t, uint64(count[resource]-sum[resource])*minute, tally.Bad, resource)
		require.Equal(t, uint64(march.End-march.Start), tally.Good+tally.Bad+tally.Unknown, resource)
		all := float64(march.End - march.Start)
		low, high := float64(tally.Good)/all, float64(tally.Good+tally.Unknown)/all
		if resource == "c" {
			require.NotZero(t, tally.Unknown)
			require.Less(t, low, average[resource])
			require.Greater(t, high, average[resource])
		} else {
			require.Zero(t, tally.Unknown, resource)
			require.InDelta(t, low, average[resource], 1e-12, resource)
		}
		t.Logf("%s: good %d, bad %d, unknown %d minutes; Prometheus %.9f, here %.9f to %.9f",
			resource, tally.Good/minute, tally.Bad/minute, tally.Unknown/minute, average[resource], low, high)
	}

	// Requests: Prometheus does not extrapolate a range that begins and ends with a sample, so increase is exact.
	var all, good = map[string]uint64{}, map[string]uint64{}
	client.Gap = time.Hour
	for e, err := range client.Requests(ctx, "requests_total", "failures_total", march) {
		require.NoError(t, err)
		all[e.Resource] += e.Total
		good[e.Resource] += e.Good
	}
	total := value(t, base, "increase(requests_total"+month+")", march.End)
	bad := value(t, base, "increase(failures_total"+month+")", march.End)
	resets := value(t, base, "resets(requests_total"+month+")", march.End)
	for resource := range probes {
		require.InDelta(t, total[resource], float64(all[resource]), 1e-3, resource)
		require.InDelta(t, bad[resource], float64(all[resource]-good[resource]), 1e-3, resource)
		require.NotZero(t, resets[resource])
		t.Logf("%s: %d requests, %d failed, %v restarts", resource, all[resource], all[resource]-good[resource], resets[resource])
	}
}

// TestStepsHideWhatWasNotScraped says why samples are asked for, not steps: Prometheus repeats a sample for five minutes.
func TestStepsHideWhatWasNotScraped(t *testing.T) {
	need(t, "prometheus", "promtool")
	var probes []probe
	for m := range int64(60) {
		if m < 20 || m > 23 { // four minutes without a probe
			probes = append(probes, probe{at: march.Start + m*minute, up: true})
		}
	}
	base := backfilled(t, map[string][]probe{"a": probes})
	hour := timeline.Span{Start: march.Start, End: march.Start + 60*minute}
	for step, want := range map[time.Duration]uint64{0: 56 * minute, time.Minute: 60 * minute} {
		client := &evidence.Prometheus{URL: base, Source: "prom", Resource: "instance", Gap: time.Minute, Step: step}
		var list []meter.Evidence
		for e, err := range client.States(until(t, time.Minute), "probe_success", hour) {
			require.NoError(t, err)
			list = append(list, e)
		}
		target, err := ratio.Parse("99.9 %")
		require.NoError(t, err)
		tally := measure(t, metric.Objective{ID: "o", Target: target, Method: metric.Time, Window: metric.Window{Calendar: "day"}}, hour, list)["a"]
		require.Equal(t, want, tally.Good, step)
		require.Equal(t, 60*minute-want, tally.Unknown, step)
	}
}
