package keymgmt

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// Purpose is what keys of a keyset are for, in the words of NIST SP 800-57 part 1, section 5.1.1.
type Purpose string

// The purposes.
const (
	DataEncryption Purpose = "data-encryption" // symmetric data-encryption key
	KeyWrapping    Purpose = "key-wrapping"    // symmetric key-wrapping key
	Derivation     Purpose = "derivation"      // symmetric master key, key-derivation key
	Authentication Purpose = "authentication"  // symmetric authentication key (MAC)
	Signature      Purpose = "signature"       // private signature key
	Streaming      Purpose = "streaming"       // data-encryption key of files and backups
)

// The bounds of a [Policy].
const (
	MaxPeriod      = 100 * 366 * 24 * time.Hour // of any figure in it
	MaxPolicyBlock = 1 << 22                    // messages, so that a [Block] has room for two leases
	MinStrength    = 112                        // bits: the least that SP 800-57 part 1, section 5.6, still knows
	MaxStrength    = 256

	maxPolicyBytes  = 256 << 10 // of JSON
	maxPolicyText   = 1 << 10   // of a name or a source
	maxPolicyQuorum = 12 << 10  // all consents together: a keyset must fit its document, however JSON escapes it
	maxAlgorithms   = 64
)

// Policy says how long, how often and by whose leave keys of a keyset are used. It is data; in JSON durations are texts
// and unknown names are refused. The zero Policy is not valid: nothing is unlimited by being left out.
type Policy struct {
	Name   string `json:"name,omitempty"`
	Source string `json:"source,omitempty"` // of the figures

	OriginatorUsage time.Duration `json:"originator_usage"` // from activation: how long a key protects
	RecipientUsage  time.Duration `json:"recipient_usage"`  // from activation: how long it processes; not below OriginatorUsage
	RotateEvery     time.Duration `json:"rotate_every"`     // from activation: when the next takes over; not above OriginatorUsage
	Warn            time.Duration `json:"warn,omitempty"`   // before an end of these

	Messages uint64 `json:"messages"` // that one key protects, over all nodes
	Bytes    uint64 `json:"bytes"`
	Block    uint64 `json:"block"` // messages that a node takes from the rest at once

	Algorithms  []Algorithm   `json:"algorithms,omitempty"` // that are allowed; none for all of Strength
	Strength    int           `json:"strength"`             // bits of security at least
	DestroyWait time.Duration `json:"destroy_wait"`         // from the schedule to the destruction at the earliest

	Quorum map[Verb]approval.Policy `json:"quorum,omitempty"` // what needs the consent of others, and whose

	InsecureProcessCompromised bool `json:"insecure_process_compromised,omitempty"` // opens what a compromised key protects, to rescue it
	InsecureSkipCensus         bool `json:"insecure_skip_census,omitempty"`         // destroys without a count of what is left
}

// Validate returns an error that wraps [opsec.ErrInvalid] and names the first field out of bounds.
func (p Policy) Validate() error {
	switch {
	case !text(p.Name, maxPolicyText) || !text(p.Source, maxPolicyText):
		return invalid("policy: name, source: want text of at most %d bytes", maxPolicyText)
	case p.OriginatorUsage <= 0 || p.OriginatorUsage > MaxPeriod:
		return invalid("policy: originator_usage is %v, want more than 0 and at most %v", p.OriginatorUsage, MaxPeriod)
	case p.RecipientUsage < p.OriginatorUsage || p.RecipientUsage > MaxPeriod:
		return invalid("policy: recipient_usage is %v, want at least originator_usage, %v, and at most %v",
			p.RecipientUsage, p.OriginatorUsage, MaxPeriod)
	case p.RotateEvery <= 0 || p.RotateEvery > p.OriginatorUsage:
		return invalid("policy: rotate_every is %v, want more than 0 and at most originator_usage, %v",
			p.RotateEvery, p.OriginatorUsage)
	case p.Warn < 0 || p.Warn > p.RotateEvery:
		return invalid("policy: warn is %v, want 0 to rotate_every, %v", p.Warn, p.RotateEvery)
	case p.DestroyWait <= 0 || p.DestroyWait > MaxPeriod:
		return invalid("policy: destroy_wait is %v, want more than 0 and at most %v", p.DestroyWait, MaxPeriod)
	case p.Messages == 0 || p.Bytes == 0:
		return invalid("policy: messages is %d, bytes %d, want at least 1", p.Messages, p.Bytes)
	case p.Block == 0 || p.Block > min(p.Messages, MaxPolicyBlock):
		return invalid("policy: block is %d, want 1 to messages, %d, and at most %d", p.Block, p.Messages, MaxPolicyBlock)
	case p.Strength < MinStrength || p.Strength > MaxStrength:
		return invalid("policy: strength is %d, want %d to %d bits", p.Strength, MinStrength, MaxStrength)
	case len(p.Algorithms) > maxAlgorithms:
		return invalid("policy: algorithms: %d, want at most %d", len(p.Algorithms), maxAlgorithms)
	}
	for i, a := range p.Algorithms {
		if slices.Contains(p.Algorithms[:i], a) {
			return invalid("policy: algorithms[%d]: is there twice", i)
		}
		if err := p.strongEnough(a); err != nil {
			return err
		}
	}
	return p.validateQuorum()
}

func (p Policy) validateQuorum() error {
	size := 0
	for v, consent := range p.Quorum {
		if !v.known() {
			return invalid("policy: quorum: a verb of %d bytes that is none", len(v))
		}
		if err := consent.Validate(); err != nil {
			return invalid("policy: quorum: %s: %v", v, err)
		}
		for _, stage := range consent.Stages {
			size += len(stage.Name) + texts(stage.Rule)
		}
	}
	if size > maxPolicyQuorum {
		return invalid("policy: quorum: %d bytes of names and rules, want at most %d", size, maxPolicyQuorum)
	}
	return nil
}

// texts is the size of a rule: its roles, and some bytes for what is around each.
func texts(r approval.Rule) int {
	size := len(r.Role) + 16
	for _, rules := range [][]approval.Rule{r.All, r.Any} {
		for _, one := range rules {
			size += texts(one)
		}
	}
	return size
}

// Permits returns an error that wraps [opsec.ErrInvalid] unless a key of algorithm a and this purpose meets the policy:
// the algorithm is known, is for the purpose, is strong enough, is in the list if there is one, and bears the limits.
func (p Policy) Permits(a Algorithm, purpose Purpose) error {
	if len(p.Algorithms) > 0 && !slices.Contains(p.Algorithms, a) {
		return invalid("policy: algorithm %q is not in its list", a)
	}
	if !a.For(purpose) {
		return invalid("policy: algorithm %q is not for %q, or one of them is unknown", a, purpose)
	}
	return p.strongEnough(a)
}

func (p Policy) strongEnough(a Algorithm) error {
	most := a.Limits()
	switch {
	case a.Strength() == 0:
		return invalid("policy: algorithms: one of %d bytes that is unknown", len(a))
	case a.Strength() < p.Strength:
		return invalid("policy: algorithm %s has %d bits, the policy asks for %d", a, a.Strength(), p.Strength)
	case p.Messages > most.Messages || p.Bytes > most.Bytes:
		return invalid("policy: algorithm %s bears %d messages and %d bytes under one key, the policy allows %d and %d",
			a, most.Messages, most.Bytes, p.Messages, p.Bytes)
	}
	return nil
}

// Periods returns when a key that is activated at that time stops protecting, and when it stops processing.
func (p Policy) Periods(activation time.Time) (protectUntil, processUntil time.Time) {
	at := instant(activation)
	return at.Add(p.OriginatorUsage), at.Add(p.RecipientUsage)
}

// policyText is a Policy as it stands in a file.
type policyText struct {
	policyFields
	OriginatorUsage strictjson.Duration `json:"originator_usage"`
	RecipientUsage  strictjson.Duration `json:"recipient_usage"`
	RotateEvery     strictjson.Duration `json:"rotate_every"`
	Warn            strictjson.Duration `json:"warn,omitempty"`
	DestroyWait     strictjson.Duration `json:"destroy_wait"`
}

type policyFields Policy

// MarshalJSON implements [json.Marshaler].
func (p Policy) MarshalJSON() ([]byte, error) {
	return json.Marshal(policyText{
		policyFields(p), strictjson.Duration(p.OriginatorUsage), strictjson.Duration(p.RecipientUsage), strictjson.Duration(p.RotateEvery), strictjson.Duration(p.Warn),
		strictjson.Duration(p.DestroyWait),
	})
}

// UnmarshalJSON implements [json.Unmarshaler]. It validates, and leaves p as it was when it fails.
func (p *Policy) UnmarshalJSON(data []byte) error {
	var t policyText
	if len(data) > maxPolicyBytes {
		return invalid("policy: %d bytes of JSON, want at most %d", len(data), maxPolicyBytes)
	}
	if err := strictjson.Decode(data, &t); err != nil {
		return invalid("policy: %v", err)
	}
	read := Policy(t.policyFields)
	read.OriginatorUsage, read.RecipientUsage = time.Duration(t.OriginatorUsage), time.Duration(t.RecipientUsage)
	read.RotateEvery, read.Warn = time.Duration(t.RotateEvery), time.Duration(t.Warn)
	read.DestroyWait = time.Duration(t.DestroyWait)
	if err := read.Validate(); err != nil {
		return err
	}
	*p = read
	return nil
}
