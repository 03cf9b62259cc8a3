package sla

import (
	"errors"
	"fmt"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla/credit"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/response"
	"github.com/cloudopsec/opsec/sla/responsibility"
)

// maxFaults is how many faults are reported at once.
const maxFaults = 1000

// checker gathers faults.
type checker struct {
	a          *Agreement
	service    map[string]bool
	objectives map[string]ratio.Ratio // targets
	faults     []error
}

func newChecker(a *Agreement) *checker {
	c := &checker{a: a, service: map[string]bool{}, objectives: map[string]ratio.Ratio{}}
	for _, s := range a.Services {
		c.service[s.ID] = true
		for _, o := range s.Objectives {
			c.objectives[o.ID] = o.Target
		}
	}
	return c
}

func (c *checker) fault(path string, r Rule, form string, args ...any) {
	if len(c.faults) < maxFaults {
		c.faults = append(c.faults, &Fault{Path: path, Rule: r, Text: fmt.Sprintf(form, args...)})
	}
}

// adopt reports what another package found at a path, unless something is reported of the same place already.
func (c *checker) adopt(path string, r Rule, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			c.adopt(path, r, e)
		}
		return
	}
	f := &Fault{Path: path, Rule: r, Err: err}
	switch e := err.(type) {
	case nil:
		return
	case *metric.Fault:
		f.Path, f.Text = join(path, e.Path), e.Text
	case *response.Fault:
		f.Path, f.Text = join(path, e.Path), e.Text
	case *credit.Fault:
		f.Path, f.Text = join(path, e.Path), e.Text
	default:
		f.Text = err.Error()
	}
	same := func(e error) bool { return e.(*Fault).Path == f.Path }
	if len(c.faults) < maxFaults && !slices.ContainsFunc(c.faults, same) {
		c.faults = append(c.faults, f)
	}
}

// text asks for a text that says something.
func (c *checker) text(path, s string) {
	if strings.TrimSpace(s) == "" {
		c.fault(path, RuleMissing, "nothing is said")
	}
}

// some asks for a list of texts that each say something and stand once.
func (c *checker) some(path string, list []string) {
	if len(list) == 0 {
		c.fault(path, RuleMissing, "nothing is listed")
	}
	c.once(path, list)
}

func (c *checker) once(path string, list []string) {
	seen := map[string]bool{}
	for i, s := range list {
		at := fmt.Sprintf("%s[%d]", path, i)
		c.text(at, s)
		if seen[s] {
			c.fault(at, RuleDuplicate, "it stands there before")
		}
		seen[s] = true
	}
}

// id asks for an identifier that is unique among seen.
func (c *checker) id(path, id string, seen map[string]bool) {
	switch {
	case id == "":
		c.fault(path, RuleMissing, "no id")
	case len(id) > 128 || strings.ContainsFunc(id, unicode.IsSpace):
		c.fault(path, RuleInvalid, "want an id of up to 128 bytes without spaces")
	case seen[id]:
		c.fault(path, RuleDuplicate, "another one has this id")
	}
	seen[id] = true
}

// length asks for a duration above 0.
func (c *checker) length(path string, d metric.Duration) {
	switch {
	case d == 0:
		c.fault(path, RuleMissing, "no duration is promised")
	case d < 0:
		c.fault(path, RuleInvalid, "want a duration above 0")
	}
}

// Validate returns nil if the agreement has every element of clauses 7.2.2.1 to 7.2.2.8 in terms that can be measured;
// else a [*Fault] for each thing that is missing, unmeasurable or wrong, joined, in the order of the fields, up to 1,000
// of them. [Faults] lists them. Texts and numbers that could not stand in a digest come first, and a list that is too long
// comes alone. Validate does not look at minimums: see [Agreement.Check].
func (a *Agreement) Validate() error {
	c := newChecker(a)
	sized := walk(reflect.ValueOf(a), "", func(path string, v reflect.Value) bool {
		why := odd(v)
		if why != "" {
			c.fault(path, RuleInvalid, "%s", why)
		}
		return why == "" || v.Kind() != reflect.Slice
	})
	if !sized {
		return errors.Join(c.faults...)
	}
	c.head()
	c.parties()
	c.place()
	c.services()
	c.responsible()
	c.clause()
	c.exclusions()
	c.credits()
	c.once("profiles", a.Profiles)
	c.history()
	return errors.Join(c.faults...)
}

func (c *checker) head() {
	a := c.a
	if a.Schema != Schema {
		c.fault("schema", RuleInvalid, "want %q", Schema)
	}
	c.id("id", a.ID, map[string]bool{})
	if a.Version < 1 {
		c.fault("version", RuleInvalid, "want 1 or more")
	}
	if a.Effective.IsZero() {
		c.fault("effective", RuleMissing, "from when it holds is not said")
	}
	if !a.Expires.IsZero() && !a.Expires.After(a.Effective) {
		c.fault("expires", RuleContradiction, "it ends before it begins")
	}
}

func (c *checker) parties() {
	names, keys, roles := map[string]bool{}, map[string]bool{}, map[opsec.Party]bool{}
	for i, p := range c.a.Parties {
		at := fmt.Sprintf("parties[%d]", i)
		if p.Role != opsec.CSP && p.Role != opsec.CSC {
			c.fault(at+".role", RuleInvalid, "want CSP or CSC")
		}
		roles[p.Role] = true
		c.text(at+".name", p.Name)
		if names[p.Name] && p.Name != "" {
			c.fault(at+".name", RuleDuplicate, "another party has this name")
		}
		names[p.Name] = true
		c.text(at+".contact", p.Contact)
		if p.Tenant != "" && (opsec.TenantID(p.Tenant).Validate() != nil || (p.Tenant == string(opsec.Provider)) != (p.Role == opsec.CSP)) {
			c.fault(at+".tenant", RuleInvalid, "want the id of a customer's tenant")
		}
		if p.PublicKey == "" {
			continue
		}
		if _, err := p.key(); err != nil {
			c.fault(at+".publicKey", RuleInvalid, "want an Ed25519 public key of a strong point, in base64")
		} else if keys[p.PublicKey] {
			c.fault(at+".publicKey", RuleDuplicate, "another party has this key")
		}
		keys[p.PublicKey] = true
	}
	for _, r := range []opsec.Party{opsec.CSP, opsec.CSC} {
		if !roles[r] {
			c.fault("parties", RuleMissing, "there is no %s", r)
		}
	}
}

var (
	lawForm      = regexp.MustCompile(`^[A-Z]{2}(-[A-Z0-9]{1,3})?$`)
	currencyForm = regexp.MustCompile(`^[A-Z]{3}$`)
	digestForm   = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// place looks at where and under which law a service is provided.
func (c *checker) place() {
	a := c.a
	c.some("regions", a.Regions)
	c.some("law", a.Law)
	for i, l := range a.Law {
		if l != "" && !lawForm.MatchString(l) {
			c.fault(fmt.Sprintf("law[%d]", i), RuleInvalid, "want a code of ISO 3166 such as DE or US-CA, or EU")
		}
	}
	if _, err := a.zone(); err != nil {
		c.fault("zone", RuleInvalid, "want an IANA name such as Europe/Berlin, or UTC")
	}
	if a.Currency != "" && !currencyForm.MatchString(a.Currency) {
		c.fault("currency", RuleInvalid, "want a code of ISO 4217")
	}
}

// zone returns the location of the agreement; that of the machine is none.
func (a *Agreement) zone() (*time.Location, error) {
	if a.Zone == "" || a.Zone == "Local" {
		return nil, fmt.Errorf("sla: zone: want an IANA name: %w", opsec.ErrInvalid)
	}
	loc, err := time.LoadLocation(a.Zone)
	if err != nil {
		return nil, fmt.Errorf("sla: zone: %w: %w", err, opsec.ErrInvalid)
	}
	return loc, nil
}

func (c *checker) services() {
	ids, objectives := map[string]bool{}, map[string]bool{}
	if len(c.a.Services) == 0 {
		c.fault("services", RuleMissing, "no service is provided")
	}
	for i, s := range c.a.Services {
		at := fmt.Sprintf("services[%d]", i)
		c.id(at+".id", s.ID, ids)
		c.once(at+".resources", s.Resources)
		for j, r := range s.Resources {
			if _, err := path.Match(r, ""); err != nil {
				c.fault(fmt.Sprintf("%s.resources[%d]", at, j), RuleInvalid, "not a pattern: %v", err)
			}
		}
		if len(s.Objectives) == 0 {
			c.fault(at+".objectives", RuleMissing, "its availability is not promised (7.2.2.1)")
		}
		for j, o := range s.Objectives {
			at := fmt.Sprintf("%s.objectives[%d]", at, j)
			c.id(at+".id", o.ID, objectives)
			c.adopt(at, RuleUnmeasurable, o.Validate())
		}
	}
	for i, s := range c.a.Services {
		at := fmt.Sprintf("services[%d].dependsOn", i)
		c.once(at, s.DependsOn)
		for j, d := range s.DependsOn {
			if !c.service[d] {
				c.fault(fmt.Sprintf("%s[%d]", at, j), RuleUnknown, "no service has this id")
			}
		}
	}
	c.cycles()
}

// cycles reports services that depend on themselves, each once.
func (c *checker) cycles() {
	const open, done = 1, 2
	mark, index := map[string]int{}, map[string]int{}
	for i, s := range c.a.Services {
		index[s.ID] = i
	}
	var visit func(id string)
	visit = func(id string) {
		mark[id] = open
		i, ok := index[id]
		if ok {
			for j, d := range c.a.Services[i].DependsOn {
				switch mark[d] {
				case 0:
					visit(d)
				case open:
					c.fault(fmt.Sprintf("services[%d].dependsOn[%d]", i, j), RuleContradiction, "services depend on each other in a circle")
				}
			}
		}
		mark[id] = done
	}
	for _, s := range c.a.Services {
		if mark[s.ID] == 0 {
			visit(s.ID)
		}
	}
}

func (c *checker) responsible() {
	m := c.a.Responsibilities
	if c.a.Model != m.Model {
		c.fault("responsibilities.model", RuleContradiction, "the agreement is of %s, the matrix of %s", some(c.a.Model), some(m.Model))
	}
	if len(responsibility.Owed(c.a.Model)) == 0 {
		c.fault("model", RuleInvalid, "want IaaS, PaaS, SaaS or NaaS")
	}
	for _, f := range responsibility.Faults(m.Validate()) {
		if len(c.faults) < maxFaults {
			c.faults = append(c.faults, &Fault{Path: "responsibilities." + f.Path, Rule: RuleResponsible, Text: f.Text, Err: f})
		}
	}
}

func some(m opsec.ServiceModel) string {
	if m == "" {
		return "none"
	}
	return string(m)
}

func (c *checker) exclusions() {
	ids := map[string]bool{}
	for i, r := range c.a.Exclusions {
		at := fmt.Sprintf("exclusions[%d]", i)
		c.id(at+".id", r.ID, ids)
		if !slices.Contains(Categories(), r.Category) {
			c.fault(at+".category", RuleInvalid, "want one of %v", Categories())
		}
		c.text(at+".text", r.Text)
		for _, d := range []struct {
			name string
			d    metric.Duration
		}{{"notice", r.Notice}, {"longest", r.Longest}, {"yearly", r.Yearly}} {
			if d.d < 0 || time.Duration(d.d)%time.Millisecond != 0 {
				c.fault(at+"."+d.name, RuleInvalid, "want whole milliseconds, not below 0")
			}
		}
		if r.Category == Maintenance && r.Notice <= 0 {
			c.fault(at+".notice", RuleMissing, "how long before its begin maintenance is told")
		}
		c.once(at+".services", r.Services)
		c.known(at+".services", r.Services)
	}
}

// known asks for ids of services.
func (c *checker) known(path string, ids []string) {
	for i, id := range ids {
		if !c.service[id] {
			c.fault(fmt.Sprintf("%s[%d]", path, i), RuleUnknown, "no service has this id")
		}
	}
}

// credits looks at what the parties answer for.
func (c *checker) credits() {
	ids, liable := map[string]bool{}, map[opsec.Party]bool{}
	for i, t := range c.a.Credits {
		at := fmt.Sprintf("credits[%d]", i)
		c.id(at+".id", t.ID, ids)
		c.adopt(at, RuleUnmeasurable, t.Validate())
		target, ok := c.objectives[t.Objective]
		if !ok {
			c.fault(at+".objective", RuleUnknown, "no objective has this id")
		}
		for j, b := range t.Bands {
			if ok && b.Below.Cmp(target) > 0 {
				c.fault(fmt.Sprintf("%s.bands[%d].below", at, j), RuleContradiction, "credit for a figure that reaches the target of %s", target)
			}
		}
		if _, unit, ok := strings.Cut(t.Minimum, " "); ok && unit != c.a.Currency {
			c.fault(at+".minimum", RuleContradiction, "not in the currency of the agreement")
		}
		liable[opsec.CSP] = true
	}
	for i, l := range c.a.Liabilities {
		at := fmt.Sprintf("liabilities[%d]", i)
		if l.Party != opsec.CSP && l.Party != opsec.CSC {
			c.fault(at+".party", RuleInvalid, "want CSP or CSC")
		}
		c.text(at+".text", l.Text)
		liable[l.Party] = true
	}
	for _, p := range []opsec.Party{opsec.CSP, opsec.CSC} {
		if !liable[p] {
			c.fault("liabilities", RuleMissing, "what the %s answers for is not said (7.2.1)", p)
		}
	}
}
