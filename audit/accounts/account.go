package accounts

import (
	"fmt"
	"time"

	"github.com/cloudopsec/opsec"
)

// mainAccount is what the sub-accounts that come behind a main account are measured by.
type mainAccount struct {
	key         Key
	state       State
	permissions []string // sorted, none of them expired
	overflow    bool     // there are more
}

const maxMain = 1 << 16 // permissions of a main account that are held

// registered judges an account and takes the rows about it from the other sequences.
func (a *audit) registered(acc *Account) {
	a.piles.reset()
	if acc.Sub == "" {
		a.main.key, a.main.state = acc.Key, acc.State
		a.main.permissions, a.main.overflow = a.main.permissions[:0], false
	}
	baseline, known := a.baselines.union(acc.Roles)
	lastUse := a.permissions(acc, baseline)
	signedIn := a.signedIn(acc)
	if a.trouble() != nil {
		return
	}
	if usable(acc.State) {
		a.standing(acc)
		a.dormant(acc, lastUse, signedIn)
		if !known && len(a.p.Roles) > 0 {
			a.untold[UnderAuthorised]++
		}
	}
	a.entitled(acc)
	a.gone(acc)
	a.sessionFindings(acc)
}

// usable reports whether somebody can sign in with an account now, or will be able to again.
func usable(s State) bool { return s == Active || s == Suspended }

// past reports whether t is set, and not later than now.
func (a *audit) past(t time.Time) bool { return !t.IsZero() && !t.After(a.now) }

// abandoned reports whether an account was so before t. That it will be is no excuse for one that is.
func (a *audit) abandoned(acc *Account, t time.Time) bool {
	return acc.State.Abandoned() && t.After(a.latest(acc.Since))
}

// recent reports whether t is between a time and now. What is said to be in the future excuses nothing.
func (a *audit) recent(t, from time.Time) bool { return !t.Before(from) && !t.After(a.now) }

// latest returns the last of the times that are not later than now.
func (a *audit) latest(times ...time.Time) (last time.Time) {
	for _, t := range times {
		if t.After(last) && !t.After(a.now) {
			last = t
		}
	}
	return last
}

// standing judges the account's own row.
func (a *audit) standing(acc *Account) {
	if acc.Person == "" {
		a.own(acc, Unowned, acc.Created, "nobody is on record who answers for the account")
	}
	if !a.past(acc.Approved) {
		a.own(acc, Unapproved, acc.Created, "no approval of the account is on record")
	}
	if !a.conforms(acc.Main) || acc.Sub != "" && !a.conforms(acc.Sub) {
		a.own(acc, Misnamed, acc.Created, "the name breaks the naming policy")
	}
	if a.past(acc.Expires) {
		a.own(acc, Overdue, acc.Expires, "the account should have ended on "+date(acc.Expires)+" and is "+string(acc.State))
	}
	if from := a.from.review; !a.recent(acc.Reviewed, from) && !a.recent(acc.Approved, from) && !a.recent(acc.Created, from) {
		reviewed := a.latest(acc.Reviewed, acc.Approved, acc.Created)
		a.own(acc, Unreviewed, reviewed, "last reviewed or approved "+on(reviewed))
	}
}

// dormant judges when the account was last used. An account that has just been made, or made active again, has its time
// from there.
func (a *audit) dormant(acc *Account, lastUse, signedIn time.Time) {
	from := a.from.use
	if acc.State == Active && !a.recent(acc.LastUsed, from) && !a.recent(lastUse, from) && !a.recent(signedIn, from) &&
		!a.recent(acc.Since, from) && !a.recent(acc.Created, from) {
		if acc.LastUsed.IsZero() && !a.watched {
			a.untold[Dormant]++
			return
		}
		used := a.latest(acc.LastUsed, lastUse, signedIn)
		a.own(acc, Dormant, used, "active, and last used "+on(used))
	}
}

// own tells a finding that the account's own row shows.
func (a *audit) own(acc *Account, k Kind, since time.Time, detail string) {
	f := Finding{Kind: k, Severity: k.Severity(), Tenant: acc.Tenant, Account: acc.Key, Detail: detail, Since: since}
	if acc.Ref != "" {
		f.Evidence = []string{acc.Ref}
	}
	a.tell(f)
}

// permissions merges what the account holds, what it used and its baseline. It returns when a permission was last used.
func (a *audit) permissions(acc *Account, baseline []string) (lastUse time.Time) {
	e, u := a.entitlements, a.uses
	hasE := e.row != nil && e.row.Key == acc.Key
	hasU := u.row != nil && u.row.Key == acc.Key
	cover := a.cover(acc)
	for hasE || hasU || len(baseline) > 0 {
		var at string
		switch {
		case hasE:
			at = e.row.Permission
		case hasU:
			at = u.row.Permission
		default:
			at = baseline[0]
		}
		if hasU && u.row.Permission < at {
			at = u.row.Permission
		}
		if len(baseline) > 0 && baseline[0] < at {
			at = baseline[0]
		}
		var held *Entitlement
		var use *Use
		if hasE && e.row.Permission == at {
			held = e.row
		}
		if hasU && u.row.Permission == at {
			use = u.row
			if use.Last.After(lastUse) && !use.Last.After(a.now) {
				lastUse = use.Last
			}
		}
		due := len(baseline) > 0 && baseline[0] == at
		a.permission(acc, at, held, use, due, &cover)
		if due {
			baseline = baseline[1:]
		}
		if held != nil {
			e.advance()
			hasE = e.row != nil && e.same
		}
		if use != nil {
			u.advance()
			hasU = u.row != nil && u.same
		}
	}
	return lastUse
}

// cover is what is left of the main account's permissions for a sub-account to hold.
type cover struct {
	judged bool // whether it has to be covered
	exists bool
	left   []string
}

func (a *audit) cover(acc *Account) cover {
	main := &a.main
	c := cover{exists: main.key.Tenant == acc.Tenant && main.key.Main == acc.Main}
	if c.exists {
		c.left = main.permissions
	}
	c.judged = acc.Sub != "" && usable(acc.State) && !(c.exists && main.overflow)
	return c
}

// has reports whether the main account holds a permission. It is asked in their order.
func (c *cover) has(permission string) bool {
	for len(c.left) > 0 && c.left[0] < permission {
		c.left = c.left[1:]
	}
	return len(c.left) > 0 && c.left[0] == permission
}

// permission judges one permission: whether it is held, was used and is due by a role.
func (a *audit) permission(acc *Account, permission string, held *Entitlement, use *Use, due bool, main *cover) {
	n := a.p.Listed
	if use != nil && a.abandoned(acc, use.Last) {
		a.piles.abandoned.add(n, 0, permission, use.Ref, use.Last)
	}
	if use != nil && usable(acc.State) && use.Denied >= uint64(a.p.Denials) {
		a.piles.refused.add(n, use.Denied, permission, use.Ref, time.Time{})
	}
	if held == nil {
		if due && acc.State == Active && a.entitlements.next != nil {
			a.piles.lacking.add(n, 1, permission, acc.Ref, time.Time{})
		}
		return
	}
	expired := a.past(held.Expires)
	switch {
	case acc.State == Deleted:
		a.piles.overdue.add(n, 1, permission, held.Ref, acc.Since)
	case expired && usable(acc.State):
		a.piles.overdue.add(n, 1, permission, held.Ref, held.Expires)
	}
	if !usable(acc.State) {
		return
	}
	if !due && !a.past(held.Approved) {
		a.piles.granted.add(n, 1, permission, held.Ref, held.Granted)
	}
	if a.spanned && a.uses.next != nil && a.unused(acc, held, use) {
		a.piles.unused.add(n, 1, permission, held.Ref, held.Granted)
	}
	if expired {
		return
	}
	if acc.Sub == "" {
		if len(a.main.permissions) == maxMain {
			a.main.overflow = true
		} else {
			a.main.permissions = append(a.main.permissions, permission)
		}
	} else if main.judged && !main.has(permission) {
		a.piles.beyond.add(n, 1, permission, held.Ref, held.Granted)
	}
}

// unused reports whether a permission was there for long enough and not used.
func (a *audit) unused(acc *Account, held *Entitlement, use *Use) bool {
	from := a.from.permission
	if use != nil && a.recent(use.Last, from) {
		return false
	}
	return !a.recent(held.Granted, from) && !a.recent(held.Approved, from) && !a.recent(acc.Created, from) &&
		!a.rare[held.Permission]
}

// entitled tells what was found about the account's permissions.
func (a *audit) entitled(acc *Account) {
	p := &a.piles
	if p.overdue.count > 0 {
		detail := fmt.Sprintf("holds %s past the end that was set", count(p.overdue.count, "permission"))
		if acc.State == Deleted {
			detail = fmt.Sprintf("deleted, and still holds %s", count(p.overdue.count, "permission"))
		}
		a.tell(p.overdue.finding(Overdue, acc.Key, detail))
	}
	if p.granted.count > 0 {
		a.tell(p.granted.finding(OverGranted, acc.Key,
			fmt.Sprintf("holds %s that neither an approval nor a role gives", count(p.granted.count, "permission"))))
	}
	if p.unused.count > 0 {
		a.tell(p.unused.finding(OverAuthorised, acc.Key,
			fmt.Sprintf("has not used %s since %s", count(p.unused.count, "permission"), date(a.from.permission))))
	}
	if p.lacking.count > 0 {
		lacking := p.lacking
		lacking.refs, lacking.omitted = lacking.refs[:min(1, len(lacking.refs))], 0 // all of them the account's
		a.tell(lacking.finding(UnderAuthorised, acc.Key,
			fmt.Sprintf("lacks %s of its roles", count(lacking.count, "permission"))))
	}
	if p.refused.count > 0 {
		a.tell(p.refused.finding(Refused, acc.Key,
			fmt.Sprintf("was refused %s", count(p.refused.count, "time"))))
	}
	if acc.Sub != "" && usable(acc.State) {
		a.beyond(acc)
	}
}

// beyond tells what a sub-account has without its main account.
func (a *audit) beyond(acc *Account) {
	p := &a.piles.beyond
	exists := a.main.key.Tenant == acc.Tenant && a.main.key.Main == acc.Main
	switch {
	case !exists:
		a.own(acc, BeyondMain, acc.Created, "a sub-account without a main account")
	case acc.State == Active && a.main.state != Active:
		a.own(acc, BeyondMain, acc.Since, "active, while its main account is "+string(a.main.state))
	case a.main.overflow:
		a.unjudged(acc, fmt.Sprintf("its main account holds more than %d permissions", maxMain), BeyondMain)
	case p.count > 0:
		a.tell(p.finding(BeyondMain, acc.Key,
			fmt.Sprintf("holds %s that its main account does not", count(p.count, "permission"))))
	}
}

// unregistered judges rows about an account that no register knows. What somebody typed stays within the digests of
// attempts.
func (a *audit) unregistered(key Key) {
	a.piles.reset()
	n, alien := a.p.Listed, &a.piles.alien
	var held, used, signedIn uint64
	for e := a.entitlements; e.row != nil && e.row.Key == key; e.advance() {
		held++
		alien.add(n, 1, e.row.Permission, e.row.Ref, e.row.Granted)
	}
	for u := a.uses; u.row != nil && u.row.Key == key; u.advance() {
		if u.row.Count > 0 {
			used += u.row.Count
			alien.add(n, 1, "", u.row.Ref, u.row.Last)
		}
	}
	for s := a.signIns; s.row != nil && s.row.Key == key; s.advance() {
		switch {
		case s.row.Outcome == opsec.Success:
			signedIn++
			alien.add(n, 1, "", s.row.Ref, s.row.Time)
		case a.attempts != nil && !s.row.Logout && alien.count == 0:
			a.attempts.invented(s.row, a.tenantOf(key))
		}
	}
	if alien.count == 0 {
		return
	}
	f := alien.finding(Unregistered, key, fmt.Sprintf("no register knows the account: it holds %s, used some %s, signed in or out %s",
		count(held, "permission"), count(used, "time"), count(signedIn, "time")))
	if key.Tenant.Validate() != nil {
		f.Tenant = opsec.Provider
	}
	a.tell(f)
}

// tenantOf returns the tenant of a key where the register has accounts of that tenant: others may have been typed.
func (a *audit) tenantOf(key Key) opsec.TenantID {
	if next := a.accounts.row; next != nil && next.Tenant == key.Tenant {
		return key.Tenant
	}
	if before := a.accounts.from; before != nil && before.Tenant == key.Tenant {
		return key.Tenant
	}
	return ""
}

func date(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func on(t time.Time) string {
	if t.IsZero() {
		return "never, as far as is on record"
	}
	return "on " + date(t)
}

func count(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
