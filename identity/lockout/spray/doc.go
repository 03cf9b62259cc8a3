// Package spray detects guessing that no single account notices: a few secrets tried at many accounts, stolen pairs of name and
// secret tried one after the other, names that do not exist, and one secret tried from so many sources that none of them is
// conspicuous.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.1.1: an account is locked when wrong passwords are entered continuously (item 3), and attempts
// with faked accounts are found (item 5). Counting for each account finds guessing in depth alone; whoever guesses in breadth stays
// below every limit (Herley and Schechter, "Distinguishing Attacks from Legitimate Authentication Traffic at Scale", NDSS 2019).
//
// # In short
//
//	d, err := spray.New(spray.Policy{}, nil)
//	// after each attempt, on the node that has verified it:
//	for _, v := range d.Add(spray.Sighting{
//		Time: now, Tenant: "acme", Account: name, Source: ip, Secret: typed, OK: ok, Invented: !exists,
//	}) {
//		recorder.Record(ctx, v.Event(now)) // a challenge for v.Source, a call to somebody
//	}
//
//	// over all nodes, which share a key: every minute
//	all, err := spray.Merge(mine, theirs) // of Detector.State
//	for _, v := range once.New(policy.Judge(all)) { ... }
//
// # The detectors
//
//	spraying       one source, many accounts, few secrets, and few of the accounts let it in
//	stuffing       the same with a secret for each account
//	entered        a source that was found so has got into an account
//	shared-secret  one secret was wrong at many accounts, wherever it came from
//	invented       one source tries many names that do not exist
//	surge          the share of failures of all attempts has jumped
//
// Sources are an IPv4 address and its /24, an IPv6 /64 and its /48.
//
// # Promises
//
// Memory is fixed by the [Policy]: about 10 MB with the default, whatever comes. [Detector.Add] allocates nothing unless it has
// something to tell.
//
// Neither names nor secrets are kept: they become 64 bits of a keyed hash, under a key of the window, derived from a key that stays in
// memory. A verdict names a source, or shows a tag that means nothing in the next window.
//
// Each verdict is told once in a window, for each source and tag. It carries its evidence: from when to when, how many attempts,
// and about how many different accounts, secrets and sources, with the error of each number. Attempts and failures are counted
// exactly since the source is followed: "at least".
//
// A source that is followed is displaced by one with more failures alone, and never after it was told. Sources that come once, as many
// as there are of them, displace nobody; they can hide a source with fewer failures than all of theirs by [Policy].Counters.
//
// [Merge] is associative and commutative: states of nodes can be joined in any order.
//
// # What it will not do
//
// Lock anybody out, or decide what to do about a source: many people may sit behind it. Judge an account: package lockout does.
//
// Find an attacker who has as many accounts of his own as he tries of others, for then his source looks like an office; find less
// than the limits within a window (an attack over midnight is two halves); a second detector with a window of a day finds slower ones.
// Know what a failure was for: give it wrong secrets alone, and no outages.
//
// Be exact about a limit: different accounts are estimated, so a limit of 20 is met by 18 or by 22 now and then, and never by fewer
// failures than it says. Follow more than it has room for: once a place of a table is full of sources that were told of, others that
// would be there are not followed until the window ends ([Totals].Refused).
//
// Keep a surge that grows over a day from becoming usual.
package spray
