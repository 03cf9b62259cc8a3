package competence_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme/competence"
)

func withdrawn(at time.Time) func(*competence.Certificate) {
	return func(c *competence.Certificate) { c.Withdrawn = at }
}

func dropped(at time.Time) func(*competence.Certificate) {
	return func(c *competence.Certificate) { c.Dropped = at }
}

func scope(s string) func(*competence.Certificate) {
	return func(c *competence.Certificate) { c.Scope = s }
}

func surveyed(list ...competence.Surveillance) func(*competence.Certificate) {
	return func(c *competence.Certificate) { c.Surveillance = list }
}

func TestEveryWarningIsGivenAndItsNearMissIsNot(t *testing.T) {
	old := certificate("a")
	next := func(from int, changes ...func(*competence.Certificate)) competence.Certificate {
		return certificate("b", append([]func(*competence.Certificate){runs(day(from), day(2000)), replaces("a")}, changes...)...)
	}
	list := func(c ...competence.Certificate) []competence.Certificate { return c }
	due := func(n int, stage competence.Days) competence.Warning {
		return competence.Warning{Certificate: "a", Reason: competence.RenewalDue, When: day(n), Stage: stage}
	}
	gap := competence.Warning{Certificate: "a", Reason: competence.Gap, When: day(1000), Until: day(1001), Successor: "b"}
	lapsed := competence.Warning{Certificate: "a", Reason: competence.Lapsed, When: day(1000)}
	watched := certificate("a", surveyed(
		competence.Surveillance{Due: day(300), Done: day(310), Evidence: sum(4)}, competence.Surveillance{Due: day(600)}))
	tests := []struct {
		name string
		all  []competence.Certificate
		at   time.Time
		want []competence.Warning
	}{
		{"not yet issued", list(old), day(0).Add(-moment), nil},
		{"long before", list(old), day(970).Add(-moment), nil},
		{"first stage", list(old), day(970), []competence.Warning{due(1000, 30)}},
		{"second stage", list(old), day(993), []competence.Warning{due(1000, 7)}},
		{"last moment", list(old), day(1000).Add(-moment), []competence.Warning{due(1000, 7)}},
		{"lapsed", list(old), day(1000), []competence.Warning{lapsed}},
		{"long lapsed", list(old), day(9000), []competence.Warning{lapsed}},
		{"renewed ahead", list(old, next(999)), day(995), nil},
		{"renewed to the moment", list(next(1000), old), day(1000), nil},
		{"renewed late, before", list(old, next(1001)), day(995), []competence.Warning{gap}},
		{"renewed late, between", list(old, next(1001)), day(1000), []competence.Warning{gap, lapsed}},
		{"renewed late, after", list(old, next(1001)), day(1001), []competence.Warning{gap}},
		{"the earliest that follows counts",
			list(old, certificate("c", runs(day(1100), day(2000)), replaces("a")), next(900)), day(1050), nil},
		{"what was void follows nothing", list(old, next(900, withdrawn(day(900)))), day(995), []competence.Warning{
			due(1000, 7), {Certificate: "b", Reason: competence.Withdrawn, When: day(900)}}},
		{"what ended sooner followed nothing", list(old, next(900, withdrawn(day(950)), dropped(day(960)))), day(995),
			[]competence.Warning{due(1000, 7)}},
		{"nor is it in the way of the next", list(old, next(900, withdrawn(day(950))),
			certificate("c", runs(day(1100), day(2000)), replaces("a"))), day(1050), []competence.Warning{
			{Certificate: "a", Reason: competence.Gap, When: day(1000), Until: day(1100), Successor: "c"}, lapsed,
			{Certificate: "b", Reason: competence.Withdrawn, When: day(950)}}},
		{"what ends at the same time follows", list(old, next(900, runs(day(900), day(1000)))), day(999), []competence.Warning{
			{Certificate: "b", Reason: competence.RenewalDue, When: day(1000), Stage: 7}}},
		{"another scope", list(old, next(900, scope("one region"))), day(995), []competence.Warning{
			{Certificate: "a", Reason: competence.ScopeChanged, When: day(900), Successor: "b"}}},
		{"withdrawal is known ahead", list(certificate("a", withdrawn(day(500)))), day(495),
			[]competence.Warning{due(500, 7)}},
		{"withdrawn", list(certificate("a", withdrawn(day(500)))), day(500), []competence.Warning{
			{Certificate: "a", Reason: competence.Withdrawn, When: day(500)}}},
		{"withdrawn and replaced", list(certificate("a", withdrawn(day(500))), next(500)), day(500), nil},
		{"withdrawn after its end", list(certificate("a", withdrawn(day(1001)))), day(1002), []competence.Warning{lapsed}},
		{"not dropped yet", list(certificate("a", dropped(day(990)))), day(990).Add(-moment), []competence.Warning{due(1000, 30)}},
		{"dropped", list(certificate("a", dropped(day(990)))), day(990), nil},
		{"surveillance in time", list(watched), day(299), []competence.Warning{
			{Certificate: "a", Reason: competence.SurveillanceDue, When: day(300), Stage: 7}}},
		{"surveillance late", list(watched), day(310).Add(-moment), []competence.Warning{
			{Certificate: "a", Reason: competence.SurveillanceOverdue, When: day(300)}}},
		{"surveillance done", list(watched), day(310), nil},
		{"next surveillance far", list(watched), day(570).Add(-moment), nil},
		{"next surveillance soon", list(watched), day(570), []competence.Warning{
			{Certificate: "a", Reason: competence.SurveillanceDue, When: day(600), Stage: 30}}},
		{"next surveillance due", list(watched), day(600), []competence.Warning{
			{Certificate: "a", Reason: competence.SurveillanceOverdue, When: day(600)}}},
		{"surveillance of what is replaced", list(watched, next(590)), day(595), nil},
		{"surveillance of what will be", list(watched, next(700)), day(600), []competence.Warning{
			{Certificate: "a", Reason: competence.SurveillanceOverdue, When: day(600)}}},
		{"surveillance of what has lapsed", list(watched), day(1000), []competence.Warning{lapsed}},
		{"by certificate", list(certificate("b"), old), day(1000), []competence.Warning{lapsed,
			{Certificate: "b", Reason: competence.Lapsed, When: day(1000)}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := policy().Renewals(test.all, test.at)
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}

func TestStandardThatIsNotHeldIsWarnedOf(t *testing.T) {
	p := policy()
	p.Hold = []string{"ISO/IEC 27001:2022", "ISO/IEC 27017:2015"}
	other := certificate("b", runs(day(10), day(20)))
	other.Name = "ISO/IEC 27017:2015"
	all := []competence.Certificate{certificate("a", withdrawn(day(500)), dropped(day(1))), other}
	for _, test := range []struct {
		at   time.Time
		want []string
	}{
		{day(0).Add(-moment), p.Hold},
		{day(0), p.Hold[1:]},
		{day(10), nil},
		{day(20).Add(-moment), nil},
		{day(20), p.Hold[1:]},
		{day(500), p.Hold},
	} {
		warnings, err := p.Renewals(all, test.at)
		require.NoError(t, err)
		var names []string
		for _, w := range warnings {
			if w.Reason == competence.NotHeld {
				require.Empty(t, w.Certificate)
				names = append(names, w.Name)
			}
		}
		require.Equal(t, test.want, names, "%v", test.at)
	}
}

func TestCertificatesOutOfBoundsAreRefused(t *testing.T) {
	audit := competence.Surveillance{Due: day(500)}
	much := make([]competence.Surveillance, competence.MaxSurveillance+1)
	for i := range much {
		much[i].Due = day(i + 1)
	}
	tests := map[string]func(*competence.Certificate){
		"id":                  func(c *competence.Certificate) { c.ID = "" },
		"name":                func(c *competence.Certificate) { c.Name = long },
		"scope":               scope("a\tb"),
		"body":                func(c *competence.Certificate) { c.Body = "" },
		"issued":              runs(time.Time{}, day(1)),
		"expires":             runs(day(1), day(1)),
		"no end":              runs(day(1), time.Time{}),
		"replaces":            replaces(long),
		"evidence":            func(c *competence.Certificate) { c.Evidence = "" },
		"withdrawn":           withdrawn(day(-1)),
		"dropped":             dropped(time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)),
		"surveillance early":  surveyed(competence.Surveillance{Due: day(0)}),
		"surveillance late":   surveyed(competence.Surveillance{Due: day(1000).Add(moment)}),
		"surveillance twice":  surveyed(audit, audit),
		"surveillance unseen": surveyed(competence.Surveillance{Due: day(500), Done: day(500)}),
		"surveillance undone": surveyed(competence.Surveillance{Due: day(500), Evidence: sum(1)}),
		"surveillance before": surveyed(competence.Surveillance{Due: day(500), Done: day(-1), Evidence: sum(1)}),
		"surveillance of odd": surveyed(competence.Surveillance{Due: day(500), Done: day(500), Evidence: "x"}),
		"much surveillance":   surveyed(much...),
	}
	require.NoError(t, certificate("a", surveyed(audit)).Validate())
	require.NoError(t, certificate("a", surveyed(much[1:]...)).Validate())
	for name, change := range tests {
		c := certificate("a", change)
		require.ErrorIs(t, c.Validate(), opsec.ErrInvalid, name)
		_, err := policy().Renewals([]competence.Certificate{c}, day(1))
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
	}
}

func TestCertificatesThatDoNotFollowEachOtherAreRefused(t *testing.T) {
	later := runs(day(1), day(1000))
	for name, all := range map[string][]competence.Certificate{
		"id twice":     {certificate("a"), certificate("a", later)},
		"not there":    {certificate("a", replaces("z"))},
		"itself":       {certificate("a", replaces("a"))},
		"each other":   {certificate("a", replaces("b")), certificate("b", later, replaces("a"))},
		"at one time":  {certificate("a"), certificate("b", replaces("a"))},
		"its follower": {certificate("a", later), certificate("b", replaces("a"))},
	} {
		_, err := policy().Renewals(all, day(1))
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
		_, err = policy().NextWarning(all, day(1))
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
	}
	_, err := competence.Policy{}.Renewals(nil, day(1))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = competence.Policy{}.NextWarning(nil, day(1))
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func someCertificates(t *rapid.T) (all []competence.Certificate) {
	for i := range rapid.IntRange(0, 5).Draw(t, "certificates") {
		c := certificate(string(rune('a'+i)), runs(instants(t, "issued"), day(130)),
			scope(rapid.SampledFrom([]string{"all regions", "one region"}).Draw(t, "scope")))
		if e := instants(t, "expires"); e.After(c.Issued) {
			c.Expires = e
		}
		if e := instants(t, "withdrawn"); rapid.Bool().Draw(t, "is withdrawn") && !e.Before(c.Issued) {
			c.Withdrawn = e
		}
		if rapid.IntRange(0, 5).Draw(t, "is dropped") == 0 {
			c.Dropped = instants(t, "dropped")
		}
		if due := instants(t, "due"); due.After(c.Issued) && !due.After(c.Expires) {
			s := competence.Surveillance{Due: due}
			if done := instants(t, "done"); rapid.Bool().Draw(t, "is done") && !done.Before(c.Issued) {
				s.Done, s.Evidence = done, sum(1)
			}
			c.Surveillance = append(c.Surveillance, s)
		}
		earlier := slices.DeleteFunc(slices.Clone(all), func(o competence.Certificate) bool { return !o.Issued.Before(c.Issued) })
		if len(earlier) > 0 && rapid.Bool().Draw(t, "replaces") {
			c.Replaces = rapid.SampledFrom(earlier).Draw(t, "which").ID
		}
		all = append(all, c)
	}
	return all
}

func TestNothingChangesBeforeTheNextWarning(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, all, at := somePolicy(t), someCertificates(t), instants(t, "at")
		now, err := p.Renewals(all, at)
		require.NoError(t, err)
		next, err := p.NextWarning(all, at)
		require.NoError(t, err)
		last := day(100_000)
		if !next.IsZero() {
			require.True(t, next.After(at))
			last = next.Add(-moment)
		}
		for _, later := range []time.Time{last, within(t, at, last)} {
			then, err := p.Renewals(all, later)
			require.NoError(t, err)
			require.Equal(t, now, then)
		}
	})
}

// end is when a certificate stops counting.
func end(c competence.Certificate) time.Time {
	if !c.Withdrawn.IsZero() && c.Withdrawn.Before(c.Expires) {
		return c.Withdrawn
	}
	return c.Expires
}

// TestNoCertificateEndsUnnoticed: whatever the certificates, one that has ended and that nothing has replaced is warned
// of, unless it was dropped; and one that is warned of has ended, or ends within the longest stage.
func TestNoCertificateEndsUnnoticed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, all, at := somePolicy(t), someCertificates(t), instants(t, "at")
		warnings, err := p.Renewals(all, at)
		require.NoError(t, err)
		for _, c := range all {
			ended := !at.Before(c.Expires) || !c.Withdrawn.IsZero() && !at.Before(c.Withdrawn)
			replaced := slices.ContainsFunc(all, func(o competence.Certificate) bool {
				return o.Replaces == c.ID && !at.Before(o.Issued) && !o.Withdrawn.Equal(o.Issued) && !end(o).Before(end(c))
			})
			gone := at.Before(c.Issued) || !c.Dropped.IsZero() && !at.Before(c.Dropped)
			noticed := slices.ContainsFunc(warnings, func(w competence.Warning) bool {
				return w.Certificate == c.ID && (w.Reason == competence.Lapsed || w.Reason == competence.Withdrawn)
			})
			require.Equal(t, ended && !replaced && !gone, noticed, c.ID)
		}
		for _, w := range warnings {
			soon := w.Reason == competence.RenewalDue || w.Reason == competence.SurveillanceDue
			require.Equal(t, soon, w.Stage > 0)
			if soon {
				require.True(t, w.When.After(at))
				require.Contains(t, p.Warn, w.Stage)
				require.LessOrEqual(t, w.When.Sub(at), time.Duration(w.Stage)*24*time.Hour)
			}
		}
	})
}
