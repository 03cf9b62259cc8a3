package accounts_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/accounts"
	"github.com/cloudopsec/opsec/internal/race"
)

func attempt(account, from string) accounts.SignIn {
	return accounts.SignIn{Key: name(account), Time: now, Outcome: opsec.Failure, IP: netip.MustParseAddr(from), Ref: "r"}
}

func detector(t require.TestingT, p accounts.Policy) *accounts.Attempts {
	a, err := p.Attempts(key)
	require.NoError(t, err)
	return a
}

func TestAttemptsTellAnOriginOnceAndWhenItHasDoubled(t *testing.T) {
	a := detector(t, accounts.Policy{})
	var told []uint64
	for i := range 100 {
		if f, ok := a.Add(attempt(fmt.Sprint("guess", i), "192.0.2.1"), accounts.Invented); ok {
			require.Equal(t, accounts.InventedAttempt, f.Kind)
			require.EqualValues(t, i+1, f.Count)
			told = append(told, f.Count)
		}
	}
	require.Equal(t, []uint64{3, 6, 12, 24, 48, 96}, told)
	require.Equal(t, uint64(100), slices.Collect(a.Findings())[0].Count)

	a.Reset()
	require.Empty(t, slices.Collect(a.Findings()))
	require.Zero(t, a.Totals())
	_, ok := a.Add(attempt("guess", "192.0.2.1"), accounts.Invented)
	require.False(t, ok, "a new span has begun")
}

func TestAttemptsWithAbandonedAccountsAreToldEach(t *testing.T) {
	a := detector(t, accounts.Policy{})
	for range 2 {
		f, ok := a.Add(attempt("bob", "192.0.2.1"), accounts.Abandoned)
		require.True(t, ok)
		require.Equal(t, accounts.Finding{
			Kind: accounts.AbandonedAttempt, Severity: opsec.SeverityMedium, Tenant: "acme", Account: name("bob"), Count: 1,
			Origin: netip.MustParsePrefix("192.0.2.1/32"), Since: now, Evidence: []string{"r"},
			Detail: "an attempt to sign in with an account that is abandoned",
		}, f)
	}
	s := attempt("bob", "192.0.2.1")
	s.Outcome = opsec.Success
	f, ok := a.Add(s, accounts.Abandoned)
	require.True(t, ok)
	require.Equal(t, opsec.SeverityCritical, f.Severity)
	s.Logout = true
	for _, standing := range []accounts.Standing{accounts.Abandoned, accounts.Invented, accounts.Registered} {
		_, ok = a.Add(s, standing)
		require.False(t, ok, "a log-out is no attempt")
	}
	s.Logout = false
	_, ok = a.Add(s, accounts.Registered)
	require.False(t, ok)
	require.Zero(t, a.Totals())
}

func TestAttemptsNameATenantOnlyWhereItIsOne(t *testing.T) {
	a := detector(t, accounts.Policy{InventedTries: 1})
	f, _ := a.Add(attempt("x", "192.0.2.1"), accounts.Invented)
	require.Equal(t, opsec.TenantID("acme"), f.Tenant)
	s := attempt("x", "192.0.2.1")
	s.Tenant = "globex"
	f, ok := a.Add(s, accounts.Invented)
	require.True(t, ok)
	require.Equal(t, opsec.Provider, f.Tenant)
	s.Tenant = ""
	s.IP = netip.Addr{}
	f, ok = a.Add(s, accounts.Invented)
	require.True(t, ok)
	require.Equal(t, opsec.Provider, f.Tenant)
	require.Contains(t, f.Detail, "not recorded")
}

// As long as nothing was replaced, counts of attempts and the verdict are exact, and the number of names nearly.
func TestAttemptsAreExactWhileOriginsFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := accounts.Policy{
			InventedNames: rapid.IntRange(1, 64).Draw(t, "names"), InventedTries: rapid.IntRange(1, 100).Draw(t, "tries"), Origins: 8,
		}
		a := detector(t, p)
		type seen struct {
			tries int
			names map[string]bool
		}
		origins := map[string]*seen{}
		for range rapid.IntRange(0, 400).Draw(t, "attempts") {
			from := fmt.Sprintf("192.0.2.%d", rapid.IntRange(1, 8).Draw(t, "from"))
			guess := fmt.Sprint("guess", rapid.IntRange(0, 80).Draw(t, "name"))
			if origins[from] == nil {
				origins[from] = &seen{names: map[string]bool{}}
			}
			origins[from].tries++
			origins[from].names[guess] = true
			a.Add(attempt(guess, from), accounts.Invented)
		}
		want := map[string]uint64{}
		for from, o := range origins {
			if o.tries >= p.InventedTries || len(o.names) >= p.InventedNames {
				want[from+"/32"] = uint64(o.tries)
			}
		}
		got := map[string]uint64{}
		for f := range a.Findings() {
			got[f.Origin.String()] = f.Count
			names := len(origins[f.Origin.Addr().String()].names)
			if names <= 64 {
				require.Contains(t, f.Detail, fmt.Sprintf("tried %d name", names))
			}
		}
		require.Equal(t, want, got)
		require.Zero(t, a.Totals().Replaced)
	})
}

// With far more origins than are followed, those that stand out are there, and no count is too high.
func TestAttemptsFollowTheOriginsThatStandOut(t *testing.T) {
	const origins, heavy, each = 64, 5, 4000
	a := detector(t, accounts.Policy{Origins: origins})
	rng := rand.New(rand.NewPCG(3, 4))
	var from []string
	for i := range heavy {
		for range each {
			from = append(from, fmt.Sprintf("198.51.100.%d", i))
		}
	}
	for i := range 20_000 {
		from = append(from, fmt.Sprintf("10.0.%d.%d", i/256, i%256))
	}
	rng.Shuffle(len(from), func(i, j int) { from[i], from[j] = from[j], from[i] })
	for i, ip := range from {
		a.Add(attempt(fmt.Sprint("guess", i), ip), accounts.Invented)
	}
	found := map[string]accounts.Finding{}
	for f := range a.Findings() {
		found[f.Origin.Addr().String()] = f
	}
	for i := range heavy {
		f, ok := found[fmt.Sprintf("198.51.100.%d", i)]
		require.True(t, ok)
		require.LessOrEqual(t, f.Count, uint64(each))
		require.GreaterOrEqual(t, f.Count, uint64(each-len(from)/origins))
		delete(found, f.Origin.Addr().String())
	}
	require.Empty(t, found, "one attempt is not too many")
	total := a.Totals()
	require.EqualValues(t, len(from), total.Attempts)
	require.NotZero(t, total.Replaced)
	require.InEpsilon(t, len(from), total.Names, 0.05)
	require.InEpsilon(t, heavy+20_000, total.Origins, 0.05)
}

func TestAttemptsEstimateManyNames(t *testing.T) {
	for _, names := range []int{65, 500, 3000, 20_000, 300_000} {
		if race.Enabled && names > 20_000 {
			break
		}
		a := detector(t, accounts.Policy{})
		for i := range names {
			a.Add(attempt(fmt.Sprint("guess", i), "192.0.2.1"), accounts.Invented)
		}
		var about, tries uint64
		f := slices.Collect(a.Findings())[0]
		_, err := fmt.Sscanf(f.Detail, "192.0.2.1/32 tried about %d names of accounts that do not exist, in %d attempts", &about, &tries)
		require.NoError(t, err, f.Detail)
		require.EqualValues(t, names, tries)
		require.InEpsilon(t, names, about, 0.1, "four standard errors are 13 per cent")
		require.InEpsilon(t, names, a.Totals().Names, 0.065)
	}
}

// Names that are joined differently are different names.
func TestAttemptsTellNamesApart(t *testing.T) {
	a := detector(t, accounts.Policy{})
	for _, k := range []accounts.Key{{Tenant: "a", Main: "bc"}, {Tenant: "ab", Main: "c"}, {Tenant: "a", Main: "b", Sub: "c"}} {
		a.Add(accounts.SignIn{Key: k, Time: now, Outcome: opsec.Failure, IP: home}, accounts.Invented)
	}
	require.Contains(t, slices.Collect(a.Findings())[0].Detail, "3 names")
}

func TestAttemptsFromSeveralGoroutines(t *testing.T) {
	a := detector(t, accounts.Policy{})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 500 {
				a.Add(attempt(fmt.Sprint("guess", i), fmt.Sprintf("192.0.2.%d", g%2)), accounts.Invented)
				if i%100 == 0 {
					a.Totals()
					for range a.Findings() {
						break
					}
				}
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 2000, a.Totals().Attempts)
	for f := range a.Findings() {
		require.EqualValues(t, 1000, f.Count)
	}
}

func TestLongReferencesAreLeftOut(t *testing.T) {
	a := detector(t, accounts.Policy{InventedTries: 2})
	s := attempt("x", "192.0.2.1")
	s.Ref = string(make([]byte, 257))
	a.Add(s, accounts.Invented)
	f, ok := a.Add(attempt("x", "192.0.2.1"), accounts.Invented)
	require.True(t, ok)
	require.Equal(t, []string{"r"}, f.Evidence)
	require.EqualValues(t, 1, f.Omitted)
}

func BenchmarkAttempts(b *testing.B) {
	a := detector(b, accounts.Policy{})
	var rows [4096]accounts.SignIn
	for i := range rows {
		rows[i] = accounts.SignIn{Key: name(fmt.Sprint("guess", i)), Time: now.Add(time.Duration(i)), IP: netip.AddrFrom4([4]byte{10, 0, byte(i >> 4), byte(i)})}
	}
	b.ReportAllocs()
	for i := range b.N {
		a.Add(rows[i%len(rows)], accounts.Invented)
	}
}
