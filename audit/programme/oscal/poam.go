package oscal

import (
	"github.com/cloudopsec/opsec/audit/programme"
)

// POAM returns the findings that are open, accepted ones included, with what is done about them and until when, as an
// OSCAL plan of action and milestones. Errors are those of [Results], or [ErrNothingOpen].
func POAM(a programme.Audit, o Options) ([]byte, error) {
	b, err := newBuilder(a, o)
	if err != nil {
		return nil, err
	}
	if err := b.issued(&a); err != nil {
		return nil, err
	}
	b.alone = true
	d := poam{UUID: b.id("poam", string(o.Tenant))}
	var about []programme.Result
	for _, f := range b.a.Findings {
		if b.state(f) == closed {
			continue
		}
		item := poamItem{
			UUID: b.id("poam-item", f.ID), Title: text(f.ID + " " + f.Subject), Description: or(prose(f.Condition), "-"),
			Props:               props("finding", f.ID),
			RelatedObservations: b.observationsOf(f),
			RelatedRisks:        []riskRef{{b.id("risk", f.ID)}},
		}
		for _, x := range b.findings(f) {
			d.Findings = append(d.Findings, x)
			item.RelatedFindings = append(item.RelatedFindings, findingRef{x.UUID})
		}
		d.Risks = append(d.Risks, b.risk(f))
		d.Items = append(d.Items, item)
		about = append(about, b.about(f)...)
	}
	if len(d.Items) == 0 {
		return nil, ErrNothingOpen
	}
	about = once(about)
	d.Observations = b.observations(about)
	if b.o.SystemPlan != "" {
		d.ImportSSP = &reference{Href: b.o.SystemPlan}
	} else {
		d.SystemID = &systemID{Type: "http://ietf.org/rfc/rfc4122", ID: b.known("system of the provider")}
	}
	local := poamDefinitions{InventoryItems: b.items(about), Assets: b.assets()}
	if len(local.InventoryItems) > 0 || local.Assets != nil {
		d.LocalDefinitions = &local
	}
	d.Metadata = b.metadata("Plan of action and milestones")
	d.BackMatter = b.matter()
	return b.done(poamFile{d})
}

// once leaves out results that are there before.
func once(results []programme.Result) (all []programme.Result) {
	seen := map[[3]string]bool{}
	for _, r := range results {
		if key := [3]string{r.Procedure, string(r.Tenant), r.Item}; !seen[key] {
			seen[key] = true
			all = append(all, r)
		}
	}
	return all
}
