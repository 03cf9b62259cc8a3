package password

import (
	"encoding/json"
	"time"

	"github.com/cloudopsec/opsec/internal/strictjson"
)

const maxProfileBytes = 64 << 10 // of JSON

// profileText is a Profile as it stands in a file.
type profileText struct {
	profileFields
	MinimumAge strictjson.Duration `json:"minimum_age,omitempty"`
	Cycle      strictjson.Duration `json:"cycle,omitempty"`
	CycleMFA   strictjson.Duration `json:"cycle_mfa,omitempty"`
}

type profileFields Profile

// MarshalJSON implements [json.Marshaler].
func (p Profile) MarshalJSON() ([]byte, error) {
	return json.Marshal(profileText{profileFields(p), strictjson.Duration(p.MinimumAge), strictjson.Duration(p.Cycle), strictjson.Duration(p.CycleMFA)})
}

// UnmarshalJSON implements [json.Unmarshaler]. It refuses unknown names, validates, and leaves p as it was when it fails.
func (p *Profile) UnmarshalJSON(b []byte) error {
	if len(b) > maxProfileBytes {
		return invalid("profile: %d bytes of JSON, at most %d", len(b), maxProfileBytes)
	}
	var t profileText
	if err := strictjson.Decode(b, &t); err != nil {
		return invalid("profile: %v", err)
	}
	read := Profile(t.profileFields)
	read.MinimumAge, read.Cycle, read.CycleMFA = time.Duration(t.MinimumAge), time.Duration(t.Cycle), time.Duration(t.CycleMFA)
	if err := read.Validate(); err != nil {
		return err
	}
	*p = read
	return nil
}
