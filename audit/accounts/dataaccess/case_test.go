package dataaccess_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/accounts/dataaccess"
)

// staff knows certificates and reporting lines.
type staff struct {
	refs    map[string]string // by person
	related map[string]bool   // to eve
	qErr    error
	lErr    error
}

func (s *staff) Qualified(_ context.Context, who opsec.Actor, subject string, at time.Time) (string, error) {
	if s.qErr != nil {
		return "", s.qErr
	}
	if subject != dataaccess.Subject || at.IsZero() {
		return "", errDown
	}
	return s.refs[who.Person], nil
}

func (s *staff) Related(_ context.Context, a, b opsec.Actor, _ time.Time) (bool, error) {
	if b.Person != "eve" || b.Account != "ops-eve" || b.Tenant != opsec.Provider {
		return false, errDown
	}
	return s.related[a.Person], s.lErr
}

func auditor(person string) opsec.Actor {
	return opsec.Actor{Tenant: opsec.Provider, Account: "audit-" + person, Person: person, Kind: opsec.Human}
}

// opened is a case about eve, or about nobody who is known.
func opened(t testing.TB, spoil ...func(*dataaccess.Access)) dataaccess.Case {
	t.Helper()
	a := access("eve", monday, "acme")
	a.Ticket = ""
	for _, f := range spoil {
		f(&a)
	}
	found, err := examine(t, policy(), dataaccess.Sources{Accesses: rows(a), Directory: &records{}})
	require.NoError(t, err)
	c, e, err := dataaccess.OpenCase(found[0], monday.Add(day))
	require.NoError(t, err)
	require.NoError(t, e.Validate())
	require.Equal(t, dataaccess.Open, c.State())
	return c
}

func judge(c dataaccess.Case, by opsec.Actor, v dataaccess.Verdict, s *staff, at time.Time) (dataaccess.Case, *opsec.Event, error) {
	return c.Judge(context.Background(), dataaccess.Judgement{Verdict: v, By: by, Reason: "checked"}, s, s, at)
}

func TestOnlyQualifiedAndUnrelatedPeopleJudge(t *testing.T) {
	good := func() *staff {
		return &staff{refs: map[string]string{"alice": "cert/17", "eve": "cert/18", "bob": "cert/19"}}
	}
	nobody := func(a *dataaccess.Access) { a.Operator.Person = "" }
	tests := []struct {
		name    string
		by      opsec.Actor
		verdict dataaccess.Verdict
		staff   func(*staff)
		case_   func(*dataaccess.Access)
		outcome opsec.Outcome
		err     error
	}{
		{"qualified", auditor("alice"), dataaccess.Justified, nil, nil, opsec.Success, nil},
		{"not on record", auditor("carol"), dataaccess.Justified, nil, nil, opsec.Denied, opsec.ErrDenied},
		{"expired", auditor("alice"), dataaccess.Justified, func(s *staff) { s.qErr = fmt.Errorf("expired: %w", opsec.ErrDenied) }, nil, opsec.Denied, opsec.ErrDenied},
		{"unknown", auditor("alice"), dataaccess.Justified, func(s *staff) { s.qErr = fmt.Errorf("who: %w", opsec.ErrNotFound) }, nil, opsec.Denied, opsec.ErrDenied},
		{"register is down", auditor("alice"), dataaccess.Justified, func(s *staff) { s.qErr = errDown }, nil, opsec.Failure, errDown},
		{"lines are down", auditor("alice"), dataaccess.Justified, func(s *staff) { s.lErr = errDown }, nil, opsec.Failure, errDown},
		{"the operator", auditor("eve"), dataaccess.Violation, nil, nil, opsec.Denied, opsec.ErrDenied},
		{"the operator's superior", auditor("alice"), dataaccess.Violation, func(s *staff) { s.related = map[string]bool{"alice": true} }, nil, opsec.Denied, opsec.ErrDenied},
		{"the operator's account", opsec.Actor{Tenant: opsec.Provider, Account: "ops-eve", Person: "alice"}, dataaccess.Unclear, nil, nil, opsec.Denied, opsec.ErrDenied},
		{"a program", opsec.Actor{Tenant: opsec.Provider, Account: "robot", Person: "alice", Kind: opsec.Service}, dataaccess.Justified, nil, nil, opsec.Denied, opsec.ErrDenied},
		{"somebody else of that name", opsec.Actor{Tenant: "acme", Account: "e", Person: "eve"}, dataaccess.Justified, nil, nil, opsec.Success, nil},
		{"perhaps the operator", auditor("alice"), dataaccess.Justified, nil, nobody, opsec.Denied, opsec.ErrDenied},
		{"perhaps the operator, against it", auditor("alice"), dataaccess.Violation, nil, nobody, opsec.Success, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := good()
			if test.staff != nil {
				test.staff(s)
			}
			c := opened(t)
			if test.case_ != nil {
				c = opened(t, test.case_)
			}
			after, e, err := judge(c, test.by, test.verdict, s, monday.Add(2*day))
			require.NoError(t, e.Validate())
			require.Equal(t, dataaccess.ActionJudge, e.Action)
			require.Equal(t, test.outcome, e.Outcome)
			require.Equal(t, test.by, e.Actor)
			if test.err != nil {
				require.ErrorIs(t, err, test.err)
				require.Equal(t, c, after)
				return
			}
			require.NoError(t, err)
			require.NoError(t, after.Validate())
			require.NotEqual(t, dataaccess.Open, after.State())
			require.Equal(t, s.refs[test.by.Person], after.Steps[0].Qualification)
			require.Contains(t, e.Attrs, opsec.Attr{Key: "qualification", Value: s.refs[test.by.Person], Mark: opsec.Personal})
			require.Empty(t, c.Steps)
		})
	}
}

func TestCaseGoesItsWay(t *testing.T) {
	s := &staff{refs: map[string]string{"alice": "cert/17", "bob": "cert/19"}}
	c := opened(t)
	at := monday.Add(2 * day)
	for i, step := range []struct {
		verdict dataaccess.Verdict
		state   dataaccess.State
		ok      bool
	}{
		{dataaccess.Reopened, dataaccess.Open, false},
		{"perhaps", dataaccess.Open, false},
		{dataaccess.Unclear, dataaccess.Open, true},
		{dataaccess.Justified, dataaccess.Explained, true},
		{dataaccess.Violation, dataaccess.Explained, false},
		{dataaccess.Unclear, dataaccess.Explained, false},
		{dataaccess.Reopened, dataaccess.Open, true},
		{dataaccess.Violation, dataaccess.Confirmed, true},
		{dataaccess.Justified, dataaccess.Confirmed, false},
	} {
		after, e, err := judge(c, auditor([]string{"alice", "bob"}[i%2]), step.verdict, s, at.Add(time.Duration(i)))
		if step.ok {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.Nil(t, e)
			require.Equal(t, c, after)
		}
		c = after
		require.Equal(t, step.state, c.State())
		text, err := json.Marshal(c)
		require.NoError(t, err)
		var back dataaccess.Case
		require.NoError(t, json.Unmarshal(text, &back))
		require.Equal(t, c, back)
	}
}

func TestMalformedJudgementChangesNothing(t *testing.T) {
	s := &staff{refs: map[string]string{"alice": "cert/17"}}
	c, at := opened(t), monday.Add(2*day)
	good := dataaccess.Judgement{Verdict: dataaccess.Justified, By: auditor("alice"), Reason: "checked"}
	try := func(c dataaccess.Case, spoil func(*dataaccess.Judgement), q dataaccess.Qualifications, l dataaccess.Lines, at time.Time) {
		t.Helper()
		j := good
		spoil(&j)
		after, e, err := c.Judge(context.Background(), j, q, l, at)
		require.ErrorIs(t, err, opsec.ErrInvalid)
		require.Nil(t, e)
		require.Equal(t, c, after)
	}
	same := func(*dataaccess.Judgement) {}
	try(c, func(j *dataaccess.Judgement) { j.Reason = "" }, s, s, at)
	try(c, func(j *dataaccess.Judgement) { j.Reason = strings.Repeat("x", opsec.MaxValueLen+1) }, s, s, at)
	try(c, func(j *dataaccess.Judgement) { j.By.Person = "" }, s, s, at)
	try(c, func(j *dataaccess.Judgement) { j.By.Account = "" }, s, s, at)
	try(c, func(j *dataaccess.Judgement) { j.By.Tenant = "" }, s, s, at)
	try(c, same, nil, s, at)
	try(c, same, s, nil, at)
	try(c, same, s, s, monday)
	try(dataaccess.Case{}, same, s, s, at)
	for range 64 {
		var err error
		c, _, err = judge(c, auditor("alice"), dataaccess.Unclear, s, at)
		require.NoError(t, err)
	}
	try(c, same, s, s, at)
	c.Steps = append(c.Steps, c.Steps[0])
	require.ErrorIs(t, c.Validate(), opsec.ErrInvalid, "more steps than a case can have")
}

func TestCaseKeepsItsOwnEvidence(t *testing.T) {
	f := opened(t).Finding
	c, _, err := dataaccess.OpenCase(f, monday.Add(day))
	require.NoError(t, err)
	before := c.Finding.Digest()
	f.Evidence[0] = "changed"
	require.Equal(t, before, c.Finding.Digest())
}

func TestCaseThatCannotBeIsRefused(t *testing.T) {
	s := &staff{refs: map[string]string{"alice": "cert/17"}}
	c, _, err := judge(opened(t), auditor("alice"), dataaccess.Violation, s, monday.Add(2*day))
	require.NoError(t, err)
	text, err := json.Marshal(c)
	require.NoError(t, err)
	for name, change := range map[string][2]string{
		"kind":          {`"no-purpose"`, `"nonsense"`},
		"of":            {`"no-purpose"`, `"no-purpose","of":"breadth"`},
		"tenant":        {`"tenant":"acme"`, `"tenant":""`},
		"account":       {`"account":"ops-eve"`, `"account":""`},
		"count":         {`"count":1`, `"count":0`},
		"opened":        {`"opened":"2026-03-03`, `"opened":"2026-03-01`},
		"self":          {`"person":"alice"`, `"person":"eve"`},
		"verdict":       {`"verdict":"violation"`, `"verdict":"reopened"`},
		"qualification": {`"cert/17"`, `""`},
		"reason":        {`"checked"`, `""`},
		"time":          {`"time":"2026-03-04`, `"time":"2026-03-02`},
		"field":         {`"opened"`, `"closed":true,"opened"`},
	} {
		bad := strings.Replace(string(text), change[0], change[1], 1)
		require.NotEqual(t, string(text), bad, name)
		var back dataaccess.Case
		require.ErrorIs(t, json.Unmarshal([]byte(bad), &back), opsec.ErrInvalid, name)
		require.Equal(t, dataaccess.Case{}, back)
	}
	_, _, err = dataaccess.OpenCase(dataaccess.Finding{}, monday)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

// Whatever is tried, a case stays one that can be, and nobody unfit has a step in it.
func TestNoCourseLetsTheUnfitJudge(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := opened(t)
		if rapid.Bool().Draw(rt, "nobody known") {
			c = opened(t, func(a *dataaccess.Access) { a.Operator.Person = "" })
		}
		at := monday.Add(2 * day)
		for range rapid.IntRange(0, 12).Draw(rt, "steps") {
			s := &staff{refs: map[string]string{"alice": "cert/17", "eve": "cert/18", "mallory": "cert/20"}, related: map[string]bool{"mallory": true}}
			if rapid.Bool().Draw(rt, "down") {
				s.qErr = errDown
			}
			by := auditor(rapid.SampledFrom([]string{"alice", "eve", "carol", "mallory", ""}).Draw(rt, "by"))
			v := rapid.SampledFrom([]dataaccess.Verdict{dataaccess.Justified, dataaccess.Violation, dataaccess.Unclear, dataaccess.Reopened}).Draw(rt, "verdict")
			at = at.Add(time.Duration(rapid.IntRange(-1, 3).Draw(rt, "later")))
			after, _, err := judge(c, by, v, s, at)
			require.NoError(rt, after.Validate())
			if err != nil {
				require.Equal(rt, c, after)
			}
			c = after
		}
		for _, step := range c.Steps {
			if c.Finding.Operator.Person == "" {
				require.NotEqual(rt, dataaccess.Justified, step.Verdict)
				require.Contains(rt, []string{"alice", "eve", "mallory"}, step.By.Person)
			} else {
				require.Equal(rt, "alice", step.By.Person)
			}
		}
	})
}

func FuzzCase(f *testing.F) {
	c, _, err := judge(opened(f), auditor("alice"), dataaccess.Violation, &staff{refs: map[string]string{"alice": "c"}}, monday.Add(2*day))
	require.NoError(f, err)
	text, err := json.Marshal(c)
	require.NoError(f, err)
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		var c dataaccess.Case
		if json.Unmarshal(text, &c) != nil {
			return
		}
		require.NoError(t, c.Validate())
		again, err := json.Marshal(c)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(again, &c))
		c.Finding.Digest()
	})
}
