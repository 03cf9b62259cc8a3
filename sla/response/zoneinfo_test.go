package response_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/calendar"
	"github.com/cloudopsec/opsec/sla/response"
)

// zones change their clocks by an hour, by half an hour, at midnight, in the southern summer, around Ramadan, not at all, and
// by a day: Apia had no Friday, 30 December 2011.
var zones = []string{
	"Europe/Berlin", "America/New_York", "Europe/Dublin", "Australia/Lord_Howe", "America/Santiago", "Africa/Cairo",
	"America/Havana", "Africa/Casablanca", "Asia/Kathmandu", "Pacific/Chatham", "America/St_Johns", "Asia/Beirut", "Pacific/Apia",
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

// changes returns when the clock of a zone is changed in some years, each with the days around it.
func changes(t *testing.T, zone string) (list []time.Time) {
	loc, err := time.LoadLocation(zone)
	require.NoError(t, err)
	for at := time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC).In(loc); at.Year() < 2030; {
		_, end := at.ZoneBounds()
		if end.IsZero() {
			break
		}
		list = append(list, end)
		at = end
	}
	return list
}

// TestFiveByEightEqualsPythonZoneinfo has incidents across every change of the clock in thirteen zones, and compares what each
// took on a 5x8 clock, their mean, and how many were within eight hours, with testdata/oracle.py.
func TestFiveByEightEqualsPythonZoneinfo(t *testing.T) {
	t.Parallel() // it waits for Python
	dir := zoneDatabase(t)
	python, err := exec.LookPath("python3")
	if err != nil || exec.Command(python, "-c", "import zoneinfo").Run() != nil {
		unavailable(t, "no python3 with zoneinfo")
	}
	var ask struct {
		Zones []string   `json:"zones"`
		Spans [][2]int64 `json:"spans"`
	}
	ask.Zones = zones
	random := rand.New(rand.NewPCG(2026, 3))
	across := 0
	for _, zone := range zones {
		for _, change := range changes(t, zone) {
			across++
			start := change.Unix() - random.Int64N(6*86400)
			ask.Spans = append(ask.Spans, [2]int64{start, change.Unix() + random.Int64N(6*86400)}, [2]int64{change.Unix(), change.Unix() + random.Int64N(40*86400)})
		}
	}
	require.Greater(t, across, 200)
	in, err := json.Marshal(ask)
	require.NoError(t, err)
	cmd := exec.Command(python, "testdata/oracle.py")
	cmd.Env = append(os.Environ(), "PYTHONTZPATH="+dir)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if exit, ok := err.(*exec.ExitError); ok {
		t.Fatalf("%v: %s", err, exit.Stderr)
	}
	require.NoError(t, err)
	var answers [][]int64
	require.NoError(t, json.Unmarshal(out, &answers))
	require.Len(t, answers, len(zones))

	from, to := time.Unix(0, 0), time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)
	for z, zone := range zones {
		target := response.Target{
			ID: "repair", Measure: response.Recovery, Mean: response.Duration(8 * time.Hour), Each: response.Duration(8 * time.Hour),
			Hours: &calendar.Policy{Zone: zone, Hours: calendar.FiveByEight(calendar.Clock(9, 0))},
		}
		clock, err := response.NewClock(target)
		require.NoError(t, err)
		require.Len(t, answers[z], len(ask.Spans))
		var incidents []response.Incident
		var sum int64
		within := 0
		for i, s := range ask.Spans {
			inc := response.Incident{ID: fmt.Sprint(i), Occurred: time.Unix(s[0], 0), Restored: time.Unix(s[1], 0)}
			took, open, counts := clock.Took(inc, to)
			require.True(t, counts && !open)
			want := time.Duration(answers[z][i]) * time.Second
			require.Equal(t, want, took, "%s, %v", zone, s)
			due, err := clock.Due(inc)
			require.NoError(t, err)
			require.Equal(t, want > 8*time.Hour, inc.Restored.After(due) && clock.Between(due, inc.Restored) > 0, "%s, %v", zone, s)
			incidents = append(incidents, inc)
			if sum += answers[z][i]; want <= 8*time.Hour {
				within++
			}
		}
		s, err := clock.Summarize(incidents, from, to, to)
		require.NoError(t, err)
		require.Equal(t, within, s.Within)
		require.Equal(t, len(incidents)-within, s.Late)
		require.Equal(t, sum*1000/int64(len(incidents)), s.Mean.Low)
	}
	t.Logf("%d zones, %d incidents, %d across a change of the clock", len(zones), len(zones)*len(ask.Spans), across)
}
