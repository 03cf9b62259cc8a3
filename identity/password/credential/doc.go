// Package credential keeps the passwords of accounts: it sets, verifies, changes and resets them by a profile of package
// password, through a bounded pool of package hash.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.1.1, item 6: the password policy with its update cycle, password reset; item 7: people
// update their own passwords.
//
// # In short
//
//	keeper, err := credential.New(credential.Stored(db, nil), pool, checker, credential.Default(), &credential.Options{
//		Authorizer: authorizer, Courier: mail, Sessions: ended{sessions}, Locks: opened{gate}, // these are below
//	})
//	v, err := keeper.Verify(ctx, subject, secret)    // between lockout's Begin and Commit; ErrBusy is no failure
//	err = keeper.Change(ctx, subject, old, fresh, actor)
//	err = keeper.AskReset(ctx, subject, actor)       // nil, whether or not there is such an account
//	err = keeper.FinishReset(ctx, subject, token, fresh, actor)
//
//	func (e ended) RevokeAll(ctx context.Context, tenant opsec.TenantID, account, reason string) error { // of a session.Manager
//		return e.Manager.RevokeAll(ctx, tenant, account, opsec.Actor{Kind: opsec.System}, reason)
//	}
//	func (o opened) Recovered(ctx context.Context, tenant opsec.TenantID, account, reason string) error { // of a lockout.Gate
//		who, by := lockout.Who{Tenant: tenant, Account: account}, opsec.Actor{Kind: opsec.System}
//		err := o.Gate.Recovered(ctx, who, lockout.Password, by, reason)
//		if held := (*lockout.LockedError)(nil); errors.As(err, &held) {
//			return nil // by an administrator, and so it stays
//		}
//		return err
//	}
//
// # Promises
//
// A log-in costs one hash, whatever there is: no account, no password, a wrong one, one that was issued and has run out. A flow
// that finds an account locked or disabled asks [Keeper.Dummy]. Only a right password costs another one, when its
// hash is out of date. The history costs hashes at a change alone, and only after all else is in order.
//
// A token of a reset has 256 random bits and is kept as its SHA-256. It works once, whoever comes at the same time, and until it
// expires; the next one takes its place. A new password that the profile refuses does not use it up. What else a
// reset does, end the sessions and clear the lock, is kept with the new password, and done before the next log-in succeeds
// should the process die in between; where a lock keeps the owner from that, when the same token is tried again.
//
// Nobody chooses the password of somebody else: an administrator issues a random one, which is for a short time and
// must be changed, or starts a reset, whose token goes to the owner (ASVS 5, 6.4.1 and 6.4.6).
//
// A new hash of an unchanged password never overwrites a password that was changed meanwhile.
//
// No event, error or printed value holds a password, a hash or a token.
//
// # What it will not do
//
// Count failures. Passwords and tokens are guessed at through lockout's Gate: wrong passwords by factor "password", wrong
// tokens by factor "reset" ([ErrToken] is that failure), and Change as a log-in does.
//
// Deliver: the [Courier] does, and should put into a queue what takes time. Bound how many accounts one sender asks resets for: that
// is the flow's. Whoever knows an account's name can use up its resets of the day, so that no administrator begins one either:
// [Keeper.Issue] is left.
//
// Hold somebody who resets a password, instead of changing it, to the minimum age: who has forgotten one that is young must get in.
//
// Forget an account that is deleted: its hash stays where [Records] has it.
package credential
