package metric_test

import (
	"fmt"
	"log"
	"slices"
	"time"

	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// A month of two instances, in minutes; five bad ones in a row are needed before they count.
func Example() {
	target, err := ratio.Parse("99.95%")
	if err != nil {
		log.Fatal(err)
	}
	o := metric.Objective{
		ID: "vm", Target: target, Method: metric.Slices, Slice: metric.Duration(time.Minute), Run: 5,
		Window: metric.Window{Calendar: "month", Zone: "Europe/Berlin"},
	}
	if err := o.Validate(); err != nil {
		log.Fatal(err)
	}
	period, err := o.Window.Period("2026-03")
	if err != nil {
		log.Fatal(err)
	}
	outage := timeline.Span{Start: period.Start + 3_600_000, End: period.Start + 3_600_000 + 44*60_000} // 44 minutes
	blip := timeline.Span{Start: outage.End + 600_000, End: outage.End + 840_000}                       // 4 minutes
	var sum metric.Result
	for _, down := range []timeline.Line{{outage, blip}, nil} {
		one, err := o.Measure(metric.Input{States: metric.States{Up: timeline.Line{period}, Down: down}}, period)
		if err != nil {
			log.Fatal(err)
		}
		if err := sum.Add(one); err != nil {
			log.Fatal(err)
		}
	}
	f := sum.Figure(o.Target)
	fmt.Printf("%s %% of %d minutes: %s\n", f.Availability.Low.Percent(4), sum.Counted.Good+sum.Counted.Bad, f.Verdict)
	fmt.Printf("%+v\n", sum.Counted.Budget(o.Target))
	// Output:
	// 99.9506 % of 89160 minutes: met
	// {All:44 Used:44 Open:0}
}

func ExampleObjective_Measure() {
	period := timeline.Span{Start: 1_772_323_200_000, End: 1_772_323_200_000 + 1_000_000} // 1,000 seconds
	at := func(from, to int64) timeline.Line {
		return timeline.Line{{Start: period.Start + from*1000, End: period.Start + to*1000}}
	}
	in := metric.Input{
		States: metric.States{
			Up:   at(0, 900), // nothing is known of the last 100 seconds
			Down: at(500, 520),
		},
		Excluded: at(510, 600), // maintenance
	}
	r, err := metric.Objective{Method: metric.Time}.Measure(in, period)
	if err != nil {
		log.Fatal(err)
	}
	raw, counted := r.Raw.Range(), r.Counted.Range()
	fmt.Println("without exclusions", raw.Low.Percent(2), "to", raw.High.Percent(2))
	fmt.Println("with exclusions", counted.Low.Percent(2), "to", counted.High.Percent(2))
	fmt.Println("excluded", r.Counted.Excluded, "ms")
	// Output:
	// without exclusions 88.00 to 98.00
	// with exclusions 88.88 to 98.98
	// excluded 10000 ms
}

// The mean of the rates of five-minute intervals, of which three in four are 99.9 % and one is 99.6 %: exactly 99.825 %.
func ExampleObjective_Judge() {
	target, err := ratio.Parse("99.825%")
	if err != nil {
		log.Fatal(err)
	}
	o := metric.Objective{Method: metric.MeanRate, Slice: metric.Duration(5 * time.Minute), Target: target}
	period, err := metric.Window{Calendar: "month"}.Period("2026-03")
	if err != nil {
		log.Fatal(err)
	}
	var counts []metric.Count
	for at := period.Start; at < period.End; at += 300_000 {
		c := metric.Count{Start: at, Good: 999, Total: 1000}
		if at/300_000%4 == 0 {
			c.Good = 996
		}
		counts = append(counts, c)
	}
	r, f, err := o.Judge(slices.Values([]metric.Input{{Counts: counts}}), period)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("rounded", r.Blurred(target))
	fmt.Println(f.Availability.Low.Percent(9), f.Availability.High.Percent(9), f.Verdict)
	// Output:
	// rounded true
	// 99.824999831 99.825000204 met
}

func ExampleWindow_Period() {
	berlin := metric.Window{Calendar: "month", Zone: "Europe/Berlin"}
	span, err := berlin.Period("2026-03")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(time.UnixMilli(span.Start).UTC().Format(time.RFC3339), time.Duration(span.End-span.Start)*time.Millisecond)
	_, err = berlin.Period("2026-3")
	fmt.Println(err)
	// Output:
	// 2026-02-28T23:00:00Z 743h0m0s
	// metric: period: "2026-3" is not a month as in 2026-03
}

func ExampleWindow_At() {
	week := metric.Window{Calendar: "week", Zone: "Asia/Kathmandu"}
	name, _, err := week.At(time.Date(2026, 3, 15, 20, 0, 0, 0, time.UTC)) // it is Monday there
	fmt.Println(name, err)
	// Output: 2026-W12 <nil>
}

func ExampleTally_Add() {
	var region metric.Tally
	for _, instance := range []metric.Tally{{Good: 43_199, Bad: 1}, {Good: 43_200}} {
		if err := region.Add(instance); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Printf("%d of %d\n", region.Good, region.Good+region.Bad)
	// Output: 86399 of 86400
}

func ExampleTally_Range() {
	g := metric.Tally{Good: 990, Bad: 5, Unknown: 5}.Range()
	fmt.Println(g.Low.Percent(1), g.High.Percent(1))
	// Output: 99.0 99.5
}

func ExampleTally_Budget() {
	target, err := ratio.Parse("99.9%")
	if err != nil {
		log.Fatal(err)
	}
	b := metric.Tally{Good: 43_150, Bad: 30, Unknown: 20}.Budget(target) // minutes of 30 days
	fmt.Printf("%d of %d used, %d open\n", b.Used, b.All, b.Open)
	// Output: 30 of 43 used, 20 open
}

func ExampleResult_Figure() {
	target, err := ratio.Parse("99.9%")
	if err != nil {
		log.Fatal(err)
	}
	for _, bad := range []uint64{10, 11} {
		r := metric.Result{Raw: metric.Tally{Good: 10_000 - bad, Bad: bad}, Counted: metric.Tally{Good: 10_000 - bad, Bad: bad}}
		fmt.Println(r.Figure(target).Verdict)
	}
	// Output:
	// met
	// breach
}

// Backups every night at 01:00 that take two hours, but for one that failed; the objective is 26 hours.
func ExampleExpose() {
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var points []metric.Point
	for night := range 7 {
		if night == 4 {
			continue
		}
		taken := start.AddDate(0, 0, night).Add(time.Hour)
		points = append(points, metric.Point{Taken: taken.UnixMilli(), Usable: taken.Add(2 * time.Hour).UnixMilli()})
	}
	period := timeline.Span{Start: start.AddDate(0, 0, 1).UnixMilli(), End: start.AddDate(0, 0, 7).UnixMilli()}
	x, err := metric.Expose(points, uint64((26 * time.Hour).Milliseconds()), period)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("most", time.Duration(x.Most)*time.Millisecond, "and for", time.Duration(x.Kept.Bad)*time.Millisecond, "more than agreed")
	// Output: most 50h0m0s and for 24h0m0s more than agreed
}
