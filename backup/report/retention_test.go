package report_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/report"
	"github.com/cloudopsec/opsec/backup/retention"
)

func TestCalendarShowsWhatIsKeptAndWhatGoes(t *testing.T) {
	kept := &report.Retention{Policy: "the newest 10"}
	for h := 39*24 + 12; h >= 0; h -= 12 { // the newest first
		p := report.Kept{ID: fmt.Sprint("p", h), Time: at(h), Keep: h >= 35*24}
		if h == 24 {
			p.Keep, p.Guard, p.Why = true, true, "on hold: case 7"
		}
		kept.Points = append(kept.Points, p)
	}
	r, err := report.New(report.Source{Title: "T", At: at(40 * 24), Retention: kept})
	require.NoError(t, err)
	html, md := page(t, r)
	require.Contains(t, md, "- **Policy:** the newest 10")
	require.Contains(t, md, "Of 80 points, the policy keeps 10, guards keep 1 more, and 69 go.")
	require.Contains(t, md, "- 2026-03: 1 kept by guards · 61 dropped")
	require.Contains(t, md, "- 2026-04: 10 kept · 8 dropped")
	require.Contains(t, md, "| `p24` | 2026-03-02 00:00 | on hold: case 7 |")
	require.Contains(t, md, "19 more are left out here.")
	require.Equal(t, 5, strings.Count(html, `<rect class="good" x=`), "the last five days")
	require.True(t, r.Clean())

	kept.Notes = append(kept.Notes, report.Note{Severity: opsec.SeverityHigh, Text: "p0 claims to be of tomorrow"})
	_, md = page(t, r)
	require.Contains(t, md, "- **high** p0 claims to be of tomorrow")
	require.False(t, r.Clean())

	r, err = report.New(report.Source{Title: "T", At: start, Retention: &report.Retention{Points: []report.Kept{{ID: "x"}}}})
	require.NoError(t, err)
	_, md = page(t, r)
	require.Contains(t, md, "Of 1 point, the policy keeps 0")
}

func TestWhatRetentionDecidesIsShown(t *testing.T) {
	points := []retention.Point{
		{ID: "full", Group: "g", Claimed: at(0), Received: at(1), Verified: at(2), Replicated: true},
		{ID: "inc", Group: "g", Claimed: at(24), Received: at(25), Parents: []string{"full"}, Verified: at(26), Replicated: true},
		{ID: "old", Group: "g", Claimed: at(12), Received: at(13), Verified: at(14), Replicated: true},
	}
	result, err := retention.Plan(points, retention.Policy{Semantics: retention.Copies, Zone: "UTC", Last: 1, Tolerance: retention.Duration(2 * time.Hour)}, at(30))
	require.NoError(t, err)
	result.Findings = append(result.Findings, retention.Finding{Severity: opsec.SeverityLow, Text: "look"})
	r := report.Retained("the newest", result)
	require.Equal(t, "the newest", r.Policy)
	by := map[string]report.Kept{}
	for _, p := range r.Points {
		by[p.ID] = p
	}
	require.True(t, by["inc"].Keep && !by["inc"].Guard)
	require.True(t, by["full"].Keep && by["full"].Guard)
	require.Contains(t, by["full"].Why, "inc")
	require.False(t, by["old"].Keep || by["old"].Guard)
	require.Equal(t, at(12), by["old"].Time.UTC())
	require.Equal(t, []report.Note{{Severity: opsec.SeverityLow, Text: "look"}}, r.Notes)
}
