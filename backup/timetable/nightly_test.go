package timetable_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/backup/timetable"
)

func TestNightsAreByTheClockOnTheWall(t *testing.T) {
	vienna, err := time.LoadLocation("Europe/Vienna")
	require.NoError(t, err)
	list := timetable.Nightly(time.Date(2026, 3, 27, 12, 0, 0, 0, vienna), 3, 22*time.Hour, 6*time.Hour)
	var lengths []time.Duration
	for _, w := range list {
		lengths = append(lengths, w.Until.Sub(w.From))
	}
	require.Equal(t, []time.Duration{8 * time.Hour, 7 * time.Hour, 8 * time.Hour}, lengths, "summer time begins on the 29th")
}

func TestNightsWhenTheClockIsChanged(t *testing.T) {
	for _, c := range []struct {
		zone, day   string
		from, until time.Duration
		want        string // in UTC
	}{
		{"Europe/Vienna", "2026-03-28", 22 * time.Hour, 6 * time.Hour, "28 21:00 to 29 04:00"},
		{"Europe/Vienna", "2026-03-29", 2 * time.Hour, 3 * time.Hour, ""}, // that hour was left out
		{"Europe/Vienna", "2026-03-29", 150 * time.Minute, 4 * time.Hour, "29 01:00 to 29 02:00"},
		{"Europe/Vienna", "2026-03-29", time.Hour, 150 * time.Minute, "29 00:00 to 29 01:00"},
		{"Europe/Vienna", "2026-10-25", 2 * time.Hour, 3 * time.Hour, "25 00:00 to 25 02:00"},
		{"Europe/Vienna", "2026-10-25", 90 * time.Minute, 150 * time.Minute, "24 23:30 to 25 00:30"},
		{"America/New_York", "2026-03-08", 2 * time.Hour, 3 * time.Hour, ""},
		{"America/New_York", "2026-03-08", 2 * time.Hour, 4 * time.Hour, "08 07:00 to 08 08:00"},
		{"America/New_York", "2026-03-08", 90 * time.Minute, 2 * time.Hour, "08 06:30 to 08 07:00"},
		{"America/New_York", "2026-11-01", 90 * time.Minute, 2 * time.Hour, "01 05:30 to 01 07:00"},
		{"Pacific/Apia", "2011-12-29", 22 * time.Hour, 6 * time.Hour, "30 08:00 to 30 10:00"}, // there was no 30th
		{"UTC", "2026-03-08", 22 * time.Hour, 30 * time.Hour, "08 22:00 to 09 06:00"},
		{"UTC", "2026-03-08", 22 * time.Hour, 22 * time.Hour, "08 22:00 to 09 22:00"},
	} {
		place, err := time.LoadLocation(c.zone)
		require.NoError(t, err)
		first, err := time.ParseInLocation(time.DateOnly, c.day, place)
		require.NoError(t, err)
		got := ""
		for _, w := range timetable.Nightly(first, 1, c.from, c.until) {
			got = w.From.UTC().Format("02 15:04") + " to " + w.Until.UTC().Format("02 15:04")
		}
		require.Equal(t, c.want, got, "%s %s", c.zone, c.day)
	}
}

// The beginning of a night is the first minute of which the clock shows that time or more.
func TestNightsBeginWhenTheClockShowsIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		place, err := time.LoadLocation(rapid.SampledFrom([]string{"Europe/Vienna", "America/New_York", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kolkata"}).Draw(t, "zone"))
		require.NoError(t, err)
		day := time.Date(2026, 1, rapid.IntRange(1, 365).Draw(t, "day"), 12, 0, 0, 0, place)
		from := rapid.IntRange(0, 24*60-1).Draw(t, "from")
		list := timetable.Nightly(day, 1, time.Duration(from)*time.Minute, time.Duration(from+12*60)*time.Minute)
		require.Len(t, list, 1)
		want := time.Date(2026, day.Month(), day.Day(), from/60, from%60, 0, 0, time.UTC)
		got := want.Add(-15 * time.Hour)
		for {
			_, offset := got.In(place).Zone()
			if !got.Add(time.Duration(offset) * time.Second).Before(want) {
				break
			}
			got = got.Add(time.Minute)
		}
		require.True(t, got.Equal(list[0].From), "%v, want %v", list[0].From, got)
	})
}
