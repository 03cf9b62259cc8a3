package export_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/audit/translog/export"
)

func BenchmarkAppend(b *testing.B) {
	x, r := exporter(b), seal(login(), 7)
	for _, form := range forms {
		b.Run(string(form), func(b *testing.B) {
			b.ReportAllocs()
			var line []byte
			for b.Loop() {
				line, _ = x.Append(line[:0], form, r)
			}
			b.ReportMetric(float64(len(line)), "B/line")
		})
	}
}

func BenchmarkReadAndVerify(b *testing.B) {
	x, r := exporter(b), seal(login(), 7)
	for _, form := range forms {
		b.Run(string(form), func(b *testing.B) {
			file := bytes.Repeat(append(write(b, x, form, r), '\n'), 100)
			b.ReportAllocs()
			lines := 0
			for b.Loop() {
				for line, err := range export.Read(bytes.NewReader(file)) {
					require.NoError(b, err)
					if _, err = x.Verify(line, open); err != nil {
						b.Fatal(err)
					}
					lines++
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(lines), "ns/line")
		})
	}
}
