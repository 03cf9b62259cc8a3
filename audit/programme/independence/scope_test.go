package independence_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme/independence"
)

func TestTenantsBoundAScope(t *testing.T) {
	shared := independence.Scope{Tenants: []opsec.TenantID{"acme"}, Systems: []string{"backup-eu"}}
	alone := independence.Scope{Tenants: []opsec.TenantID{"acme"}}
	of := func(tenant, owner opsec.TenantID) independence.Act {
		return with(staff("ann", "backup.restore"), func(a *independence.Act) {
			a.Tenant, a.System = tenant, "backup-eu"
			a.Resource = opsec.Resource{Tenant: owner, Type: "volume", ID: "7"}
		})
	}
	tests := []struct {
		name           string
		act            independence.Act
		shared, tenant bool
	}{
		{"for the tenant", of("acme", ""), true, true},
		{"for another", of("globex", ""), false, false},
		{"in the provider's name", of(opsec.Provider, ""), true, false},
		{"in nobody's name", of("", ""), true, false},
		{"in the provider's name, on what is the tenant's", of(opsec.Provider, "acme"), true, true},
		{"for another, on what is the tenant's", of("globex", "acme"), true, true},
	}
	for _, test := range tests {
		touched := func(s independence.Scope) bool {
			return examine(t, s, independence.Organisation{}, one("ann"), test.act).Touched == 1
		}
		require.Equal(t, test.shared, touched(shared), test.name)
		require.Equal(t, test.tenant, touched(alone), test.name)
	}
	elsewhere := with(of("acme", ""), func(a *independence.Act) { a.System = "x" })
	require.Zero(t, examine(t, shared, independence.Organisation{}, one("ann"), elsewhere).Touched)
}

func TestOwnersOfATenantsResources(t *testing.T) {
	alone := independence.Scope{Tenants: []opsec.TenantID{"acme"}}
	volumes := independence.Scope{Tenants: []opsec.TenantID{"acme"}, Resources: []opsec.Resource{{Type: "volume", ID: "*"}}}
	for owned, want := range map[opsec.Resource][2]bool{
		{Tenant: "acme", Type: "volume", ID: "7"}:         {true, true},
		{Tenant: "acme", Type: "vol*", ID: "*"}:           {true, true},
		{Tenant: "acme", Type: "key", ID: "7"}:            {true, false},
		{Tenant: "globex", Type: "volume", ID: "7"}:       {false, false},
		{Tenant: opsec.Provider, Type: "volume", ID: "7"}: {false, true},
		{Type: "volume", ID: "7"}:                         {true, true}, // of any tenant
	} {
		o := independence.Organisation{Owners: []independence.Ownership{{Person: "ann", Resource: owned}}}
		for i, s := range []independence.Scope{alone, volumes} {
			require.Equal(t, want[i], len(kinds(t, examine(t, s, o, one("ann")), "ann")) == 1, "%v, %d", owned, i)
		}
	}
}

func TestResourcesMatchByPattern(t *testing.T) {
	volume := opsec.Resource{Tenant: "acme", Type: "volume", ID: "eu-7"}
	for _, test := range []struct {
		pattern opsec.Resource
		want    bool
	}{
		{opsec.Resource{Tenant: "acme", Type: "volume", ID: "eu-7"}, true},
		{opsec.Resource{Type: "volume", ID: "eu-7"}, true},
		{opsec.Resource{Tenant: "acme", Type: "volume", ID: "eu-*"}, true},
		{opsec.Resource{Type: "volume", ID: "*"}, true},
		{opsec.Resource{Type: "*", ID: "eu-7"}, true},
		{opsec.Resource{Type: "vol*", ID: "*"}, true},
		{opsec.Resource{Tenant: "globex", Type: "volume", ID: "eu-7"}, false},
		{opsec.Resource{Tenant: "globex", Type: "volume", ID: "*"}, false},
		{opsec.Resource{Tenant: "globex", Type: "*", ID: "*"}, false},
		{opsec.Resource{Type: "volume", ID: "us-*"}, false},
		{opsec.Resource{Type: "volume", ID: "eu-"}, false},
		{opsec.Resource{Type: "image*", ID: "*"}, false},
		{opsec.Resource{Type: "*", ID: "us*"}, false},
	} {
		s := independence.Scope{Resources: []opsec.Resource{test.pattern}}
		for _, tenant := range []opsec.TenantID{volume.Tenant, ""} { // the resource's own, or else the record's
			a := with(staff("ann", "volume.resize"), func(a *independence.Act) {
				a.Tenant, a.Resource = "acme", volume
				a.Resource.Tenant = tenant
			})
			require.Equal(t, test.want, examine(t, s, independence.Organisation{}, one("ann"), a).Touched == 1, "%+v", test.pattern)
		}
	}
	s := independence.Scope{Resources: []opsec.Resource{{Type: "*", ID: "*"}}}
	require.Zero(t, examine(t, s, independence.Organisation{}, one("ann"), staff("ann", "console.login")).Touched, "an act on nothing")
}

// Two patterns overlap when some text matches both: what an owner has, and what is audited.
func TestOwnershipOverlapsWhereATextMatchesBoth(t *testing.T) {
	pattern := rapid.StringMatching(`[ab]{0,3}\*|[ab]{1,3}`)
	var texts []string
	for n, last := 0, []string{""}; n < 4; n++ {
		var next []string
		for _, s := range last {
			next = append(next, s+"a", s+"b")
		}
		texts, last = append(texts, next...), next
	}
	matches := func(pattern, s string) bool {
		start, many := strings.CutSuffix(pattern, "*")
		return s == pattern || many && strings.HasPrefix(s, start)
	}
	rapid.Check(t, func(t *rapid.T) {
		p, q := pattern.Draw(t, "scope"), pattern.Draw(t, "owner")
		want := false
		for _, s := range texts {
			want = want || matches(p, s) && matches(q, s)
		}
		var policy independence.Policy
		o := independence.Organisation{Owners: []independence.Ownership{{Person: "ann", System: q}}}
		c, err := policy.Examine(t.Context(), independence.Scope{Systems: []string{p}}, one("ann"), o, seq(), now)
		require.NoError(t, err)
		require.Equal(t, want, len(c.Standings[0].Conflicts) == 1)
	})
}

func TestScopesThatCannotBeMeantAreRefused(t *testing.T) {
	long := strings.Repeat("x", 513)
	for what, s := range map[string]independence.Scope{
		"nothing":          {},
		"a tenant":         {Tenants: []opsec.TenantID{"-"}},
		"an empty pattern": {Systems: []string{""}},
		"a star within":    {Actions: []string{"*.delete"}},
		"two stars":        {Actions: []string{"backup.**"}},
		"a long pattern":   {Actions: []string{long}},
		"not UTF-8":        {Systems: []string{"\xff"}},
		"no type":          {Resources: []opsec.Resource{{ID: "*"}}},
		"no id":            {Resources: []opsec.Resource{{Type: "volume"}}},
		"resource tenant":  {Resources: []opsec.Resource{{Tenant: "*", Type: "volume", ID: "*"}}},
		"many patterns":    {Actions: make([]string, 1001)},
		"many tenants":     {Tenants: make([]opsec.TenantID, 100_001)},
		"many resources":   {Resources: make([]opsec.Resource, 10_001)},
	} {
		require.ErrorIs(t, s.Validate(), opsec.ErrInvalid, what)
	}
	require.NoError(t, backups.Validate())
}

func TestDigestOfAScopeIsOfWhatItSays(t *testing.T) {
	full := independence.Scope{
		Tenants: []opsec.TenantID{"a", "b"}, Systems: []string{"s", "t"}, Actions: []string{"x.*", "y"},
		Resources: []opsec.Resource{{Type: "v", ID: "*"}, {Tenant: "a", Type: "w", ID: "1"}},
	}
	require.Regexp(t, `^sha256:[0-9a-f]{64}$`, full.Digest())
	turned := independence.Scope{
		Tenants: []opsec.TenantID{"b", "a", "a"}, Systems: []string{"t", "s"}, Actions: []string{"y", "x.*", "y"},
		Resources: []opsec.Resource{{Tenant: "a", Type: "w", ID: "1"}, {Type: "v", ID: "*"}},
	}
	require.Equal(t, full.Digest(), turned.Digest())
	require.Equal(t, []string{"t", "s"}, turned.Systems, "it is not put in order")
	seen := map[string]string{full.Digest(): "full"}
	for what, change := range map[string]func(*independence.Scope){
		"tenants":   func(s *independence.Scope) { s.Tenants = s.Tenants[:1] },
		"systems":   func(s *independence.Scope) { s.Systems = s.Systems[:1] },
		"actions":   func(s *independence.Scope) { s.Actions = s.Actions[:1] },
		"resources": func(s *independence.Scope) { s.Resources = s.Resources[:1] },
		"moved":     func(s *independence.Scope) { s.Systems, s.Actions = s.Actions, s.Systems },
	} {
		s := full
		change(&s)
		require.Empty(t, seen[s.Digest()], what)
		seen[s.Digest()] = what
	}
	of := func(kind, id string) string {
		return independence.Scope{Resources: []opsec.Resource{{Type: kind, ID: id}}}.Digest()
	}
	require.NotEqual(t, of("ab", "c"), of("a", "bc"))
}

func FuzzScope(f *testing.F) {
	f.Add("backup.*", "backup-eu", "volume", "*", "acme")
	f.Add("*", "", "", "", "")
	f.Fuzz(func(t *testing.T, action, system, kind, id, tenant string) {
		s := independence.Scope{Actions: []string{action}, Systems: []string{system}}
		if kind != "" {
			s.Resources = []opsec.Resource{{Tenant: opsec.TenantID(tenant), Type: kind, ID: id}}
		}
		if s.Validate() != nil {
			return
		}
		act := with(staff("ann", strings.TrimSuffix(action, "*")), func(a *independence.Act) { a.System = "x" })
		if act.Action != "" {
			require.EqualValues(t, 1, examine(t, s, independence.Organisation{}, one("ann"), act).Touched, fmt.Sprintf("%q", action))
		}
	})
}

// What somebody owns beside is no way out.
func TestOwnershipsOfMoreThanOneThingCountForEach(t *testing.T) {
	s := independence.Scope{
		Tenants: []opsec.TenantID{"acme"}, Systems: []string{"backup-eu"}, Actions: []string{"backup.*"},
		Resources: []opsec.Resource{{Type: "volume", ID: "*"}},
	}
	alone := independence.Scope{Tenants: []opsec.TenantID{"acme"}}
	system := independence.Organisation{Owners: []independence.Ownership{{Person: "ann", System: "backup-eu"}}}
	require.Empty(t, kinds(t, examine(t, alone, system, one("ann")), "ann"), "like is compared with like")
	elsewhere := opsec.Resource{Tenant: "globex", Type: "volume", ID: "7"}
	for _, test := range []struct {
		owned independence.Ownership
		want  int
	}{
		{independence.Ownership{System: "backup-eu", Resource: elsewhere}, 1},
		{independence.Ownership{Action: "backup.restore", Resource: elsewhere}, 1},
		{independence.Ownership{System: "mail", Action: "mail.*", Resource: elsewhere}, 0},
	} {
		test.owned.Person = "ann"
		o := independence.Organisation{Owners: []independence.Ownership{test.owned}}
		require.Len(t, kinds(t, examine(t, s, o, one("ann")), "ann"), test.want, "%+v", test.owned)
	}
}

func TestARecordOfNoTenantIsTheProviders(t *testing.T) {
	for _, id := range []string{"7", "*"} {
		s := independence.Scope{Resources: []opsec.Resource{{Tenant: opsec.Provider, Type: "vault", ID: id}}}
		for _, tenant := range []opsec.TenantID{"", opsec.Provider} {
			a := with(staff("ann", "vault.open"), func(a *independence.Act) { a.Tenant, a.Resource = tenant, opsec.Resource{Type: "vault", ID: "7"} })
			require.Len(t, kinds(t, examine(t, s, independence.Organisation{}, one("ann"), a), "ann"), 1, "%q %q", id, tenant)
		}
	}
}
