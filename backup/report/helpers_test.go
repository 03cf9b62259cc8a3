package report_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/backup/plan"
	"github.com/cloudopsec/opsec/backup/report"
)

const (
	gib = 1 << 30
	day = 24 * time.Hour
)

var start = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func at(h int) time.Time { return start.Add(time.Duration(h) * time.Hour) }

func problem() plan.Problem {
	return plan.Problem{
		Strategy: plan.Strategy{Tenant: "acme", Source: "web-1", RPO: 4 * time.Hour, Loss: 6 * time.Hour, RTO: 3 * time.Hour, SiteRPO: day, SiteLoss: 30 * time.Hour,
			SiteRTO: 12 * time.Hour, Points: 7, Reach: 7 * day, OnSite: 1, OffSite: 1, Regions: []string{"eu-1", "eu-2"}, VerifyEvery: 7 * day, TestEvery: 30 * day},
		Workload: plan.Workload{Files: plan.Data{Bytes: 100 * gib, Daily: 2 * gib}, Rebuild: time.Hour, Detect: 5 * time.Minute},
		Targets:  []plan.Target{{ID: "array", Site: plan.OnSite, Region: "eu-1", Encrypted: true}, {ID: "vault", Site: plan.OffSite, Region: "eu-2", Encrypted: true}},
		Options: []plan.Option{
			{ID: "array-files", Level: plan.Files, Target: "array", Chain: plan.Incremental, Intervals: []time.Duration{time.Hour, 4 * time.Hour}, Every: []int{1, 7, 28},
				Ratio: 600, Backup: 80 << 20, Restore: 60 << 20, Price: plan.Price{Store: 40_000}, Tests: []plan.Test{{Bytes: gib, Took: 30 * time.Second}}},
			{ID: "vault-files", Level: plan.Files, Target: "vault", Chain: plan.Dedup, Intervals: []time.Duration{12 * time.Hour, day},
				Ratio: 500, Backup: 20 << 20, Restore: 15 << 20, Lag: time.Hour, Price: plan.Price{Store: 15_000, Read: 10_000}},
		},
	}
}

// observed is what problem's strategy asks for, but for a day without backups, of which the off-site copy came late.
func observed() plan.Observed {
	o := plan.Observed{Tenant: "acme", Source: "web-1", At: at(240)}
	for h := 0; h < 240; h += 4 {
		if h > 96 && h < 120 {
			continue
		}
		verified := at(max(h+1, 200))
		p := plan.ObservedPoint{ID: fmt.Sprint("p", h), Level: plan.Files, Taken: at(h), Copies: []plan.ObservedCopy{
			{Target: "array", Site: plan.OnSite, Region: "eu-1", Durable: at(h + 1), Encrypted: true, Verified: verified}}}
		if h%24 == 0 {
			p.Copies = append(p.Copies, plan.ObservedCopy{Target: "vault", Site: plan.OffSite, Region: "eu-2", Durable: at(h + 1), Encrypted: true, Verified: verified})
		}
		o.Points = append(o.Points, p)
	}
	o.Tests = []plan.ObservedTest{
		{ID: "t1", Point: "p0", Level: plan.Files, Site: plan.OnSite, At: at(20), Took: 2 * time.Hour, Passed: true},
		{ID: "t2", Point: "p0", Level: plan.Files, Site: plan.OffSite, At: at(30), Took: 5 * time.Hour},
	}
	return o
}

func page(t require.TestingT, r *report.Report) (html, markdown string) {
	var h, m strings.Builder
	require.NoError(t, r.HTML(&h))
	require.NoError(t, r.Markdown(&m))
	d := xml.NewDecoder(strings.NewReader(h.String()))
	d.Entity = xml.HTMLEntity
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
	}
	return h.String(), m.String()
}
