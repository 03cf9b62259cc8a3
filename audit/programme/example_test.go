package programme_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/programme/independence"
)

// A plan cannot be released before team and plan are complete, and what is missing is said at once.
func Example() {
	var policy programme.Policy // strict
	at := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	by := func(person string) programme.By {
		return programme.By{Actor: opsec.Actor{Tenant: opsec.Provider, Account: person, Person: person}, Time: at, Event: opsec.NewID()}
	}
	plan := programme.Plan{
		Title: "Backups", Catalogue: "x1642/1", Scope: independence.Scope{Systems: []string{"backup"}},
		From: at.AddDate(0, 0, 14), Until: at.AddDate(0, 1, 14), Resources: []programme.Need{{Name: "A test cluster"}},
	}
	audit, event, err := policy.Open("2026-1", plan, by("lea"))
	fmt.Println(audit.Stage, event.Action, err)

	mia := programme.Assign{
		Member: programme.Member{Person: "mia", Function: programme.SeniorManagement},
		Clearance: independence.Clearance{ // by independence.Policy.Examine, over the log
			Scope: plan.Scope.Digest(), Policy: policy.Independence.Digest(), From: at.Add(-365 * 24 * time.Hour), To: at,
			Standings: []independence.Standing{{Person: "mia"}},
		},
	}
	audit, _, err = policy.Apply(audit, mia, by("lea"))
	fmt.Println(len(audit.Team), err)

	_, _, err = policy.Apply(audit, programme.Release{}, by("mia"))
	if team, ok := errors.AsType[*programme.TeamError](err); ok {
		for _, what := range team.Missing {
			fmt.Println("-", what)
		}
	}
	// Output:
	// planned programme.open <nil>
	// 1 <nil>
	// - nobody of function administrative
	// - nobody of function technical
	// - nobody leads
}

func ExampleEscalate() {
	for repeats := range 4 {
		fmt.Println(repeats, programme.Escalate(opsec.SeverityLow, repeats))
	}
	// Output:
	// 0 low
	// 1 medium
	// 2 high
	// 3 critical
}

func ExampleSeries_Turns() {
	s := programme.Series{
		ID: "backups", Title: "Audit of backups", Months: 6, First: time.Date(2025, 8, 31, 18, 0, 0, 0, time.UTC), Lead: 60,
	}
	audits := []programme.Audit{{ID: "2025-2", Stage: programme.Closed, Plan: programme.Plan{Series: "backups", Turn: 0}}}
	turns, err := s.Turns(audits, time.Date(2026, 7, 10, 0, 0, 0, 0, time.UTC))
	for _, t := range turns {
		fmt.Printf("%s %q %q\n", t.Due.Format(time.DateOnly), t.State, t.Audit)
	}
	fmt.Println(err)
	// Output:
	// 2025-08-31 "done" "2025-2"
	// 2026-02-28 "missed" ""
	// 2026-08-31 "to plan" ""
	// 2027-02-28 "upcoming" ""
	// <nil>
}

func ExampleAudit_Overdue() {
	due := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	audit := programme.Audit{
		Stage:    programme.Reported,
		Findings: []programme.Finding{{ID: "f1"}},
		Actions:  []programme.Action{{ID: "a1", Finding: "f1", Owner: "olaf", Due: due}},
	}
	for _, action := range audit.Overdue(due.AddDate(0, 0, 3)) {
		fmt.Println(action.ID, action.Owner)
	}
	// Output: a1 olaf
}
