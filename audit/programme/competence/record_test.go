package competence_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme/competence"
)

func TestRecordCountsFromIssueUntilItsEnd(t *testing.T) {
	within := certified
	within.Within = 10
	endless := record(between(day(0), time.Time{}))
	tests := []struct {
		name    string
		record  competence.Record
		need    competence.Need
		at      time.Time
		missing bool
		expired bool
	}{
		{"before its issue", record(), certified, day(0).Add(-moment), true, false},
		{"at its issue", record(), certified, day(0), false, false},
		{"the moment before its end", record(), certified, day(100).Add(-moment), false, false},
		{"at its end", record(), certified, day(100), false, true},
		{"young enough", record(), within, day(10).Add(-moment), false, false},
		{"too old, though it has not run out", record(), within, day(10), false, true},
		{"run out, though it is not old", record(between(day(0), day(5))), within, day(5), false, true},
		{"without an end, young enough", endless, within, day(9), false, false},
		{"without an end, too old", endless, within, day(10), false, true},
		{"without an end, for a need without an age", endless, certified, day(1), true, false},
		{"before it is revoked", record(revoked(day(50))), certified, day(50).Add(-moment), false, false},
		{"when it is revoked", record(revoked(day(50))), certified, day(50), false, true},
		{"void from the start", record(revoked(day(0))), certified, day(0), false, true},
		{"of another subject", record(about("networks")), certified, day(1), true, false},
		{"of another kind", record(as(competence.Training)), certified, day(1), true, false},
		{"of somebody else", record(of("bob")), certified, day(1), true, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			records := []competence.Record{test.record}
			basis, err := competence.Qualified(records, "ann", []competence.Need{test.need}, test.at)
			if !test.missing && !test.expired {
				require.NoError(t, err)
				require.Equal(t, records, basis)
				return
			}
			require.ErrorIs(t, err, opsec.ErrDenied)
			require.Nil(t, basis)
			var wrong *competence.UnqualifiedError
			require.ErrorAs(t, err, &wrong)
			require.Equal(t, "ann", wrong.Person)
			require.Equal(t, test.missing, len(wrong.Missing) == 1)
			require.Equal(t, test.expired, len(wrong.Expired) == 1)
		})
	}
}

func TestEveryNeedIsMetByWhatLastsLongest(t *testing.T) {
	short, long := record(between(day(0), day(50))), record(between(day(-10), day(90)))
	course := record(as(competence.Training), about("data operations"))
	any := competence.Need{
		Subject: "data operations", Kinds: []competence.Kind{competence.Experience, competence.Training},
	}
	needs := []competence.Need{any, certified}
	records := []competence.Record{short, record(of("bob"), between(day(0), day(99))), long, course}
	basis, err := competence.Qualified(records, "ann", needs, day(20))
	require.NoError(t, err)
	require.Equal(t, []competence.Record{course, long}, basis)

	_, err = competence.Qualified(records, "bob", needs, day(20))
	var wrong *competence.UnqualifiedError
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, []competence.Need{any}, wrong.Missing)
	require.Empty(t, wrong.Expired)
}

func TestNobodyIsQualifiedForNothing(t *testing.T) {
	_, err := competence.Qualified([]competence.Record{record()}, "ann", nil, day(1))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = competence.Qualified(nil, "ann", []competence.Need{{}}, day(1))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = competence.Qualified([]competence.Record{{}}, "ann", []competence.Need{certified}, day(1))
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestRecordsOutOfBoundsAreRefused(t *testing.T) {
	tests := map[string]func(*competence.Record){
		"person":            of(""),
		"long person":       of(long),
		"person with space": of(" ann"),
		"subject":           about("a\nb"),
		"turned subject":    about("a\u202eb"),
		"not UTF-8":         about("\xff"),
		"kind":              as("rumour"),
		"issuer":            func(r *competence.Record) { r.Issuer = "" },
		"one's own word":    func(r *competence.Record) { r.Issuer = r.Person },
		"issued":            between(time.Time{}, day(1)),
		"issued late":       between(time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC), time.Time{}),
		"expires":           between(day(1), day(1)),
		"evidence":          func(r *competence.Record) { r.Evidence = sum(1)[:70] },
		"evidence in upper": func(r *competence.Record) { r.Evidence = "sha256:A" + sum(1)[8:] },
		"evidence unnamed":  func(r *competence.Record) { r.Evidence = sum(1)[7:] },
		"revoked":           revoked(day(0).Add(-moment)),
	}
	require.NoError(t, record().Validate())
	for name, change := range tests {
		require.ErrorIs(t, record(change).Validate(), opsec.ErrInvalid, name)
	}
}

func TestNeedsOutOfBoundsAreRefused(t *testing.T) {
	require.NoError(t, certified.Validate())
	k := competence.Training
	for name, n := range map[string]competence.Need{
		"subject":      {Kinds: []competence.Kind{k}},
		"no kind":      {Subject: "s"},
		"unknown kind": {Subject: "s", Kinds: []competence.Kind{"rumour"}},
		"kind twice":   {Subject: "s", Kinds: []competence.Kind{k, k}},
		"negative age": {Subject: "s", Kinds: []competence.Kind{k}, Within: -1},
		"great age":    {Subject: "s", Kinds: []competence.Kind{k}, Within: 36_526},
	} {
		require.ErrorIs(t, n.Validate(), opsec.ErrInvalid, name)
	}
}

func TestReferenceIsOfWhatARecordSays(t *testing.T) {
	const want = "sha256:59591e760a4ae49bbfdf4cea6e6c3d7fd5d39f4b704583d14c80988f86d3a0d7"
	r := record()
	require.Equal(t, want, r.Ref(), "what is in logs must be found for ever")
	require.Equal(t, want, record(revoked(day(9))).Ref(), "its end changes nothing")

	berlin := time.FixedZone("", 3600)
	require.Equal(t, want, record(between(day(0).In(berlin), day(100).In(berlin))).Ref())
	text, err := json.Marshal(r)
	require.NoError(t, err)
	var back competence.Record
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, want, back.Ref())

	seen := map[string]bool{want: true}
	for _, other := range []competence.Record{
		record(of("bob")), record(about("x")), record(as(competence.Training)), record(between(day(1), day(100))),
		record(between(day(0), day(99))), record(between(day(0), time.Time{})), record(between(day(0).Add(moment), day(100))),
		record(func(r *competence.Record) { r.Issuer = "x" }), record(func(r *competence.Record) { r.Evidence = sum(3) }),
		record(func(r *competence.Record) { r.Person, r.Subject = "annv", "irtualisation" }),
	} {
		require.False(t, seen[other.Ref()], "%+v", other)
		seen[other.Ref()] = true
	}
}
