package credential

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// Policy says how resets and issued passwords go. It is data; in JSON durations are texts such as "30m0s".
type Policy struct {
	ResetValid time.Duration // how long a token works: 1 minute to 24 hours (NIST SP 800-63B-4, 4.2: a code by mail, 24 hours)
	Resets     int           // how many may be begun for one account in ResetEach: 1 to 100
	ResetEach  time.Duration // that window: 1 minute to 7 days
	IssueValid time.Duration // how long an issued password works: 1 minute to 7 days (ASVS 5, 6.4.1: a short time)
	Notice     time.Duration // how long before its update is due the owner is reminded: up to 90 days

	SkipSessions bool // sessions go on after a reset or a change
	SkipLocks    bool // a reset leaves the account locked, if it is
}

// Default returns the policy for most: half an hour for a token, 3 a day, a day for an issued password, two weeks' notice.
func Default() Policy {
	return Policy{ResetValid: 30 * time.Minute, Resets: 3, ResetEach: 24 * time.Hour, IssueValid: 24 * time.Hour, Notice: 14 * 24 * time.Hour}
}

// Validate returns an error that wraps [opsec.ErrInvalid] and names the first field that is out of bounds.
func (p Policy) Validate() error {
	const day = 24 * time.Hour
	for _, d := range []struct {
		name        string
		v, from, to time.Duration
	}{
		{"reset_valid", p.ResetValid, time.Minute, day}, {"reset_each", p.ResetEach, time.Minute, 7 * day},
		{"issue_valid", p.IssueValid, time.Minute, 7 * day}, {"notice", p.Notice, 0, 90 * day},
	} {
		if d.v < d.from || d.v > d.to {
			return invalid("policy.%s: %v, want %v to %v", d.name, d.v, d.from, d.to)
		}
	}
	if p.Resets < 1 || p.Resets > 100 {
		return invalid("policy.resets: %d, want 1 to 100", p.Resets)
	}
	return nil
}

type policyJSON struct {
	ResetValid   strictjson.Duration `json:"reset_valid"`
	Resets       int                 `json:"resets"`
	ResetEach    strictjson.Duration `json:"reset_each"`
	IssueValid   strictjson.Duration `json:"issue_valid"`
	Notice       strictjson.Duration `json:"notice"`
	SkipSessions bool                `json:"skip_sessions,omitempty"`
	SkipLocks    bool                `json:"skip_locks,omitempty"`
}

// MarshalJSON implements [json.Marshaler].
func (p Policy) MarshalJSON() ([]byte, error) {
	return json.Marshal(policyJSON{
		strictjson.Duration(p.ResetValid), p.Resets, strictjson.Duration(p.ResetEach), strictjson.Duration(p.IssueValid),
		strictjson.Duration(p.Notice), p.SkipSessions, p.SkipLocks,
	})
}

// UnmarshalJSON implements [json.Unmarshaler]: unknown fields are refused.
func (p *Policy) UnmarshalJSON(b []byte) error {
	var j policyJSON
	if err := strictjson.Decode(b, &j); err != nil {
		return invalid("policy: %v", err)
	}
	*p = Policy{
		time.Duration(j.ResetValid), j.Resets, time.Duration(j.ResetEach), time.Duration(j.IssueValid),
		time.Duration(j.Notice), j.SkipSessions, j.SkipLocks,
	}
	return nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("credential: %s: %w", fmt.Sprintf(format, args...), opsec.ErrInvalid)
}
