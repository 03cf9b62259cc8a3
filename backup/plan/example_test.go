package plan_test

import (
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/cloudopsec/opsec/backup/plan"
	"github.com/cloudopsec/opsec/backup/timetable"
)

func ExampleOptimise() {
	p, err := plan.ParseProblem(strings.NewReader(`
strategy: {source: web-1, rpo: 4h, loss: 5h, rto: 2h, points: 7, reach: 168h, on_site: 1, off_site: 0, skip_regions: true, verify_every: 168h, test_every: 720h}
workload: {files: {bytes: 107374182400, daily: 2147483648}, rebuild: 30m, verify: 10m}
targets: [{id: array, site: on-site, encrypted: true}]
options:
  - {id: array-files, level: files, target: array, chain: incremental, intervals: [1h, 4h, 24h], every: [1, 7, 28],
     ratio: 600, backup: 83886080, restore: 41943040, price: {store: 40000}}
`))
	if err != nil {
		log.Fatal(err)
	}
	s, err := plan.Optimise(p)
	if err != nil {
		log.Fatal(err)
	}
	w := s.Best.Ways[0]
	fmt.Println(w.Streams[0].Option, "every", w.Streams[0].Interval, "full every", w.Streams[0].Every)
	fmt.Println("span", w.Span, "loss", w.Loss, "recovery", w.Time, "cost", plan.Money(s.Best.Cost))

	p.Strategy.RTO = time.Hour
	s, err = plan.Optimise(p)
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range s.Infeasible.Conflicts {
		fmt.Println(c)
	}
	// Output:
	// array-files every 4h0m0s full every 28
	// span 4h0m0s loss 4h21m20s recovery 1h26m31s cost 7.744001
	// rto at most 1h (nearest: 1h22m40s, which is enough)
}

func ExampleCheck() {
	at := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	s := plan.Strategy{Source: "web-1", RPO: 4 * time.Hour, RTO: time.Hour, Points: 1, OnSite: 1, SkipRegions: true,
		VerifyEvery: 7 * 24 * time.Hour, TestEvery: 30 * 24 * time.Hour}
	findings, err := plan.Check(s, plan.Observed{Source: "web-1", At: at, Points: []plan.ObservedPoint{
		{ID: "p1", Level: plan.Image, Taken: at.Add(-6 * time.Hour), Copies: []plan.ObservedCopy{
			{Target: "array", Site: plan.OnSite, Durable: at.Add(-5 * time.Hour), Encrypted: true},
		}},
	}})
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range findings {
		fmt.Println(f.Severity, f.Rule, f.Text)
	}
	// Output:
	// high copies 0 targets on-site can restore a point of the last 4h, want 1
	// high loss up to 6h would have been lost, want at most 4h
	// high rpo no backup since 6h, want one every 4h
}

func ExampleObserved_Exposure() {
	at := func(h int) time.Time { return time.Date(2026, 3, 2, h, 0, 0, 0, time.UTC) }
	copied := func(h int) []plan.ObservedCopy {
		return []plan.ObservedCopy{{Target: "vault", Site: plan.OffSite, Durable: at(h)}}
	}
	o := plan.Observed{At: at(20), Points: []plan.ObservedPoint{
		{ID: "p1", Level: plan.Files, Taken: at(0), Copies: copied(1)},
		{ID: "p2", Level: plan.Files, Taken: at(8), Copies: copied(11)},
	}}
	for _, b := range o.Exposure(plan.OffSite).Over(8 * time.Hour) {
		fmt.Println(b.From.Format("15:04"), b.Until.Format("15:04"), b.Worst, b.Open)
	}
	// Output:
	// 08:00 11:00 11h0m0s false
	// 16:00 20:00 12h0m0s true
}

// A plan says how often and how much; the timetable finds out when, and whether it fits the links.
func ExampleChoice_Runs() {
	p, err := plan.ParseProblem(strings.NewReader(`
strategy: {tenant: acme, source: web-1, rpo: 8h, loss: 9h, rto: 2h, points: 7, on_site: 1, off_site: 0, skip_regions: true, verify_every: 168h, test_every: 720h}
workload: {files: {bytes: 107374182400, daily: 2147483648}, rebuild: 30m, verify: 10m}
targets: [{id: array, site: on-site, encrypted: true}]
options:
  - {id: array-files, level: files, target: array, chain: incremental, intervals: [6h], every: [28],
     ratio: 600, backup: 83886080, restore: 41943040, price: {store: 40000}}
`))
	if err != nil {
		log.Fatal(err)
	}
	s, err := plan.Optimise(p)
	if err != nil {
		log.Fatal(err)
	}
	tonight := time.Date(2026, 3, 2, 18, 0, 0, 0, time.UTC)
	table := timetable.Problem{Start: tonight, Slot: timetable.Duration(time.Hour), Slots: 12, Links: []timetable.Link{{ID: "lan", Rate: 125_000_000,
		Traffic: []int64{120_000_000, 40_000_000, 10_000_000, 10_000_000, 10_000_000, 10_000_000, 100_000_000, 10_000_000, 10_000_000, 0, 0, 0}}}}
	for _, r := range s.Best.Runs(p.Strategy, tonight, 12*time.Hour) {
		fmt.Println(r.ID, "begins at", r.From.Format("15:04"), "or later, ends by", r.Until.Format("15:04"))
		table.Jobs = append(table.Jobs, timetable.Job{ID: r.ID, Tenant: string(p.Strategy.Tenant), Host: p.Strategy.Source, Array: r.Target,
			Bytes: r.Bytes, Rate: r.Rate, Links: []string{"lan"}, Windows: []timetable.Window{{From: r.From, Until: r.Until}}})
	}
	arranged, err := timetable.Arrange(&table)
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range arranged.Runs {
		fmt.Println(r.Job, r.From.Format("15:04"), "to", r.Until.Format("15:04"))
	}
	// Output:
	// array-files#0 begins at 18:00 or later, ends by 20:21
	// array-files#1 begins at 00:00 or later, ends by 02:21
	// array-files#0 19:00 to 20:00
	// array-files#1 01:00 to 02:00
}
