package calendar_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/calendar"
)

func local(t require.TestingT, text string) calendar.Local {
	l, err := calendar.ParseLocal(text)
	require.NoError(t, err)
	return l
}

// window is one of an hour.
func window(t require.TestingT, zone, start, rule string) calendar.Window {
	from := local(t, start)
	to := from
	to.Time += calendar.Clock(1, 0)
	return calendar.Window{Name: "window", Kind: calendar.Maintenance, Zone: zone, Start: from, End: to, Rule: rule}
}

// starts returns the first n starts.
func starts(t require.TestingT, w calendar.Window, n int) (dates []string) {
	s, err := calendar.NewSchedule([]calendar.Window{w})
	require.NoError(t, err, w.Rule)
	for o := range s.Occurrences(time.Unix(0, 0), time.Date(2600, 1, 1, 0, 0, 0, 0, time.UTC)) {
		if len(dates) == n {
			break
		}
		dates = append(dates, o.Start.Format(time.DateOnly))
	}
	return dates
}

// TestRulesRecurAsRFC5545Says takes its cases from the examples of section 3.8.5.3, and from what programs write.
func TestRulesRecurAsRFC5545Says(t *testing.T) {
	tests := []struct{ start, rule, dates string }{
		{"1997-09-02", "FREQ=DAILY;COUNT=3", "1997-09-02 1997-09-03 1997-09-04"},
		{"1997-09-02", "FREQ=DAILY;INTERVAL=10;COUNT=5", "1997-09-02 1997-09-12 1997-09-22 1997-10-02 1997-10-12"},
		{"1997-12-22", "FREQ=DAILY;UNTIL=19971224T000000Z", "1997-12-22 1997-12-23"},
		{"1997-12-22", "FREQ=DAILY;UNTIL=19971224T140000Z", "1997-12-22 1997-12-23 1997-12-24"},
		{"1997-12-22", "FREQ=DAILY;UNTIL=19971224", "1997-12-22 1997-12-23 1997-12-24"},
		{"1997-12-22", "FREQ=DAILY;UNTIL=19971224T085959", "1997-12-22 1997-12-23"},
		{"1997-12-22", "FREQ=DAILY;UNTIL=19971224T090000", "1997-12-22 1997-12-23 1997-12-24"},
		{"1998-01-01", "FREQ=DAILY;BYMONTH=1;UNTIL=20000131T140000Z", "1998-01-01 1998-01-02 1998-01-03 1998-01-04"},
		{"1997-09-02", "FREQ=WEEKLY;INTERVAL=2;WKST=SU", "1997-09-02 1997-09-16 1997-09-30 1997-10-14"},
		{"1997-09-02", "FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH", "1997-09-02 1997-09-04 1997-09-09 1997-09-11"},
		{"1997-09-01", "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR", "1997-09-01 1997-09-03 1997-09-05 1997-09-15 1997-09-17"},
		{"1997-08-05", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", "1997-08-05 1997-08-10 1997-08-19 1997-08-24"},
		{"1997-08-05", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", "1997-08-05 1997-08-17 1997-08-19 1997-08-31"},
		{"1997-09-05", "FREQ=MONTHLY;COUNT=10;BYDAY=1FR", "1997-09-05 1997-10-03 1997-11-07 1997-12-05 1998-01-02"},
		{"1997-09-07", "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU", "1997-09-07 1997-09-28 1997-11-02 1997-11-30 1998-01-04 1998-01-25"},
		{"1997-09-22", "FREQ=MONTHLY;COUNT=6;BYDAY=-2MO", "1997-09-22 1997-10-20 1997-11-17 1997-12-22 1998-01-19 1998-02-16"},
		{"1997-09-28", "FREQ=MONTHLY;BYMONTHDAY=-3", "1997-09-28 1997-10-29 1997-11-28 1997-12-29 1998-01-29 1998-02-26"},
		{"1997-09-02", "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15", "1997-09-02 1997-09-15 1997-10-02 1997-10-15"},
		{"1997-09-30", "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1", "1997-09-30 1997-10-01 1997-10-31 1997-11-01 1997-11-30"},
		{"1997-09-10", "FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15", "1997-09-10 1997-09-11 1997-09-12 1997-09-13 1997-09-14 1997-09-15 1999-03-10"},
		{"1997-06-10", "FREQ=YEARLY;COUNT=10;BYMONTH=6,7", "1997-06-10 1997-07-10 1998-06-10 1998-07-10"},
		{"1997-03-10", "FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3", "1997-03-10 1999-01-10 1999-02-10 1999-03-10"},
		{"1997-05-19", "FREQ=YEARLY;BYDAY=20MO", "1997-05-19 1998-05-18 1999-05-17"},
		{"1997-03-13", "FREQ=YEARLY;BYMONTH=3;BYDAY=TH", "1997-03-13 1997-03-20 1997-03-27 1998-03-05"},
		{"1998-02-13", "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "1998-02-13 1998-03-13 1998-11-13 1999-08-13 2000-10-13"},
		{"1997-09-13", "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13", "1997-09-13 1997-10-11 1997-11-08 1997-12-13"},
		{"1996-11-05", "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8", "1996-11-05 2000-11-07 2004-11-02"},
		{"1997-09-04", "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "1997-09-04 1997-10-07 1997-11-06"},
		{"1997-09-29", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2", "1997-09-29 1997-10-30 1997-11-27 1997-12-30"},
		{"2007-01-15", "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5", "2007-01-15 2007-01-30 2007-02-15 2007-03-15 2007-03-30"},
		{"2026-01-31", "FREQ=MONTHLY", "2026-01-31 2026-03-31 2026-05-31"},
		{"2024-02-29", "FREQ=YEARLY", "2024-02-29 2028-02-29"},
		{"2026-11-26", "FREQ=YEARLY;BYMONTH=11;BYDAY=TH;BYSETPOS=4", "2026-11-26 2027-11-25 2028-11-23"},
		{"2026-11-30", "FREQ=YEARLY;BYMONTH=11;BYMONTHDAY=-1", "2026-11-30 2027-11-30"},
		{"2026-01-04", "", "2026-01-04"},
	}
	for _, test := range tests {
		want := strings.Fields(test.dates)
		w := window(t, "America/New_York", test.start+"T09:00", test.rule)
		got := starts(t, w, len(want))
		require.Equal(t, want, got, test.rule)
		if test.rule == "" || strings.Contains(test.rule, "UNTIL=199712") && !strings.Contains(test.rule, "WEEKLY") {
			require.Equal(t, want, starts(t, w, 100), "and no more")
		}
	}
	require.Len(t, starts(t, window(t, "UTC", "2026-01-01T00:00", "FREQ=YEARLY;COUNT=17"), 100), 17)
	require.Len(t, starts(t, window(t, "UTC", "2026-01-01T00:00", "FREQ=YEARLY;INTERVAL=50;COUNT=3"), 100), 3)
}

func TestRulesThatAreNotSupportedAreRefused(t *testing.T) {
	for rule, want := range map[string]string{
		"FREQ=HOURLY":                                        "FREQ",
		"BYDAY=MO":                                           "FREQ",
		"FREQ=":                                              "FREQ",
		"FREQ=DAILY;BYHOUR=9":                                "BYHOUR",
		"FREQ=YEARLY;BYWEEKNO=20":                            "BYWEEKNO",
		"FREQ=YEARLY;BYYEARDAY=1":                            "BYYEARDAY",
		"FREQ=DAILY;RSCALE=GREGORIAN":                        "RSCALE",
		"FREQ=DAILY;FREQ=DAILY":                              "twice",
		"FREQ=DAILY;":                                        "not a part",
		"FREQ=DAILY;COUNT":                                   "not a part",
		"FREQ=DAILY;COUNT=0":                                 "COUNT",
		"FREQ=DAILY;COUNT=1001":                              "COUNT",
		"FREQ=YEARLY;COUNT=202":                              "200 years",
		"FREQ=DAILY;COUNT=x":                                 "COUNT",
		"FREQ=DAILY;COUNT=3;UNTIL=20270101":                  "exclude",
		"FREQ=DAILY;INTERVAL=0":                              "INTERVAL",
		"FREQ=DAILY;UNTIL=2027-01-01":                        "UNTIL",
		"FREQ=DAILY;UNTIL=20260101":                          "before the start",
		"FREQ=WEEKLY;BYDAY=2MO":                              "number",
		"FREQ=WEEKLY;BYMONTHDAY=4":                           "BYMONTHDAY",
		"FREQ=WEEKLY;BYDAY=XX":                               "BYDAY",
		"FREQ=WEEKLY;BYDAY=":                                 "BYDAY",
		"FREQ=WEEKLY;WKST=2":                                 "WKST",
		"FREQ=MONTHLY;BYDAY=0MO":                             "BYDAY",
		"FREQ=MONTHLY;BYDAY=54MO":                            "BYDAY",
		"FREQ=MONTHLY;BYMONTHDAY=0":                          "BYMONTHDAY",
		"FREQ=MONTHLY;BYMONTHDAY=32":                         "BYMONTHDAY",
		"FREQ=MONTHLY;BYMONTH=13":                            "BYMONTH",
		"FREQ=MONTHLY;BYSETPOS=1":                            "BYSETPOS",
		"FREQ=WEEKLY;BYDAY=SU;BYSETPOS=1":                    "BYSETPOS",
		"FREQ=YEARLY;BYDAY=SU;BYSETPOS=1":                    "BYSETPOS",
		"FREQ=MONTHLY;BYDAY=1SU;BYMONTHDAY=4":                "together",
		"FREQ=WEEKLY;BYDAY=MO":                               "does not start on 2026-01-04, but first on 2026-01-05",
		"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30":                "but never",
		"FREQ=DAILY" + strings.Repeat(";X=", 200):            "bytes",
		"freq=daily":                                         "not supported",
		"FREQ=MONTHLY;BYMONTHDAY=" + strings.Repeat("4", 40): "BYMONTHDAY",
	} {
		err := window(t, "UTC", "2026-01-04T09:00", rule).Validate() // a Sunday
		require.ErrorIs(t, err, opsec.ErrInvalid, rule)
		require.ErrorContains(t, err, want, rule)
	}
}

// TestRulesEqualAnExpansionByPeriods compares with the RFC's own way: make the set of days of each period, cut it by
// BYSETPOS, and take what is not before the start.
func TestRulesEqualAnExpansionByPeriods(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		freq := rapid.SampledFrom([]string{"MONTHLY", "YEARLY"}).Draw(t, "freq")
		interval := rapid.IntRange(1, 5).Draw(t, "interval")
		month := rapid.SampledFrom([]int{0, 0, 2, 11}).Draw(t, "month")
		n := rapid.IntRange(-5, 5).Draw(t, "n")
		on := time.Weekday(rapid.IntRange(0, 6).Draw(t, "weekday"))
		workdays := rapid.Bool().Draw(t, "workdays") && (freq == "MONTHLY" || month != 0) && n != 0
		first := time.Date(2024, time.Month(rapid.IntRange(1, 12).Draw(t, "from")), 1, 0, 0, 0, 0, time.UTC)

		rule := "FREQ=" + freq + ";INTERVAL=" + strconv.Itoa(interval)
		if month != 0 {
			rule += ";BYMONTH=" + strconv.Itoa(month)
		}
		number := strconv.Itoa(n)
		letters := strings.ToUpper(on.String()[:2])
		switch {
		case workdays:
			rule += ";BYDAY=MO,TU,WE,TH,FR;BYSETPOS=" + number
		case n == 0:
			rule += ";BYDAY=" + letters
		default:
			rule += ";BYDAY=" + number + letters
		}

		var want []string
		for p := 0; len(want) < 6 && p < 400; p += interval {
			from := first.AddDate(0, p, 0)
			to := from.AddDate(0, 1, 0)
			if freq == "YEARLY" {
				from = time.Date(2024+p, 1, 1, 0, 0, 0, 0, time.UTC)
				to = from.AddDate(1, 0, 0)
			}
			var days []string // of the period
			for d := from; d.Before(to); d = d.AddDate(0, 0, 1) {
				fits := month == 0 || int(d.Month()) == month
				if workdays {
					fits = fits && d.Weekday() != time.Saturday && d.Weekday() != time.Sunday
				} else {
					fits = fits && d.Weekday() == on
				}
				if fits {
					days = append(days, d.Format(time.DateOnly))
				}
			}
			switch {
			case n > 0 && n <= len(days):
				days = days[n-1 : n]
			case n < 0 && -n <= len(days):
				days = days[len(days)+n : len(days)+n+1]
			case n != 0:
				days = nil
			}
			for _, d := range days {
				if d >= first.Format(time.DateOnly) {
					want = append(want, d)
				}
			}
		}
		if len(want) == 0 {
			return
		}
		w := window(t, "UTC", want[0]+"T09:00", rule)
		got := starts(t, w, len(want))
		require.Equal(t, want, got, rule)
	})
}
