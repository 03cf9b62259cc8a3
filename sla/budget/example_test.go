package budget_test

import (
	"fmt"
	"time"

	"github.com/cloudopsec/opsec/sla/budget"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
)

func must(text string) ratio.Ratio {
	r, err := ratio.Parse(text)
	if err != nil {
		panic(err)
	}
	return r
}

func ExampleWorkbook() {
	policy, err := budget.Workbook(must("99.9%"), 30*24*time.Hour)
	if err != nil {
		panic(err)
	}
	for _, r := range policy.Rules {
		factor, _ := policy.Factor(r)
		fmt.Println(r.Name, r.Urgency, r.Share, time.Duration(r.Long), time.Duration(r.Short), factor.Rat().FloatString(1))
	}
	// Output:
	// fast page 2% 1h0m0s 5m0s 14.4
	// slow page 5% 6h0m0s 30m0s 6.0
	// steady ticket 10% 72h0m0s 6h0m0s 1.0
}

func ExamplePolicy_Validate() {
	policy, _ := budget.Workbook(must("99.9%"), 30*24*time.Hour)
	policy.Target = must("90%")
	fmt.Println(policy.Validate())
	// Output: budget: rule fast never fires: a total outage burns 10 times the budget, and the rule wants more than 14.4
}

func ExamplePolicy_Factor() {
	policy, _ := budget.Workbook(must("99.9%"), 30*24*time.Hour)
	policy.Window = budget.Duration(28 * 24 * time.Hour) // the same rules in a shorter window
	factor, err := policy.Factor(policy.Rules[0])
	fmt.Println(factor.Num(), factor.Den(), factor.Rat().FloatString(2), err)
	// Output: 336 25 13.44 <nil>
}

func ExamplePolicy_Detects() {
	policy, _ := budget.Workbook(must("99.9%"), 30*24*time.Hour)
	fmt.Println(policy.Detects(policy.Rules[0], ratio.One())) // a total outage
	fmt.Println(policy.Detects(policy.Rules[0], must("1.44%")))
	fmt.Println(policy.Detects(policy.Rules[2], must("0.2%")))
	// Output:
	// 51.841s true
	// 0s false
	// 36h0m0.001s true
}

func ExamplePolicy_Judge() {
	policy, _ := budget.Workbook(must("99.9%"), 30*24*time.Hour)
	ring, err := policy.Ring(0)
	if err != nil {
		panic(err)
	}
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for m := range 72 * 60 {
		at := start.Add(time.Duration(m) * time.Minute).UnixMilli()
		counts := budget.Counts{Good: 9_995, Bad: 5}
		if m >= 72*60-60 { // the last hour
			counts = budget.Counts{Good: 9_800, Bad: 200}
		}
		ring.Advance(at)
		if err := ring.Add(at, counts); err != nil {
			panic(err)
		}
	}
	alerts, err := policy.Judge(ring.Over)
	for _, a := range alerts {
		fmt.Println(a.Rule, a.State, a.Long.Low.Rat().FloatString(2), a.Short.Low.Rat().FloatString(2))
	}
	fmt.Println(err)
	// Output:
	// fast firing 20.00 20.00
	// slow quiet 3.75 20.00
	// steady quiet 0.77 3.75
	// <nil>
}

func ExamplePolicy_Ring() {
	policy, _ := budget.Workbook(must("99.9%"), 30*24*time.Hour)
	ring, err := policy.Ring(1000) // milliseconds of one resource
	if err != nil {
		panic(err)
	}
	alerts, err := policy.Judge(ring.Over)
	fmt.Println(alerts[0].State, err) // nothing was heard of it
	// Output: undecided <nil>
}

func ExampleNewRing() {
	ring, err := budget.NewRing(time.Minute, []time.Duration{time.Hour, 5 * time.Minute}, 0)
	if err != nil {
		panic(err)
	}
	now := time.Date(2026, 3, 15, 12, 0, 0, 0, time.UTC)
	ring.Advance(now.UnixMilli())
	fmt.Println(ring.Add(now.UnixMilli(), budget.Counts{Good: 99, Bad: 1}))
	fmt.Println(ring.Add(now.Add(-10*time.Minute).UnixMilli(), budget.Counts{Good: 100})) // it came late
	fmt.Println(ring.Add(now.Add(-2*time.Hour).UnixMilli(), budget.Counts{Good: 100}))
	fmt.Println(ring.Add(now.Add(time.Hour).UnixMilli(), budget.Counts{Good: 100}))
	fmt.Println(ring.Over(5 * time.Minute))
	fmt.Println(ring.Over(time.Hour))
	// Output:
	// <nil>
	// <nil>
	// budget: older than the ring keeps
	// budget: later than the ring has come
	// {99 1 0} <nil>
	// {199 1 0} <nil>
}

func ExampleRing_Forecast() {
	ring, err := budget.NewRing(time.Hour, []time.Duration{30 * 24 * time.Hour, 6 * time.Hour}, 0)
	if err != nil {
		panic(err)
	}
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for h := range 30 * 24 {
		at := start.Add(time.Duration(h) * time.Hour).UnixMilli()
		bad := uint64(200) // in a million
		if h >= 30*24-6 {
			bad = 6_000
		}
		ring.Advance(at)
		if err := ring.Add(at, budget.Counts{Good: 1_000_000 - bad, Bad: bad}); err != nil {
			panic(err)
		}
	}
	f, err := ring.Forecast(must("99.9%"), 30*24*time.Hour, 6*time.Hour)
	fmt.Println(time.UnixMilli(*f.Latest).UTC().Format(time.DateTime), err)
	f, err = ring.Forecast(must("99%"), 30*24*time.Hour, 6*time.Hour)
	fmt.Println(f.Latest == nil, err) // a pace of 0.6 keeps the target
	// Output:
	// 2026-04-03 22:00:00 <nil>
	// true <nil>
}

func ExampleEnds() {
	now := time.Date(2026, 3, 11, 0, 0, 0, 0, time.UTC)
	end := time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	month := metric.Tally{Good: 31*86_400_000 - 600_000, Bad: 600_000}  // ten minutes were bad, and what is to come is good
	recent := budget.Counts{Good: 24*3_600_000 - 300_000, Bad: 300_000} // five of them in the last day
	b := month.Budget(must("99.9%"))
	f, err := budget.Ends(b, recent, 24*time.Hour, now.UnixMilli(), end.UnixMilli())
	fmt.Println(time.Duration(b.All-b.Used)*time.Millisecond, time.UnixMilli(*f.Latest).UTC().Format(time.DateTime), err)
	// Output: 34m38.4s 2026-03-17 22:16:19 <nil>
}

func ExampleBurn() {
	month := budget.Counts{Good: 43_185, Bad: 5, Unknown: 10} // minutes
	used := budget.Burn(month.Range(), must("99.95%"))
	fmt.Println(used.Low.Percent(1), used.High.Percent(1))
	fmt.Println(budget.Burn(budget.Counts{Good: 9_995, Bad: 5}.Range(), must("99.95%")).Low) // all of it, exactly
	// Output:
	// 23.1 69.4
	// 100%
}

func ExampleCounts_Range() {
	r := budget.Counts{Good: 90, Bad: 5, Unknown: 5}.Range()
	fmt.Println(r.Low, r.High)
	// Output: 90% 95%
}

func ExampleUnlikely() {
	for _, bad := range []uint64{1, 2} {
		fmt.Println(budget.Unlikely(bad, 3, must("0.1%"), must("0.1%"))) // of three requests, at a target of 99.9 %
	}
	// Output:
	// false <nil>
	// true <nil>
}

func ExampleClopperPearson() {
	r, err := budget.ClopperPearson(1000, 1000, must("95%"))
	fmt.Println(r.Low.Percent(3), r.High.Percent(3), err) // a thousand good ones do not show 99.9 %
	// Output: 99.631 100.000 <nil>
}

func ExampleWilson() {
	r, err := budget.Wilson(996, 1000, must("95%"))
	fmt.Println(r.Low.Percent(3), r.High.Percent(3), err)
	// Output: 98.976 99.844 <nil>
}

func ExampleClustered() {
	days := make([]budget.Counts, 30)
	for i := range days {
		days[i] = budget.Counts{Good: 1440}
	}
	days[7] = budget.Counts{Good: 1380, Bad: 60} // one outage of an hour
	r, err := budget.Clustered(days, must("95%"))
	fmt.Println(r.Low.Percent(3), r.High.Percent(3), err)
	r, err = budget.Wilson(43_140, 43_200, must("95%")) // as if its minutes had failed one by one
	fmt.Println(r.Low.Percent(3), r.High.Percent(3), err)
	// Output:
	// 99.216 99.975 <nil>
	// 99.821 99.892 <nil>
}

func ExamplePolicy_Prometheus() {
	policy, _ := budget.Workbook(must("99.9%"), 30*24*time.Hour)
	policy.Rules = policy.Rules[:1]
	file, err := policy.Prometheus(budget.Source{
		Name: "availability", Service: "vm",
		Bad: `sum(rate(http_requests_total{code=~"5.."}[$window]))`,
		All: `sum(rate(http_requests_total[$window]))`,
	})
	fmt.Printf("%s%v\n", file, err)
	// Output:
	// groups:
	//   - name: "slo vm availability"
	//     rules:
	//       - record: slo:bad:ratio_5m
	//         expr: "(sum(rate(http_requests_total{code=~\"5..\"}[5m]))) / (sum(rate(http_requests_total[5m])))"
	//         labels:
	//           slo: "availability"
	//           service: "vm"
	//       - record: slo:bad:ratio_1h
	//         expr: "(sum(rate(http_requests_total{code=~\"5..\"}[1h]))) / (sum(rate(http_requests_total[1h])))"
	//         labels:
	//           slo: "availability"
	//           service: "vm"
	//       - alert: SLOBudgetBurn_fast
	//         expr: "slo:bad:ratio_1h{slo=\"availability\",service=\"vm\"} > 0.0144 and slo:bad:ratio_5m{slo=\"availability\",service=\"vm\"} > 0.0144"
	//         labels:
	//           severity: page
	//           slo: "availability"
	//           service: "vm"
	//         annotations:
	//           summary: "availability of vm burns its error budget more than 14.4 times too fast: 2% of it in 1h"
	//       - alert: SLOEvidenceMissing
	//         expr: "absent(slo:bad:ratio_5m{slo=\"availability\",service=\"vm\"})"
	//         for: 5m
	//         labels:
	//           severity: ticket
	//           slo: "availability"
	//           service: "vm"
	//         annotations:
	//           summary: "nothing tells whether availability of vm is met: unknown is not good"
	// <nil>
}
