package calendar_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/calendar"
)

func withHolidays(t testing.TB, holidays ...calendar.Holiday) *calendar.Calendar {
	return newCalendar(t, calendar.Policy{Zone: "UTC", Hours: calendar.AlwaysOn(), Holidays: holidays})
}

// named returns the holidays of a year, by their dates.
func named(cal *calendar.Calendar, year int) map[string]string {
	found := map[string]string{}
	for d := (calendar.Date{Year: year, Month: 1, Day: 1}); d.Year == year; d = d.AddDays(1) {
		if name, ok := cal.Holiday(d); ok {
			found[d.String()] = name
		}
	}
	return found
}

func TestDayRulesFallOnKnownDates(t *testing.T) {
	tests := []struct {
		on    calendar.DayRule
		dates string
	}{
		{"12-25", "2026-12-25 2027-12-25"},
		{"02-29", "2028-02-29 2000-02-29"},
		{"2026-11-25", "2026-11-25"},
		{"easter", "1818-03-22 1943-04-25 1961-04-02 2000-04-23 2008-03-23 2024-03-31 2025-04-20 2026-04-05 2038-04-25 2285-03-22"},
		{"easter-2", "2026-04-03"},
		{"easter+49", "2026-05-24"},
		{"julian-easter", "1999-04-11 2024-05-05 2025-04-20 2026-04-12 2027-05-02 2100-05-02"},
		{"julian-easter+1", "2026-04-13"},
		{"1st Mon of Sep", "2026-09-07 2025-09-01"},
		{"4th Thu of Nov", "2026-11-26 2029-11-22 2024-11-28"},
		{"5th Fri of Jan", "2027-01-29"},
		{"last Mon of May", "2026-05-25 2027-05-31"},
		{"last Thu of Dec", "2026-12-31"},
		{"last Sat of Feb", "2028-02-26 2020-02-29"},
		{"Sat on or after 06-20", "2026-06-20 2027-06-26"},
		{"Mon on or before 05-24", "2026-05-18 2027-05-24"},
		{"Wed on or before 11-22", "2026-11-18"},
		{"Sun on or after 12-28", "2025-12-28"},
	}
	for _, test := range tests {
		cal := withHolidays(t, calendar.Holiday{Name: "day", On: test.on})
		for text := range strings.FieldsSeq(test.dates) {
			d, err := calendar.ParseDate(text)
			require.NoError(t, err)
			require.Equal(t, map[string]string{text: "day"}, named(cal, d.Year), "%s", test.on)
		}
	}
	for _, empty := range []struct {
		on   calendar.DayRule
		year int
	}{{"02-29", 2026}, {"5th Mon of Jan", 2026}, {"5th Thu of Feb", 2026}, {"2026-11-25", 2027}} {
		require.Empty(t, named(withHolidays(t, calendar.Holiday{Name: "day", On: empty.on}), empty.year), "%s in %d", empty.on, empty.year)
	}
}

func TestDayRulesThatAreNoneAreRefused(t *testing.T) {
	for _, on := range []calendar.DayRule{
		"", "13-01", "02-30", "2026-02-29", "2026-11-25T00:00", "easter2", "easter+", "easter+181", "easter+1.5", "Easter",
		"0th Mon of May", "6th Mon of May", "las Mon of May", "1st Monday of May", "1st Mon of may", "1st  Mon of May", "1st Mon of May ",
		"Mon on or near 05-24", "Mon on or after 05-32", "Mon on or after", "12-25 ", "easter-2 ", calendar.DayRule(strings.Repeat("easter", 20)),
	} {
		err := calendar.Policy{Zone: "UTC", Hours: calendar.AlwaysOn(), Holidays: []calendar.Holiday{{Name: "day", On: on}}}.Validate()
		require.ErrorIs(t, err, opsec.ErrInvalid, "%q", on)
		require.ErrorContains(t, err, "holidays[0]")
	}
}

func TestHolidayAtAWeekendIsObservedByCustom(t *testing.T) {
	kingdom := withHolidays(t,
		calendar.Holiday{Name: "Christmas", On: "12-25", Observed: calendar.ObservedNext},
		calendar.Holiday{Name: "Boxing Day", On: "12-26", Observed: calendar.ObservedNext})
	require.Equal(t, map[string]string{ // a Saturday and a Sunday
		"2021-12-25": "Christmas", "2021-12-26": "Boxing Day",
		"2021-12-27": "Christmas (observed)", "2021-12-28": "Boxing Day (observed)",
	}, named(kingdom, 2021))
	require.Equal(t, map[string]string{ // a Sunday and a Monday
		"2022-12-25": "Christmas", "2022-12-26": "Boxing Day", "2022-12-27": "Christmas (observed)",
	}, named(kingdom, 2022))

	alone := withHolidays(t, calendar.Holiday{Name: "New Year", On: "01-01", Observed: calendar.ObservedNext})
	require.Equal(t, map[string]string{"2022-01-01": "New Year", "2022-01-03": "New Year (observed)"}, named(alone, 2022))
	require.Equal(t, map[string]string{"2023-01-01": "New Year", "2023-01-02": "New Year (observed)"}, named(alone, 2023))
	require.Equal(t, map[string]string{"2026-01-01": "New Year"}, named(alone, 2026))

	states := withHolidays(t,
		calendar.Holiday{Name: "New Year", On: "01-01", Observed: calendar.ObservedNearest},
		calendar.Holiday{Name: "Independence", On: "07-04", Observed: calendar.ObservedNearest})
	require.Equal(t, map[string]string{
		"2021-01-01": "New Year", "2021-07-04": "Independence", "2021-07-05": "Independence (observed)",
		"2021-12-31": "New Year (observed)", // 1 January 2022 is a Saturday
	}, named(states, 2021))

	japan := withHolidays(t,
		calendar.Holiday{Name: "Constitution", On: "05-03", Observed: calendar.ObservedSunday},
		calendar.Holiday{Name: "Greenery", On: "05-04", Observed: calendar.ObservedSunday},
		calendar.Holiday{Name: "Children", On: "05-05", Observed: calendar.ObservedSunday})
	require.Equal(t, map[string]string{ // from Sunday to Tuesday
		"2026-05-03": "Constitution", "2026-05-04": "Greenery", "2026-05-05": "Children", "2026-05-06": "Constitution (observed)",
	}, named(japan, 2026))
	require.Len(t, named(japan, 2025), 4, "Greenery on a Sunday: after Children")
}

func TestHolidaysOfSeveralDaysCrossTheYear(t *testing.T) {
	cal := withHolidays(t, calendar.Holiday{Name: "closure", On: "12-29", Days: 5})
	require.Equal(t, map[string]string{
		"2026-01-01": "closure", "2026-01-02": "closure",
		"2026-12-29": "closure", "2026-12-30": "closure", "2026-12-31": "closure",
	}, named(cal, 2026))
}

func TestFirstHolidayOfADateHolds(t *testing.T) {
	noon := []calendar.Span{{Start: calendar.Clock(9, 0), End: calendar.Clock(12, 0)}}
	cal := newCalendar(t, calendar.Policy{Zone: "UTC", Hours: calendar.AlwaysOn(), Holidays: []calendar.Holiday{
		{Name: "this year", On: "2026-12-24"},
		{Name: "every year", On: "12-24", Open: noon},
		{Name: "open after all", On: "2026-11-25", Open: noon},
	}}, always{})
	hours := func(y int, m time.Month, d int) time.Duration {
		from := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
		return cal.Between(from, from.AddDate(0, 0, 1))
	}
	require.Zero(t, hours(2026, 12, 24))
	require.Equal(t, 3*time.Hour, hours(2027, 12, 24))
	require.Equal(t, 3*time.Hour, hours(2026, 11, 25), "what the policy says comes before other holidays")
	require.Zero(t, hours(2026, 11, 26))

	name, ok := cal.Holiday(calendar.Date{Year: 2026, Month: 12, Day: 24})
	require.True(t, ok)
	require.Equal(t, "this year", name)
	_, ok = cal.Holiday(calendar.Date{Year: 2027, Month: 12, Day: 24})
	require.False(t, ok, "a day with hours of its own")
	name, ok = newCalendar(t, calendar.Policy{Zone: "UTC", Hours: calendar.AlwaysOn()}, cal).Holiday(calendar.Date{Year: 2026, Month: 11, Day: 26})
	require.True(t, ok, "one calendar's holidays are another's")
	require.Equal(t, "always", name)
}
