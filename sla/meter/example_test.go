package meter_test

import (
	"bytes"
	"fmt"
	"time"

	"github.com/cloudopsec/opsec/sla/meter"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// day returns a day of March 2026.
func day(n int) timeline.Span {
	start := time.Date(2026, 3, n, 0, 0, 0, 0, time.UTC)
	return timeline.Span{Start: start.UnixMilli(), End: start.AddDate(0, 0, 1).UnixMilli()}
}

func piece(source string, seq uint64, span timeline.Span, state meter.State) meter.Evidence {
	return meter.Evidence{Source: source, Seq: seq, Resource: "vm-1", Span: span, State: state}
}

func ExampleMeter_Resources() {
	m := meter.New()
	noon := day(9).Start + 12*3_600_000
	_ = m.Add(piece("probe", 2, timeline.Span{Start: noon, End: meter.Open}, meter.Down)) // until the probe says more
	_ = m.Add(piece("probe", 1, timeline.Span{Start: day(9).Start, End: noon}, meter.Up))
	_ = m.Add(piece("probe", 1, timeline.Span{Start: day(9).Start, End: noon}, meter.Up)) // once more
	_ = m.Add(piece("probe", 3, timeline.Span{Start: noon + 60_000, End: day(9).End}, meter.Up))
	m.Resources(day(9), func(resource string, in metric.Input) bool {
		fmt.Println(resource, "up", in.States.Up.Length(), "ms, down", in.States.Down.Length(), "ms")
		return true
	})
	// Output: vm-1 up 86340000 ms, down 60000 ms
}

func ExampleMeter_Merge() {
	berlin, paris, both := meter.New(), meter.New(), meter.New()
	_ = berlin.Add(piece("berlin", 1, day(9), meter.Up))
	_ = paris.Add(piece("paris", 1, day(9), meter.Down))
	_ = berlin.Merge(paris)
	_ = both.Merge(paris)
	_ = both.Merge(berlin)
	fmt.Println(berlin.Digest(day(9)) == both.Digest(day(9)), berlin.Digest(day(9)) == paris.Digest(day(9)))
	// Output: true false
}

func ExampleMeter_Restate() {
	m := meter.New()
	_ = m.Add(piece("probe", 1, day(9), meter.Up))
	seal, _ := m.Seal(day(9))
	_ = m.Add(piece("router", 1, day(9), meter.Down))
	for e := range m.Late() {
		fmt.Println("late:", e.Source, e.Seq)
	}
	fmt.Println("as it was:", m.Digest(day(9)) == seal.Digest)
	seals, err := m.Restate(day(9), seal.Digest, "the router's log was found")
	fmt.Println(len(seals), seals[0].Why, seals[0].Cites == seal.Digest, m.Digest(day(9)) == seals[0].Digest, err)
	fmt.Println(len(m.Seals()), "seals")
	// Output:
	// late: router 1
	// as it was: true
	// 1 the router's log was found true true <nil>
	// 2 seals
}

func ExampleMeter_Behind() {
	m := meter.New()
	_ = m.Add(piece("berlin", 1, day(9), meter.Up))
	_ = m.Add(piece("paris", 1, day(8), meter.Up))
	fmt.Println(m.Behind(day(9).End))
	mark, _ := m.Mark("paris")
	fmt.Println(time.UnixMilli(mark).UTC().Format(time.RFC3339))
	// Output:
	// [paris]
	// 2026-03-09T00:00:00Z
}

func ExampleMeter_Evidence() {
	m, other := meter.New(), meter.New()
	_ = m.Add(piece("probe", 1, day(8), meter.Up))
	_ = m.Add(piece("probe", 2, day(9), meter.Down))
	for e := range m.Evidence(day(9)) {
		fmt.Println(e.Source, e.Seq, e.Resource, e.State)
		_ = other.Add(e)
	}
	fmt.Println(other.Digest(day(9)) == m.Digest(day(9)))
	// Output:
	// probe 2 vm-1 down
	// true
}

func ExampleMeter_Conflicts() {
	m := meter.New()
	_ = m.Add(piece("probe", 1, day(9), meter.Up))
	_ = m.Add(piece("probe", 1, day(9), meter.Down))
	for e := range m.Conflicts() {
		fmt.Println(e.Source, e.Seq, "does not count:", e.State)
	}
	// Output: probe 1 does not count: up
}

func ExampleLoad() {
	m := meter.New()
	_ = m.Add(piece("probe", 1, day(9), meter.Up))
	var file bytes.Buffer
	err := m.Save(&file)
	fmt.Println(file.Len(), err)
	again, err := meter.Load(&file)
	fmt.Println(again.Digest(day(9)) == m.Digest(day(9)), err)
	// Output:
	// 80 <nil>
	// true <nil>
}
