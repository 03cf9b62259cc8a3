package plan

import (
	"time"

	"github.com/cloudopsec/opsec"
)

// Finding is where what is observed is not what the strategy asks for.
type Finding struct {
	Rule     Rule           `json:"rule"`
	Severity opsec.Severity `json:"severity"`
	Subject  string         `json:"subject"`        // the source, a point, a copy ("point@target") or a test
	At       time.Time      `json:"at,omitzero"`    // since when it has been so; zero: not known
	Until    time.Time      `json:"until,omitzero"` // zero: it is still so
	Text     string         `json:"text"`
}

// Rule names what a [Finding] breaks.
type Rule string

// The rules.
const (
	RuleRPO        Rule = "rpo"        // two backups further apart than RPO, or none since
	RuleLoss       Rule = "loss"       // more could have been lost than may be
	RuleRTO        Rule = "rto"        // a recovery test took longer
	RulePoints     Rule = "points"     // fewer points than are to be kept, or not far enough back
	RuleCopies     Rule = "copies"     // a point has too few copies on or off the site
	RuleEncryption Rule = "encryption" // a copy is not encrypted
	RuleRegion     Rule = "region"     // a copy is where none may be
	RuleVerified   Rule = "verified"   // a copy was not compared with its manifest in time, or is damaged
	RuleTested     Rule = "tested"     // no recovery test in time, or the last one failed
	RuleChain      Rule = "chain"      // a point needs one that is not there
	RuleData       Rule = "data"       // what is observed cannot be: twice the same id, a time to come
)

// Check compares what a catalogue shows with the strategy. It returns findings ordered by severity, the gravest first, then rule,
// subject and time. The error wraps [opsec.ErrInvalid]: a strategy that is not valid, or another source's.
func Check(s Strategy, o Observed) ([]Finding, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if o.Source != s.Source || o.Tenant != s.Tenant {
		return nil, invalid("observed: source %q of tenant %q, want %q of %q", o.Source, o.Tenant, s.Source, s.Tenant)
	}
	if o.At.IsZero() {
		return nil, invalid("observed: at is zero")
	}
	return nil, nil
}
