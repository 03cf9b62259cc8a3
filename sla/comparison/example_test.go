package comparison_test

import (
	"fmt"
	"log"
	"os"
	"time"

	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/comparison"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/timeline"
)

func read(file string) *sla.Agreement {
	text, err := os.ReadFile(file)
	if err != nil {
		log.Fatal(err)
	}
	a, err := sla.Parse(text)
	if err != nil {
		log.Fatal(err)
	}
	return a
}

func parse(text string) *sla.Agreement {
	a, err := sla.Parse([]byte("schema: opsec.sla/v1\n" + text))
	if err != nil {
		log.Fatal(err)
	}
	return a
}

// The next version of an agreement has a higher target, and maintenance with less notice.
func ExampleCompare() {
	before, after := read("../testdata/iaas.yaml"), read("../testdata/iaas.yaml")
	target, err := ratio.Parse("99.995%")
	if err != nil {
		log.Fatal(err)
	}
	after.Services[0].Objectives[0].Target = target
	after.Exclusions[0].Notice = metric.Duration(24 * time.Hour)
	after.Clause.Measures.Traffic.Controls = []string{"ddos", "ids"}

	list := comparison.Compare(before, after)
	for _, d := range list {
		fmt.Printf("%s %s %s\n  %s -> %s (%s)\n", d.Clause, d.Path, d.Verdict, d.A, d.B, d.Reason)
	}
	fmt.Println("all together:", comparison.Overall(list))
	// Output:
	// 7.2.1 exclusions[id=planned].notice weaker
	//   72h -> 24h (shorter)
	// 7.2.2.1 services[id=compute].objectives[id=compute-region].target stronger
	//   99.99% -> 99.995% (higher)
	// 7.2.2.4 clause.measures.traffic.controls weaker
	//   ddos, ids, ips -> ddos, ids (gone: ips)
	// all together: incomparable
}

// A customer asks for three things. One of them the offer has not.
func ExampleMeets() {
	requirements := parse(`
services:
- id: compute
  objectives:
  - {id: any, target: 99.9%, window: {calendar: month, zone: Europe/Berlin}}
clause:
  data:
    backup: {rpo: 5m, rto: 4h, retention: 720h, onSite: 1, offSite: 1, testEvery: 8760h}
  measures:
    authentication: {text: "", controls: [mfa]}
`)
	for _, d := range comparison.Meets(read("../testdata/iaas.yaml"), requirements) {
		fmt.Printf("%s %s: asked %s, offered %s: %s\n", d.Path, d.Verdict, d.A, d.B, d.Reason)
	}
	// Output:
	// clause.data.backup.rpo weaker: asked 5m, offered 15m: longer
}

func ExampleElements() {
	before, after := read("../testdata/iaas.yaml"), read("../testdata/iaas.yaml")
	after.Clause.Data.Backup.OffSite = 2
	after.Clause.Audit.By = "internal"
	for _, e := range comparison.Elements(comparison.Compare(before, after)) {
		if e.Differences > 0 {
			fmt.Println(e.Clause, e.Title, e.Verdict)
		}
	}
	// Output:
	// 7.2.2.2 Data security protection stronger
	// 7.2.2.5 Security audit weaker
}

func ExampleOverall() {
	fmt.Println(comparison.Overall(nil))
	fmt.Println(comparison.Overall([]comparison.Difference{{Verdict: comparison.Weaker}, {Verdict: comparison.Weaker}}))
	fmt.Println(comparison.Overall([]comparison.Difference{{Verdict: comparison.Weaker}, {Verdict: comparison.Stronger}}))
	// Output:
	// equal
	// weaker
	// incomparable
}

func ExampleVerdict_Reverse() {
	fmt.Println(comparison.Weaker.Reverse())
	// Output: stronger
}

// Another provider calls its machines otherwise.
func ExampleRename() {
	mine := parse("services: [{id: compute, resources: [x], objectives: [{id: o, target: 99.9%}]}]")
	other := parse("services: [{id: droplets, resources: [x], objectives: [{id: p, target: 99.99%}]}]")
	fmt.Println(comparison.Overall(comparison.Compare(mine, other)))
	fmt.Println(comparison.Overall(comparison.Compare(mine, comparison.Rename(other, map[string]string{"droplets": "compute"}))))
	// Output:
	// incomparable
	// stronger
}

// march is a history: machines were down for ten hours in March.
func march() comparison.History {
	from := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	to := from.AddDate(0, 1, 0)
	down := timeline.Span{Start: from.AddDate(0, 0, 9).UnixMilli(), End: from.AddDate(0, 0, 9).Add(10 * time.Hour).UnixMilli()}
	return comparison.History{From: from, To: to, Services: map[string][]metric.Input{"compute": {{
		States: metric.States{Up: timeline.Line{{Start: from.UnixMilli(), End: to.UnixMilli()}}, Down: timeline.Line{down}}}}}}
}

const terms = `
services: [{id: compute, objectives: [{id: o, target: 99.9%%, method: time, window: {calendar: month}}]}]
credits: [{id: c, objective: o, bands: [{below: 99.9%%, credit: 10%%}, {below: 98%%, credit: %s}]}]
`

// Two offers with the same target owe different credits for the same outage: 10 hours of March are 1.34 %.
func ExampleCredits() {
	a := parse(fmt.Sprintf(terms, "50%"))
	b := parse(fmt.Sprintf(terms, "100%"))
	b.Credits[0].Bands[1].Below = b.Credits[0].Bands[0].Below // all of the fee, as soon as the target is missed
	list, err := comparison.Credits(a, b, march())
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range list {
		fmt.Println(d.Path, d.Verdict, d.A, d.B, d.Reason)
	}
	// Output:
	// credits[service=compute] stronger 10.000% 100.000% more is owed for the same history
}

func ExampleHistory_Owed() {
	owed, err := march().Owed(parse(fmt.Sprintf(terms, "50%")))
	if err != nil {
		log.Fatal(err)
	}
	for _, o := range owed {
		fmt.Println(o.Service, time.UnixMilli(o.Period.Start).UTC().Format("2006-01"), o.Credit.Low)
	}
	// Output:
	// compute 2026-03 10%
}
