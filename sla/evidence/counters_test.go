package evidence_test

import (
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/race"
	"github.com/cloudopsec/opsec/sla/evidence"
	"github.com/cloudopsec/opsec/sla/meter"
	"github.com/cloudopsec/opsec/sla/timeline"
)

func total(series string, value uint64) evidence.Reading {
	return evidence.Reading{Series: series, Value: value}
}

func failed(series string, value uint64) evidence.Reading {
	return evidence.Reading{Series: series, Bad: true, Value: value}
}

func requests(start, end int64, good, total uint64) meter.Evidence {
	return meter.Evidence{Source: "s", Seq: uint64(start), Resource: "a", Span: timeline.Span{Start: start, End: end}, Good: good, Total: total}
}

func TestCounters(t *testing.T) {
	type read struct {
		at int64
		of []evidence.Reading
	}
	type list = []evidence.Reading
	none := failed("", 0)
	for _, c := range []struct {
		name     string
		fromZero bool
		reads    []read
		want     []meter.Evidence
	}{
		{"what came in between", false, []read{
			{0, list{total("", 100), failed("", 10)}}, {10, list{total("", 130), failed("", 11)}}, {20, list{failed("", 11), total("", 130)}},
		}, []meter.Evidence{requests(0, 10, 29, 30)}},
		{"begins again", false, []read{
			{0, list{total("", 100), failed("", 10)}}, {10, list{total("", 7), failed("", 2)}}, {20, list{total("", 8), failed("", 2)}},
		}, []meter.Evidence{requests(0, 10, 5, 7), requests(10, 20, 1, 1)}},
		{"begins again at the same value", false, []read{{0, list{total("", 7), none}}, {10, list{total("", 7), none}}}, nil},
		{"begins again, and as many failed as before, or more", false, []read{
			{0, list{total("", 100), failed("", 3)}}, {1, list{total("", 10), failed("", 3)}}, {2, list{total("", 9), failed("", 4)}},
			{3, list{total("", 10), failed("", 4)}},
		}, []meter.Evidence{requests(2, 3, 1, 1)}},
		{"begins again, and fewer failed than before, or none had", false, []read{
			{0, list{total("", 100), failed("", 0)}}, {1, list{total("", 10), failed("", 4)}}, {2, list{total("", 9), failed("", 3)}},
		}, []meter.Evidence{requests(0, 1, 6, 10), requests(1, 2, 6, 9)}},
		{"begins again, and failures are among all", false, []read{
			{0, list{total("200", 100), total("500", 3), failed("500", 3)}}, {1, list{total("200", 10), total("500", 4), failed("500", 4)}},
		}, []meter.Evidence{requests(0, 1, 10, 11)}},
		{"a counter of failures alone is new", false, []read{
			{0, list{total("", 10), failed("x", 1)}}, {1, list{total("", 20), failed("x", 2), failed("y", 5)}}, {2, list{total("", 30), failed("x", 2), failed("y", 7)}},
		}, []meter.Evidence{requests(1, 2, 8, 10)}},
		{"a counter of failures alone is new, and says none", false, []read{
			{0, list{total("", 10), failed("x", 1)}}, {1, list{total("", 20), failed("x", 2), failed("y", 0)}},
		}, []meter.Evidence{requests(0, 1, 9, 10)}},
		{"a counter of failures alone is new, from zero", true, []read{
			{0, list{total("", 10)}}, {1, list{total("", 20), failed("y", 5)}},
		}, []meter.Evidence{requests(0, 1, 5, 10)}},
		{"one of all was not read as failures", false, []read{
			{0, list{total("x", 10), total("y", 3), failed("x", 0)}}, {1, list{total("x", 20), total("y", 8), failed("x", 0), failed("y", 8)}},
		}, nil},
		{"began again longer ago than a gap", true, []read{
			{0, list{total("", 10), failed("x", 3)}}, {10, list{total("", 11)}}, {16, list{total("", 5), failed("x", 4)}},
		}, []meter.Evidence{requests(0, 10, 1, 1), requests(10, 16, 1, 5)}},
		{"failures alone go back, of which there were more before", false, []read{
			{0, list{total("", 10), failed("x", 5), failed("y", 2)}}, {1, list{total("", 20), failed("x", 3), failed("y", 4)}},
		}, []meter.Evidence{requests(0, 1, 5, 10)}},
		{"one of two begins again", false, []read{
			{0, list{total("200", 100), total("500", 10), none}}, {10, list{total("200", 90), total("500", 11), none}},
		}, []meter.Evidence{requests(0, 10, 91, 91)}},
		{"exactly a gap", false, []read{{0, list{total("", 1), none}}, {15, list{total("", 3), none}}}, []meter.Evidence{requests(0, 15, 2, 2)}},
		{"one over a gap", false, []read{
			{0, list{total("", 1), none}}, {16, list{total("", 3), none}}, {20, list{total("", 4), none}},
		}, []meter.Evidence{requests(16, 20, 1, 1)}},
		{"one over a gap, and from zero", true, []read{{0, list{total("", 1)}}, {16, list{total("", 3)}}}, nil},
		{"a series that is new", false, []read{
			{0, list{total("200", 1), failed("503", 0)}},
			{10, list{total("200", 2), total("500", 3), failed("500", 3), failed("503", 0)}},
			{20, list{total("200", 2), total("500", 4), failed("500", 4), failed("503", 0)}},
		}, []meter.Evidence{requests(0, 10, 1, 1), requests(10, 20, 0, 1)}},
		{"a series that is new, from zero", true, []read{
			{0, list{total("200", 1)}}, {10, list{total("200", 2), total("500", 3), failed("500", 3)}},
		}, []meter.Evidence{requests(0, 10, 1, 4)}},
		{"a series that is new after exactly a gap, from zero", true, []read{
			{0, list{total("x", 1)}}, {15, list{total("x", 1), total("y", 4)}},
		}, []meter.Evidence{requests(0, 15, 4, 4)}},
		{"all are new, from zero: they may be of a process that is old", true, []read{
			{0, list{total("x", 1)}}, {10, list{total("y", 1_000_000)}}, {20, list{total("x", 2)}}, {22, list{total("y", 1_000_001)}},
		}, []meter.Evidence{requests(20, 22, 1, 1)}},
		{"a process that was away for longer than a gap, beside another, from zero", true, []read{
			{0, list{total("x", 1)}}, {1, list{total("y", 1_000_000)}}, {10, list{total("x", 2)}}, {20, list{total("x", 4)}},
			{21, list{total("y", 1_000_001)}},
		}, []meter.Evidence{requests(1, 10, 1, 1), requests(10, 20, 2, 2)}},
		{"a series that was away", false, []read{
			{0, list{total("x", 1), total("y", 1), none}}, {10, list{total("x", 1), none}}, {15, list{total("x", 1), total("y", 5), none}},
		}, []meter.Evidence{requests(10, 15, 4, 4)}},
		{"a series that was away for longer than a gap", false, []read{
			{0, list{total("x", 1), total("y", 1), none}}, {10, list{total("x", 1), none}}, {20, list{total("x", 2), total("y", 5), none}},
		}, []meter.Evidence{requests(10, 20, 1, 1)}},
		{"a series that was away for longer than a gap, from zero", true, []read{
			{0, list{total("x", 1), total("y", 1)}}, {10, list{total("x", 1)}}, {20, list{total("x", 2), total("y", 5)}},
		}, []meter.Evidence{requests(10, 20, 6, 6)}},
		{"failures were not read", false, []read{
			{0, list{total("", 10), failed("", 1)}}, {5, list{total("", 40)}}, {10, list{total("", 50), failed("", 31)}},
		}, []meter.Evidence{requests(0, 10, 10, 40)}},
		{"failures were not read for longer than a gap", false, []read{
			{0, list{total("", 10), failed("", 1)}}, {10, list{total("", 40)}}, {16, list{total("", 50), failed("", 31)}}, {20, list{total("", 51), failed("", 31)}},
		}, []meter.Evidence{requests(16, 20, 1, 1)}},
		{"failures were never read", false, []read{{0, list{total("", 10)}}, {10, list{total("", 40)}}}, nil},
		{"there are no failures, from zero", true, []read{{0, list{total("", 10)}}, {10, list{total("", 40)}}}, []meter.Evidence{requests(0, 10, 30, 30)}},
		{"read at different moments", false, []read{{0, list{total("", 5), failed("", 0)}}, {10, list{total("", 6), failed("", 2)}}}, []meter.Evidence{requests(0, 10, 0, 1)}},
		{"goes back and forth", false, []read{
			{0, list{total("", 9), none}}, {1, list{total("", 8), none}}, {2, list{total("", 9), none}}, {3, list{total("", 0), none}},
		}, []meter.Evidence{requests(0, 1, 8, 8), requests(1, 2, 1, 1)}},
		{"wraps", false, []read{
			{0, list{total("", math.MaxUint64), none}}, {10, list{total("", 3), none}},
		}, []meter.Evidence{requests(0, 10, 3, 3)}},
		{"nothing was read", false, []read{{0, nil}, {10, nil}, {20, list{total("", 1), none}}}, nil},
		{"the largest", false, []read{
			{0, list{total("", 0), none}}, {1, list{total("", math.MaxUint64), none}},
		}, []meter.Evidence{requests(0, 1, math.MaxUint64, math.MaxUint64)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			counters := &evidence.Counters{Source: "s", Gap: 15 * time.Millisecond, FromZero: c.fromZero}
			var got []meter.Evidence
			for _, r := range c.reads {
				e, ok, err := counters.Add("a", r.at, r.of)
				require.NoError(t, err)
				if ok {
					got = append(got, e)
				} else {
					require.Zero(t, e)
				}
			}
			require.Equal(t, c.want, got)
		})
	}
}

// TestNoRequestCountsTwiceAndNoneIsInvented plays a process that counts and dies beside its readings.
func TestNoRequestCountsTwiceAndNoneIsInvented(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counters := &evidence.Counters{Source: "s", Gap: 20 * time.Millisecond, FromZero: rapid.Bool().Draw(t, "zero")}
		var all, bad, came, cameBad, counted, countedBad, good uint64
		lost := false
		at, last := int64(0), int64(-1)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			at += rapid.Int64Range(1, 9).Draw(t, "ms")
			switch rapid.SampledFrom([]string{"request", "request", "fail", "read", "read", "die"}).Draw(t, "step") {
			case "request":
				all, came, good = all+1, came+1, good+1
			case "fail":
				all, bad = all+1, bad+1
				came, cameBad = came+1, cameBad+1
			case "die":
				all, bad, lost = 0, 0, true
			case "read":
				lost = lost || last < 0 && all > 0 || last >= 0 && at-last > 20
				e, ok, err := counters.Add("a", at, []evidence.Reading{total("", all), failed("", bad)})
				require.NoError(t, err)
				if ok {
					require.Equal(t, timeline.Span{Start: last, End: at}, e.Span)
					counted, countedBad = counted+e.Total, countedBad+e.Total-e.Good
				}
				require.LessOrEqual(t, e.Good, good, "since the last reading")
				last, good = at, 0
			}
		}
		require.LessOrEqual(t, counted, came)
		require.LessOrEqual(t, countedBad, cameBad)
		if !lost && last >= 0 && at+1-last <= 20 { // then all that came is counted
			e, _, err := counters.Add("a", at+1, []evidence.Reading{total("", all), failed("", bad)})
			require.NoError(t, err)
			require.Equal(t, []uint64{came, cameBad}, []uint64{counted + e.Total, countedBad + e.Total - e.Good})
		}
	})
}

// TestNothingIsInventedOfManyProcesses is of one resource: its processes are read at moments of their own, may be old when they
// are read first, or not be read for long, and have counters for each status, which come into being with the first request.
func TestNothingIsInventedOfManyProcesses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counters := &evidence.Counters{Source: "s", Gap: 20 * time.Millisecond, FromZero: rapid.Bool().Draw(t, "zero")}
		var came, counted [2]uint64 // good, failed
		processes := make([][2]uint64, rapid.IntRange(1, 3).Draw(t, "processes"))
		for i := range processes {
			processes[i] = [2]uint64{rapid.SampledFrom([]uint64{0, 1000}).Draw(t, "old"), rapid.SampledFrom([]uint64{0, 1000}).Draw(t, "old failures")}
		}
		for at := range rapid.Int64Range(1, 200).Draw(t, "ms") {
			i := rapid.IntRange(0, len(processes)-1).Draw(t, "process")
			p := &processes[i]
			switch step := rapid.SampledFrom([]string{"good", "bad", "read", "read", "die", "wait"}).Draw(t, "step"); step {
			case "good":
				p[0], came[0] = p[0]+1, came[0]+1
			case "bad":
				p[1], came[1] = p[1]+1, came[1]+1
			case "die":
				*p = [2]uint64{}
			case "read":
				var list []evidence.Reading
				for code, n := range p {
					if name := strconv.Itoa(i) + "/" + strconv.Itoa(code); n > 0 {
						if list = append(list, total(name, n)); code == 1 {
							list = append(list, failed(name, n))
						}
					}
				}
				e, _, err := counters.Add("a", at, list)
				require.NoError(t, err)
				counted[0], counted[1] = counted[0]+e.Good, counted[1]+e.Total-e.Good
			}
		}
		require.LessOrEqual(t, counted[0], came[0], "good")
		require.LessOrEqual(t, counted[1], came[1], "failed")
	})
}

func TestCountersRefuse(t *testing.T) {
	for _, bad := range []evidence.Counters{{}, {Source: "s"}, {Gap: time.Second}, {Source: "s", Gap: 367 * 24 * time.Hour}, {Source: "\n", Gap: 1}} {
		require.ErrorIs(t, bad.Validate(), opsec.ErrInvalid)
		_, _, err := bad.Add("a", 0, nil)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	c := &evidence.Counters{Source: "s", Gap: time.Second}
	_, _, err := c.Add("", 0, nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	zero := failed("", 0)
	_, _, err = c.Add("a", 10, []evidence.Reading{total("x", 0), total("y", 0), failed("x", 0), zero})
	require.NoError(t, err)
	for _, bad := range []struct {
		at int64
		of []evidence.Reading
	}{
		{9, nil}, {10, nil}, {-1, nil}, {253_402_300_800_000, nil},
		{20, []evidence.Reading{total("x", 5), total("x", 5), zero}},
		{20, []evidence.Reading{total("x", 1<<63), total("y", 1<<63), zero}},
		{20, []evidence.Reading{failed("x", 1)}},
	} {
		_, ok, err := c.Add("a", bad.at, bad.of)
		require.ErrorIs(t, err, opsec.ErrInvalid)
		require.False(t, ok)
	}
	_, ok, err := c.Add("a", 15, []evidence.Reading{total("x", 1)})
	require.NoError(t, err, "without failures, which are unknown")
	require.False(t, ok)
	for _, at := range []int64{14, 15} {
		_, _, err = c.Add("a", at, []evidence.Reading{total("x", 1), zero})
		require.ErrorContains(t, err, "after one at 15")
	}
	e, _, err := c.Add("a", 20, []evidence.Reading{total("x", 1), failed("x", 1)})
	require.NoError(t, err)
	require.Equal(t, requests(10, 20, 0, 1), e, "nothing was changed")
}

// TestAResourceThatWasRefusedIsNotHeld fails where its first reading, which was an error, begins a span.
func TestAResourceThatWasRefusedIsNotHeld(t *testing.T) {
	c := &evidence.Counters{Source: "s", Gap: time.Second}
	for range 2 {
		_, _, err := c.Add("a", 5, []evidence.Reading{failed("x", 1)})
		require.ErrorContains(t, err, "failures at 5 without a counter of all")
	}
	for at := range int64(2) {
		_, ok, err := c.Add("a", at, []evidence.Reading{total("x", uint64(at)), failed("x", 0)})
		require.NoError(t, err)
		require.Equal(t, at == 1, ok)
	}
}

// TestCountersForgetSeriesThatAreGone is of services that begin again under other names all the time.
func TestCountersForgetSeriesThatAreGone(t *testing.T) {
	if testing.Short() || race.Enabled {
		t.Skip("more series than may be held at one time")
	}
	c := &evidence.Counters{Source: "s", Gap: time.Millisecond, FromZero: true}
	pods := make([]evidence.Reading, 300_000)
	for at := range int64(4) {
		for i := range pods {
			pods[i].Series = strconv.FormatInt(at*1_000_000+int64(i), 36)
		}
		_, _, err := c.Add("a", at, pods)
		require.NoError(t, err)
	}
}
