package correlate

import (
	"time"

	"github.com/cloudopsec/opsec"
)

// Presets returns rules for the events that the rooms of this module emit, and for log-ins and grants of any origin. The
// numbers are ours, and a start: look at what they find in your own log.
func Presets() []Rule {
	failed := Step{Category: opsec.Authentication, Outcomes: []opsec.Outcome{opsec.Failure, opsec.Denied}}
	loggedIn := Step{Category: opsec.Authentication, Outcomes: []opsec.Outcome{opsec.Success}, Part: Begin}
	granted := Step{Category: opsec.Authorization, Outcomes: []opsec.Outcome{opsec.Success}, Granted: []string{"*"}}
	about := func(s Step) Step { // the account that the event is about, instead of the one that acts
		s.By = []Field{"resource.id"}
		return s
	}
	times := func(s Step, n int, distinct Field) Step {
		s.Count, s.Distinct = n, distinct
		return s
	}
	found := func(action, kind string) Step {
		return about(Step{Actions: []string{action}, Attrs: map[string]string{"kind": kind}})
	}
	account := []Field{"account"}
	return []Rule{
		{
			Name: "guessed-then-raised", Severity: opsec.SeverityCritical, Within: time.Hour, By: account, Ordered: true,
			About: "An account was guessed at, then it logged in and got or gave permissions.",
			Steps: []Step{times(failed, 5, ""), loggedIn, granted},
		},
		{
			Name: "sprayed-then-in", Severity: opsec.SeverityHigh, Within: time.Hour, By: []Field{"origin"}, Ordered: true,
			About: "One place failed to log in with many accounts, and then succeeded with one.",
			Steps: []Step{times(failed, 10, "account"), loggedIn},
		},
		{
			Name: "dormant-then-bulk", Severity: opsec.SeverityCritical, Within: 90 * 24 * time.Hour, By: account, Ordered: true,
			About: "An account that had been dormant logged in, and more of customers' data was taken with it than is usual.",
			Steps: []Step{found("accounts.finding", "dormant"), loggedIn, found("dataaccess.finding", "above-*")},
		},
		{
			Name: "abandoned-then-in", Severity: opsec.SeverityHigh, Within: 30 * 24 * time.Hour, By: account, Ordered: true,
			About: "Somebody tried an account that was disabled or deleted, and later it logged in.",
			Steps: []Step{found("accounts.finding", "abandoned-attempt"), loggedIn},
		},
		{
			Name: "granted-to-self", Severity: opsec.SeverityHigh, Within: time.Minute, By: account,
			About: "An account gave permissions to itself.",
			Steps: []Step{{
				Category: opsec.Authorization, Outcomes: []opsec.Outcome{opsec.Success}, Granted: []string{"*"},
				Equal: [][2]Field{{"account", "resource.id"}},
			}},
		},
		{
			Name: "probed-then-raised", Severity: opsec.SeverityHigh, Within: 24 * time.Hour, By: account, Ordered: true,
			About: "An account was refused at many resources, and then got permissions.",
			Steps: []Step{
				{Actions: []string{"*"}, Outcomes: []opsec.Outcome{opsec.Denied}, Count: 10, Distinct: "resource"},
				about(granted),
			},
		},
		{
			Name: "raised-then-erased", Severity: opsec.SeverityCritical, Within: time.Hour, By: account, Ordered: true,
			About: "An account got permissions, and then removed something from the log.",
			Steps: []Step{
				about(granted),
				{
					Actions:  []string{"translog.prune", "translog.erase", "translog.lift"},
					Outcomes: []opsec.Outcome{opsec.Success, opsec.Unknown},
				},
			},
		},
		{
			Name: "raised-then-blind", Severity: opsec.SeverityHigh, Within: 15 * time.Minute, Ordered: true,
			About: "Somebody got permissions, and right afterwards the log lost events or its file was replaced.",
			Steps: []Step{granted, {Actions: []string{"audit.gap", "audit.file_replaced"}}},
		},
	}
}
