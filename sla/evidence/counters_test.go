package evidence_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
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
		{"begins again at the same value", false, []read{{0, list{total("", 7)}}, {10, list{total("", 7)}}}, nil},
		{"one of two begins again", false, []read{
			{0, list{total("200", 100), total("500", 10)}}, {10, list{total("200", 90), total("500", 11)}},
		}, []meter.Evidence{requests(0, 10, 91, 91)}},
		{"exactly a gap", false, []read{{0, list{total("", 1)}}, {15, list{total("", 3)}}}, []meter.Evidence{requests(0, 15, 2, 2)}},
		{"one over a gap", false, []read{{0, list{total("", 1)}}, {16, list{total("", 3)}}, {20, list{total("", 4)}}}, []meter.Evidence{requests(16, 20, 1, 1)}},
		{"one over a gap, and from zero", true, []read{{0, list{total("", 1)}}, {16, list{total("", 3)}}}, nil},
		{"a series that is new", false, []read{
			{0, list{total("200", 1)}}, {10, list{total("200", 2), total("500", 3), failed("500", 3)}}, {20, list{total("200", 2), total("500", 4), failed("500", 4)}},
		}, []meter.Evidence{requests(0, 10, 1, 1), requests(10, 20, 0, 1)}},
		{"a series that is new, from zero", true, []read{
			{0, list{total("200", 1)}}, {10, list{total("200", 2), total("500", 3), failed("500", 3)}},
		}, []meter.Evidence{requests(0, 10, 1, 4)}},
		{"a series that is new after exactly a gap, from zero", true, []read{
			{0, list{total("x", 1)}}, {15, list{total("x", 1), total("y", 4)}},
		}, []meter.Evidence{requests(0, 15, 4, 4)}},
		{"a series that was away", false, []read{
			{0, list{total("x", 1), total("y", 1)}}, {10, list{total("x", 1)}}, {15, list{total("x", 1), total("y", 5)}},
		}, []meter.Evidence{requests(10, 15, 4, 4)}},
		{"a series that was away for longer than a gap", false, []read{
			{0, list{total("x", 1), total("y", 1)}}, {10, list{total("x", 1)}}, {20, list{total("x", 2), total("y", 5)}},
		}, []meter.Evidence{requests(10, 20, 1, 1)}},
		{"a series that was away for longer than a gap, from zero", true, []read{
			{0, list{total("x", 1), total("y", 1)}}, {10, list{total("x", 1)}}, {20, list{total("x", 2), total("y", 5)}},
		}, []meter.Evidence{requests(10, 20, 6, 6)}},
		{"read at different moments", false, []read{{0, list{total("", 5), failed("", 0)}}, {10, list{total("", 6), failed("", 2)}}}, []meter.Evidence{requests(0, 10, 0, 1)}},
		{"nothing was read", false, []read{{0, nil}, {10, nil}, {20, list{total("", 1)}}}, nil},
		{"the largest", false, []read{{0, list{total("", 0)}}, {1, list{total("", math.MaxUint64)}}}, []meter.Evidence{requests(0, 1, math.MaxUint64, math.MaxUint64)}},
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
		var all, bad, came, cameBad, counted, countedBad uint64
		lost := false
		at, last := int64(0), int64(-1)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			at += rapid.Int64Range(1, 9).Draw(t, "ms")
			switch rapid.SampledFrom([]string{"request", "request", "fail", "read", "read", "die"}).Draw(t, "step") {
			case "request":
				all++
				came++
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
				last = at
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

func TestCountersRefuse(t *testing.T) {
	for _, bad := range []evidence.Counters{{}, {Source: "s"}, {Gap: time.Second}, {Source: "s", Gap: 367 * 24 * time.Hour}, {Source: "\n", Gap: 1}} {
		require.ErrorIs(t, bad.Validate(), opsec.ErrInvalid)
		_, _, err := bad.Add("a", 0, nil)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	c := &evidence.Counters{Source: "s", Gap: time.Second}
	_, _, err := c.Add("", 0, nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, _, err = c.Add("a", 10, []evidence.Reading{total("x", 0), total("y", 0)})
	require.NoError(t, err)
	for _, bad := range []struct {
		at int64
		of []evidence.Reading
	}{
		{9, nil}, {10, nil}, {-1, nil}, {253_402_300_800_000, nil},
		{20, []evidence.Reading{total("x", 5), total("x", 5)}},
		{20, []evidence.Reading{total("x", 1<<63), total("y", 1<<63)}},
	} {
		_, ok, err := c.Add("a", bad.at, bad.of)
		require.ErrorIs(t, err, opsec.ErrInvalid)
		require.False(t, ok)
	}
	e, _, err := c.Add("a", 20, []evidence.Reading{total("x", 1), failed("x", 1)})
	require.NoError(t, err)
	require.Equal(t, requests(10, 20, 1, 1), e, "nothing was changed")
}
