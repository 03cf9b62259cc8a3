package independence

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// Policy is what stands in the way of auditing: data, strict when zero. In JSON look_back is a text such as "8760h".
type Policy struct {
	LookBack  time.Duration // how far back acts, owners and lines count; 0: 365 days, as the IIA has it
	Ignore    []string      // patterns of actions that are no operation, such as "programme.*"; at most 1,000
	Approvals []string      // patterns of actions that approve others; none: "approval.approve"
	Levels    int           // how many levels of the reporting line count, up and down; 0: all

	// SkipUnattributed clears people although acts within the scope could not be laid to anybody.
	SkipUnattributed bool
}

const (
	lookBack    = 365 * 24 * time.Hour
	maxLookBack = 100 * lookBack
)

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first field out of bounds.
func (p Policy) Validate() error {
	if p.LookBack < 0 || p.LookBack > maxLookBack {
		return invalid("policy: look_back of %s: want 0 to %s", p.LookBack, maxLookBack)
	}
	if p.Levels < 0 {
		return invalid("policy: levels %d: want 0 or more", p.Levels)
	}
	if err := validatePatterns("policy: ignore", p.Ignore); err != nil {
		return err
	}
	return validatePatterns("policy: approvals", p.Approvals)
}

// withDefaults returns the policy with what its zeros stand for.
func (p Policy) withDefaults() Policy {
	p.LookBack = cmp.Or(p.LookBack, lookBack)
	if len(p.Approvals) == 0 {
		p.Approvals = []string{"approval.approve"}
	}
	return p
}

// Digest returns "sha256:" and 64 digits of hexadecimal, the same for a policy that spells out the defaults.
func (p Policy) Digest() string {
	b, err := json.Marshal(p.withDefaults())
	if err != nil {
		panic("independence: a policy has no JSON: " + err.Error())
	}
	return digestOf(framed("opsec/independence/policy/v1", string(b)))
}

// policyText is a Policy as it stands in a file.
type policyText struct {
	LookBack         strictjson.Duration `json:"look_back,omitempty"`
	Ignore           []string            `json:"ignore,omitempty"`
	Approvals        []string            `json:"approvals,omitempty"`
	Levels           int                 `json:"levels,omitempty"`
	SkipUnattributed bool                `json:"skip_unattributed,omitempty"`
}

// MarshalJSON implements [json.Marshaler].
func (p Policy) MarshalJSON() ([]byte, error) {
	return json.Marshal(policyText{strictjson.Duration(p.LookBack), p.Ignore, p.Approvals, p.Levels, p.SkipUnattributed})
}

// UnmarshalJSON implements [json.Unmarshaler]. It validates, and leaves p as it was when it fails.
func (p *Policy) UnmarshalJSON(data []byte) error {
	var t policyText
	if err := strictjson.Decode(data, &t); err != nil {
		return fmt.Errorf("independence: policy: %w: %w", err, opsec.ErrInvalid)
	}
	read := Policy{time.Duration(t.LookBack), t.Ignore, t.Approvals, t.Levels, t.SkipUnattributed}
	if err := read.Validate(); err != nil {
		return err
	}
	*p = read
	return nil
}
