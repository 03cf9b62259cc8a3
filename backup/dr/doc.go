// Package dr watches a second site: whether it could take over, what would be lost, and whether it is protected as the first one is.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.4: with synchronous remote mirroring nothing acknowledged is lost; asynchronous mirroring is
// chosen after a risk evaluation, and what it may lose is known; the recovery site keeps the security level of the original.
//
// # In short
//
//	policy := dr.Policy{Want: dr.Synchronous, OnLoss: dr.Ask, Patience: dr.Duration(10 * time.Second), Stale: dr.Duration(5 * time.Second)}
//	mirror, err := dr.NewMirror(dr.Stored(db), "orders", policy, &dr.Options{Authorizer: authorizer, Notifier: notifier})
//	meter, err := dr.NewMeter(5*time.Minute, 30*time.Second)
//
//	status, err := monitor.Look(ctx) // package pgreplica, package treemirror, or your own
//	verdict, err := mirror.Observe(ctx, replicator, status)
//	err = meter.Add(status) // worst := meter.Worst; p99, known := meter.Quantile(99, 100)
//	// verdict.Writes says what the data path has to do: both-sites, primary, hold, refuse
//
//	parity, err := dr.Compare(original, recovery, 24*time.Hour) // parity.Same, parity.Differences
//
// # How a mirror moves
//
//	mode           acknowledged is                left when
//	resyncing      held, or by decision primary   the other site has caught up
//	synchronous    durable on both sites          Patience without the other site, and then by OnLoss alone
//	asynchronous   durable on the primary         Patience beyond Bound, unheard or unconnected, and then by OnLoss
//	degraded       durable on the primary         the other site is connected again; without a decision, held
//	failed-over    nothing: another site writes   FailBack
//
// [Policy.Step] is all of it, as one pure function.
//
// # Promises
//
// A mirror never degrades in silence: each change of mode is a [Notice], which [Mirror] keeps as an event in the same commit. It
// degrades by its policy or by a person, never before Patience, and only while a [RiskEvaluation] is in force. When a status shows
// that a synchronous mirror has acknowledged what is not on the other site, the mode is degraded at once, and writes are held.
//
// A takeover needs nobody to accept a loss only while the mode is [Synchronous], and the newest status does not show that writes have ceased to
// wait for a site that is connected. A clock that goes back ends no patience later
// and revives no evaluation. An exposure that is not known is never taken for none.
//
// [Meter] holds 1,920 numbers and [MaxBreaches] breaches at most, whatever is put in.
//
// # What it will not do
//
// Hold a write by itself: the data path asks, and obeys. Keep a former primary from writing: that is package fence. See between two
// samples. Know whether a [Statement] is true. Choose the site: a takeover is ordered.
package dr
