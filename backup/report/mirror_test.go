package report_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/dr"
	"github.com/cloudopsec/opsec/backup/report"
)

func meter(t *testing.T, behind ...time.Duration) *dr.Meter {
	m, err := dr.NewMeter(time.Minute, 10*time.Minute)
	require.NoError(t, err)
	for i, d := range behind {
		now := start.Add(time.Duration(i) * 5 * time.Minute)
		require.NoError(t, m.Add(dr.Status{At: now, Newest: now, Safe: now.Add(-d), Connected: true}))
	}
	return m
}

func TestMirrorShowsExposureParityAndDrills(t *testing.T) {
	parity, err := dr.Compare(
		dr.Statement{Site: "a", Taken: start, AtRest: dr.Encryption{Algorithm: "AES-256-GCM", Strength: 256, Custody: 2}, Patched: start},
		dr.Statement{Site: "b", Taken: start, AtRest: dr.Encryption{Algorithm: "AES-128-GCM", Strength: 128, Custody: 2}, Patched: start}, time.Hour)
	require.NoError(t, err)
	drills, err := dr.DrillPolicy{Every: dr.Duration(30 * day), RTO: dr.Duration(time.Hour), RPO: dr.Duration(time.Minute)}.Assess(
		[]dr.Drill{{ID: "d1", At: start, Took: dr.Duration(2 * time.Hour), Outcome: opsec.Success, By: opsec.Actor{Account: "alice"}}}, start.Add(day))
	require.NoError(t, err)
	r, err := report.New(report.Source{Title: "T", At: start.Add(day), Mirror: &report.Mirror{
		State:  &dr.State{Mode: dr.Asynchronous, Since: start, Risk: &dr.RiskEvaluation{ID: "risk-7", Until: start.Add(30 * day)}},
		Meter:  meter(t, 0, 3*time.Minute, 0, 0),
		Parity: &parity, Drills: &drills,
	}})
	require.NoError(t, err)
	require.False(t, r.Clean())
	html, md := page(t, r)
	require.Contains(t, html, `<th role="rowheader" scope="row" class="short">in_transit.strength</th>`)
	for _, want := range []string{"asynchronous", "risk-7, until 2026-03-31 00:00", "- **Worst:** 3m", "**Over the objective**", "AES-128-GCM", "weaker",
		"- **Slowest:** 2h", "The recovery site is not known to be protected as well"} {
		require.Contains(t, md, want)
	}
}

func TestAMirrorThatKeepsWhatItShouldIsClean(t *testing.T) {
	for name, c := range map[string]struct {
		m     report.Mirror
		clean bool
	}{
		"nothing":  {report.Mirror{}, true},
		"within":   {report.Mirror{Meter: meter(t, 0, 30*time.Second)}, true},
		"over":     {report.Mirror{Meter: meter(t, 0, 3*time.Minute)}, false},
		"stands":   {report.Mirror{State: &dr.State{Mode: dr.Synchronous, Since: start}}, true},
		"degraded": {report.Mirror{State: &dr.State{Mode: dr.Degraded, Since: start, Lost: start}}, false},
		"beyond":   {report.Mirror{State: &dr.State{Mode: dr.Asynchronous, Since: start, Over: true}}, false},
		"same":     {report.Mirror{Parity: &dr.Parity{Same: true}}, true},
		"weaker":   {report.Mirror{Parity: &dr.Parity{}}, false},
		"drills":   {report.Mirror{Drills: &dr.DrillReport{Findings: []dr.Finding{{Rule: "x", Severity: opsec.SeverityHigh, Text: "x"}}}}, false},
	} {
		r, err := report.New(report.Source{Title: "T", At: start, Mirror: &c.m})
		require.NoError(t, err)
		require.Equal(t, c.clean, r.Clean(), name)
		page(t, r)
	}
}

func TestTheLastBreachesOfAMirrorAreShown(t *testing.T) {
	var behind []time.Duration
	for range 60 {
		behind = append(behind, 3*time.Minute, 0)
	}
	r, err := report.New(report.Source{Title: "T", At: start, Mirror: &report.Mirror{Meter: meter(t, behind...)}})
	require.NoError(t, err)
	_, md := page(t, r)
	require.Contains(t, md, "10 more are left out here.")
	require.Equal(t, 50, strings.Count(md, "\n| 2026-03-01 "))
}
