package oscal

import (
	"slices"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
)

// findings are one for each requirement that a finding says is not met.
func (b *builder) findings(f programme.Finding) (all []finding) {
	for _, r := range unique(f.Requirements) {
		all = append(all, finding{
			UUID: b.id("finding", f.ID, r), Title: text(f.ID + " (" + r + ") " + f.Subject),
			Description: or(prose(
				labelled("Criterion", f.Criterion), labelled("Condition", f.Condition),
				labelled("Cause", f.Cause), labelled("Effect", f.Effect)), "-"),
			Props:               props("finding", f.ID, "procedure", f.Procedure, "status", "failed", "repeats", count(f.Repeats)),
			Origins:             b.origins(f.Procedure),
			Target:              b.target(r, false, "fail", "A finding says so."),
			RelatedObservations: b.observationsOf(f),
			RelatedRisks:        []riskRef{{b.id("risk", f.ID)}},
		})
	}
	return all
}

// origins is who answers for a procedure.
func (b *builder) origins(procedure string) []origin {
	return []origin{{Actors: []actor{b.by(b.procedure(procedure).Person, assesses)}, Tasks: b.tasks(procedure)}}
}

// target says of a requirement's statement whether it is satisfied.
func (b *builder) target(requirement string, satisfied bool, reason, remarks string) target {
	t := target{
		Type: "statement-id", ID: b.controls([]string{requirement})[0].ID + "_smt",
		Status: targetStatus{State: "not-satisfied", Reason: reason, Remarks: remarks},
	}
	if satisfied {
		t.Status.State = "satisfied"
	}
	return t
}

// about are the results that a finding rests on: those of its items, or those that failed when it names none.
func (b *builder) about(f programme.Finding) (all []programme.Result) {
	for _, r := range b.a.Results {
		named := slices.Contains(f.Items, r.Item) || len(f.Items) == 0 && r.Status == programme.Failed
		if r.Procedure == f.Procedure && named && !b.summed(r) {
			all = append(all, r)
		}
	}
	return all
}

func (b *builder) observationsOf(f programme.Finding) (all []observationRef) {
	for _, r := range b.about(f) {
		all = append(all, observationRef{b.observed(r)})
	}
	return all
}

// judge adds a finding for each requirement that is tested and that no finding names, and returns which requirements are
// judged, and which nothing can be said of.
func (b *builder) judge(r *result) (judged, excluded []string) {
	var named []string
	for _, f := range b.a.Findings {
		named = unique(named, f.Requirements)
	}
	for _, id := range unique(b.requirements(), named) {
		if slices.Contains(named, id) {
			judged = append(judged, id)
			continue
		}
		n, drawn, observations := b.count(id)
		f := finding{
			UUID: b.id("requirement", id), Title: text("Requirement " + id), Description: text(n.String()),
			Origins: []origin{{Actors: []actor{b.lead()}}}, RelatedObservations: observations,
		}
		switch {
		case slices.Contains(b.unmet, id):
			f.Props = props("status", "failed")
			f.Target = b.target(id, false, "fail", "A finding that concerns the provider alone says so.")
		case n.failed > 0:
			f.Props = props("status", "failed")
			f.Target = b.target(id, false, "fail", "Items failed.")
		case n.untested > 0 || n.missing > 0 || !drawn:
			f.Props = props("status", "not-tested")
			f.Target = b.target(id, false, "other", "Not tested, or not in full: "+n.String())
		case n.passed > 0:
			f.Props = props("status", "passed")
			f.Target = b.target(id, true, "pass", b.basis())
		default:
			excluded = append(excluded, id)
			continue
		}
		judged = append(judged, id)
		r.Findings = append(r.Findings, f)
	}
	return judged, excluded
}

// basis says what a tenant's document judges by.
func (b *builder) basis() string {
	if b.o.Tenant == "" {
		return ""
	}
	return "Judged by the customer's own items and the provider's; not by those of other customers."
}

// unmet are the requirements that findings about the provider alone say are not met, by the ids that they have where the
// audit is shared.
func unmet(a, shared *programme.Audit) (all []string) {
	for i, p := range a.Plan.Procedures {
		for j, id := range p.Requirements {
			named := slices.ContainsFunc(a.Findings, func(f programme.Finding) bool {
				another := func(t opsec.TenantID) bool { return t != "" && t != opsec.Provider }
				return !slices.ContainsFunc(f.Tenants, another) && slices.Contains(f.Requirements, id)
			})
			if named && i < len(shared.Plan.Procedures) && j < len(shared.Plan.Procedures[i].Requirements) {
				all = append(all, shared.Plan.Procedures[i].Requirements[j])
			}
		}
	}
	return all
}

// count adds up what is known about a requirement, and whether all that it would take was drawn. A tenant for whom nothing
// was tested is told nothing, and not that something is missing.
func (b *builder) count(requirement string) (n counts, drawn bool, observations []observationRef) {
	drawn = true
	for _, p := range b.a.Plan.Procedures {
		if !slices.Contains(p.Requirements, requirement) {
			continue
		}
		for _, r := range b.a.Results {
			if r.Procedure != p.ID {
				continue
			}
			n.add(r)
			if o := (observationRef{b.observed(r)}); !slices.Contains(observations, o) {
				observations = append(observations, o)
			}
		}
		n.missing += b.carried[p.ID].missing
		drawn = drawn && b.carried[p.ID].drawn
	}
	if b.o.Tenant != "" && len(observations) == 0 {
		return counts{}, true, nil
	}
	return n, drawn, observations
}
