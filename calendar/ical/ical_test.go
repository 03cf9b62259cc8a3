package ical_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/calendar"
	"github.com/cloudopsec/opsec/calendar/ical"
)

func sample(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	return strings.ReplaceAll(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n", "\r\n") // whatever a checkout made of it
}

func read(t testing.TB, text string, o *ical.Options) *ical.File {
	t.Helper()
	f, err := ical.Read(strings.NewReader(text), o)
	require.NoError(t, err)
	return f
}

// event is a file of one event.
func event(lines ...string) string {
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:uid-1\r\nSUMMARY:an event\r\n" +
		strings.Join(lines, "\r\n") + "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
}

func date(t testing.TB, text string) calendar.Date {
	d, err := calendar.ParseDate(text)
	require.NoError(t, err)
	return d
}

func TestHolidaysAsGoogleExportsThem(t *testing.T) {
	days, err := read(t, sample(t, "google.ics"), nil).Holidays()
	require.NoError(t, err)
	for text, want := range map[string]string{
		"2026-12-25": "First Day of Christmas, and a name that is long enough to be folded over several lines of text",
		"2027-01-01": "New Year's Day; bank holiday", "2026-12-24": "", "2026-12-26": "", "2027-12-25": "",
	} {
		name, ok := days.Holiday(date(t, text))
		require.Equal(t, want, name, text)
		require.Equal(t, want != "", ok, text)
	}
}

func TestHolidaysAsAppleExportsThem(t *testing.T) {
	f := read(t, sample(t, "apple.ics"), nil)
	days, err := f.Holidays()
	require.NoError(t, err)
	for text, want := range map[string]string{
		"2026-10-03": "Tag der Deutschen Einheit 🎉", "2031-10-03": "Tag der Deutschen Einheit 🎉", "2019-10-03": "",
		"2026-11-18": "Buß- und Bettag", "2027-11-17": "Buß- und Bettag", "2026-11-19": "",
		"2026-12-28": "Betriebsferien", "2026-12-31": "Betriebsferien", "2027-01-01": "", "2027-12-28": "",
	} {
		name, ok := days.Holiday(date(t, text))
		require.Equal(t, want, name, text)
		require.Equal(t, want != "", ok, text)
	}
}

func TestWindowsAsOutlookExportsThem(t *testing.T) {
	_, err := ical.Read(strings.NewReader(sample(t, "outlook.ics")), nil)
	require.ErrorContains(t, err, "W. Europe Standard Time")
	f := read(t, sample(t, "outlook.ics"), &ical.Options{Zones: map[string]string{"W. Europe Standard Time": "Europe/Berlin"}})
	plan, err := calendar.NewSchedule(f.Windows(calendar.Maintenance))
	require.NoError(t, err)
	var got []string
	for o := range plan.Occurrences(time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC), time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)) {
		got = append(got, fmt.Sprintf("%s %s %s", o.Name, o.Start.UTC().Format("2006-01-02T15:04Z"), o.End.Sub(o.Start)))
	}
	require.Equal(t, []string{
		"Patch window 2026-09-08T20:00Z 4h0m0s",
		// 13 October was cancelled
		"Patch window 2026-11-12T21:00Z 2h0m0s", // 10 November was moved, and shortened
		"Patch window 2026-12-08T21:00Z 4h0m0s",
		"Patch window 2027-01-12T21:00Z 4h0m0s",
		"Patch window 2027-02-09T21:00Z 4h0m0s", // the last before UNTIL
	}, got)
}

func TestEventsBecomeWindows(t *testing.T) {
	berlin := &ical.Options{Zone: "Europe/Berlin"}
	tests := []struct {
		lines []string
		o     *ical.Options
		want  string // zone, start, end, rule, exceptions
	}{
		{[]string{"DTSTART:20260104T020000Z", "DTEND:20260104T060000Z"}, nil, "UTC 2026-01-04T02:00 2026-01-04T06:00  []"},
		{[]string{"DTSTART:20260104T020000", "DTEND:20260104T060000"}, berlin, "Europe/Berlin 2026-01-04T02:00 2026-01-04T06:00  []"},
		{[]string{"DTSTART;TZID=Asia/Tokyo:20260104T020000", "DURATION:PT90M"}, berlin, "Asia/Tokyo 2026-01-04T02:00 2026-01-04T03:30  []"},
		{[]string{"DTSTART;TZID=Asia/Tokyo:20260104T020000", "DURATION:P1DT22H"}, nil, "Asia/Tokyo 2026-01-04T02:00 2026-01-06T00:00  []"},
		{[]string{`DTSTART;X-A="b;c:d";TZID="Asia/Tokyo":20260104T020000`, "DTEND:20260103T183000Z"}, nil, "Asia/Tokyo 2026-01-04T02:00 2026-01-04T03:30  []"},
		{[]string{"dtstart;value=date:20260104", "dtend;value=date:20260106"}, berlin, "Europe/Berlin 2026-01-04T00:00 2026-01-06T00:00  []"},
		{[]string{"DTSTART;VALUE=DATE:20260104"}, nil, " 2026-01-04T00:00 2026-01-05T00:00  []"},
		{[]string{"DTSTART;VALUE=DATE:20260104", "DURATION:P2W"}, nil, " 2026-01-04T00:00 2026-01-18T00:00  []"},
		{[]string{"DTSTART;VALUE=DATE:20260104", "RRULE:FREQ=DAILY", "EXDATE;VALUE=DATE:20260106,20260105", "EXDATE;VALUE=DATE:20260105"}, nil,
			" 2026-01-04T00:00 2026-01-05T00:00 FREQ=DAILY [2026-01-05 2026-01-06]"},
		{[]string{"DTSTART:20260104T003000", "DTEND:20260104T060000", "RRULE:freq=daily", "EXDATE:20260105T233000Z"}, berlin,
			"Europe/Berlin 2026-01-04T00:30 2026-01-04T06:00 FREQ=DAILY [2026-01-06]"},
	}
	for _, test := range tests {
		f := read(t, event(test.lines...), test.o)
		require.Len(t, f.Events, 1)
		w := f.Events[0].Window
		require.Equal(t, test.want, fmt.Sprintf("%s %s %s %s %s", w.Zone, w.Start, w.End, w.Rule, w.Except), "%q", test.lines)
		require.Equal(t, "an event", w.Name)
		require.Equal(t, "uid-1", f.Events[0].UID)
		require.Equal(t, strings.Contains(strings.ToUpper(test.lines[0]), "VALUE=DATE"), f.Events[0].AllDay)
	}
	_, err := calendar.NewSchedule(read(t, event("DTSTART;VALUE=DATE:20260104"), nil).Windows(calendar.Freeze))
	require.ErrorContains(t, err, "zone", "a whole day is a window somewhere")
	require.Empty(t, read(t, event("DTSTART;VALUE=DATE:20260104", "STATUS:CANCELLED"), nil).Events)
	require.Empty(t, read(t, "\ufeffBEGIN:VCALENDAR\nEND:VCALENDAR\n\nBEGIN:VCALENDAR\nEND:VCALENDAR", nil).Events)

	timed := read(t, event("DTSTART:20260104T020000Z", "DTEND:20260104T060000Z"), nil)
	days, err := timed.Holidays()
	require.NoError(t, err)
	_, ok := days.Holiday(date(t, "2026-01-04"))
	require.False(t, ok, "part of a day is no holiday")
}

func TestEventThatIsNotUnderstoodIsNamed(t *testing.T) {
	day := "DTSTART;VALUE=DATE:20260104"
	tests := []struct {
		lines []string
		want  string
	}{
		{[]string{}, "no DTSTART"},
		{[]string{"DTSTART:20260104T020000Z"}, "no DTEND"},
		{[]string{"DTSTART:20260104T020000", "DTEND:20260104T060000"}, "names no zone"},
		{[]string{"DTSTART;TZID=Local:20260104T020000", "DURATION:PT1H"}, "IANA"},
		{[]string{"DTSTART;TZID=../../etc/passwd:20260104T020000", "DURATION:PT1H"}, "IANA"},
		{[]string{"DTSTART;TZID=Custom:20260104T020000", "DURATION:PT1H"}, `"Custom"`},
		{[]string{"DTSTART;VALUE=DATE:20260104T020000Z"}, "DTSTART"},
		{[]string{"DTSTART;VALUE=DATE-TIME:20260104"}, "DTSTART"},
		{[]string{"DTSTART;VALUE=DATE:2026-01-04"}, "DTSTART"},
		{[]string{"DTSTART;VALUE=DATE:20260230"}, "DTSTART"},
		{[]string{"DTSTART;VALUE=DATE:00000101"}, "DTSTART"},
		{[]string{day, day}, "DTSTART stands 2 times"},
		{[]string{day, "DTEND:20260105T000000Z"}, "not of the kind"},
		{[]string{day, "DTEND;VALUE=DATE:20260104"}, "not after start"},
		{[]string{day, "DTEND;VALUE=DATE:20260105", "DURATION:P1D"}, "exclude"},
		{[]string{day, "DURATION:PT1H"}, "DURATION"},
		{[]string{day, "DURATION:-P1D"}, "DURATION"},
		{[]string{day, "DURATION:P"}, "DURATION"},
		{[]string{day, "DURATION:P1DT"}, "DURATION"},
		{[]string{day, "DURATION:P400D"}, "366 days"},
		{[]string{day, "RRULE:FREQ=YEARLY;BYEASTER=1"}, "BYEASTER"},
		{[]string{day, "RRULE:FREQ=HOURLY"}, "HOURLY"},
		{[]string{day, "RRULE:FREQ=WEEKLY;BYDAY=MO"}, "does not start on 2026-01-04"},
		{[]string{day, "RRULE:FREQ=DAILY", "RRULE:FREQ=DAILY"}, "RRULE stands 2 times"},
		{[]string{day, "RDATE;VALUE=DATE:20260107"}, "RDATE"},
		{[]string{day, "EXRULE:FREQ=DAILY"}, "EXRULE"},
		{[]string{day, "RRULE:FREQ=DAILY", "EXDATE;VALUE=DATE:20260103"}, "2026-01-03"},
		{[]string{day, "EXDATE;VALUE=DATE:20260104"}, "a rule"},
		{[]string{"DTSTART:20260104T020000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY", "EXDATE:20260105T030000Z"}, "EXDATE"},
		{[]string{day, "RECURRENCE-ID;RANGE=THISANDFUTURE;VALUE=DATE:20260104"}, "RANGE"},
	}
	for _, test := range tests {
		f, err := ical.Read(strings.NewReader(event(test.lines...)), nil)
		require.Nil(t, f)
		require.ErrorIs(t, err, opsec.ErrInvalid, "%q", test.lines)
		require.ErrorContains(t, err, test.want, "%q", test.lines)
		var named *ical.EventError
		require.ErrorAs(t, err, &named)
		require.Equal(t, "uid-1", named.UID)
		require.Equal(t, "an event", named.Summary)
		require.Equal(t, 3, named.Line)
	}
	twice := strings.Replace(event(day), "END:VCALENDAR\r\n", event(day), 1)
	twice = strings.Replace(twice, "END:VEVENT\r\nBEGIN:VCALENDAR\r\nVERSION:2.0\r\n", "END:VEVENT\r\n", 1)
	_, err := ical.Read(strings.NewReader(twice), nil)
	require.ErrorContains(t, err, "UID stands twice")
}

func TestFileThatIsNotWholeIsRefused(t *testing.T) {
	whole := event("DTSTART;VALUE=DATE:20260104", "BEGIN:VALARM", "TRIGGER:-PT15M", "DURATION:PT5M", "SUMMARY:alarm", "END:VALARM")
	read(t, whole, nil)
	for n := range len(whole) - 2 { // the last line may lack its end
		_, err := ical.Read(strings.NewReader(whole[:n]), nil)
		require.ErrorIs(t, err, opsec.ErrInvalid, "cut after %d bytes", n)
	}
	broken := errors.New("broken")
	_, err := ical.Read(iotest.ErrReader(broken), nil)
	require.ErrorIs(t, err, broken)
	tests := []struct{ old, new, want string }{
		{"BEGIN:VCALENDAR", "<html>", "line 1"},
		{"BEGIN:VCALENDAR", "BEGIN:VEVENT", "no place"},
		{"BEGIN:VCALENDAR", "VERSION:2.0", "no BEGIN:VCALENDAR"},
		{"VERSION:2.0", "VERSION:1.0", "line 2: version"},
		{"VERSION:2.0", "METHOD:CANCEL", "cancels"},
		{"END:VALARM", "END:VTODO", "line 11"},
		{"BEGIN:VALARM", "BEGIN:VCALENDAR", "no place"},
		{"BEGIN:VALARM", "BEGIN:VEVENT", "no place"},
		{"UID:uid-1", "UID:a\x00b", "control"},
		{"UID:uid-1", "UID:\xff", "UTF-8"},
		{"UID:uid-1", "U@D:uid-1", "not a name"},
		{"UID:uid-1", ":uid-1", "not a name"},
		{"UID:uid-1", "UID", "not a name"},
		{"UID:uid-1", "UID;X:uid-1", "not a name"},
		{"UID:uid-1", `UID;X="y:uid-1`, "not a name"},
		{"UID:uid-1", "UID;X=1;X=2:uid-1", "not a name"},
		{"UID:uid-1", "UID" + strings.Repeat(";X=1", 33) + ":uid-1", "not a name"},
		{"UID:uid-1", "X:" + strings.Repeat("x", 1<<16), "line 4: longer"},
		{"UID:uid-1", "X:" + strings.Repeat("x\r\n ", 1<<16), "line 4: longer"},
		{"UID:uid-1", strings.Repeat("BEGIN:X\r\n", 7), "no place"},
	}
	for _, test := range tests {
		_, err := ical.Read(strings.NewReader(strings.Replace(whole, test.old, test.new, 1)), nil)
		require.ErrorIs(t, err, opsec.ErrInvalid, "%.40q", test.new)
		require.ErrorContains(t, err, test.want, "%.40q", test.new)
	}
}

func TestLimitsOfAFile(t *testing.T) {
	two := strings.Replace(event("DTSTART;VALUE=DATE:20260104"), "END:VCALENDAR",
		"BEGIN:VEVENT\r\nUID:uid-2\r\nDTSTART;VALUE=DATE:20260104\r\nEND:VEVENT\r\nEND:VCALENDAR", 1)
	require.Len(t, read(t, two, &ical.Options{MaxEvents: 2, MaxBytes: len(two)}).Events, 2)
	for want, o := range map[string]*ical.Options{
		"more than 1 events": {MaxEvents: 1}, "bytes": {MaxBytes: len(two) - 1}, "Zone": {Zone: "Nowhere"}, "negative": {MaxEvents: -1},
	} {
		_, err := ical.Read(strings.NewReader(two), o)
		require.ErrorIs(t, err, opsec.ErrInvalid)
		require.ErrorContains(t, err, want)
	}
	var many strings.Builder
	many.WriteString("BEGIN:VCALENDAR\r\n")
	for i := range 501 {
		fmt.Fprintf(&many, "BEGIN:VEVENT\r\nUID:%d\r\nDTSTART;VALUE=DATE:20260104\r\nRRULE:FREQ=YEARLY\r\nEND:VEVENT\r\n", i)
	}
	_, err := ical.Read(strings.NewReader(many.String()+"END:VCALENDAR\r\n"), nil)
	require.ErrorContains(t, err, "500 events recur")
	_, err = ical.Read(strings.NewReader(strings.ReplaceAll(many.String(), "RRULE:FREQ=YEARLY", "RDATE:20270104")+"END:VCALENDAR\r\n"), nil)
	require.Equal(t, 10, strings.Count(err.Error(), "RDATE is"), "ten are told")
}

func TestNameOfAWindowFitsALog(t *testing.T) {
	name := func(summary string) string {
		return read(t, strings.Replace(event("DTSTART;VALUE=DATE:20260104"), "SUMMARY:an event", "SUMMARY:"+summary, 1), nil).Events[0].Window.Name
	}
	require.Equal(t, `a, b; c \ d e`, name(`a\, b\; c \\ d\ne`))
	require.Equal(t, "uid-1", name(" "))
	require.Equal(t, strings.Repeat("ä", 100), name(strings.Repeat("ä", 150)))
	require.Equal(t, "ab", name("a\u202eb"))
	f := read(t, "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20260104\nEND:VEVENT\nEND:VCALENDAR\n", nil)
	require.Equal(t, "event at line 2", f.Events[0].Window.Name)
}

func Example() {
	const text = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n" +
		"BEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Founders' day\r\nDTSTART;VALUE=DATE:20201126\r\nRRULE:FREQ=YEARLY\r\nEND:VEVENT\r\n" +
		"END:VCALENDAR\r\n"
	file, err := ical.Read(strings.NewReader(text), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	holidays, err := file.Holidays()
	if err != nil {
		fmt.Println(err)
		return
	}
	cal, err := calendar.New(calendar.Policy{Zone: "Europe/Paris", Hours: calendar.FiveByEight(calendar.Clock(9, 0))}, holidays)
	if err != nil {
		fmt.Println(err)
		return
	}
	due, err := cal.Add(time.Date(2026, 11, 25, 16, 0, 0, 0, cal.Location()), 2*time.Hour)
	fmt.Println(due, err)
	// Output: 2026-11-27 10:00:00 +0100 CET <nil>
}

// FuzzRead: what is accepted can be used, and nothing breaks.
func FuzzRead(f *testing.F) {
	for _, name := range []string{"google.ics", "apple.ics", "outlook.ics"} {
		f.Add([]byte(sample(f, name)))
	}
	f.Add([]byte(event("DTSTART:20260104T020000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=5", "EXDATE:20260105T020000Z")))
	o := &ical.Options{Zone: "Europe/Berlin", Zones: map[string]string{"W. Europe Standard Time": "Europe/Berlin"}, MaxBytes: 1 << 16, MaxEvents: 50}
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := ical.Read(strings.NewReader(string(text)), o)
		if err != nil {
			require.Nil(t, file)
			return
		}
		plan, err := calendar.NewSchedule(file.Windows(calendar.Freeze))
		require.NoError(t, err)
		plan.At(time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC))
		days, err := file.Holidays()
		require.NoError(t, err)
		days.Holiday(calendar.Date{Year: 2026, Month: 11, Day: 25})
	})
}
