// Package table reads the rows of an account audit from files: CSV with a header row, or JSON lines. Which of the two it
// is shows in the first character: '{' begins JSON lines.
//
//	f, err := os.Open("accounts.csv")
//	// ...
//	sources.Accounts = table.Accounts(f, "accounts.csv")
//
// The columns of a CSV file, and the fields of the objects in JSON lines, are these, in any order; those in brackets may be
// missing:
//
//	accounts      tenant main state [sub kind person since roles created approved reviewed expires last_used ref]
//	entitlements  tenant main permission [sub granted approved expires ref]
//	uses          tenant main permission [sub count denied last ref]
//	sign-ins      tenant main time outcome [sub logout began session ip terminal ref]
//	people        tenant id [left ref]
//
// A file is read once: sort it with package tally to read its rows again, such as for the holdings.
//
// What they mean is said at the fields of the same names in package accounts. In CSV a time is a date, of midnight UTC, or
// as in RFC 3339; roles stand between semicolons; logout is true or false; an empty cell is not set. JSON has times as in
// RFC 3339, and roles as an array. A row without ref gets "name:line".
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.1.1: a unified account audit takes its data from several systems.
//
// # Promises
//
// An unknown or repeated column, an unknown field, a text that is not UTF-8, a line of more than 1 MiB and an empty file
// are errors. An error names file, line and column, never the value: it may be what somebody typed for a name. Names of
// sign-ins may be of any bytes in CSV, and are cut at 8 KiB, so that nobody can spoil a file by what he types.
package table
