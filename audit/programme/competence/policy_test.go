package competence_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme/competence"
)

var ann = []competence.Staff{{Person: "ann", Duties: []string{"audit virtualisation"}}}

// TestEveryTroubleIsFoundAndItsNearMissIsNot has for each trouble a case, and one that differs by as little as can be.
func TestEveryTroubleIsFoundAndItsNearMissIsNot(t *testing.T) {
	list := func(r ...competence.Record) []competence.Record { return r }
	renewal := record(between(day(100), day(200)))
	tests := []struct {
		name    string
		records []competence.Record
		at      time.Time
		want    competence.Trouble
		end     time.Time
		stage   competence.Days
	}{
		{"no record", nil, day(1), competence.NeverTrained, time.Time{}, 0},
		{"of another subject", list(record(about("networks"))), day(1), competence.NeverTrained, time.Time{}, 0},
		{"of another kind", list(record(as(competence.Training))), day(1), competence.Unqualified, time.Time{}, 0},
		{"not yet", list(record()), day(0).Add(-moment), competence.Unqualified, time.Time{}, 0},
		{"never to end", list(record(between(day(0), time.Time{}))), day(1), competence.Unqualified, time.Time{}, 0},
		{"from its issue on", list(record()), day(0), "", time.Time{}, 0},
		{"before any stage", list(record()), day(70).Add(-moment), "", time.Time{}, 0},
		{"first stage", list(record()), day(70), competence.Expiring, day(100), 30},
		{"first stage's last moment", list(record()), day(93).Add(-moment), competence.Expiring, day(100), 30},
		{"second stage", list(record()), day(93), competence.Expiring, day(100), 7},
		{"last moment", list(record()), day(100).Add(-moment), competence.Expiring, day(100), 7},
		{"run out", list(record()), day(100), competence.Expired, day(100), 0},
		{"renewed in time", list(record(), renewal), day(99), "", time.Time{}, 0},
		{"renewed to the moment", list(renewal, record()), day(100), "", time.Time{}, 0},
		{"renewed a moment late", list(record(), record(between(day(100).Add(moment), day(200)))), day(99),
			competence.Expiring, day(100), 7},
		{"between the two", list(record(), record(between(day(102), day(200)))), day(101),
			competence.Expired, day(100), 0},
		{"renewed twice", list(record(between(day(200), day(300))), renewal, record()), day(99), "", time.Time{}, 0},
		{"end of the last renewal", list(renewal, record()), day(171), competence.Expiring, day(200), 30},
		{"renewal for less", list(record(), record(between(day(90), day(95)))), day(92),
			competence.Expiring, day(100), 30},
		{"revoked", list(record(revoked(day(50)))), day(50), competence.Revoked, day(50), 0},
		{"void", list(record(revoked(day(0)))), day(50), competence.Revoked, day(0), 0},
		{"before it is revoked", list(record(revoked(day(50)))), day(50).Add(-moment), competence.Expiring, day(50), 7},
		{"revoked, and another holds", list(record(revoked(day(50))), record(between(day(1), day(99)))), day(51),
			"", time.Time{}, 0},
		{"revoked, and another has run out since", list(record(revoked(day(50))), record(between(day(1), day(60)))),
			day(61), competence.Expired, day(60), 0},
		{"renewal is revoked", list(record(), record(between(day(100), day(200)), revoked(day(100)))), day(99),
			competence.Expiring, day(100), 7},
		{"of somebody else", list(record(of("bob"))), day(1), competence.NeverTrained, time.Time{}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			found, err := policy().Examine(ann, test.records, test.at)
			require.NoError(t, err)
			if test.want == "" {
				require.Empty(t, found)
				return
			}
			require.Len(t, found, 1)
			f := found[0]
			require.Equal(t, test.want, f.Trouble)
			require.Equal(t, []any{"ann", "audit virtualisation", certified}, []any{f.Person, f.Duty, f.Need})
			require.True(t, test.end.Equal(f.End), "%v", f.End)
			require.Equal(t, test.stage, f.Stage)
			require.Equal(t, test.end.IsZero(), f.Record == "")
			if f.Record != "" {
				require.True(t, slices.ContainsFunc(test.records, func(r competence.Record) bool { return r.Ref() == f.Record }))
			}
		})
	}
}

func TestDutyThatThePolicyDoesNotKnowIsFound(t *testing.T) {
	staff := []competence.Staff{
		{Person: "bob", Duties: []string{"gardening"}}, {Person: "ann", Duties: []string{"gardening", "audit virtualisation"}},
		{Person: "ann", Duties: []string{"gardening"}}, {Person: "eve"}, {Person: "bob"},
	}
	found, err := policy().Examine(staff, []competence.Record{record(), record(of("eve"))}, day(1))
	require.NoError(t, err)
	require.Equal(t, []competence.Finding{
		{Person: "ann", Duty: "gardening", Trouble: competence.UnknownDuty},
		{Person: "bob", Duty: "gardening", Trouble: competence.UnknownDuty},
	}, found)
}

func TestExaminationOfWhatIsNotValidIsRefused(t *testing.T) {
	_, err := competence.Policy{}.Examine(ann, nil, day(1))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = policy().Examine([]competence.Staff{{}}, nil, day(1))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = policy().Examine(ann, []competence.Record{{}}, day(1))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = policy().NextFinding(ann, []competence.Record{{}}, day(1))
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestPoliciesOutOfBoundsAreRefused(t *testing.T) {
	require.NoError(t, policy().Validate())
	many := map[string][]competence.Need{}
	for i := range competence.MaxDuties + 1 {
		many[sum(i)] = []competence.Need{certified}
	}
	stages := make([]competence.Days, competence.MaxStages+1)
	for i := range stages {
		stages[i] = competence.Days(len(stages) - i)
	}
	for name, change := range map[string]func(*competence.Policy){
		"no warning":      func(p *competence.Policy) { p.Warn = nil },
		"warning of zero": func(p *competence.Policy) { p.Warn = []competence.Days{7, 0} },
		"not in order":    func(p *competence.Policy) { p.Warn = []competence.Days{7, 30} },
		"twice":           func(p *competence.Policy) { p.Warn = []competence.Days{7, 7} },
		"too early":       func(p *competence.Policy) { p.Warn = []competence.Days{36_526} },
		"too many stages": func(p *competence.Policy) { p.Warn = stages },
		"duty unnamed":    func(p *competence.Policy) { p.Duties[""] = []competence.Need{certified} },
		"duty of nothing": func(p *competence.Policy) { p.Duties["x"] = nil },
		"duty of much":    func(p *competence.Policy) { p.Duties["x"] = slices.Repeat([]competence.Need{certified}, 65) },
		"bad need":        func(p *competence.Policy) { p.Duties["x"] = []competence.Need{{}} },
		"holds nothing":   func(p *competence.Policy) { p.Hold = []string{""} },
		"holds twice":     func(p *competence.Policy) { p.Hold = []string{"x", "x"} },
		"holds much": func(p *competence.Policy) {
			for i := range competence.MaxHold + 1 {
				p.Hold = append(p.Hold, sum(i))
			}
		},
		"too many duties": func(p *competence.Policy) { p.Duties = many },
	} {
		p := policy()
		change(&p)
		require.ErrorIs(t, p.Validate(), opsec.ErrInvalid, name)
	}
}

func TestPolicyIsReadStrictly(t *testing.T) {
	text, err := json.Marshal(policy())
	require.NoError(t, err)
	require.JSONEq(t, `{"duties": {
		"audit virtualisation": [{"subject": "virtualisation", "kinds": ["certification"]}],
		"audit data": [{"subject": "data operations", "kinds": ["certification"]},
			{"subject": "virtualisation", "kinds": ["certification"]}]
	}, "warn": [30, 7]}`, string(text))
	var back competence.Policy
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, policy(), back)
	for _, bad := range []string{
		`{"warn": [7], "duty": {}}`, `{"duties": {"x": [{"subject": "s", "kinds": [], "older": 1}]}}`, `{"warn": ["7"]}`,
	} {
		require.Error(t, json.Unmarshal([]byte(bad), &back), bad)
	}
}

// instants is a small grid of days with moments beside them, so that ends meet often.
func instants(t *rapid.T, name string) time.Time {
	return day(rapid.IntRange(0, 12).Draw(t, name)*10 - 10).Add(time.Duration(rapid.IntRange(-1, 1).Draw(t, name+" moment")))
}

// within is an instant between two.
func within(t *rapid.T, from, until time.Time) time.Time {
	return from.Add(time.Duration(rapid.Float64Range(0, 1).Draw(t, "where") * float64(until.Sub(from))))
}

func someRecords(t *rapid.T) []competence.Record {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) competence.Record {
		r := record(
			of(rapid.SampledFrom([]string{"ann", "bob"}).Draw(t, "person")),
			about(rapid.SampledFrom([]string{"virtualisation", "data operations"}).Draw(t, "subject")),
			as(rapid.SampledFrom([]competence.Kind{competence.Training, competence.Certification}).Draw(t, "kind")),
			between(instants(t, "issued"), time.Time{}))
		if e := instants(t, "expires"); e.After(r.Issued) {
			r.Expires = e
		}
		if e := instants(t, "revoked"); rapid.Bool().Draw(t, "is revoked") && !e.Before(r.Issued) {
			r.Revoked = e
		}
		return r
	}), 0, 8).Draw(t, "records")
}

func somePolicy(t *rapid.T) competence.Policy {
	age := competence.Days(rapid.SampledFrom([]int{0, 20, 50}).Draw(t, "within"))
	return competence.Policy{
		Hold: rapid.SampledFrom([][]string{nil, {"ISO/IEC 27001:2022"}}).Draw(t, "hold"),
		Duties: map[string][]competence.Need{
			"audit": {certified, {Subject: "data operations", Kinds: []competence.Kind{competence.Training}, Within: age}},
		},
		Warn: rapid.SampledFrom([][]competence.Days{{30}, {20, 10}, {10, 1}}).Draw(t, "warn"),
	}
}

func TestNothingChangesBeforeTheNextFinding(t *testing.T) {
	staff := []competence.Staff{{Person: "ann", Duties: []string{"audit"}}, {Person: "bob", Duties: []string{"audit", "x"}}}
	rapid.Check(t, func(t *rapid.T) {
		p, records, at := somePolicy(t), someRecords(t), instants(t, "at")
		now, err := p.Examine(staff, records, at)
		require.NoError(t, err)
		next, err := p.NextFinding(staff, records, at)
		require.NoError(t, err)
		last := day(100_000)
		if !next.IsZero() {
			require.True(t, next.After(at))
			last = next.Add(-moment)
		}
		for _, later := range []time.Time{last, within(t, at, last)} {
			then, err := p.Examine(staff, records, later)
			require.NoError(t, err)
			require.Equal(t, now, then)
		}
	})
}

// TestExaminationAgreesWithQualified: somebody is qualified for a duty if and only if the only trouble is one to come.
// What is held against it is a plain reading of the rules.
func TestExaminationAgreesWithQualified(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, records, at := somePolicy(t), someRecords(t), instants(t, "at")
		needs := p.Duties["audit"]
		found, err := p.Examine([]competence.Staff{{Person: "ann", Duties: []string{"audit"}}}, records, at)
		require.NoError(t, err)
		unmet := slices.ContainsFunc(found, func(f competence.Finding) bool { return f.Trouble != competence.Expiring })
		basis, err := competence.Qualified(records, "ann", needs, at)
		require.Equal(t, unmet, err != nil)

		met := 0
		for _, n := range needs {
			if slices.ContainsFunc(records, func(r competence.Record) bool { return plainly(r, n, at) }) {
				met++
			}
		}
		require.Equal(t, met == len(needs), err == nil)
		for i, r := range basis {
			require.True(t, plainly(r, needs[i], at))
		}
		shuffled := rapid.Permutation(records).Draw(t, "shuffled")
		again, err := p.Examine([]competence.Staff{{Person: "ann", Duties: []string{"audit"}}}, shuffled, at)
		require.NoError(t, err)
		require.Equal(t, found, again, "whatever the order of the records")
	})
}

func plainly(r competence.Record, n competence.Need, at time.Time) bool {
	return r.Person == "ann" && r.Subject == n.Subject && slices.Contains(n.Kinds, r.Kind) &&
		at.Compare(r.Issued) >= 0 &&
		(r.Expires.IsZero() || at.Compare(r.Expires) < 0) &&
		(r.Revoked.IsZero() || at.Compare(r.Revoked) < 0) &&
		(n.Within == 0 && !r.Expires.IsZero() || at.Sub(r.Issued) < time.Duration(n.Within)*24*time.Hour)
}
