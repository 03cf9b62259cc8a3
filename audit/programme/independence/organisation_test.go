package independence_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/audit/programme/independence"
)

func TestCirclesOfLinesAreRefused(t *testing.T) {
	o := staffed()
	require.NoError(t, o.Validate())
	o.Lines = append(o.Lines, independence.Line{Person: "eve", Manager: "cat"}, independence.Line{Person: "fay", Manager: "eve"})
	circle, ok := errors.AsType[*independence.CycleError](o.Validate())
	require.True(t, ok)
	require.ErrorIs(t, circle, opsec.ErrInvalid)
	require.ElementsMatch(t, []string{"cat", "dan", "eve"}, circle.Persons)
	for i, p := range circle.Persons {
		require.Contains(t, o.Lines, independence.Line{Person: p, Manager: circle.Persons[(i+1)%3]})
	}
}

func TestPartsMayBeChangedWithTime(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }
	swap := independence.Organisation{Lines: []independence.Line{
		{Person: "ann", Manager: "bob", Until: day(10)}, {Person: "bob", Manager: "ann", From: day(10)},
	}}
	require.NoError(t, swap.Validate())
	swap.Lines[0].Until = day(11)
	circle, ok := errors.AsType[*independence.CycleError](swap.Validate())
	require.True(t, ok)
	require.Equal(t, day(10), circle.At)
	require.Equal(t, one("line bob owned"), kinds(t, examine(t, backups, independence.Organisation{
		Lines:  []independence.Line{{Person: "ann", Manager: "bob", Until: day(10)}, {Person: "bob", Manager: "ann", From: day(10)}},
		Owners: []independence.Ownership{{Person: "bob", System: "backup-eu"}},
	}, one("ann")), "ann"))
}

// A circle is there when, at the beginning of some line, somebody can be reached from themselves.
func TestCirclesAreFoundAsByWalkingEverywhere(t *testing.T) {
	line := rapid.Custom(func(t *rapid.T) independence.Line {
		n := rapid.IntRange(1, 6).Draw(t, "from")
		l := independence.Line{Person: rapid.StringMatching(`[a-e]`).Draw(t, "person"), From: time.Unix(int64(n), 0)}
		l.Manager = rapid.StringMatching(`[a-e]`).Filter(func(s string) bool { return s != l.Person }).Draw(t, "manager")
		if until := rapid.IntRange(0, 4).Draw(t, "length"); until > 0 {
			l.Until = time.Unix(int64(n+until), 0)
		}
		return l
	})
	met := map[bool]int{}
	rapid.Check(t, func(t *rapid.T) {
		o := independence.Organisation{Lines: rapid.SliceOfN(line, 0, 8).Draw(t, "lines")}
		want := false
		for s := range int64(12) {
			var reach [5][5]bool
			for _, l := range o.Lines {
				if l.From.Unix() <= s && (l.Until.IsZero() || s < l.Until.Unix()) {
					reach[l.Person[0]-'a'][l.Manager[0]-'a'] = true
				}
			}
			for k := range 5 {
				for i := range 5 {
					for j := range 5 {
						reach[i][j] = reach[i][j] || reach[i][k] && reach[k][j]
					}
				}
			}
			for i := range 5 {
				want = want || reach[i][i]
			}
		}
		err := o.Validate()
		require.Equal(t, want, err != nil, "%v", err)
		met[want]++
	})
	require.NotZero(t, met[true])
	require.NotZero(t, met[false])
}

func TestALongLineIsQuicklySeen(t *testing.T) {
	var o independence.Organisation
	for i := range 100_000 {
		o.Lines = append(o.Lines, independence.Line{Person: fmt.Sprint(i), Manager: fmt.Sprint(i + 1)})
	}
	o.Owners = []independence.Ownership{{Person: "100000", System: "backup-eu"}}
	require.Equal(t, one("line 100000 owned"), kinds(t, examine(t, backups, o, one("0")), "0"))
}

func TestOrganisationsThatCannotBeMeantAreRefused(t *testing.T) {
	early, late := now.Add(-1), now
	for what, o := range map[string]independence.Organisation{
		"nobody owns":          {Owners: []independence.Ownership{{System: "s"}}},
		"owns nothing":         {Owners: []independence.Ownership{{Person: "ann"}}},
		"system":               {Owners: []independence.Ownership{{Person: "ann", System: "*s"}}},
		"action":               {Owners: []independence.Ownership{{Person: "ann", Action: "*s"}}},
		"resource":             {Owners: []independence.Ownership{{Person: "ann", Resource: opsec.Resource{Tenant: "acme"}}}},
		"owned backwards":      {Owners: []independence.Ownership{{Person: "ann", System: "s", From: late, Until: early}}},
		"nobody reports":       {Lines: []independence.Line{{Manager: "ann"}}},
		"reports to nobody":    {Lines: []independence.Line{{Person: "ann"}}},
		"reports to self":      {Lines: []independence.Line{{Person: "ann", Manager: "ann"}}},
		"reports backwards":    {Lines: []independence.Line{{Person: "ann", Manager: "bob", From: late, Until: early}}},
		"a name that is long":  {Lines: []independence.Line{{Person: strings.Repeat("x", 513), Manager: "bob"}}},
		"a name that is bytes": {Lines: []independence.Line{{Person: "\xff", Manager: "bob"}}},
	} {
		require.ErrorIs(t, o.Validate(), opsec.ErrInvalid, what)
	}
}

func TestPolicyIsReadAndWrittenAsJSON(t *testing.T) {
	p := independence.Policy{LookBack: 48 * time.Hour, Ignore: one("programme.*"), Approvals: one("change.*"), Levels: 2, SkipUnattributed: true}
	text, err := json.Marshal(p)
	require.NoError(t, err)
	require.JSONEq(t, `{"look_back":"48h0m0s","ignore":["programme.*"],"approvals":["change.*"],"levels":2,"skip_unattributed":true}`, string(text))
	var back independence.Policy
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, p, back)
	for _, bad := range []string{
		`{"look_back":"-1h"}`, `{"look_back":"876001h"}`, `{"levels":-1}`, `{"ignore":["*x"]}`, `{"approvals":[""]}`, `{"more":1}`,
		`{"look_back":1}`,
	} {
		require.ErrorIs(t, json.Unmarshal([]byte(bad), &back), opsec.ErrInvalid, bad)
		require.Equal(t, p, back)
	}
	require.Equal(t, independence.Policy{}.Digest(), independence.Policy{LookBack: year, Approvals: one("approval.approve")}.Digest())
	require.NotEqual(t, independence.Policy{}.Digest(), p.Digest())
}

func TestActOfAnEvent(t *testing.T) {
	e := opsec.NewEvent("backup.restore", now)
	e.Tenant, e.Outcome, e.System = "acme", opsec.Failure, "backup-eu"
	e.Actor = opsec.Actor{Tenant: opsec.Provider, Account: "a", Person: "ann"}
	e.OnBehalfOf = &opsec.Actor{Person: "bob"}
	e.Resource = opsec.Resource{Tenant: "acme", Type: "volume", ID: "7"}
	e.Attrs = []opsec.Attr{{Key: "action", Value: "x.y"}, {Key: "on", Value: "a/b/c"}} // of another kind of event
	require.Equal(t, independence.Act{
		Time: now, Tenant: "acme", Action: "backup.restore", Outcome: opsec.Failure, System: "backup-eu", Actor: e.Actor, OnBehalfOf: e.OnBehalfOf,
		Resource: e.Resource, Ref: "log/1",
	}, independence.ActOf(e, "log/1"))
}

func TestApprovalsCountForWhatTheyApprove(t *testing.T) {
	human := func(person string) opsec.Actor {
		return opsec.Actor{Tenant: opsec.Provider, Account: person, Person: person, Kind: opsec.Human}
	}
	authority := approval.Authority{Roles: func(opsec.Actor) ([]string, error) { return one("owner"), nil }}
	volume := opsec.Resource{Tenant: "acme", Type: "volume", ID: "eu/7"}
	c, asked, err := approval.New(approval.Request{
		Action: approval.NewAction("quota.set", volume), By: human("ann"), Reason: "grows",
		Policy: approval.Policy{Stages: []approval.Stage{{Name: "one", Rule: approval.Rule{Role: "owner"}}}, SkipSignatures: true},
	}, now.Add(-time.Hour))
	require.NoError(t, err)
	_, approved, err := c.Decide(approval.Decision{Verb: approval.Approve, By: human("bob"), Reason: "yes"}, authority, now)
	require.NoError(t, err)
	a := independence.ActOf(approved, "log/2")
	require.Equal(t, "quota.set", a.Approves)
	require.Equal(t, volume, a.Resource)
	found := examine(t, backups, independence.Organisation{}, []string{"ann", "bob", "cat"}, independence.ActOf(asked, "log/1"), a)
	require.Equal(t, one("operated"), kinds(t, found, "ann"))
	require.Equal(t, one("approved"), kinds(t, found, "bob"))
	require.Empty(t, kinds(t, found, "cat"))
}
