package accounts_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/accounts"
)

// Every kind of finding has cases that are found, with nothing else beside them, and near misses that are not.
func TestKinds(t *testing.T) {
	const within, beyond = true, false
	for _, c := range []struct {
		kind accounts.Kind
		ok   bool
		name string
		with func(w *world)
	}{
		{accounts.Unowned, beyond, "nobody", func(w *world) { w.account("bob").Person = "" }},
		{accounts.Unowned, beyond, "a service's, suspended", func(w *world) {
			a := w.account("bob")
			a.Person, a.Kind, a.State = "", opsec.Service, accounts.Suspended
		}},
		{accounts.Unowned, within, "disabled", func(w *world) { w.account("bob").Person = ""; w.disable("bob", ago(0)) }},

		{accounts.Unapproved, beyond, "never", func(w *world) { w.account("bob").Approved = time.Time{} }},
		{accounts.Unapproved, beyond, "in the future", func(w *world) { w.account("bob").Approved = now.Add(1) }},
		{accounts.Unapproved, within, "now", func(w *world) { w.account("bob").Approved = now }},
		{accounts.Unapproved, within, "never, and disabled", func(w *world) {
			w.account("bob").Approved = time.Time{}
			w.disable("bob", ago(0))
		}},

		{accounts.Misnamed, beyond, "a capital", func(w *world) { w.rename("bob", "Bob") }},
		{accounts.Misnamed, beyond, "a digit first", func(w *world) { w.rename("bob", "1bob") }},
		{accounts.Misnamed, beyond, "a sub-account of one letter", func(w *world) { w.rename("ann/db", "ann/d") }},
		{accounts.Misnamed, within, "two letters", func(w *world) { w.rename("bob", "bo") }},
		{accounts.Misnamed, within, "digits and signs", func(w *world) { w.rename("bob", "b0b.x_y-z") }},
		{accounts.Misnamed, beyond, "a pattern, in part", func(w *world) {
			w.policy.Naming = "[a-c]{2,3}|[a-z]{2,3}|db"
			w.rename("bob", "annbob")
		}},
		{accounts.Misnamed, within, "a pattern, whole", func(w *world) { w.policy.Naming = "ann|bob|db" }},

		{accounts.Overdue, beyond, "an account", func(w *world) { w.account("bob").Expires = now }},
		{accounts.Overdue, within, "an account in a moment", func(w *world) { w.account("bob").Expires = now.Add(1) }},
		{accounts.Overdue, within, "an account that was disabled", func(w *world) {
			w.account("bob").Expires = ago(day)
			w.disable("bob", ago(0))
		}},
		{accounts.Overdue, beyond, "a permission", func(w *world) { w.grant("bob", "vm.stop").Expires = now }},
		{accounts.Overdue, within, "a permission in a moment", func(w *world) { w.grant("bob", "vm.stop").Expires = now.Add(1) }},
		{accounts.Overdue, beyond, "left on a deleted account", func(w *world) {
			w.disable("bob", ago(0))
			w.account("bob").State = accounts.Deleted
			w.grant("bob", "vm.stop")
		}},
		{accounts.Overdue, within, "left on a disabled account", func(w *world) {
			w.disable("bob", ago(0))
			w.grant("bob", "vm.stop").Expires = ago(day)
		}},

		{accounts.Unreviewed, beyond, "too long ago", func(w *world) { w.account("bob").Reviewed = ago(90*day + 1) }},
		{accounts.Unreviewed, beyond, "never", func(w *world) { w.account("bob").Reviewed = time.Time{} }},
		{accounts.Unreviewed, beyond, "in the future", func(w *world) { w.account("bob").Reviewed = now.Add(day) }},
		{accounts.Unreviewed, within, "just in time", func(w *world) { w.account("bob").Reviewed = ago(90 * day) }},
		{accounts.Unreviewed, within, "approved since", func(w *world) {
			a := w.account("bob")
			a.Reviewed, a.Approved = time.Time{}, ago(20*day)
		}},

		{accounts.Dormant, beyond, "unused", func(w *world) { w.idle("bob", ago(45*day+1)) }},
		{accounts.Dormant, beyond, "never used", func(w *world) { w.idle("bob", time.Time{}) }},
		{accounts.Dormant, beyond, "used in the future", func(w *world) { w.idle("bob", now.Add(day)) }},
		{accounts.Dormant, within, "just in time", func(w *world) { w.idle("bob", ago(45*day)) }},
		{accounts.Dormant, within, "new", func(w *world) { w.idle("bob", time.Time{}); w.account("bob").Created = ago(45 * day) }},
		{accounts.Dormant, within, "made active again", func(w *world) { w.idle("bob", ago(300*day)); w.account("bob").Since = ago(day) }},
		{accounts.Dormant, within, "suspended", func(w *world) { w.idle("bob", ago(300*day)); w.account("bob").State = accounts.Suspended }},
		{accounts.Dormant, within, "the log knows better", func(w *world) { w.account("bob").LastUsed = ago(300 * day) }},
		{accounts.Dormant, within, "a sign-in alone", func(w *world) {
			w.idle("bob", ago(300*day))
			w.session("bob", ago(3*day), time.Hour)
		}},
		{accounts.Dormant, beyond, "failed sign-ins alone", func(w *world) {
			w.idle("bob", ago(300*day))
			w.try("bob", ago(day), opsec.Failure, "192.0.2.1")
		}},

		{accounts.Unregistered, beyond, "all of it", func(w *world) { w.unregister("bob") }},
		{accounts.Unregistered, beyond, "holds something", func(w *world) { w.grant("mallory", "vm.stop") }},
		{accounts.Unregistered, beyond, "does something", func(w *world) {
			u := w.use("mallory", "vm.stop")
			u.Count, u.Last = 1, ago(day)
		}},
		{accounts.Unregistered, beyond, "gets in", func(w *world) { w.try("mallory", ago(day), opsec.Success, "192.0.2.1") }},
		{accounts.Unregistered, beyond, "a sub-account that nobody knows", func(w *world) { w.try("ann/x", ago(day), opsec.Success, "192.0.2.1") }},
		{accounts.Unregistered, within, "does not get in", func(w *world) { w.try("mallory", ago(day), opsec.Failure, "192.0.2.1") }},
		{accounts.Unregistered, within, "was refused", func(w *world) { w.use("mallory", "vm.stop").Denied = 9 }},

		{accounts.OverGranted, beyond, "no approval", func(w *world) { w.grant("bob", "key.destroy").Approved = time.Time{} }},
		{accounts.OverGranted, beyond, "an approval to come", func(w *world) { w.grant("bob", "key.destroy").Approved = now.Add(1) }},
		{accounts.OverGranted, beyond, "another role's", func(w *world) { w.grant("bob", "log.read").Approved = time.Time{} }},
		{accounts.OverGranted, within, "its own approval", func(w *world) { w.grant("bob", "key.destroy") }},
		{accounts.OverGranted, within, "two roles", func(w *world) {
			w.account("bob").Roles = []string{"reader", "operator"}
			w.grant("bob", "log.read").Approved = time.Time{}
		}},

		{accounts.OverAuthorised, beyond, "used too long ago", func(w *world) { w.use("bob", "vm.stop").Last = ago(90*day + 1) }},
		{accounts.OverAuthorised, beyond, "never used", func(w *world) { w.unused("bob", "vm.stop") }},
		{accounts.OverAuthorised, within, "just in time", func(w *world) { w.use("bob", "vm.stop").Last = ago(90 * day) }},
		{accounts.OverAuthorised, within, "granted lately", func(w *world) { w.unused("bob", "vm.stop"); w.grant("bob", "vm.stop").Granted = ago(90 * day) }},
		{accounts.OverAuthorised, within, "approved lately", func(w *world) { w.unused("bob", "vm.stop"); w.grant("bob", "vm.stop").Approved = ago(day) }},
		{accounts.OverAuthorised, within, "a new account", func(w *world) { w.unused("bob", "vm.stop"); w.account("bob").Created = ago(day) }},
		{accounts.OverAuthorised, within, "for emergencies", func(w *world) { w.unused("bob", "vm.stop"); w.policy.Rare = []string{"vm.stop"} }},

		{accounts.UnderAuthorised, beyond, "one is missing", func(w *world) { w.revoke("bob", "vm.stop") }},
		{accounts.UnderAuthorised, beyond, "all are missing", func(w *world) { w.revoke("bob", "vm.stop"); w.revoke("bob", "vm.start") }},
		{accounts.UnderAuthorised, within, "suspended", func(w *world) {
			w.revoke("bob", "vm.stop")
			w.account("bob").State = accounts.Suspended
		}},
		{accounts.UnderAuthorised, within, "another role", func(w *world) {
			w.revoke("ann/db", "vm.stop")
			w.revoke("ann/db", "vm.start")
			w.account("ann/db").Roles = nil
		}},

		{accounts.Refused, beyond, "five times", func(w *world) { w.use("bob", "key.destroy").Denied = 5 }},
		{accounts.Refused, beyond, "what it holds", func(w *world) { w.use("bob", "vm.stop").Denied = 5 }},
		{accounts.Refused, within, "four times", func(w *world) { w.use("bob", "key.destroy").Denied = 4 }},
		{accounts.Refused, within, "four times each", func(w *world) { w.use("bob", "key.destroy").Denied = 4; w.use("bob", "key.rotate").Denied = 4 }},

		{accounts.BeyondMain, beyond, "one more", func(w *world) { w.grant("ann/db", "db.drop") }},
		{accounts.BeyondMain, beyond, "the last one", func(w *world) { w.grant("ann/db", "zz") }},
		{accounts.BeyondMain, beyond, "no main account", func(w *world) { w.rename("ann/db", "carl/db") }},
		{accounts.BeyondMain, beyond, "its main account's has ended", func(w *world) {
			w.grant("ann", "db.drop").Expires = ago(day)
			w.grant("ann/db", "db.drop")
			w.policy.Skip = []accounts.Kind{accounts.Overdue}
		}},
		{accounts.BeyondMain, beyond, "its main account is disabled", func(w *world) { w.disable("ann", ago(0)) }},
		{accounts.BeyondMain, beyond, "its main account is suspended", func(w *world) { w.account("ann").State = accounts.Suspended }},
		{accounts.BeyondMain, within, "both", func(w *world) { w.grant("ann/db", "db.drop"); w.grant("ann", "db.drop") }},
		{accounts.BeyondMain, within, "less", func(w *world) {
			w.revoke("ann/db", "vm.start")
			w.account("ann/db").Roles = nil
			w.grant("ann/db", "vm.stop").Approved = ago(day)
		}},
		{accounts.BeyondMain, within, "both disabled", func(w *world) { w.disable("ann", ago(0)); w.disable("ann/db", ago(0)) }},

		{accounts.AbandonedAttempt, beyond, "failed", func(w *world) { w.disable("bob", ago(9*day)); w.try("bob", ago(day), opsec.Failure, "192.0.2.1") }},
		{accounts.AbandonedAttempt, beyond, "succeeded", func(w *world) { w.disable("bob", ago(9*day)); w.session("bob", ago(day), time.Hour) }},
		{accounts.AbandonedAttempt, beyond, "since nobody knows when", func(w *world) {
			w.disable("bob", time.Time{})
			w.try("bob", ago(day), opsec.Failure, "192.0.2.1")
		}},
		{accounts.AbandonedAttempt, beyond, "said to be in the future", func(w *world) {
			w.disable("bob", now.Add(day))
			w.try("bob", ago(day), opsec.Failure, "192.0.2.1")
		}},
		{accounts.AbandonedAttempt, beyond, "acted before what is said to be in the future", func(w *world) {
			w.disable("bob", now.Add(day))
			u := w.use("bob", "vm.stop")
			u.Count, u.Last = 1, ago(day)
		}},
		{accounts.AbandonedAttempt, beyond, "acted", func(w *world) {
			w.disable("bob", ago(9*day))
			u := w.use("bob", "vm.stop")
			u.Count, u.Last = 1, ago(day)
		}},
		{accounts.AbandonedAttempt, within, "before", func(w *world) {
			w.disable("bob", ago(9*day))
			w.try("bob", ago(9*day), opsec.Failure, "192.0.2.1")
			w.session("bob", ago(10*day), time.Hour)
			u := w.use("bob", "vm.stop")
			u.Count, u.Last = 1, ago(9*day)
		}},
		{accounts.AbandonedAttempt, within, "a log-out since", func(w *world) { w.disable("bob", ago(9*day)); w.session("bob", ago(9*day+time.Hour), 2*time.Hour) }},
		{accounts.AbandonedAttempt, within, "suspended", func(w *world) {
			w.account("bob").State = accounts.Suspended
			w.try("bob", ago(0), opsec.Denied, "192.0.2.1")
		}},

		{accounts.InventedAttempt, beyond, "three names", func(w *world) { w.invent(3, 1, "192.0.2.1") }},
		{accounts.InventedAttempt, beyond, "ten times one", func(w *world) { w.invent(1, 10, "192.0.2.1") }},
		{accounts.InventedAttempt, beyond, "one /64", func(w *world) { w.invent(2, 1, "2001:db8::1"); w.try("zed", ago(day), opsec.Denied, "2001:db8::ffff") }},
		{accounts.InventedAttempt, beyond, "an IPv4 address within IPv6", func(w *world) { w.invent(2, 1, "192.0.2.1"); w.try("zed", ago(day), opsec.Denied, "::ffff:192.0.2.1") }},
		{accounts.InventedAttempt, within, "two names", func(w *world) { w.invent(2, 2, "192.0.2.1") }},
		{accounts.InventedAttempt, within, "nine times one", func(w *world) { w.invent(1, 9, "192.0.2.1") }},
		{accounts.InventedAttempt, within, "from all over", func(w *world) {
			w.invent(2, 1, "192.0.2.1")
			w.try("zed", ago(day), opsec.Failure, "192.0.2.2")
			w.try("zed", ago(day), opsec.Failure, "2001:db8:0:1::1")
			w.try("zoe", ago(day), opsec.Failure, "2001:db8:0:2::1")
		}},
		{accounts.InventedAttempt, within, "accounts that exist", func(w *world) {
			for range 20 {
				w.try("bob", ago(day), opsec.Failure, "192.0.2.1")
			}
		}},

		{accounts.Unclosed, beyond, "never", func(w *world) { w.logIn("bob", ago(12*time.Hour+1), "t1") }},
		{accounts.Unclosed, beyond, "too late", func(w *world) { w.session("bob", ago(48*time.Hour), 12*time.Hour+1) }},
		{accounts.Unclosed, within, "still time", func(w *world) { w.logIn("bob", ago(time.Hour), "t1") }},
		{accounts.Unclosed, within, "just in time", func(w *world) { w.session("bob", ago(48*time.Hour), 12*time.Hour) }},
		{accounts.Unclosed, within, "a service's", func(w *world) { w.account("bob").Kind = opsec.Service; w.logIn("bob", ago(48*time.Hour), "t1") }},
		{accounts.Unclosed, within, "confirmed by a second factor", func(w *world) {
			w.session("bob", ago(48*time.Hour), time.Hour)
			again := w.signIns[len(w.signIns)-2]
			again.Time = again.Time.Add(time.Minute)
			w.signIns = append(w.signIns, again)
		}},
		{accounts.Unclosed, within, "paired by its beginning", func(w *world) { w.session("bob", ago(48*time.Hour), time.Hour); w.anonymous() }},
		{accounts.Unclosed, within, "paired by its place", func(w *world) {
			w.session("bob", ago(48*time.Hour), time.Hour)
			w.anonymous()
			w.signIns[len(w.signIns)-1].Began = time.Time{}
		}},

		{accounts.Unopened, beyond, "no log-in", func(w *world) { w.logOut("bob", ago(time.Hour), ago(2*time.Hour)) }},
		{accounts.Unopened, beyond, "twice", func(w *world) { w.logOut("bob", ago(2*time.Hour), ago(4*time.Hour)) }},
		{accounts.Unopened, beyond, "within the span", func(w *world) { w.since = ago(100 * day); w.logOut("bob", ago(time.Hour), ago(100*day)) }},
		{accounts.Unopened, within, "from before the span", func(w *world) { w.since = ago(100 * day); w.logOut("bob", ago(99*day), ago(100*day+1)) }},
		{accounts.Unopened, within, "perhaps from before the span", func(w *world) { w.since = ago(100 * day); w.logOut("bob", w.since.Add(12*time.Hour-1), time.Time{}) }},
		{accounts.Unopened, within, "one tick for both", func(w *world) {
			w.session("bob", ago(48*time.Hour), 0)
			n := len(w.signIns)
			w.signIns[n-1], w.signIns[n-2] = w.signIns[n-2], w.signIns[n-1]
		}},

		{accounts.Shared, beyond, "two terminals", func(w *world) { w.logIn("bob", ago(2*time.Hour), "t1"); w.logIn("bob", ago(time.Hour), "t2") }},
		{accounts.Shared, beyond, "two addresses", func(w *world) {
			w.logIn("bob", ago(2*time.Hour), "192.0.2.1")
			w.logIn("bob", ago(time.Hour), "192.0.2.2")
		}},
		{accounts.Shared, within, "one after the other", func(w *world) {
			w.session("bob", ago(2*time.Hour), time.Hour)
			w.logIn("bob", ago(30*time.Minute), "t2")
		}},
		{accounts.Shared, within, "one tick for both", func(w *world) {
			w.session("bob", ago(2*time.Hour), time.Hour)
			w.logIn("bob", ago(time.Hour), "t2")
			n := len(w.signIns)
			w.signIns[n-1], w.signIns[n-2] = w.signIns[n-2], w.signIns[n-1]
		}},
		{accounts.Shared, within, "one terminal on two networks", func(w *world) { w.logIn("bob", ago(2*time.Hour), "t1"); w.logIn("bob", ago(time.Hour), "t1") }},
		{accounts.Shared, within, "one /64", func(w *world) {
			w.logIn("bob", ago(2*time.Hour), "2001:db8::1")
			w.logIn("bob", ago(time.Hour), "2001:db8::2")
		}},
		{accounts.Shared, within, "two are allowed", func(w *world) {
			w.policy.Places = 2
			w.logIn("bob", ago(2*time.Hour), "t1")
			w.logIn("bob", ago(time.Hour), "t2")
		}},
		{accounts.Shared, beyond, "three, where two are allowed", func(w *world) {
			w.policy.Places = 2
			for i, terminal := range []string{"t1", "t2", "t2", "t3"} {
				w.logIn("bob", ago(time.Duration(9-i)*time.Hour), terminal)
			}
		}},
		{accounts.Shared, within, "an old session", func(w *world) {
			w.policy.Skip = []accounts.Kind{accounts.Unclosed}
			w.logIn("bob", ago(17*time.Hour), "t2")
		}},
		{accounts.Shared, within, "a service's", func(w *world) {
			w.account("bob").Kind = opsec.Service
			w.logIn("bob", ago(2*time.Hour), "t1")
			w.logIn("bob", ago(time.Hour), "t2")
		}},

		{accounts.Orphan, beyond, "left", func(w *world) { w.person("p-bob").Left = now }},
		{accounts.Orphan, beyond, "unknown", func(w *world) { w.person("p-bob").ID = "p-bobby" }},
		{accounts.Orphan, beyond, "unknown, the last one", func(w *world) { w.person("p-bob").ID = "p-a" }},
		{accounts.Orphan, within, "leaves soon", func(w *world) { w.person("p-bob").Left = now.Add(1) }},
		{accounts.Orphan, within, "left, and the account is disabled", func(w *world) { w.person("p-bob").Left = ago(day); w.disable("bob", ago(day)) }},

		{accounts.DuplicateMain, beyond, "two", func(w *world) { w.account("bob").Person = "p-ann" }},
		{accounts.DuplicateMain, beyond, "one suspended", func(w *world) {
			w.account("bob").Person = "p-ann"
			w.account("bob").State = accounts.Suspended
		}},
		{accounts.DuplicateMain, within, "one disabled", func(w *world) { w.account("bob").Person = "p-ann"; w.disable("bob", ago(0)) }},
		{accounts.DuplicateMain, within, "one a service's", func(w *world) { w.account("bob").Person = "p-ann"; w.account("bob").Kind = opsec.Service }},
		{accounts.DuplicateMain, within, "another tenant's person of that name", func(w *world) {
			for i := range w.accounts {
				if w.accounts[i].Main == "bob" {
					w.accounts[i].Person = "p-ann"
				}
			}
			w.gone("bob")
			w.account("bob").Tenant = "globex"
			w.policy.Skip = []accounts.Kind{accounts.UnderAuthorised, accounts.Orphan}
		}},
	} {
		t.Run(fmt.Sprintf("%s/%s", c.kind, c.name), func(t *testing.T) {
			w := newWorld()
			c.with(w)
			found, _ := w.audit(t)
			kinds := []accounts.Kind{}
			for _, f := range found {
				kinds = append(kinds, f.Kind)
				require.NotEmpty(t, f.Detail)
				require.NotZero(t, f.Severity.Rank())
				require.NoError(t, f.Tenant.Validate())
				require.NotEmpty(t, f.Evidence, "every finding has a reference: %v", f)
				require.NoError(t, f.Event(now).Validate())
			}
			if c.ok {
				require.Empty(t, found)
			} else {
				require.Equal(t, []accounts.Kind{c.kind}, kinds, "%v", found)
			}
		})
	}
}

// disable makes an account disabled, without anything that belongs to it.
func (w *world) disable(account string, since time.Time) {
	w.gone(account)
	a := w.account(account)
	a.State, a.Since = accounts.Disabled, since
}

func (w *world) rename(from, to string) {
	old, k := name(from), name(to)
	w.account(from).Key = k
	for i := range w.entitlements {
		if w.entitlements[i].Key == old {
			w.entitlements[i].Key = k
		}
	}
	for i := range w.uses {
		if w.uses[i].Key == old {
			w.uses[i].Key = k
		}
	}
	for i := range w.signIns {
		if w.signIns[i].Key == old {
			w.signIns[i].Key = k
		}
	}
}

// idle leaves nothing of what an account did, nor what it could have done.
func (w *world) idle(account string, last time.Time) {
	w.gone(account)
	a := w.account(account)
	a.Roles, a.LastUsed = nil, last
}

func (w *world) unused(account, permission string) {
	u := w.use(account, permission)
	u.Count, u.Last = 0, time.Time{}
}

func (w *world) revoke(account, permission string) {
	w.entitlements = slices.DeleteFunc(w.entitlements, func(e accounts.Entitlement) bool {
		return e.Key == name(account) && e.Permission == permission
	})
}

// invent tries so many names so many times each.
func (w *world) invent(names, times int, from string) {
	for i := range names {
		for j := range times {
			w.try(fmt.Sprintf("guess%d", i), ago(time.Duration(j)*time.Minute), opsec.Failure, from)
		}
	}
}

// logIn begins a session at a terminal, or an address without terminal.
func (w *world) logIn(account string, at time.Time, place string) {
	s := accounts.SignIn{Key: name(account), Time: at, Outcome: opsec.Success, Ref: "in:" + place}
	if ip, err := netip.ParseAddr(place); err == nil {
		s.IP = ip
	} else {
		s.Terminal = place
		s.IP = netip.AddrFrom4([4]byte{192, 0, 2, byte(len(w.signIns))})
	}
	w.signIns = append(w.signIns, s)
}

func (w *world) logOut(account string, at, began time.Time) {
	w.signIns = append(w.signIns, accounts.SignIn{
		Key: name(account), Time: at, Outcome: opsec.Success, Logout: true, Began: began, Terminal: "t1", Ref: "out",
	})
}

// anonymous takes the ids off the last session.
func (w *world) anonymous() {
	for i := range w.signIns[len(w.signIns)-2:] {
		w.signIns[len(w.signIns)-2+i].Session = ""
	}
}

func (w *world) person(id string) *accounts.Person {
	return &w.people[slices.IndexFunc(w.people, func(p accounts.Person) bool { return p.ID == id })]
}
