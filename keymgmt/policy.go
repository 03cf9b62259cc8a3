package keymgmt

import (
	"github.com/cloudopsec/opsec/approval"
	"time"
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

// Algorithm names what a key is used with, in Tink's names of key templates, such as AES256_GCM.
type Algorithm string

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

// Role is what a principal may be to a keyset. For one keyset they are disjoint: no person has two.
type Role string

// The roles.
const (
	Administrator Role = "administrator" // decides on the life of keys
	CustodianRole Role = "custodian"     // holds backups and shares, imports and recovers
	Operator      Role = "operator"      // uses keys
	Auditor       Role = "auditor"       // sees all, changes nothing
)

// Roles says which persons have which role. Who is nobody's person ([opsec.Actor].Person) has none.
type Roles map[Role][]string
