package calendar_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/calendar"
)

// zones change their clocks in every way: by half an hour, at midnight, across the date line, back in winter and
// forward for it, twice a year around Ramadan, in the southern summer, and not at all any more.
var zones = []string{
	"Europe/Berlin", "America/New_York", "Europe/Dublin", "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo",
	"Africa/Cairo", "Asia/Beirut", "America/Asuncion", "America/Havana", "Africa/Casablanca", "Asia/Kathmandu",
	"Asia/Gaza", "Pacific/Chatham", "Asia/Pyongyang",
}

// unavailable skips, or fails where everything should be there.
func unavailable(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// zoneDatabase is the folder that package time reads before any other.
func zoneDatabase(t *testing.T) string {
	for _, dir := range []string{os.Getenv("ZONEINFO"), "/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/usr/lib/locale/TZ", "/etc/zoneinfo"} {
		if _, err := os.Stat(filepath.Join(dir, "Europe/Berlin")); dir != "" && err == nil {
			return dir
		}
	}
	unavailable(t, "no folder with a zone database that Go and Python could share")
	return ""
}

type question struct {
	Zones    []string `json:"zones"`
	Policies []hours  `json:"policies"`
}

type hours struct {
	Shifts   [][3]int `json:"shifts"` // weekday from Monday = 0, seconds
	Holidays []string `json:"holidays"`
}

// asked are the policies, in the words of both sides.
func asked() []hours {
	days := func(from, to int, spans ...[2]int) (list [][3]int) {
		for d := from; d <= to; d++ {
			for _, s := range spans {
				list = append(list, [3]int{d, s[0] * 60, s[1] * 60})
			}
		}
		return list
	}
	var holidays []string // a third of all days: the changes fall on some
	for d := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC); d.Year() < 2039; d = d.AddDate(0, 0, 3) {
		holidays = append(holidays, d.Format(time.DateOnly))
	}
	return []hours{
		{days(0, 6, [2]int{0, 1440}), nil},                                                        // 7x24
		{days(0, 4, [2]int{540, 1020}), nil},                                                      // 5x8
		{days(0, 6, [2]int{0, 150}, [2]int{150, 170}, [2]int{190, 1410}), nil},                    // boundaries in the small hours
		{days(0, 6, [2]int{5, 95}, [2]int{1320, 1440}), holidays},                                 // around midnight
		{days(0, 6, [2]int{1320, 1440 + 135}), holidays},                                          // nights
		{append(days(5, 6, [2]int{0, 1440}), days(0, 0, [2]int{720, 1440 + 30})...), holidays},    // week-ends
		{days(0, 6, [2]int{1, 2}, [2]int{61, 62}, [2]int{119, 121}, [2]int{165, 1438}), holidays}, // minutes
	}
}

func (h hours) calendar(t *testing.T, zone string) *calendar.Calendar {
	p := calendar.Policy{Zone: zone}
	for _, s := range h.Shifts {
		end := s[2]
		if end > 86400 {
			end -= 86400
		}
		p.Hours = append(p.Hours, calendar.Shift{
			Days: calendar.WeekdaysOf(time.Weekday((s[0] + 1) % 7)),
			Span: calendar.Span{Start: calendar.TimeOfDay(s[1]), End: calendar.TimeOfDay(end)},
		})
	}
	dates := dateSet{}
	for _, text := range h.Holidays {
		d, err := calendar.ParseDate(text)
		require.NoError(t, err)
		dates[d] = true
	}
	cal, err := calendar.New(p, dates)
	require.NoError(t, err)
	return cal
}

type dateSet map[calendar.Date]bool

func (s dateSet) Holiday(d calendar.Date) (string, bool) { return "holiday", s[d] }

// TestServiceTimeEqualsPythonZoneinfo compares with testdata/oracle.py, which finds the instants of local times through
// zoneinfo and PEP 495: around every change of the clock from 2000 to 2037, the intervals of service, their sum, and
// due times.
func TestServiceTimeEqualsPythonZoneinfo(t *testing.T) {
	t.Parallel() // it waits for Python
	dir := zoneDatabase(t)
	python, err := exec.LookPath("python3")
	if err != nil || exec.Command(python, "-c", "import zoneinfo").Run() != nil {
		unavailable(t, "no python3 with zoneinfo")
	}
	policies := asked()
	ask, err := json.Marshal(question{zones, policies})
	require.NoError(t, err)
	cmd := exec.Command(python, "testdata/oracle.py")
	cmd.Env = append(os.Environ(), "PYTHONTZPATH="+dir)
	cmd.Stdin = bytes.NewReader(ask)
	out, err := cmd.Output()
	if exit, ok := err.(*exec.ExitError); ok {
		t.Fatalf("%v: %s", err, exit.Stderr)
	}
	require.NoError(t, err)
	var answers []struct {
		Zone   string               `json:"zone"`
		Around [][4]json.RawMessage `json:"around"`
	}
	require.NoError(t, json.Unmarshal(out, &answers))
	require.Len(t, answers, len(zones)*len(policies))
	changes := 0
	for i, answer := range answers {
		cal := policies[i%len(policies)].calendar(t, answer.Zone)
		for _, a := range answer.Around {
			var change, sum int64
			var intervals [][2]int64
			var adds [][2]*int64
			for j, v := range []any{&change, &intervals, &sum, &adds} {
				require.NoError(t, json.Unmarshal(a[j], v))
			}
			from, to := time.Unix(change-2*86400-1234, 0), time.Unix(change+2*86400+4321, 0)
			where := answer.Zone + " " + time.Unix(change, 0).In(cal.Location()).String()
			require.Equal(t, time.Unix(change-1, 0).In(cal.Location()).Format("-07:00:00") !=
				time.Unix(change, 0).In(cal.Location()).Format("-07:00:00"), true, "%s: one zone database", where)
			var got [][2]int64
			for iv := range cal.Intervals(from, to) {
				got = append(got, [2]int64{iv.Start.Unix(), iv.End.Unix()})
				require.False(t, cal.Open(iv.Start.Add(-1)) && iv.Start.After(from), where)
				require.True(t, cal.Open(iv.Start), where)
				require.True(t, cal.Open(iv.End.Add(-1)), where)
				require.False(t, cal.Open(iv.End) && iv.End.Before(to), where)
			}
			if len(intervals) > 0 || len(got) > 0 {
				require.Equal(t, intervals, got, "%s, policy %d", where, i%len(policies))
			}
			require.Equal(t, sum, int64(cal.Between(from, to)/time.Second), where)
			for _, add := range adds {
				due, err := cal.Add(from, time.Duration(*add[0])*time.Second)
				require.NoError(t, err, where)
				require.NotNil(t, add[1], where)
				require.Equal(t, *add[1], due.Unix(), "%s + %d s", where, *add[0])
			}
			changes++
		}
	}
	require.Greater(t, changes, 700*len(policies), "changes of the clock that were looked at")
	t.Logf("%d zones, %d times a policy around a change of the clock", len(zones), changes)
}
