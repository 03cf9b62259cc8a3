package dataaccess

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
)

// Kind is what is wrong with accesses.
type Kind string

// The kinds of findings, all of clause 7.2.2.2, item 8.
const (
	Unattributed Kind = "unattributed"  // nobody is known behind the account
	NoPurpose    Kind = "no-purpose"    // no ticket, or one that does not exist
	WrongPurpose Kind = "wrong-purpose" // a ticket of another customer or of other people, closed, or opened afterwards

	NoConsent     Kind = "no-consent"     // the customer never consented, or not to what was named
	LapsedConsent Kind = "lapsed-consent" // the consent had expired, was revoked, or did not hold yet
	LateConsent   Kind = "late-consent"   // the customer consented afterwards

	OffHours     Kind = "off-hours"     // outside the hours of the duty
	AboveOwn     Kind = "above-own"     // more in a day than the operator's own history explains
	AbovePeers   Kind = "above-peers"   // more in a day than the peers of the duty explain
	AboveCeiling Kind = "above-ceiling" // more in a day than anybody may
	Breadth      Kind = "breadth"       // the data of many customers within a short time

	Untested Kind = "untested" // a directory did not answer: Finding.Of could not be judged
)

var kinds = []Kind{
	Unattributed, NoPurpose, WrongPurpose, NoConsent, LapsedConsent, LateConsent, OffHours,
	AboveOwn, AbovePeers, AboveCeiling, Breadth, Untested,
}

func (k Kind) severity() opsec.Severity {
	switch k {
	case OffHours:
		return opsec.SeverityLow
	case AboveOwn, AbovePeers, Breadth, LateConsent, Untested:
		return opsec.SeverityMedium
	}
	return opsec.SeverityHigh
}

// Finding is something wrong or unusual about what an operator did within a day, or for [Breadth] within an unbroken run.
// Accesses of one customer that are wrong in the same way are one finding.
type Finding struct {
	Kind     Kind           `json:"kind"`
	Of       Kind           `json:"of,omitempty"` // of Untested: what could not be judged
	Severity opsec.Severity `json:"severity"`
	Tenant   opsec.TenantID `json:"tenant"` // the customer whom it concerns; opsec.Provider where that may be several
	Operator Operator       `json:"operator"`
	Detail   string         `json:"detail"`             // one sentence for people
	Count    uint64         `json:"count"`              // accesses
	Since    time.Time      `json:"since"`              // the first of them
	Until    time.Time      `json:"until"`              // the last
	Evidence []string       `json:"evidence,omitempty"` // their references; of a volume, the largest ones
	Omitted  uint64         `json:"omitted,omitempty"`  // references that are not listed
}

// Digest names a finding by its content: SHA-256 of its JSON, in hexadecimal. The same accesses under the same policy
// give the same findings.
func (f Finding) Digest() string {
	f.Since, f.Until = f.Since.UTC().Round(0), f.Until.UTC().Round(0)
	text, err := json.Marshal(f)
	if err != nil {
		panic(err) // years beyond 9999, which Access.Validate refuses
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// ActionFinding is the action of the event that says what an examination has found.
const ActionFinding = "dataaccess.finding"

// Event returns the finding as an event, to be recorded and correlated with others: at the time now, in the name of whom
// it concerns, about the operator's account. Attributes carry the rest.
func (f Finding) Event(now time.Time) *opsec.Event {
	e := opsec.NewEvent(ActionFinding, now)
	e.Tenant, e.Outcome = f.Tenant, opsec.Success
	e.Actor = opsec.Actor{Tenant: opsec.Provider, Account: "audit/accounts/dataaccess", Kind: opsec.System}
	e.Resource = opsec.Resource{Tenant: f.Operator.Tenant, Type: "account", ID: f.Operator.Account}
	add := func(key, value string, mark opsec.Sensitivity) {
		if value != "" {
			e.Attrs = append(e.Attrs, opsec.Attr{Key: key, Value: value, Mark: mark})
		}
	}
	add("kind", string(f.Kind), opsec.Public)
	add("of", string(f.Of), opsec.Public)
	add("severity", string(f.Severity), opsec.Public)
	add("detail", f.Detail, opsec.Tenant)
	add("person", f.Operator.Person, opsec.Personal)
	add("count", strconv.FormatUint(f.Count, 10), opsec.Tenant)
	add("since", f.Since.UTC().Format(time.RFC3339), opsec.Tenant)
	add("finding", f.Digest(), opsec.Tenant)
	var refs strings.Builder
	for _, ref := range f.Evidence {
		if refs.Len()+len(ref)+1 > opsec.MaxValueLen {
			break
		}
		refs.WriteString(ref + "\n")
	}
	add("evidence", strings.TrimSuffix(refs.String(), "\n"), opsec.Tenant)
	return e
}

// add counts an access in.
func (f *Finding) add(a *Access, listed int) {
	if f.Count == 0 {
		f.Since, f.Operator = a.Time, a.Operator
	}
	f.Count++
	f.Until = a.Time
	f.refer(a.Ref, listed)
}

func (f *Finding) refer(ref string, listed int) {
	switch {
	case ref == "":
	case len(f.Evidence) < listed:
		f.Evidence = append(f.Evidence, ref)
	default:
		f.Omitted++
	}
}

// Summary says what an examination has looked at.
type Summary struct {
	Rows      int64          `json:"rows"`       // accesses read
	Passed    int64          `json:"passed"`     // of them, of a customer's own staff or to the provider's own data
	Earlier   int64          `json:"earlier"`    // of them, from before Sources.Since: history alone
	Operators int64          `json:"operators"`  // with an access that was not passed over
	Tested    []Kind         `json:"tested"`     // all was judged for these
	NotTested []NotTested    `json:"not_tested"` // and not, or not all, for these
	Findings  map[Kind]int64 `json:"findings"`
	Complete  bool           `json:"complete"` // the sequence was read to its end without error
}

// NotTested is a kind of finding that could not be judged, for all accesses or for some.
type NotTested struct {
	Kind  Kind   `json:"kind"`
	Why   string `json:"why"`
	Count int64  `json:"count"` // accesses; of volumes, days of an operator; 0 if it was not looked at by policy
}
