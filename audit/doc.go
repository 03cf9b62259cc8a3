// Package audit is where events go: a [Trail] takes each [opsec.Event] once and feeds it to several sinks, so that no
// sink can stop the others, the caller, or the evidence.
//
// Other rooms do not import it. They take an [opsec.Recorder], which a Trail is.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.11.1: an audit trail of system logs and activity reports, collected and stored
// in an agreed way. The events carry the fields of clause 8.1.2. That a stored log cannot be changed unnoticed is the
// business of the transparency log, which is one more [Sink].
//
// # Most of what you need
//
//	file, err := audit.OpenFile("/var/log/opsec/audit.jsonl", nil)
//	// ...
//	trail, err := audit.New(audit.Sinks{
//		"disk":    file,
//		"console": audit.Slog(slog.Default().Handler(), opsec.Tenant),
//	}, audit.Policy{}, nil)
//	// ...
//	go trail.Run(ctx) // until ctx ends; wait for it before the process ends
//
//	receipt, err := trail.Record(ctx, e)
//	// ...
//	for e, err := range audit.ReadFile("/var/log/opsec/audit.jsonl") { ... }
//
// Two durable sinks on different machines and Policy{Require: 1} keep critical work going while one of them is down;
// Require 0, the default, asks for all.
//
// # Promises
//
// A sink that hangs, even one that ignores its context, delays a critical event by no more than the caller's deadline,
// Policy.MaxWait and the sink's own deadline allow, delays nothing else, and is waited for no more until it answers.
//
// Nothing is lost silently. What a sink does not get is counted, and an event [ActionGap] stands in its place as soon
// as the sink accepts again; all other sinks get it too. A sink that never comes back is reported to the others when
// [Trail.Run] ends. Best-effort events give way first (at half a queue), standard ones next (at three quarters), so
// that neither keeps critical ones out.
//
// An event delivered twice is written once by each sink that has taken it, and missing nowhere: an outbox may repeat
// itself. A sink that fails within a batch gets the whole batch again, so the same event may stand twice in it; [Read]
// drops the second.
//
// The value of an attribute marked [opsec.Secret] is replaced before anything else happens to the event.
//
// # What it will not do
//
// A critical event that could not be confirmed may still be in the log, or come later: an error means "do not act", not
// "not recorded". Standard events wait in memory, and a process killed at once takes the queue with it; what must
// survive that is [opsec.Critical], or comes from an outbox. A File does not rotate itself, but follows whoever does.
package audit
