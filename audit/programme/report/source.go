package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/programme/catalogue"
	"github.com/cloudopsec/opsec/audit/programme/competence"
)

// Audience is whom a report is for: [Management], [Auditor] or [Tenant].
type Audience string

// The audiences within the provider.
const (
	Management Audience = "management"
	Auditor    Audience = "auditor"
)

// Tenant is the audience of one customer.
func Tenant(id opsec.TenantID) Audience { return Audience("tenant " + string(id)) }

// Tenant returns the customer, when the audience is one.
func (who Audience) Tenant() (id opsec.TenantID, ok bool) {
	name, ok := strings.CutPrefix(string(who), "tenant ")
	return opsec.TenantID(name), ok
}

// Source is what a report is made of.
type Source struct {
	Audit        programme.Audit
	Catalogue    *catalogue.Catalogue     // that of the plan
	Certificates []competence.Certificate // that the provider holds
	Warnings     []competence.Warning     // about them, of [competence.Policy.Renewals]
	At           time.Time                // as of when: what is overdue, which certificates are in force
}

// View returns what an audience may see. For a customer whom the audit does not concern the error wraps
// [opsec.ErrNotFound]; for a source without an audit, a catalogue or a time, and for a catalogue that is not the plan's,
// [opsec.ErrInvalid].
func View(src Source, who Audience) (Document, error) {
	if err := src.validate(); err != nil {
		return Document{}, err
	}
	tenant, shared := who.Tenant()
	switch {
	case shared:
		return src.share(tenant)
	case who == Management || who == Auditor:
		return src.sum(who), nil
	}
	return Document{}, fmt.Errorf("report: audience %.40q: %w", who, opsec.ErrInvalid)
}

func (src *Source) validate() error {
	wrong := func(what string) error { return fmt.Errorf("report: %s: %w", what, opsec.ErrInvalid) }
	switch {
	case src.Audit.ID == "":
		return wrong("an audit without an id")
	case src.Catalogue == nil:
		return wrong("no catalogue")
	case src.Audit.Plan.Catalogue != src.Catalogue.Name():
		return wrong("the catalogue is not that of the plan")
	case src.At.IsZero():
		return wrong("no time")
	}
	return nil
}

// HTML writes the document as a page of HTML that stands alone.
func HTML(w io.Writer, d Document) error { return d.page().HTML(w) }

// Markdown writes the document in GitHub Flavored Markdown.
func Markdown(w io.Writer, d Document) error { return d.page().Markdown(w) }
