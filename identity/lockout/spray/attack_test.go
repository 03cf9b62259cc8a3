package spray_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/lockout/spray"
)

func office() string { return "192.0.2.1" }

func TestSprayingFromOneSourceIsFoundAmongHonestUsers(t *testing.T) {
	w := newWorld(t, spray.Policy{})
	for i := range 300 {
		w.at = w.at.Add(time.Second)
		w.honest(func() string { return from4(w.random.Uint32()) }, 5000, 12)
		w.add(fails("198.51.100.9", fmt.Sprint("user", i), "Spring2026"))
	}
	attack := of(spray.Spraying, w.found)
	require.Len(t, attack, 1, "once, not for each attempt")
	v := attack[0]
	require.Equal(t, netip.MustParsePrefix("198.51.100.9/32"), v.Source)
	require.Equal(t, []any{opsec.TenantID("acme"), opsec.SeverityHigh}, []any{v.Tenant, v.Severity})
	require.InDelta(t, 20, v.Accounts.Count, 1)
	require.EqualValues(t, 1, v.Secrets.Count)
	require.Equal(t, []time.Time{begin, begin.Add(time.Hour), begin.Add(time.Second)}, []time.Time{v.From, v.To, v.First})
	require.InDelta(t, 20, v.Attempts, 3)
	shared := of(spray.SharedSecret, w.found)
	require.Len(t, shared, 1)
	require.Equal(t, w.d.Tag([]byte("Spring2026")), shared[0].Tag)
	require.ElementsMatch(t, []spray.Kind{spray.Spraying, spray.SharedSecret}, kinds(w.found))
}

func TestStuffingIsToldFromSprayingAndSuccessIsToldToo(t *testing.T) {
	w := newWorld(t, spray.Policy{})
	for i := range 200 {
		s := fails("2001:db8:1:2::9", fmt.Sprint("user", i), fmt.Sprint("leaked", i))
		s.OK = i == 150
		w.add(s)
	}
	require.Equal(t, []spray.Kind{spray.Stuffing, spray.Entered}, kinds(w.found))
	require.Equal(t, netip.MustParsePrefix("2001:db8:1:2::/64"), w.found[1].Source)
	require.Equal(t, opsec.SeverityCritical, w.found[1].Severity)
	require.EqualValues(t, 1, w.found[1].Entered.Count)
	require.InDelta(t, 150, w.found[1].Accounts.Count, float64(w.found[1].Accounts.Error))
}

// A botnet with one secret, where no source does more than one thing, in a day of honest log-ins with as many failures.
func TestSlowSprayingFromManySourcesIsFoundByItsSecret(t *testing.T) {
	w := newWorld(t, spray.Policy{Window: 24 * time.Hour})
	for i := range 400 {
		w.at = w.at.Add(2 * time.Minute)
		for range 20 {
			w.honest(func() string { return from4(w.random.Uint32()) }, 50_000, 12)
		}
		if i%4 == 0 {
			w.add(fails(from4(w.random.Uint32()), fmt.Sprint("user", w.random.IntN(50_000)), "Winter2026!"))
		}
	}
	require.Equal(t, []spray.Kind{spray.SharedSecret}, kinds(w.found))
	v := w.found[0]
	require.Equal(t, w.d.Tag([]byte("Winter2026!")), v.Tag)
	require.False(t, v.Source.IsValid())
	require.InDelta(t, 30, v.Sources.Count, float64(v.Sources.Error))
	require.NotContains(t, fmt.Sprint(v), "Winter")
}

func TestOneClientWithAnOldSecretIsNoAttack(t *testing.T) {
	w := newWorld(t, spray.Policy{})
	for range 10_000 {
		w.add(fails("192.0.2.1", "ann", "old"))
	}
	require.Empty(t, w.found)
}

func TestInventedNamesOfASourceAreFound(t *testing.T) {
	w := newWorld(t, spray.Policy{})
	for i := range 60 {
		s := fails("192.0.2.77", fmt.Sprint("admin", i), "x")
		if s.Invented = i%3 == 0; !s.Invented {
			s.OK = true
		}
		w.add(s)
	}
	require.Equal(t, []spray.Kind{spray.Invented}, kinds(w.found))
	require.InDelta(t, 10, w.found[0].Names.Count, 1)
}

func TestNetworkIsFoundWhoseSourcesStayBelowTheLimit(t *testing.T) {
	for _, network := range []string{"203.0.113.%d", "2001:db8:7:%d::1"} {
		w := newWorld(t, spray.Policy{})
		for i := range 100 {
			w.add(fails(fmt.Sprintf(network, i%50), fmt.Sprint("user", i), fmt.Sprint("leaked", i)))
		}
		require.Equal(t, []spray.Kind{spray.Stuffing}, kinds(w.found), network)
		require.Contains(t, []string{"203.0.113.0/24", "2001:db8:7::/48"}, w.found[0].Source.String())
		require.InDelta(t, 50, w.found[0].Sources.Count, float64(w.found[0].Sources.Error))
	}
}

// A carrier's address with 5,000 users: one log-in in 12 fails, once or several times, each user mistypes in five ways, and one in ten
// of them mistypes the name. And an office in a /24 of 50 addresses.
func TestBusyOfficeOfHonestUsersIsNotFlagged(t *testing.T) {
	for seed, source := range []func(w *world) func() string{
		func(*world) func() string { return office },
		func(w *world) func() string {
			return func() string { return fmt.Sprint("192.0.2.", w.random.IntN(50)) }
		},
		func(w *world) func() string {
			return func() string { return fmt.Sprintf("2001:db8:1:%x::1", w.random.IntN(50)) }
		},
	} {
		w := newWorld(t, spray.Policy{})
		for range 20_000 {
			w.at = w.at.Add(150 * time.Millisecond)
			w.honest(source(w), 5000, 12)
		}
		require.Empty(t, w.found, "%d", seed)
		require.Greater(t, w.d.Totals().Failures, uint64(1500))
	}
}

func TestOneAddressIsOneSourceHoweverItIsWritten(t *testing.T) {
	w := newWorld(t, spray.Policy{})
	for i := range 30 {
		w.add(fails([]string{"198.51.100.9", "::ffff:198.51.100.9"}[i%2], fmt.Sprint("user", i), fmt.Sprint(i)))
	}
	for i := range 30 {
		w.add(fails([]string{"fe80::1", "fe80::1%eth0", "fe80::2%eth1"}[i%3], fmt.Sprint("user", i), fmt.Sprint(i)))
	}
	require.Equal(t, []spray.Kind{spray.Stuffing, spray.Stuffing}, kinds(w.found))
	require.Equal(t, []string{"198.51.100.9/32", "fe80::/64"}, []string{w.found[0].Source.String(), w.found[1].Source.String()})
}

func TestSurgeOfFailuresIsToldOnce(t *testing.T) {
	w := newWorld(t, spray.Policy{})
	source := func() string { return from4(w.random.Uint32()) }
	for range 6 * 3600 / 5 {
		w.at = w.at.Add(5 * time.Second)
		w.honest(source, 50_000, 10)
	}
	require.Empty(t, w.found)
	for i := range 1000 {
		w.at = w.at.Add(time.Second)
		w.honest(source, 50_000, 10)
		w.add(fails(source(), fmt.Sprint("user", w.random.IntN(50_000)), fmt.Sprint(i)))
	}
	require.Equal(t, []spray.Kind{spray.Surge}, kinds(w.found))
	require.Equal(t, opsec.Provider, w.found[0].Tenant)
	require.GreaterOrEqual(t, w.found[0].Failures, uint64(100))
}

func TestVolumeIsNoSurge(t *testing.T) {
	w := newWorld(t, spray.Policy{})
	source := func() string { return from4(w.random.Uint32()) }
	for i := range 40_000 {
		step := 5 * time.Second
		if i > 5000 {
			step = 20 * time.Millisecond // the morning
		}
		w.at = w.at.Add(step)
		w.honest(source, 50_000, 10)
	}
	require.Empty(t, w.found)
}

// A hundred thousand failures from as many addresses of one /32 while one source sprays, slowly: it is found, before and after the flood
// has filled the tables.
func TestFloodOfAddressesDoesNotHideTheAttacker(t *testing.T) {
	for _, late := range []int{0, 50_000} {
		w := newWorld(t, spray.Policy{Sources: 256})
		const flood, victims = 100_000, 100
		for i := range flood {
			ip := netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, byte(i >> 12), byte(i >> 4), byte(i << 4), byte(w.random.Uint32())})
			w.add(spray.Sighting{Source: ip, Account: "ann"})
			if i >= late && i%((flood-late)/victims) == 0 {
				w.add(fails("2001:db9::1", fmt.Sprint("user", i), fmt.Sprint(i)))
			}
		}
		require.Greater(t, w.d.Totals().Refused, uint64(flood/2))
		found := of(spray.Stuffing, w.found)
		require.NotEmpty(t, found)
		require.Equal(t, netip.MustParsePrefix("2001:db9::/64"), found[0].Source)
	}
}

// Whoever was told of keeps his row, so that he is not told of again, and what he does next is seen.
func TestHeavierSourcesDoNotDisplaceOneThatWasTold(t *testing.T) {
	w := newWorld(t, spray.Policy{Sources: 16})
	for i := range 25 {
		w.add(fails("198.51.100.9", fmt.Sprint("user", i), fmt.Sprint("leaked", i)))
	}
	for i := range 100 * 200 {
		w.add(fails(from4(uint32(i%100)<<8), "ann", ""))
	}
	require.Positive(t, w.d.Totals().Replaced+w.d.Totals().Refused)
	for i := range 25 {
		w.add(fails("198.51.100.9", fmt.Sprint("user", 100+i), fmt.Sprint("leaked", 100+i)))
	}
	w.add(enters("198.51.100.9", "user7"))
	require.Equal(t, []spray.Kind{spray.Stuffing, spray.Entered}, kinds(w.found))
	require.EqualValues(t, 51, w.found[1].Attempts)
}

func TestAWindowForgetsAndTellsAgain(t *testing.T) {
	w := newWorld(t, spray.Policy{})
	tag := w.d.Tag([]byte("x"))
	for range 3 {
		for i := range 40 {
			w.add(fails("192.0.2.9", fmt.Sprint("user", i), "x"))
		}
		w.at = w.at.Add(time.Hour)
	}
	require.Len(t, of(spray.Spraying, w.found), 3)
	shared := of(spray.SharedSecret, w.found)
	require.Len(t, shared, 3)
	require.NotEqual(t, shared[0].Tag, shared[1].Tag, "each window has a key of its own")
	require.NotEqual(t, tag, shared[0].Tag)

	w.at = begin
	w.add(fails("192.0.2.10", "ann", "y"))
	require.EqualValues(t, 1, w.d.Totals().Late)
}

func TestAttemptsWithoutSourceOrSecretAreCounted(t *testing.T) {
	w := newWorld(t, spray.Policy{})
	for i := range 100 {
		w.add(spray.Sighting{Account: fmt.Sprint("user", i)})
	}
	require.Empty(t, w.found)
	require.Equal(t, spray.Totals{Attempts: 100, Failures: 100}, w.d.Totals())
	for i := range 100 {
		w.add(spray.Sighting{Tenant: opsec.TenantID(fmt.Sprint("t", i)), Account: "ann", Secret: []byte("x")})
	}
	require.Equal(t, []spray.Kind{spray.SharedSecret}, kinds(w.found))
	require.Equal(t, opsec.Provider, w.found[0].Tenant, "of several tenants")
}
