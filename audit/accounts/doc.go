// Package accounts audits accounts: which are illegal, overdue or dormant, which may do more or less than they should, who
// shares one, and who tries those that are gone or never were. It reads sorted sequences in step, so that memory does not
// grow with their length, and decides nothing by an estimate.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.1.1, item 5: audit of the assignment of accounts and of log-in and log-out, which
// finds illegal and overdue accounts, over-authorization and lack of it, and attempts with abandoned or invented accounts,
// and hands that to the security audit ([Finding.Event]). What an account should be is in items 2 to 4: approved, named by
// a policy, disabled when unused for long, of one person, with one main account each and sub-accounts below it.
//
// # Most of what you need
//
//	policy := accounts.Policy{Roles: map[string][]string{"operator": {"vm.start", "vm.stop"}}}
//	var summary accounts.Summary
//	for f, err := range policy.Audit(accounts.Sources{
//		Accounts: register, Entitlements: grants, Uses: uses, SignIns: signIns, // sorted: see package tally
//		People: people, Holdings: holdings,
//		Key: key, Summary: &summary,
//	}, time.Now()) {
//		if err != nil {
//			return err // and forget what was found
//		}
//		fmt.Println(f, f.Evidence)
//	}
//	fmt.Println("not tested:", summary.NotTested)
//
// Package table reads the rows from CSV and JSON lines. Package tally sorts them within bounded memory, and makes uses and
// sign-ins of the events of a log. [Attempts] watches sign-ins while they happen.
//
// # Promises
//
// Every [Kind] says when it is found; a limit itself is never beyond it. Whatever was not given, left out or held too little
// is in [Summary.NotTested]: it did not pass. A sequence that is not sorted, or names something twice, is refused with the
// position of the row.
//
// What somebody typed for the name of an account may be a password. It becomes 64 bits of a keyed digest, in memory, and
// is in no finding, no summary and no error. That is not so for names that got in, or that hold permissions: these are
// accounts.
//
// A time in the future excuses nothing: a review, a use or an approval counts when it has happened. Nor is a session
// judged by what comes after the time of the audit.
//
// Memory is what [Policy.Audit] says, whoever signs in, and however often.
//
// # What it will not do
//
// Compare permissions by meaning: "vm.*" is one permission, and none of "vm.stop". Find uses without entitlement: a
// permission that was used may have been taken away since. Judge passwords, or guesses at the password of one account;
// that is for the lockout of the identity rooms. Pair the sign-ins of programs, which come from many places and never end.
package accounts
