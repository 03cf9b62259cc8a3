package thirdparty

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// The figures of a [Policy] that are not set.
const (
	DefaultBudget   = 250 * time.Millisecond // what AWS KMS gives the proxy of an external key store
	DefaultFailures = 5
	DefaultPause    = 30 * time.Second
)

const (
	maxName   = 128
	maxBudget = time.Minute
	maxPause  = time.Hour
	maxPolicy = 4 << 10 // bytes of JSON
)

// Policy says how a party is asked. In JSON durations are texts, and unknown names are refused.
type Policy struct {
	Name     string        // of the party: 1 to 128 bytes
	Budget   time.Duration // for each call; 0 for DefaultBudget; at most a minute
	Failures int           // so many calls without an answer, one after the other, and the party is left alone; 0 for DefaultFailures
	Pause    time.Duration // for so long, and then one call tries; 0 for DefaultPause; at most an hour

	SkipJustification bool // calls need no justification
}

type policyJSON struct {
	Name              string              `json:"name"`
	Budget            strictjson.Duration `json:"budget,omitzero"`
	Failures          int                 `json:"failures,omitempty"`
	Pause             strictjson.Duration `json:"pause,omitzero"`
	SkipJustification bool                `json:"skip_justification,omitempty"`
}

// MarshalJSON implements [json.Marshaler].
func (p Policy) MarshalJSON() ([]byte, error) {
	return json.Marshal(policyJSON{p.Name, strictjson.Duration(p.Budget), p.Failures, strictjson.Duration(p.Pause), p.SkipJustification})
}

// UnmarshalJSON implements [json.Unmarshaler]. It accepts what [Policy.Validate] accepts, and leaves p as it was when it fails.
func (p *Policy) UnmarshalJSON(data []byte) error {
	var read policyJSON
	if len(data) > maxPolicy {
		return invalid("policy: %d bytes of JSON, at most %d", len(data), maxPolicy)
	}
	if err := strictjson.Decode(data, &read); err != nil {
		return invalid("policy: %v", err)
	}
	q := Policy{read.Name, time.Duration(read.Budget), read.Failures, time.Duration(read.Pause), read.SkipJustification}
	if err := q.Validate(); err != nil {
		return err
	}
	*p = q
	return nil
}

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first field that breaks its rules.
func (p *Policy) Validate() error {
	switch {
	case p.Name == "" || len(p.Name) > maxName:
		return invalid("name: %d bytes, want 1 to %d", len(p.Name), maxName)
	case p.Budget < 0 || p.Budget > maxBudget:
		return invalid("budget: %s, want at most %s", p.Budget, maxBudget)
	case p.Failures < 0:
		return invalid("failures: %d, want 1 or more", p.Failures)
	case p.Pause < 0 || p.Pause > maxPause:
		return invalid("pause: %s, want at most %s", p.Pause, maxPause)
	}
	return nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("thirdparty: "+format+": %w", append(args, opsec.ErrInvalid)...)
}
