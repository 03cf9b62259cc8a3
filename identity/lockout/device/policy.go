package device

import (
	"cmp"
	"encoding/json"
	"time"

	"github.com/cloudopsec/opsec/internal/strictjson"
)

// Policy is how long tokens count. A duration of zero takes its default; in JSON durations are texts such as "720h".
type Policy struct {
	Lifetime time.Duration // how long a token counts; 1h to 400 days, as browsers cap cookies. Default: 90 days
	Renew    time.Duration // a token this old is made anew at a log-in; less than Lifetime. Default: a tenth of it
	Skew     time.Duration // how far a token may be from the future; at most 1h. Default: 2 minutes
}

const (
	day         = 24 * time.Hour
	maxLifetime = 400 * day
	maxSkew     = time.Hour
	maxPolicy   = 1 << 10 // bytes of JSON
)

func (p Policy) withDefaults() Policy {
	p.Lifetime = cmp.Or(p.Lifetime, 90*day)
	p.Renew = cmp.Or(p.Renew, p.Lifetime/10)
	p.Skew = cmp.Or(p.Skew, 2*time.Minute)
	return p
}

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first field out of bounds.
func (p Policy) Validate() error {
	p = p.withDefaults()
	switch {
	case p.Lifetime < time.Hour || p.Lifetime > maxLifetime:
		return invalid("policy: Lifetime is %v, want 1h to %v", p.Lifetime, maxLifetime)
	case p.Renew < 0 || p.Renew >= p.Lifetime:
		return invalid("policy: Renew is %v, want less than Lifetime", p.Renew)
	case p.Skew < 0 || p.Skew > maxSkew:
		return invalid("policy: Skew is %v, want at most 1h", p.Skew)
	}
	return nil
}

// policyText is a Policy as it stands in a file.
type policyText struct {
	Lifetime strictjson.Duration `json:"lifetime,omitempty"`
	Renew    strictjson.Duration `json:"renew,omitempty"`
	Skew     strictjson.Duration `json:"skew,omitempty"`
}

// MarshalJSON implements [json.Marshaler].
func (p Policy) MarshalJSON() ([]byte, error) {
	return json.Marshal(policyText{strictjson.Duration(p.Lifetime), strictjson.Duration(p.Renew), strictjson.Duration(p.Skew)})
}

// UnmarshalJSON implements [json.Unmarshaler]. It validates, and leaves p as it was when it fails.
func (p *Policy) UnmarshalJSON(data []byte) error {
	var t policyText
	if len(data) > maxPolicy {
		return invalid("policy: %d bytes of JSON, want at most %d", len(data), maxPolicy)
	}
	if err := strictjson.Decode(data, &t); err != nil {
		return invalid("policy: %v", err)
	}
	read := Policy{time.Duration(t.Lifetime), time.Duration(t.Renew), time.Duration(t.Skew)}
	if err := read.Validate(); err != nil {
		return err
	}
	*p = read
	return nil
}
