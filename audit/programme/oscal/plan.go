package oscal

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/programme/sample"
)

// Plan returns an audit's plan as an OSCAL assessment plan: scope, team, procedures as activities with their steps, when
// they are to be carried out, and what the samples are drawn from and by. An error wraps [opsec.ErrInvalid], or
// [opsec.ErrNotFound] for a tenant whom the audit does not concern.
func Plan(a programme.Audit, o Options) ([]byte, error) {
	b, err := newBuilder(a, o)
	if err != nil {
		return nil, err
	}
	p := &b.a.Plan
	if len(b.requirements()) == 0 {
		return nil, fmt.Errorf("oscal: no procedure has a requirement: %w", opsec.ErrInvalid)
	}
	d := assessmentPlan{
		UUID:             b.id("plan", string(o.Tenant)),
		ImportSSP:        b.system(),
		ReviewedControls: b.reviewed(b.requirements(), nil, ""),
		Subjects:         b.subjects(),
		Assets:           b.assets(),
	}
	b.team()
	d.LocalDefinitions = &planDefinitions{Components: b.systems()}
	for _, proc := range p.Procedures {
		d.LocalDefinitions.Activities = append(d.LocalDefinitions.Activities, b.activity(proc))
		d.Tasks = append(d.Tasks, b.task(proc))
	}
	d.Terms = b.terms()
	b.dossier()
	d.Metadata = b.metadata("Audit plan")
	d.BackMatter = b.matter()
	return b.done(planFile{d})
}

// requirements are the ids of all that procedures test, in the order of the plan.
func (b *builder) requirements() []string {
	var all []string
	for _, p := range b.a.Plan.Procedures {
		all = unique(all, p.Requirements)
	}
	return all
}

// system is the system security plan, or what stands for it.
func (b *builder) system() reference {
	if b.o.SystemPlan != "" {
		return reference{Href: b.o.SystemPlan}
	}
	scope, err := json.MarshalIndent(b.a.Plan.Scope, "", "  ")
	if err != nil && b.err == nil {
		b.err = fmt.Errorf("oscal: %w", err)
	}
	id := b.id("scope", string(b.o.Tenant))
	b.resources = append(b.resources, resource{
		UUID: id, Title: "Scope of the audit",
		Description: "What is audited. It stands for a system security plan, of which there is none.",
		Props:       []property{{Name: "type", Value: "artifact"}},
		Base64:      attach("scope.json", "application/json", scope),
	})
	return reference{Href: "#" + id, Remarks: "There is no system security plan; the resource has the scope of the audit."}
}

func attach(name, media string, content []byte) *attachment {
	return &attachment{name, media, base64.StdEncoding.EncodeToString(content)}
}

func (b *builder) team() {
	for _, m := range b.a.Team {
		who := b.by(m.Person, function(m.Function))
		if m.Lead {
			b.by(m.Person, leads)
		}
		i := slices.IndexFunc(b.parties, func(p party) bool { return p.UUID == who.UUID && p.Type == "person" })
		if i < 0 {
			continue
		}
		about := props("clearance", m.Clearance)
		for _, q := range m.Qualifications {
			about = append(about, props("qualification", q)...)
		}
		for _, c := range m.Categories {
			about = append(about, props("category", c)...)
		}
		b.parties[i].Props = about
	}
}

// function is the role of those who are on the team for one.
func function(f programme.Function) string {
	return or(strings.ReplaceAll(token(line(string(f))), "_20_", "-"), "team-member")
}

// systems are components, and subjects what is to be looked at: them, or what the scope says in words.
func (b *builder) systems() (all []component) {
	for _, s := range unique(b.a.Plan.Scope.Systems) {
		all = append(all, component{
			UUID: b.known("system", s), Type: "system", Title: text(s), Description: "Named by the scope of the audit.",
			Status: status{State: "other", Remarks: "The audit does not say in which state it is."},
		})
	}
	return all
}

func (b *builder) subjects() []selection {
	s := &b.a.Plan.Scope
	if len(s.Systems) == 0 {
		return []selection{{Type: "inventory-item", Description: "All that is in the scope of the audit.", All: &struct{}{}}}
	}
	one := selection{Type: "component", Description: "The systems in the scope of the audit."}
	for _, name := range unique(s.Systems) {
		one.Include = append(one.Include, selectOne{b.known("system", name), "component"})
	}
	return []selection{one}
}

// assets are the checks that run by themselves, and the tools that are granted.
func (b *builder) assets() *assets {
	var names []string
	for _, p := range b.a.Plan.Procedures {
		names = append(names, line(p.Check))
	}
	for _, g := range b.a.Grants {
		names = append(names, line(g.Tool))
	}
	one := platform{UUID: b.id("platform"), Title: "What the audit is carried out with"}
	all := assets{}
	for _, name := range unique(names) {
		if name == "" {
			continue
		}
		all.Components = append(all.Components, component{
			UUID: b.tool(name), Type: "software", Title: text(name), Description: "A check or a tool of the audit.",
			Status: status{State: "operational"},
		})
		one.Uses = append(one.Uses, usesComponent{b.tool(name)})
	}
	if len(one.Uses) == 0 {
		return nil
	}
	all.Platforms = []platform{one}
	return &all
}

func (b *builder) tool(name string) string { return b.known("tool", line(name)) }

// method is how a procedure is carried out, in OSCAL's words.
func method(automated bool) string {
	if automated {
		return "TEST"
	}
	return "EXAMINE"
}

func (b *builder) activity(p programme.Procedure) activity {
	x := activity{
		UUID: b.id("activity", p.ID), Title: text(p.Title),
		Description: text(b.manner(p)),
		Props: append([]property{{Name: "method", Value: method(b.carried[p.ID].automated)}},
			props("procedure", p.ID, "category", p.Category, "check", p.Check, "sample-size", count(p.Sample))...),
		Roles: b.responsible(p.Person, assesses),
	}
	for i, s := range p.Steps {
		x.Steps = append(x.Steps, step{b.id("step", p.ID, fmt.Sprint(i)), or(prose(s), "-")})
	}
	if len(p.Requirements) > 0 {
		x.RelatedControls = &reviewedControls{Selections: []controlSelection{{Include: b.controls(p.Requirements)}}}
	}
	return x
}

func (b *builder) task(p programme.Procedure) task {
	t := task{
		UUID: b.id("task", p.ID), Type: "action", Title: text(p.Title),
		Timing:     &timing{Within: &within{b.time(b.a.Plan.From), b.time(b.a.Plan.Until)}},
		Activities: []associatedActivity{{b.id("activity", p.ID), b.subjects()}},
		Roles:      b.responsible(p.Person, assesses),
	}
	if c, ok := frame(&b.a, p.ID); ok {
		t.Props = props("population-size", fmt.Sprint(c.Size), "population-root", hex.EncodeToString(c.Digest[:]))
	}
	return t
}

// manner says how a procedure is carried out.
func (b *builder) manner(p programme.Procedure) string {
	how, on := "By hand", "all items"
	if b.carried[p.ID].automated {
		how = "By an automated check"
	}
	if p.Check != "" {
		how += ", " + p.Check
	}
	if p.Sample > 0 {
		on = fmt.Sprintf("%d items drawn", p.Sample)
	}
	return how + ", on " + on + "."
}

// frame is what is committed to of a procedure's population, in the freeze that counts.
func frame(a *programme.Audit, procedure string) (sample.Commitment, bool) {
	if len(a.Freezes) == 0 {
		return sample.Commitment{}, false
	}
	for _, c := range a.Freezes[len(a.Freezes)-1].Frames {
		if c.Procedure == procedure {
			return c, true
		}
	}
	return sample.Commitment{}, false
}

func (b *builder) terms() *terms {
	p := &b.a.Plan
	var all terms
	add := func(name, ns, title, prose string) {
		if prose != "" {
			all.Parts = append(all.Parts, part{UUID: b.id("term", name), Name: name, NS: ns, Title: title, Prose: prose})
		}
	}
	add("objectives", Namespace, "Objectives", list("The audit is to verify:", p.Objectives))
	var in []string
	for _, t := range p.Scope.Tenants {
		in = append(in, "what belongs to "+string(t))
	}
	for _, s := range p.Scope.Systems {
		in = append(in, "system "+s)
	}
	for _, s := range p.Scope.Actions {
		in = append(in, "operations "+s)
	}
	for _, r := range p.Scope.Resources {
		in = append(in, "resource "+r.String())
	}
	add("assessment-inclusions", "", "Scope", list("In scope:", in))
	var out []string
	for _, w := range b.a.Waivers {
		out = append(out, w.Category+": "+w.Reason)
	}
	add("assessment-exclusions", "", "Left out", list("Categories that are not audited this time, and why:", out))
	var needs []string
	for _, n := range p.Resources {
		needs = append(needs, n.Name)
	}
	add("resources", Namespace, "Resources", list("The audit needs:", needs))
	if b.a.Draw != nil {
		add("methodology", "", "Samples", prose("The populations were committed to in the log "+b.a.Draw.Anchor.Log+
			" before there was the checkpoint that the samples are drawn by. The resource “Samples” has both."))
	}
	if len(all.Parts) == 0 {
		return nil
	}
	return &all
}

// dossier is what the samples can be drawn again from: a [sample.Dossier] but for the log's entry and its proof.
func (b *builder) dossier() {
	if b.a.Draw == nil || len(b.a.Freezes) == 0 {
		return
	}
	d := b.a.Draw
	content, err := json.MarshalIndent(sample.Dossier{
		Freeze: b.a.Freezes[len(b.a.Freezes)-1].Freeze, Anchor: d.Anchor, Checkpoint: d.Checkpoint, Samples: d.Samples,
	}, "", "  ")
	if err != nil && b.err == nil {
		b.err = fmt.Errorf("oscal: %w", err)
	}
	b.resources = append(b.resources, resource{
		UUID: b.id("samples", string(b.o.Tenant)), Title: "Samples",
		Description: "The freeze, where the log has it, the checkpoint that came after it, and what was drawn.",
		Props:       []property{{Name: "type", Value: "evidence"}},
		Base64:      attach("samples.json", "application/json", content),
	})
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
