package calendar_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/calendar"
)

const windowJSON = `{"name":"patch Sunday","kind":"maintenance","zone":"Europe/Berlin","start":"2026-01-04T02:00",` +
	`"end":"2026-01-04T06:00","rule":"FREQ=WEEKLY;BYDAY=SU","except":["2026-12-27"]}`

func windows(t require.TestingT, texts ...string) (list []calendar.Window) {
	for _, text := range texts {
		var w calendar.Window
		require.NoError(t, json.Unmarshal([]byte(text), &w))
		list = append(list, w)
	}
	return list
}

func newSchedule(t require.TestingT, list ...calendar.Window) *calendar.Schedule {
	s, err := calendar.NewSchedule(list)
	require.NoError(t, err)
	return s
}

func TestWindowReadsBackAsItIsWritten(t *testing.T) {
	text, err := json.Marshal(windows(t, windowJSON)[0])
	require.NoError(t, err)
	require.JSONEq(t, windowJSON, string(text))
}

func TestBadWindowIsRefusedByField(t *testing.T) {
	tests := []struct{ old, new, want string }{
		{"patch Sunday", "", "name"},
		{"patch Sunday", strings.Repeat("x", 201), "name"},
		{"patch Sunday", "\u202e", "name"},
		{"maintenance", "outage", "kind"},
		{"Europe/Berlin", "", "zone"},
		{"Europe/Berlin", "Local", "zone"},
		{"2026-01-04T02:00", "2026-01-04T24:00", "start"},
		{"2026-01-04T06:00", "2026-01-04T02:00", "end"},
		{"2026-01-04T06:00", "2027-01-06T00:00", "366 days"},
		{"2026-01-04T06:00", "2026-01-04 06:00", "local time"},
		{"BYDAY=SU", "BYDAY=MO", "does not start on 2026-01-04, but first on 2026-01-05"},
		{"2026-12-27", "2026-12-28", "exception"},
		{"2026-12-27", "2025-12-28", "exception"},
		{`"rule":"FREQ=WEEKLY;BYDAY=SU",`, "", "a rule"},
		{`"rule"`, `"rrule"`, "rrule"},
	}
	for _, test := range tests {
		text := strings.Replace(windowJSON, test.old, test.new, 1)
		require.NotEqual(t, windowJSON, text)
		var w calendar.Window
		err := json.Unmarshal([]byte(text), &w)
		require.ErrorIs(t, err, opsec.ErrInvalid, text)
		require.ErrorContains(t, err, test.want, text)
		require.Equal(t, calendar.Window{}, w)
	}
	_, err := calendar.NewSchedule(make([]calendar.Window, 1001))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = calendar.NewSchedule([]calendar.Window{windows(t, windowJSON)[0], {}})
	require.ErrorContains(t, err, "windows[1]")
}

func TestWindowKeepsItsTimesOnTheWallClock(t *testing.T) {
	s := newSchedule(t, windows(t, windowJSON)...)
	tests := []struct {
		day    string
		length time.Duration
	}{{"2026-03-22", 4 * time.Hour}, {"2026-03-29", 3 * time.Hour}, {"2026-10-25", 5 * time.Hour}, {"2026-12-20", 4 * time.Hour}}
	for _, test := range tests {
		o, err := s.Next(at(t, "Europe/Berlin", test.day+" 00:00"), calendar.Maintenance)
		require.NoError(t, err)
		require.Equal(t, "06:00", o.End.Format("15:04"))
		require.Equal(t, test.day, o.End.Format(time.DateOnly))
		require.Equal(t, test.length, o.End.Sub(o.Start), test.day)
	}
	o, err := s.Next(at(t, "Europe/Berlin", "2026-12-27 00:00"), calendar.Maintenance)
	require.NoError(t, err)
	require.Equal(t, "2027-01-03", o.Start.Format(time.DateOnly), "one was left out")
	next, err := s.Next(o.Start.Add(1), calendar.Maintenance)
	require.NoError(t, err)
	require.Equal(t, "2027-01-10", next.Start.Format(time.DateOnly), "not the one that is open")
	_, err = s.Next(o.Start, calendar.Freeze)
	require.ErrorIs(t, err, calendar.ErrHorizon)

	skipped := window(t, "Europe/Berlin", "2026-03-28T02:00", "FREQ=DAILY")
	require.Equal(t, []string{"2026-03-28", "2026-03-30"}, starts(t, skipped, 2), "02:00 to 03:00 was skipped")
}

func TestWindowsAtAnInstant(t *testing.T) {
	s := newSchedule(t, windows(t, windowJSON,
		`{"name":"year end","kind":"freeze","zone":"Europe/Berlin","start":"2025-12-20T00:00","end":"2026-01-07T00:00","rule":"FREQ=YEARLY"}`,
		`{"name":"launch","kind":"freeze","zone":"America/New_York","start":"2026-12-31T12:00","end":"2027-01-03T12:00"}`)...)
	names := func(text string) (list []string) {
		for _, o := range s.At(at(t, "Europe/Berlin", text)) {
			list = append(list, o.Name)
		}
		return list
	}
	require.Empty(t, names("2026-11-25 12:00"))
	require.Equal(t, []string{"patch Sunday"}, names("2026-11-29 02:00"))
	require.Empty(t, names("2026-11-29 06:00"))
	require.Equal(t, []string{"year end"}, names("2026-12-20 00:00"))
	require.Equal(t, []string{"year end", "patch Sunday"}, names("2026-12-20 03:00"), "by their starts")
	require.Equal(t, []string{"year end", "launch", "patch Sunday"}, names("2027-01-03 05:59"))
	require.Empty(t, names("2027-01-07 00:00"))
	require.Empty(t, names("2025-12-19 23:59"))
	require.Equal(t, []string{"year end"}, names("2026-01-06 23:59"), "begun last year")
}

func TestChangeRunsInMaintenanceOutsideOfFreezes(t *testing.T) {
	const zone = "Europe/Berlin"
	s := newSchedule(t, windows(t, windowJSON,
		`{"name":"late","kind":"maintenance","zone":"Europe/Berlin","start":"2026-11-29T06:00","end":"2026-11-29T08:00"}`,
		`{"name":"audit","kind":"freeze","zone":"Europe/Berlin","start":"2026-11-29T03:00","end":"2026-11-29T04:30"}`,
		`{"name":"elsewhere","kind":"freeze","zone":"Europe/Berlin","start":"2026-11-26T03:00","end":"2026-11-27T04:30"}`,
		`{"name":"later","kind":"freeze","zone":"Europe/Berlin","start":"2026-12-06T04:00","end":"2026-12-06T05:00"}`)...)
	tests := []struct {
		from           string
		length         time.Duration
		start          string
		within, waited string
	}{
		{"2026-11-25 12:00", time.Hour, "2026-11-29 02:00", "patch Sunday", ""},
		{"2026-11-25 12:00", 61 * time.Minute, "2026-11-29 04:30", "patch Sunday", "audit"},
		{"2026-11-25 12:00", 3 * time.Hour, "2026-11-29 04:30", "patch Sunday,late", "audit"},
		{"2026-11-25 12:00", 3*time.Hour + 30*time.Minute, "2026-11-29 04:30", "patch Sunday,late", "audit"},
		{"2026-11-25 12:00", 3*time.Hour + 31*time.Minute, "2026-12-13 02:00", "patch Sunday", "audit,later"},
		{"2026-11-29 02:30", 30 * time.Minute, "2026-11-29 02:30", "patch Sunday", ""},
		{"2026-11-29 02:31", 30 * time.Minute, "2026-11-29 04:30", "patch Sunday", "audit"},
		{"2026-11-29 07:30", 30 * time.Minute, "2026-11-29 07:30", "late", ""},
		{"2026-12-06 01:00", 2 * time.Hour, "2026-12-06 02:00", "patch Sunday", ""},
	}
	join := func(list []calendar.Occurrence) string {
		var names []string
		for _, o := range list {
			names = append(names, o.Name)
		}
		return strings.Join(names, ",")
	}
	for _, test := range tests {
		slot, err := s.Earliest(at(t, zone, test.from), test.length)
		require.NoError(t, err)
		require.Equal(t, test.start, slot.Start.Format("2006-01-02 15:04"), "%v", test)
		require.Equal(t, test.length, slot.End.Sub(slot.Start))
		require.Equal(t, test.within, join(slot.Within), "%v", test)
		require.Equal(t, test.waited, join(slot.Freezes), "%v", test)
		require.NoError(t, s.Check(slot.Start, test.length))
	}
	_, err := s.Earliest(at(t, zone, "2026-11-25 12:00"), 7*time.Hour)
	require.ErrorIs(t, err, calendar.ErrHorizon)

	err = s.Check(at(t, zone, "2026-11-29 02:30"), time.Hour)
	require.ErrorIs(t, err, opsec.ErrDenied)
	var refused *calendar.RefusedError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "audit", join(refused.Freezes))
	require.Zero(t, refused.Outside)
	require.EqualError(t, err, `calendar: change from 2026-11-29T02:30:00+01:00 to 2026-11-29T03:30:00+01:00: `+
		`freeze "audit" until 2026-11-29T04:30:00+01:00: denied`)
	require.ErrorAs(t, s.Check(at(t, zone, "2026-11-29 07:30"), time.Hour), &refused)
	require.Empty(t, refused.Freezes)
	require.True(t, refused.Outside.Equal(at(t, zone, "2026-11-29 08:00")))
	require.ErrorContains(t, refused, "no maintenance window at 2026-11-29T08:00:00+01:00")
	require.NoError(t, s.Check(at(t, zone, "2026-11-29 02:30"), 30*time.Minute))
	require.ErrorIs(t, s.Check(at(t, zone, "2026-11-29 02:30"), 30*time.Minute+1), opsec.ErrDenied, "a nanosecond of a freeze")
	require.NoError(t, s.Check(at(t, zone, "2026-11-29 04:30"), time.Hour))
	require.ErrorIs(t, s.Check(at(t, zone, "2026-11-29 04:30").Add(-1), time.Hour), opsec.ErrDenied)
	for _, d := range []time.Duration{0, -1, 367 * 24 * time.Hour} {
		require.ErrorIs(t, s.Check(time.Now(), d), opsec.ErrInvalid)
		_, err := s.Earliest(time.Now(), d)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
}

// TestSlotsEqualATrialOfEveryMinute tries every minute in turn.
func TestSlotsEqualATrialOfEveryMinute(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone, near := someZone(t)
		from := near.Truncate(15 * time.Minute)
		var list []calendar.Window
		for range rapid.IntRange(1, 6).Draw(t, "windows") {
			w := window(t, zone, calendar.DateOf(from).AddDays(rapid.IntRange(-2, 3).Draw(t, "day")).String()+"T00:00", "")
			w.Kind = rapid.SampledFrom([]calendar.Kind{calendar.Maintenance, calendar.Maintenance, calendar.Freeze}).Draw(t, "kind")
			w.Rule = rapid.SampledFrom([]string{"", "FREQ=DAILY;COUNT=3", "FREQ=DAILY;INTERVAL=2;COUNT=2"}).Draw(t, "rule")
			w.Start.Time = calendar.Clock(0, 15*rapid.IntRange(0, 95).Draw(t, "start"))
			w.End = calendar.Local{Date: w.Start.Date.AddDays(rapid.IntRange(0, 1).Draw(t, "days")), Time: calendar.Clock(0, 15*rapid.IntRange(0, 96).Draw(t, "end"))}
			if w.Validate() == nil {
				list = append(list, w)
			}
		}
		s := newSchedule(t, list...)
		d := time.Duration(rapid.IntRange(1, 40).Draw(t, "length")) * 15 * time.Minute
		const quarters = 10 * 96
		var allowed [quarters + 41]bool
		for i := range allowed {
			q := from.Add(time.Duration(i) * 15 * time.Minute)
			inside, frozen := false, false
			for o := range s.Occurrences(from.AddDate(0, 0, -9), from.AddDate(0, 0, 19)) {
				if !q.Before(o.Start) && q.Before(o.End) {
					inside = inside || o.Kind == calendar.Maintenance
					frozen = frozen || o.Kind == calendar.Freeze
				}
			}
			allowed[i] = inside && !frozen
			for _, o := range s.At(q) {
				require.True(t, !q.Before(o.Start) && q.Before(o.End))
			}
		}
		want := -1
		for i := 0; i < quarters && want < 0; i++ {
			fits := true
			for j := range int(d / (15 * time.Minute)) {
				fits = fits && allowed[i+j]
			}
			start := from.Add(time.Duration(i) * 15 * time.Minute)
			require.Equal(t, fits, s.Check(start, d) == nil, "%s for %v", start, d)
			if fits {
				want = i
			}
		}
		slot, err := s.Earliest(from, d)
		if want < 0 {
			require.ErrorIs(t, err, calendar.ErrHorizon)
			return
		}
		require.NoError(t, err)
		require.True(t, slot.Start.Equal(from.Add(time.Duration(want)*15*time.Minute)), "%s, want quarter %d after %s", slot.Start, want, from)
		require.NotEmpty(t, slot.Within)
	})
}

func TestWholeDayWindowsAreHolidays(t *testing.T) {
	days, err := calendar.DaysOf(windows(t,
		`{"name":"once","kind":"freeze","zone":"UTC","start":"2026-08-03T00:00","end":"2026-08-05T00:00"}`,
		`{"name":"again","kind":"freeze","zone":"Asia/Tokyo","start":"2025-12-30T00:00","end":"2026-01-02T00:00","rule":"FREQ=YEARLY","except":["2027-12-30"]}`,
		`{"name":"late","kind":"freeze","zone":"UTC","start":"2026-08-04T00:00","end":"2026-08-05T24:00"}`))
	require.NoError(t, err)
	for date, want := range map[string]string{
		"2026-08-02": "", "2026-08-03": "once", "2026-08-04": "once", "2026-08-05": "late", "2026-08-06": "",
		"2025-12-29": "", "2025-12-30": "again", "2026-12-31": "again", "2027-01-01": "again", "2027-01-02": "", "2027-12-31": "", "2029-01-01": "again",
	} {
		d, err := calendar.ParseDate(date)
		require.NoError(t, err)
		name, ok := days.Holiday(d)
		require.Equal(t, want, name, date)
		require.Equal(t, want != "", ok, date)
	}
	_, err = calendar.DaysOf(windows(t, windowJSON))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = calendar.DaysOf([]calendar.Window{{}})
	require.ErrorContains(t, err, "windows[0]")
}

// FuzzWindowJSON: what is accepted is valid, reads back as it is written, starts on its start, and ends searching.
func FuzzWindowJSON(f *testing.F) {
	for _, rule := range []string{"", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=SU", "FREQ=MONTHLY;BYDAY=-1SU;COUNT=7", "FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-1",
		"FREQ=WEEKLY;INTERVAL=2;WKST=SU;UNTIL=20270101T000000Z"} {
		f.Add("Europe/Berlin", "2026-01-04T02:00", "2026-01-04T06:00", rule)
	}
	f.Add("Pacific/Apia", "2011-12-30T02:00", "2011-12-31T24:00", "FREQ=DAILY;COUNT=2")
	f.Fuzz(func(t *testing.T, zone, start, end, rule string) {
		text, err := json.Marshal(map[string]string{"name": "w", "kind": "freeze", "zone": zone, "start": start, "end": end, "rule": rule})
		require.NoError(t, err)
		var w calendar.Window
		if json.Unmarshal(text, &w) != nil {
			return
		}
		again, err := json.Marshal(w)
		require.NoError(t, err)
		require.Equal(t, w, windows(t, string(again))[0])
		s := newSchedule(t, w)
		from := time.Date(w.Start.Date.Year, w.Start.Date.Month, w.Start.Date.Day-2, 0, 0, 0, 0, time.UTC)
		last := from
		for o := range s.Occurrences(from, from.AddDate(3, 0, 0)) {
			require.True(t, o.Start.Before(o.End) && o.Start.After(last))
			last = o.Start
		}
		_, _ = s.Next(from.AddDate(3, 0, 0), calendar.Freeze)
	})
}

func BenchmarkEarliest(b *testing.B) {
	s := newSchedule(b, windows(b, windowJSON,
		`{"name":"year end","kind":"freeze","zone":"Europe/Berlin","start":"2025-12-20T00:00","end":"2026-01-07T00:00","rule":"FREQ=YEARLY"}`,
		`{"name":"Black Friday","kind":"freeze","zone":"America/New_York","start":"2026-11-26T00:00","end":"2026-12-01T00:00","rule":"FREQ=YEARLY;BYMONTH=11;BYDAY=4TH"}`)...)
	from := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Earliest(from, 2*time.Hour); err != nil {
			b.Fatal(err)
		}
	}
}
