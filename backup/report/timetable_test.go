package report_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/report"
	"github.com/cloudopsec/opsec/backup/timetable"
)

func TestTimetableShowsRunsPeakAndBound(t *testing.T) {
	table := &report.Timetable{Peak: "62 % of link wan at most", Bound: "60 %", Runs: []report.Run{
		{Job: "acme/web-1", Where: "wan", From: at(1), Until: at(3)}, {Job: "acme/db-1", From: at(2), Until: at(2)},
	}}
	r, err := report.New(report.Source{Title: "T", At: start, Timetable: table})
	require.NoError(t, err)
	require.True(t, r.Clean())
	html, md := page(t, r)
	require.Contains(t, md, "- acme/web-1: 2026-03-01 01:00 to 2026-03-01 03:00, 2h, wan")
	require.Contains(t, md, "- **It comes to:** 62 % of link wan at most\n- **No arrangement can do better than:** 60 %")
	require.Contains(t, html, `<rect class="calm"`)

	table.Runs[0].Late = true
	require.False(t, r.Clean())
	_, md = page(t, r)
	require.Contains(t, md, "wan: after its window")
	require.Contains(t, md, "> **Needs attention.** 1 run after the window.")
	table.Runs[0].Late, table.Unplaced = false, []string{"acme/big: 3 TiB in 4h"}
	require.False(t, r.Clean())
	_, md = page(t, r)
	require.Contains(t, md, "> **Needs attention.** 1 job without a place in the timetable.")
	require.Contains(t, md, "> **No place.** acme/big: 3 TiB in 4h")

	for _, bad := range []report.Run{{From: at(1), Until: at(2)}, {Job: "x", Until: at(2)}, {Job: "x", From: at(2), Until: at(1)}} {
		_, err = report.New(report.Source{Title: "T", At: start, Timetable: &report.Timetable{Runs: []report.Run{bad}}})
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
}

func TestArrangedShowsWhatWasArranged(t *testing.T) {
	p := &timetable.Problem{
		Start: start, Slot: timetable.Duration(time.Hour), Slots: 4, Links: []timetable.Link{{ID: "wan", Rate: 100}},
		Jobs: []timetable.Job{
			{ID: "fits", Bytes: 50 * 3600, Rate: 50, Links: []string{"wan"}}, {ID: "too big", Bytes: 1 << 40, Rate: 50, Links: []string{"wan"}},
		},
	}
	arranged, err := timetable.Arrange(p)
	require.NoError(t, err)
	r, err := report.New(report.Source{Title: "T", At: start, Timetable: report.Arranged(arranged)})
	require.NoError(t, err)
	require.False(t, r.Clean())
	_, md := page(t, r)
	require.Contains(t, md, "- fits: ")
	require.Contains(t, md, "> **No place.** too big: also alone")
	require.Contains(t, md, "**It comes to:** 50\\.0 % of link wan at most\n- **No arrangement can do better than:** 12\\.5 % of link wan\n")

	p.Goal, p.Jobs = timetable.Finish, p.Jobs[:1]
	arranged, err = timetable.Arrange(p)
	require.NoError(t, err)
	r, err = report.New(report.Source{Title: "T", At: start, Timetable: report.Arranged(arranged)})
	require.NoError(t, err)
	require.True(t, r.Clean())
	_, md = page(t, r)
	require.Contains(t, md, "**It comes to:** the end at 2026-03-01 01:00\n- **No arrangement can do better than:** the end at 2026-03-01 01:00\n")

	p.Links[0].Traffic = []int64{0, 100, 100, 0}
	p.Jobs[0].Divisible, p.Jobs[0].Bytes = true, 100*3600
	arranged, err = timetable.Arrange(p)
	require.NoError(t, err)
	r, err = report.New(report.Source{Title: "T", At: start, Timetable: report.Arranged(arranged)})
	require.NoError(t, err)
	_, md = page(t, r)
	require.Contains(t, md, "- fits: 2026-03-01 00:00 to 2026-03-01 04:00, 4h in 2 parts\n")

	p.Goal, p.Jobs[0].Divisible = timetable.Peak, false
	p.Links[0].Traffic = nil
	p.Jobs = append(p.Jobs, timetable.Job{ID: "more", Bytes: 350 * 3600, Rate: 100, Links: []string{"wan"}})
	arranged, err = timetable.Arrange(p)
	require.NoError(t, err)
	require.Equal(t, "112.5 % of link wan: not everything fits", report.Arranged(arranged).Bound)

	p.Goal = timetable.Finish
	arranged, err = timetable.Arrange(p)
	require.NoError(t, err)
	require.Empty(t, report.Arranged(arranged).Bound, "of jobs that do not fit there is none")

	p.Links = append([]timetable.Link{{ID: "lan", Rate: 1000}}, p.Links...)
	p.Goal, p.Jobs = timetable.Peak, p.Jobs[:1]
	arranged, err = timetable.Arrange(p)
	require.NoError(t, err)
	require.Contains(t, report.Arranged(arranged).Peak, " of link wan at most")
}
