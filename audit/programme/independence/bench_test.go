package independence_test

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme/independence"
)

// provider is a provider with so many people, whose manager is the one with a tenth of their number, and acts that they
// and its customers did, made as they are read.
type provider struct {
	people   int
	accounts map[string]string
	texts    [][4]string // account, person, action, id
}

func newProvider(people int) *provider {
	p := &provider{people: people, accounts: map[string]string{}}
	actions := []string{
		"backup.restore", "backup.create", "console.login", "volume.attach", "key.rotate", "patch.install", "approval.approve", "session.open",
	}
	for i := range 1 << 14 {
		person := fmt.Sprintf("p%05d", i%people)
		account := fmt.Sprintf("%s-%d", person, i%3)
		p.accounts[account] = person
		p.texts = append(p.texts, [4]string{account, person, actions[i%len(actions)], fmt.Sprintf("vol-%06d", i)})
	}
	return p
}

func (p *provider) organisation() independence.Organisation {
	o := independence.Organisation{Accounts: func(_ opsec.TenantID, account string) (string, bool) {
		person, ok := p.accounts[account]
		return person, ok
	}}
	for i := 1; i < p.people; i++ {
		o.Lines = append(o.Lines, independence.Line{Person: fmt.Sprintf("p%05d", i), Manager: fmt.Sprintf("p%05d", i/10)})
	}
	for i := range 100 {
		o.Owners = append(o.Owners, independence.Ownership{Person: fmt.Sprintf("p%05d", i), System: fmt.Sprintf("system-%d", i)})
	}
	return o
}

// acts makes n, of two years, the half of which is within the look-back; a quarter by customers, a quarter where the
// event does not say who is behind the account.
func (p *provider) acts(n int) iter.Seq2[independence.Act, error] {
	systems := []string{"backup-eu", "console", "fabric", "registry"}
	return func(yield func(independence.Act, error) bool) {
		x := uint64(88172645463325252)
		for i := range n {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
			text := &p.texts[x%uint64(len(p.texts))]
			a := independence.Act{
				Time: now.Add(-2*year + time.Duration(i)*(2*year/time.Duration(n))), Tenant: "acme", Action: text[2], Outcome: opsec.Success,
				System: systems[x>>20&3], Actor: opsec.Actor{Tenant: opsec.Provider, Account: text[0], Kind: opsec.Human},
				Resource: opsec.Resource{Tenant: "acme", Type: "volume", ID: text[3]}, Ref: text[3],
			}
			switch x >> 30 & 3 {
			case 0:
				a.Actor = opsec.Actor{Tenant: "acme", Account: "user"}
			case 1:
			default:
				a.Actor.Person = text[1]
			}
			if x>>40&7 == 0 {
				a.Resource = opsec.Resource{}
			}
			if !yield(a, nil) {
				return
			}
		}
	}
}

// wide is a scope that most acts of the generator have to be compared with to the end, and half of them touch.
func wide() independence.Scope {
	s := independence.Scope{
		Systems: []string{"backup-*"}, Actions: []string{"backup.*", "key.*"}, Resources: []opsec.Resource{{Type: "volume", ID: "vol-00*"}},
	}
	for i := range 500 {
		s.Tenants = append(s.Tenants, opsec.TenantID(fmt.Sprintf("tenant-%d", i)))
		s.Resources = append(s.Resources, opsec.Resource{Tenant: "acme", Type: "volume", ID: fmt.Sprintf("vol-%06d", 7*i)})
	}
	s.Tenants = append(s.Tenants, "acme")
	return s
}

var candidates = []string{"p00007", "p00071", "p00712", "p01999"}

// BenchmarkExamine reads ten million acts of 2,000 people in one turn: issue 6 asks for less than 30 seconds, in memory
// that does not grow with them.
func BenchmarkExamine(b *testing.B) {
	for _, n := range []int{1_000_000, 10_000_000} {
		b.Run(fmt.Sprintf("acts=%d", n), func(b *testing.B) {
			p := newProvider(2000)
			o, s := p.organisation(), wide()
			b.ReportAllocs()
			var most uint64
			var touched uint64
			for b.Loop() {
				var policy independence.Policy
				at, read := n*9/10, 0
				acts := func(yield func(independence.Act, error) bool) {
					for a, err := range p.acts(n) {
						if read++; read == at {
							var m runtime.MemStats
							runtime.GC()
							runtime.ReadMemStats(&m)
							most = max(most, m.HeapAlloc)
						}
						if !yield(a, err) {
							return
						}
					}
				}
				c, err := policy.Examine(context.Background(), s, candidates, o, acts, now)
				if err != nil {
					b.Fatal(err)
				}
				touched = c.Touched
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "acts/s")
			b.ReportMetric(float64(touched)/float64(n), "touched/act")
			b.ReportMetric(float64(most)/(1<<20), "heap-MiB")
		})
	}
}

// BenchmarkActs is what the generator of BenchmarkExamine costs by itself.
func BenchmarkActs(b *testing.B) {
	p := newProvider(2000)
	n := uint64(0)
	for b.Loop() {
		for a := range p.acts(1_000_000) {
			n += uint64(len(a.Ref))
		}
	}
	b.ReportMetric(1e6*float64(b.N)/b.Elapsed().Seconds(), "acts/s")
	if n == 0 {
		b.Fatal("nothing")
	}
}

// What is kept is of the people, and not of the acts: nothing is allocated for one more.
func TestMemoryDoesNotGrowWithTheActs(t *testing.T) {
	p := newProvider(200)
	o, s := p.organisation(), wide()
	cost := func(n int) float64 {
		return testing.AllocsPerRun(1, func() {
			var policy independence.Policy
			_, err := policy.Examine(context.Background(), s, []string{"p00001", "p00071"}, o, p.acts(n), now)
			require.NoError(t, err)
		})
	}
	few := cost(20_000)
	require.InDelta(t, few, cost(200_000), few/2, "ten times the acts")
}
