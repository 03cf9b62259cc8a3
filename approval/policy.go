package approval

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// The bounds of a [Policy] and of a [Case]. Deciding who counts for which rule is exact, and these keep it quick.
const (
	MaxStages  = 8  // of a policy
	MaxRules   = 12 // with a role, of one stage
	MaxDepth   = 4  // of rules within rules
	MaxPersons = 32 // that a policy can ask for: the sum of Min over all of its rules
	MaxSteps   = 64 // of a case; the last place is kept for its end

	maxPolicyBytes = 64 << 10 // of JSON: more than the other bounds let a policy become
	maxName        = 128      // bytes, of a role or a stage
	maxValidity    = 366 * 24 * time.Hour
)

// Policy says who must approve. It is data; in JSON durations are texts such as "4h", and unknown names are refused.
// The zero Policy approves nothing and is not valid. A case keeps the policy that it was opened with.
type Policy struct {
	Stages []Stage `json:"stages"` // one after the other, all of them

	Valid     time.Duration `json:"valid,omitempty"`      // from the request to the last approval. Default: 24 h; at most 366 days
	UseWithin time.Duration `json:"use_within,omitempty"` // from there to the use. Default: 1 h; at most 366 days

	// SkipSignatures lets decisions count that are not signed. One that is signed is checked nevertheless.
	SkipSignatures bool `json:"skip_signatures,omitempty"`
	// SkipReasons lets people ask and decide without saying why.
	SkipReasons bool `json:"skip_reasons,omitempty"`
	// InsecureManyStages lets one person approve in several stages.
	InsecureManyStages bool `json:"insecure_many_stages,omitempty"`
	// InsecureManyRoles lets one person count for several rules of a stage: "one of security and one of operations" is
	// then met by one who is both.
	InsecureManyRoles bool `json:"insecure_many_roles,omitempty"`
	// InsecureNonHuman lets services and the system itself approve. Each still needs a person who answers for it.
	InsecureNonHuman bool `json:"insecure_non_human,omitempty"`
}

// Stage is what must be met before the next stage opens. Whoever could count for its rule may also reject.
type Stage struct {
	Name       string `json:"name,omitempty"`
	Rule       Rule   `json:"rule"`
	Rejections int    `json:"rejections,omitempty"` // of different persons that end the case; 0 counts as 1
}

// Rule is either Min persons of a role, or all of several rules (AND), or any of several (OR).
type Rule struct {
	Role string `json:"role,omitempty"` // or group, in the caller's words
	Side Side   `json:"side,omitempty"` // whose people
	Min  int    `json:"min,omitempty"`  // different persons; 0 counts as 1
	All  []Rule `json:"all,omitempty"`
	Any  []Rule `json:"any,omitempty"`
}

// Side says which tenant an approver's account must belong to: a role by the same name elsewhere does not count.
type Side string

// The sides.
const (
	RequesterSide Side = ""         // the requester's own tenant
	OwnerSide     Side = "owner"    // the tenant that owns the resource: a customer who consents
	ProviderSide  Side = "provider" // the provider
)

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first field out of bounds.
func (p Policy) Validate() error {
	if len(p.Stages) == 0 || len(p.Stages) > MaxStages {
		return invalid("policy: stages: %d, want 1 to %d", len(p.Stages), MaxStages)
	}
	if min(p.Valid, p.UseWithin) < 0 || max(p.Valid, p.UseWithin) > maxValidity {
		return invalid("policy: valid is %v, use_within %v, want up to %v, not negative", p.Valid, p.UseWithin, maxValidity)
	}
	persons := 0
	for i, s := range p.Stages {
		if err := s.Rule.validate(fmt.Sprintf("policy: stages[%d].rule", i), 1); err != nil {
			return err
		}
		rules := s.Rule.leaves(nil)
		if len(rules) > MaxRules || s.Rejections < 0 || s.Rejections > MaxPersons || !text(s.Name, maxName) {
			return invalid("policy: stages[%d]: %d rules, want up to %d; %d rejections, want 0 to %d; a name of up to %d bytes",
				i, len(rules), MaxRules, s.Rejections, MaxPersons, maxName)
		}
		for _, r := range rules {
			persons += r.min()
		}
	}
	if persons > MaxPersons {
		return invalid("policy: asks for %d persons, want at most %d", persons, MaxPersons)
	}
	return nil
}

func (r Rule) validate(where string, depth int) error {
	if depth > MaxDepth {
		return invalid("%s: more than %d deep", where, MaxDepth)
	}
	kinds := 0
	for _, given := range []bool{r.Role != "", len(r.All) > 0, len(r.Any) > 0} {
		if given {
			kinds++
		}
	}
	switch {
	case kinds != 1:
		return invalid("%s: want one of role, all, any", where)
	case r.Role == "" && (r.Min != 0 || r.Side != ""):
		return invalid("%s: min and side belong to a role", where)
	case r.Side != RequesterSide && r.Side != OwnerSide && r.Side != ProviderSide:
		return invalid("%s: side: unknown", where)
	case !text(r.Role, maxName):
		return invalid("%s: role: want UTF-8 of up to %d bytes", where, maxName)
	case r.Min < 0 || r.Min > MaxPersons:
		return invalid("%s: min is %d, want 0 to %d", where, r.Min, MaxPersons)
	}
	for i, one := range append(r.All[:len(r.All):len(r.All)], r.Any...) {
		if err := one.validate(fmt.Sprintf("%s[%d]", where, i), depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (r Rule) min() int { return max(r.Min, 1) }

// leaves appends the rules with a role.
func (r Rule) leaves(list []Rule) []Rule {
	if len(r.All)+len(r.Any) == 0 {
		return append(list, r)
	}
	for _, rules := range [][]Rule{r.All, r.Any} {
		for _, one := range rules {
			list = one.leaves(list)
		}
	}
	return list
}

func (p Policy) withDefaults() Policy {
	p.Valid, p.UseWithin = cmp.Or(p.Valid, 24*time.Hour), cmp.Or(p.UseWithin, time.Hour)
	return p
}

// policyText is a Policy as it stands in a file.
type policyText struct {
	policyFields
	Valid     duration `json:"valid,omitempty"`
	UseWithin duration `json:"use_within,omitempty"`
}

type policyFields Policy

type duration time.Duration

func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = duration(v)
	return err
}

// MarshalJSON implements [json.Marshaler].
func (p Policy) MarshalJSON() ([]byte, error) {
	return json.Marshal(policyText{policyFields(p), duration(p.Valid), duration(p.UseWithin)})
}

// UnmarshalJSON implements [json.Unmarshaler]. It validates, and leaves p as it was when it fails.
func (p *Policy) UnmarshalJSON(data []byte) error {
	var t policyText
	if err := decode(data, &t, maxPolicyBytes); err != nil {
		return invalid("policy: %v", err)
	}
	read := Policy(t.policyFields)
	read.Valid, read.UseWithin = time.Duration(t.Valid), time.Duration(t.UseWithin)
	if err := read.Validate(); err != nil {
		return err
	}
	*p = read
	return nil
}

// decode reads one JSON value of at most most bytes, whose objects have known fields alone.
func decode(data []byte, v any, most int) error {
	if len(data) > most {
		return fmt.Errorf("%d bytes of JSON, at most %d", len(data), most)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("more than one JSON value")
	}
	return nil
}
