package identity

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/identity/name"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// Policy is what a [Directory] keeps to. It is data; in JSON durations are texts such as "2160h", and unknown names are
// refused. The zero Policy approves nothing and names nothing, and is not valid: begin with [DefaultPolicy].
type Policy struct {
	Zone  string      `json:"zone"`  // the trust zone: in it a name is unique, across tenants; 1 to 64 bytes
	Names name.Policy `json:"names"` // its kinds are "main" and "sub"

	Register approval.Policy `json:"register"` // of accounts, and of imports of many
	Modify   approval.Policy `json:"modify"`   // of rights, and of when an account ends
	Enable   approval.Policy `json:"enable"`   // of an account that was disabled

	Dormancy   Dormancy      `json:"dormancy"`
	Quarantine time.Duration `json:"quarantine,omitempty"` // a deleted account's name is nobody's for so long; 0: for ever
	Properties []Property    `json:"properties,omitempty"` // those that accounts may have

	// SkipApprovalOfSubs lets a main account register sub-accounts by itself, within what it may grant.
	SkipApprovalOfSubs bool `json:"skip_approval_of_subs,omitempty"`
	// InsecureReadableNames keeps canonical names readable on disk also in a sealed store, and in order: a list by the
	// beginning of a name then reads those names alone, and otherwise all accounts of the tenant.
	InsecureReadableNames bool `json:"insecure_readable_names,omitempty"`
}

// Property is a simple property that an account may have. What is not marked otherwise is set by administrators alone.
type Property struct {
	Name    string        `json:"name"`              // 1 to 64 bytes
	Self    bool          `json:"self,omitempty"`    // who has the account may set it
	Delay   time.Duration `json:"delay,omitempty"`   // a change takes effect so long later, and can be cancelled until then; for what somebody could take an account over with
	Address bool          `json:"address,omitempty"` // messages about the account go there, see [Options].Notifier
}

const (
	maxZone   = 64
	maxDelay  = 366 * day
	maxPolicy = 1 << 20 // bytes of JSON
)

// DefaultPolicy is one to begin with: an administrator of the tenant, or of the provider, approves what another person asks
// for, with the role "account-administrator"; an account is disabled when unused for 90 days, with warnings 14 and 3 days
// before; a name is nobody's for a year after. Sub-accounts need approval as main accounts do. A recovery address changes
// after three days.
func DefaultPolicy(zone string, names name.Policy) Policy {
	rule := approval.Rule{Any: []approval.Rule{
		{Role: "account-administrator", Side: approval.OwnerSide}, {Role: "account-administrator", Side: approval.ProviderSide},
	}}
	one := approval.Policy{Stages: []approval.Stage{{Name: "administrator", Rule: rule}}, Valid: 14 * day}
	return Policy{
		Zone: zone, Names: names, Register: one, Modify: one, Enable: one, Quarantine: 366 * day,
		Dormancy: Dormancy{After: 90 * day, Warnings: []time.Duration{14 * day, 3 * day}},
		Properties: []Property{
			{Name: "display-name", Self: true}, {Name: "language", Self: true}, {Name: "telephone", Self: true},
			{Name: "mail", Self: true, Delay: 3 * day, Address: true}, {Name: "recovery-mail", Self: true, Delay: 3 * day, Address: true},
		},
	}
}

// Validate returns an error that wraps [opsec.ErrInvalid] and names the first field out of bounds.
func (p Policy) Validate() error {
	if p.Zone == "" || !text(p.Zone, maxZone) {
		return invalid("policy: zone: want 1 to %d bytes without control characters", maxZone)
	}
	if err := p.Names.Validate(); err != nil {
		return err
	}
	for _, a := range []approval.Policy{p.Register, p.Modify, p.Enable} {
		if err := a.Validate(); err != nil {
			return err
		}
	}
	if err := p.Dormancy.validate(); err != nil {
		return err
	}
	if p.Quarantine < 0 || len(p.Properties) > MaxProperties {
		return invalid("policy: quarantine is %v, want 0 or more; %d properties, want at most %d", p.Quarantine, len(p.Properties), MaxProperties)
	}
	for i, one := range p.Properties {
		if !validProperty(one.Name, "") || one.Delay < 0 || one.Delay > maxDelay ||
			slices.ContainsFunc(p.Properties[:i], func(o Property) bool { return o.Name == one.Name }) {
			return invalid("policy: properties[%d]: want a name of its own of 1 to %d bytes, and a delay of up to a year", i, maxProperty)
		}
	}
	return nil
}

func (p *Policy) property(name string) (Property, error) {
	for _, one := range p.Properties {
		if one.Name == name {
			return one, nil
		}
	}
	return Property{}, invalid("property: the policy has none of this name")
}

// policyText is a Policy as it stands in a file.
type policyText struct {
	policyFields
	Dormancy   dormancyText        `json:"dormancy"`
	Quarantine strictjson.Duration `json:"quarantine,omitempty"`
	Properties []propertyText      `json:"properties,omitempty"`
}

type dormancyText struct {
	dormancyFields
	After    strictjson.Duration   `json:"after"`
	Warnings []strictjson.Duration `json:"warnings,omitempty"`
}

type propertyText struct {
	propertyFields
	Delay strictjson.Duration `json:"delay,omitempty"`
}

type (
	policyFields   Policy
	dormancyFields Dormancy
	propertyFields Property
)

// MarshalJSON implements [json.Marshaler].
func (p Policy) MarshalJSON() ([]byte, error) {
	out := policyText{policyFields: policyFields(p), Quarantine: strictjson.Duration(p.Quarantine),
		Dormancy: dormancyText{dormancyFields: dormancyFields(p.Dormancy), After: strictjson.Duration(p.Dormancy.After)}}
	for _, w := range p.Dormancy.Warnings {
		out.Dormancy.Warnings = append(out.Dormancy.Warnings, strictjson.Duration(w))
	}
	for _, one := range p.Properties {
		out.Properties = append(out.Properties, propertyText{propertyFields(one), strictjson.Duration(one.Delay)})
	}
	return json.Marshal(out)
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
	read.Quarantine, read.Dormancy = time.Duration(in.Quarantine), Dormancy(in.Dormancy.dormancyFields)
	read.Dormancy.After = time.Duration(in.Dormancy.After)
	for _, w := range in.Dormancy.Warnings {
		read.Dormancy.Warnings = append(read.Dormancy.Warnings, time.Duration(w))
	}
	for _, one := range in.Properties {
		one.propertyFields.Delay = time.Duration(one.Delay)
		read.Properties = append(read.Properties, Property(one.propertyFields))
	}
	if err := read.Validate(); err != nil {
		return err
	}
	*p = read
	return nil
}
