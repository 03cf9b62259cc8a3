package report_test

import (
	"fmt"
	"log"
	"os"
	"time"

	"github.com/cloudopsec/opsec/backup/report"
)

func ExampleNew() {
	at := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	r, err := report.New(report.Source{Title: "Backups of web-1", At: at, Retention: &report.Retention{Points: []report.Kept{
		{ID: "mon", Time: at.Add(-12 * time.Hour), Keep: true}, {ID: "sun", Time: at.Add(-36 * time.Hour)},
	}}})
	if err != nil {
		log.Fatal(err)
	}
	if err := r.Markdown(os.Stdout); err != nil {
		log.Fatal(err)
	}
	fmt.Println("clean:", r.Clean())
	// Output:
	// # Backups of web-1
	//
	// - **As of:** 2026-03-02 12:00
	//
	// ## What is kept
	//
	// Of 2 points, the policy keeps 1, guards keep 0 more, and 1 go.
	//
	// **Points by the day that they are of**
	//
	// - 2026-03: 1 kept · 1 dropped
	//
	// **These go**
	//
	// | Point | Of |
	// |---|---|
	// | `sun` | 2026-03-01 00:00 |
	//
	// ---
	//
	// Times are UTC. Money is in the currency of the prices, a month has 30 days.
	// clean: true
}
