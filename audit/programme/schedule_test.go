package programme_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
)

func series() programme.Series {
	return programme.Series{
		ID: "backups", Title: "Audit of backups", Months: 1, First: time.Date(2026, 1, 31, 9, 0, 0, 0, time.UTC), Lead: 10,
	}
}

func TestMonthsDoNotDrift(t *testing.T) {
	for _, test := range []struct {
		months int
		first  string
		want   []string
	}{
		{1, "2026-01-31", []string{"2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"}},
		{1, "2027-12-30", []string{"2027-12-30", "2028-01-30", "2028-02-29", "2028-03-30"}},
		{12, "2024-02-29", []string{"2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"}},
		{3, "2026-11-15", []string{"2026-11-15", "2027-02-15", "2027-05-15"}},
		{7, "2026-07-31", []string{"2026-07-31", "2027-02-28", "2027-09-30", "2028-04-30", "2028-11-30", "2029-06-30", "2030-01-31"}},
	} {
		s := series()
		first, err := time.Parse(time.DateOnly, test.first)
		require.NoError(t, err)
		s.Months, s.First = test.months, first.Add(9*time.Hour)
		for n, want := range test.want {
			due, err := s.Due(n)
			require.NoError(t, err)
			require.Equal(t, want+"T09:00:00Z", due.Format(time.RFC3339))
		}
	}
}

func TestDaysAreThoseOfTheZone(t *testing.T) {
	s := series()
	s.Zone = "Europe/Berlin"
	s.First = time.Date(2026, 1, 30, 23, 30, 0, 0, time.UTC) // the 31st there, at 00:30
	for n, want := range []string{"2026-01-31T00:30:00+01:00", "2026-02-28T00:30:00+01:00", "2026-03-31T00:30:00+02:00"} {
		due, err := s.Due(n)
		require.NoError(t, err)
		require.Equal(t, want, due.Format(time.RFC3339))
	}
	// It keeps its zone through JSON.
	b, err := json.Marshal(s)
	require.NoError(t, err)
	var read programme.Series
	require.NoError(t, json.Unmarshal(b, &read))
	due, err := read.Due(2)
	require.NoError(t, err)
	require.Equal(t, "2026-03-31T00:30:00+02:00", due.Format(time.RFC3339))
}

// At 02:30 on 29 March 2026 clocks in Berlin are put forward to 03:30; at 02:30 on 25 October they show it twice.
func TestTimesThatClocksSkipOrRepeat(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	s := series()
	s.Zone = "Europe/Berlin"
	s.First = time.Date(2026, 2, 28, 2, 30, 0, 0, zone)
	for first, want := range map[string]string{"2026-01-29": "2026-03-29T03:30:00+02:00", "2026-08-25": "2026-10-25T02:30:00+02:00"} {
		day, err := time.ParseInLocation(time.DateOnly, first, zone)
		require.NoError(t, err)
		s.First = day.Add(2*time.Hour + 30*minute)
		due, err := s.Due(2)
		require.NoError(t, err)
		require.Equal(t, want, due.Format(time.RFC3339))
	}
	s.Zone, s.First = "America/Sao_Paulo", time.Date(2018, 10, 4, 3, 0, 0, 0, time.UTC) // midnight, that 4 November skipped
	due, err := s.Due(1)
	require.NoError(t, err)
	require.Equal(t, "2018-11-04T01:00:00-02:00", due.Format(time.RFC3339))
}

func TestDueLaws(t *testing.T) {
	zones := []string{"", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia"}
	rapid.Check(t, func(t *rapid.T) {
		s := series()
		s.Zone = rapid.SampledFrom(zones).Draw(t, "zone")
		s.Months = rapid.IntRange(1, 60).Draw(t, "months")
		s.Lead = 0
		s.First = time.Unix(rapid.Int64Range(0, 2e9).Draw(t, "first"), 0)
		n := rapid.IntRange(0, 300).Draw(t, "n")
		a, err := s.Due(n)
		require.NoError(t, err)
		b, err := s.Due(n + 1)
		require.NoError(t, err)
		require.True(t, a.Before(b))
		zone, err := time.LoadLocation(s.Zone)
		require.NoError(t, err)
		first := s.First.In(zone)
		months := (a.Year()-first.Year())*12 + int(a.Month()) - int(first.Month())
		require.Equal(t, n*s.Months, months, "no month is skipped")
		require.LessOrEqual(t, a.Day(), max(first.Day(), 1)+1) // a whole day was skipped in Apia
		if first.Day() <= 28 && s.Zone != "Pacific/Apia" && first.Hour() > 4 {
			require.Equal(t, first.Day(), a.Day())
		}
		zero, err := s.Due(0)
		require.NoError(t, err)
		require.Equal(t, first.Format("15:04:05"), zero.Format("15:04:05"))
	})
}

func TestTurns(t *testing.T) {
	s := series()
	audit := func(id string, turn int, stage programme.Stage) programme.Audit {
		return programme.Audit{ID: id, Stage: stage, Plan: programme.Plan{Series: s.ID, Turn: turn}}
	}
	audits := []programme.Audit{
		audit("a0", 0, programme.Closed), audit("a2", 2, programme.Fieldwork), audit("x3", 3, programme.Cancelled),
		audit("a4", 4, programme.Planned), audit("b4", 4, programme.Reported), audit("c4", 4, programme.Planned),
		audit("a5", 5, programme.Approved),
		{ID: "other", Stage: programme.Reported, Plan: programme.Plan{Series: "keys", Turn: 1}},
	}
	states := func(now time.Time) (list []string) {
		turns, err := s.Turns(audits, now)
		require.NoError(t, err)
		for i, turn := range turns {
			require.Equal(t, i, turn.Number)
			list = append(list, string(turn.State)+" "+turn.Audit)
		}
		return list
	}
	at := func(n int) time.Time {
		due, err := s.Due(n)
		require.NoError(t, err)
		return due
	}
	require.Equal(t, []string{"done a0", "upcoming "}, states(at(0).Add(-100*day)))
	require.Equal(t, []string{"done a0", "upcoming "}, states(at(1).Add(-10*day-1)))
	require.Equal(t, []string{"done a0", "to plan ", "running a2", "upcoming "}, states(at(1).Add(-10*day)))
	require.Equal(t, []string{"done a0", "to plan ", "running a2", "upcoming "}, states(at(1).Add(-1)))
	require.Equal(t, []string{"done a0", "missed ", "running a2", "upcoming "}, states(at(1)))
	require.Equal(t, []string{"done a0", "missed ", "missed a2", "upcoming "}, states(at(2)), "not reported in time")
	require.Equal(t, []string{"done a0", "missed ", "missed a2", "missed ", "done b4", "running a5", "upcoming "}, states(at(3)),
		"one that was cancelled does not count, nor one that has not come as far as another")
	audits[1].Stage = programme.Reported
	require.Equal(t, []string{"done a0", "missed ", "done a2", "to plan ", "done b4", "running a5", "upcoming "}, states(at(3).Add(-1)), "late, and done")
}

func TestSeriesIsChecked(t *testing.T) {
	for _, change := range []func(*programme.Series){
		func(s *programme.Series) { s.ID = "" },
		func(s *programme.Series) { s.Title = "" },
		func(s *programme.Series) { s.Months = 0 },
		func(s *programme.Series) { s.Months = 61 },
		func(s *programme.Series) { s.First = time.Time{} },
		func(s *programme.Series) { s.Lead = -1 },
		func(s *programme.Series) { s.Lead = 28 },
		func(s *programme.Series) { s.Zone = "Europe/Atlantis" },
		func(s *programme.Series) { s.Zone = "Local" },
	} {
		s := series()
		change(&s)
		require.ErrorIs(t, s.Validate(), opsec.ErrInvalid, "%+v", s)
		_, err := s.Turns(nil, noon)
		require.ErrorIs(t, err, opsec.ErrInvalid)
		_, err = s.Due(0)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	s := series()
	s.Lead = 27
	require.NoError(t, s.Validate())
	_, err := s.Due(-1)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = s.Due(4096)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	turns, err := s.Turns(nil, noon.AddDate(1000, 0, 0))
	require.NoError(t, err)
	require.Len(t, turns, 4096, "it ends")
}
