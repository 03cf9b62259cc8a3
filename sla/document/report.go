package document

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/recompute"
	"github.com/cloudopsec/opsec/sla/response"
)

// Report is the report of a period to show, with what it was made from.
type Report struct {
	Report    *recompute.Report
	Agreement *sla.Agreement      // the one that the report cites
	Incidents []response.Incident // those that the report cites, for the timeline, others among them are not shown; nil: none is
}

// Customer is a customer whom a report is for, and what of it is the customer's.
type Customer struct {
	Tenant opsec.TenantID // of a party of the agreement
	// Owns says whether a resource, or a source of backups, is the customer's, and may be named to it. Nil: none is named.
	Owns func(resource string) bool
	// Withhold says whether a text or an id that the provider has written, such as the reason of an exclusion, may not be shown to the
	// customer: it names another, say. Nil: all are shown.
	Withhold func(text string) bool
}

// Withheld stands where a text is withheld from a customer.
const Withheld = "[withheld]"

// ViewSchema is the version of the form of a [View].
const ViewSchema = "opsec.sla.view/v1"

// View is a report as a customer gets it in JSON.
type View struct {
	Schema    string              `json:"schema"`
	Tenant    opsec.TenantID      `json:"tenant"`
	Of        string              `json:"of"`       // digest of the whole report
	Unnamed   int                 `json:"unnamed"`  // entries of resources that are not the customer's, which the report has and this has not
	Withheld  int                 `json:"withheld"` // texts and ids
	Report    *recompute.Report   `json:"report"`   // without what is not the customer's
	Incidents []response.Incident `json:"incidents,omitempty"`
}

// Provider returns the report as the provider reads it: all of it. An agreement or incidents that are not those that the report cites
// are an error that wraps [opsec.ErrInvalid].
func (s Report) Provider() (*Document, error) {
	digest, err := s.check()
	if err != nil {
		return nil, err
	}
	text, err := s.Report.JSON()
	if err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	p, err := s.performance(digest, nil)
	if err != nil {
		return nil, err
	}
	return newDocument(digest, p.page(), text)
}

// Customer returns the report as a customer reads it: figures, credits, incidents and exclusions as they are, and of the rest what is the
// customer's. Who approved is told by role, resources are named when they are the customer's own, and findings are told when they are
// about the agreement and the evidence. The error wraps [opsec.ErrNotFound] if the agreement is not one with this customer, else it is as of [Report.Provider].
func (s Report) Customer(c Customer) (*Document, error) {
	digest, err := s.check()
	if err != nil {
		return nil, err
	}
	if c.Tenant == "" || !slices.ContainsFunc(s.Agreement.Parties, func(p sla.Party) bool { return p.Role == opsec.CSC && p.Tenant == string(c.Tenant) }) {
		return nil, fmt.Errorf("document: an agreement with customer %.40q: %w", c.Tenant, opsec.ErrNotFound)
	}
	v := c.view(s, digest)
	text, err := encode(v)
	if err != nil {
		return nil, err
	}
	s.Report, s.Incidents = v.Report, v.Incidents
	p, err := s.performance(digest, v)
	if err != nil {
		return nil, err
	}
	return newDocument(digest, p.page(), text)
}

// check says whether the parts belong together, and returns the digest of the report. Of the incidents it leaves what the report cites.
func (s *Report) check() (string, error) {
	if s.Report == nil || s.Agreement == nil {
		return "", invalid("report, agreement: one is not given")
	}
	cited, err := s.Agreement.Digest()
	if err != nil {
		return "", fmt.Errorf("document: agreement: %w", err)
	}
	if cited != s.Report.Agreement.Digest {
		return "", invalid("the report cites another agreement than the one that is given")
	}
	if s.Incidents == nil {
		return s.Report.Digest()
	}
	known, err := s.Report.Known(s.Incidents)
	if err != nil {
		return "", fmt.Errorf("document: %w", err)
	}
	s.Incidents = append([]response.Incident{}, known...)
	return s.Report.Digest()
}

// told are the rules of findings that customers are told: about the agreement and what was seen. Others may be about anything.
var told = []string{"credits", "effective", "expired", "no-evidence", "window"}

// view leaves out of a report what is not the customer's.
func (c Customer) view(s Report, digest string) *View {
	r := *s.Report
	v := &View{Schema: ViewSchema, Tenant: c.Tenant, Of: digest, Report: &r}
	r.Why = c.text(v, r.Why)
	r.Services = slices.Clone(r.Services)
	for i := range r.Services {
		list := slices.Clone(r.Services[i].Objectives)
		for k := range list {
			all := list[k].Worst
			list[k].Worst = nil
			for _, w := range all {
				if c.owns(w.Resource) {
					list[k].Worst = append(list[k].Worst, w)
				}
			}
			v.Unnamed += len(all) - len(list[k].Worst)
		}
		r.Services[i].Objectives = list
		c.credits(v, &r.Services[i])
	}
	r.Exposures = nil
	for _, x := range s.Report.Exposures {
		if c.owns(x.Source) {
			r.Exposures = append(r.Exposures, x)
		} else {
			v.Unnamed++
		}
	}
	r.Exclusions = nil
	for _, x := range s.Report.Exclusions {
		r.Exclusions = append(r.Exclusions, c.ruling(v, s.Agreement, x))
	}
	r.Findings = nil
	for _, f := range s.Report.Findings {
		if slices.Contains(told, f.Rule) {
			f.Path, f.Text = c.text(v, f.Path), c.text(v, f.Text)
			r.Findings = append(r.Findings, f)
		}
	}
	if s.Incidents != nil {
		v.Incidents = []response.Incident{}
	}
	for _, i := range s.Incidents {
		i.ID, i.Service = c.id(v, i.ID), c.text(v, i.Service)
		v.Incidents = append(v.Incidents, i)
	}
	return v
}

// ruling leaves of an exclusion who approved in what role, if it is a role of the agreement: anything may have been claimed.
func (c Customer) ruling(v *View, a *sla.Agreement, x sla.Ruling) sla.Ruling {
	x.Approved = ""
	if x.Role != "" && !slices.ContainsFunc(a.Exclusions, func(r sla.ExclusionRule) bool { return r.Approver == x.Role }) {
		x.Role = Withheld
		v.Withheld++
	}
	if x.Layer != "" && !x.Layer.Known() {
		if strings.Contains(x.Why, string(x.Layer)) {
			x.Why = Withheld
			v.Withheld++
		}
		x.Layer = Withheld
		v.Withheld++
	}
	x.ID, x.Rule = c.id(v, x.ID), c.text(v, x.Rule)
	x.Reason, x.Why, x.Evidence = c.text(v, x.Reason), c.text(v, x.Why), c.text(v, x.Evidence)
	return x
}

// credits leaves the credits of the service, and of resources that are the customer's.
func (c Customer) credits(v *View, s *recompute.Service) {
	own := func(who string) bool {
		resource, single := strings.CutPrefix(who, s.ID+"/")
		return who == s.ID || single && c.owns(resource)
	}
	dues, totals := s.Credits, s.Totals
	s.Credits, s.Totals = nil, nil
	for _, d := range dues {
		if own(d.Service) {
			d.Why = c.text(v, d.Why)
			s.Credits = append(s.Credits, d)
		} else {
			v.Unnamed++
		}
	}
	for _, t := range totals {
		if own(t.Service) {
			s.Totals = append(s.Totals, t)
		}
	}
}

// owns says whether a resource, or a source of backups, may be named.
func (c Customer) owns(resource string) bool { return c.Owns != nil && c.Owns(resource) }

// id returns an id, or what stands for it: another for each.
func (c Customer) id(v *View, id string) string {
	if c.text(v, id) != id {
		return fmt.Sprintf("withheld-%d", v.Withheld)
	}
	return id
}

func (c Customer) text(v *View, s string) string {
	if s == "" || c.Withhold == nil || !c.Withhold(s) {
		return s
	}
	v.Withheld++
	return Withheld
}
