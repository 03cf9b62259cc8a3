package sla

import (
	"path"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla/credit"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/response"
	"github.com/cloudopsec/opsec/sla/responsibility"
)

// Schema is the version of the form of an [Agreement] that this package reads and writes.
const Schema = "opsec.sla/v1"

// Agreement is the security clause of a service level agreement as data, in YAML or JSON. Its digest is what reports cite.
type Agreement struct {
	Schema    string    `json:"schema"`  // [Schema]
	ID        string    `json:"id"`      //
	Version   int       `json:"version"` // from 1; a change makes the next
	Title     string    `json:"title,omitempty"`
	Effective time.Time `json:"effective"`        // from then
	Expires   time.Time `json:"expires,omitzero"` // before then; zero: until it is ended

	Parties  []Party            `json:"parties,omitempty"`  // one provider and one customer at least
	Services []Service          `json:"services,omitempty"` //
	Model    opsec.ServiceModel `json:"model"`              //
	Grade    string             `json:"grade,omitempty"`    // such as "gold"
	Regions  []string           `json:"regions,omitempty"`  // where the service is provided
	Law      []string           `json:"law,omitempty"`      // jurisdictions that govern it: ISO 3166 codes, or "EU"
	Zone     string             `json:"zone"`               // IANA name: of the periods of reports
	Currency string             `json:"currency,omitempty"`

	Responsibilities responsibility.Matrix `json:"responsibilities"`
	Clause           Clause                `json:"clause"`
	Exclusions       []ExclusionRule       `json:"exclusions,omitempty"`
	Credits          []credit.Table        `json:"credits,omitempty"`
	Liabilities      []Liability           `json:"liabilities,omitempty"` // beside the credits: one of each party at least
	Profiles         []string              `json:"profiles,omitempty"`    // legal and industry minimums that hold: see [Minimum]
	History          []Change              `json:"history,omitempty"`     // of the negotiation, oldest first
}

// Party is a party to an agreement.
type Party struct {
	Role      opsec.Party `json:"role"` // [opsec.CSP] or [opsec.CSC]
	Name      string      `json:"name"`
	Tenant    string      `json:"tenant,omitempty"`    // of a customer
	Contact   string      `json:"contact"`             //
	PublicKey string      `json:"publicKey,omitempty"` // Ed25519, base64: what its signature is checked with
}

// Service is what is provided.
type Service struct {
	ID         string             `json:"id"`
	Title      string             `json:"title,omitempty"`
	Resources  []string           `json:"resources,omitempty"`  // ids, or patterns of package path, of the resources that it has; none: the id itself
	Objectives []metric.Objective `json:"objectives,omitempty"` // of its availability
	DependsOn  []string           `json:"dependsOn,omitempty"`  // ids of services
}

// ExclusionRule is time that may be left out of figures. What no rule covers counts.
type ExclusionRule struct {
	ID       string          `json:"id"`
	Category Category        `json:"category"`
	Text     string          `json:"text"`               // the disclaimer as it stands in the contract
	Approver string          `json:"approver,omitempty"` // role that must have approved; empty: none need to
	Notice   metric.Duration `json:"notice,omitempty"`   // how long before its begin it must have been told
	Longest  metric.Duration `json:"longest,omitempty"`  // of one time, from its begin; 0: no bound
	Yearly   metric.Duration `json:"yearly,omitempty"`   // of all in a calendar year of the agreement's zone; 0: no bound
	Services []string        `json:"services,omitempty"` // none: all
}

// Category is why time may be left out.
type Category string

// The categories of exclusions and disclaimers.
const (
	Maintenance  Category = "maintenance"   // announced beforehand
	ForceMajeure Category = "force-majeure" //
	CustomerAct  Category = "customer"      // caused in a layer that the customer answers for
	ThirdParty   Category = "third-party"   // outside of the provider's control
	Suspension   Category = "suspension"    // by the contract: fees not paid, abuse
	Preview      Category = "preview"       // a service that is not promised yet
)

// Categories returns them all.
func Categories() []Category {
	return []Category{Maintenance, ForceMajeure, CustomerAct, ThirdParty, Suspension, Preview}
}

// Exclusion is a time that somebody wants left out of the figures, under a rule.
type Exclusion struct {
	ID       string               `json:"id"`
	Rule     string               `json:"rule"`
	Services []string             `json:"services,omitempty"` // none: all of the rule
	Start    time.Time            `json:"start"`
	End      time.Time            `json:"end"`
	Noticed  time.Time            `json:"noticed,omitzero"`   // when the customer was told
	Approved string               `json:"approved,omitempty"` // who approved, in the role that the rule names
	Role     string               `json:"role,omitempty"`     // that role
	Layer    responsibility.Layer `json:"layer,omitempty"`    // of CustomerAct: where the cause was
	Reason   string               `json:"reason"`
	Evidence string               `json:"evidence,omitempty"` // digest of what shows it
}

// Liability is what a party answers for when it does not do its part (7.2.1).
type Liability struct {
	Party opsec.Party `json:"party"` // [opsec.CSP] or [opsec.CSC]
	Text  string      `json:"text"`
}

// Change is a step of a negotiation: what was asked for, and what was answered.
type Change struct {
	Version  int         `json:"version"`          // of the agreement that it led to, or would have
	By       opsec.Party `json:"by"`               // who asked
	Person   string      `json:"person,omitempty"` //
	Time     time.Time   `json:"time"`             // when it was asked
	Paths    []string    `json:"paths,omitempty"`  // of what was to change, such as "clause.emergency.targets[0].each": see [Changed]
	Text     string      `json:"text"`             // why
	Agreed   bool        `json:"agreed"`           //
	Answered time.Time   `json:"answered"`         //
	AnswerBy opsec.Party `json:"answerBy"`         // the other party; or, of a request that was taken back, who asked
	Answerer string      `json:"answerer,omitempty"`
	Answer   string      `json:"answer,omitempty"` // why it was refused
	From     string      `json:"from"`             // digest of the agreement that was to change
	To       string      `json:"to"`               // digest of the terms that were asked for
}

// Clause has an element for each of 7.2.2.1 to 7.2.2.8. An element that is nil is missing, and [Agreement.Validate] says so.
type Clause struct {
	Continuity    *Continuity    `json:"continuity,omitempty"`    // 7.2.2.1
	Data          *Data          `json:"data,omitempty"`          // 7.2.2.2
	Emergency     *Emergency     `json:"emergency,omitempty"`     // 7.2.2.3
	Measures      *Measures      `json:"measures,omitempty"`      // 7.2.2.4
	Audit         *Audit         `json:"audit,omitempty"`         // 7.2.2.5
	Monitoring    *Monitoring    `json:"monitoring,omitempty"`    // 7.2.2.6
	Certification *Certification `json:"certification,omitempty"` // 7.2.2.7
	Documents     *Documents     `json:"documents,omitempty"`     // 7.2.2.8
}

// Continuity is clause 7.2.2.1. Availability stands with each [Service].
type Continuity struct {
	Recovery []response.Target `json:"recovery,omitempty"` // of measure [response.Recovery]
	Disaster string            `json:"disaster"`           // what protects against disasters
}

// Statement is a measure that is stated: what it is, and how it can be checked.
type Statement struct {
	Text     string           `json:"text"`
	Scope    []string         `json:"scope,omitempty"`    // services, or layers, that it covers; none: all
	Controls []string         `json:"controls,omitempty"` // such as "mfa", "jit", "ids": words that package comparison compares
	Evidence string           `json:"evidence,omitempty"` // how the customer can check it: a report, an audit, a certificate
	Interval metric.Duration  `json:"interval,omitempty"` // how often it is renewed or checked
	Within   *metric.Duration `json:"within,omitempty"`   // how soon it is done, where that is promised: patches, deletion
}

// Service returns a service by its id, or nil.
func (a *Agreement) Service(id string) *Service {
	for i := range a.Services {
		if a.Services[i].ID == id {
			return &a.Services[i]
		}
	}
	return nil
}

// Objective returns an objective of a service by its id, or nil.
func (a *Agreement) Objective(id string) *metric.Objective {
	for i := range a.Services {
		for j := range a.Services[i].Objectives {
			if o := &a.Services[i].Objectives[j]; o.ID == id {
				return o
			}
		}
	}
	return nil
}

// Holds reports whether the agreement is in force at a moment: from Effective on, and before Expires.
func (a *Agreement) Holds(t time.Time) bool {
	return !t.Before(a.Effective) && (a.Expires.IsZero() || t.Before(a.Expires))
}

// Has reports whether a resource is one of the service's.
func (s *Service) Has(resource string) bool {
	if len(s.Resources) == 0 {
		return resource == s.ID
	}
	for _, pattern := range s.Resources {
		if ok, err := path.Match(pattern, resource); err == nil && ok {
			return true
		}
	}
	return false
}
