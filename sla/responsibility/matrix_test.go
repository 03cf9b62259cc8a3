package responsibility_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla/responsibility"
)

// clause is 7.1 written down by hand: C for the customer, P for the provider, from the facility up to the terminal.
var clause = map[opsec.ServiceModel]string{
	opsec.IaaS: "PPPPCCCCCC",
	opsec.PaaS: "PPPPPPCCCC",
	opsec.SaaS: "PPPPPPPCCC",
	opsec.NaaS: "PPPPCCCCCC",
}

func TestDefaultsAreThoseOfTheClause(t *testing.T) {
	require.Len(t, responsibility.Models(), len(clause))
	for _, model := range responsibility.Models() {
		m := responsibility.Default(model)
		require.NoError(t, m.Validate(), model)
		var got strings.Builder
		for _, l := range responsibility.Layers() {
			who := m.Attribute(l)
			got.WriteString(map[opsec.Party]string{opsec.CSP: "P", opsec.CSC: "C"}[who])
			require.Equal(t, who == opsec.CSC, slices.Contains(responsibility.Kept(model), l))
			require.Equal(t, who == opsec.CSP, slices.Contains(responsibility.Owed(model), l))
		}
		require.Equal(t, clause[model], got.String(), model)
		require.Equal(t, responsibility.Kept(model), m.Of(opsec.CSC))
		require.Equal(t, responsibility.Owed(model), m.Of(opsec.CSP))
	}
}

func TestAnUnknownModelHasNoDefault(t *testing.T) {
	for _, model := range []opsec.ServiceModel{"", "iaas", "FaaS"} {
		m := responsibility.Default(model)
		require.Empty(t, m.Assignments)
		require.Empty(t, responsibility.Kept(model))
		require.Empty(t, responsibility.Owed(model))
		faults := responsibility.Faults(m.Validate())
		require.Len(t, faults, 1+len(responsibility.Layers()))
		require.Equal(t, responsibility.RuleModel, faults[0].Rule)
	}
}

func TestFaultsAreReportedAtOnce(t *testing.T) {
	type as = responsibility.Assignment
	change := func(model opsec.ServiceModel, l responsibility.Layer, with ...as) responsibility.Matrix {
		m := responsibility.Default(model)
		m.Assignments = slices.DeleteFunc(m.Assignments, func(a as) bool { return a.Layer == l })
		m.Assignments = append(m.Assignments, with...)
		return m
	}
	for name, c := range map[string]struct {
		m    responsibility.Matrix
		want []string
	}{
		"nobody":      {change(opsec.SaaS, responsibility.Network), []string{"assignments nobody network"}},
		"two masters": {change(opsec.SaaS, responsibility.Network, as{Layer: "network", Party: opsec.CSP}, as{Layer: "network", Party: opsec.CSP}), []string{"assignments[10] two-masters network"}},
		"given away":  {change(opsec.SaaS, responsibility.Terminal, as{Layer: "terminal", Party: opsec.CSP}), []string{"assignments[9].party kept terminal"}},
		"put off":     {change(opsec.IaaS, responsibility.Network, as{Layer: "network", Party: opsec.CSC}), []string{"assignments[9].party owed network"}},
		"shared":      {change(opsec.IaaS, responsibility.GuestOS, as{Layer: "guest-os", Party: opsec.Both, Note: "images by the provider, patches by the customer"}), nil},
		"shared how":  {change(opsec.IaaS, responsibility.GuestOS, as{Layer: "guest-os", Party: opsec.Both, Note: " "}), []string{"assignments[9].note note guest-os"}},
		"no party":    {change(opsec.IaaS, responsibility.GuestOS, as{Layer: "guest-os"}), []string{"assignments[9].party party guest-os"}},
		"odd layer":   {change(opsec.IaaS, responsibility.GuestOS, as{Layer: "Guest-OS", Party: opsec.CSC}), []string{"assignments[9].layer layer ", "assignments nobody guest-os"}},
		"too many":    {responsibility.Matrix{Model: opsec.IaaS, Assignments: make([]as, 1001)}, []string{"assignments layer "}},
		"all":         {responsibility.Matrix{Assignments: []as{{Layer: "x"}}}, []string{"model model ", "assignments[0].layer layer ", "assignments nobody facility", "assignments nobody hardware", "assignments nobody network", "assignments nobody virtualization", "assignments nobody guest-os", "assignments nobody middleware", "assignments nobody application", "assignments nobody content", "assignments nobody identity", "assignments nobody terminal"}},
	} {
		err := c.m.Validate()
		var got []string
		for _, f := range responsibility.Faults(err) {
			got = append(got, fmt.Sprintf("%s %s %s", f.Path, f.Rule, f.Layer))
		}
		require.Equal(t, c.want, got, name)
		require.Equal(t, c.want != nil, errors.Is(err, opsec.ErrInvalid), name)
	}
	many := responsibility.Matrix{Model: opsec.IaaS, Assignments: make([]as, 1000)}
	require.Len(t, responsibility.Faults(many.Validate()), 1000+len(responsibility.Layers()))
	require.Empty(t, responsibility.Faults(errors.New("another")))
	require.EqualError(t, responsibility.Faults(responsibility.Matrix{}.Validate())[0], "responsibility: model: want IaaS, PaaS, SaaS or NaaS")
}

func TestALayerOfTwoMastersIsNobodys(t *testing.T) {
	m := responsibility.Default(opsec.IaaS)
	require.Equal(t, opsec.CSC, m.Attribute(responsibility.GuestOS))
	m.Assignments = append(m.Assignments, responsibility.Assignment{Layer: responsibility.GuestOS, Party: opsec.CSC})
	require.Empty(t, m.Attribute(responsibility.GuestOS))
	require.NotContains(t, m.Of(opsec.CSC), responsibility.GuestOS)
	require.Empty(t, m.Attribute("no such layer"))
	m.Assignments = m.Assignments[:10]
	m.Assignments[4] = responsibility.Assignment{Layer: responsibility.GuestOS, Party: opsec.Both, Note: "x"}
	require.Contains(t, m.Of(opsec.CSC), responsibility.GuestOS)
	require.Contains(t, m.Of(opsec.CSP), responsibility.GuestOS)
	require.Equal(t, []responsibility.Layer{responsibility.GuestOS}, m.Of(opsec.Both))
	require.Empty(t, m.Of(""))
	require.Empty(t, responsibility.Matrix{}.Attribute(responsibility.GuestOS))
	m = responsibility.Matrix{Assignments: []responsibility.Assignment{{Layer: responsibility.GuestOS, Party: "me"}, {Layer: responsibility.GuestOS, Party: opsec.CSC}}}
	require.Empty(t, m.Attribute(responsibility.GuestOS))
}

// A matrix is valid exactly when a count over layers and parties, written apart from the code, says so.
func TestValidateIsAsACount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := responsibility.Default(rapid.SampledFrom(responsibility.Models()).Draw(t, "model"))
		for range rapid.IntRange(0, 3).Draw(t, "changes") {
			i := rapid.IntRange(0, len(m.Assignments)-1).Draw(t, "at")
			m.Assignments[i] = responsibility.Assignment{
				Layer: rapid.SampledFrom(append(responsibility.Layers(), "x")).Draw(t, "layer"),
				Party: rapid.SampledFrom([]opsec.Party{opsec.CSP, opsec.CSC, opsec.Both, ""}).Draw(t, "party"),
				Note:  rapid.SampledFrom([]string{"", "how"}).Draw(t, "note"),
			}
		}
		valid := true
		for i, l := range responsibility.Layers() {
			var of []responsibility.Assignment
			for _, a := range m.Assignments {
				if a.Layer == l {
					of = append(of, a)
				}
			}
			away := map[byte]opsec.Party{'P': opsec.CSC, 'C': opsec.CSP}[clause[m.Model][i]]
			valid = valid && len(of) == 1 && of[0].Party != "" && of[0].Party != away && (of[0].Party != opsec.Both || of[0].Note != "")
			if valid {
				if m.Attribute(l) != of[0].Party {
					t.Fatalf("%s: %s", l, m.Attribute(l))
				}
			}
		}
		if err := m.Validate(); (err == nil) != valid || len(responsibility.Faults(err)) == 0 == (err != nil) {
			t.Fatalf("%v: %v", m, err)
		}
	})
}

func TestJSONOfAMatrixReadsBack(t *testing.T) {
	m := responsibility.Default(opsec.PaaS)
	text, err := json.Marshal(m)
	require.NoError(t, err)
	var got responsibility.Matrix
	require.NoError(t, json.Unmarshal(text, &got))
	require.Equal(t, m, got)
}

func ExampleDefault() {
	m := responsibility.Default(opsec.PaaS)
	fmt.Println(m.Attribute(responsibility.Middleware), m.Attribute(responsibility.Application))
	// Output: CSP CSC
}

func ExampleKept() {
	fmt.Println(responsibility.Kept(opsec.SaaS))
	// Output: [content identity terminal]
}

func ExampleOwed() {
	fmt.Println(responsibility.Owed(opsec.NaaS))
	// Output: [facility hardware network virtualization]
}

func ExampleMatrix_Validate() {
	m := responsibility.Default(opsec.IaaS)
	m.Assignments[9].Party = opsec.CSP // the customer's terminals, to the provider
	m.Assignments = m.Assignments[1:]  // and the building to nobody
	for _, f := range responsibility.Faults(m.Validate()) {
		fmt.Println(f.Path, f.Rule)
		fmt.Println(" ", f.Text)
	}
	// Output:
	// assignments[8].party kept
	//   of IaaS, clause 7.1 leaves the terminal layer to the customer: it may be shared, not given away
	// assignments nobody
	//   nobody answers for the facility layer
}

// Who patches a layer: its own party, and both where it is shared.
func ExampleMatrix_Attribute() {
	m := responsibility.Default(opsec.IaaS)
	m.Assignments[4] = responsibility.Assignment{Layer: responsibility.GuestOS, Party: opsec.Both, Note: "images by the provider, what runs by the customer"}
	for _, l := range []responsibility.Layer{responsibility.Virtualization, responsibility.GuestOS, responsibility.Application} {
		fmt.Println(l, m.Attribute(l))
	}
	// Output:
	// virtualization CSP
	// guest-os both
	// application CSC
}

func ExampleMatrix_Of() {
	fmt.Println(responsibility.Default(opsec.SaaS).Of(opsec.CSC))
	// Output: [content identity terminal]
}
