package evidence_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cloudopsec/opsec/sla/evidence"
	"github.com/cloudopsec/opsec/sla/meter"
)

// BenchmarkStates reads rows of a thousand resources in order of their time.
func BenchmarkStates(b *testing.B) {
	const rows = 10_000
	var file bytes.Buffer
	w, err := evidence.NewWriter(&file)
	if err != nil {
		b.Fatal(err)
	}
	for i := range int64(rows) {
		at := march + i/1000*60_000
		if err := w.Write(state("f", 0, fmt.Sprintf("vm-%03d", i%1000), at, at+60_000, meter.Up)); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(file.Len()))
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range evidence.States(bytes.NewReader(file.Bytes()), "f") {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
}

// BenchmarkTrack adds results that join, as a prober does.
func BenchmarkTrack(b *testing.B) {
	t := &evidence.Track{Source: "s", Gap: 2 * time.Minute, Join: time.Hour}
	at := int64(march)
	b.ReportAllocs()
	for b.Loop() {
		at += 60_000
		if _, _, err := t.Add("a", at, meter.Up); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReadMatrix reads an answer of a day of scrapes.
func BenchmarkReadMatrix(b *testing.B) {
	const samples = 5760
	var values strings.Builder
	for i := range samples {
		fmt.Fprintf(&values, `%s[%d.%03d,"1"]`, strings.Repeat(",", min(i, 1)), march/1000+15*i, i%1000)
	}
	in := answer(`{"metric":{"__name__":"up","instance":"a"},"values":[` + values.String() + `]}`)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := evidence.ReadMatrix(strings.NewReader(in), "a"); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/samples, "ns/sample")
}

// BenchmarkBlackboxLog reads a log of which every sixth line is a result.
func BenchmarkBlackboxLog(b *testing.B) {
	const results = 1000
	var file strings.Builder
	for i := range results {
		at := time.UnixMilli(march + int64(i)*15_000).UTC().Format("2006-01-02T15:04:05.000Z")
		for range 5 {
			fmt.Fprintf(&file, "ts=%s caller=handler.go:184 module=http_2xx target=http://127.0.0.1:18080/ level=debug msg=\"Resolving target address\" target=127.0.0.1 ip_protocol=ip4\n", at)
		}
		fmt.Fprintf(&file, "ts=%s caller=handler.go:184 module=http_2xx target=http://127.0.0.1:18080/ level=debug msg=\"Probe succeeded\" duration_seconds=0.002201872\n", at)
	}
	b.SetBytes(int64(file.Len()))
	b.ReportAllocs()
	for b.Loop() {
		t := &evidence.Track{Source: "s", Gap: time.Minute}
		for _, err := range evidence.BlackboxLog(strings.NewReader(file.String()), "f", t, nil) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/results, "ns/result")
}
