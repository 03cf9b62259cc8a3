// Package tally puts what an account audit reads into its order, with as much memory as you allow: rows by [Sort], and
// the events of a log, in whatever order, as sign-ins and uses by [Tally].
//
//	t := tally.New(tally.Options{})
//	defer t.Close()
//	for e, err := range audit.ReadFile("/var/log/opsec/audit.jsonl") {
//		// ...
//		err = t.Add(&e, "audit.jsonl/"+string(e.ID))
//	}
//	sources.SignIns, sources.Uses = t.SignIns(), t.Uses()
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.1.1, item 5: the audit looks at log-in and log-out as the access control modules
// record them.
//
// # Promises
//
// What does not fit into memory goes to temporary files that are sealed under a key of this process alone: names that
// somebody typed, which may be passwords, are on no disk. Close removes the files.
//
// # What it will not do
//
// Tell names that somebody typed from accounts, but for sign-ins: an event of no category, such as a reset of a password
// that failed, is taken for something that its account did, and an audit names the account if no register knows it. Leave
// such events out by Options.Map.
package tally
