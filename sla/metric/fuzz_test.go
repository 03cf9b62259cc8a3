package metric_test

import (
	"testing"
	"time"

	"github.com/cloudopsec/opsec/sla/metric"
)

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
