package report

import (
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/programme/catalogue"
	"github.com/cloudopsec/opsec/audit/programme/competence"
)

// Document is a report's content: the audit as its audience may see it, and the sums of that.
type Document struct {
	Audience     Audience        `json:"audience"`
	At           time.Time       `json:"at"`
	Audit        programme.Audit `json:"audit"`     // of a customer: see [Share]
	Catalogue    string          `json:"catalogue"` // its title
	Issued       bool            `json:"issued"`    // the results are final
	Total        Counts          `json:"total"`
	Categories   []Category      `json:"categories"` // of the catalogue, in its order; sum: Total
	Procedures   []Procedure     `json:"procedures"` // of the plan, in its order; sum: Total
	Customers    []Customer      `json:"customers"`  // the provider first, then by id; sum: Total
	Requirements []Requirement   `json:"requirements,omitempty"`
	Findings     []Finding       `json:"findings,omitempty"` // the gravest first
	Risks        []Risk          `json:"risks,omitempty"`    // the gravest first; sum: Findings
	Provider     []Risk          `json:"provider,omitempty"` // for a customer: findings that concern the provider alone
	Certificates []Certificate   `json:"certificates,omitempty"`
	Withheld     int             `json:"withheld,omitempty"` // texts that mention another customer
}

// Counts are numbers of results.
type Counts struct {
	Passed        int `json:"passed"`
	Failed        int `json:"failed"`
	NotTested     int `json:"not_tested"`
	NotApplicable int `json:"not_applicable"`
	Missing       int `json:"missing"` // items that are to be tested and have no result
}

// Items returns how many items were to be tested.
func (c Counts) Items() int { return c.Passed + c.Failed + c.NotTested + c.NotApplicable + c.Missing }

// Applicable returns how many items could have passed.
func (c Counts) Applicable() int { return c.Items() - c.NotApplicable }

// Open returns how many items nothing is known of.
func (c Counts) Open() int { return c.NotTested + c.Missing }

func (c *Counts) add(o Counts) {
	c.Passed += o.Passed
	c.Failed += o.Failed
	c.NotTested += o.NotTested
	c.NotApplicable += o.NotApplicable
	c.Missing += o.Missing
}

// count counts a result. What has no status that is known was not tested.
func (c *Counts) count(s programme.Status) {
	switch s {
	case programme.Passed:
		c.Passed++
	case programme.Failed:
		c.Failed++
	case programme.NotApplicable:
		c.NotApplicable++
	default:
		c.NotTested++
	}
}

// Category is a category of the catalogue, or one that the plan alone knows, and what was found out in it.
type Category struct {
	ID         string `json:"id"`
	Title      string `json:"title"`
	Waived     string `json:"waived,omitempty"` // the reason why it was left out
	Procedures int    `json:"procedures"`
	Counts
}

// Procedure is a procedure of the plan, or one that only results know, and what it found out.
type Procedure struct {
	programme.Procedure
	Population int `json:"population"` // items it was drawn from; 0: not frozen, or not told
	Drawn      int `json:"drawn"`      // items to be tested
	Counts
}

// Customer is whose items results are about.
type Customer struct {
	Tenant   opsec.TenantID `json:"tenant,omitempty"` // none: the provider
	Findings int            `json:"findings"`         // that name it; of the provider: that concern it alone
	Counts
}

// Requirement is a requirement of the catalogue that procedures test or a finding names, or that stands in a category
// that is audited. A procedure counts for each of its requirements.
type Requirement struct {
	catalogue.Requirement
	Procedures []string `json:"procedures,omitempty"`
	Findings   []string `json:"findings,omitempty"`
	Counts
}

// State is how a finding or an action stands.
type State string

// The states. A finding is overdue when one of its actions is.
const (
	Open     State = "open"
	Overdue  State = "overdue"               // as [programme.Audit.Overdue] says
	Waiting  State = "awaiting verification" // done, says its owner
	Verified State = "verified"              // done, somebody else says
	Accepted State = "risk accepted"         // for now
	Lapsed   State = "acceptance has run out"
	NoAction State = "no action agreed"
)

// Finding is a finding with what is done about it.
type Finding struct {
	programme.Finding
	State   State    `json:"state"`
	Actions []Action `json:"actions,omitempty"`
}

// Action is an action, and how it stands.
type Action struct {
	programme.Action
	State State `json:"state"`
}

// Risk counts the findings of one risk.
type Risk struct {
	Risk     opsec.Severity `json:"risk,omitempty"` // none: not rated
	Findings int            `json:"findings"`
	Open     int            `json:"open"`     // neither accepted nor verified; overdue or not
	Overdue  int            `json:"overdue"`  // of those open
	Accepted int            `json:"accepted"` // for now
	Verified int            `json:"verified"`
	Repeated int            `json:"repeated"` // of all, those found before
}

// Certificate is a certificate, and how it stands.
type Certificate struct {
	competence.Certificate
	State    string               `json:"state"` // "in force", "not yet in force", "expired", "withdrawn"
	Warnings []competence.Warning `json:"warnings,omitempty"`
}
