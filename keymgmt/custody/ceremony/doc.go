// Package ceremony is how named custodians seal a secret and open it again: each holds one share (package shares), each hands
// it in, and when enough have, the secret is given to one function once, or a proof is made that it could be.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.2: protected storage of keys with separation of roles, backup and recovery of keys,
// and the management of keys as a subject of audits.
//
// # Most of what you need
//
//	roster, err := ceremony.Deal(ctx, admin, secret, ceremony.Plan{Label: "root of region 1", Threshold: 3, Custodians: five}, options)
//	// ... keep roster as JSON: the shares in it are encrypted to their holders
//
//	c, err := ceremony.Open(ctx, operator, roster, ceremony.Request{Purpose: ceremony.Recover, Reason: "restart"}, options)
//	go c.Run(ctx)                             // ends it when its time is over
//	state, err := c.Submit(ctx, alice, share) // each custodian, from wherever they are
//	err = c.Recover(ctx, operator, root.Unseal)
//
// Deal again, to other holders, is Renew; once a year, and at once after dealing with all holders, Rehearse.
//
// # Promises
//
// One person hands in one share, their own, whatever accounts they have; who opens a ceremony does not. Shares that were handed in
// for a rehearsal are not used for anything else. A bad share is refused when it comes, so that the secret is right when
// there are enough.
//
// Every step towards the secret is recorded before it counts, refusals too; that the secret is about to be put together,
// before it is. After success, failure, abort, or the end of its time, a ceremony has no share any more, even when that
// could not be recorded.
//
// [State] is a plain value, and its changes are a pure function ([State.Apply]).
//
// # What it will not do
//
// Survive the process: shares are in memory alone, and after a restart the custodians hand them in again. Nor does it
// span processes: all custodians talk to one.
//
// Keep a secret from the process that it runs in, or from the function that gets it.
package ceremony
