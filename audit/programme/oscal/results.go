package oscal

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
)

// Results returns an audit's results as OSCAL assessment results; the package says how. Errors are those of [Plan]. An
// audit without any result is [opsec.ErrInvalid]; for a tenant, results that are not issued, or none of which concerns it,
// are [opsec.ErrNotFound].
func Results(a programme.Audit, o Options) ([]byte, error) {
	b, err := newBuilder(a, o)
	if err != nil {
		return nil, err
	}
	if err := b.issued(&a); err != nil {
		return nil, err
	}
	if len(a.Results) == 0 {
		return nil, fmt.Errorf("oscal: an audit without results: %w", opsec.ErrInvalid)
	}
	r := result{
		UUID: b.id("result", string(o.Tenant)), Title: text(b.a.Plan.Title),
		Description: or(list("The audit was to verify:", b.a.Plan.Objectives), "-"),
	}
	r.Start, r.End = b.period(a.History)
	r.Observations = b.observations(b.a.Results)
	for _, f := range b.a.Findings {
		r.Risks = append(r.Risks, b.risk(f))
		r.Findings = append(r.Findings, b.findings(f)...)
	}
	judged, excluded := b.judge(&r)
	if len(judged) == 0 {
		return nil, fmt.Errorf("oscal: nothing that was tested concerns this reader: %w", opsec.ErrNotFound)
	}
	remarks := ""
	if len(excluded) > 0 {
		remarks = "Excluded is what no item was applicable to, or no item of the reader."
	}
	r.ReviewedControls = b.reviewed(judged, excluded, remarks)
	if items := b.items(b.a.Results); len(items) > 0 {
		r.LocalDefinitions = &resultDefinitions{items}
	}
	if o.Tenant == "" {
		r.Log = b.log()
	}
	r.Remarks = notTested
	if r.End == "" {
		r.Remarks = "The results are not issued.\n\n" + r.Remarks
	}
	if a.Stage == programme.Cancelled {
		r.Remarks = "The audit was cancelled.\n\n" + r.Remarks
	}
	return b.done(resultsFile{assessmentResults{
		UUID: b.id("results", string(o.Tenant)), Metadata: b.metadata("Audit results"),
		ImportAP: reference{Href: b.o.Plan}, Results: []result{r}, BackMatter: b.matter(),
	}})
}

// notTested stands in every document that judges.
const notTested = "OSCAL knows satisfied and not-satisfied alone. What was not tested is not-satisfied for the reason other: " +
	"nothing is known about it, and it did not pass."

// issued is nil when the reader may see results.
func (b *builder) issued(a *programme.Audit) error {
	if b.o.Tenant == "" || a.Stage == programme.Reported || a.Stage == programme.Closed || a.Stage == programme.Cancelled &&
		slices.ContainsFunc(a.History, func(e programme.Entry) bool { return e.Action == programme.ActionIssue }) {
		return nil
	}
	return fmt.Errorf("oscal: results that are issued: %w", opsec.ErrNotFound)
}

// period is from the first result to when they were issued.
func (b *builder) period(history []programme.Entry) (start, end string) {
	first := b.asOf
	for _, r := range b.a.Results {
		if r.Time.Before(first) {
			first = r.Time
		}
	}
	for _, e := range history {
		if end == "" && (e.Action == programme.ActionIssue || e.Action == programme.ActionCancel) {
			end = b.time(e.Time)
		}
	}
	return b.time(first), end
}

// summed reports whether a result is one of those that the reader sees in numbers alone.
func (b *builder) summed(r programme.Result) bool {
	return b.o.Tenant != "" && owner(r) == ""
}

// owner is whose an item is; the provider's is nobody's else.
func owner(r programme.Result) string {
	if r.Tenant == opsec.Provider {
		return ""
	}
	return string(r.Tenant)
}

func (b *builder) item(r programme.Result) string { return b.known("item", owner(r), r.Item) }

func (b *builder) items(results []programme.Result) (all []inventoryItem) {
	seen := map[string]bool{}
	for _, r := range results {
		id := b.item(r)
		if seen[id] || b.summed(r) {
			continue
		}
		seen[id] = true
		x := inventoryItem{UUID: id, Description: text(r.Item), Props: props("tenant", owner(r))}
		if name := line(r.Item); name != "" {
			x.Props = append([]property{{Name: "asset-id", Value: name}}, x.Props...)
		}
		all = append(all, x)
	}
	return all
}

// observed returns the identifier of the observation that has a result.
func (b *builder) observed(r programme.Result) string {
	if b.summed(r) {
		return b.id("observations in numbers", string(b.o.Tenant), r.Procedure)
	}
	return b.id("observation", r.Procedure, owner(r), r.Item)
}

func (b *builder) observations(results []programme.Result) (all []observation) {
	sums := map[string]counts{}
	for _, r := range results {
		if b.summed(r) {
			n := sums[r.Procedure]
			n.add(r)
			sums[r.Procedure] = n
		}
	}
	for _, r := range results {
		n, first := sums[r.Procedure]
		switch {
		case !b.summed(r):
			all = append(all, b.observation(r))
		case first:
			all = append(all, b.sum(r, n))
			delete(sums, r.Procedure)
		}
	}
	return all
}

func (b *builder) observation(r programme.Result) observation {
	p := b.procedure(r.Procedure)
	x := observation{
		UUID: b.observed(r), Title: text(r.Item + ": " + string(r.Status)),
		Description: or(prose(p.Title+": "+string(r.Status)+".", r.Detail), "-"),
		Props:       props("status", word(r.Status), "procedure", r.Procedure),
		Methods:     []string{method(r.Automated)},
		Types:       []string{"control-objective"},
		Origins:     []origin{{Tasks: b.tasks(r.Procedure)}},
		Subjects:    []subjectRef{{b.item(r), "inventory-item", text(r.Item)}},
		Evidence:    b.evidence(r.Evidence),
		Collected:   b.time(r.Time),
	}
	if r.Status == programme.Failed {
		x.Types = append(x.Types, "discovery")
	}
	if r.Automated && line(p.Check) != "" {
		x.Origins[0].Actors = append(x.Origins[0].Actors, actor{Type: "tool", UUID: b.tool(p.Check)})
	}
	x.Origins[0].Actors = append(x.Origins[0].Actors, b.by(r.Person, assesses))
	return x
}

// sum tells a tenant of the provider's own items.
func (b *builder) sum(r programme.Result, n counts) observation {
	p := b.procedure(r.Procedure)
	return observation{
		UUID: b.observed(r), Title: text(p.Title + ": the provider's own items"), Description: text(n.String()),
		Props: props("procedure", r.Procedure), Methods: []string{method(r.Automated)}, Types: []string{"control-objective"},
		Origins:   []origin{{Actors: []actor{b.by("", assesses)}, Tasks: b.tasks(r.Procedure)}},
		Collected: b.time(n.last),
	}
}

func (b *builder) procedure(id string) programme.Procedure {
	i := slices.IndexFunc(b.a.Plan.Procedures, func(p programme.Procedure) bool { return p.ID == id })
	if i < 0 {
		return programme.Procedure{ID: id, Title: id}
	}
	return b.a.Plan.Procedures[i]
}

// tasks are those of the plan that carry a procedure out, for a document that imports it.
func (b *builder) tasks(procedure string) []ofTask {
	if b.alone || !slices.ContainsFunc(b.a.Plan.Procedures, func(p programme.Procedure) bool { return p.ID == procedure }) {
		return nil
	}
	return []ofTask{{b.id("task", procedure)}}
}

// word writes a status as a token; what is not known as one was not tested.
func word(s programme.Status) string {
	switch s {
	case programme.Passed, programme.Failed, programme.NotApplicable:
		return strings.ReplaceAll(string(s), " ", "-")
	}
	return "not-tested"
}

// log is every step that was taken.
func (b *builder) log() *assessmentLog {
	var l assessmentLog
	for i, e := range b.a.History {
		what := []string{e.What, e.Reason}
		for _, r := range e.Replaced {
			what = append(what, fmt.Sprintf("Corrected: %s was %s. %s", r.Item, r.Status, r.Detail))
		}
		l.Entries = append(l.Entries, logEntry{
			UUID: b.id("entry", fmt.Sprint(i), string(e.Event)), Title: text(e.Action), Description: prose(what...),
			Start: b.time(e.Time), End: b.time(e.Time), Props: props("event", string(e.Event)),
			By: []loggedBy{{b.by(e.Person, acts).UUID, acts}},
		})
	}
	return &l
}

// counts are numbers of results, by status.
type counts struct {
	passed, failed, untested, inapplicable, missing int
	last                                            time.Time
}

func (n *counts) add(r programme.Result) {
	switch r.Status {
	case programme.Passed:
		n.passed++
	case programme.Failed:
		n.failed++
	case programme.NotApplicable:
		n.inapplicable++
	default:
		n.untested++
	}
	if r.Time.After(n.last) {
		n.last = r.Time
	}
}

// String writes the numbers that are not 0.
func (n counts) String() string {
	var all []string
	for _, c := range []struct {
		n    int
		what string
	}{
		{n.passed, "passed"}, {n.failed, "failed"}, {n.untested, "not tested"},
		{n.inapplicable, "not applicable"}, {n.missing, "without a result"},
	} {
		if c.n > 0 {
			all = append(all, fmt.Sprint(c.n, " ", c.what))
		}
	}
	if len(all) == 0 {
		return "No items."
	}
	return "Items: " + strings.Join(all, ", ") + "."
}

// carried is how far a procedure is.
type carried struct {
	automated, drawn bool
	missing          int // items without a result
}

// carry looks at an audit's procedures; it returns them by the ids that they have where it is shared.
func carry(a, shared *programme.Audit) map[string]carried {
	have := map[string]int{}
	for _, r := range a.Results {
		have[r.Procedure]++
	}
	all := map[string]carried{}
	for i, p := range a.Plan.Procedures {
		x := carried{automated: p.Check != ""}
		if a.Draw != nil {
			var positions []int
			positions, x.drawn = a.Draw.Samples[p.ID]
			x.missing = max(0, len(positions)-have[p.ID])
		}
		if i < len(shared.Plan.Procedures) {
			all[shared.Plan.Procedures[i].ID] = x
		}
	}
	return all
}
