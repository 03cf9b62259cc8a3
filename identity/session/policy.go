package session

import (
	"encoding/json"
	"time"

	"github.com/cloudopsec/opsec/internal/strictjson"
)

// The bounds of a [Policy], and of what one account may have.
const (
	MaxMaximum      = 366 * 24 * time.Hour
	MaxCache        = time.Hour
	MaxFresh        = time.Hour
	MaxConcurrent   = 32 // sessions of an account, so that a [Book] fits a record of any store
	MaxApplications = 16 // of a session
	MaxFactors      = 8  // of a session

	MaxBook = 200 << 10 // bytes of a [Book] as JSON

	maxPolicyBytes = 64 << 10 // of JSON
	maxPolicyText  = 1 << 10
)

// WhenFull says what becomes of a log-in beyond [Policy].Concurrent.
type WhenFull string

// The answers.
const (
	Refuse    WhenFull = ""           // the log-in is refused: [*FullError]
	EndOldest WhenFull = "end-oldest" // the session that began first ends
)

// Policy is how long sessions last. It is data; in JSON durations are texts such as "15m", and unknown names are refused. The
// zero Policy is not valid: nothing is unlimited by being left out. All who use one repository use one policy.
type Policy struct {
	Name   string `json:"name,omitempty"`
	Source string `json:"source,omitempty"` // of the figures

	Maximum time.Duration `json:"maximum"`         // from the log-in: more than 0, at most 366 days
	Idle    time.Duration `json:"idle"`            // since the last use: more than 0, at most Maximum
	Cache   time.Duration `json:"cache,omitempty"` // how late a node may see that a session has ended: at most Idle and an hour; 0: at once, each use is read

	// Grain is how coarsely the last use is written: uses closer than this to the one that was written are not. A session may
	// therefore end earlier than Idle after its last use, by less than Grain, but never later. At most half of Idle; 0: each use is.
	Grain time.Duration `json:"grain,omitempty"`

	Fresh      time.Duration `json:"fresh"`               // how old a proof may be: more than 0, at most an hour
	Factors    int           `json:"factors"`             // different factors that a log-in takes: 1 to 8
	Concurrent int           `json:"concurrent"`          // sessions of one account at the same time: 1 to 32
	WhenFull   WhenFull      `json:"when_full,omitempty"` // what happens beyond
	Bound      bool          `json:"bound,omitempty"`     // each session is bound to a key
}

// Validate returns an error that wraps [opsec.ErrInvalid] and names the first field that is out of bounds.
func (p Policy) Validate() error {
	switch {
	case len(p.Name) > maxPolicyText || len(p.Source) > maxPolicyText:
		return invalid("policy: name, source: want at most %d bytes", maxPolicyText)
	case p.Maximum <= 0 || p.Maximum > MaxMaximum:
		return invalid("policy: maximum is %v, want more than 0, at most %v", p.Maximum, MaxMaximum)
	case p.Idle <= 0 || p.Idle > p.Maximum:
		return invalid("policy: idle is %v, want more than 0, at most maximum, %v", p.Idle, p.Maximum)
	case p.Cache < 0 || p.Cache > min(p.Idle, MaxCache):
		return invalid("policy: cache is %v, want 0 to idle, %v, and at most %v", p.Cache, p.Idle, MaxCache)
	case p.Grain < 0 || p.Grain > p.Idle/2:
		return invalid("policy: grain is %v, want 0 to half of idle, %v", p.Grain, p.Idle/2)
	case p.Fresh <= 0 || p.Fresh > MaxFresh:
		return invalid("policy: fresh is %v, want more than 0, at most %v", p.Fresh, MaxFresh)
	case p.Factors < 1 || p.Factors > MaxFactors:
		return invalid("policy: factors is %d, want 1 to %d", p.Factors, MaxFactors)
	case p.Concurrent < 1 || p.Concurrent > MaxConcurrent:
		return invalid("policy: concurrent is %d, want 1 to %d", p.Concurrent, MaxConcurrent)
	case p.WhenFull != Refuse && p.WhenFull != EndOldest:
		return invalid("policy: when_full: unknown")
	}
	return nil
}

// policyText is a Policy as it stands in a file.
type policyText struct {
	policyFields
	Maximum strictjson.Duration `json:"maximum"`
	Idle    strictjson.Duration `json:"idle"`
	Cache   strictjson.Duration `json:"cache,omitempty"`
	Grain   strictjson.Duration `json:"grain,omitempty"`
	Fresh   strictjson.Duration `json:"fresh"`
}

type policyFields Policy

// MarshalJSON implements [json.Marshaler].
func (p Policy) MarshalJSON() ([]byte, error) {
	return json.Marshal(policyText{policyFields(p), strictjson.Duration(p.Maximum), strictjson.Duration(p.Idle),
		strictjson.Duration(p.Cache), strictjson.Duration(p.Grain), strictjson.Duration(p.Fresh)})
}

// UnmarshalJSON implements [json.Unmarshaler]. What it accepts is valid.
func (p *Policy) UnmarshalJSON(data []byte) error {
	if len(data) > maxPolicyBytes {
		return invalid("policy: %d bytes of JSON, want at most %d", len(data), maxPolicyBytes)
	}
	var t policyText
	if err := strictjson.Decode(data, &t); err != nil {
		return invalid("policy: %v", err)
	}
	read := Policy(t.policyFields)
	read.Maximum, read.Idle, read.Cache = time.Duration(t.Maximum), time.Duration(t.Idle), time.Duration(t.Cache)
	read.Grain, read.Fresh = time.Duration(t.Grain), time.Duration(t.Fresh)
	if err := read.Validate(); err != nil {
		return err
	}
	*p = read
	return nil
}

// Presets returns the policies that come with this package, the mildest first. Each call returns fresh ones.
//
// Maximum and Idle are those of their Source. What no source gives is ours: Cache, Grain and Fresh, ten sessions at the same
// time, of which the oldest makes room, and for PCI DSS, which knows an idle time alone, a Maximum of 12 hours. NIST asks for
// no idle time at AAL1, so it is the Maximum. An authenticator that is two factors in one gives two proofs.
func Presets() []Policy {
	nist := "NIST SP 800-63B-4, section 2."
	return []Policy{
		{"nist-aal1", nist + "1.3", 720 * time.Hour, 720 * time.Hour, time.Minute, time.Hour, 5 * time.Minute, 1, 10, EndOldest, false},
		{"nist-aal2", nist + "2.3", 24 * time.Hour, time.Hour, 30 * time.Second, time.Minute, 5 * time.Minute, 2, 10, EndOldest, false},
		{"pci-dss", "PCI DSS 4.0.1, requirement 8.2.8", 12 * time.Hour, 15 * time.Minute, 15 * time.Second, 30 * time.Second, 5 * time.Minute, 2, 10, EndOldest, false},
		{"nist-aal3", nist + "3.3", 12 * time.Hour, 15 * time.Minute, 10 * time.Second, 30 * time.Second, 5 * time.Minute, 2, 10, EndOldest, true},
	}
}

// Preset returns the policy of this name, or an error that wraps [opsec.ErrNotFound].
func Preset(name string) (Policy, error) {
	for _, p := range Presets() {
		if p.Name == name {
			return p, nil
		}
	}
	return Policy{}, notFound("no preset of that name")
}
