package oscal

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/programme/report"
)

// builder makes one document.
type builder struct {
	o         Options
	a         programme.Audit // what the reader may see of it
	audit     string          // its id, for identifiers
	carried   map[string]carried
	unmet     []string  // requirements that findings about the provider alone name, which a tenant does not see
	asOf      time.Time // when the last step was taken
	steps     int       // how many were
	alone     bool      // the document does not import the plan
	parties   []party
	roles     []role
	holders   map[string][]string // of roles
	resources []resource
	added     map[string]bool // resources
	err       error
}

func newBuilder(a programme.Audit, o Options) (*builder, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if line(a.ID) == "" || len(a.History) == 0 {
		return nil, fmt.Errorf("oscal: audit without an id or a history: %w", opsec.ErrInvalid)
	}
	b := &builder{o: o, asOf: a.History[0].Time, steps: len(a.History), holders: map[string][]string{}, added: map[string]bool{}}
	if err := distinct(&a); err != nil {
		return nil, err
	}
	for _, e := range a.History {
		if e.Time.After(b.asOf) {
			b.asOf = e.Time
		}
	}
	b.a, b.audit = a, a.ID
	if o.Tenant != "" {
		var err error
		if b.a, _, err = report.Share(a, o.Tenant); err != nil {
			return nil, fmt.Errorf("oscal: %w", err)
		}
	}
	b.carried = carry(&a, &b.a)
	if o.Tenant != "" {
		b.unmet = unmet(&a, &b.a)
	}
	b.parties = []party{{UUID: b.provider(), Type: "organization", Name: line(o.Provider)}}
	b.holds("prepared-by", b.provider())
	if o.Tenant != "" {
		id := b.known("tenant", string(o.Tenant))
		b.parties = append(b.parties, party{UUID: id, Type: "organization", Name: string(o.Tenant)})
		b.holds("prepared-for", id)
	}
	return b, nil
}

// distinct refuses an audit in which an id stands twice, for identifiers hang on them.
func distinct(a *programme.Audit) error {
	seen := map[string]bool{}
	check := func(kind, id string, of ...string) error {
		key := uuid5(append([]string{kind, id}, of...)...)
		if id == "" || seen[key] {
			return fmt.Errorf("oscal: %s %.64q: want an id, and each once: %w", kind, id, opsec.ErrInvalid)
		}
		seen[key] = true
		return nil
	}
	var errs []error
	for _, p := range a.Plan.Procedures {
		errs = append(errs, check("procedure", p.ID))
	}
	for _, f := range a.Findings {
		errs = append(errs, check("finding", f.ID))
	}
	for _, x := range a.Actions {
		errs = append(errs, check("action", x.ID))
	}
	for _, r := range a.Results {
		errs = append(errs, check("result about", r.Item, r.Procedure, owner(r)))
	}
	return errors.Join(errs...)
}

// id returns the identifier of something of this audit.
func (b *builder) id(kind string, parts ...string) string {
	return uuid5(append([]string{b.o.Provider, kind, "of audit", b.audit}, parts...)...)
}

// known returns the identifier of something that other audits of the provider may be about as well.
func (b *builder) known(kind string, parts ...string) string {
	return uuid5(append([]string{b.o.Provider, kind}, parts...)...)
}

// metadata comes last: parties and roles are those that were named.
func (b *builder) metadata(kind string) metadata {
	m := metadata{
		Title:        text(kind + ": " + b.a.Plan.Title),
		LastModified: b.time(b.asOf),
		Version:      strconv.Itoa(b.steps),
		OSCALVersion: Version,
		DocumentIDs:  []documentID{{line(b.a.ID)}},
		Props:        props("stage", string(b.a.Stage), "follows", b.a.Plan.Follows),
		Roles:        b.roles,
		Parties:      b.parties,
	}
	for _, r := range b.roles {
		m.ResponsibleParties = append(m.ResponsibleParties, responsibleParty{r.ID, b.holders[r.ID]})
	}
	return m
}

func (b *builder) time(t time.Time) string {
	s, err := instant(t)
	if err != nil && b.err == nil {
		b.err = err
	}
	return s
}

// props makes properties of ours out of names and values; those without a value are left out.
func props(pairs ...string) (list []property) {
	for i := 0; i < len(pairs); i += 2 {
		if v := line(pairs[i+1]); v != "" {
			list = append(list, property{Name: pairs[i], NS: Namespace, Value: v})
		}
	}
	return list
}

// count writes a number, and none for 0.
func count(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func (b *builder) provider() string { return b.known("provider") }

// holds says that a party has a role.
func (b *builder) holds(role, party string) {
	if _, ok := b.holders[role]; !ok {
		b.roles = append(b.roles, roleOf(role))
	}
	if !slices.Contains(b.holders[role], party) {
		b.holders[role] = append(b.holders[role], party)
	}
}

// by returns somebody in a role: the provider, where nobody is named, as to a tenant.
func (b *builder) by(person, role string) actor {
	id := b.provider()
	if person = line(person); person != "" {
		id = b.known("person", person)
		if !slices.ContainsFunc(b.parties, func(p party) bool { return p.UUID == id }) {
			b.parties = append(b.parties, party{UUID: id, Type: "person", Name: person})
		}
	}
	b.holds(role, id)
	return actor{Type: "party", UUID: id, Role: role}
}

func (b *builder) responsible(person, role string) []responsibleParty {
	return []responsibleParty{{role, []string{b.by(person, role).UUID}}}
}

// lead is who leads the audit.
func (b *builder) lead() actor {
	i := slices.IndexFunc(b.a.Team, func(m programme.Member) bool { return m.Lead })
	if i < 0 {
		return actor{Type: "party", UUID: b.provider(), Role: "prepared-by"}
	}
	return b.by(b.a.Team[i].Person, leads)
}

// The roles that documents define.
const (
	leads    = "assessment-lead"
	assesses = "assessor"
	owns     = "action-owner"
	verifies = "verifier"
	accepts  = "risk-acceptor"
	collects = "evidence-collector"
	acts     = "actor"
)

func roleOf(id string) role {
	titles := map[string]string{
		"prepared-by":  "Provider, who is audited and audits itself",
		"prepared-for": "Customer concerned",
		leads:          "Leads the audit",
		assesses:       "Carries out procedures",
		owns:           "Answers for an action",
		verifies:       "Verifies that actions are done",
		accepts:        "Accepts risks for the provider",
		collects:       "Collected evidence",
		acts:           "Took a step of the audit",
	}
	if t, ok := titles[id]; ok {
		return role{id, t}
	}
	return role{id, "On the team for: " + strings.ReplaceAll(id, "-", " ")}
}

// controls selects controls by the ids of their requirements.
func (b *builder) controls(requirements []string) (ids []controlID) {
	catalogue, _, _ := strings.Cut(b.a.Plan.Catalogue, "/")
	for _, r := range requirements {
		if id := (controlID{controlToken(catalogue, r)}); !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// reviewed selects controls out of the catalogue, which it makes a resource.
func (b *builder) reviewed(include, exclude []string, remarks string) reviewedControls {
	id := b.id("catalogue")
	b.add(resource{
		UUID: id, Title: text("Catalogue " + b.a.Plan.Catalogue),
		Description: "The controls that this document is about.",
		Props:       []property{{Name: "type", Value: "standard"}},
		Links:       []resLink{{Href: b.o.Catalogue, MediaType: "application/json"}},
	})
	return reviewedControls{
		Links:      []link{{Href: "#" + id, Rel: "reference"}},
		Selections: []controlSelection{{Include: b.controls(include), Exclude: b.controls(exclude), Remarks: remarks}},
	}
}

func (b *builder) matter() *backMatter {
	if len(b.resources) == 0 {
		return nil
	}
	return &backMatter{b.resources}
}

// done encodes a document.
func (b *builder) done(document any) ([]byte, error) {
	if b.err != nil {
		return nil, b.err
	}
	return encode(document)
}

func unique(lists ...[]string) (all []string) {
	for _, s := range slices.Concat(lists...) {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}
