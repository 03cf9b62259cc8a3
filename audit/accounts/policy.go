package accounts

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// Policy says what is wrong. It is data: JSON by its own methods, validated when it is read, and strict when zero.
// A limit of zero takes the default; nothing says "unlimited", but kinds of findings can be left out by name, in Skip.
type Policy struct {
	// DormantAfter is how long an active account may go unused. Default: 45 days (CIS Controls v8, safeguard 5.3).
	DormantAfter time.Duration
	// ReviewAfter is how long an account may go without review. Default: 90 days (CIS Controls v8, safeguard 5.1: at
	// least every quarter).
	ReviewAfter time.Duration
	// UnusedAfter is how long a permission may go unused. Default: 90 days.
	UnusedAfter time.Duration
	// Rare are permissions that nobody expects to be used, such as those of an emergency: never over-authorised.
	Rare []string
	// MaxSession is the longest that a session may last. Default: 12 hours.
	MaxSession time.Duration
	// Places is from how many places one human's account may have sessions at once: a terminal is a place, or without
	// one an IPv4 address or an IPv6 /64. Default: 1.
	Places int
	// Denials is how many refusals of one permission are too many. Default: 5.
	Denials int
	// InventedNames and InventedTries are how many different names, and how many attempts with any, are too many from
	// one origin, of accounts that do not exist. Defaults: 3 (at most 64), and 10.
	InventedNames, InventedTries int
	// Origins is how many origins of such attempts are followed at once, with up to 3 KiB each. Default: 1024.
	Origins int
	// Naming is a regular expression (RE2) that the whole name of a main account, and that of a sub-account within its
	// main, must match. Default: a lower-case letter, then 1 to 63 of these, digits, '.', '_' and '-'.
	Naming string
	// Roles are the permissions that each role gives: its baseline. A role that is not here gives none.
	Roles map[string][]string
	// Listed is how many permissions, and how many references, a finding lists at the most. Default: 16.
	Listed int
	// Skip are kinds of findings that are not looked for; Summary.NotTested names them.
	Skip []Kind
}

// PCIDSS returns the policy with the figures of PCI DSS v4.0.1: inactive accounts are disabled within 90 days
// (requirement 8.2.6), and accounts reviewed every six months (7.2.4), of which the longest have 184 days.
func PCIDSS() Policy {
	return Policy{DormantAfter: 90 * day, ReviewAfter: 184 * day}
}

const (
	day = 24 * time.Hour

	maxNames   = 64 // distinct names of an origin that are counted exactly
	maxOrigins = 1 << 16
	maxListed  = 1024
	maxCount   = 1 << 30
	maxRolesOf = 1 << 14 // roles in a policy
	maxPerRole = 1 << 16 // permissions of one
	maxNaming  = 1 << 10
)

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first field out of bounds.
func (p Policy) Validate() error {
	p = p.withDefaults()
	for _, f := range []struct {
		name        string
		value, most int
	}{
		{"Places", p.Places, maxCount}, {"Denials", p.Denials, maxCount}, {"InventedNames", p.InventedNames, maxNames},
		{"InventedTries", p.InventedTries, maxCount}, {"Origins", p.Origins, maxOrigins}, {"Listed", p.Listed, maxListed},
	} {
		if f.value < 1 || f.value > f.most {
			return fmt.Errorf("accounts: policy: %s is %d, want 1 to %d: %w", f.name, f.value, f.most, opsec.ErrInvalid)
		}
	}
	if min(p.DormantAfter, p.ReviewAfter, p.UnusedAfter, p.MaxSession) < 0 {
		return fmt.Errorf("accounts: policy: a duration is negative: %w", opsec.ErrInvalid)
	}
	if len(p.Naming) > maxNaming {
		return fmt.Errorf("accounts: policy: Naming has %d bytes, want at most %d: %w", len(p.Naming), maxNaming, opsec.ErrInvalid)
	}
	if _, err := p.naming(); err != nil {
		return fmt.Errorf("accounts: policy: Naming: %w: %w", err, opsec.ErrInvalid)
	}
	if len(p.Roles) > maxRolesOf {
		return fmt.Errorf("accounts: policy: %d roles, want at most %d: %w", len(p.Roles), maxRolesOf, opsec.ErrInvalid)
	}
	for role, permissions := range p.Roles {
		if role == "" || len(permissions) > maxPerRole || slices.Contains(permissions, "") {
			return fmt.Errorf("accounts: policy: Roles[%q]: want a name, and at most %d permissions, none of them empty: %w",
				role, maxPerRole, opsec.ErrInvalid)
		}
	}
	if slices.Contains(p.Rare, "") || len(p.Rare) > maxPerRole {
		return fmt.Errorf("accounts: policy: Rare: want at most %d permissions, none of them empty: %w", maxPerRole, opsec.ErrInvalid)
	}
	for _, k := range p.Skip {
		if rule(k) == nil || k == Unjudged {
			return fmt.Errorf("accounts: policy: Skip: %q is no kind of finding that can be left out: %w", k, opsec.ErrInvalid)
		}
	}
	return nil
}

func (p Policy) withDefaults() Policy {
	p.DormantAfter = cmp.Or(p.DormantAfter, 45*day)
	p.ReviewAfter = cmp.Or(p.ReviewAfter, 90*day)
	p.UnusedAfter = cmp.Or(p.UnusedAfter, 90*day)
	p.MaxSession = cmp.Or(p.MaxSession, 12*time.Hour)
	p.Places = cmp.Or(p.Places, 1)
	p.Denials = cmp.Or(p.Denials, 5)
	p.InventedNames = cmp.Or(p.InventedNames, 3)
	p.InventedTries = cmp.Or(p.InventedTries, 10)
	p.Origins = cmp.Or(p.Origins, 1024)
	p.Listed = cmp.Or(p.Listed, 16)
	return p
}

// naming returns the test of a name.
func (p Policy) naming() (func(string) bool, error) {
	if p.Naming == "" {
		return usualName, nil
	}
	if _, err := regexp.Compile(p.Naming); err != nil { // by itself: "a)(b" would be whole between parentheses
		return nil, errors.New("not a regular expression")
	}
	whole, err := regexp.Compile(`\A(?:` + p.Naming + `)\z`)
	if err != nil {
		return nil, errors.New("not a regular expression")
	}
	return whole.MatchString, nil
}

// usualName matches [a-z][a-z0-9._-]{1,63}.
func usualName(s string) bool {
	if len(s) < 2 || len(s) > 64 || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// policyText is a Policy as it stands in a file.
type policyText struct {
	DormantAfter  strictjson.Duration `json:"dormant_after,omitempty"`
	ReviewAfter   strictjson.Duration `json:"review_after,omitempty"`
	UnusedAfter   strictjson.Duration `json:"unused_after,omitempty"`
	Rare          []string            `json:"rare,omitempty"`
	MaxSession    strictjson.Duration `json:"max_session,omitempty"`
	Places        int                 `json:"places,omitempty"`
	Denials       int                 `json:"denials,omitempty"`
	InventedNames int                 `json:"invented_names,omitempty"`
	InventedTries int                 `json:"invented_tries,omitempty"`
	Origins       int                 `json:"origins,omitempty"`
	Naming        string              `json:"naming,omitempty"`
	Roles         map[string][]string `json:"roles,omitempty"`
	Listed        int                 `json:"listed,omitempty"`
	Skip          []Kind              `json:"skip,omitempty"`
}

// MarshalJSON implements [json.Marshaler]: durations are texts such as "1080h0m0s".
func (p Policy) MarshalJSON() ([]byte, error) {
	return json.Marshal(policyText{
		strictjson.Duration(p.DormantAfter), strictjson.Duration(p.ReviewAfter), strictjson.Duration(p.UnusedAfter), p.Rare,
		strictjson.Duration(p.MaxSession), p.Places, p.Denials, p.InventedNames, p.InventedTries, p.Origins, p.Naming,
		p.Roles, p.Listed, p.Skip,
	})
}

// UnmarshalJSON implements [json.Unmarshaler]. It refuses unknown fields, validates, and leaves p as it was when it fails.
func (p *Policy) UnmarshalJSON(data []byte) error {
	var t policyText
	if err := strictjson.Decode(data, &t); err != nil {
		return fmt.Errorf("accounts: policy: %w: %w", err, opsec.ErrInvalid)
	}
	read := Policy{
		time.Duration(t.DormantAfter), time.Duration(t.ReviewAfter), time.Duration(t.UnusedAfter), t.Rare,
		time.Duration(t.MaxSession), t.Places, t.Denials, t.InventedNames, t.InventedTries, t.Origins, t.Naming,
		t.Roles, t.Listed, t.Skip,
	}
	if err := read.Validate(); err != nil {
		return err
	}
	*p = read
	return nil
}
