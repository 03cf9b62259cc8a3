package document_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/document"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/recompute"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// lines prints the lines of a document in Markdown that begin with one of some words.
func lines(d *document.Document, begin ...string) {
	var b strings.Builder
	if err := d.Markdown(&b); err != nil {
		fmt.Println(err)
	}
	for line := range strings.Lines(spaced(b.String())) {
		for _, w := range begin {
			if strings.HasPrefix(line, w) {
				fmt.Print(line)
			}
		}
	}
}

func offer() *sla.Agreement {
	text, err := os.ReadFile("../../examples/slareport/iaas.yaml")
	if err != nil {
		panic(err)
	}
	a, err := sla.Parse(text)
	if err != nil {
		panic(err)
	}
	return a
}

func ExampleAgreement_Document() {
	d, err := document.Agreement{Agreement: offer()}.Document()
	if err != nil {
		fmt.Println(err)
		return
	}
	lines(d, "# ", "> ", "## Security", "| `maintenance`")
	// Output:
	// # Northwind Cloud, virtual machines for Acme GmbH
	// > **Complete and measurable.** Every element that clause 7.2.2 names is there, and can be measured or checked.
	// ## Security measures (7.2.2.4)
	// ## Security audit (7.2.2.5)
	// ## Security monitoring (7.2.2.6)
	// ## Security certification (7.2.2.7)
	// ## Security documents (7.2.2.8)
	// | `maintenance` | maintenance | Work announced at least five days before | change-manager | 5 d | 4 h | 1 d | all |
}

// month is a report of March 2026, in which one of two machines was down for six hours.
func month() document.Report {
	a := offer()
	down := timeline.Line{span("2026-03-09T10:00:00+01:00", "2026-03-09T16:00:00+01:00")}
	r, err := recompute.Compute(context.Background(), recompute.Input{Agreement: a, Period: "2026-03", AsOf: at("2026-04-03T08:00:00Z"), States: seen{
		"vm-1": {States: metric.States{Up: timeline.Line{march}}}, "vm-2": {States: metric.States{Up: timeline.Line{march}.Without(down), Down: down}},
		"storage": {States: metric.States{Up: timeline.Line{march}}},
	}})
	if err != nil {
		panic(err)
	}
	return document.Report{Report: r, Agreement: a}
}

func ExampleReport_Provider() {
	d, err := month().Provider()
	if err != nil {
		fmt.Println(err)
		return
	}
	lines(d, "> ", "| Virtual", "| Block", "| `vm", "- Of")
	// Output:
	// > **2 of 3 objectives missed.**
	// > **All of 7 targets of response met.**
	// > **Credits are due.** `compute` 10 % of the fee.
	// | Virtual machines: All machines together, by machine-time | 99\.95 % | 99\.5962 % | 99\.5962 % | **breach** |
	// | Virtual machines: Each machine, in minutes of which five in a row are bad | 99\.5 % | 1 of 2 in breach; together 99.5962 % | 99\.5962 % | **breach** |
	// | Block storage: storage-region | 99\.9 % | 100\.0000 % | 100\.0000 % | met |
	// - Of 44 min 34 s 800 ms: used 44 min 34 s 800 ms · beyond it 5 h 15 min 25 s
	// - Of 445 × 1 min: used 360 × 1 min · left 85 × 1 min
	// | `vm-2` | 99\.1924 % | 99\.1924 % | **breach** |
	// - Of 44 min 34 s 800 ms: left 44 min 34 s 800 ms
}

func ExampleReport_Customer() {
	d, err := month().Customer(document.Customer{Tenant: "acme"}) // owns nothing that may be named
	if err != nil {
		fmt.Println(err)
		return
	}
	lines(d, "For ", "| `vm", "This document")
	// Output:
	// For customer Acme GmbH
	// This document names the customer's own resources alone, and those who approved by their role. 1 line of other resources is left out.
}

func ExampleComparison_Document() {
	d, err := document.Comparison{A: document.Side{Name: "Gold"}, B: document.Side{Name: "Silver"}, Rows: []document.Row{
		{Path: "clause.data.backup.rpo", Clause: "7.2.2.2", Verdict: "weaker", A: "4h", B: "24h", Reason: "more may be lost"},
	}}.Document()
	if err != nil {
		fmt.Println(err)
		return
	}
	lines(d, "# ", "> ", "| `")
	// Output:
	// # Comparison of Gold and Silver
	// > **B promises less than A.**
	// | `clause.data.backup.rpo` | **weaker** | 4h | 24h | more may be lost |
}

func ExamplePortal_Handler() {
	d, err := document.Agreement{Agreement: offer()}.Document()
	if err != nil {
		fmt.Println(err)
		return
	}
	var shelf document.Memory
	if err := shelf.Put("acme", "agreement", d); err != nil {
		fmt.Println(err)
		return
	}
	h, err := document.Portal{
		Shelf: &shelf, Authorizer: opsec.CallerAuthorized{}, // in earnest: who may read what
		Who: func(*http.Request) (opsec.Actor, error) { return opsec.Actor{Tenant: "acme", Account: "ina"}, nil },
	}.Handler()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, path := range []string{"/acme/", "/acme/agreement.html", "/acme/agreement.md?download", "/acme/report.html"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		fmt.Printf("%d %s %q\n", w.Code, w.Header().Get("Content-Type"), w.Header().Get("Content-Disposition"))
	}
	// Output:
	// 200 text/html; charset=utf-8 ""
	// 200 text/html; charset=utf-8 "inline; filename=\"agreement.html\""
	// 200 text/markdown; charset=utf-8 "attachment; filename=\"agreement.md\""
	// 404 text/plain; charset=utf-8 ""
}

func ExampleValidName() {
	fmt.Println(document.ValidName("report-2026-03"), document.ValidName("../report"), document.ValidName("a/b"))
	// Output: true false false
}

func BenchmarkReport(b *testing.B) {
	r := compute(b, input(b))
	d := provider(b, r)
	var w strings.Builder
	require.NoError(b, d.HTML(&w))
	b.SetBytes(int64(w.Len()))
	b.Run("make", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := r.Provider(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("html", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			w.Reset()
			if err := d.HTML(&w); err != nil {
				b.Fatal(err)
			}
		}
	})
}
