package sla_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
)

// floor returns a minimum of one floor that applies to everybody.
func floor(f sla.Floor) sla.Minimum {
	return sla.Minimum{ID: "m", Source: "here", Floors: []sla.Floor{f}}
}

func TestFloors(t *testing.T) {
	for _, c := range []struct {
		floor sla.Floor
		want  string // path of what is below, and the beginning of why
	}{
		{sla.Floor{Path: "clause.data.backup.rpo", Most: "15m"}, ""},
		{sla.Floor{Path: "clause.data.backup.rpo", Most: "14m59.999999999s"}, "clause.data.backup.rpo want at most 14m59.999999999s"},
		{sla.Floor{Path: "clause.data.backup.retention", Least: "2160h"}, ""},
		{sla.Floor{Path: "clause.data.backup.retention", Least: "2160h0m0.000000001s"}, "clause.data.backup.retention want at least"},
		{sla.Floor{Path: "clause.data.backup.offSite", Least: "1"}, ""},
		{sla.Floor{Path: "clause.data.backup.offSite", Least: "2"}, "clause.data.backup.offSite want at least 2"},
		{sla.Floor{Path: "clause.data.backup.offSite", Most: "0"}, "clause.data.backup.offSite want at most 0"},
		{sla.Floor{Path: "clause.data.deletion.certificate", OneOf: []string{"true"}}, ""},
		{sla.Floor{Path: "clause.data.deletion.certificate", OneOf: []string{"false"}}, "clause.data.deletion.certificate want one of"},
		{sla.Floor{Path: "clause.data.isolation.kind", OneOf: []string{"physical"}}, "clause.data.isolation.kind want one of"},
		{sla.Floor{Path: "services[*].objectives[*].target", Least: "99.5%"}, ""},
		{sla.Floor{Path: "services[*].objectives[*].target", Least: "99.9%"}, "services[0].objectives[1].target want at least 99.9%"},
		{sla.Floor{Path: "services[*].objectives[*].target", Least: "99.9%", Any: true}, ""},
		{sla.Floor{Path: "services[*].objectives[*].target", Least: "99.999%", Any: true}, "services[0].objectives[0].target want|services[0].objectives[1].target want|services[1].objectives[0].target want"},
		{sla.Floor{Path: "services[1].objectives[0].target", Least: "999/1000"}, ""},
		{sla.Floor{Path: "services[0].objectives[0].target", Least: "99.99%"}, ""},
		{sla.Floor{Path: "services[2].objectives[0].target"}, "services[2].objectives[0].target nothing is promised"},
		{sla.Floor{Path: "clause.emergency.targets[measure=acceptance,severity=critical].each", Most: "15m"}, ""},
		{sla.Floor{Path: "clause.emergency.targets[measure=acceptance,severity=high].each", Most: "15m"}, "clause.emergency.targets[measure=acceptance,severity=high].each nothing"},
		{sla.Floor{Path: "clause.emergency.targets[measure=acceptance].mean", Most: "30m"}, "clause.emergency.targets[0].mean nothing is promised"},
		{sla.Floor{Path: "clause.emergency.targets[measure=acceptance].mean", Most: "30m", Any: true}, ""},
		{sla.Floor{Path: "clause.emergency.targets[id=accept-all].share", Least: "95%"}, ""},
		{sla.Floor{Path: "clause.emergency.targets[id=accept-all].share", Least: "95.1%"}, "clause.emergency.targets[1].share want at least 95.1%"},
		{sla.Floor{Path: "clause.emergency.targets[id=accept-critical].share", Least: "99%"}, ""},
		{sla.Floor{Path: "clause.measures.authentication.controls", Has: []string{"mfa"}}, ""},
		{sla.Floor{Path: "clause.measures.authentication.controls", Has: []string{"mfa", "retina"}}, `clause.measures.authentication.controls "retina" is not there`},
		{sla.Floor{Path: "clause.measures.malware.controls", Has: []string{"edr"}}, `clause.measures.malware.controls "edr" is not there`},
		{sla.Floor{Path: "clause.data.encryption[*].phase", Has: []string{"at-rest", "in-motion", "in-use"}}, ""},
		{sla.Floor{Path: "clause.data.encryption[phase=at-rest].algorithm", OneOf: []string{"AES-256-GCM"}}, ""},
		{sla.Floor{Path: "clause.data.encryption[phase=in-use].algorithm"}, "clause.data.encryption[2].algorithm nothing is promised"},
		{sla.Floor{Path: "clause.data.compliance[law=EU].keepMost", Most: "8760h"}, ""},
		{sla.Floor{Path: "clause.data.compliance[law=DE].keepMost", Most: "8760h"}, "clause.data.compliance[0].keepMost nothing"},
		{sla.Floor{Path: "clause.data.compliance[law=FR].keepMost", Most: "8760h"}, "clause.data.compliance[law=FR].keepMost nothing"},
		{sla.Floor{Path: "clause.data.compliance[*].keepMost", Most: "8760h"}, "clause.data.compliance[0].keepMost nothing"},
		{sla.Floor{Path: "clause.data.compliance[*].keepMost", Most: "8760h", Any: true}, ""},
		{sla.Floor{Path: "clause.emergency.targets[id=accept-all].hours.zone"}, "clause.emergency.targets[1].hours.zone nothing"},
		{sla.Floor{Path: "services[*].objectives[method=time].target", Least: "99%"}, "services[1].objectives[method=time].target nothing"},
		{sla.Floor{Path: "services[*].objectives[method=time].target", Least: "99%", Any: true}, ""},
		{sla.Floor{Path: "services[*].objectives[1].target", Least: "99%"}, "services[1].objectives[1].target nothing"},
		{sla.Floor{Path: "exclusions[category=maintenance].yearly", Most: "24h"}, ""},
		{sla.Floor{Path: "exclusions[category=maintenance].yearly", Most: "23h"}, "exclusions[0].yearly want at most 23h"},
		{sla.Floor{Path: "exclusions[*].yearly", Most: "24h"}, "exclusions[1].yearly nothing|exclusions[2].yearly nothing"},
		{sla.Floor{Path: "exclusions[category=suspension].longest", Most: "1h"}, ""},
		{sla.Floor{Path: "exclusions[category=suspension].notice", Least: "1h"}, ""},
		{sla.Floor{Path: "exclusions[category=suspension].approver", OneOf: []string{"x"}}, ""},
		{sla.Floor{Path: "exclusions[category=suspension].text"}, "exclusions[category=suspension].text nothing"},
		{sla.Floor{Path: "exclusions[category=suspension].services", Has: []string{"x"}}, "exclusions[category=suspension].services nothing|exclusions[category=suspension].services \"x\""},
		{sla.Floor{Path: "credits[*].cap", Least: "100%"}, ""},
		{sla.Floor{Path: "credits[*].bands[*].credit", Least: "11%"}, "credits[0].bands[0].credit want at least 11%"},
		{sla.Floor{Path: "credits[objective=storage-requests].bands[0].credit", Least: "1%"}, "credits[objective=storage-requests].bands[0].credit nothing"},
		{sla.Floor{Path: "clause.certification.held[*].expires", Least: "2027-03-01T00:00:00Z"}, ""},
		{sla.Floor{Path: "clause.certification.held[*].expires", Least: "2028-03-01T00:00:00Z"}, "clause.certification.held[0].expires want"},
		{sla.Floor{Path: "services[*].objectives[*].minRequests", Least: "1"}, "services[0].objectives[0].minRequests want|services[0].objectives[1].minRequests want|services[1].objectives[0].minRequests want"},
		{sla.Floor{Path: "clause.emergency.hours.hours", Has: []string{"Mon-Sun 00:00-24:00"}}, ""},
		{sla.Floor{Path: "clause.emergency.hours.hours", Has: []string{"Mon-Fri 00:00-24:00"}}, "clause.emergency.hours.hours \"Mon-Fri"},
		{sla.Floor{Path: "clause.data"}, ""},
		{sla.Floor{Path: "grade", OneOf: []string{"gold", "platinum"}}, ""},
	} {
		err := sample(t, "iaas").Check(floor(c.floor))
		var want []string
		if c.want != "" {
			want = strings.Split(c.want, "|")
		}
		got := sla.Faults(err)
		require.Len(t, got, len(want), "%v: %v", c.floor, err)
		for i, f := range got {
			require.True(t, strings.HasPrefix(f.Path+" "+f.Text, want[i]), "%s %s", f.Path, f.Text)
			require.Equal(t, sla.RuleBelow, f.Rule)
			require.Equal(t, "m", f.Minimum)
			require.True(t, strings.HasSuffix(f.Text, ", here"))
		}
	}
}

func TestWhatIsNotSaidOfAllIsAll(t *testing.T) {
	a := sample(t, "iaas")
	a.Credits[0].Cap = ratio.Ratio{}
	require.NoError(t, a.Check(floor(sla.Floor{Path: "credits[*].cap", Least: "100%"})))
	a.Credits[0].Cap = must(ratio.Parse("99.9%"))
	require.Equal(t, []string{"credits[0].cap below"}, list(a.Check(floor(sla.Floor{Path: "credits[*].cap", Least: "100%"}))))
	a.Credits = nil
	require.Equal(t, []string{"credits[*].cap below"}, list(a.Check(floor(sla.Floor{Path: "credits[*].cap", Least: "1%"}))), "no credits, no cap of them")
	a.Exclusions = nil
	require.NoError(t, a.Check(floor(sla.Floor{Path: "exclusions[*].yearly", Most: "1h"})), "nothing is excluded")
}

func TestAShareThatIsNoneIsBelow(t *testing.T) {
	a := sample(t, "iaas")
	a.Clause.Emergency.Targets[1].Share = "most"
	require.ErrorContains(t, a.Check(floor(sla.Floor{Path: "clause.emergency.targets[id=accept-all].share", Least: "1%"})), "no such thing")
}

func TestAnRPOOfNothingIsBelowNoFloor(t *testing.T) {
	a := sample(t, "iaas")
	*a.Clause.Data.Backup.RPO = 0
	require.NoError(t, a.Check(floor(sla.Floor{Path: "clause.data.backup.rpo", Most: "15m"})))
	require.NoError(t, a.Validate())
	a.Clause.Data.Backup.RPO = nil
	require.Error(t, a.Check(floor(sla.Floor{Path: "clause.data.backup.rpo", Most: "15m"})))
	a.Clause.Data = nil
	require.Equal(t, []string{"clause.data.backup.rpo below"}, list(a.Check(floor(sla.Floor{Path: "clause.data.backup.rpo", Most: "15m"}))))
	a.Clause.Data = &sla.Data{Backup: &sla.Backup{RTO: 0}}
	require.Error(t, a.Check(floor(sla.Floor{Path: "clause.data.backup.rto", Most: "15m"})), "0 is not a promise")
}

func TestAMinimumAppliesByLawModelGradeAndRegion(t *testing.T) {
	a := sample(t, "iaas") // DE and EU, IaaS, gold, eu-central
	a.Law = append(a.Law, "US-CA")
	for _, c := range []struct {
		change func(m *sla.Minimum)
		want   bool
	}{
		{func(m *sla.Minimum) {}, true},
		{func(m *sla.Minimum) { m.Laws = []string{"FR", "DE"} }, true},
		{func(m *sla.Minimum) { m.Laws = []string{"FR"} }, false},
		{func(m *sla.Minimum) { m.Laws = []string{"US"} }, true},
		{func(m *sla.Minimum) { m.Laws = []string{"CA"} }, false},
		{func(m *sla.Minimum) { m.Models = []opsec.ServiceModel{opsec.SaaS} }, false},
		{func(m *sla.Minimum) { m.Models = []opsec.ServiceModel{opsec.SaaS, opsec.IaaS} }, true},
		{func(m *sla.Minimum) { m.Grades = []string{"silver"} }, false},
		{func(m *sla.Minimum) {
			m.Grades = []string{"gold"}
			m.Regions = []string{"eu-central"}
			m.Laws = []string{"EU"}
		}, true},
		{func(m *sla.Minimum) { m.Regions = []string{"us-east"} }, false},
		{func(m *sla.Minimum) { m.Regions = []string{"us-east"}; m.ID = "named" }, true},
	} {
		m := floor(sla.Floor{Path: "grade", OneOf: []string{"none"}})
		c.change(&m)
		a.Profiles = []string{"named"}
		require.Equal(t, c.want, m.Applies(a))
		other := floor(sla.Floor{Path: "id"})
		other.ID = "named"
		if m.ID == "named" {
			require.Error(t, a.Check(m))
			continue
		}
		require.Equal(t, c.want, a.Check(m, other) != nil)
	}
}

func TestAProfileThatIsNotAtHandIsReported(t *testing.T) {
	a := sample(t, "iaas")
	a.Profiles = []string{"m", "tisax"}
	require.Equal(t, []string{"profiles[1] profile"}, list(a.Check(floor(sla.Floor{Path: "grade"}))))
	require.ErrorContains(t, a.Check(floor(sla.Floor{Path: "grade"}), floor(sla.Floor{Path: "grade"})), `two have the id "m"`)
	require.ErrorIs(t, a.Check(sla.Minimum{ID: "m"}), opsec.ErrInvalid)
}

func TestAMinimumThatCouldNotBeAppliedIsRefused(t *testing.T) {
	for _, f := range []sla.Floor{
		{}, {Path: "colour"}, {Path: "clause..data"}, {Path: ".clause"}, {Path: "clause."}, {Path: "services[*"}, {Path: "services[*]x"}, {Path: "services[*]."}, {Path: "services[-1]"}, {Path: "services[01]"},
		{Path: "services[70000]"}, {Path: "services[]"}, {Path: "services[id=]"}, {Path: "services[=x]"}, {Path: "services[colour=red]"}, {Path: "services[objectives=x]"}, {Path: "grade[*]"}, {Path: "grade[id=x]"},
		{Path: "services.id"}, {Path: "effective.wall"}, {Path: strings.Repeat("x", 257)},
		{Path: "clause.data.backup.rpo", Most: "soon"}, {Path: "clause.data.backup.offSite", Least: "1.5"}, {Path: "services[*].objectives[*].target", Least: "-1"}, {Path: "clause.data", Least: "1"},
		{Path: "clause.certification.held[*].expires", Least: "tomorrow"}, {Path: "clause.data.deletion.certificate", Most: "1"}, {Path: "services[*].objectives[*].minRequests", Least: "-1"},
		{Path: "clause.data.backup.rpo", Has: []string{"x"}}, {Path: "clause.measures.malware.controls", OneOf: []string{"x"}}, {Path: "grade", Least: "gold"},
	} {
		require.ErrorIs(t, floor(f).Validate(), opsec.ErrInvalid, "%+v", f)
	}
	ok := sla.Floor{Path: "grade"}
	require.NoError(t, sla.Minimum{ID: "m", Source: "x", Floors: slices.Repeat([]sla.Floor{ok}, sla.MaxItems)}.Validate())
	for _, m := range []sla.Minimum{{}, {ID: "m", Source: "x", Floors: slices.Repeat([]sla.Floor{ok}, sla.MaxItems+1)}, {ID: "m", Source: "x"}, {ID: "m", Floors: []sla.Floor{ok}}, {Source: "x", Floors: []sla.Floor{ok}}} {
		require.ErrorIs(t, m.Validate(), opsec.ErrInvalid)
	}
}

func TestAMinimumIsReadStrictly(t *testing.T) {
	m, err := sla.ParseMinimum([]byte("id: x\nsource: here\nlaws: [DE]\nfloors:\n- {path: clause.data.backup.rto, most: 4h, why: § 1}\n"))
	require.NoError(t, err)
	require.Equal(t, sla.Minimum{ID: "x", Source: "here", Laws: []string{"DE"}, Floors: []sla.Floor{{Path: "clause.data.backup.rto", Most: "4h", Why: "§ 1"}}}, m)
	for _, bad := range []string{"", "id: x", "ID: x", "id: x\nsource: y\nfloors: [{path: colour}]"} {
		_, err := sla.ParseMinimum([]byte(bad))
		require.ErrorIs(t, err, opsec.ErrInvalid, bad)
	}
}

// A stricter figure never falls below a floor that the laxer one keeps.
func TestStricterFiguresKeepTheFloor(t *testing.T) {
	a := sample(t, "iaas")
	m := floor(sla.Floor{Path: "clause.data.backup.rto", Most: "1h"})
	below := true
	for rto := 2 * time.Hour; rto > 0; rto -= 7 * time.Minute {
		a.Clause.Data.Backup.RTO = metric.Duration(rto)
		now := a.Check(m) != nil
		require.False(t, now && !below, rto)
		require.Equal(t, rto > time.Hour, now)
		below = now
	}
}

func FuzzParseMinimum(f *testing.F) {
	f.Add([]byte("id: x\nsource: y\nlaws: [DE]\nfloors:\n- {path: 'clause.emergency.targets[measure=acceptance,severity=critical].each', most: 4h}\n- {path: 'services[*].objectives[*].target', least: 99.9%, any: true}\n- {path: clause.measures.authentication.controls, has: [mfa]}"))
	f.Add([]byte(`{"id":"x","source":"y","floors":[{"path":"services[0].id","oneOf":["a"]}]}`))
	a := sample(f, "iaas")
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := sla.ParseMinimum(text)
		if err != nil {
			if !errors.Is(err, opsec.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		err = a.Check(m)
		if m.Applies(a) != (len(sla.Faults(err)) > 0) && err != nil {
			t.Fatal(err)
		}
		_ = new(sla.Agreement).Check(m) // must not panic
	})
}
