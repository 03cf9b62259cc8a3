package comparison_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/calendar"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/comparison"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/response"
)

// BenchmarkCompare compares the two samples, which differ in about everything.
func BenchmarkCompare(b *testing.B) {
	x, y := sample(b, "iaas"), sample(b, "saas")
	b.ReportAllocs()
	for b.Loop() {
		comparison.Compare(x, y)
	}
}

// BenchmarkCompareManyExclusions compares as many rules as are compared one by one, none of which stands for another.
func BenchmarkCompareManyExclusions(b *testing.B) {
	x, y := new(sla.Agreement), new(sla.Agreement)
	for i := range 256 {
		r := sla.ExclusionRule{ID: fmt.Sprint(i), Category: sla.Maintenance, Text: fmt.Sprint("maintenance ", i), Notice: 2}
		x.Exclusions = append(x.Exclusions, r)
		r.Notice = 1
		y.Exclusions = append(y.Exclusions, r)
	}
	require.Len(b, comparison.Compare(x, y), 256)
	b.ReportAllocs()
	for b.Loop() {
		comparison.Compare(x, y)
	}
}

// BenchmarkCompareLongHours compares targets whose hours have very many shifts, none of which covers another.
func BenchmarkCompareLongHours(b *testing.B) {
	list := make([]response.Target, 64)
	for i := range list {
		p := calendar.Policy{Zone: "UTC"}
		for j := range 200 {
			p.Hours = append(p.Hours, calendar.Shift{Days: 0x7F, Span: calendar.Span{Start: calendar.TimeOfDay(420 * j), End: calendar.TimeOfDay(420*j + 60 + i)}})
		}
		list[i] = response.Target{Measure: response.Acceptance, Mean: metric.Duration(i + 1), Each: metric.Duration(1000 - i), Hours: &p}
	}
	b.ReportAllocs()
	for b.Loop() {
		comparison.Compare(respond(list), respond(list[1:]))
	}
}
