package password_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/password"
)

func preset(t testing.TB, name string) password.Profile {
	p, err := password.Preset(name)
	require.NoError(t, err)
	return p
}

func ExamplePreset() {
	p, err := password.Preset(password.PCI)
	if err != nil {
		panic(err)
	}
	b, _ := json.Marshal(p)
	fmt.Println(strings.Contains(string(b), `"cycle":"2160h0m0s"`), p.Sources[password.RuleCycle])
	// Output: true PCI DSS 4.0.1, 8.3.9: where the password is the only factor
}

func ExampleProfile_Hints() {
	p, _ := password.Preset(password.Recommendation)
	for _, hint := range p.Hints(false) {
		fmt.Println(hint)
	}
	// Output:
	// At least 15 characters, at most 256. Spaces and any script are welcome.
	// At least one letter and one digit.
	// Nothing of your name, your account or the name of the service.
	// Not one of the passwords that others use often or that have been stolen.
	// Not one of your last 4 passwords.
	// It has to be changed every 90 days.
}

func ExampleProfile_Explain() {
	p, _ := password.Preset(password.NIST)
	for _, s := range p.Explain() {
		if s.Rule == password.RuleLength || s.Rule == password.RuleCycle {
			fmt.Printf("%s: %s (%s)\n", s.Rule, s.Text, s.Source)
		}
	}
	// Output:
	// length: at least 15 code points after NFKC; 8 beside another factor (NIST SP 800-63B-4, 3.1.1.2)
	// cycle: no update cycle: changed when it may be known to others; the source forbids to ask for that (NIST SP 800-63B-4, 3.1.1.2)
}

func ExampleConflicts() {
	nist, _ := password.Preset(password.NIST)
	pci, _ := password.Preset(password.PCI)
	for _, c := range password.Conflicts(nist, pci) {
		fmt.Println(c.Rule, c.A, c.B)
	}
	// Output:
	// composition pci-dss-4.0.1 nist-sp-800-63b-4
	// cycle pci-dss-4.0.1 nist-sp-800-63b-4
}

func ExampleCombine() {
	nist, _ := password.Preset(password.NIST)
	asvs, _ := password.Preset(password.ASVS)
	both, err := password.Combine("ours", nist, asvs)
	fmt.Println(both.Length, both.LengthMFA, both.Source, err)
	// Output: 15 8 NIST SP 800-63B-4; OWASP ASVS 5.0 <nil>
}

func TestPresetsAreValidAndSayTheirSources(t *testing.T) {
	for _, p := range password.Presets() {
		require.NoError(t, p.Validate(), p.Name)
		require.Equal(t, p, preset(t, p.Name))
		require.NotEmpty(t, p.Source)
		for _, r := range p.Forbids {
			require.Contains(t, p.Sources, r, p.Name)
		}
		for _, s := range p.Explain() {
			require.NotEmpty(t, s.Text)
			require.NotEmpty(t, s.Source)
			require.NotContains(t, s.Text, "%!")
		}
		for _, r := range []password.Rule{password.RuleLength, password.RuleLongest} {
			require.Contains(t, p.Sources, r, p.Name)
		}
	}
	_, err := password.Preset("none")
	require.ErrorIs(t, err, opsec.ErrNotFound)
	require.ErrorContains(t, err, password.ASVS)
	p := preset(t, password.NIST)
	p.Forbids[0] = "changed"
	require.NotEqual(t, p, preset(t, password.NIST), "a preset is the caller's own")
}

// The figures, as the research file and the texts have them.
func TestPresetsHaveTheFiguresOfTheirSources(t *testing.T) {
	nist, asvs, pci, own := preset(t, password.NIST), preset(t, password.ASVS), preset(t, password.PCI), preset(t, password.Recommendation)
	require.Equal(t, []int{15, 8, 64}, []int{nist.AtLeast(false), nist.AtLeast(true), nist.Accept})
	require.Equal(t, []int{8, 8, 64}, []int{asvs.AtLeast(false), asvs.AtLeast(true), asvs.Accept})
	require.Equal(t, []int{12, 12, 4}, []int{pci.AtLeast(false), pci.AtLeast(true), pci.History})
	require.Equal(t, 90*24*time.Hour, pci.Cycle)
	require.Zero(t, pci.CycleMFA)
	for _, p := range []password.Profile{nist, asvs} {
		for _, r := range []password.Rule{password.RuleComposition, password.RuleCycle, password.RuleTruncation} {
			require.Contains(t, p.Forbids, r)
		}
		require.False(t, p.SkipBlocklist)
	}
	// 8.1.1: length, complexity, update cycle
	require.Positive(t, own.Length)
	require.NotEmpty(t, own.Require)
	require.Positive(t, own.Cycle)
}

func TestValidateNamesTheField(t *testing.T) {
	good := password.Profile{Name: "p", Length: 8, Longest: 64}
	require.NoError(t, good.Validate())
	for field, change := range map[string]func(p *password.Profile){
		"name":                       func(p *password.Profile) { p.Name = "" },
		"length":                     func(p *password.Profile) { p.Length = 0 },
		"length_mfa":                 func(p *password.Profile) { p.LengthMFA = 65 },
		"longest":                    func(p *password.Profile) { p.Longest = password.MaxLongest + 1 },
		"longest_bytes":              func(p *password.Profile) { p.LongestBytes = 7 },
		"longest_bytes: 30, want 40": func(p *password.Profile) { p.LongestBytes, p.Accept = 30, 10 },
		"classes":                    func(p *password.Profile) { p.Classes = 5 },
		"repeats":                    func(p *password.Profile) { p.Repeats = -1 },
		"similarity":                 func(p *password.Profile) { p.Similarity = 65 },
		"strength":                   func(p *password.Profile) { p.Strength = password.MaxStrength + 1 },
		"history":                    func(p *password.Profile) { p.History = password.MaxHistory + 1 },
		"accept":                     func(p *password.Profile) { p.Accept = 65 },
		"minimum_age":                func(p *password.Profile) { p.MinimumAge, p.CycleMFA = time.Hour, time.Hour },
		"cycle":                      func(p *password.Profile) { p.Cycle = -1 },
		"words":                      func(p *password.Profile) { p.Words = "some" },
		"require":                    func(p *password.Profile) { p.Require = []password.Class{password.Digit, password.Digit} },
		"forbids[0]":                 func(p *password.Profile) { p.Forbids = []password.Rule{"unknown"} },
		"forbids[1]": func(p *password.Profile) {
			p.Forbids, p.Classes = []password.Rule{password.RuleCycle, password.RuleComposition}, 2
		},
		"longest: 3, want 4":        func(p *password.Profile) { p.Length, p.Longest, p.Classes = 1, 3, 4 },
		"longest_bytes: 9, want 10": func(p *password.Profile) { p.LongestBytes, p.Similarity = 9, 10 },
		"sources":                   func(p *password.Profile) { p.Sources = map[password.Rule]string{"unknown": ""} },
	} {
		p := good
		change(&p)
		err := p.Validate()
		require.ErrorIs(t, err, opsec.ErrInvalid, field)
		require.ErrorContains(t, err, field)
	}
	require.Error(t, password.Profile{}.Validate())
}

func TestJSONIsStrictAndGoesRound(t *testing.T) {
	for _, p := range password.Presets() {
		b, err := json.Marshal(p)
		require.NoError(t, err)
		var read password.Profile
		require.NoError(t, json.Unmarshal(b, &read))
		require.Equal(t, p, read)
	}
	kept := preset(t, password.PCI)
	for _, bad := range []string{`{}`, `{"name":"p","length":8,"longest":64,"lenght_mfa":8}`, `{"name":"p","length":8,"longest":64,"cycle":90}`,
		`{"name":"p","length":8,"longest":64,"cycle":"1x"}`, `[]`, `{"name":"` + strings.Repeat("a", 70_000) + `","length":8,"longest":64}`} {
		p := kept
		require.ErrorIs(t, json.Unmarshal([]byte(bad), &p), opsec.ErrInvalid)
		require.Equal(t, kept, p)
	}
}

func TestConflictsNameEveryContradiction(t *testing.T) {
	base := password.Profile{Name: "base", Length: 8, Longest: 64}
	with := func(change func(p *password.Profile)) password.Profile {
		p := base
		p.Name = "other"
		change(&p)
		return p
	}
	for _, c := range []struct {
		a, b password.Profile
		want []password.Rule
	}{
		{base, with(func(p *password.Profile) { p.Length = 20 }), nil},
		{with(func(p *password.Profile) { p.Longest, p.Length = 100, 70 }), base, []password.Rule{password.RuleLength}},
		{with(func(p *password.Profile) { p.Longest, p.LengthMFA = 100, 70 }), base, []password.Rule{password.RuleLength}},
		{base, with(func(p *password.Profile) { p.Longest, p.Accept = 128, 100 }), []password.Rule{password.RuleLongest}},
		// bcrypt's 72 bytes hold 64 letters of some scripts only
		{with(func(p *password.Profile) { p.LongestBytes = 72 }), with(func(p *password.Profile) { p.Name, p.Accept = "nist", 64 }), []password.Rule{password.RuleTruncation}},
		{with(func(p *password.Profile) { p.LongestBytes = 16 }), with(func(p *password.Profile) { p.Name, p.Length = "long", 20 }), []password.Rule{password.RuleTruncation}},
		{with(func(p *password.Profile) { p.MinimumAge = 48 * time.Hour }), with(func(p *password.Profile) { p.Name, p.CycleMFA = "daily", 24*time.Hour }), []password.Rule{password.RuleMinimumAge}},
		{base, with(func(p *password.Profile) { p.Forbids = []password.Rule{password.RuleBlocklist}; p.SkipBlocklist = true }), []password.Rule{password.RuleBlocklist}},
		{preset(t, password.NIST), preset(t, password.Recommendation), []password.Rule{password.RuleComposition, password.RuleWords, password.RuleCycle}},
		{preset(t, password.ASVS), preset(t, password.PCI), []password.Rule{password.RuleComposition, password.RuleCycle}},
		{preset(t, password.ASVS), preset(t, password.NIST), nil},
		{preset(t, password.PCI), preset(t, password.Recommendation), nil},
		{with(func(p *password.Profile) { p.Longest, p.Similarity = 100, 70 }), base, []password.Rule{password.RuleSimilarity}},
		{with(func(p *password.Profile) { p.Similarity = 20 }), with(func(p *password.Profile) { p.Name, p.LongestBytes = "short", 16 }), []password.Rule{password.RuleSimilarity}},
		{with(func(p *password.Profile) {
			p.Length, p.Longest, p.Require = 1, 2, []password.Class{password.Letter, password.Digit}
		}),
			with(func(p *password.Profile) {
				p.Name, p.Length, p.Require = "signs", 1, []password.Class{password.Upper, password.Sign}
			}), []password.Rule{password.RuleComposition}},
		{with(func(p *password.Profile) {
			p.Length, p.Longest, p.Require = 1, 2, []password.Class{password.Letter, password.Digit}
		}),
			with(func(p *password.Profile) {
				p.Name, p.Length, p.Require = "capitals", 1, []password.Class{password.Upper}
			}), nil},
	} {
		for _, found := range [][]*password.Conflict{password.Conflicts(c.a, c.b), password.Conflicts(c.b, c.a)} {
			var got []password.Rule
			for _, one := range found {
				got = append(got, one.Rule)
				require.ErrorIs(t, one, opsec.ErrInvalid)
				require.ElementsMatch(t, []string{c.a.Name, c.b.Name}, []string{one.A, one.B})
			}
			require.ElementsMatch(t, c.want, got)
		}
		_, err := password.Combine("both", c.a, c.b)
		require.Equal(t, len(c.want) > 0, err != nil, "%v", err)
	}
	_, err := password.Combine("none")
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = password.Combine("bad", base, password.Profile{})
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

// anyProfile draws one that may well contradict another.
func anyProfile(t *rapid.T) password.Profile {
	n := func(name string, a, b int) int { return rapid.IntRange(a, b).Draw(t, name) }
	longest := n("longest", 10, 24)
	p := password.Profile{
		Name: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name"), Source: rapid.SampledFrom([]string{"S", "T"}).Draw(t, "source"),
		Longest: longest, Length: n("length", 1, 12), LengthMFA: n("mfa", 0, 10), LongestBytes: rapid.SampledFrom([]int{0, 0, 14, 20}).Draw(t, "bytes"),
		Classes: n("classes", 0, 4), Repeats: n("repeats", 0, 3), Similarity: n("similarity", 0, 10), Strength: n("strength", 0, 9000),
		SkipBlocklist: rapid.Bool().Draw(t, "skip"), Words: rapid.SampledFrom([]password.WordRule{password.Within, password.Whole, password.SkipWords}).Draw(t, "words"),
		History: n("history", 0, 4), MinimumAge: time.Duration(n("age", 0, 2)) * time.Hour, Cycle: time.Duration(n("cycle", 0, 3)) * time.Hour,
		CycleMFA: time.Duration(n("cycle mfa", 0, 3)) * time.Hour, Accept: n("accept", 0, 12),
		Require: rapid.SampledFrom([][]password.Class{nil, {password.Digit}, {password.Lower, password.Sign}}).Draw(t, "require"),
		Forbids: rapid.SampledFrom([][]password.Rule{nil, nil, {password.RuleCycle}, {password.RuleComposition, password.RuleTruncation}}).Draw(t, "forbids"),
	}
	if p.LongestBytes < max(p.Length, p.LengthMFA, 4*p.Accept) {
		p.LongestBytes = 0
	}
	if cycle := min(p.Cycle, p.CycleMFA); p.MinimumAge >= cycle {
		p.MinimumAge = 0
	}
	p.Length, p.Accept, p.Similarity = min(p.Length, longest), min(p.Accept, longest), min(p.Similarity, longest)
	if p.Validate() != nil {
		p.Forbids = nil
	}
	require.NoError(t, p.Validate())
	return p
}

// What Combine returns accepts nothing that one of the profiles refuses, asks for all that one asks for, and does not depend on order.
func TestCombineIsTheStrictestOfAll(t *testing.T) {
	texts := rapid.Custom(func(t *rapid.T) string {
		return rapid.StringMatching(`(password|[a-cA-B1-2 é]{0,8})(zorb|zo-rb)?[a-dA-B1-3!]{0,10}`).Draw(t, "text")
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyProfile(t), anyProfile(t)
		both, err := password.Combine("both", a, b)
		turned, err2 := password.Combine("both", b, a)
		require.Equal(t, err == nil, err2 == nil)
		require.Equal(t, len(password.Conflicts(a, b)) == 0, err == nil, "%v", err)
		if err != nil {
			return
		}
		require.Equal(t, both, turned)
		again, err := password.Combine("both", both, a)
		require.NoError(t, err)
		again.Source, again.Sources, turned.Source, turned.Sources = "", nil, "", nil
		require.Equal(t, turned, again, "nothing new in a")
		about := password.Context{Words: []string{"zorb"}, Previous: []byte("abcabcabc"), MFA: rapid.Bool().Draw(t, "mfa")}
		text := []byte(texts.Draw(t, "text"))
		check := func(p password.Profile) error {
			c, err := password.New(p, &password.Options{Blocklist: set{"password": true}, Strength: byLength{}})
			require.NoError(t, err)
			return c.Check(text, about)
		}
		if check(both) == nil {
			require.NoError(t, check(a), "%q", text)
			require.NoError(t, check(b), "%q", text)
		}
		changed := time.Unix(0, 0)
		for _, p := range []password.Profile{a, b} {
			require.GreaterOrEqual(t, both.History, p.History)
			if due, ok := p.Due(changed, about.MFA); ok {
				sooner, ok := both.Due(changed, about.MFA)
				require.True(t, ok)
				require.False(t, sooner.After(due))
			}
		}
	})
}

func TestHintsAndExplanationsFollowTheProfile(t *testing.T) {
	p := password.Profile{Name: "p", Source: "house rule", Length: 8, LengthMFA: 6, Longest: 64, LongestBytes: 72, Classes: 3, Repeats: 2, Similarity: 4,
		Strength: 8050, Words: password.Whole, History: 1, MinimumAge: 36 * time.Hour, Cycle: 480 * time.Hour, CycleMFA: 960 * time.Hour,
		Require: []password.Class{password.Digit}}
	require.NoError(t, p.Validate())
	hints := strings.Join(p.Hints(true), "\n")
	for _, part := range []string{"At least 6 ", "72 bytes", "one digit", "3 of", "more than 2 times", "Not your name", "4 characters different", "stolen", "Hard to guess", "present one", "40 days"} {
		require.Contains(t, hints, part)
	}
	require.Contains(t, p.Hints(false)[0], "At least 8 ")
	var all []string
	for _, s := range p.Explain() {
		require.Equal(t, "house rule", s.Source)
		all = append(all, s.Text)
	}
	text := strings.Join(all, "\n")
	for _, part := range []string{"6 beside", "72 bytes", "one digit, and 3 of four", "2 times", "4 edits", "10^8.050", "1 used last", "36h0m0s", "every 20 days where it is the only factor, every 40 days"} {
		require.Contains(t, text, part)
	}
	bare := password.Profile{Name: "p", Length: 8, Longest: 64, SkipBlocklist: true, Words: password.SkipWords}
	require.Len(t, bare.Hints(false), 1)
	require.Len(t, bare.Explain(), 13)
}

// Each rule has a reason of its own.
func TestEveryRuleHasAReason(t *testing.T) {
	var reasons []string
	for _, s := range preset(t, password.NIST).Explain() {
		reason := (&password.Violation{Rule: s.Rule, Most: 7}).Reason()
		require.NotContains(t, reason, "does not meet the rules")
		reasons = append(reasons, reason)
	}
	slices.Sort(reasons)
	require.Len(t, slices.Compact(reasons), 12) // longest and truncation say the same
}

func FuzzProfileJSON(f *testing.F) {
	for _, p := range password.Presets() {
		b, err := json.Marshal(p)
		require.NoError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var p password.Profile
		if json.Unmarshal(b, &p) != nil {
			return
		}
		require.NoError(t, p.Validate())
		p.Explain()
		again, err := json.Marshal(p)
		require.NoError(t, err)
		var read password.Profile
		require.NoError(t, json.Unmarshal(again, &read))
	})
}
