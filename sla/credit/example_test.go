package credit_test

import (
	"fmt"
	"time"

	"github.com/cloudopsec/opsec/sla/credit"
	"github.com/cloudopsec/opsec/sla/ratio"
)

func ExampleTable_Validate() {
	t := credit.Table{ID: "vm-credit", Bands: []credit.Band{
		{Below: of("99%"), Credit: of("10%")},
		{Below: of("99.9%"), Credit: of("25%")},
	}}
	fmt.Println(t.Validate())
	// Output:
	// credit: objective: want 1 to 200 bytes
	// credit: bands[1].below: want less than the 99% of the band before
}

func ExampleTable_Credit() {
	t := credit.Published()[2]
	fmt.Println(t.ID)
	for _, figure := range []string{"99.95%", "99.9%", "99.8999%", "99%", "95%", "94.99%"} {
		fmt.Println(figure, t.Credit(of(figure)))
	}
	// Output:
	// aws-s3-standard
	// 99.95% 0%
	// 99.9% 0%
	// 99.8999% 10%
	// 99% 10%
	// 95% 25%
	// 94.99% 100%
}

func ExampleTable_Due() {
	t := credit.Table{
		ID: "vm-credit", Objective: "vm",
		Bands:   []credit.Band{{Below: of("99.95%"), Credit: of("10%")}, {Below: of("99%"), Credit: of("25%")}},
		Minimum: "1.00 EUR", Claim: credit.Duration(30 * 24 * time.Hour),
	}
	zone, _ := time.LoadLocation("Europe/Berlin")
	end := time.Date(2026, 4, 1, 0, 0, 0, 0, zone)
	// Some of the month was not seen: if all of that was good the figure is 99.4 %, else 98.9 %.
	due, err := t.Due("compute", ratio.Range{Low: of("98.9%"), High: of("99.4%")}, ratio.Breach, "1234.56 EUR", end)
	fmt.Println(due.Credit.Low, due.Credit.High, err)
	fmt.Println(due.Amount[0], "to", due.Amount[1])
	fmt.Println("claim by", due.ClaimBy.Format(time.RFC3339), due.Claimable(end.AddDate(0, 0, 31)))
	// Output:
	// 10% 25% <nil>
	// 123.46 EUR to 308.64 EUR
	// claim by 2026-05-01T00:00:00+02:00 false
}

func ExampleDue_Claimable() {
	due := credit.Due{ClaimBy: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)}
	fmt.Println(due.Claimable(due.ClaimBy), due.Claimable(due.ClaimBy.Add(1)))
	// Output: true false
}

func ExampleTable_Each() {
	t := credit.Table{
		ID: "vm-credit", Objective: "vm",
		Bands: []credit.Band{{Below: of("99.5%"), Credit: of("10%")}, {Below: of("95%"), Credit: of("100%")}},
	}
	each := t.Each()
	for range 98 {
		_ = each.Add(ratio.Range{Low: of("99.9%"), High: of("99.9%")}, ratio.Met)
	}
	_ = each.Add(ratio.Range{Low: of("99.1%"), High: of("99.1%")}, ratio.Breach)
	_ = each.Add(ratio.Range{Low: of("60%"), High: of("97%")}, ratio.Breach) // much of it was not seen
	due, err := each.Due("compute", "5000.00 EUR", time.Time{})
	fmt.Println(due.Verdict, due.Credit.Low, due.Credit.High, due.Amount, err)
	// Output: breach 0.2% 1.1% [10.00 EUR 55.00 EUR] <nil>
}

func ExampleCap() {
	fee := "1000.00 EUR"
	region := credit.Table{ID: "region", Bands: []credit.Band{{Below: of("99.9%"), Credit: of("60%")}}}
	support := credit.Table{ID: "support", Bands: []credit.Band{{Below: of("99%"), Credit: of("15%")}}, Cap: of("20%")}
	backup := credit.Table{ID: "backup", Bands: []credit.Band{{Below: of("99%"), Credit: of("15%")}}, Cap: of("20%")}
	var dues []credit.Due
	for _, t := range []credit.Table{region, support, backup} {
		due, err := t.Due("compute", ratio.Range{Low: of("98%"), High: of("98%")}, ratio.Breach, fee, time.Time{})
		if err != nil {
			fmt.Println(err)
		}
		dues = append(dues, due)
	}
	totals, err := credit.Cap(dues)
	fmt.Println(totals[0].Service, totals[0].Credit.High, totals[0].Amount[1], err)
	// Output: compute 80% 800.00 EUR <nil>
}

func ExamplePublished() {
	for _, t := range credit.Published() {
		fmt.Println(t.ID)
	}
	t := credit.Published()[0]
	t.ID, t.Objective = "keys-credit", "keys"
	fmt.Println(t.Validate(), t.Bands[0].Below, t.Minimum)
	// Output:
	// aws-kms
	// aws-s3-infrequent-access
	// aws-s3-standard
	// aws-security-lake
	// <nil> 99.999% 1.00 USD
}
