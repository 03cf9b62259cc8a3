package oscal_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/programme/catalogue"
	"github.com/cloudopsec/opsec/audit/programme/oscal"
)

// small is an audit of one procedure on two items, one of which could not be tested.
var small = programme.Audit{
	ID: "audit-7", Stage: programme.Reported,
	Plan: programme.Plan{
		Title: "Keys", Objectives: []string{"Keys are rotated in time."}, Catalogue: "x1642/1",
		From: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), Until: time.Date(2026, 3, 6, 0, 0, 0, 0, time.UTC),
		Procedures: []programme.Procedure{{
			ID: "rotation", Title: "Look at the age of keys", Category: "keys", Requirements: []string{"8.2-4"}, Person: "bob",
		}},
	},
	Draw: &programme.Draw{Samples: map[string][]int{"rotation": {0, 1}}},
	Results: []programme.Result{
		{Procedure: "rotation", Item: "key-1", Status: programme.Passed, Person: "bob", Time: time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC)},
		{Procedure: "rotation", Item: "key-2", Status: programme.NotTested, Person: "bob", Time: time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC)},
	},
	History: []programme.Entry{{Time: time.Date(2026, 3, 6, 0, 0, 0, 0, time.UTC), Person: "ann", Action: programme.ActionIssue}},
}

func ExamplePlan() {
	text, err := oscal.Plan(small, oscal.Options{Provider: "cloud.example"})
	if err != nil {
		panic(err)
	}
	var d struct {
		Plan struct {
			Metadata struct {
				LastModified string `json:"last-modified"`
			}
			Tasks []struct{ Title string }
		} `json:"assessment-plan"`
	}
	if err := json.Unmarshal(text, &d); err != nil {
		panic(err)
	}
	fmt.Println(d.Plan.Metadata.LastModified, d.Plan.Tasks[0].Title)
	// Output: 2026-03-06T00:00:00Z Look at the age of keys
}

func ExampleResults() {
	text, err := oscal.Results(small, oscal.Options{Provider: "cloud.example"})
	if err != nil {
		panic(err)
	}
	var d struct {
		AR struct {
			Results []struct {
				Findings []struct {
					Target struct {
						ID     string `json:"target-id"`
						Status struct{ State, Reason, Remarks string }
					}
				}
			}
		} `json:"assessment-results"`
	}
	if err := json.Unmarshal(text, &d); err != nil {
		panic(err)
	}
	for _, f := range d.AR.Results[0].Findings {
		fmt.Println(f.Target.ID, f.Target.Status.State, f.Target.Status.Reason)
		fmt.Println(f.Target.Status.Remarks)
	}
	// Output:
	// x1642-8.2-4_smt not-satisfied other
	// Not tested, or not in full: Items: 1 passed, 1 not tested.
}

func ExamplePOAM() {
	_, err := oscal.POAM(small, oscal.Options{Provider: "cloud.example"})
	fmt.Println(errors.Is(err, oscal.ErrNothingOpen))
	// Output: true
}

func ExampleCatalogue() {
	text, err := oscal.Catalogue(catalogue.X1642(), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		panic(err)
	}
	var d struct {
		Catalog struct {
			Groups []struct {
				ID       string
				Controls []struct{ ID, Title string }
			}
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		panic(err)
	}
	g := d.Catalog.Groups[0]
	fmt.Println(g.ID, g.Controls[0].ID, g.Controls[0].Title)
	// Output: x1642-7.1_clause x1642-7.1-1 Who answers for which layer
}
