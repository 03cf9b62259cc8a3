package accounts_test

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/accounts"
)

var (
	now  = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	key  = []byte("32 bytes that nobody else has ...")
	day  = 24 * time.Hour
	home = netip.MustParseAddr("192.0.2.7")
)

func ago(d time.Duration) time.Time { return now.Add(-d) }

// world is what an audit reads.
type world struct {
	accounts     []accounts.Account
	entitlements []accounts.Entitlement
	uses         []accounts.Use
	signIns      []accounts.SignIn
	people       []accounts.Person
	since        time.Time
	policy       accounts.Policy
}

func rolesOfWorld() map[string][]string {
	return map[string][]string{"operator": {"vm.stop", "vm.start"}, "reader": {"log.read"}}
}

func name(account string) accounts.Key { return accounts.ParseAccount("acme", account) }

// healthy is an account that is in order, with all that belongs to it: it signed in this morning for an hour.
func (w *world) healthy(account, person string) {
	k := name(account)
	w.accounts = append(w.accounts, accounts.Account{
		Key: k, Kind: opsec.Human, Person: person, State: accounts.Active, Since: ago(400 * day), Roles: []string{"operator"},
		Created: ago(400 * day), Approved: ago(400 * day), Reviewed: ago(30 * day), LastUsed: ago(3 * time.Hour), Ref: "register:" + account,
	})
	for _, permission := range []string{"vm.start", "vm.stop"} {
		w.entitlements = append(w.entitlements, accounts.Entitlement{
			Key: k, Permission: permission, Granted: ago(400 * day), Ref: "grant:" + account + ":" + permission,
		})
		w.uses = append(w.uses, accounts.Use{Key: k, Permission: permission, Count: 7, Last: ago(3 * time.Hour), Ref: "use:" + account})
	}
	w.session(account, ago(4*time.Hour), time.Hour)
	if !slices.ContainsFunc(w.people, func(p accounts.Person) bool { return p.ID == person }) {
		w.people = append(w.people, accounts.Person{Tenant: "acme", ID: person, Ref: "person:" + person})
	}
}

// session adds a log-in and its log-out.
func (w *world) session(account string, from time.Time, length time.Duration) {
	id := account + from.String()
	w.signIns = append(w.signIns,
		accounts.SignIn{Key: name(account), Time: from, Outcome: opsec.Success, Session: id, IP: home, Terminal: "t1", Ref: "in:" + account},
		accounts.SignIn{Key: name(account), Time: from.Add(length), Outcome: opsec.Success, Logout: true, Began: from, Session: id, IP: home, Terminal: "t1", Ref: "out:" + account})
}

func (w *world) try(account string, at time.Time, outcome opsec.Outcome, from string) {
	w.signIns = append(w.signIns, accounts.SignIn{
		Key: name(account), Time: at, Outcome: outcome, IP: netip.MustParseAddr(from), Ref: "try:" + from,
	})
}

func (w *world) account(account string) *accounts.Account {
	i := slices.IndexFunc(w.accounts, func(a accounts.Account) bool { return a.Key == name(account) })
	return &w.accounts[i]
}

func (w *world) grant(account, permission string) *accounts.Entitlement {
	i := slices.IndexFunc(w.entitlements, func(e accounts.Entitlement) bool { return e.Key == name(account) && e.Permission == permission })
	if i < 0 {
		i = len(w.entitlements)
		w.entitlements = append(w.entitlements, accounts.Entitlement{
			Key: name(account), Permission: permission, Granted: ago(50 * day), Approved: ago(50 * day), Ref: "grant:" + account + ":" + permission,
		})
	}
	return &w.entitlements[i]
}

func (w *world) use(account, permission string) *accounts.Use {
	i := slices.IndexFunc(w.uses, func(u accounts.Use) bool { return u.Key == name(account) && u.Permission == permission })
	if i < 0 {
		i = len(w.uses)
		w.uses = append(w.uses, accounts.Use{Key: name(account), Permission: permission, Ref: "use:" + account})
	}
	return &w.uses[i]
}

// gone takes away all that belongs to an account but for its row.
func (w *world) gone(account string) {
	k := name(account)
	w.entitlements = slices.DeleteFunc(w.entitlements, func(e accounts.Entitlement) bool { return e.Key == k })
	w.uses = slices.DeleteFunc(w.uses, func(u accounts.Use) bool { return u.Key == k })
	w.signIns = slices.DeleteFunc(w.signIns, func(s accounts.SignIn) bool { return s.Key == k })
}

// unregister takes away the row alone.
func (w *world) unregister(account string) {
	w.accounts = slices.DeleteFunc(w.accounts, func(a accounts.Account) bool { return a.Key == name(account) })
}

func seq[T any](rows []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

// sources returns the world in its order.
func (w *world) sources() accounts.Sources {
	slices.SortStableFunc(w.accounts, func(a, b accounts.Account) int { return a.Key.Compare(b.Key) })
	slices.SortStableFunc(w.entitlements, func(a, b accounts.Entitlement) int {
		return cmp.Or(a.Key.Compare(b.Key), strings.Compare(a.Permission, b.Permission))
	})
	slices.SortStableFunc(w.uses, func(a, b accounts.Use) int {
		return cmp.Or(a.Key.Compare(b.Key), strings.Compare(a.Permission, b.Permission))
	})
	slices.SortStableFunc(w.signIns, func(a, b accounts.SignIn) int {
		return cmp.Or(a.Key.Compare(b.Key), a.Time.Compare(b.Time))
	})
	slices.SortFunc(w.people, func(a, b accounts.Person) int { return strings.Compare(a.ID, b.ID) })
	var holdings []accounts.Holding
	for _, a := range w.accounts {
		if h, ok := a.Holding(); ok {
			holdings = append(holdings, h)
		}
	}
	slices.SortFunc(holdings, func(a, b accounts.Holding) int {
		return cmp.Or(strings.Compare(string(a.Tenant), string(b.Tenant)), strings.Compare(a.Person, b.Person), a.Key.Compare(b.Key))
	})
	return accounts.Sources{
		Accounts: seq(w.accounts), Entitlements: seq(w.entitlements), Uses: seq(w.uses), SignIns: seq(w.signIns),
		People: seq(w.people), Holdings: seq(holdings), Since: w.since, Key: key,
	}
}

// audit returns what is found in the world.
func (w *world) audit(t require.TestingT) ([]accounts.Finding, accounts.Summary) {
	s := w.sources()
	var summary accounts.Summary
	s.Summary = &summary
	return all(t, w.policy.Audit(s, now)), summary
}

func all(t require.TestingT, seq iter.Seq2[accounts.Finding, error]) (found []accounts.Finding) {
	for f, err := range seq {
		require.NoError(t, err)
		found = append(found, f)
	}
	return found
}

// failure returns the error with which an audit ends, and how much it found before.
func failure(seq iter.Seq2[accounts.Finding, error]) (found int, err error) {
	for _, err = range seq {
		if err == nil {
			found++
		}
	}
	return found, err
}

func newWorld() *world {
	w := &world{policy: accounts.Policy{Roles: rolesOfWorld()}}
	w.healthy("ann", "p-ann")
	w.healthy("ann/db", "p-ann")
	w.healthy("bob", "p-bob")
	return w
}

func TestWhatIsInOrderHasNoFindings(t *testing.T) {
	found, summary := newWorld().audit(t)
	require.Empty(t, found)
	require.Empty(t, summary.NotTested)
	require.Len(t, summary.Tested, len(accounts.Kinds())-1, "all but Unjudged, which is no test")
	require.Equal(t, map[string]int64{
		"accounts": 3, "entitlements": 6, "uses": 6, "sign-ins": 6, "people": 2, "holdings": 3,
	}, summary.Rows)
}
