// Package login is the counter at which somebody logs in: gate, secret and session in the one order that gives nothing away. A
// log-in page calls it and cannot forget a step.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.1.1 (accounts lock, and are barred), and clause 8.1.2 (unified authentication, with a
// record of each log-in).
//
// # In short
//
//	desk, err := login.New(accounts, secrets, gate, &login.Options{Recorder: log, Classify: devices})
//	visit, err := desk.Enter(ctx, login.Attempt{Tenant: "acme", Name: name, Secret: secret, Factor: lockout.Password, System: "console", From: from})
//	if err != nil {
//		page.Show(err) // one text for all that somebody without the secret could learn from
//	}
//	session, token, err := sessions.Create(ctx, visit.Request(), visit.Proofs()...)
//
// Where a second factor is wanted, [Desk.Continue] takes it, and adds its proof to the visit.
//
// # Promises
//
// Each attempt is let through by the gate before the secret is looked at, and settled afterwards. Each costs one derivation of a
// key, no more and no fewer, whether the account is there, open, locked or disabled, and whether the secret is right. The
// error is the same in all these cases, and prints the same; who operates the desk finds the reason in the record, by
// [Refusal.Reason], and nowhere else.
//
// A visit that waits for its second factor is worth nothing once the account is locked or no longer open, or after a while. The
// proofs of a visit are of before the account was looked up: once its sessions are revoked they open none.
//
// # What it will not do
//
// Hide that an account is there from somebody who can make it log in, reset it, or register the same name: those pages need
// care of their own. Nor from somebody who watches how the machine is loaded by others: derivations for accounts that are not
// there have room of their own (package password/hash). Nor what the register and the gate's repository take: package hash evens out the
// derivation alone, so that where each write to [lockout.States] is slow, an account that is locked, and writes none, is told
// sooner by as much.
//
// Use a visit up: it opens a session each time that its proofs are handed in while they are fresh.
//
// Choose the method: which factors are asked for is the caller's decision.
package login
