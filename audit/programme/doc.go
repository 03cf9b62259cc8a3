// Package programme runs internal audits from plan to follow-up: who audits what, why and when, what was looked at and
// found, what is done about it, and whether that was done.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.11.1: a team of senior management, administrative and technical staff without
// conflicts of interest; objectives, workflow and repetition; planned and fully recorded activities; restricted tools whose
// use is logged. Clause 8.11.2 has the six kinds of audits, and 7.2.2.5 asks for results that the customers concerned see.
//
// # In short
//
// [Policy.Apply] takes a [Step] of an [Audit], a plain value, and returns the next Audit and the event to record. A [Desk]
// does that with what you have: an Authorizer, a log, a chart of the organisation, records of competence.
//
//	desk, err := programme.NewDesk(audits, programme.Policy{}, options)
//	_, err = desk.Open(ctx, lea, "2026-1", plan)
//	_, err = desk.Assign(ctx, lea, "2026-1", members...)             // by what they did in the log
//	_, err = desk.Take(ctx, mia, "2026-1", programme.Release{})      // senior management
//	_, err = desk.Take(ctx, lea, "2026-1", programme.Fix{Frames: commitments})
//	_, err = desk.Draw(ctx, tom, "2026-1", populations...)           // by a checkpoint of after that
//	_, err = desk.Run(ctx, tom, "2026-1", "restore", "g1", check, items, time.Minute)
//	// then Perform, Raise, Agree, Issue, Complete, Verify, Close
//
// [Audits] is where they are kept. On a table of your own:
//
//	CREATE TABLE audits (id text PRIMARY KEY, doc text NOT NULL);      -- JSON of up to MaxAudit bytes
//	CREATE TABLE events (id text PRIMARY KEY, doc text NOT NULL);      -- an outbox: hand them to a Recorder, then delete
//
//	BEGIN                                                              -- serializable, and again when it fails for that
//	SELECT doc FROM audits WHERE id = $1 FOR UPDATE                    -- none: the zero Audit; then call fn
//	INSERT INTO audits VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET doc = $2
//	INSERT INTO events VALUES ($1, $2)                                 -- each
//	COMMIT
//
// # Promises
//
// Nobody in conflict gets on a team; there is no override. Nobody verifies their own action. A sample is drawn from what
// was fixed before anybody could know it. What could not be tested has not passed. A result is not written over: History
// keeps it. A step that fails changes nothing; one that is denied is recorded as well. A tool is used after its use was
// recorded, or not at all.
//
// # What it will not do
//
// Believe only itself: who applies steps without a Desk answers for clearances, checkpoints and proofs that they hand in.
// Look again at members after the release; have them assigned anew. Hold populations: keep them, with what blinds them.
// An audit of the largest size has about a thousand results of automated checks.
package programme
