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

const policyJSON = `{"zone":"Europe/Berlin","hours":["Mon-Fri 09:00-17:00","Sat 22:00-06:00"],` +
	`"holidays":[{"name":"Christmas Eve","on":"12-24","open":["09:00-12:00","13:00-14:30:15"]},` +
	`{"name":"Christmas","on":"12-25","observed":"next"},{"name":"closure","on":"12-27","days":5}]}`

func TestPolicyReadsBackAsItIsWritten(t *testing.T) {
	var p calendar.Policy
	require.NoError(t, json.Unmarshal([]byte(policyJSON), &p))
	text, err := json.Marshal(p)
	require.NoError(t, err)
	require.JSONEq(t, policyJSON, string(text))
}

func TestBadPolicyIsRefusedByField(t *testing.T) {
	tests := []struct{ old, new, want string }{
		{"Europe/Berlin", "Europe/Bonn", `zone "Europe/Bonn"`},
		{"Europe/Berlin", "Local", "zone"},
		{"Europe/Berlin", "", "zone"},
		{"Europe/Berlin", "../etc/passwd", "zone"},
		{"Europe/Berlin", strings.Repeat("x", 1000), "zone"},
		{`"zone"`, `"timezone"`, "timezone"},
		{"Mon-Fri", "Mo-Fr", "weekdays"},
		{"Mon-Fri 09:00", "Mon-Fri  09:00", "span"},
		{"09:00-17:00", "09:00-09:00", "span"},
		{"09:00-17:00", "9:00-17:00", "span"},
		{"09:00-17:00", "09:00-24:01", "span"},
		{"09:00-17:00", "24:00-06:00", "span"},
		{"09:00-17:00", "09:00", "span"},
		{"Sat 22:00", "Fri 16:00", "Friday"},
		{"Sat 22:00-06:00", "Sun 22:00-09:01", "Sunday"},
		{"09:00-12:00", "09:00-13:01", "overlap"},
		{`"days":5`, `"days":367`, "days"},
		{`"days":5`, `"days":-1`, "days"},
		{`"days":5`, `"days":5,"observed":"next"`, "observed"},
		{`"days":5`, `"observed":"monday"`, "observed"},
		{`"days":5`, `"dasy":5`, "dasy"},
		{`"name":"closure"`, `"name":""`, "holidays[2]"},
		{`"name":"closure"`, `"name":"a\nb"`, "holidays[2]"},
		{`"hours":["Mon-Fri 09:00-17:00","Sat 22:00-06:00"]`, `"hours":[]`, "hours"},
	}
	for _, test := range tests {
		text := strings.Replace(policyJSON, test.old, test.new, 1)
		require.NotEqual(t, policyJSON, text)
		p := calendar.Policy{Zone: "untouched"}
		err := json.Unmarshal([]byte(text), &p)
		require.ErrorIs(t, err, opsec.ErrInvalid, text)
		require.ErrorContains(t, err, test.want, text)
		require.Equal(t, calendar.Policy{Zone: "untouched"}, p)
	}
	require.ErrorIs(t, calendar.Policy{}.Validate(), opsec.ErrInvalid, "strict when zero")
	for _, bad := range []calendar.Shift{
		{}, {Days: 127}, {Days: 128, Span: calendar.Span{End: 1}}, {Days: 1, Span: calendar.Span{Start: -1, End: 1}},
		{Days: 1, Span: calendar.Span{Start: 1, End: 86401}}, {Days: 1, Span: calendar.Span{Start: 86400, End: 1}},
	} {
		require.ErrorIs(t, calendar.Policy{Zone: "UTC", Hours: []calendar.Shift{bad}}.Validate(), opsec.ErrInvalid, "%v", bad)
		_, err := json.Marshal(bad)
		require.Error(t, err)
	}
	_, err := calendar.New(calendar.Policy{Zone: "UTC", Hours: calendar.AlwaysOn()}, nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.ErrorIs(t, calendar.Policy{Zone: "UTC", Hours: make([]calendar.Shift, 201)}.Validate(), opsec.ErrInvalid)
	require.ErrorIs(t, calendar.Policy{Zone: "UTC", Hours: calendar.AlwaysOn(), Holidays: make([]calendar.Holiday, 5001)}.Validate(), opsec.ErrInvalid)
}

func TestTextsReadBackAsTheyAreWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := calendar.Date{Year: 1, Month: 1, Day: 1}.AddDays(rapid.IntRange(0, 3652058).Draw(t, "day"))
		require.True(t, d.Valid())
		gotDate, err := calendar.ParseDate(d.String())
		require.NoError(t, err)
		require.Equal(t, d, gotDate)
		require.Equal(t, d.Weekday(), time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC).Weekday())
		require.Equal(t, -1, d.AddDays(-1).Compare(d))

		clock := calendar.TimeOfDay(rapid.IntRange(0, 86400).Draw(t, "clock"))
		l := calendar.Local{Date: d, Time: clock}
		gotLocal, err := calendar.ParseLocal(l.String())
		require.NoError(t, err)
		require.Equal(t, l, gotLocal)

		s := calendar.Shift{
			Days: calendar.Weekdays(rapid.IntRange(1, 127).Draw(t, "days")),
			Span: calendar.Span{Start: calendar.TimeOfDay(rapid.IntRange(0, 43200).Draw(t, "start")), End: calendar.TimeOfDay(rapid.IntRange(43201, 86400).Draw(t, "end"))},
		}
		gotShift, err := calendar.ParseShift(s.String())
		require.NoError(t, err)
		require.Equal(t, s, gotShift)
	})
	w, err := calendar.ParseWeekdays("Fri-Mon")
	require.NoError(t, err)
	require.Equal(t, "Mon,Fri-Sun", w.String())
	require.Equal(t, "Mon-Fri 20:00-04:00", calendar.FiveByEight(calendar.Clock(20, 0))[0].String())
	require.Equal(t, "Mon-Fri 16:00-24:00", calendar.FiveByEight(calendar.Clock(16, 0))[0].String())
	require.Equal(t, "Mon-Sun 00:00-24:00", calendar.AlwaysOn()[0].String())
	for _, bad := range []calendar.Date{{}, {2026, 2, 29}, {2026, 13, 1}, {0, 1, 1}, {10000, 1, 1}} {
		require.False(t, bad.Valid())
		_, err := bad.MarshalText()
		require.ErrorIs(t, err, opsec.ErrInvalid)
		_, err = calendar.Local{Date: bad}.MarshalText()
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	for _, bad := range []string{"", "0000-01-01", "2026-1-01", "2026-02-29", " 2026-01-01"} {
		d := calendar.Date{Year: 1}
		require.ErrorIs(t, d.UnmarshalText([]byte(bad)), opsec.ErrInvalid, bad)
		require.Equal(t, calendar.Date{Year: 1}, d)
	}
	for _, bad := range []string{"", "8:30", "08:60", "24:01", "24:00:00", "08:30:5", "08:30Z", "-1:00", "08:30:00.5"} {
		_, err := calendar.ParseTimeOfDay(bad)
		require.ErrorIs(t, err, opsec.ErrInvalid, bad)
	}
	_, err = calendar.TimeOfDay(86401).MarshalText()
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = calendar.ParseLocal("2026-01-01 08:30")
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

// FuzzPolicyJSON: what is accepted is valid, reads back as it is written, and answers.
func FuzzPolicyJSON(f *testing.F) {
	for _, text := range []string{policyJSON, `{}`, `null`, `[]`, `{"zone":"UTC","hours":["Mon-Sun 00:00-24:00"]}`,
		`{"zone":"Pacific/Apia","hours":["Sun 22:00-06:00"],"holidays":[{"name":"x","on":"4th Thu of Nov"},{"name":"y","on":"julian-easter+9"}]}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var p calendar.Policy
		if json.Unmarshal(text, &p) != nil {
			require.Equal(t, calendar.Policy{}, p, "a refused policy changed something")
			return
		}
		cal := newCalendar(t, p)
		again, err := json.Marshal(p)
		require.NoError(t, err)
		var q calendar.Policy
		require.NoError(t, json.Unmarshal(again, &q))
		third, err := json.Marshal(q)
		require.NoError(t, err)
		require.Equal(t, string(again), string(third))
		from := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
		d := cal.Between(from, from.AddDate(1, 0, 0))
		require.True(t, 0 <= d && d <= 365*24*time.Hour)
	})
}
