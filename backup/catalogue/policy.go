package catalogue

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// The bounds of [Policy].Delay.
const (
	DefaultDelay = 7 * 24 * time.Hour
	MinDelay     = time.Hour
	MaxDelay     = 90 * 24 * time.Hour

	useWithin = 7 * 24 * time.Hour // after the delay, unless the approval policy says otherwise
	maxPolicy = 256 << 10          // bytes of JSON
)

// Policy is what a [Catalogue] keeps to. It is data; in JSON durations are texts such as "168h", and unknown names are refused. The
// zero Policy approves nothing and is not valid: begin with [DefaultPolicy].
type Policy struct {
	Delete  approval.Policy `json:"delete"`  // of points
	Shorten approval.Policy `json:"shorten"` // of what a retention policy keeps
	Release approval.Policy `json:"release"` // of a hold

	// Delay is how long an approved deletion or shortening waits, so that somebody may notice and cancel it: from [MinDelay] to
	// [MaxDelay]; 0 is [DefaultDelay]. A use_within of the approval policies counts from its end.
	Delay time.Duration `json:"delay,omitempty"`

	// SkipApprovalUnderRetention lets [Catalogue.ProposeExpiry] delete without another approval what is dropped by a retention policy that
	// was approved itself. The delay remains, each point is judged again at its end, and the order lapses as one does that was approved.
	SkipApprovalUnderRetention bool `json:"skip_approval_under_retention,omitempty"`
}

// DefaultPolicy is one to begin with: two persons of the provider with the role "backup-approver", neither of whom has asked, and a
// delay of a week; a hold is released by two with the role "legal".
func DefaultPolicy() Policy {
	two := func(role string) approval.Policy {
		return approval.Policy{Stages: []approval.Stage{{Name: role, Rule: approval.Rule{Role: role, Side: approval.ProviderSide, Min: 2}}}, Valid: 7 * 24 * time.Hour}
	}
	return Policy{Delete: two("backup-approver"), Shorten: two("backup-approver"), Release: two("legal"), Delay: DefaultDelay}
}

// Validate returns an error that wraps [opsec.ErrInvalid] and names the first field out of bounds.
func (p Policy) Validate() error {
	if p.Delay != 0 && (p.Delay < MinDelay || p.Delay > MaxDelay) {
		return invalid("policy: delay: %v, want %v to %v, or 0", p.Delay, MinDelay, MaxDelay)
	}
	for _, one := range []struct {
		name string
		approval.Policy
	}{{"delete", p.Delete}, {"shorten", p.Shorten}, {"release", p.Release}} {
		if err := one.Validate(); err != nil {
			return invalid("policy: %s: %v", one.name, err)
		}
		if one.UseWithin > 366*24*time.Hour-MaxDelay {
			return invalid("policy: %s: use_within: %v, want up to %v", one.name, one.UseWithin, 366*24*time.Hour-MaxDelay)
		}
	}
	return nil
}

// delay is how long an order of this verb waits once it is approved.
func (p *Policy) delay(v Verb) time.Duration {
	switch {
	case v == Release:
		return 0
	case p.Delay == 0:
		return DefaultDelay
	}
	return p.Delay
}

// approval is who decides about an order of this verb, with time for the delay before the use.
func (p *Policy) approval(v Verb) approval.Policy {
	out := map[Verb]approval.Policy{Delete: p.Delete, Shorten: p.Shorten, Release: p.Release}[v]
	if out.UseWithin == 0 {
		out.UseWithin = useWithin
	}
	out.UseWithin += p.delay(v)
	return out
}

// sameQuorum reports whether two policies ask for the same approvals, whatever time they leave for them.
func sameQuorum(a, b approval.Policy) bool {
	a.Valid, a.UseWithin, b.Valid, b.UseWithin = 0, 0, 0, 0
	one, err := json.Marshal(a)
	other, err2 := json.Marshal(b)
	return err == nil && err2 == nil && bytes.Equal(one, other)
}

// policyText is a Policy as it stands in a file.
type policyText struct {
	policyFields
	Delay strictjson.Duration `json:"delay,omitempty"`
}

type policyFields Policy

// MarshalJSON implements [json.Marshaler].
func (p Policy) MarshalJSON() ([]byte, error) {
	return json.Marshal(policyText{policyFields(p), strictjson.Duration(p.Delay)})
}

// UnmarshalJSON implements [json.Unmarshaler]. It validates, and leaves p as it was when it fails.
func (p *Policy) UnmarshalJSON(data []byte) error {
	if len(data) > maxPolicy {
		return invalid("policy: %d bytes of JSON, want at most %d", len(data), maxPolicy)
	}
	var in policyText
	if err := strictjson.Decode(data, &in); err != nil {
		return invalid("policy: %v", err)
	}
	read := Policy(in.policyFields)
	read.Delay = time.Duration(in.Delay)
	if err := read.Validate(); err != nil {
		return err
	}
	*p = read
	return nil
}
