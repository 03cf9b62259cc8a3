package response_test

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/calendar"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/response"
)

var (
	march = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	april = time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
)

// took returns an incident that is repaired after so long; never, if it is negative.
func took(id string, d time.Duration) response.Incident {
	i := response.Incident{ID: id, Occurred: march.Add(24 * time.Hour)}
	if d >= 0 {
		i.Restored = i.Occurred.Add(d)
	}
	return i
}

func list(took_ ...time.Duration) (out []response.Incident) {
	for n, d := range took_ {
		out = append(out, took(fmt.Sprint(n), d))
	}
	return out
}

func TestExactlyAsPromisedIsMet(t *testing.T) {
	h := time.Hour
	mean := response.Target{ID: "t", Measure: response.Recovery, Mean: response.Duration(4 * h)}
	each := response.Target{ID: "t", Measure: response.Recovery, Each: response.Duration(4 * h)}
	most := each
	most.Share = "75%"
	both := mean
	both.Each = response.Duration(6 * h)
	for _, c := range []struct {
		name   string
		target response.Target
		took   []time.Duration
		want   ratio.Verdict
	}{
		{"no incident", mean, nil, ratio.Met},
		{"no incident", each, nil, ratio.Met},
		{"mean", mean, []time.Duration{3 * h, 5 * h}, ratio.Met},
		{"a nanosecond more", mean, []time.Duration{3 * h, 5*h + 1}, ratio.Breach},
		{"a nanosecond more of three", mean, []time.Duration{4 * h, 4 * h, 4*h + 1}, ratio.Breach},
		{"one open for 30 days", mean, []time.Duration{3 * h, -1}, ratio.Breach},
		{"each", each, []time.Duration{4 * h, 4 * h, 0}, ratio.Met},
		{"one late", each, []time.Duration{4 * h, 4*h + 1}, ratio.Breach},
		{"one open", each, []time.Duration{4 * h, -1}, ratio.Breach},
		{"three of four", most, []time.Duration{h, h, 4 * h, 9 * h}, ratio.Met},
		{"three of four, and one open", most, []time.Duration{h, h, 4 * h, -1}, ratio.Met},
		{"two of three", most, []time.Duration{h, h, 9 * h}, ratio.Breach},
		{"mean kept, one late", both, []time.Duration{h, 7 * h}, ratio.Breach},
		{"all in time, mean not kept", both, []time.Duration{5 * h, 5 * h}, ratio.Breach},
		{"both", both, []time.Duration{2 * h, 6 * h}, ratio.Met},
	} {
		s, err := response.Summarize(c.target, list(c.took...), march, april, april)
		require.NoError(t, err)
		require.Equal(t, c.want, s.Verdict, c.name)
	}
}

func TestOpenIncidentsAreCensored(t *testing.T) {
	h := time.Hour
	incidents := list(2*h, 4*h, 6*h)
	recent := response.Incident{ID: "open", Occurred: april.Add(-3 * h)}
	incidents = append(incidents, recent)
	target := response.Target{ID: "t", Measure: response.Recovery, Mean: response.Duration(4 * h), Each: response.Duration(6 * h)}
	s, err := response.Summarize(target, incidents, march, april, april)
	require.NoError(t, err)
	hour := h.Milliseconds()
	require.Equal(t, response.Summary{
		Target: "t", Incidents: 4, Open: 1, Within: 3,
		Mean: response.Bounds{Low: 15 * hour / 4, Unbounded: true},
		Quantiles: map[string]response.Bounds{
			"p50": {Low: 3 * hour, High: 4 * hour},
			"p90": {Low: 6 * hour, Unbounded: true}, "p95": {Low: 6 * hour, Unbounded: true},
			"p99": {Low: 6 * hour, Unbounded: true}, "max": {Low: 6 * hour, Unbounded: true},
		},
		Verdict: ratio.Undecided,
	}, s)
	// An hour and a nanosecond later the mean is broken; three hours later it is late too.
	s, err = response.Summarize(target, incidents, march, april, april.Add(h))
	require.NoError(t, err)
	require.Equal(t, ratio.Undecided, s.Verdict)
	s, err = response.Summarize(target, incidents, march, april, april.Add(h+1))
	require.NoError(t, err)
	require.Equal(t, ratio.Breach, s.Verdict)
	require.Zero(t, s.Late)
	s, err = response.Summarize(target, incidents, march, april, april.Add(3*h+1))
	require.NoError(t, err)
	require.Equal(t, 1, s.Late)
	// What came after asOf is not known then.
	incidents[3].Restored = april.Add(2 * h)
	known, err := response.Summarize(target, incidents, march, april, april)
	require.NoError(t, err)
	require.Equal(t, 1, known.Open)
}

func TestPeriodThatHasNotEndedIsNotMet(t *testing.T) {
	h := time.Hour
	half := march.AddDate(0, 0, 15)
	each := response.Target{ID: "t", Measure: response.Recovery, Each: response.Duration(4 * h)}
	most := each
	most.Share = "75%"
	mean := response.Target{ID: "t", Measure: response.Recovery, Mean: response.Duration(4 * h)}
	for _, c := range []struct {
		target response.Target
		took   []time.Duration
		want   ratio.Verdict
	}{
		{each, nil, ratio.Undecided}, {each, []time.Duration{h}, ratio.Undecided}, {each, []time.Duration{9 * h}, ratio.Breach},
		{most, []time.Duration{9 * h}, ratio.Undecided}, {mean, []time.Duration{9 * h}, ratio.Undecided}, {mean, nil, ratio.Undecided},
	} {
		s, err := response.Summarize(c.target, list(c.took...), march, april, half)
		require.NoError(t, err)
		require.Equal(t, c.want, s.Verdict, "%+v %v", c.target, c.took)
	}
}

func TestWhichIncidentsCount(t *testing.T) {
	at := func(h int) time.Time { return march.Add(time.Duration(h) * time.Hour) }
	i := response.Incident{
		ID: "a", Severity: opsec.SeverityHigh, Security: true,
		Occurred: at(-1), Reported: at(0), Accepted: at(2), Notified: at(4), Restored: at(7), Resolved: at(12),
	}
	fault := response.Incident{ID: "b", Severity: opsec.SeverityLow, Occurred: at(1), Reported: at(2)}
	edge := response.Incident{ID: "c", Occurred: april, Reported: april, Accepted: april}
	sum := func(m response.Measure, s opsec.Severity) response.Summary {
		got, err := response.Summarize(response.Target{ID: "t", Measure: m, Severity: s, Each: response.Duration(time.Hour)},
			[]response.Incident{i, fault, edge}, march, april, april)
		require.NoError(t, err)
		return got
	}
	hours := func(n int64) int64 { return n * 3_600_000 }
	s := sum(response.Acceptance, "")
	require.Equal(t, 2, s.Incidents)
	require.Equal(t, 1, s.Open)
	require.Equal(t, hours(2), sum(response.Acceptance, opsec.SeverityHigh).Mean.High)
	s = sum(response.Troubleshooting, "")
	require.Equal(t, []int64{1, hours(10)}, []int64{int64(s.Incidents), s.Mean.High})
	require.Equal(t, 1, sum(response.Recovery, "").Incidents, "the other occurred before the period")
	require.Equal(t, 0, sum(response.Notification, "").Incidents)
	early := i
	early.Occurred = march
	fault.Security = false
	got, err := response.Summarize(response.Target{ID: "t", Measure: response.Notification, Mean: response.Duration(time.Hour)},
		[]response.Incident{early, fault}, march, april, april)
	require.NoError(t, err)
	require.Equal(t, []int64{1, hours(4)}, []int64{int64(got.Incidents), got.Mean.Low}, "of security events alone")
}

func TestOddIncidents(t *testing.T) {
	target := response.Target{ID: "t", Measure: response.Recovery, Each: response.Duration(time.Hour)}
	at := march.Add(time.Hour)
	ok := response.Incident{ID: "a", Occurred: at}
	for name, change := range map[string]func(*response.Incident){
		"no id": func(i *response.Incident) { i.ID = "" }, "no begin": func(i *response.Incident) { i.Occurred = time.Time{} },
		"severity":   func(i *response.Incident) { i.Severity = "urgent" },
		"reported":   func(i *response.Incident) { i.Reported = at.Add(-1) },
		"accepted":   func(i *response.Incident) { i.Accepted = at.Add(-1) },
		"notified":   func(i *response.Incident) { i.Notified = at.Add(-1) },
		"restored":   func(i *response.Incident) { i.Restored = at.Add(-1) },
		"resolved":   func(i *response.Incident) { i.Resolved = at.Add(-1) },
		"acceptance": func(i *response.Incident) { i.Reported, i.Accepted = at.Add(5), at.Add(4) },
		"unreported": func(i *response.Incident) { i.Accepted = at.Add(1) },
		"trouble":    func(i *response.Incident) { i.Reported, i.Accepted, i.Resolved = at, at.Add(5), at.Add(4) },
		"far past":   func(i *response.Incident) { i.Occurred = time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC) },
		"far future": func(i *response.Incident) { i.Restored = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		i := ok
		change(&i)
		_, err := response.Summarize(target, []response.Incident{i}, march, april, april)
		var f *response.Fault
		require.ErrorAs(t, err, &f, name)
		require.ErrorIs(t, err, opsec.ErrInvalid)
		_, err = response.Reliable([]response.Incident{i}, march, april, april)
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
	}
	longID := ok
	longID.ID = strings.Repeat("x", 200)
	require.NoError(t, longID.Validate())
	longID.ID += "x"
	require.ErrorIs(t, longID.Validate(), opsec.ErrInvalid)
	elsewhere := ok
	elsewhere.Occurred = ok.Occurred.In(time.FixedZone("", 3600)) // the same moment
	s, err := response.Summarize(target, []response.Incident{ok, elsewhere, ok}, march, april, april)
	require.NoError(t, err)
	require.Equal(t, 1, s.Incidents)
	for _, change := range []func(*response.Incident){
		func(i *response.Incident) { i.Restored = at.Add(1) }, func(i *response.Incident) { i.Service = "x" },
		func(i *response.Incident) { i.Severity = opsec.SeverityLow }, func(i *response.Incident) { i.Security = true },
		func(i *response.Incident) { i.Occurred = at.Add(1) }, func(i *response.Incident) { i.Reported = at },
		func(i *response.Incident) { i.Accepted = at }, func(i *response.Incident) { i.Notified = at },
		func(i *response.Incident) { i.Resolved = at },
	} {
		other := ok
		change(&other)
		_, err = response.Summarize(target, []response.Incident{ok, other}, march, april, april)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	_, err = response.Summarize(target, nil, april, april, april)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = response.Summarize(target, nil, march, april, time.Time{})
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = response.Summarize(response.Target{}, nil, march, april, april)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	// The longest there are: eight thousand years saturate at 292.
	long := response.Incident{ID: "a", Occurred: time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), Restored: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)}
	var three []response.Incident // together more than 64 bits of nanoseconds
	for _, id := range []string{"a", "b", "c"} {
		long.ID = id
		three = append(three, long)
	}
	s, err = response.Summarize(target, three, long.Occurred, april, long.Restored)
	require.NoError(t, err)
	require.Equal(t, []int64{9_223_372_036_854, 9_223_372_036_855}, []int64{s.Mean.Low, s.Mean.High})
	// A mean whose product with the number is more than 64 bits, though the sum is not.
	for i := range three {
		three[i].Restored = long.Occurred.AddDate(12, 0, 0)
	}
	s, err = response.Summarize(response.Target{ID: "t", Measure: response.Recovery, Mean: response.Duration(200 * 365 * 24 * time.Hour)}, three, long.Occurred, april, april)
	require.NoError(t, err)
	require.Equal(t, ratio.Met, s.Verdict)
}

// TestBoundsHoldWhateverOpenIncidentsTake lets open incidents end in many ways, and reckons the same as of a later time.
func TestBoundsHoldWhateverOpenIncidentsTake(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		target := response.Target{
			ID: "t", Measure: response.Recovery, Each: response.Duration(20 * time.Millisecond),
			Mean:  response.Duration(rapid.Int64Range(1, 40e6).Draw(t, "mean")),
			Share: rapid.SampledFrom([]string{"", "50%", "90%"}).Draw(t, "share"),
		}
		asOf := march.Add(50 * time.Millisecond)
		to := asOf.Add(-time.Duration(rapid.Int64Range(0, 20e6).Draw(t, "ended")))
		var now, later []response.Incident
		var all []*big.Rat
		for n := range rapid.IntRange(1, 12).Draw(t, "incidents") {
			i := response.Incident{ID: fmt.Sprint(n), Occurred: march.Add(time.Duration(rapid.Int64Range(0, 30e6-1).Draw(t, "occurred")))}
			i.Restored = i.Occurred.Add(time.Duration(rapid.Int64Range(0, 60e6).Draw(t, "took")))
			later = append(later, i)
			all = append(all, big.NewRat(int64(i.Restored.Sub(i.Occurred)), 1e6))
			if i.Restored.After(asOf) && rapid.Bool().Draw(t, "not written yet") {
				i.Restored = time.Time{}
			}
			now = append(now, i)
		}
		s, err := response.Summarize(target, now, march, to, asOf)
		require.NoError(t, err)
		final, err := response.Summarize(target, later, march, to, march.Add(time.Hour))
		require.NoError(t, err)
		require.Zero(t, final.Open)
		require.Equal(t, s.Incidents, final.Incidents)
		require.Equal(t, final.Incidents, final.Within+final.Late)
		within := func(outer response.Bounds, x *big.Rat, name string) {
			require.LessOrEqual(t, big.NewRat(outer.Low, 1).Cmp(x), 0, name)
			if !outer.Unbounded {
				require.GreaterOrEqual(t, big.NewRat(outer.High, 1).Cmp(x), 0, name)
			}
		}
		mean := new(big.Rat)
		for _, d := range all {
			mean.Add(mean, d)
		}
		mean.Quo(mean, big.NewRat(int64(len(all)), 1))
		slices.SortFunc(all, (*big.Rat).Cmp)
		for _, s := range []response.Summary{s, final} {
			within(s.Mean, mean, "mean")
			for name, of := range map[string]int{"p50": 50, "p90": 90, "p95": 95, "p99": 99, "max": 100} {
				rank := (len(all)*of + 99) / 100
				within(s.Quantiles[name], all[rank-1], name)
			}
		}
		require.Equal(t, final.Quantiles["p50"].High-final.Quantiles["p50"].Low <= 1, true)
		if s.Verdict != ratio.Undecided {
			require.Equal(t, s.Verdict, final.Verdict, "what is decided stays so")
		}
		late := 0
		for _, d := range all {
			if d.Cmp(big.NewRat(20, 1)) > 0 {
				late++
			}
		}
		require.Equal(t, late, final.Late)
		share := map[string]int{"": 100, "50%": 50, "90%": 90}[target.Share]
		met := (len(all)-late)*100 >= share*len(all) && mean.Cmp(big.NewRat(int64(target.Mean), 1e6)) <= 0
		require.Equal(t, met, final.Verdict == ratio.Met)
	})
}

// TestQuantilesOfMany are from a histogram: within a thousandth, and on either side of the truth.
func TestQuantilesOfMany(t *testing.T) {
	for _, n := range []int{10_000, 10_001, 30_000} {
		var incidents []response.Incident
		var all []time.Duration
		for i := range n {
			d := time.Duration(i*i%1_000_003) * 7 * time.Millisecond / 5
			all = append(all, d)
			incidents = append(incidents, took(fmt.Sprint(i), d))
		}
		slices.Sort(all)
		s, err := response.Summarize(response.Target{ID: "t", Measure: response.Recovery, Each: 1}, incidents, march, april, april)
		require.NoError(t, err)
		for name, of := range map[string]int{"p50": 50, "p90": 90, "p95": 95, "p99": 99, "max": 100} {
			want, got := all[(n*of+99)/100-1], s.Quantiles[name]
			require.LessOrEqual(t, got.Low, want.Milliseconds(), name)
			require.GreaterOrEqual(t, time.Duration(got.High)*time.Millisecond, want, name)
			if n <= 10_000 || name == "max" {
				require.LessOrEqual(t, got.High-got.Low, int64(1), name)
			}
			require.LessOrEqual(t, (got.High-got.Low)*1000, max(1000, got.Low), name)
		}
	}
}

// TestQuantilesAreAsNearAsIsSaid has many that all take about a power of two of milliseconds, where the bars of a histogram
// are widest for what they hold, from less than one to 292 years.
func TestQuantilesAreAsNearAsIsSaid(t *testing.T) {
	clock, err := response.NewClock(response.Target{ID: "t", Measure: response.Recovery, Each: 1})
	require.NoError(t, err)
	epoch := time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	for shift := 0; shift < 43; shift += 7 {
		for _, off := range []time.Duration{-1, 0, time.Millisecond} {
			d := time.Millisecond<<shift + off
			var incidents []response.Incident
			for i := range 10_001 {
				incidents = append(incidents, response.Incident{ID: fmt.Sprint(i), Occurred: epoch, Restored: epoch.Add(d)})
			}
			incidents[0].Restored = epoch.Add(2 * d) // so that the longest, which is exact, is another
			s, err := clock.Summarize(incidents, epoch, april, time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC))
			require.NoError(t, err)
			got := s.Quantiles["p99"]
			require.LessOrEqual(t, got.Low, d.Milliseconds(), d)
			require.GreaterOrEqual(t, time.Duration(got.High)*time.Millisecond, d)
			require.LessOrEqual(t, (got.High-got.Low)*1000, max(1000, got.Low), d)
		}
	}
}

// TestQuantileAtAStep has half of many take a second, and half an hour.
func TestQuantileAtAStep(t *testing.T) {
	var incidents []response.Incident
	for i := range 20_000 {
		incidents = append(incidents, took(fmt.Sprint(i), []time.Duration{time.Second, time.Hour}[i%2]))
	}
	s, err := response.Summarize(response.Target{ID: "t", Measure: response.Recovery, Each: 1}, incidents, march, april, april)
	require.NoError(t, err)
	require.LessOrEqual(t, s.Quantiles["p50"].Low, int64(1000))
	require.InDelta(t, 1001, s.Quantiles["p50"].High, 1)
	require.Greater(t, s.Quantiles["p90"].Low, int64(3_590_000))
}

func TestHoursAndHolidays(t *testing.T) {
	target := response.Target{
		ID: "t", Measure: response.Acceptance, Each: response.Duration(time.Hour),
		Hours: &calendar.Policy{Zone: "Europe/Berlin", Hours: calendar.FiveByEight(calendar.Clock(9, 0))},
	}
	at := func(text string) time.Time {
		m, err := time.Parse(time.RFC3339, text)
		require.NoError(t, err)
		return m
	}
	// Reported on Friday at 16:30, accepted on Monday at 09:30; the clock was set forward on Sunday.
	i := response.Incident{ID: "a", Occurred: at("2026-03-27T16:00:00+01:00"), Reported: at("2026-03-27T16:30:00+01:00"), Accepted: at("2026-03-30T09:30:00+02:00")}
	s, err := response.Summarize(target, []response.Incident{i}, march, april, april)
	require.NoError(t, err)
	require.Equal(t, response.Bounds{Low: 3_600_000, High: 3_600_000}, s.Mean)
	require.Equal(t, ratio.Met, s.Verdict)
	i.Accepted = i.Accepted.Add(1)
	s, err = response.Summarize(target, []response.Incident{i}, march, april, april)
	require.NoError(t, err)
	require.Equal(t, ratio.Breach, s.Verdict)
	// On a holiday no time counts.
	monday := dates{calendar.Date{Year: 2026, Month: 3, Day: 30}: "founder's day"}
	s, err = response.Summarize(target, []response.Incident{i}, march, april, april, monday)
	require.NoError(t, err)
	require.Equal(t, ratio.Met, s.Verdict)
	require.Equal(t, int64(1_800_000), s.Mean.High)
}

// TestAClockIsForManyGoroutines and leaves what it is given as it was: the race detector watches.
func TestAClockIsForManyGoroutines(t *testing.T) {
	clock, err := response.NewClock(response.Target{
		ID: "t", Measure: response.Recovery, Each: response.Duration(time.Hour),
		Hours: &calendar.Policy{Zone: "Europe/Berlin", Hours: calendar.FiveByEight(calendar.Clock(9, 0))},
	})
	require.NoError(t, err)
	incidents := list(3*time.Hour, 90*time.Hour, -1, 2*time.Hour)
	slices.Reverse(incidents)
	before := slices.Clone(incidents)
	want, err := clock.Summarize(incidents, march, april, april)
	require.NoError(t, err)
	mean, err := response.Reliable(incidents, march, april, april)
	require.NoError(t, err)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				s, err := clock.Summarize(incidents, march, april, april)
				assert.NoError(t, err)
				assert.Equal(t, want, s)
				r, err := response.Reliable(incidents, march, april, april)
				assert.NoError(t, err)
				assert.Equal(t, mean, r)
				_, err = clock.Due(incidents[1])
				assert.NoError(t, err)
			}
		})
	}
	all.Wait()
	require.Equal(t, before, incidents)
}

type dates map[calendar.Date]string

func (d dates) Holiday(on calendar.Date) (string, bool) { name, ok := d[on]; return name, ok }

func TestValidateNamesEverythingAtOnce(t *testing.T) {
	for _, c := range []struct {
		target response.Target
		want   []string
	}{
		{response.Target{}, []string{"id", "measure", "mean"}},
		{response.Target{ID: strings.Repeat("x", 200), Measure: response.Recovery, Mean: 1}, nil},
		{response.Target{ID: strings.Repeat("x", 201), Measure: response.Recovery, Mean: 1}, []string{"id"}},
		{response.Target{ID: "a", Measure: response.Recovery, Mean: 1}, nil},
		{response.Target{ID: "a", Measure: response.Recovery, Each: 1, Share: "95%", Severity: opsec.SeverityHigh}, nil},
		{response.Target{ID: "a", Measure: "speed", Mean: -1, Each: -1, Severity: "x"}, []string{"measure", "severity", "mean", "each"}},
		{response.Target{ID: "a", Measure: response.Recovery, Mean: 1, Share: "95%"}, []string{"share"}},
		{response.Target{ID: "a", Measure: response.Recovery, Each: 1, Share: "0%"}, []string{"share"}},
		{response.Target{ID: "a", Measure: response.Recovery, Each: 1, Share: "101%"}, []string{"share"}},
		{response.Target{ID: "a", Measure: response.Recovery, Each: 1, Share: "most"}, []string{"share"}},
		{response.Target{ID: "a", Measure: response.Recovery, Each: 1, Hours: &calendar.Policy{}}, []string{"hours"}},
	} {
		err := c.target.Validate()
		var got []string
		if err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
				got = append(got, e.(*response.Fault).Path)
			}
		}
		require.Equal(t, c.want, got, "%+v", c.target)
		_, err = response.NewClock(c.target)
		require.Equal(t, c.want == nil, err == nil)
	}
}
