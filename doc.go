// Package opsec holds the words that every room of this module shares: who acts ([Actor]), on what ([Resource]),
// with whose leave ([Authorizer]), and the evidence that remains ([Event], [Recorder]). It imports nothing but the
// standard library and decides nothing by itself.
//
// # Recommendation
//
// The fields of [Event] are those that Recommendation ITU-T X.1642 asks of operational logs: clause 8.1.2 for
// authentication (system, user, log-in and log-out time, IP address, terminal, result) and authorization (IP address,
// operator, time, granted and cancelled permissions), clause 8.11.1 for an audit trail that several parties can share.
//
// # Evidence in ten lines
//
// A change of state alone is one event. An effect outside your process, such as a restore or an HSM call, is
// bracketed, so that the intent is durable before the effect and an interrupted effect shows as an intent without end:
//
//	e := opsec.NewEvent("backup.restore", time.Now())
//	e.Tenant, e.Class, e.Actor = "acme", opsec.Critical, operator
//	e.Resource = opsec.Resource{Tenant: "acme", Type: "volume", ID: "vol-7"}
//	op, err := opsec.Begin(ctx, recorder, e)
//	if err != nil {
//		return err // not recorded: do not act
//	}
//	err = restore(ctx)
//	return errors.Join(err, op.End(ctx, opsec.OutcomeOf(err)))
//
// Where events go is the business of package audit; anything with a Record method will do.
//
// # Promises
//
// An event's id is fixed by [NewEvent], before anything is written, so recorders can tell a repeated delivery from a
// second event. A value marked [Secret] never leaves an [Attr] through fmt, log/slog or JSON (fmt asks no unexported
// field, though: do not print what holds an event in one). The zero value of every policy word is the strict one: an
// unmarked attribute counts as [Personal], an unset [Class] or [Outcome] is invalid.
//
// # What it will not do
//
// No global recorder, no global authorizer, no registry. A service that gets no [Authorizer] refuses to start; a
// caller that has decided already says so with [CallerAuthorized].
package opsec
