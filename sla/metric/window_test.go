package metric_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/timeline"
)

func TestPeriodsByName(t *testing.T) {
	for _, c := range []struct{ calendar, zone, name, start, end string }{
		{"month", "", "2026-03", "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"},
		{"month", "UTC", "2026-12", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"},
		{"month", "Europe/Berlin", "2026-03", "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z"},      // 743 hours
		{"month", "America/New_York", "2026-11", "2026-11-01T04:00:00Z", "2026-12-01T05:00:00Z"},   // 721 hours
		{"day", "Europe/Berlin", "2026-03-29", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"},     // 23 hours
		{"day", "America/New_York", "2026-11-01", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},  // 25 hours
		{"day", "America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"}, // begins at 01:00
		{"day", "America/Havana", "2026-11-01", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},    // midnight comes twice
		{"day", "America/St_Johns", "2010-11-07", "2010-11-07T02:30:00Z", "2010-11-08T03:30:00Z"},  // back to 23:01 the day before
		{"day", "Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"},      // the day before was skipped
		{"month", "Pacific/Apia", "2011-12", "2011-12-01T10:00:00Z", "2011-12-31T10:00:00Z"},       // 30 days
		{"year", "Pacific/Kiritimati", "1994", "1994-01-01T10:00:00Z", "1994-12-31T10:00:00Z"},     // its last day was skipped
		{"day", "", "2024-02-29", "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z"},
		{"day", "", "2028-02-29", "2028-02-29T00:00:00Z", "2028-03-01T00:00:00Z"},
		{"month", "", "2028-02", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"},
		{"day", "Australia/Lord_Howe", "2026-10-04", "2026-10-03T13:30:00Z", "2026-10-04T13:00:00Z"}, // 23 hours and a half
		{"day", "Antarctica/Troll", "2026-03-29", "2026-03-29T00:00:00Z", "2026-03-29T22:00:00Z"},    // 22 hours
		{"year", "", "2024", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"},
		{"quarter", "Europe/Berlin", "2026-Q4", "2026-09-30T22:00:00Z", "2026-12-31T23:00:00Z"},
		{"week", "", "2026-W01", "2025-12-29T00:00:00Z", "2026-01-05T00:00:00Z"},
		{"week", "", "2020-W53", "2020-12-28T00:00:00Z", "2021-01-04T00:00:00Z"},
		{"week", "Asia/Kathmandu", "2026-W11", "2026-03-08T18:15:00Z", "2026-03-15T18:15:00Z"},
		{"year", "", "0001", "0001-01-01T00:00:00Z", "0002-01-01T00:00:00Z"},
		{"year", "", "9998", "9998-01-01T00:00:00Z", "9999-01-01T00:00:00Z"},
	} {
		span, err := metric.Window{Calendar: c.calendar, Zone: c.zone}.Period(c.name)
		require.NoError(t, err, "%v", c)
		require.Equal(t, c.start+" "+c.end, text(span.Start)+" "+text(span.End), "%v", c)
	}
	rolling := metric.Window{Rolling: metric.Duration(30 * 24 * time.Hour)}
	span, err := rolling.Period("2026-03-31T00:00:00+02:00")
	require.NoError(t, err)
	require.Equal(t, "2026-02-28T22:00:00Z 2026-03-30T22:00:00Z", text(span.Start)+" "+text(span.End))
}

func text(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339Nano) }

func TestNameHasOneForm(t *testing.T) {
	for _, c := range [][3]string{
		{"month", "", "2026-3"}, {"month", "", "2026-13"}, {"month", "", "2026-00"}, {"month", "", "2026"}, {"month", "", "2026-03-01"},
		{"month", "", "+2026-03"}, {"month", "", " 2026-03"}, {"month", "", "2026-Q3"}, {"month", "", "0000-01"}, {"month", "", ""},
		{"month", "", "2026-03\n"}, {"month", "", "99999-03"}, {"month", "", "9999-03"}, {"year", "", "9999"}, {"year", "", "0"}, {"year", "", "2026-"},
		{"year", "", "2026-01"}, {"day", "", "2026-02-29"}, {"day", "", "2100-02-29"}, {"day", "", "2026-3-1"}, {"day", "Pacific/Apia", "2011-12-30"},
		{"week", "", "2026-W54"}, {"week", "", "2021-W53"}, {"week", "", "2026-W00"}, {"week", "", "2026-W1"}, {"week", "", "2026-W-1"},
		{"week", "", "2026-01"}, {"quarter", "", "2026-Q0"}, {"quarter", "", "2026-Q5"}, {"quarter", "", "2026-QQ1"}, {"quarter", "", "2026-1"},
		{"month", "Mars/Olympus", "2026-03"}, {"month", "Local", "2026-03"}, {"month", "../etc/passwd", "2026-03"},
		{"fortnight", "", "2026-03"}, {"", "", "2026-03"}, {"", "", "2026-03-01T00:00:00Z"},
	} {
		_, err := metric.Window{Calendar: c[0], Zone: c[1]}.Period(c[2])
		require.ErrorIs(t, err, opsec.ErrInvalid, "%q", c)
		var f *metric.Fault
		require.ErrorAs(t, err, &f)
	}
	for _, w := range []metric.Window{{}, {Calendar: "fortnight"}, {Calendar: "day", Zone: "nowhere"}, {Rolling: 1}, {Rolling: -5},
		{Rolling: metric.Duration(1_500_000)}, {Rolling: metric.Duration(3660*24*time.Hour + time.Millisecond)}} {
		_, _, err := w.At(time.UnixMilli(begin))
		require.ErrorIs(t, err, opsec.ErrInvalid, "%+v", w)
	}
	for _, moment := range []time.Time{{}, time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 5, 1, 0, 0, 0, 0, time.UTC), time.Unix(1<<55, 0)} {
		if moment.IsZero() {
			moment = moment.Add(-time.Hour)
		}
		for _, w := range []metric.Window{{Calendar: "month"}, {Rolling: metric.Duration(time.Hour)}} {
			_, _, err := w.At(moment)
			require.ErrorIs(t, err, opsec.ErrInvalid, "%v %+v", moment, w)
		}
	}
}

var zones = []string{
	"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo", "Africa/Cairo",
	"America/Havana", "Africa/Casablanca", "Asia/Kathmandu", "America/St_Johns", "Pacific/Kiritimati", "Asia/Gaza", "Asia/Beirut", "Antarctica/Troll",
}

// TestPeriodsTouchAndHoldTheirMoments looks at moments near midnight, where clocks are changed.
func TestPeriodsTouchAndHoldTheirMoments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := metric.Window{
			Calendar: rapid.SampledFrom([]string{"day", "week", "month", "quarter", "year"}).Draw(t, "calendar"),
			Zone:     rapid.SampledFrom(zones).Draw(t, "zone"),
		}
		loc, err := time.LoadLocation(w.Zone)
		require.NoError(t, err)
		moment := time.Date(rapid.IntRange(1975, 2060).Draw(t, "year"), 1, 1, 0, 0, 0, 0, loc).
			AddDate(0, 0, rapid.IntRange(0, 365).Draw(t, "day")).Add(time.Duration(rapid.IntRange(-7200, 7200).Draw(t, "seconds")) * time.Second)
		if rapid.Bool().Draw(t, "change") { // as near to the next change of the clock
			if _, end := moment.ZoneBounds(); !end.IsZero() {
				moment = end.Add(time.Duration(rapid.IntRange(-7200, 7200).Draw(t, "off")) * time.Second)
			}
		}
		name, span, err := w.At(moment)
		require.NoError(t, err)
		require.LessOrEqual(t, span.Start, moment.UnixMilli())
		require.Greater(t, span.End, moment.UnixMilli())
		again, err := w.Period(name)
		require.NoError(t, err)
		require.Equal(t, span, again)
		_, next, err := w.At(time.UnixMilli(span.End))
		require.NoError(t, err)
		require.Equal(t, span.End, next.Start)
		_, before, err := w.At(time.UnixMilli(span.Start - 1))
		require.NoError(t, err)
		require.Equal(t, span.Start, before.End)
		require.Equal(t, span.Start, plainMidnight(loc, span.Start), "no earlier moment shows that date")
	})
}

// plainMidnight goes through the minutes around a moment, to find the first whose clock shows its date or a later one.
func plainMidnight(loc *time.Location, ms int64) int64 {
	date := func(t time.Time) int {
		y, m, d := t.Date()
		return y*10000 + int(m)*100 + d
	}
	at := time.UnixMilli(ms).In(loc)
	for t := at.Add(-26 * time.Hour); ; t = t.Add(time.Minute) {
		if date(t) >= date(at) {
			return t.UnixMilli()
		}
	}
}

// TestClockThatGoesBackOverMidnight is of St John's, where a minute of 7 November came before the last hour of the 6th again.
func TestClockThatGoesBackOverMidnight(t *testing.T) {
	w := metric.Window{Calendar: "day", Zone: "America/St_Johns"}
	for moment, want := range map[string]string{
		"2010-11-07T02:29:59Z": "2010-11-06", "2010-11-07T02:30:00Z": "2010-11-07", "2010-11-07T02:45:00Z": "2010-11-07",
		"2010-11-07T03:29:59Z": "2010-11-07", "2010-11-08T03:29:59Z": "2010-11-07", "2010-11-08T03:30:00Z": "2010-11-08",
	} {
		at, err := time.Parse(time.RFC3339, moment)
		require.NoError(t, err)
		name, _, err := w.At(at)
		require.NoError(t, err)
		require.Equal(t, want, name, moment)
	}
}

func TestRollingWindowEndsAtAMoment(t *testing.T) {
	w := metric.Window{Rolling: metric.Duration(time.Hour)}
	name, span, err := w.At(time.Date(2026, 3, 29, 3, 30, 0, 500_000_000, time.FixedZone("", 7200)))
	require.NoError(t, err)
	require.Equal(t, "2026-03-29T01:30:00.5Z", name)
	require.Equal(t, timeline.Span{Start: span.End - 3_600_000, End: span.End}, span)
	again, err := w.Period(name)
	require.NoError(t, err)
	require.Equal(t, span, again)
	w.Rolling = metric.Duration(3660 * 24 * time.Hour)
	require.NoError(t, w.Validate())
	_, span, err = w.At(time.UnixMilli(begin))
	require.NoError(t, err)
	require.Equal(t, int64(3660*day), span.End-span.Start)
	for year, ok := range map[int]bool{0: false, 1: true, 9998: true, 9999: false} {
		_, _, err = w.At(time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC))
		require.Equal(t, ok, err == nil, "%d", year)
	}
}
