package evidence_test

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/race"
	"github.com/cloudopsec/opsec/sla/evidence"
	"github.com/cloudopsec/opsec/sla/meter"
)

// spans adds results of one resource, and ends.
func spans(t require.TestingT, track *evidence.Track, end int64, results ...result) (got []meter.Evidence) {
	for _, r := range results {
		e, ok, err := track.Add("a", r.at, r.state)
		require.NoError(t, err)
		if ok {
			got = append(got, e)
		}
	}
	return append(got, track.End(end)...)
}

type result struct {
	at    int64
	state meter.State
}

func TestAResultHoldsUntilTheNextOrForAGap(t *testing.T) {
	const u, g, d, x = meter.Up, meter.Degraded, meter.Down, meter.Unknown
	s := func(start, end int64, is meter.State) meter.Evidence {
		return state("s", uint64(start), "a", start, end, is)
	}
	for _, c := range []struct {
		name    string
		join    time.Duration
		end     int64
		results []result
		want    []meter.Evidence
	}{
		{"each its own", 0, 30, []result{{0, u}, {10, u}, {20, d}}, []meter.Evidence{s(0, 10, u), s(10, 20, u), s(20, 30, d)}},
		{"joined", time.Second, 30, []result{{0, u}, {10, u}, {20, d}}, []meter.Evidence{s(0, 20, u), s(20, 30, d)}},
		{"joined in the same second", time.Second, 1020, []result{{985, u}, {995, u}, {1005, u}, {1010, u}}, []meter.Evidence{s(985, 1005, u), s(1005, 1020, u)}},
		{"exactly a gap", time.Second, 40, []result{{0, u}, {15, u}, {30, u}}, []meter.Evidence{s(0, 40, u)}},
		{"one over a gap", time.Second, 50, []result{{0, u}, {16, u}}, []meter.Evidence{s(0, 15, u), s(16, 31, u)}},
		{"ends within a gap", 0, 99, []result{{0, u}}, []meter.Evidence{s(0, 15, u)}},
		{"ends before", 0, 5, []result{{0, u}, {10, d}}, []meter.Evidence{s(0, 10, u)}},
		{"ends before, joined", time.Second, 5, []result{{0, u}, {10, u}}, []meter.Evidence{s(0, 5, u)}},
		{"unknown ends it", 0, 30, []result{{0, u}, {10, x}, {20, g}}, []meter.Evidence{s(0, 10, u), s(20, 30, g)}},
		{"the worse of one moment", 0, 30, []result{{0, u}, {10, u}, {10, d}, {10, g}, {20, u}}, []meter.Evidence{s(0, 10, u), s(10, 20, d), s(20, 30, u)}},
		{"the worse of one moment, joined", time.Second, 30, []result{{0, u}, {10, u}, {10, d}, {10, u}, {20, u}}, []meter.Evidence{s(0, 10, u), s(10, 20, d), s(20, 30, u)}},
		{"the worse first", 0, 30, []result{{10, d}, {10, u}, {10, x}}, []meter.Evidence{s(10, 25, d)}},
		{"known beats unknown", 0, 20, []result{{10, x}, {10, u}}, []meter.Evidence{s(10, 20, u)}},
		{"none", 0, 20, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := spans(t, &evidence.Track{Source: "s", Gap: 15 * time.Millisecond, Join: c.join}, c.end, c.results...)
			require.Equal(t, c.want, got)
		})
	}
}

// TestTracksSayOfEachMomentWhatTheLastResultSaid is the law of a track, beside a reckoning moment by moment.
func TestTracksSayOfEachMomentWhatTheLastResultSaid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		results := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) result {
			return result{rapid.Int64Range(0, 200).Draw(t, "at"), meter.State(rapid.IntRange(0, 3).Draw(t, "state"))}
		}), 0, 40).Draw(t, "results")
		slices.SortStableFunc(results, func(a, b result) int { return cmp.Compare(a.at, b.at) })
		gap := rapid.Int64Range(1, 30).Draw(t, "gap")
		end := rapid.Int64Range(200, 240).Draw(t, "end")
		track := &evidence.Track{
			Source: "s", Gap: time.Duration(gap) * time.Millisecond,
			Join: time.Duration(rapid.IntRange(0, 50).Draw(t, "join")) * time.Millisecond,
		}
		got := spans(t, track, end, results...)
		seq := map[uint64]bool{}
		is := make([]meter.State, 300)
		for i, e := range got {
			require.Less(t, e.Span.Start, e.Span.End)
			require.Equal(t, uint64(e.Span.Start), e.Seq)
			require.False(t, seq[e.Seq])
			seq[e.Seq] = true
			require.True(t, i == 0 || got[i-1].Span.End <= e.Span.Start)
			if track.Join > 0 {
				require.LessOrEqual(t, e.Span.End-e.Span.Start, track.Join.Milliseconds()+gap)
			}
			for at := e.Span.Start; at < e.Span.End; at++ {
				is[at] = e.State
			}
		}
		for at := range int64(len(is)) {
			want := meter.Unknown
			last := int64(-1)
			for _, r := range results {
				if r.at <= at {
					if r.at > last {
						want = meter.Unknown
					}
					want, last = max(want, r.state), r.at
				}
			}
			if last < 0 || at >= last+gap || at >= end {
				want = meter.Unknown
			}
			require.Equal(t, want, is[at], "at %d", at)
		}
	})
}

func TestTracksRefuse(t *testing.T) {
	for _, bad := range []evidence.Track{
		{Gap: time.Second},
		{Source: "a\x00", Gap: time.Second},
		{Source: "s"},
		{Source: "s", Gap: time.Millisecond - 1},
		{Source: "s", Gap: 367 * 24 * time.Hour},
		{Source: "s", Gap: time.Second, Join: -1},
		{Source: "s", Gap: time.Second, Join: time.Microsecond},
		{Source: "s", Gap: time.Second, Join: 367 * 24 * time.Hour},
	} {
		require.ErrorIs(t, bad.Validate(), opsec.ErrInvalid)
		_, _, err := bad.Add("a", 0, meter.Up)
		require.ErrorIs(t, err, opsec.ErrInvalid)
		require.Empty(t, bad.End(1))
	}
	joined := &evidence.Track{Source: "s", Gap: time.Second, Join: time.Second}
	for i, at := range []int64{10, 20, 15} {
		_, _, err := joined.Add("a", at, meter.Up)
		require.Equal(t, i == 2, err != nil)
	}
	track := &evidence.Track{Source: "s", Gap: time.Second}
	for _, resource := range []string{"", "\xff", strings.Repeat("x", meter.MaxName+1)} {
		_, _, err := track.Add(resource, 0, meter.Up)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	_, _, err := track.Add("a", 10, meter.Up)
	require.NoError(t, err)
	for _, bad := range []result{{9, meter.Up}, {-1, meter.Up}, {20, 4}, {253_402_300_800_000, meter.Up}} {
		_, _, err = track.Add("a", bad.at, bad.state)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	require.Equal(t, []meter.Evidence{state("s", 10, "a", 10, 30, meter.Up)}, track.End(30), "nothing was changed")
}

func TestTheLastMomentEndsWhatHolds(t *testing.T) {
	const last = 253_402_300_799_999
	track := &evidence.Track{Source: "s", Gap: time.Second}
	_, _, err := track.Add("a", last-1, meter.Up)
	require.NoError(t, err)
	list := track.End(meter.Open)
	require.Equal(t, []meter.Evidence{state("s", last-1, "a", last-1, last, meter.Up)}, list)
	require.NoError(t, meter.New().Add(list[0]))
}

func TestResourcesHaveABound(t *testing.T) {
	if testing.Short() || race.Enabled {
		t.Skip("a million resources")
	}
	track := &evidence.Track{Source: "s", Gap: time.Second}
	counters := &evidence.Counters{Source: "s", Gap: time.Second}
	for i := range evidence.MaxResources {
		_, _, err := track.Add(strconv.Itoa(i), 0, meter.Up)
		require.NoError(t, err)
		_, _, err = counters.Add(strconv.Itoa(i), 0, nil)
		require.NoError(t, err)
	}
	_, _, err := track.Add("x", 0, meter.Up)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, _, err = track.Add("0", 1, meter.Up)
	require.NoError(t, err, "who is known may go on")
	_, _, err = counters.Add("x", 0, nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, _, err = (&evidence.Counters{Source: "s", Gap: time.Second}).Add("a", 0, make([]evidence.Reading, 2))
	require.ErrorIs(t, err, opsec.ErrInvalid, "twice")
	many := make([]evidence.Reading, evidence.MaxResources)
	for i := range many {
		many[i].Series = strconv.Itoa(i)
	}
	series := &evidence.Counters{Source: "s", Gap: time.Second, FromZero: true}
	_, _, err = series.Add("a", 0, many)
	require.NoError(t, err)
	_, _, err = series.Add("b", 0, many[:1])
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, _, err = series.Add("a", 1, many)
	require.NoError(t, err, "which are known")
}
