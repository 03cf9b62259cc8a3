package retention_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/retention"
)

func TestPolicyIsStrict(t *testing.T) {
	for text, want := range map[string]string{
		`{}`:                                 "semantics",
		`{"semantics": "copies", "last": 1}`: "zone",
		`{"semantics": "copies", "zone": "Local", "last": 1}`:                      "zone",
		`{"semantics": "copies", "zone": "Mars/Olympus", "last": 1}`:               "zone",
		`{"semantics": "copies", "zone": "UTC"}`:                                   "keeps nothing",
		`{"semantics": "copies", "zone": "UTC", "daily": 1}`:                       "daily",
		`{"semantics": "borg", "zone": "UTC", "last": 1}`:                          "last",
		`{"semantics": "restic", "zone": "UTC", "minutely": 1}`:                    "minutely",
		`{"semantics": "calendar", "zone": "UTC", "daily": -1}`:                    "daily",
		`{"semantics": "restic", "zone": "UTC", "daily": -2}`:                      "daily",
		`{"semantics": "restic", "zone": "UTC", "daily": 1000001}`:                 "daily",
		`{"semantics": "calendar", "zone": "UTC", "within": "1d", "daily": 1}`:     "within",
		`{"semantics": "borg", "zone": "UTC", "within_daily": "1d", "daily": 1}`:   "within_daily",
		`{"semantics": "borg", "zone": "UTC", "tags": [["a"]], "daily": 1}`:        "tags",
		`{"semantics": "restic", "zone": "UTC", "tags": [[]]}`:                     "tags[0]",
		`{"semantics": "restic", "zone": "UTC", "daily": 1, "tolerance": "-1h"}`:   "tolerance",
		`{"semantics": "restic", "zone": "UTC", "daily": 1, "minimum_age": "-1s"}`: "minimum_age",
		`{"semantics": "restic", "zone": "UTC", "within": "1h1d"}`:                 "span",
		`{"semantics": "restic", "zone": "UTC", "dayly": 1}`:                       "dayly",
		strings.Repeat(" ", 64<<10) + `{}`:                                         "bytes",
	} {
		_, err := retention.ParsePolicy(strings.NewReader(text))
		require.ErrorIs(t, err, opsec.ErrInvalid, text)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "retention: ")
	}
}

func TestPoliciesInMemoryAreAsStrict(t *testing.T) {
	base := retention.Policy{Semantics: retention.Restic, Zone: "UTC", Daily: 1}
	for want, change := range map[string]func(p *retention.Policy){
		"span":           func(p *retention.Policy) { p.WithinDaily.Days = 100_001 },
		"each part":      func(p *retention.Policy) { p.Within.Hours = -1 },
		"101 lists":      func(p *retention.Policy) { p.Tags = slices.Repeat([][]string{{"a"}}, 101) },
		"1 to 100 tags":  func(p *retention.Policy) { p.Tags = [][]string{slices.Repeat([]string{"a"}, 101)} },
		"that are not e": func(p *retention.Policy) { p.Tags = [][]string{{"a", ""}} },
	} {
		p := base
		change(&p)
		require.ErrorContains(t, p.Validate(), want)
		_, err := retention.Plan(nil, p, now)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
}

func TestPolicyIsReadAsItIsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t, all...)
		text, err := json.Marshal(p)
		require.NoError(t, err)
		read, err := retention.ParsePolicy(strings.NewReader(string(text)))
		require.NoError(t, err)
		require.Equal(t, p, read)
		require.True(t, p.AtLeast(&read))
	})
}

func TestAtLeastWantsEachPartToBe(t *testing.T) {
	base := retention.Policy{Semantics: retention.Restic, Zone: vienna, Last: 3, Daily: 3, MinimumAge: 9, Tolerance: 9,
		Within: retention.Span{Days: 30}, WithinDaily: retention.Span{Months: 1}, Tags: [][]string{{"a", "b"}}}
	for name, change := range map[string]func(p *retention.Policy){
		"semantics":    func(p *retention.Policy) { p.Semantics = retention.Calendar },
		"zone":         func(p *retention.Policy) { p.Zone = "UTC" },
		"count":        func(p *retention.Policy) { p.Daily = 2 },
		"age":          func(p *retention.Policy) { p.MinimumAge = 8 },
		"tolerance":    func(p *retention.Policy) { p.Tolerance = 10 },
		"within":       func(p *retention.Policy) { p.Within = retention.Span{Months: 1} }, // February has 28 days
		"within daily": func(p *retention.Policy) { p.WithinDaily = retention.Span{} },
		"tags":         func(p *retention.Policy) { p.Tags = [][]string{{"a", "b", "c"}} },
		"replication":  func(p *retention.Policy) { p.SkipReplication = true },
		"received":     func(p *retention.Policy) { p.SkipReceived = true },
	} {
		p := base
		change(&p)
		require.False(t, p.AtLeast(&base), name)
	}
	more := base
	more.Daily, more.Weekly, more.Tags = retention.All, 1, [][]string{{"a"}}
	require.True(t, more.AtLeast(&base))
	require.False(t, base.AtLeast(&more))
}

func TestShortenedTellsWhatAChangeCosts(t *testing.T) {
	points := series(t, "2026-03-01 10:00", "2026-03-02 10:00", "2026-03-03 10:00")
	old := retention.Policy{Semantics: retention.Copies, Zone: vienna, Last: 2}
	shorter := old
	shorter.Last = 1
	lost, err := retention.Shortened(old, shorter, points, now)
	require.NoError(t, err)
	require.Equal(t, []string{"2026-03-02 10:00"}, lost, "and not what the old one lets go too")
	_, err = retention.Shortened(old, retention.Policy{}, points, now)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = retention.Shortened(retention.Policy{}, old, points, now)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestSpansAreOfTheCalendar(t *testing.T) {
	p, err := retention.ParseSpan("1y2m3d4h")
	require.NoError(t, err)
	require.Equal(t, retention.Span{Years: 1, Months: 2, Days: 3, Hours: 4}, p)
	require.Equal(t, "1y2m3d4h", p.String())
	require.Equal(t, 23*time.Hour, at(t, "2026-03-30 00:00").Sub(retention.Span{Days: 1}.Before(at(t, "2026-03-30 00:00"))))
	for _, wrong := range []string{"1", "d", "1x", "1h1d", "1d1d", "-1d", "100001d", "99999999999999999999d", "1.5d", "１d"} {
		_, err := retention.ParseSpan(wrong)
		require.ErrorIs(t, err, opsec.ErrInvalid, wrong)
	}
}

func TestPoliciesAreYAMLToo(t *testing.T) {
	p, err := retention.ParsePolicy(strings.NewReader("semantics: restic\nzone: Europe/Vienna # where the days begin\ndaily: 7\nwithin: 1m\ntags:\n- [db, hot]\ntolerance: 2h\n"))
	require.NoError(t, err)
	require.Equal(t, retention.Policy{
		Semantics: retention.Restic, Zone: "Europe/Vienna", Daily: 7, Within: retention.Span{Months: 1}, Tags: [][]string{{"db", "hot"}},
		Tolerance: retention.Duration(2 * time.Hour),
	}, p)
}

func FuzzParsePolicy(f *testing.F) {
	f.Add(`{"semantics": "restic", "zone": "UTC", "within": "1y2m3d4h", "tags": [["a"]]}`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := retention.ParsePolicy(strings.NewReader(text))
		if err == nil {
			require.NoError(t, p.Validate())
			_, err = retention.Plan([]retention.Point{good("a", now)}, p, now)
			require.NoError(t, err)
		}
	})
}
