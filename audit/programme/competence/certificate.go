package competence

import "time"

// Certificate is what a body has attested to the provider, such as conformity with ISO/IEC 27001 (7.2.2.7).
type Certificate struct {
	ID           string         `json:"id"`
	Name         string         `json:"name"`  // of the standard
	Scope        string         `json:"scope"` // what of the provider it covers
	Body         string         `json:"body"`  // who issued it
	Issued       time.Time      `json:"issued"`
	Expires      time.Time      `json:"expires"`
	Surveillance []Surveillance `json:"surveillance,omitempty"` // the body's audits in between, by Due
	Replaces     string         `json:"replaces,omitempty"`     // id of the certificate that this one follows
	Evidence     string         `json:"evidence"`               // digest of the document, "sha256:" and 64 hexadecimal digits
	Withdrawn    time.Time      `json:"withdrawn,omitzero"`     // from then on it does not count
}

// Surveillance is an audit by the certifying body between issue and expiry.
type Surveillance struct {
	Due      time.Time `json:"due"`
	Done     time.Time `json:"done,omitzero"`
	Evidence string    `json:"evidence,omitempty"` // digest of its report, when it is done
}

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first field out of bounds.
func (c Certificate) Validate() error { return nil }

// Reason is why there is a [Warning].
type Reason string

// The reasons.
const (
	RenewalDue          Reason = "renewal due"          // it ends soon, and nothing follows it
	Lapsed              Reason = "lapsed"               // it has ended, and nothing is in force in its place
	Withdrawn           Reason = "withdrawn"            // the body has taken it back, and nothing is in force in its place
	Gap                 Reason = "gap"                  // what follows it begins after its end: for ever on record
	ScopeChanged        Reason = "scope changed"        // what follows it, and is in force, covers something else
	SurveillanceDue     Reason = "surveillance due"     // soon
	SurveillanceOverdue Reason = "surveillance overdue" // and not done
)

// Warning says that something is to be done about a certificate, or was not done in time.
type Warning struct {
	Certificate string        `json:"certificate"`
	Reason      Reason        `json:"reason"`
	When        time.Time     `json:"when"`                // the end, or when the surveillance is due
	Until       time.Time     `json:"until,omitzero"`      // of a gap: when the next one begins
	Successor   string        `json:"successor,omitempty"` // id
	Stage       time.Duration `json:"stage,omitempty"`     // of the warning that has been reached: the shortest
}

// Renewals returns all warnings, by certificate. A certificate that replaces itself, or one that is not there, is refused.
func (p Policy) Renewals(certificates []Certificate, at time.Time) ([]Warning, error) {
	return nil, nil
}

// NextWarning returns the first instant after at before which Renewals says the same as it does at that time, or zero when
// it will for ever.
func (p Policy) NextWarning(certificates []Certificate, at time.Time) (time.Time, error) {
	return time.Time{}, nil
}
