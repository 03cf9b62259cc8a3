package accounts_test

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/accounts"
	"github.com/cloudopsec/opsec/internal/race"
)

// The population comes in households of four accounts: a main account of one person, and another person's with two
// sub-accounts. Each household is made of its number alone, so that six sequences can be read in step. Nothing here asks
// the code under test what is right: a household is planned to be in order, to just miss being wrong, or to have one
// thing that is wrong, and the plan is the answer.
const (
	perTenant  = 2500 // households
	first, sub = 0, 2 // places in a household: the first main account, the first sub-account
	second     = 1
)

// household is all rows about four accounts.
type household struct {
	accounts     []accounts.Account
	entitlements []accounts.Entitlement
	uses         []accounts.Use
	signIns      []accounts.SignIn
	people       []accounts.Person
	holdings     []accounts.Holding
}

type population struct {
	households int
	seed       uint64
	wrong      map[int]accounts.Kind // planted
	missed     map[int]accounts.Kind // near misses
	recent     [512]*household       // those that are read in step
	numbers    [512]int
}

func newPopulation(accountsInAll int, seed uint64) *population {
	p := &population{households: accountsInAll / 4, seed: seed, wrong: map[int]accounts.Kind{}, missed: map[int]accounts.Kind{}}
	for i := range p.numbers {
		p.numbers[i] = -1
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, k := range accounts.Kinds() {
		if k == accounts.Unjudged {
			continue
		}
		for _, plan := range []map[int]accounts.Kind{p.wrong, p.missed} {
			for n := 0; n < 40; {
				h := rng.IntN(p.households)
				if p.wrong[h] == "" && p.missed[h] == "" {
					plan[h] = k
					n++
				}
			}
		}
	}
	return p
}

func (p *population) household(n int) *household {
	slot := n % len(p.recent)
	if p.numbers[slot] != n {
		if p.recent[slot] == nil {
			p.recent[slot] = &household{}
		}
		p.build(n, p.recent[slot])
		p.numbers[slot] = n
	}
	return p.recent[slot]
}

func rows[T any](p *population, of func(*household) []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for n := range p.households {
			for i := 0; i < len(of(p.household(n))); i++ { // which another sequence may have taken apart in between
				if !yield(of(p.household(n))[i], nil) {
					return
				}
			}
		}
	}
}

var populationRoles = map[string][]string{
	"operator": {"vm.list", "vm.start", "vm.stop"}, "reader": {"log.read"}, "keeper": {"key.rotate", "key.use", "log.read"},
}

var populationRole = map[string][]string{"operator": {"operator"}, "reader": {"reader"}, "keeper": {"keeper"}}

// build makes one household in order, and then does to it what is planned. It reuses the memory of one that was read.
func (p *population) build(n int, h *household) {
	rng := rand.New(rand.NewPCG(p.seed, uint64(n)+1))
	tenant := opsec.TenantID(fmt.Sprintf("tenant%04d", n/perTenant))
	mains := []string{fmt.Sprintf("u%06d.a", n%perTenant), fmt.Sprintf("u%06d.b", n%perTenant)}
	keys := []accounts.Key{
		{Tenant: tenant, Main: mains[0]}, {Tenant: tenant, Main: mains[1]},
		{Tenant: tenant, Main: mains[1], Sub: "s1"}, {Tenant: tenant, Main: mains[1], Sub: "s2"},
	}
	role := []string{"operator", "reader", "keeper"}[rng.IntN(3)]
	persons := []string{fmt.Sprintf("p%06d.a", n%perTenant), fmt.Sprintf("p%06d.b", n%perTenant)}
	kind, miss := p.wrong[n], p.missed[n]
	h.accounts, h.entitlements, h.uses = h.accounts[:0], h.entitlements[:0], h.uses[:0]
	h.signIns, h.people, h.holdings = h.signIns[:0], h.people[:0], h.holdings[:0]
	for i, key := range keys {
		a := accounts.Account{
			Key: key, Kind: opsec.Human, Person: persons[min(i, 1)], State: accounts.Active, Roles: populationRole[role],
			Created: ago(time.Duration(200+rng.IntN(900)) * day), Approved: ago(time.Duration(100+rng.IntN(100)) * day),
			Reviewed: ago(time.Duration(rng.IntN(90)) * day), LastUsed: ago(time.Duration(rng.IntN(45)) * day),
			Ref: "register",
		}
		h.accounts = append(h.accounts, a)
	}
	idle := func(i int) bool { return i == first && (kind == accounts.Dormant || miss == accounts.Dormant) }
	planned := kind != "" || miss != ""
	retired := !planned && rng.IntN(20) == 0 || kind == accounts.AbandonedAttempt || miss == accounts.AbandonedAttempt
	if retired {
		h.accounts[first].State, h.accounts[first].Since = accounts.Disabled, ago(40*day)
	}
	if !planned && rng.IntN(10) == 0 {
		h.accounts[first].Kind = opsec.Service
	}
	for i := range h.accounts {
		if idle(i) {
			h.accounts[i].Roles = nil
			continue
		}
		a := &h.accounts[i]
		if !retired || i != first {
			for _, permission := range populationRoles[role] {
				h.entitlements = append(h.entitlements, accounts.Entitlement{Key: a.Key, Permission: permission, Granted: a.Created, Ref: "grant"})
				h.uses = append(h.uses, accounts.Use{
					Key: a.Key, Permission: permission, Count: 1 + rng.Uint64N(100), Denied: rng.Uint64N(5),
					Last: ago(time.Duration(rng.IntN(90)) * day), Ref: "use",
				})
			}
		}
		p.sessions(h, a, rng)
	}
	for _, person := range persons {
		h.people = append(h.people, accounts.Person{Tenant: tenant, ID: person, Ref: "hr"})
	}
	if kind != "" {
		h.spoil(kind, n)
	}
	if miss != "" {
		h.nearly(miss, n)
	}
	if !planned && rng.IntN(50) == 0 { // somebody mistypes a name, here and there
		h.guess(n, 1+rng.IntN(2), 1)
	}
	for _, a := range h.accounts {
		if a.Person != "" {
			h.holdings = append(h.holdings, accounts.Holding{Key: a.Key, Person: a.Person, Kind: a.Kind, State: a.State, Ref: a.Ref})
		}
	}
}

// sessions adds a few failed attempts and sessions of up to twelve hours, from 88 to 50 days ago, one after the other.
func (p *population) sessions(h *household, a *accounts.Account, rng *rand.Rand) {
	at := ago(88 * day)
	for s := range rng.IntN(3) {
		at = at.Add(time.Duration(1+rng.IntN(100)) * time.Hour)
		in := accounts.SignIn{
			Key: a.Key, Time: at, Outcome: opsec.Failure, IP: netip.AddrFrom4([4]byte{10, byte(rng.IntN(256)), 1, byte(s)}), Terminal: "t1", Ref: "in",
		}
		if rng.IntN(4) == 0 {
			h.signIns = append(h.signIns, in)
			at = at.Add(time.Second)
		}
		in.Time, in.Outcome = at, opsec.Success
		if rng.IntN(2) == 0 {
			in.Session = []string{"s0", "s1"}[s]
		}
		h.signIns = append(h.signIns, in)
		out := in
		at = at.Add(time.Duration(rng.IntN(12*3600+1)) * time.Second)
		out.Time, out.Logout, out.Began = at, true, in.Time
		h.signIns = append(h.signIns, out)
	}
}

// own inserts a sign-in behind those of its account.
func (h *household) own(s accounts.SignIn) {
	at := 0
	for i := range h.signIns {
		if h.signIns[i].Key.Compare(s.Key) <= 0 {
			at = i + 1
		}
	}
	h.signIns = append(h.signIns[:at], append([]accounts.SignIn{s}, h.signIns[at:]...)...)
}

// guess tries names that do not exist from an address that belongs to the household.
func (h *household) guess(n, names, times int) {
	for i := range names {
		for range times {
			h.own(accounts.SignIn{
				Key:  accounts.Key{Tenant: h.accounts[0].Tenant, Main: fmt.Sprintf("u%06d.c%d", n%perTenant, i)},
				Time: ago(day), Outcome: opsec.Failure, IP: addressOf(n), Ref: "in",
			})
		}
	}
}

func addressOf(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{100, byte(n >> 16), byte(n >> 8), byte(n)})
}

// allow adds a permission that no role gives, behind the others of an account.
func (h *household) allow(i int, approved time.Time) {
	key, at := h.accounts[i].Key, 0
	for j := range h.entitlements {
		if h.entitlements[j].Key.Compare(key) <= 0 {
			at = j + 1
		}
	}
	e := accounts.Entitlement{Key: key, Permission: "zone.edit", Granted: ago(10 * day), Approved: approved, Ref: "grant"}
	h.entitlements = append(h.entitlements[:at], append([]accounts.Entitlement{e}, h.entitlements[at:]...)...)
}

func (h *household) session(i int, at, until time.Time, terminal string) {
	s := accounts.SignIn{Key: h.accounts[i].Key, Time: at, Outcome: opsec.Success, Terminal: terminal, Ref: "in"}
	h.own(s)
	if !until.IsZero() {
		s.Began, s.Time, s.Logout = at, until, true
		h.own(s)
	}
}

// spoil makes one thing wrong.
func (h *household) spoil(k accounts.Kind, n int) {
	a := &h.accounts[first]
	switch k {
	case accounts.Unowned:
		a.Person = ""
	case accounts.Unapproved:
		a.Approved = time.Time{}
	case accounts.Misnamed:
		h.rename(first, a.Main+"!")
	case accounts.Overdue:
		a.Expires = ago(day)
	case accounts.Unreviewed:
		a.Reviewed = ago(90*day + 1)
	case accounts.Dormant:
		a.LastUsed = ago(45*day + 1)
	case accounts.Unregistered:
		h.accounts = append(h.accounts[:0], h.accounts[1:]...)
	case accounts.OverGranted:
		h.allow(first, time.Time{})
	case accounts.OverAuthorised:
		h.uses[0].Last = ago(90*day + 1)
	case accounts.UnderAuthorised:
		h.entitlements = append(h.entitlements[:0], h.entitlements[1:]...)
	case accounts.Refused:
		h.uses[0].Denied = 5
	case accounts.BeyondMain:
		h.allow(sub, ago(10*day))
	case accounts.AbandonedAttempt:
		h.own(accounts.SignIn{Key: a.Key, Time: ago(39 * day), Outcome: opsec.Denied, IP: addressOf(n), Ref: "in"})
	case accounts.InventedAttempt:
		h.guess(n, 3, 1)
	case accounts.Unclosed:
		h.session(first, ago(20*day), time.Time{}, "t1")
	case accounts.Unopened:
		h.session(first, ago(20*day), ago(20*day-time.Hour), "t1")
		h.remove(ago(20 * day))
	case accounts.Shared:
		h.session(second, ago(20*day), time.Time{}, "t1")
		h.session(second, ago(20*day-time.Hour), ago(20*day-2*time.Hour), "t2")
		h.end(second, ago(20*day), ago(20*day-3*time.Hour), "t1")
	case accounts.Orphan:
		h.people[0].Left = ago(day)
	case accounts.DuplicateMain:
		a.Person = h.accounts[second].Person
	}
}

// nearly does what is just not wrong.
func (h *household) nearly(k accounts.Kind, n int) {
	a := &h.accounts[first]
	switch k {
	case accounts.Unowned, accounts.Unapproved, accounts.Misnamed, accounts.Overdue: // none of that is wrong with this one
		a.State, a.Since, a.Person, a.Approved, a.Expires = accounts.Disabled, now, "", time.Time{}, ago(day)
	case accounts.Unreviewed:
		a.Reviewed = ago(90 * day)
	case accounts.Dormant:
		a.LastUsed = ago(45 * day)
	case accounts.Unregistered:
		h.guess(n, 2, 4)
	case accounts.OverGranted:
		h.allow(first, now)
	case accounts.OverAuthorised:
		h.uses[0].Last = ago(90 * day)
	case accounts.UnderAuthorised:
		h.entitlements = append(h.entitlements[:0], h.entitlements[1:]...)
		a.State = accounts.Suspended
	case accounts.Refused:
		h.uses[0].Denied = 4
	case accounts.BeyondMain:
		h.allow(second, ago(10*day))
		h.allow(sub, ago(10*day))
	case accounts.AbandonedAttempt:
		h.own(accounts.SignIn{Key: a.Key, Time: ago(40 * day), Outcome: opsec.Denied, IP: addressOf(n), Ref: "in"})
	case accounts.InventedAttempt:
		h.guess(n, 1, 9)
	case accounts.Unclosed:
		h.session(first, ago(12*time.Hour), time.Time{}, "t1")
	case accounts.Unopened:
		h.session(first, ago(20*day), ago(20*day), "t1")
	case accounts.Shared:
		h.session(second, ago(20*day), ago(20*day-time.Hour), "t1")
		h.session(second, ago(20*day-time.Hour), ago(20*day-2*time.Hour), "t2")
	case accounts.Orphan:
		h.people[0].Left = now.Add(day)
	case accounts.DuplicateMain:
		a.Person, a.Kind = h.accounts[second].Person, opsec.Service
	}
}

func (h *household) rename(i int, main string) {
	old := h.accounts[i].Key
	h.accounts[i].Main = main
	for j := range h.entitlements {
		if h.entitlements[j].Key == old {
			h.entitlements[j].Main = main
		}
	}
	for j := range h.uses {
		if h.uses[j].Key == old {
			h.uses[j].Main = main
		}
	}
	for j := range h.signIns {
		if h.signIns[j].Key == old {
			h.signIns[j].Main = main
		}
	}
}

// remove takes away the log-in at a time.
func (h *household) remove(at time.Time) {
	for i, s := range h.signIns {
		if s.Time.Equal(at) {
			h.signIns = append(h.signIns[:i], h.signIns[i+1:]...)
			return
		}
	}
}

// end adds a log-out by itself.
func (h *household) end(i int, began, at time.Time, terminal string) {
	h.own(accounts.SignIn{
		Key: h.accounts[i].Key, Time: at, Outcome: opsec.Success, Logout: true, Began: began, Terminal: terminal, Ref: "out",
	})
}

// answer is what a finding is about, in a form to compare.
func answer(k accounts.Kind, tenant opsec.TenantID, about string) string {
	return fmt.Sprintf("%s %s %s", k, tenant, about)
}

func (p *population) answers() map[string]bool {
	all := map[string]bool{}
	for n, k := range p.wrong {
		tenant := opsec.TenantID(fmt.Sprintf("tenant%04d", n/perTenant))
		about := fmt.Sprintf("u%06d.a", n%perTenant)
		switch k {
		case accounts.Misnamed:
			about += "!"
		case accounts.BeyondMain:
			about = fmt.Sprintf("u%06d.b/s1", n%perTenant)
		case accounts.Shared:
			about = fmt.Sprintf("u%06d.b", n%perTenant)
		case accounts.InventedAttempt:
			about = addressOf(n).String() + "/32"
		case accounts.DuplicateMain:
			about = fmt.Sprintf("p%06d.b", n%perTenant)
		}
		all[answer(k, tenant, about)] = true
	}
	return all
}

// Of a million accounts, what is wrong is found, and nothing else.
func TestAPopulationWithKnownAnomalies(t *testing.T) {
	n := 1_000_000
	if testing.Short() || race.Enabled {
		n = 60_000
	}
	p := newPopulation(n, 20260601)
	var summary accounts.Summary
	s := accounts.Sources{
		Accounts:     rows(p, func(h *household) []accounts.Account { return h.accounts }),
		Entitlements: rows(p, func(h *household) []accounts.Entitlement { return h.entitlements }),
		Uses:         rows(p, func(h *household) []accounts.Use { return h.uses }),
		SignIns:      rows(p, func(h *household) []accounts.SignIn { return h.signIns }),
		People:       rows(p, func(h *household) []accounts.Person { return h.people }),
		Holdings:     rows(p, func(h *household) []accounts.Holding { return h.holdings }),
		Key:          key, Summary: &summary,
	}
	want := p.answers()
	require.Len(t, want, 40*(len(accounts.Kinds())-1))
	for f, err := range (accounts.Policy{Roles: populationRoles, Origins: 1 << 16}).Audit(s, now) {
		require.NoError(t, err)
		about := f.Account.Account()
		switch f.Kind {
		case accounts.InventedAttempt:
			about = f.Origin.String()
		case accounts.DuplicateMain:
			about = f.Person
		}
		a := answer(f.Kind, f.Tenant, about)
		require.True(t, want[a], "invented: %s: %+v", a, f)
		delete(want, a)
	}
	require.Empty(t, want, "not found")
	require.Empty(t, summary.NotTested)
	t.Log(summary.Rows)
}
