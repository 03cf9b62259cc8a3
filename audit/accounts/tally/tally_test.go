package tally_test

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/accounts"
	"github.com/cloudopsec/opsec/audit/accounts/tally"
)

var start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func seq[T any](rows []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

func collect[T any](t require.TestingT, seq iter.Seq2[T, error]) (rows []T) {
	for row, err := range seq {
		require.NoError(t, err)
		rows = append(rows, row)
	}
	return rows
}

func sorted[T tally.Row](t require.TestingT, rows []T, o tally.Options) []T {
	s, err := tally.Sort(seq(rows), o)
	require.NoError(t, err)
	defer s.Close()
	return collect(t, s.Rows())
}

var (
	texts   = rapid.SampledFrom([]string{"", "a", "ab", "b", "\x00", "a\x00", "a\x00b", "\xff", "a/b"})
	tenants = rapid.SampledFrom([]opsec.TenantID{"acme", "acme.eu", "globex"})
	times   = rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.Bool().Draw(t, "zero") {
			return time.Time{}
		}
		return time.Unix(rapid.Int64Range(-1<<32, 1<<32).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC()
	})
	keys = rapid.Custom(func(t *rapid.T) accounts.Key {
		return accounts.Key{Tenant: tenants.Draw(t, "tenant"), Main: texts.Draw(t, "main"), Sub: texts.Draw(t, "sub")}
	})
	ips = rapid.SampledFrom([]netip.Addr{{}, netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("fe80::1%eth0")})
)

// law says that Sort does what a stable sort by less does, and that no row changes on its way.
func law[T tally.Row](t *testing.T, name string, row func(*rapid.T) T, less func(a, b T) int) {
	t.Run(name, func(t *testing.T) {
		dir := t.TempDir()
		rapid.Check(t, func(t *rapid.T) {
			rows := rapid.SliceOfN(rapid.Custom(row), 0, 20).Draw(t, "rows")
			got := sorted(t, rows, tally.Options{Dir: dir})
			slices.SortStableFunc(rows, less)
			if len(rows) == 0 {
				rows = nil
			}
			require.Equal(t, rows, got)
		})
	})
}

func text(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func first(signs ...int) int {
	for _, s := range signs {
		if s != 0 {
			return s
		}
	}
	return 0
}

func TestRowsComeBackInOrder(t *testing.T) {
	law(t, "accounts", func(t *rapid.T) accounts.Account {
		return accounts.Account{
			Key: keys.Draw(t, "key"), Kind: opsec.Service, Person: texts.Draw(t, "person"), State: accounts.Suspended,
			Since: times.Draw(t, "since"), Roles: rapid.SampledFrom([][]string{nil, {"a"}, {"b", "", "a"}}).Draw(t, "roles"),
			Created: times.Draw(t, "created"), Approved: times.Draw(t, "approved"), Reviewed: times.Draw(t, "reviewed"),
			Expires: times.Draw(t, "expires"), LastUsed: times.Draw(t, "used"), Ref: texts.Draw(t, "ref"),
		}
	}, func(a, b accounts.Account) int { return a.Key.Compare(b.Key) })
	law(t, "entitlements", func(t *rapid.T) accounts.Entitlement {
		return accounts.Entitlement{
			Key: keys.Draw(t, "key"), Permission: texts.Draw(t, "permission"), Granted: times.Draw(t, "granted"),
			Approved: times.Draw(t, "approved"), Expires: times.Draw(t, "expires"), Ref: texts.Draw(t, "ref"),
		}
	}, func(a, b accounts.Entitlement) int {
		return first(a.Key.Compare(b.Key), text(a.Permission, b.Permission))
	})
	law(t, "uses", func(t *rapid.T) accounts.Use {
		return accounts.Use{
			Key: keys.Draw(t, "key"), Permission: texts.Draw(t, "permission"), Count: rapid.Uint64().Draw(t, "count"),
			Denied: rapid.Uint64().Draw(t, "denied"), Last: times.Draw(t, "last"), Ref: texts.Draw(t, "ref"),
		}
	}, func(a, b accounts.Use) int { return first(a.Key.Compare(b.Key), text(a.Permission, b.Permission)) })
	law(t, "sign-ins", func(t *rapid.T) accounts.SignIn {
		return accounts.SignIn{
			Key: keys.Draw(t, "key"), Time: times.Draw(t, "time"), Outcome: opsec.Denied, Logout: rapid.Bool().Draw(t, "logout"),
			Began: times.Draw(t, "began"), Session: texts.Draw(t, "session"), IP: ips.Draw(t, "ip"),
			Terminal: texts.Draw(t, "terminal"), Ref: texts.Draw(t, "ref"),
		}
	}, func(a, b accounts.SignIn) int { return first(a.Key.Compare(b.Key), a.Time.Compare(b.Time)) })
	law(t, "people", func(t *rapid.T) accounts.Person {
		return accounts.Person{Tenant: tenants.Draw(t, "tenant"), ID: texts.Draw(t, "id"), Left: times.Draw(t, "left"), Ref: texts.Draw(t, "ref")}
	}, func(a, b accounts.Person) int {
		return first(text(string(a.Tenant), string(b.Tenant)), text(a.ID, b.ID))
	})
	law(t, "holdings", func(t *rapid.T) accounts.Holding {
		return accounts.Holding{
			Key: keys.Draw(t, "key"), Person: texts.Draw(t, "person"), Kind: opsec.Human, State: accounts.Active, Ref: texts.Draw(t, "ref"),
		}
	}, func(a, b accounts.Holding) int {
		return first(text(string(a.Tenant), string(b.Tenant)), text(a.Person, b.Person), a.Key.Compare(b.Key))
	})
}

func TestMoreRowsThanMemory(t *testing.T) {
	dir := t.TempDir()
	var rows []accounts.SignIn
	for i := range 5000 {
		rows = append(rows, accounts.SignIn{
			Key: accounts.Key{Tenant: "acme", Main: fmt.Sprintf("a%04d", i)}, Time: start, Outcome: opsec.Success, Terminal: "hunter2",
		})
	}
	mixed := slices.Clone(rows)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
	s, err := tally.Sort(seq(mixed), tally.Options{Dir: dir, Memory: 1})
	require.NoError(t, err)
	names, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for _, name := range names {
		content, err := os.ReadFile(name)
		require.NoError(t, err)
		require.NotContains(t, string(content), "hunter")
	}
	require.Equal(t, rows, collect(t, s.Rows()))
	require.Equal(t, rows, collect(t, s.Rows()), "as often as it is asked")
	require.NoError(t, s.Close())
	names, err = filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	require.Empty(t, names)
	for _, err := range s.Rows() {
		require.ErrorIs(t, err, os.ErrClosed)
	}
}

func TestErrorsEndSorting(t *testing.T) {
	broken := errors.New("broken")
	bad := func(yield func(accounts.Account, error) bool) { yield(accounts.Account{}, broken) }
	_, err := tally.Sort(bad, tally.Options{})
	require.ErrorIs(t, err, broken)
	_, err = tally.Holdings(bad, tally.Options{})
	require.ErrorIs(t, err, broken)

	many := func(yield func(accounts.Person, error) bool) {
		for yield(accounts.Person{Tenant: "acme", ID: "p"}, nil) {
		}
	}
	_, err = tally.Sort(many, tally.Options{Dir: filepath.Join(t.TempDir(), "missing"), Memory: 1})
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestHoldings(t *testing.T) {
	s, err := tally.Holdings(seq([]accounts.Account{
		{Key: accounts.Key{Tenant: "acme", Main: "zed"}, Person: "p1", State: accounts.Active, Kind: opsec.Human, Ref: "r"},
		{Key: accounts.Key{Tenant: "acme", Main: "bob"}, Person: "p2", State: accounts.Active},
		{Key: accounts.Key{Tenant: "acme", Main: "cron"}, State: accounts.Active},
		{Key: accounts.Key{Tenant: "acme", Main: "ann"}, Person: "p2", State: accounts.Deleted},
	}), tally.Options{})
	require.NoError(t, err)
	defer s.Close()
	require.Equal(t, []accounts.Holding{
		{Key: accounts.Key{Tenant: "acme", Main: "zed"}, Person: "p1", State: accounts.Active, Kind: opsec.Human, Ref: "r"},
		{Key: accounts.Key{Tenant: "acme", Main: "ann"}, Person: "p2", State: accounts.Deleted},
		{Key: accounts.Key{Tenant: "acme", Main: "bob"}, Person: "p2", State: accounts.Active},
	}, collect(t, s.Rows()))
}

func event(action string, at time.Duration, outcome opsec.Outcome, account string) *opsec.Event {
	e := opsec.NewEvent(action, start.Add(at))
	e.Tenant, e.Outcome, e.System = "acme", outcome, "console"
	e.Actor = opsec.Actor{
		Tenant: "acme", Account: account, Session: "s1", IP: netip.MustParseAddr("192.0.2.1"), Terminal: "t1",
	}
	return e
}

func TestEventsInAnyOrderBecomeRows(t *testing.T) {
	out := event("console.logout", 2*time.Hour, opsec.Success, "ann/db")
	out.Category, out.Began = opsec.Authentication, start
	in := event("console.login", 0, opsec.Success, "ann/db")
	in.Category = opsec.Authentication
	failed := event("console.login", -time.Hour, opsec.Failure, "hunter2")
	failed.Category = opsec.Authentication
	nobody := event("vm.start", 0, opsec.Success, "")
	other := event("vm.start", 0, opsec.Unknown, "ann/db")
	other.Tenant, other.Actor.Tenant = "globex", ""

	ann := accounts.Key{Tenant: "acme", Main: "ann", Sub: "db"}
	events := []*opsec.Event{
		out, in, failed, nobody, other,
		event("vm.start", 3*time.Minute, opsec.Success, "ann/db"),
		event("vm.start", 9*time.Minute, opsec.Pending, "ann/db"),
		event("vm.start", 5*time.Minute, opsec.Failure, "ann/db"),
		event("vm.start", 8*time.Minute, opsec.Denied, "ann/db"),
		event("vm.stop", 8*time.Minute, opsec.Denied, "ann/db"),
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		c := tally.New(tally.Options{})
		refs := map[*opsec.Event]string{}
		for i, e := range events {
			refs[e] = fmt.Sprint("log/", i)
		}
		rng.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		for _, e := range events {
			require.NoError(t, e.Validate())
			require.NoError(t, c.Add(e, refs[e]))
		}
		ip := netip.MustParseAddr("192.0.2.1")
		require.Equal(t, []accounts.SignIn{
			{Key: ann, Time: start, Outcome: opsec.Success, Session: "s1", IP: ip, Terminal: "t1", Ref: refs[in]},
			{Key: ann, Time: start.Add(2 * time.Hour), Outcome: opsec.Success, Logout: true, Began: start, Session: "s1", IP: ip, Terminal: "t1", Ref: refs[out]},
			{Key: accounts.Key{Tenant: "acme", Main: "hunter2"}, Time: start.Add(-time.Hour), Outcome: opsec.Failure, Session: "s1", IP: ip, Terminal: "t1", Ref: refs[failed]},
		}, collect(t, c.SignIns()))
		uses := collect(t, c.Uses())
		require.Equal(t, accounts.Use{Key: ann, Permission: "vm.start", Count: 2, Denied: 1, Last: start.Add(5 * time.Minute), Ref: uses[0].Ref}, uses[0])
		require.Equal(t, accounts.Use{Key: ann, Permission: "vm.stop", Denied: 1, Ref: uses[1].Ref}, uses[1])
		require.Equal(t, accounts.Key{Tenant: "globex", Main: "ann", Sub: "db"}, uses[2].Key, "in the tenant of the event")
		require.Len(t, uses, 3)
		for _, e := range events {
			if e.Time.Equal(uses[0].Last) {
				require.Equal(t, refs[e], uses[0].Ref, "the last use")
			}
		}
		for range c.Uses() {
			break
		}
		require.NoError(t, c.Close())
	}
}

func TestAMapOfOnesOwn(t *testing.T) {
	c := tally.New(tally.Options{Map: func(e *opsec.Event) (accounts.Key, string, bool) {
		return accounts.Key{Tenant: e.Tenant, Main: "x"}, e.Resource.Type, e.Action != "skip"
	}})
	defer c.Close()
	e := event("vm.start", 0, opsec.Success, "ann")
	require.ErrorIs(t, c.Add(e, "r"), opsec.ErrInvalid, "no permission")
	e.Resource.Type = "vm"
	require.NoError(t, c.Add(e, "r"))
	e.Action = "skip"
	require.NoError(t, c.Add(e, "r"))
	require.Equal(t, []accounts.Use{{Key: accounts.Key{Tenant: "acme", Main: "x"}, Permission: "vm", Count: 1, Last: start, Ref: "r"}}, collect(t, c.Uses()))
}

func TestAddTellsOfFilesThatFail(t *testing.T) {
	c := tally.New(tally.Options{Dir: filepath.Join(t.TempDir(), "missing"), Memory: 1})
	var err error
	for i := 0; err == nil && i < 10_000; i++ {
		err = c.Add(event("vm.start", 0, opsec.Success, "ann"), "r")
	}
	require.ErrorIs(t, err, os.ErrNotExist)
	for _, err := range c.Uses() {
		require.ErrorIs(t, err, os.ErrNotExist)
	}
}

func BenchmarkTally(b *testing.B) {
	b.ReportAllocs()
	c := tally.New(tally.Options{Dir: b.TempDir()})
	defer c.Close()
	for i := range b.N {
		e := opsec.Event{Time: start, Tenant: "acme", Action: "vm.start", Outcome: opsec.Success}
		e.Actor.Account = fmt.Sprint("account", i*7919%100_000)
		if err := c.Add(&e, "translog:node-a/4711"); err != nil {
			b.Fatal(err)
		}
	}
	rows := 0
	for range c.Uses() {
		rows++
	}
}
