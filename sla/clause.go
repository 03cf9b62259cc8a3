package sla

import (
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/calendar"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/response"
)

// Data is clause 7.2.2.2: nine items.
type Data struct {
	Physical   *Statement   `json:"physical,omitempty"`   // entrance guard, fire protection, backup power
	Medium     *Statement   `json:"medium,omitempty"`     // reinforcing of devices, patches
	Encryption []Encryption `json:"encryption,omitempty"` // which data, how
	Access     *Statement   `json:"access,omitempty"`     // access control
	Isolation  *Isolation   `json:"isolation,omitempty"`
	Deletion   *Deletion    `json:"deletion,omitempty"`
	Backup     *Backup      `json:"backup,omitempty"`
	Operations *Statement   `json:"operations,omitempty"` // audit of operations on customers' data, by qualified auditors
	Compliance []Compliance `json:"compliance,omitempty"` // one for each jurisdiction of the agreement
}

// Phase is a state of data.
type Phase string

// The states of data of clause 7.2.1.
const (
	AtRest   Phase = "at-rest"
	InUse    Phase = "in-use"
	InMotion Phase = "in-motion"
)

// Encryption says how some data is encrypted in a phase, or what protects it there instead.
type Encryption struct {
	Data       string `json:"data"` // which: "volumes", "backups", "API traffic", ...
	Phase      Phase  `json:"phase"`
	Algorithm  string `json:"algorithm,omitempty"` // such as "AES-256-GCM", "TLS 1.3"; empty: not encrypted, Protection says why
	KeyOwner   string `json:"keyOwner,omitempty"`  // "provider", "customer" or "third-party"
	Protection string `json:"protection,omitempty"`
}

// Isolation is how customers' data is kept apart.
type Isolation struct {
	Kind string `json:"kind"` // "logical" or "physical"
	Text string `json:"text"`
}

// Deletion is how data is deleted for good.
type Deletion struct {
	Method      string          `json:"method"`                // such as "crypto-erase", "overwrite"
	Within      metric.Duration `json:"within"`                // after the customer's order, or the contract's end
	BeforeReuse bool            `json:"beforeReuse"`           // before the resource is given to another customer
	Certificate bool            `json:"certificate,omitempty"` // the customer gets evidence
}

// Backup is what is promised of backups.
type Backup struct {
	RPO       *metric.Duration `json:"rpo,omitempty"` // recovery point objective: worst loss; 0s promises none
	RTO       metric.Duration  `json:"rto"`           // recovery time objective
	Retention metric.Duration  `json:"retention"`
	OnSite    int              `json:"onSite"`  // copies
	OffSite   int              `json:"offSite"` // copies
	TestEvery metric.Duration  `json:"testEvery"`
}

// Compliance is what a jurisdiction asks for.
type Compliance struct {
	Law        string           `json:"law"` // as in [Agreement].Law
	Collection string           `json:"collection"`
	Transfer   string           `json:"transfer"`
	Handling   string           `json:"handling"`
	Storage    string           `json:"storage"`
	Destroying string           `json:"destruction"`
	Correction string           `json:"correction"`          // what is done when it was broken
	KeepLeast  *metric.Duration `json:"keepLeast,omitempty"` // bounds of retention
	KeepMost   *metric.Duration `json:"keepMost,omitempty"`
}

// Emergency is clause 7.2.2.3.
type Emergency struct {
	Hotline string            `json:"hotline"`           // telephone number or address
	Hours   calendar.Policy   `json:"hours,omitzero"`    // 5x8, 7x24, ...
	Targets []response.Target `json:"targets,omitempty"` // of acceptance and troubleshooting; without Hours of their own they run on these
}

// Measures is clause 7.2.2.4: seven of them.
type Measures struct {
	Virtualization *Statement `json:"virtualization,omitempty"`
	Isolation      *Statement `json:"isolation,omitempty"` // of networks and domains
	Privileged     *Statement `json:"privileged,omitempty"`
	Authentication *Statement `json:"authentication,omitempty"`
	Traffic        *Statement `json:"traffic,omitempty"`
	Malware        *Statement `json:"malware,omitempty"`
	Patches        *Statement `json:"patches,omitempty"` // Within: from a patch's release to its rollout
}

// Audit is clause 7.2.2.5.
type Audit struct {
	Every   metric.Duration `json:"every"`
	By      string          `json:"by"`              // "internal", "third-party" or "both"
	Scope   []string        `json:"scope,omitempty"` //
	Visible string          `json:"visible"`         // how customers see the results
}

// Monitoring is clause 7.2.2.6.
type Monitoring struct {
	Objects      []Watched         `json:"objects,omitempty"`
	Notification []response.Target `json:"notification,omitempty"` // of measure [response.Notification]
	Modes        []string          `json:"modes,omitempty"`        // "e-mail", "telephone", "sms", or others that are agreed
	Self         string            `json:"self,omitempty"`         // what customers can monitor themselves
}

// Watched is something that is monitored, and what triggers.
type Watched struct {
	Object   string         `json:"object"`  // such as "CPU utilization"
	Trigger  string         `json:"trigger"` // such as "> 90 % for 5 min"
	Severity opsec.Severity `json:"severity,omitempty"`
}

// Certification is clause 7.2.2.7.
type Certification struct {
	Held     []Certificate `json:"held,omitempty"`
	Training *Statement    `json:"training,omitempty"` // of the provider's staff
}

// Certificate is one that the provider holds.
type Certificate struct {
	Name    string    `json:"name"`
	Issuer  string    `json:"issuer"`
	Scope   string    `json:"scope,omitempty"`
	Expires time.Time `json:"expires"`
}

// Documents is clause 7.2.2.8.
type Documents struct {
	Where   string          `json:"where"`             // portal
	List    []string        `json:"list,omitempty"`    // what can be viewed and downloaded
	Formats []string        `json:"formats,omitempty"` // "html", "md", "json"
	Keep    metric.Duration `json:"keep"`              // how long each stays there
}
