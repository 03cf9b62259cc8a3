package oscal

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/cloudopsec/opsec"
)

// ErrNothingOpen says that no finding is open: OSCAL has no empty plan of action and milestones.
var ErrNothingOpen = errors.New("oscal: no finding is open")

// Options is whose documents they are, who reads them, and where the others are.
type Options struct {
	// Provider is the name of the provider, or better its domain. Identifiers hang on it: two providers may have an audit of
	// the same id.
	Provider string
	// Tenant is the customer who reads it; none: the provider and its auditors. It must be one of the plan's.
	Tenant opsec.TenantID
	// Plan and Catalogue are where these documents are, as a reference from the others; none: "assessment-plan.json" and
	// "catalog.json".
	Plan, Catalogue string
	// SystemPlan is where an OSCAL system security plan is; none: there is none, and a resource with the scope stands for it.
	SystemPlan string
}

// check completes o.
func (o *Options) check() error {
	if line(o.Provider) != o.Provider || o.Provider == "" || len(o.Provider) > 256 {
		return fmt.Errorf("oscal: provider: want one line of 1 to 256 bytes: %w", opsec.ErrInvalid)
	}
	if o.Plan == "" {
		o.Plan = "assessment-plan.json"
	}
	if o.Catalogue == "" {
		o.Catalogue = "catalog.json"
	}
	for _, href := range []string{o.Plan, o.Catalogue, o.SystemPlan} {
		_, err := url.Parse(href)
		odd := func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"<>[]\\^`{|}", r) } // RFC 3986
		if err != nil || strings.ContainsFunc(href, odd) || strings.HasPrefix(href, "#") {
			return fmt.Errorf("oscal: %.64q: want a reference to another document: %w", href, opsec.ErrInvalid)
		}
	}
	if o.Tenant != "" {
		if err := o.Tenant.Validate(); err != nil || o.Tenant == opsec.Provider {
			return fmt.Errorf("oscal: tenant %.64q: want a customer's id: %w", o.Tenant, opsec.ErrInvalid)
		}
	}
	return nil
}
