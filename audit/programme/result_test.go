package programme_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
)

func TestPerformIsAboutWhatWasDrawn(t *testing.T) {
	h := fieldwork(t)
	notDrawn := "vol-00"
	for _, item := range populations()[0].Items {
		if find(h.audit.Draw.Items["restore"], func(s string) bool { return s == item }) == nil {
			notDrawn = item
		}
	}
	for why, change := range map[string]func(*programme.Result){
		"no procedure":   func(r *programme.Result) { r.Procedure = "x" },
		"not drawn":      func(r *programme.Result) { r.Item = notDrawn },
		"status":         func(r *programme.Result) { r.Status = "ok" },
		"no evidence":    func(r *programme.Result) { r.Evidence = nil },
		"failed: no":     func(r *programme.Result) { r.Status, r.Detail = programme.Failed, "" },
		"not tested: no": func(r *programme.Result) { r.Status, r.Detail = programme.NotTested, "" },
		"applicable: no": func(r *programme.Result) { r.Status, r.Detail = programme.NotApplicable, "" },
		"tenant":         func(r *programme.Result) { r.Tenant = "a b" },
		"detail":         func(r *programme.Result) { r.Detail = strings.Repeat("x", 4097) },
		"evidence: name": func(r *programme.Result) { r.Evidence[0].Name = "" },
		"digest": func(r *programme.Result) {
			r.Evidence[0].Digest = "sha256:" + strings.ToUpper(r.Evidence[0].Digest[7:])
		},
		"digest: want":     func(r *programme.Result) { r.Evidence[0].Digest = r.Evidence[0].Digest[:70] },
		"evidence: person": func(r *programme.Result) { r.Evidence[0].Person = "" },
		"collected":        func(r *programme.Result) { r.Evidence[0].Collected = r.Evidence[0].Collected.AddDate(-9999, 0, 0) },
		"in the future":    func(r *programme.Result) { r.Evidence[0].Collected = h.now.Add(10 * minute) },
		"custody":          func(r *programme.Result) { r.Evidence[0].Custody = []string{""} },
		"proof":            func(r *programme.Result) { r.Evidence[0].Proof = strings.Repeat("x", 16<<10+1) },
	} {
		r := h.result("restore", 0, programme.Passed)
		change(&r)
		h.refuses(opsec.ErrInvalid, "tom", programme.Perform{Results: []programme.Result{r}}, why)
		h.now = h.now.Add(-minute)
	}
	h.refuses(opsec.ErrInvalid, "tom", programme.Perform{}, "no results")
	twice := []programme.Result{h.result("restore", 0, programme.Passed), h.result("restore", 0, programme.Failed)}
	h.refuses(opsec.ErrInvalid, "tom", programme.Perform{Results: twice, Reason: "x"}, "twice")

	r := h.result("restore", 0, programme.Passed)
	r.Person, r.Time = "olaf", noon
	r.Evidence[0].Custody = []string{"tom", "lea", "tom"}
	h.take("tom", programme.Perform{Results: []programme.Result{r}})
	got := h.audit.Results[0]
	require.Equal(t, "tom", got.Person, "who takes the step")
	require.True(t, h.now.Equal(got.Time))

	require.ErrorIs(t, frozen(t).try("tom", programme.Perform{Results: []programme.Result{r}}), programme.ErrStage)
	require.ErrorIs(t, reported(t).try("tom", programme.Perform{Results: []programme.Result{r}}), programme.ErrStage)
}

func TestPerformIsByThePersonOfTheProcedure(t *testing.T) {
	h := fieldwork(t)
	r := []programme.Result{h.result("restore", 0, programme.Passed)}
	for _, person := range []string{"tim", "lea", "mia", "olaf"} {
		h.refuses(opsec.ErrDenied, person, programme.Perform{Results: r}, "another one answers")
	}
	h.refuses(opsec.ErrDenied, "tom", programme.Perform{Results: append(r, h.result("rotation", 0, programme.Passed))}, "procedure rotation")

	r[0].Automated = true
	h.refuses(opsec.ErrDenied, "olaf", programme.Perform{Results: r}, "member")
	require.NoError(t, h.try("tim", programme.Perform{Results: r}), "a check is anybody's of the team to start")
	r = []programme.Result{h.result("rotation", 0, programme.Passed)}
	r[0].Automated = true
	h.refuses(opsec.ErrInvalid, "tim", programme.Perform{Results: r}, "not automated")
}

func TestACorrectionKeepsWhatWas(t *testing.T) {
	h := fieldwork(t)
	first := h.result("restore", 0, programme.Failed)
	h.take("tom", programme.Perform{Results: []programme.Result{first}})
	was := h.audit.Results[0]
	second := h.result("restore", 0, programme.Passed)
	h.refuses(opsec.ErrInvalid, "tom", programme.Perform{Results: []programme.Result{second}}, "a correction gives a reason")
	both := []programme.Result{second, h.result("restore", 1, programme.Passed)}
	e := h.take("tom", programme.Perform{Results: both, Reason: "I read the wrong line."})
	require.Len(t, h.audit.Results, 2)
	require.Equal(t, programme.Passed, h.audit.Results[0].Status)
	last := h.audit.History[len(h.audit.History)-1]
	require.Equal(t, []programme.Result{was}, last.Replaced)
	require.Equal(t, "I read the wrong line.", last.Reason)
	require.Contains(t, e.Attrs, opsec.Attr{Key: "corrected", Value: "1", Mark: opsec.Tenant})
	require.Contains(t, e.Attrs, opsec.Attr{Key: "passed", Value: "2", Mark: opsec.Tenant})
}

func TestWhatAFindingRestsOnStaysFailed(t *testing.T) {
	h := tested(t)
	h.refuses(opsec.ErrInvalid, "tom", programme.Perform{
		Results: []programme.Result{h.result("restore", 0, programme.Passed)}, Reason: "x",
	}, "finding f1 rests on")
	other := h.result("restore", 0, programme.Failed)
	other.Tenant = "beta" // whom the finding does not name
	h.refuses(opsec.ErrInvalid, "tom", programme.Perform{Results: []programme.Result{other}, Reason: "x"}, "finding f1 rests on")
	h.take("tom", programme.Perform{Results: []programme.Result{h.result("restore", 0, programme.Failed)}, Reason: "Better evidence."})
	h.take("tom", programme.Perform{Results: []programme.Result{h.result("restore", 1, programme.NotTested)}, Reason: "x"})
}

func TestIssueWantsAResultForEveryItem(t *testing.T) {
	h := tested(t)
	h.refuses(opsec.ErrDenied, "mia", programme.Issue{}, "lead")
	h.take("lea", programme.Issue{})
	require.Equal(t, programme.Reported, h.audit.Stage)
	h.refuses(programme.ErrStage, "lea", programme.Issue{}, "reported")

	h = fieldwork(t)
	h.take("tom", programme.Perform{Results: []programme.Result{
		h.result("restore", 0, programme.Failed), h.result("restore", 2, programme.NotTested),
	}})
	h.take("tim", programme.Perform{Results: []programme.Result{h.result("rotation", 1, programme.NotTested)}})
	var incomplete *programme.IncompleteError
	require.ErrorAs(t, h.try("lea", programme.Issue{}), &incomplete)
	require.Equal(t, []string{
		"procedure restore: " + h.audit.Draw.Items["restore"][0] + " has failed, and is in no finding",
		"procedure restore: 1 items without a result", "procedure rotation: 1 items without a result",
	}, incomplete.Missing)
}

// An audit cannot be filled up so that it never ends.
func TestAFullAuditCanStillBeFinished(t *testing.T) {
	h := fieldwork(t)
	var err error
	for range 1000 {
		r := h.result("restore", 0, programme.NotTested)
		r.Detail = strings.Repeat("x", 4<<10)
		r.Evidence = nil
		for range 8 {
			r.Evidence = append(r.Evidence, programme.Evidence{
				Name: "e", Digest: digest("e"), Collected: h.now, Person: "tom", Proof: strings.Repeat("p", 5<<10),
			})
		}
		a, _, failed := h.policy.Apply(h.audit, programme.Perform{Results: []programme.Result{r}, Reason: "again"}, h.by("tom"))
		if err = failed; err != nil {
			break
		}
		h.audit = a
	}
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.ErrorContains(t, err, "at most 724992 for this step")
	require.Greater(t, len(text(t, h.audit)), 600<<10)

	rest := []programme.Result{h.result("restore", 1, programme.NotTested), h.result("restore", 2, programme.NotTested)}
	h.take("tom", programme.Perform{Results: rest}) // what is small still fits
	for n := range 1000 {
		f := programme.Finding{
			ID: fmt.Sprint("f", n), Procedure: "restore", Requirements: []string{"8.2-1"}, Criterion: strings.Repeat("c", 4<<10),
			Condition: "c", Cause: "c", Effect: "e", Risk: opsec.SeverityLow, Subject: fmt.Sprint(n),
		}
		a, _, failed := h.policy.Apply(h.audit, programme.Raise{Finding: f}, h.by("lea"))
		if err = failed; err != nil {
			break
		}
		h.audit = a
	}
	require.ErrorContains(t, err, "at most 888832 for this step")
	require.NotEmpty(t, h.audit.Findings)
	h.take("mia", programme.Cancel{Reason: "full"})
}
