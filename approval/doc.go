// Package approval decides whether enough people have agreed to one exact action before it is done, and shows afterwards
// who they were. It keeps nothing itself: a [Case] is a value that you store where your other state is.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.1.1: registering and modifying accounts needs an administrator's approval. The
// same part stands behind privileges for a while (7.2.2.4), dual control of keys (7.2.2.2), release of patches (8.7) and
// changes of configuration (8.8).
//
// # Most of what you need
//
//	c, e, err := approval.New(approval.Request{
//		Action: approval.NewAction("keymgmt.destroy", key, params), // what is approved is what will be done
//		By:     alice,
//		Reason: "end of life, ticket 4711",
//		Policy: policy,
//	}, now)
//	// ... save c, record e; later, for each approver:
//	c, e, err = c.Decide(approval.Decision{Verb: approval.Approve, By: bob, Reason: "checked"}, authority, now)
//	// ... save c, record e; and in the end:
//	c, e, err = c.Use(approval.NewAction("keymgmt.destroy", key, params), alice, authority, now)
//	// ... save c, record e: then, and only then, destroy the key
//
// A [Policy] is data: stages one after the other, each a [Rule] of AND and OR over "so many persons of this role":
//
//	{"stages": [
//	  {"name": "peers", "rule": {"all": [{"role": "operations"}, {"role": "security"}]}},
//	  {"name": "owner", "rule": {"role": "owner", "side": "owner"}}
//	]}
//
// Unless the policy says otherwise, decisions give reasons and are signed: see [Case.Message] and [Keys].
//
// Saving must be conditional: of two writers that start from one case, the second must fail and start again. A version
// column, a row lock or any compare-and-swap will do.
//
// # Promises
//
// Who asks never approves, with no account, nor does any beneficiary. An account that has no person behind it counts for
// nobody. One person counts once, in one stage and for one rule, unless the policy says otherwise. Whether people who hold
// several roles suffice is decided exactly, whatever the order of their decisions.
//
// An approval is for one action to the last byte, for a time, and for one use. It is checked again when it is used: the
// signatures, and the roles that approvers hold by then. A case that a step has ended stays ended, and its clock never goes
// back.
//
// A signature counts for one request, stage, verb, person, account and reason. It binds the whole request, policy
// included: editing what was asked, or by whom, breaks it.
//
// A stored case is read by the same rules that made it ([Case.UnmarshalJSON], [Case.At], [Case.Verify]); one that no
// course of events could have made is refused. Attempts that are denied come with an event too.
//
// # What it will not do
//
// Know who holds a role, or who is behind an account: [Authority] and [opsec.Actor] say so, and whoever can lie there
// can approve. The same human under two tenants is two persons.
//
// Notice that steps have been left out of a stored history, such as the use at its end: that takes the log, whose last
// event names the digest of the case ([Case.Digest]). Roles in a stored case are not signed; the check at the use catches
// what was added.
//
// Approve by silence, or let somebody act first and ask later. An emergency has a policy of its own, with two persons who
// are there at night. Nor does it tell anybody that their decision is awaited; the status at any time is [Case.At].
package approval
