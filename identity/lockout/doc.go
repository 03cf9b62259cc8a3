// Package lockout decides whether another guess at an account's secret may be tried, and makes sure that nobody gets more of
// them than the policy says: not with many nodes, not with many guesses at the same instant, not through another door.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.1.1, item 3: an account is locked when wrong passwords are entered continuously, and
// barred when log-ins are repeated within a very short time.
//
// # In short
//
//	profile, err := lockout.Preset(lockout.PresetRecommendation)
//	gate, err := lockout.New(lockout.NewMemory(1_000_000, recorder), profile, &lockout.Options{Authorizer: authorizer})
//
//	reservation, err := gate.Begin(ctx, lockout.Attempt{
//		Key:   lockout.Key{Tenant: "acme", Account: name, Factor: lockout.Password},
//		Actor: opsec.Actor{Account: name, IP: ip, Terminal: terminal},
//	})
//	// ... no error: verify the secret, and then, whatever has become of it:
//	proof, err := gate.Commit(ctx, reservation, lockout.Correct()) // or Wrong(secret), or Undecided()
//	// ... no error: a session is made of the proof
//
// # How it counts
//
// A guess is reserved before the secret is verified, and settled afterwards; so the count is never behind. Failures one after the
// other are a run. Until a run has [Policy].Failures of them, that many less the failures may be under way at the same time; then it
// locks, for a while or for good ([Policy.Explain] says it in words), and after a lock there is one guess at a time, each of which
// locks anew when it fails. A success ends the run, and so does [Policy].Forget without a failure.
//
//	standing    by                                   until
//	barred      two failures within Policy.Rapid     a time; a right guess that was under way; Unlock, Recover
//	locked      too many failures                    the same
//	permanent   too many locks, or the first         Unlock, Recover
//	held        an administrator                     Unlock
//
// Each factor has counters of its own, and each class of guesses: of strangers, of networks that the account is known to come from,
// of each device that it trusts. What strangers spend is not the owner's. Where a profile has a rule for [Every] class, all
// of them share one counter: "at most 100 in a row" is then said of the account, not of each device.
//
// [Policy.Step] is all of this as one pure function. Whoever keeps [State], as [States], does nothing but call it in a transaction.
//
// # Promises
//
// Between two ends of a run, no schedule of nodes, crashes and clocks has more guesses verified than Failures and one for each
// lock after it, beside those that do not count: [Undecided], and a password that was wrong before, where the gate remembers it. What
// is never settled has failed: a crash gives no guess away.
//
// A lock in force is not extended by guesses, and ends by its time. A clock that goes back neither unlocks nor forgets; the time of a
// counter is the latest that it has seen. Between nodes, [Policy].Skew is added to each lock.
//
// Right log-ins at the same time all succeed, within [Options].Patience: beyond the budget they wait for each other. A success of one factor or
// class clears no other.
//
// A state that no steps could have left, such as one that somebody has written into a database, is taken for the strictest that it
// could stand for. The zero [Policy] is refused, and a profile has no factor that some class could guess at without a rule.
//
// A [State] has no secret in it, no digest of one and no name. Each lock, hold and unlock is an event; a lock that ends by its time has
// said so when it began. Where reservations were lost, it begins when they lapse and is recorded when somebody looks: it is not, when
// it is over by then.
//
// # What it will not do
//
// Know whether an account exists: one that does not is counted and locked alike, so that nobody learns it here. Whoever shows errors
// to people has to show one for all. The names that locks are recorded of are what somebody typed, often enough to lock it.
//
// Know which device or network a guess comes from: the caller says so, after it has checked ([Unknown] is the strictest). Find guesses
// that are spread over many accounts; packages device and spray are beside this one for these.
//
// Set a clock that is wrong right. A node that is ahead by more than Skew ends locks early, and what it has counted stays in its time;
// [Gate.Unlock] brings a counter back.
//
// Keep an account open for its owner against everybody: who has neither a trusted device nor a familiar network is a stranger, and
// one wrong guess of another after each lock keeps strangers out; where locks become permanent, for good. The way in is a recovery
// ([Gate.Recovered]), whose factors strangers should not reach as easily as the password.
//
// Know that a password was changed, unless [Gate.Recovered] says so: the few that the gate remembers as wrong are each one guess
// more at the new one.
//
// Outlast its [States]: a [Memory] begins anew with its process, and when it is full it drops what has counted the least.
//
// Remember anything of a run that has ended. When its end is followed by a clock that goes back by more than [Policy].Reserve, a
// reservation that was lost may be settled in the place of another, which then has expired: none is won.
package lockout
