package calendar_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/calendar"
)

func newCalendar(t require.TestingT, p calendar.Policy, holidays ...calendar.Holidays) *calendar.Calendar {
	cal, err := calendar.New(p, holidays...)
	require.NoError(t, err)
	return cal
}

func shifts(t require.TestingT, texts ...string) (list []calendar.Shift) {
	for _, text := range texts {
		s, err := calendar.ParseShift(text)
		require.NoError(t, err)
		list = append(list, s)
	}
	return list
}

// at reads "2026-11-25 09:00" in a zone.
func at(t require.TestingT, zone, text string) time.Time {
	loc, err := time.LoadLocation(zone)
	require.NoError(t, err)
	when, err := time.ParseInLocation("2006-01-02 15:04", text, loc)
	require.NoError(t, err)
	return when
}

func TestServiceTimeStopsOutsideOfHours(t *testing.T) {
	const zone = "Europe/Berlin"
	cal := newCalendar(t, calendar.Policy{
		Zone:  zone,
		Hours: calendar.FiveByEight(calendar.Clock(9, 0)),
		Holidays: []calendar.Holiday{
			{Name: "Christmas Eve", On: "12-24", Open: []calendar.Span{{Start: calendar.Clock(9, 0), End: calendar.Clock(12, 0)}}},
			{Name: "Christmas", On: "12-25", Days: 2},
			{Name: "stock-taking", On: "2026-12-19", Open: []calendar.Span{{Start: calendar.Clock(10, 0), End: calendar.Clock(14, 0)}}},
		},
	})
	tests := []struct {
		from, to string
		hours    float64
	}{
		{"2026-11-25 09:00", "2026-11-25 17:00", 8},
		{"2026-11-25 08:00", "2026-11-25 10:30", 1.5},
		{"2026-11-27 16:00", "2026-11-30 10:00", 2},  // over a week-end
		{"2026-12-23 16:00", "2026-12-28 10:00", 5},  // 1, a half day of 3, Christmas, a week-end, 1
		{"2026-12-18 17:00", "2026-12-21 09:00", 4},  // an extra Saturday
		{"2027-12-24 00:00", "2027-12-25 00:00", 3},  // a Friday
		{"2022-12-24 00:00", "2022-12-25 00:00", 0},  // a Saturday: the half day opens nothing
		{"2026-03-27 09:00", "2026-03-30 17:00", 16}, // the clock is changed on the Sunday between
		{"2026-11-25 10:00", "2026-11-25 09:00", -1}, // backwards
		{"2026-01-01 00:00", "2026-01-01 00:00", 0},  // nothing
		{"2026-11-28 00:00", "2026-11-30 00:00", 0},  // a week-end
	}
	for _, test := range tests {
		a, b := at(t, zone, test.from), at(t, zone, test.to)
		require.Equal(t, time.Duration(test.hours*float64(time.Hour)), cal.Between(a, b), "%s to %s", test.from, test.to)
	}
}

func TestDeadlineIsTheFirstInstantAtWhichTheTimeHasPassed(t *testing.T) {
	const zone = "America/New_York"
	cal := newCalendar(t, calendar.Policy{Zone: zone, Hours: calendar.FiveByEight(calendar.Clock(9, 0))})
	tests := []struct {
		from string
		add  time.Duration
		due  string
	}{
		{"2026-11-25 16:00", time.Hour, "2026-11-25 17:00"}, // this evening, not tomorrow morning
		{"2026-11-25 16:00", 2 * time.Hour, "2026-11-26 10:00"},
		{"2026-11-27 17:00", time.Minute, "2026-11-30 09:01"},
		{"2026-11-28 12:00", 40 * time.Hour, "2026-12-04 17:00"},
		{"2026-11-28 12:00", 0, "2026-11-28 12:00"},
	}
	for _, test := range tests {
		from := at(t, zone, test.from)
		due, err := cal.Add(from, test.add)
		require.NoError(t, err)
		require.Equal(t, test.due, due.Format("2006-01-02 15:04"), "%s + %v", test.from, test.add)
		require.Equal(t, from.Location(), due.Location())
	}
	for _, d := range []time.Duration{-1, 101 * 365 * 24 * time.Hour} {
		_, err := cal.Add(time.Now(), d)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
}

func TestDayOnWhichTheClockIsChangedLastsWhatItLasts(t *testing.T) {
	tests := []struct {
		zone, day, hours string
		want             time.Duration
	}{
		{"Europe/Berlin", "2026-03-29", "Mon-Sun 00:00-24:00", 23 * time.Hour},
		{"Europe/Berlin", "2026-10-25", "Mon-Sun 00:00-24:00", 25 * time.Hour},
		{"Europe/Berlin", "2026-03-29", "Mon-Sun 02:00-03:00", 0}, // skipped
		{"Europe/Berlin", "2026-03-29", "Mon-Sun 02:30-04:00", time.Hour},
		{"Europe/Berlin", "2026-03-29", "Mon-Sun 09:00-17:00", 8 * time.Hour},
		{"Europe/Berlin", "2026-10-25", "Mon-Sun 01:00-02:30", 90 * time.Minute}, // its end comes twice, and first counts
		{"Europe/Berlin", "2026-10-25", "Mon-Sun 02:30-04:00", 150 * time.Minute},
		{"Europe/Berlin", "2026-10-25", "Mon-Sun 02:00-03:00", 2 * time.Hour},
		{"Australia/Lord_Howe", "2026-04-05", "Mon-Sun 00:00-24:00", 24*time.Hour + 30*time.Minute},
		{"Pacific/Apia", "2011-12-30", "Mon-Sun 00:00-24:00", 0}, // there was no such day
		{"Pacific/Apia", "2011-12-29", "Mon-Sun 00:00-24:00", 24 * time.Hour},
		{"America/Sao_Paulo", "2018-11-04", "Mon-Sun 00:00-24:00", 23 * time.Hour}, // began at 01:00
		{"America/Sao_Paulo", "2018-02-17", "Mon-Sun 00:00-24:00", 25 * time.Hour}, // 23:00 came twice
		{"America/Havana", "2018-11-04", "Mon-Sun 00:00-24:00", 25 * time.Hour},    // 00:00 came twice
		{"America/Havana", "2018-11-03", "Mon-Sun 00:00-24:00", 24 * time.Hour},
		{"America/Juneau", "1867-10-19", "Mon-Sun 00:00-24:00", 48 * time.Hour}, // went back a day at 15:33
		{"Europe/Berlin", "2040-12-31", "Mon-Sun 00:00-24:00", 24 * time.Hour},
		{"Europe/Berlin", "2040-12-31", "Mon-Sun 22:00-06:00", 8 * time.Hour},
	}
	for _, test := range tests {
		day, err := calendar.ParseDate(test.day)
		require.NoError(t, err)
		s := shifts(t, test.hours)
		s[0].Days = calendar.WeekdaysOf(day.Weekday()) // this day alone, in a week
		cal := newCalendar(t, calendar.Policy{Zone: test.zone, Hours: s})
		noon := time.Date(day.Year, day.Month, day.Day, 12, 0, 0, 0, time.UTC)
		got := cal.Between(noon.AddDate(0, 0, -3), noon.AddDate(0, 0, 3))
		require.Equal(t, test.want, got, "%v", test)
	}
}

func TestNightShiftBelongsToTheDayOnWhichItBegins(t *testing.T) {
	const zone = "Asia/Kathmandu"
	cal := newCalendar(t, calendar.Policy{
		Zone: zone, Hours: shifts(t, "Mon-Fri 22:00-06:00"),
		Holidays: []calendar.Holiday{{Name: "holiday", On: "2026-11-26"}}, // a Thursday
	})
	require.True(t, cal.Open(at(t, zone, "2026-11-26 05:59")), "begun on the day before the holiday")
	require.False(t, cal.Open(at(t, zone, "2026-11-26 06:00")))
	require.False(t, cal.Open(at(t, zone, "2026-11-26 22:00")))
	require.False(t, cal.Open(at(t, zone, "2026-11-27 03:00")), "would have begun on the holiday")
	require.True(t, cal.Open(at(t, zone, "2026-11-28 03:00")), "Saturday, begun on Friday")
	require.False(t, cal.Open(at(t, zone, "2026-11-30 03:00")), "Monday, not begun on Sunday")
}

func TestSpecialHoursThatMeetANightShiftCountOnce(t *testing.T) {
	const zone = "UTC"
	cal := newCalendar(t, calendar.Policy{
		Zone: zone, Hours: shifts(t, "Mon-Fri 22:00-06:00"),
		Holidays: []calendar.Holiday{{Name: "early", On: "2026-11-26", Open: []calendar.Span{{Start: calendar.Clock(4, 0), End: calendar.Clock(8, 0)}}}},
	})
	require.Equal(t, 10*time.Hour, cal.Between(at(t, zone, "2026-11-25 12:00"), at(t, zone, "2026-11-26 12:00")))
}

func TestNextOpenAndNextClose(t *testing.T) {
	const zone = "Europe/Berlin"
	cal := newCalendar(t, calendar.Policy{Zone: zone, Hours: shifts(t, "Mon 09:00-12:00", "Mon 12:00-17:00", "Tue 00:00-24:00", "Wed 00:00-01:00")})
	tests := []struct{ from, open, close string }{
		{"2026-11-23 08:00", "2026-11-23 09:00", "2026-11-23 08:00"},
		{"2026-11-23 09:00", "2026-11-23 09:00", "2026-11-23 17:00"},
		{"2026-11-23 11:00", "2026-11-23 11:00", "2026-11-23 17:00"},
		{"2026-11-23 17:00", "2026-11-24 00:00", "2026-11-23 17:00"},
		{"2026-11-24 05:00", "2026-11-24 05:00", "2026-11-25 01:00"},
		{"2026-11-25 01:00", "2026-11-30 09:00", "2026-11-25 01:00"},
	}
	for _, test := range tests {
		from := at(t, zone, test.from)
		open, err := cal.NextOpen(from)
		require.NoError(t, err)
		require.Equal(t, test.open, open.Format("2006-01-02 15:04"), test.from)
		closes, err := cal.NextClose(from)
		require.NoError(t, err)
		require.Equal(t, test.close, closes.Format("2006-01-02 15:04"), test.from)
	}
}

// always is a holiday.
type always struct{}

func (always) Holiday(calendar.Date) (string, bool) { return "always", true }

func TestCalendarThatNeverOpensOrClosesSaysSo(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	never := newCalendar(t, calendar.Policy{Zone: "UTC", Hours: calendar.AlwaysOn()}, always{})
	require.False(t, never.Open(now))
	require.Zero(t, never.Between(now, now.AddDate(100, 0, 0)))
	_, err := never.Add(now, 1)
	require.ErrorIs(t, err, calendar.ErrHorizon)
	_, err = never.NextOpen(now)
	require.ErrorIs(t, err, calendar.ErrHorizon)

	ever := newCalendar(t, calendar.Policy{Zone: "UTC", Hours: calendar.AlwaysOn()})
	_, err = ever.NextClose(now)
	require.ErrorIs(t, err, calendar.ErrHorizon)
	due, err := ever.Add(now, 90*365*24*time.Hour)
	require.NoError(t, err, "long, but it comes")
	require.Equal(t, 90*365*24*time.Hour, due.Sub(now))

	later := newCalendar(t, calendar.Policy{Zone: "UTC", Hours: calendar.AlwaysOn(),
		Holidays: []calendar.Holiday{{Name: "open", On: "2040-01-01", Open: []calendar.Span{{End: calendar.Clock(24, 0)}}}}}, always{})
	require.Equal(t, 24*time.Hour, later.Between(now, now.AddDate(100, 0, 0)), "no horizon where the end is given")
	_, err = later.Add(now, 1)
	require.ErrorIs(t, err, calendar.ErrHorizon)
}

func TestTimesFarAwayAreNoServiceTime(t *testing.T) {
	cal := newCalendar(t, calendar.Policy{Zone: "Europe/Berlin", Hours: calendar.AlwaysOn()})
	for _, far := range []time.Time{time.Unix(1<<55, 5), time.Unix(-1<<55, 5)} {
		require.False(t, cal.Open(far))
		require.Zero(t, cal.Between(far, far.Add(time.Hour)))
	}
	require.Equal(t, time.Duration(1<<63-1), cal.Between(time.Time{}, time.Unix(1<<55, 0)), "as much as a duration holds")
	old := time.Date(-5, 1, 1, 0, 0, 0, 5, time.UTC)
	due, err := cal.Add(old, time.Hour)
	require.NoError(t, err)
	require.Equal(t, time.Hour, cal.Between(old, due))
	open, err := cal.NextOpen(old)
	require.NoError(t, err)
	require.Equal(t, time.Time{}, open.UTC(), "the first instant that counts")
	_, err = cal.Add(time.Unix(1<<55, 0), time.Hour)
	require.ErrorIs(t, err, calendar.ErrHorizon)
}

// someZone draws a zone, and an instant near a change of its clock.
func someZone(t *rapid.T) (zone string, near time.Time) {
	zone = rapid.SampledFrom(zones).Draw(t, "zone")
	loc, err := time.LoadLocation(zone)
	require.NoError(t, err)
	near = time.Date(rapid.IntRange(1940, 2110).Draw(t, "year"), 1, 1, 0, 0, 0, 0, time.UTC)
	if _, change := near.In(loc).ZoneBounds(); !change.IsZero() {
		near = change
	}
	if rapid.Bool().Draw(t, "date line") {
		zone, near = "Pacific/Apia", time.Date(2011, 12, 30, 10, 0, 0, 0, time.UTC)
	}
	near = near.Truncate(time.Minute) // tables of zones may end in mid-minute, without a change
	return zone, near.Add(time.Duration(rapid.IntRange(-3*1440, 3*1440).Draw(t, "minutes")) * time.Minute)
}

// somePolicy draws hours that do not overlap, nights among them, in minutes.
func somePolicy(t *rapid.T, zone string) calendar.Policy {
	p := calendar.Policy{Zone: zone}
	for len(p.Hours) == 0 {
		for d := time.Sunday; d <= time.Saturday; d++ {
			ends := rapid.SliceOfNDistinct(rapid.IntRange(0, 1440), 0, 6, rapid.ID).Draw(t, d.String())
			for i := 1; i < len(ends); i += 2 {
				p.Hours = append(p.Hours, calendar.Shift{Days: calendar.WeekdaysOf(d), Span: calendar.Span{
					Start: calendar.Clock(0, ends[i-1]), End: calendar.Clock(0, ends[i])}})
				if p.Validate() != nil {
					p.Hours = p.Hours[:len(p.Hours)-1]
				}
			}
		}
	}
	return p
}

func someHolidays(t *rapid.T, near time.Time) dateSet {
	holidays := dateSet{}
	for _, n := range rapid.SliceOfN(rapid.IntRange(-5, 5), 0, 4).Draw(t, "holidays") {
		holidays[calendar.DateOf(near).AddDays(n)] = true
	}
	return holidays
}

// TestServiceTimeEqualsAClockThatNeverGoesBack: a minute is open if the local clock, were it to stand still while it
// repeats itself, shows a time within a span of a day.
func TestServiceTimeEqualsAClockThatNeverGoesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone, from := someZone(t)
		p := somePolicy(t, zone)
		holidays := someHolidays(t, from)
		cal := newCalendar(t, p, holidays)
		to := from.Add(60 * time.Hour)
		var shows time.Time // as if in UTC
		var want time.Duration
		for m := from.Add(-72 * time.Hour); m.Before(to); m = m.Add(time.Minute) {
			if _, offset := m.In(cal.Location()).Zone(); m.Add(time.Duration(offset) * time.Second).After(shows) {
				shows = m.Add(time.Duration(offset) * time.Second).UTC()
			}
			if m.Before(from) {
				continue
			}
			open := false
			for _, s := range p.Hours {
				for back := range 2 {
					day := calendar.DateOf(shows).AddDays(-back)
					clock := calendar.Clock(24*back+shows.Hour(), shows.Minute()) + calendar.TimeOfDay(shows.Second())
					end := s.Span.End
					if end <= s.Span.Start {
						end += calendar.Clock(24, 0)
					}
					open = open || s.Days.Has(day.Weekday()) && !holidays[day] && s.Span.Start <= clock && clock < end
				}
			}
			require.Equal(t, open, cal.Open(m), "%s, the clock shows %s", m.In(cal.Location()), shows)
			if open {
				want += time.Minute
			}
		}
		require.Equal(t, want, cal.Between(from, to))
	})
}

func TestLawsOfServiceTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone, a := someZone(t)
		cal := newCalendar(t, somePolicy(t, zone), someHolidays(t, a))
		draw := func(label string) time.Time {
			return a.Add(time.Duration(rapid.Int64Range(0, int64(20*24*time.Hour)).Draw(t, label)))
		}
		b, c := draw("b"), draw("c")
		require.Equal(t, cal.Between(a, c), cal.Between(a, b)+cal.Between(b, c), "it adds up")
		require.Equal(t, cal.Between(a, b), -cal.Between(b, a))
		if !c.Before(b) {
			require.GreaterOrEqual(t, cal.Between(a, c), cal.Between(a, b), "it grows")
		}
		if c.After(b) {
			require.LessOrEqual(t, cal.Between(b, c), c.Sub(b), "it is not more than there is")
		}
		d := time.Duration(rapid.Int64Range(1, int64(200*time.Hour)).Draw(t, "d"))
		due, err := cal.Add(a, d)
		require.NoError(t, err)
		require.Equal(t, d, cal.Between(a, due), "Add is the inverse")
		require.Less(t, cal.Between(a, due.Add(-1)), d, "the first such instant")

		open, err := cal.NextOpen(b)
		require.NoError(t, err)
		require.True(t, cal.Open(open))
		require.Zero(t, cal.Between(b, open))
		require.Equal(t, cal.Open(b), open.Equal(b))
		if closes, err := cal.NextClose(b); err == nil {
			require.False(t, cal.Open(closes))
			require.Equal(t, closes.Sub(b), cal.Between(b, closes))
		}

		from, to := a.Truncate(time.Second), a.Add(20*24*time.Hour).Truncate(time.Second)
		var sum time.Duration
		last := from.Add(-1)
		for iv := range cal.Intervals(from, to) {
			require.True(t, last.Before(iv.Start) && iv.Start.Before(iv.End), "apart, in order, not empty")
			sum, last = sum+iv.End.Sub(iv.Start), iv.End
		}
		require.Equal(t, cal.Between(from, to), sum)

		whole := newCalendar(t, calendar.Policy{Zone: zone, Hours: calendar.AlwaysOn()})
		require.Equal(t, c.Sub(b), whole.Between(b, c), "7x24 is all time")
	})
}

func TestOneCalendarServesManyGoroutines(t *testing.T) {
	cal := newCalendar(t, calendar.Policy{
		Zone: "Europe/Berlin", Hours: calendar.FiveByEight(calendar.Clock(9, 0)),
		Holidays: []calendar.Holiday{{Name: "Good Friday", On: "easter-2"}, {Name: "New Year", On: "01-01", Observed: calendar.ObservedNearest}},
	})
	from := time.Date(1890, 1, 1, 0, 0, 0, 0, time.UTC) // before what is remembered
	to := from.AddDate(300, 0, 0).Add(-200 * 365 * 24 * time.Hour)
	want := cal.Between(from, to)
	fresh := newCalendar(t, calendar.Policy{
		Zone: "Europe/Berlin", Hours: calendar.FiveByEight(calendar.Clock(9, 0)),
		Holidays: []calendar.Holiday{{Name: "Good Friday", On: "easter-2"}, {Name: "New Year", On: "01-01", Observed: calendar.ObservedNearest}},
	})
	var wait sync.WaitGroup
	results := make([]time.Duration, 8)
	for i := range results {
		wait.Go(func() { results[i] = fresh.Between(from, to) })
	}
	wait.Wait()
	for _, got := range results {
		require.Equal(t, want, got)
	}
}

func BenchmarkCalendar(b *testing.B) {
	cal := newCalendar(b, calendar.Policy{
		Zone: "Europe/Berlin", Hours: calendar.FiveByEight(calendar.Clock(9, 0)),
		Holidays: []calendar.Holiday{
			{Name: "New Year", On: "01-01"}, {Name: "Good Friday", On: "easter-2"}, {Name: "Easter Monday", On: "easter+1"},
			{Name: "Labour Day", On: "05-01"}, {Name: "Ascension", On: "easter+39"}, {Name: "Unity", On: "10-03"}, {Name: "Christmas", On: "12-25", Days: 2},
		},
	})
	from := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for _, days := range []int{1, 30, 3652} {
		b.Run(fmt.Sprintf("Between/days=%d", days), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				cal.Between(from, from.AddDate(0, 0, days))
			}
		})
	}
	for _, hours := range []int{4, 80, 20000} {
		b.Run(fmt.Sprintf("Add/hours=%d", hours), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := cal.Add(from, time.Duration(hours)*time.Hour); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
