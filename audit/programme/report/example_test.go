package report_test

import (
	"fmt"
	"log"
	"os"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/programme/catalogue"
	"github.com/cloudopsec/opsec/audit/programme/report"
)

// small is an audit of two customers' keys.
func small() programme.Audit {
	return programme.Audit{
		ID: "2026-keys", Stage: programme.Reported,
		Plan: programme.Plan{
			Title: "Keys", Catalogue: "x1642/1", Customers: []opsec.TenantID{"acme", "globex"},
			From: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), Until: time.Date(2026, 3, 6, 0, 0, 0, 0, time.UTC),
			Procedures: []programme.Procedure{
				{ID: "key-1", Title: "Keys are rotated", Category: "keys", Requirements: []string{"8.11.2-5"}},
			},
		},
		Results: []programme.Result{
			{Procedure: "key-1", Item: "acme/disk", Tenant: "acme", Status: programme.Passed},
			{
				Procedure: "key-1",
				Item:      "acme/mail",
				Tenant:    "acme",
				Status:    programme.NotTested,
				Detail:    "timeout, as with globex/disk",
			},
			{Procedure: "key-1", Item: "globex/disk", Tenant: "globex", Status: programme.Failed},
			{Procedure: "key-1", Item: "root", Status: programme.Passed},
		},
	}
}

func ExampleView() {
	src := report.Source{Audit: small(), Catalogue: catalogue.X1642(), At: time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)}
	for _, who := range []report.Audience{report.Management, report.Tenant("acme")} {
		d, err := report.View(src, who)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf(
			"%s: %d of %d passed, %d failed, %d not tested\n",
			who,
			d.Total.Passed,
			d.Total.Items(),
			d.Total.Failed,
			d.Total.Open(),
		)
	}
	// Output:
	// management: 2 of 4 passed, 1 failed, 1 not tested
	// tenant acme: 2 of 3 passed, 0 failed, 1 not tested
}

func ExampleShare() {
	a, withheld, err := report.Share(small(), "acme")
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range a.Results {
		fmt.Printf("%s: item %q, detail %q\n", r.Status, r.Item, r.Detail)
	}
	fmt.Println("withheld:", withheld)
	// Output:
	// passed: item "acme/disk", detail ""
	// not tested: item "acme/mail", detail "[withheld: it names another customer]"
	// passed: item "", detail ""
	// withheld: 1
}

func ExampleMarkdown() {
	src := report.Source{Audit: small(), Catalogue: catalogue.X1642(), At: time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)}
	d, err := report.View(src, report.Tenant("acme"))
	if err != nil {
		log.Fatal(err)
	}
	f, err := os.CreateTemp("", "report")
	if err != nil {
		log.Fatal(err)
	}
	defer os.Remove(f.Name())
	fmt.Println(report.Markdown(f, d), report.HTML(f, d))
	// Output: <nil> <nil>
}
