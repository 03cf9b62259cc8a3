// Package report shows a backup strategy, what it costs, and how it is kept to the people who owe it and to those whom it is owed.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.10: the provider shares the essential details of its backup with customers; clause 7.2.2.2:
// evidence of the terms of backup.
//
// # In short
//
//	r, err := report.New(report.Source{Title: "Backups of web-1", At: now,
//		Strategy: &strategy, Solution: &solution, // as package plan has them
//		Observed: &observed,                      // as package catalogue shows it
//		Timetable: &table, Retention: &kept,      // when it runs, what stays
//		Mirror: &report.Mirror{State: &state, Meter: meter, Parity: &parity, Drills: &drills}, // as package dr has them
//	})
//	err = r.HTML(w) // or r.Markdown, r.JSON
//	if !r.Clean() { /* something needs attention */ }
//
// # Promises
//
// Each part is optional; what is not given is left out, and what is missing although it was given is loud: no point that can be
// restored, no recovery that was tested. What is observed is compared with the strategy when both are given.
//
// The same source gives the same bytes; there is no clock here. The HTML is one file without scripts that loads nothing; a chart is never
// the only place of a number. Tables end after 50 rows and say how many are left out; JSON has all of them.
//
// Texts of others, such as ids, are shown as text, whatever is in them.
//
// # What it will not do
//
// Decide who may read it: a report has one source, and is for those who may see that one. Measure: it tells what it is given.
package report
