package accounts_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/accounts"
)

// small draws a world of few names, times and permissions, so that rows meet.
func small(t *rapid.T) *world {
	w := &world{policy: accounts.Policy{Roles: map[string][]string{"r1": {"a", "b"}, "r2": {"b", "c"}}, Rare: []string{"c"}, Naming: ".*", Listed: 1024}}
	when := rapid.SampledFrom([]time.Time{
		{}, ago(200 * day), ago(91 * day), ago(90 * day), ago(46 * day), ago(45 * day), ago(day), now, now.Add(day),
	})
	names := rapid.SampledFrom([]string{"m1", "m1/s1", "m1/s2", "m2", "m2/s1", "m3"})
	permissions := rapid.SampledFrom([]string{"a", "b", "c", "d"})
	states := rapid.SampledFrom([]accounts.State{accounts.Active, accounts.Active, accounts.Active, accounts.Suspended, accounts.Disabled, accounts.Deleted})
	roles := rapid.SampledFrom([][]string{nil, {"r1"}, {"r2"}, {"r2", "r1"}, {"r1", "r3"}})
	people := rapid.SampledFrom([]string{"", "p1", "p2", "p3"})
	for _, name := range rapid.SliceOfNDistinct(names, 0, 6, rapid.ID).Draw(t, "accounts") {
		w.accounts = append(w.accounts, accounts.Account{
			Key: accounts.ParseAccount("acme", name), State: states.Draw(t, "state"), Since: when.Draw(t, "since"),
			Kind: rapid.SampledFrom([]opsec.ActorKind{"", opsec.Human, opsec.Service}).Draw(t, "kind"), Roles: roles.Draw(t, "roles"),
			Person: people.Draw(t, "person"), Created: when.Draw(t, "created"), Approved: when.Draw(t, "approved"),
			Reviewed: when.Draw(t, "reviewed"), Expires: when.Draw(t, "expires"), LastUsed: when.Draw(t, "last used"), Ref: "r",
		})
	}
	held := map[string]bool{}
	for range rapid.IntRange(0, 12).Draw(t, "entitlements") {
		e := accounts.Entitlement{
			Key: accounts.ParseAccount("acme", names.Draw(t, "name")), Permission: permissions.Draw(t, "permission"),
			Granted: when.Draw(t, "granted"), Approved: when.Draw(t, "approved"), Expires: when.Draw(t, "expires"),
		}
		if id := e.String() + " " + e.Permission; !held[id] {
			held[id] = true
			w.entitlements = append(w.entitlements, e)
		}
	}
	used := map[string]bool{}
	for range rapid.IntRange(0, 12).Draw(t, "uses") {
		u := accounts.Use{
			Key: accounts.ParseAccount("acme", names.Draw(t, "name")), Permission: permissions.Draw(t, "permission"),
			Denied: rapid.Uint64Range(0, 6).Draw(t, "denied"), Last: when.Draw(t, "last"),
		}
		if !u.Last.IsZero() {
			u.Count = 1
		}
		if id := u.String() + " " + u.Permission; !used[id] {
			used[id] = true
			w.uses = append(w.uses, u)
		}
	}
	for range rapid.IntRange(0, 15).Draw(t, "sign-ins") {
		at := when.Draw(t, "time")
		if at.IsZero() {
			at = ago(300 * day)
		}
		w.try(names.Draw(t, "name"), at, rapid.SampledFrom([]opsec.Outcome{opsec.Success, opsec.Failure, opsec.Failure}).Draw(t, "outcome"),
			rapid.SampledFrom([]string{"192.0.2.1", "192.0.2.2"}).Draw(t, "ip"))
	}
	for _, id := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"p1", "p2", "p3"}), 0, 3, rapid.ID).Draw(t, "people") {
		w.people = append(w.people, accounts.Person{Tenant: "acme", ID: id, Left: when.Draw(t, "left")})
	}
	w.policy.Skip = []accounts.Kind{accounts.Unclosed, accounts.Unopened, accounts.Shared} // not the oracle's
	return w
}

// expected says what is wrong with a world by the words of the documentation, row by row and without any order.
func expected(w *world) map[string]bool {
	found := map[string]bool{}
	say := func(k accounts.Kind, about, permissions any) {
		found[fmt.Sprint(k, " ", about, " ", permissions)] = true
	}
	past := func(t time.Time) bool { return !t.IsZero() && !t.After(now) }
	within := func(d time.Duration, times ...time.Time) bool {
		return slices.ContainsFunc(times, func(t time.Time) bool { return past(t) && now.Sub(t) <= d })
	}
	of := func(name string) *accounts.Account {
		for i := range w.accounts {
			if w.accounts[i].Account() == name {
				return &w.accounts[i]
			}
		}
		return nil
	}
	perAccount := map[accounts.Kind]map[string][]string{}
	list := func(k accounts.Kind, name, permission string) {
		if perAccount[k] == nil {
			perAccount[k] = map[string][]string{}
		}
		perAccount[k][name] = append(perAccount[k][name], permission)
	}
	use := func(name, permission string) (u accounts.Use) {
		for _, u := range w.uses {
			if u.Account() == name && u.Permission == permission {
				return u
			}
		}
		return u
	}
	unregistered := map[string][]string{}
	for _, e := range w.entitlements {
		name := e.Account()
		a := of(name)
		if a == nil {
			unregistered[name] = append(unregistered[name], e.Permission)
			continue
		}
		live := a.State == accounts.Active || a.State == accounts.Suspended
		if a.State == accounts.Deleted || live && past(e.Expires) {
			list(accounts.Overdue, name, e.Permission)
		}
		if !live {
			continue
		}
		baseline := []string{}
		for _, role := range a.Roles {
			baseline = append(baseline, w.policy.Roles[role]...)
		}
		if !past(e.Approved) && !slices.Contains(baseline, e.Permission) {
			list(accounts.OverGranted, name, e.Permission)
		}
		if e.Permission != "c" && !within(90*day, e.Granted, e.Approved, a.Created, use(name, e.Permission).Last) {
			list(accounts.OverAuthorised, name, e.Permission)
		}
		if main := of(a.Main); a.Sub != "" && main != nil && !past(e.Expires) && (a.State != accounts.Active || main.State == accounts.Active) {
			covered := slices.ContainsFunc(w.entitlements, func(m accounts.Entitlement) bool {
				return m.Key == main.Key && m.Permission == e.Permission && !past(m.Expires)
			}) && (main.State == accounts.Active || main.State == accounts.Suspended)
			if !covered {
				list(accounts.BeyondMain, name, e.Permission)
			}
		}
	}
	for _, u := range w.uses {
		a := of(u.Account())
		switch {
		case a == nil && u.Count > 0:
			unregistered[u.Account()] = append(unregistered[u.Account()], "")
		case a != nil && (a.State == accounts.Active || a.State == accounts.Suspended) && u.Denied >= 5:
			list(accounts.Refused, u.Account(), u.Permission)
		case a != nil && a.State.Abandoned() && !u.Last.IsZero() && (u.Last.After(a.Since) || a.Since.After(now)):
			list(accounts.AbandonedAttempt, u.Account(), u.Permission)
		}
	}
	tries, guesses := map[string]int{}, map[string]map[string]bool{}
	w.sources() // sorts: whether an attempt is one with an invented account depends on what came before
	for _, s := range w.signIns {
		name, a := s.Account(), of(s.Account())
		switch {
		case a != nil && a.State.Abandoned() && (s.Time.After(a.Since) || a.Since.After(now)):
			list(accounts.AbandonedAttempt, name, "")
		case a == nil && s.Outcome == opsec.Success:
			unregistered[name] = append(unregistered[name], "")
		case a == nil && len(unregistered[name]) == 0:
			ip := s.IP.String()
			if tries[ip]++; guesses[ip] == nil {
				guesses[ip] = map[string]bool{}
			}
			guesses[ip][name] = true
		}
	}
	for ip, n := range tries {
		if n >= 10 || len(guesses[ip]) >= 3 {
			say(accounts.InventedAttempt, ip, n)
		}
	}
	for name, permissions := range unregistered {
		say(accounts.Unregistered, name, listing(permissions))
	}
	mains := map[string]int{}
	for _, a := range w.accounts {
		name := a.Account()
		if a.State != accounts.Active && a.State != accounts.Suspended {
			continue
		}
		if a.Person == "" {
			say(accounts.Unowned, name, "")
		} else {
			i := slices.IndexFunc(w.people, func(p accounts.Person) bool { return p.ID == a.Person })
			if i < 0 || past(w.people[i].Left) {
				say(accounts.Orphan, name, "")
			}
			if a.Sub == "" && a.Kind != opsec.Service {
				mains[a.Person]++
			}
		}
		if !past(a.Approved) {
			say(accounts.Unapproved, name, "")
		}
		if past(a.Expires) {
			say(accounts.Overdue, name, "")
		}
		if !within(90*day, a.Reviewed, a.Approved, a.Created) {
			say(accounts.Unreviewed, name, "")
		}
		times := []time.Time{a.LastUsed, a.Since, a.Created}
		for _, u := range w.uses {
			if u.Key == a.Key {
				times = append(times, u.Last)
			}
		}
		for _, s := range w.signIns {
			if s.Key == a.Key && s.Outcome == opsec.Success {
				times = append(times, s.Time)
			}
		}
		if a.State == accounts.Active && !within(45*day, times...) {
			say(accounts.Dormant, name, "")
		}
		if a.State == accounts.Active {
			baseline := map[string]bool{}
			for _, role := range a.Roles {
				for _, permission := range w.policy.Roles[role] {
					baseline[permission] = true
				}
			}
			for _, permission := range slices.Sorted(maps.Keys(baseline)) {
				if !slices.ContainsFunc(w.entitlements, func(e accounts.Entitlement) bool { return e.Key == a.Key && e.Permission == permission }) {
					list(accounts.UnderAuthorised, name, permission)
				}
			}
		}
		if main := of(a.Main); a.Sub != "" && (main == nil || a.State == accounts.Active && main.State != accounts.Active) {
			say(accounts.BeyondMain, name, "")
		}
	}
	for person, n := range mains {
		if n > 1 {
			say(accounts.DuplicateMain, person, n)
		}
	}
	for k, byName := range perAccount {
		for name, permissions := range byName {
			say(k, name, listing(permissions))
		}
	}
	return found
}

// listing sorts permissions and leaves out those that are none.
func listing(permissions []string) string {
	permissions = slices.DeleteFunc(slices.Clone(permissions), func(s string) bool { return s == "" })
	slices.Sort(permissions)
	return strings.Join(permissions, ",")
}

// The merge finds what somebody finds who has all rows before him and looks at one after the other.
func TestTheMergeFindsWhatAnOracleFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := small(t)
		want := expected(w)
		got := map[string]bool{}
		found, _ := w.audit(t)
		for _, f := range found {
			var about, what any = f.Account.Account(), strings.Join(f.Permissions, ",")
			switch f.Kind {
			case accounts.InventedAttempt:
				about, what = f.Origin.Addr(), f.Count
			case accounts.DuplicateMain:
				about, what = f.Person, f.Count
			}
			id := fmt.Sprint(f.Kind, " ", about, " ", what)
			require.False(t, got[id], "twice: %s", id)
			got[id] = true
		}
		require.Equal(t, want, got)
	})
}
