// Package session keeps log-ins: for how long one lasts, with which token it is asked for, and that it is over everywhere when it
// is over. A session is opened with proofs that a gate has let through, and with nothing else.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.1.2: single sign-on with a maximum session time, a maximum idle time and a maximum cache time;
// and the authentication log, with system, user, log-in time, log-out time, address, terminal and result.
//
// # In short
//
//	policy, err := session.Preset("nist-aal2")
//	m, err := session.New(shelf.Stored(db), policy, &session.Options{Authorizer: authorizer})
//
//	s, token, err := m.Create(ctx, session.Request{User: user, System: "console"}, password, code) // proofs of a lockout.Gate
//	cookie.Value = token.Reveal()
//
//	token, err = session.ParseToken(cookie.Value)
//	s, err = m.Validate(ctx, token, session.Use{})
//	if !s.Fresh(m.Now(), 5*time.Minute) { ... } // ask again, then m.Raise
//
//	notice, err := m.End(ctx, token, session.Use{}) // and tell notice.Applications
//	err = m.RevokeAll(ctx, "acme", "eve", admin, "laptop stolen")
//
// # Promises
//
// No session is valid when [Policy].Maximum has passed since its log-in, nor when [Policy].Idle has passed since its last use; it may
// end earlier than that by less than [Policy].Grain. After End, Revoke, RevokeAll or Renew has returned, no node takes the
// token for valid for longer than [Policy].Cache, whatever their clocks say: that is measured by how time passes on each node. An account
// never has more than [Policy].Concurrent sessions, with however many log-ins at the same instant.
//
// Each log-in is recorded with one log-out, in the transaction that makes it so. A refusal for too many sessions is no failed
// log-in. Nothing here can reach what is remembered of wrong secrets, so that no refresh forgives them.
//
// Of a token, 256 random bits, a digest alone is kept. It begins with [Prefix], for scanners, and does not show itself in fmt, slog
// or JSON. A token of one application is refused at another; that of a session which is bound to a key, without it.
//
// A clock that goes back does not bring a session back to life: a process does not follow it, and a session is never judged by a
// time before its last use. How long a session lasts is measured by the clocks of the nodes, so that it may be longer by what they are
// apart.
//
// # What it will not do
//
// Check a password, or know an account: whoever disables an account calls RevokeAll. Prove that a client holds a key: who
// terminates TLS or checks the DPoP proof does, and passes the thumbprint on. Set a cookie; it wants Secure, HttpOnly and
// SameSite, and a request that changes something wants more against forgery.
//
// List sessions over accounts, or keep more than 32 for one. Stop a flood of invented tokens: each costs a read.
package session
