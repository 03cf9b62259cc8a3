package openslo_test

import (
	"fmt"
	"log"
	"time"

	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/openslo"
	"github.com/cloudopsec/opsec/sla/ratio"
)

// An SLO that a team has for its monitoring becomes an objective of an agreement.
func ExampleParse() {
	doc, lost, err := openslo.Parse([]byte(`
apiVersion: openslo/v1
kind: SLO
metadata: {name: volumes-requests}
spec:
  description: What customers ask of their volumes
  service: volumes
  indicatorRef: volumes-good
  timeWindow:
  - duration: 1M
    calendar: {startTime: 2026-03-01 00:00:00, timeZone: Europe/Berlin}
  budgetingMethod: RatioTimeslices
  objectives:
  - targetPercent: 99.9
    timeSliceWindow: 5m
---
apiVersion: openslo/v1
kind: SLI
metadata: {name: volumes-good}
spec:
  ratioMetric:
    good: {metricSource: {type: Prometheus, spec: {query: 'requests_total{code="200"}'}}}
    total: {metricSource: {type: Prometheus, spec: {query: requests_total}}}
`))
	if err != nil {
		log.Fatal(err)
	}
	for _, l := range lost {
		fmt.Println("lost:", l)
	}
	for _, o := range doc.Services[0].Objectives {
		slice := time.Duration(o.Slice)
		fmt.Println(doc.Services[0].ID, o.ID, o.Target, o.Method, slice, o.Window.Calendar, o.Window.Zone)
	}
	fmt.Println(doc.Sources["volumes-requests"].Indicator)
	// Output:
	// lost: SLO/volumes-requests.spec.description: there is no place for it
	// volumes volumes-requests 99.9% mean-rate 5m0s month Europe/Berlin
	// volumes-good
}

func ExampleDocument_YAML() {
	target, err := ratio.Parse("99.95%")
	if err != nil {
		log.Fatal(err)
	}
	good, err := ratio.Parse("95%")
	if err != nil {
		log.Fatal(err)
	}
	o := metric.Objective{
		ID: "search", Title: "Search", Target: target, Method: metric.Slices, Good: good, Slice: metric.Duration(time.Minute), Run: 5,
		Window: metric.Window{Rolling: metric.Duration(28 * 24 * time.Hour)},
	}
	doc := openslo.Document{Services: []sla.Service{{ID: "shop", Objectives: []metric.Objective{o}}}}
	text, lost, err := doc.YAML()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(string(text))
	for _, l := range lost {
		fmt.Println("lost:", l)
	}
	// Output:
	// apiVersion: openslo/v1
	// kind: Service
	// metadata:
	//   name: shop
	// spec: {}
	// ---
	// apiVersion: openslo/v1
	// kind: SLO
	// metadata:
	//   name: search
	//   displayName: Search
	// spec:
	//   service: shop
	//   indicatorRef: search
	//   timeWindow:
	//   - duration: 4w
	//     isRolling: true
	//   budgetingMethod: Timeslices
	//   objectives:
	//   - target: 0.9995
	//     timeSliceTarget: 0.95
	//     timeSliceWindow: 1m
	// lost: SLO/search: that bad slices count only in runs of 5
	// lost: SLO/search: where its figures come from is not known: define an SLI search
}

func ExampleLoss_String() {
	fmt.Println(openslo.Loss{Path: "SLO/search", Text: "its timeWindow: a rolling window of months has no length", Whole: true})
	// Output: SLO/search: not taken: its timeWindow: a rolling window of months has no length
}
