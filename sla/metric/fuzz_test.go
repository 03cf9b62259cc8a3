package metric_test

import (
	"testing"
	"time"

	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// FuzzMeasure measures evidence of any kind: refused or not, it ends, and what it says of itself holds.
func FuzzMeasure(f *testing.F) {
	f.Add([]byte("0123456789abcdefghijklmnopqrstuvwxyz"), int64(begin), int64(begin+100), uint8(1), int64(5))
	f.Add([]byte{0, 4, 0, 9, 1, 3, 1, 200, 2, 1, 2, 5, 3, 0, 3, 255, 5, 7, 5, 9, 5, 1}, int64(-1<<63), int64(-1<<63+1000), uint8(2), int64(1))
	f.Add([]byte{5, 1, 5, 2, 5, 3, 4, 0, 4, 250}, int64(1<<63-100), int64(1<<63-1), uint8(3), int64(1000))
	f.Fuzz(func(t *testing.T, data []byte, start, end int64, method uint8, slice int64) {
		o := metric.Objective{
			Method:   []metric.Method{metric.Time, metric.Slices, metric.Requests, metric.MeanRate}[method%4],
			Slice:    metric.Duration(slice % (1 << 40) * 1_000_000),
			Run:      int(method >> 2 & 3),
			Partial:  []metric.Partial{"", metric.PartialGood}[method>>4&1],
			Degraded: []metric.Degraded{"", metric.DegradedUp}[method>>5&1],
			Target:   ratio.One(),
		}
		if o.Method == metric.Slices && method>>6&1 == 1 {
			o.Good = ratio.One()
		}
		var in metric.Input
		lines := []*timeline.Line{&in.States.Up, &in.States.Degraded, &in.States.Down, &in.Excluded, &in.Deployed}
		for ; len(data) >= 4; data = data[4:] {
			from := start + int64(int8(data[1]))<<(data[3]%40)
			if k := int(data[0] % 6); k < 5 {
				*lines[k] = append(*lines[k], timeline.Span{Start: from, End: from + int64(data[2]) - 2})
			} else {
				in.Counts = append(in.Counts, metric.Count{Start: from, Good: uint64(data[2]) << (data[3] % 64), Total: uint64(data[3]) << (data[2] % 64)})
			}
		}
		p := timeline.Span{Start: start, End: end}
		r, f1, err := o.Judge(func(yield func(metric.Input) bool) { yield(in) }, p)
		if err != nil {
			return
		}
		raw, counted := r.Raw.Range(), r.Counted.Range()
		if raw.Low.Cmp(raw.High) > 0 || counted.Low.Cmp(counted.High) > 0 || counted.High.Cmp(ratio.One()) > 0 {
			t.Fatalf("%+v", r)
		}
		if counted.Low.Cmp(raw.Low) < 0 || counted.High.Cmp(raw.High) < 0 {
			t.Fatalf("exclusions lower %v to %v", raw, counted)
		}
		if f1.Verdict == ratio.Undecided && r.Counted.Unknown+r.Counted.ExcludedUnknown+r.Counted.MaybeExcluded == 0 {
			t.Fatalf("undecided although all is known: %+v", r)
		}
		if o.Method == metric.Time && in.Deployed == nil && r.Raw.Good+r.Raw.Bad+r.Raw.Unknown != uint64(end-start) {
			t.Fatalf("%+v of %d ms", r, end-start)
		}
	})
}

// FuzzPeriod reads names of periods, which come with requests for reports: what is read has one name.
func FuzzPeriod(f *testing.F) {
	for _, c := range [][2]string{
		{"month", "2026-03"}, {"week", "2026-W11"}, {"quarter", "2026-Q1"}, {"year", "2026"}, {"day", "2024-02-29"}, {"", "2026-03-01T00:00:00Z"},
		{"month", "2026-99999"}, {"week", "0001-W01"}, {"year", "9999"}, {"quarter", "2026-Q-1"},
	} {
		f.Add(c[0], c[1])
	}
	f.Fuzz(func(t *testing.T, calendar, name string) {
		w := metric.Window{Calendar: calendar}
		if calendar == "" {
			w.Rolling = metric.Duration(time.Hour)
		}
		span, err := w.Period(name)
		if err != nil {
			return
		}
		if span.Start >= span.End {
			t.Fatalf("%q is empty", name)
		}
		if calendar == "" {
			return
		}
		again, same, err := w.At(time.UnixMilli(span.Start))
		if err != nil || again != name || same != span {
			t.Fatalf("%q is %q: %v", name, again, err)
		}
	})
}
