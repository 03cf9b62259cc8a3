package programme

import (
	"crypto/sha256"
	"encoding/json"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme/independence"
	"github.com/cloudopsec/opsec/audit/programme/sample"
)

// Stage is how far an audit has come. It only goes forward.
type Stage string

// The stages, in their order; Cancelled may follow any but Closed.
const (
	Planned   Stage = "planned"   // plan and team are being made
	Approved  Stage = "approved"  // senior management has released it
	Frozen    Stage = "frozen"    // scope and populations are fixed, and recorded in the log
	Fieldwork Stage = "fieldwork" // samples are drawn, procedures are carried out
	Reported  Stage = "reported"  // results are issued; actions are followed up
	Closed    Stage = "closed"    // every action is verified or its risk accepted; these risks are followed up still
	Cancelled Stage = "cancelled"
)

// Audit is one internal audit (8.11.1), from its plan to the end of its follow-up. It is a value: [Policy.Apply] makes
// the next one out of it and a [Step], and nothing else should change it. As JSON it takes at most [MaxAudit] bytes.
type Audit struct {
	ID       string    `json:"id"`
	Plan     Plan      `json:"plan"`
	Stage    Stage     `json:"stage"`
	Team     []Member  `json:"team,omitempty"`
	Waivers  []Waiver  `json:"waivers,omitempty"`
	Freezes  []Freeze  `json:"freezes,omitempty"` // all there were; the last one counts
	Draw     *Draw     `json:"draw,omitempty"`    // of the last freeze
	Results  []Result  `json:"results,omitempty"`
	Findings []Finding `json:"findings,omitempty"`
	Actions  []Action  `json:"actions,omitempty"`
	Grants   []Grant   `json:"grants,omitempty"`
	History  []Entry   `json:"history,omitempty"` // every step, in order
}

// Digest returns what names the audit as it is: the SHA-256 of its JSON, "sha256:" and 64 digits of hexadecimal. The
// event of each step has the digest of the audit after it.
func (a Audit) Digest() string {
	b, _ := json.Marshal(a) // plain values: it cannot fail
	return digestOf(b)
}

func digestOf(b []byte) string { return hexadecimal(sha256.Sum256(b)) }

// Plan is what is to be audited, why, with what, and when (8.11.1-1, -2).
type Plan struct {
	Title      string             `json:"title"`
	Objectives []string           `json:"objectives"`          // what it is to verify
	Catalogue  string             `json:"catalogue"`           // ID and version of the catalogue that ids below are of, "x1642/1"
	Scope      independence.Scope `json:"scope"`               // the systems, resources and operations that are audited
	Customers  []opsec.TenantID   `json:"customers,omitempty"` // those concerned, who get a report (7.2.2.5-1)
	From       time.Time          `json:"from"`                // fieldwork begins
	Until      time.Time          `json:"until"`               // and ends
	Resources  []Need             `json:"resources,omitempty"`
	Procedures []Procedure        `json:"procedures"`
	Follows    string             `json:"follows,omitempty"` // the audit before it in its series, whose findings repeat; none: none do
	Series     string             `json:"series,omitempty"`  // the [Series] that it is a turn of
	Turn       int                `json:"turn,omitempty"`    // which one, from 0
}

// Need is something the audit needs, and who has guaranteed that it will be there.
type Need struct {
	Name       string `json:"name"`
	Guaranteed string `json:"guaranteed,omitempty"` // the person who did; none: not yet
}

// Procedure is one thing that is carried out, as documented before (8.11.1-2).
type Procedure struct {
	ID           string   `json:"id"`
	Title        string   `json:"title"`
	Category     string   `json:"category"`         // of the catalogue
	Requirements []string `json:"requirements"`     // ids of the catalogue: the criteria
	Steps        []string `json:"steps"`            // what is done, in order
	Person       string   `json:"person"`           // the member who answers for it
	Check        string   `json:"check,omitempty"`  // the automated check that carries it out, by name; none: by hand
	Sample       int      `json:"sample,omitempty"` // how many items of the population are drawn; 0: all of them
}

// Member is somebody of the audit team.
type Member struct {
	Person         string    `json:"person"`
	Function       Function  `json:"function"`
	Lead           bool      `json:"lead,omitempty"`
	Categories     []string  `json:"categories,omitempty"`     // what the member audits: competence is asked for these
	Qualifications []string  `json:"qualifications,omitempty"` // the records that competence rests on, by competence.Record.Ref
	Clearance      string    `json:"clearance"`                // digest of the independence.Clearance that it rests on
	Cleared        time.Time `json:"cleared,omitzero"`         // when that was made; zero: for another scope than the plan's
}

// Function is the part of the organisation that a member comes from; 8.11.1 asks for all three.
type Function string

// The functions.
const (
	SeniorManagement Function = "senior management"
	Administrative   Function = "administrative"
	Technical        Function = "technical"
)

// Waiver says why a category of the catalogue is not audited this time.
type Waiver struct {
	Category string `json:"category"`
	Reason   string `json:"reason"`
	Person   string `json:"person"` // of senior management
}

// Freeze is a scope that is fixed: what a sample is drawn from, before anybody can know what will be drawn.
type Freeze struct {
	sample.Freeze
	Event opsec.ID `json:"event"` // the event that records it
}

// Draw is a sample, and what it was drawn by. Anybody can draw it again: see [sample.Recompute].
type Draw struct {
	Anchor     sample.Anchor       `json:"anchor"`     // where the log holds the freeze
	Checkpoint string              `json:"checkpoint"` // the signed note that came after it
	Samples    map[string][]int    `json:"samples"`    // by procedure: positions in its population, ascending
	Items      map[string][]string `json:"items"`      // by procedure: what stands at these positions
}

// Status is what a procedure came to, for one item.
type Status string

// The statuses. What could not be tested is not tested, and never passed.
const (
	Passed        Status = "passed"
	Failed        Status = "failed"
	NotTested     Status = "not tested"
	NotApplicable Status = "not applicable"
)

// Result is what a procedure found out about one item of its population.
type Result struct {
	Procedure string         `json:"procedure"`
	Item      string         `json:"item"`
	Tenant    opsec.TenantID `json:"tenant,omitempty"` // whose item it is; none: the provider's
	Status    Status         `json:"status"`
	Detail    string         `json:"detail,omitempty"` // why
	Evidence  []Evidence     `json:"evidence,omitempty"`
	Person    string         `json:"person"` // who carried it out, or had it carried out
	Time      time.Time      `json:"time"`
	Automated bool           `json:"automated,omitempty"`
}

// Evidence is something that can be shown later: its digest, and a proof that the log had it.
type Evidence struct {
	Name      string    `json:"name"`
	Digest    string    `json:"digest"`          // "sha256:" and 64 digits of hexadecimal
	Proof     string    `json:"proof,omitempty"` // offline proof of the log's entry that has the digest
	Collected time.Time `json:"collected"`
	Person    string    `json:"person"`            // who collected it
	Custody   []string  `json:"custody,omitempty"` // who has held it since, in order
}

// Finding is a deviation, in the five parts that auditors ask for.
type Finding struct {
	ID           string           `json:"id"`
	Procedure    string           `json:"procedure"`
	Requirements []string         `json:"requirements"` // that are not met
	Items        []string         `json:"items,omitempty"`
	Tenants      []opsec.TenantID `json:"tenants,omitempty"` // customers it concerns; none: the provider alone
	Criterion    string           `json:"criterion"`         // what should be
	Condition    string           `json:"condition"`         // what is
	Cause        string           `json:"cause"`             // why it is so
	Effect       string           `json:"effect"`            // what may come of it
	Risk         opsec.Severity   `json:"risk"`              // a repeat raises it by a step each time
	Subject      string           `json:"subject"`           // what makes it the same finding in the next audit: "backup of vol-7"
	Repeats      int              `json:"repeats,omitempty"` // how many audits in a row have found it before
	Raised       time.Time        `json:"raised"`
	Accepted     *Acceptance      `json:"accepted,omitempty"` // the risk is borne
}

// Acceptance is the decision of senior management to bear a risk for a time.
type Acceptance struct {
	Person string    `json:"person"`
	Reason string    `json:"reason"`
	Until  time.Time `json:"until"`
}

// Action is what is done about a finding.
type Action struct {
	ID        string     `json:"id"`
	Finding   string     `json:"finding"`
	Text      string     `json:"text"`
	Owner     string     `json:"owner"` // the person who answers for it
	Due       time.Time  `json:"due"`
	Completed time.Time  `json:"completed,omitzero"` // as the owner says
	Evidence  []Evidence `json:"evidence,omitempty"`
	Verified  time.Time  `json:"verified,omitzero"` // as somebody else has found
	Verifier  string     `json:"verifier,omitempty"`
	Rejected  int        `json:"rejected,omitempty"` // how often it was found not to be done
}

// Entry is a step that was taken.
type Entry struct {
	Time     time.Time `json:"time"`
	Person   string    `json:"person"`
	Action   string    `json:"action"` // a constant of this package
	What     string    `json:"what,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Event    opsec.ID  `json:"event"`              // its record in the log
	Replaced []Result  `json:"replaced,omitempty"` // results that it corrected, as they were
}
