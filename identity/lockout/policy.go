package lockout

import (
	"encoding/json"
	"time"

	"github.com/cloudopsec/opsec/internal/strictjson"
)

// The bounds of a [Policy].
const (
	MaxFailures = 1000                      // that a policy may let pass before it locks, and temporary locks before the permanent one
	MaxPeriod   = 10 * 366 * 24 * time.Hour // of any duration in it but Reserve
	MinReserve  = time.Second
	MaxReserve  = 10 * time.Minute

	maxPolicyBytes = 4 << 10 // of JSON
)

// Growth is how locks become longer.
type Growth string

// The growths. N is the number of failures of the run, F is Policy.Failures.
const (
	Fixed    Growth = ""         // Lock each time
	Multiple Growth = "multiple" // Lock * (N / F), in whole numbers: Keycloak's MULTIPLE
	Linear   Growth = "linear"   // Lock * (1 + N - F): Keycloak's LINEAR
	Doubling Growth = "doubling" // Lock, then twice as long each time
)

// Policy is when a counter locks, and for how long. It is data; in JSON durations are texts such as "15m", in whole
// milliseconds, and unknown names are refused. What is zero is strict: the zero Policy is not valid, and where it is used
// nevertheless, the first failure locks for good.
type Policy struct {
	Failures  int           `json:"failures"`            // wrong secrets one after the other that lock: 1 to 1000
	Forget    time.Duration `json:"forget,omitempty"`    // a run ends when its last failure is older; 0: with a success alone
	Lock      time.Duration `json:"lock,omitempty"`      // the first temporary lock; more than 0 unless Temporary is 0
	Growth    Growth        `json:"growth,omitempty"`    // of the locks after the first
	LockMost  time.Duration `json:"lock_most,omitempty"` // the longest temporary lock; 0: no longer than Lock
	Temporary int           `json:"temporary,omitempty"` // so many temporary locks, and the next is permanent; 0: the first is permanent; -1: none is
	Rapid     time.Duration `json:"rapid,omitempty"`     // 8.1.1-3d: a failure sooner than this after another bars; 0: none is too soon
	RapidBar  time.Duration `json:"rapid_bar,omitempty"` // for so long; when Rapid is set, more than 0
	Reserve   time.Duration `json:"reserve"`             // a guess that is not settled so long after its beginning counts as failed, 1s to 10m; it may take twice as long
	Skew      time.Duration `json:"skew,omitempty"`      // how far the clocks of two nodes may be apart: locks last so much longer
}

// Validate returns an error that wraps [opsec.ErrInvalid] and names the first field out of bounds.
func (p Policy) Validate() error {
	for _, d := range []struct {
		name string
		time.Duration
	}{
		{"forget", p.Forget}, {"lock", p.Lock}, {"lock_most", p.LockMost}, {"rapid", p.Rapid}, {"rapid_bar", p.RapidBar},
		{"reserve", p.Reserve}, {"skew", p.Skew},
	} {
		if d.Duration < 0 || d.Duration > MaxPeriod || d.Duration%time.Millisecond != 0 {
			return invalid("policy: %s is %v, want 0 to %v in whole milliseconds", d.name, d.Duration, MaxPeriod)
		}
	}
	switch {
	case p.Failures < 1 || p.Failures > MaxFailures:
		return invalid("policy: failures is %d, want 1 to %d", p.Failures, MaxFailures)
	case p.Temporary < -1 || p.Temporary > MaxFailures:
		return invalid("policy: temporary is %d, want -1 to %d", p.Temporary, MaxFailures)
	case p.Growth != Fixed && p.Growth != Multiple && p.Growth != Linear && p.Growth != Doubling:
		return invalid("policy: growth: unknown, one of %d bytes", len(p.Growth))
	case p.Temporary == 0 && (p.Lock != 0 || p.LockMost != 0 || p.Growth != Fixed):
		return invalid("policy: lock, lock_most, growth: are of temporary locks, of which temporary allows none")
	case p.Temporary != 0 && p.Lock == 0:
		return invalid("policy: lock is 0, want more, or temporary 0 for locks that are permanent")
	case p.LockMost != 0 && (p.LockMost < p.Lock || p.Growth == Fixed):
		return invalid("policy: lock_most is %v, want 0 unless locks grow, and at least lock, %v", p.LockMost, p.Lock)
	case (p.Rapid == 0) != (p.RapidBar == 0):
		return invalid("policy: rapid is %v, rapid_bar %v, want both or none", p.Rapid, p.RapidBar)
	case p.Forget != 0 && p.Rapid > p.Forget:
		return invalid("policy: rapid is %v, want at most forget, %v: what is forgotten is not too soon", p.Rapid, p.Forget)
	case p.Reserve < MinReserve || p.Reserve > MaxReserve:
		return invalid("policy: reserve is %v, want %v to %v", p.Reserve, MinReserve, MaxReserve)
	}
	return nil
}

// policyText is a Policy as it stands in a file.
type policyText struct {
	policyFields
	Forget   strictjson.Duration `json:"forget,omitzero"`
	Lock     strictjson.Duration `json:"lock,omitzero"`
	LockMost strictjson.Duration `json:"lock_most,omitzero"`
	Rapid    strictjson.Duration `json:"rapid,omitzero"`
	RapidBar strictjson.Duration `json:"rapid_bar,omitzero"`
	Reserve  strictjson.Duration `json:"reserve"`
	Skew     strictjson.Duration `json:"skew,omitzero"`
}

type policyFields Policy

// MarshalJSON implements [json.Marshaler].
func (p Policy) MarshalJSON() ([]byte, error) {
	return json.Marshal(policyText{
		policyFields: policyFields(p),
		Forget:       strictjson.Duration(p.Forget),
		Lock:         strictjson.Duration(p.Lock),
		LockMost:     strictjson.Duration(p.LockMost),
		Rapid:        strictjson.Duration(p.Rapid),
		RapidBar:     strictjson.Duration(p.RapidBar),
		Reserve:      strictjson.Duration(p.Reserve),
		Skew:         strictjson.Duration(p.Skew),
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
	read.Forget, read.Lock, read.LockMost = time.Duration(t.Forget), time.Duration(t.Lock), time.Duration(t.LockMost)
	read.Rapid, read.RapidBar = time.Duration(t.Rapid), time.Duration(t.RapidBar)
	read.Reserve, read.Skew = time.Duration(t.Reserve), time.Duration(t.Skew)
	if err := read.Validate(); err != nil {
		return err
	}
	*p = read
	return nil
}
