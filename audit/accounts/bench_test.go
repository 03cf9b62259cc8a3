package accounts_test

import (
	"fmt"
	"iter"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/accounts"
)

// crowd makes sequences of any length about accounts that are in order, without allocating: 1 account, 3 entitlements,
// 3 uses, 2 sign-ins, 1 person and 1 holding each.
type crowd struct {
	accounts int
	tenants  []opsec.TenantID
	names    []string
	people   []string
	each     func(i int) // called for every account
}

func newCrowd(n int) *crowd {
	c := &crowd{accounts: n}
	for i := range 1000 {
		c.tenants = append(c.tenants, opsec.TenantID(fmt.Sprintf("tenant-%04d", i)))
		c.names = append(c.names, fmt.Sprintf("account-%04d", i))
		c.people = append(c.people, fmt.Sprintf("person-%04d", i))
	}
	return c
}

func (c *crowd) key(i int) accounts.Key {
	return accounts.Key{Tenant: c.tenants[i/len(c.names)%len(c.tenants)], Main: c.names[i%len(c.names)]}
}

func made[T any](n int, row func(i int) T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for i := range n {
			if !yield(row(i), nil) {
				return
			}
		}
	}
}

func (c *crowd) sources() accounts.Sources {
	roles := []string{"operator"}
	permissions := []string{"vm.list", "vm.start", "vm.stop"}
	sessions := []string{"s-0001", "s-0002"}
	ip := netip.MustParseAddr("192.0.2.7")
	long, month, yesterday, later := ago(400*day), ago(30*day), ago(day), ago(day-time.Hour)
	return accounts.Sources{
		Accounts: made(c.accounts, func(i int) accounts.Account {
			if c.each != nil {
				c.each(i)
			}
			return accounts.Account{
				Key: c.key(i), Kind: opsec.Human, Person: c.people[i%1000], State: accounts.Active, Roles: roles,
				Created: long, Approved: long, Reviewed: month, LastUsed: yesterday, Ref: "register/4711",
			}
		}),
		Entitlements: made(3*c.accounts, func(i int) accounts.Entitlement {
			return accounts.Entitlement{
				Key: c.key(i / 3), Permission: permissions[i%3], Granted: long, Approved: long, Ref: "grants/4711",
			}
		}),
		Uses: made(3*c.accounts, func(i int) accounts.Use {
			return accounts.Use{Key: c.key(i / 3), Permission: permissions[i%3], Count: 7, Last: yesterday, Ref: "log/4711"}
		}),
		SignIns: made(2*c.accounts, func(i int) accounts.SignIn {
			s := accounts.SignIn{
				Key: c.key(i / 2), Time: yesterday, Outcome: opsec.Success, Session: sessions[i/2%2], IP: ip, Terminal: "laptop", Ref: "log/4711",
			}
			if i%2 == 1 {
				s.Time, s.Logout, s.Began = later, true, yesterday
			}
			return s
		}),
		People: made(c.accounts, func(i int) accounts.Person {
			return accounts.Person{Tenant: c.key(i).Tenant, ID: c.people[i%1000], Ref: "hr/4711"}
		}),
		Holdings: made(c.accounts, func(i int) accounts.Holding {
			return accounts.Holding{Key: c.key(i), Person: c.people[i%1000], Kind: opsec.Human, State: accounts.Active, Ref: "register/4711"}
		}),
		Key: key,
	}
}

func benchmarkPolicy() accounts.Policy {
	return accounts.Policy{Roles: map[string][]string{"operator": {"vm.list", "vm.start", "vm.stop"}}}
}

// BenchmarkAudit judges accounts that are in order. The generators take part of the time: see generators-alone.
func BenchmarkAudit(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("accounts=%d", n), func(b *testing.B) {
			c := newCrowd(n)
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			before, peak := m.HeapAlloc, uint64(0)
			c.each = func(i int) {
				if i%50_000 == 25_000 {
					runtime.ReadMemStats(&m)
					peak = max(peak, m.HeapAlloc)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				for f, err := range benchmarkPolicy().Audit(c.sources(), now) {
					b.Fatal(f, err)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "accounts/s")
			b.ReportMetric(11*float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(max(peak, before)-before)/1024, "KiB-peak-heap")
		})
	}
	b.Run("generators-alone", func(b *testing.B) {
		const n = 1_000_000
		s := newCrowd(n).sources()
		for b.Loop() {
			rows := 0
			for range s.Accounts {
				rows++
			}
			for range s.Entitlements {
				rows++
			}
			for range s.Uses {
				rows++
			}
			for range s.SignIns {
				rows++
			}
			for range s.People {
				rows++
			}
			for range s.Holdings {
				rows++
			}
			if rows != 11*n {
				b.Fatal(rows)
			}
		}
		b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "accounts/s")
	})
}

// Memory does not grow with the number of accounts: what is allocated for many is what is allocated for few.
func TestMemoryIsConstant(t *testing.T) {
	allocated := func(n int) uint64 {
		c := newCrowd(n)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for f, err := range benchmarkPolicy().Audit(c.sources(), now) {
			t.Fatal(f, err)
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	few, many := allocated(1000), allocated(50_000)
	if many > few+few/4 {
		t.Errorf("%d bytes allocated for 1000 accounts, %d for 50000", few, many)
	}
}
