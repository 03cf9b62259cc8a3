package catalogue_test

import (
	"errors"
	"fmt"
	"log"
	"strings"

	"github.com/cloudopsec/opsec/audit/programme/catalogue"
)

func ExampleX1642() {
	c := catalogue.X1642()
	fmt.Println(c.Name(), len(c.Requirements))
	for _, k := range c.Categories {
		fmt.Println(k.ID, k.Requirement)
	}
	// Output:
	// x1642/1 125
	// virtualisation 8.11.2-1
	// platform 8.11.2-2
	// operation 8.11.2-3
	// iam 8.11.2-4
	// keys 8.11.2-5
	// emergency 8.11.2-6
}

func ExampleCatalogue_Of() {
	for r := range catalogue.X1642().Of("keys") {
		if r.Clause == "8.2" {
			fmt.Println(r.ID, r.Title, r.Refs)
		}
	}
	// Output:
	// 8.2-1 Encryption in transit [{NIST SP 800-53 Rev. 5 sc-8} {NIST SP 800-53 Rev. 5 sc-8.1}]
	// 8.2-2 Encryption at rest [{NIST SP 800-53 Rev. 5 sc-28} {NIST SP 800-53 Rev. 5 sc-28.1}]
	// 8.2-3 Encryption of backup media [{NIST SP 800-53 Rev. 5 cp-9.8}]
	// 8.2-4 Key life cycle [{NIST SP 800-53 Rev. 5 sc-12}]
	// 8.2-5 Protection of the key store [{NIST SP 800-53 Rev. 5 ac-5} {NIST SP 800-53 Rev. 5 sc-12}]
	// 8.2-6 Key backup and recovery [{NIST SP 800-53 Rev. 5 sc-12.1}]
	// 8.2-7 Third party in key management [{NIST SP 800-53 Rev. 5 ac-5}]
}

func ExampleCatalogue_Requirement() {
	r, ok := catalogue.X1642().Requirement("8.2-4")
	fmt.Println(ok, r.Text)
	// Output: true Key life cycle: generation, use, storage, backup, recovery, update, destruction.
}

// A company's own rules beside the Recommendation.
func ExampleParse() {
	own := `
id: house
title: House rules
version: "3"
categories:
- id: doors
  title: Doors and keys
requirements:
- id: H-1
  title: Doors are audited
  text: Once a year somebody tries every door.
  categories: [doors]
  refs:
    NIST SP 800-53 Rev. 5: [pe-3]
`
	c, err := catalogue.Parse(strings.NewReader(own))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.Name(), c.Requirements[0].Title)

	_, err = catalogue.Parse(strings.NewReader(strings.Replace(own, "[doors]", "[windows]", 1)))
	var wrong *catalogue.SyntaxError
	if errors.As(err, &wrong) {
		fmt.Println(wrong.Line, wrong.What)
	}
	// Output:
	// house/3 Doors are audited
	// 9 requirement "H-1": a category that is not in the catalogue
}
