package independence

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/cloudopsec/opsec"
)

const (
	maxPatterns  = 1000
	maxTenants   = 100_000
	maxResources = 10_000
)

// Scope is what is audited. An act touches it when its system, its action (or the one that it approves) or its resource is
// named here, and it is for one of the tenants, or in the provider's own name: who operates what customers share operates
// it for each. A scope of tenants alone is touched by whatever is done for one of them.
//
// A pattern is a text, or the beginning of one with "*" behind it: "backup.*". None is of what an act does not have: "*" of
// systems leaves out acts without one, where "*" of actions is all. Nor does an approval have a system: who may have approved
// something is seen by the actions or the resources of a scope.
type Scope struct {
	Tenants   []opsec.TenantID `json:"tenants,omitempty"`   // none: all; at most 100,000
	Systems   []string         `json:"systems,omitempty"`   // patterns, at most 1,000
	Actions   []string         `json:"actions,omitempty"`   // patterns, at most 1,000
	Resources []opsec.Resource `json:"resources,omitempty"` // patterns in Type and ID, at most 10,000; no Tenant: any
}

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first entry that breaks a rule. A scope of nothing
// does.
func (s Scope) Validate() error {
	if len(s.Tenants)+len(s.Systems)+len(s.Actions)+len(s.Resources) == 0 {
		return invalid("scope: of nothing")
	}
	if len(s.Tenants) > maxTenants || len(s.Resources) > maxResources {
		return invalid("scope: %d tenants, %d resources: want at most %d, %d", len(s.Tenants), len(s.Resources), maxTenants, maxResources)
	}
	for i, t := range s.Tenants {
		if err := t.Validate(); err != nil {
			return fmt.Errorf("independence: scope: tenants[%d]: %w", i, err)
		}
	}
	if err := validatePatterns("scope: systems", s.Systems); err != nil {
		return err
	}
	if err := validatePatterns("scope: actions", s.Actions); err != nil {
		return err
	}
	for i, r := range s.Resources {
		if err := validateResource(r); err != nil {
			return fmt.Errorf("independence: scope: resources[%d]: %w", i, err)
		}
	}
	return nil
}

func validatePatterns(what string, list []string) error {
	if len(list) > maxPatterns {
		return invalid("%s: %d patterns: want at most %d", what, len(list), maxPatterns)
	}
	for i, p := range list {
		if !validPattern(p) {
			return invalid("%s[%d], of %d bytes: want a text of 1 to %d, with * at its end or not at all", what, i, len(p), maxText)
		}
	}
	return nil
}

// validateResource wants patterns for type and id.
func validateResource(r opsec.Resource) error {
	if r.Tenant != "" {
		if err := r.Tenant.Validate(); err != nil {
			return err
		}
	}
	if !validPattern(r.Type) || !validPattern(r.ID) {
		return fmt.Errorf("type of %d bytes, id of %d: want texts of 1 to %d, with * at their end or not at all: %w",
			len(r.Type), len(r.ID), maxText, opsec.ErrInvalid)
	}
	return nil
}

// Digest returns "sha256:" and 64 digits of hexadecimal. Neither the order of the lists nor what they say twice matters.
func (s Scope) Digest() string {
	texts := []string{"opsec/independence/scope/v1"}
	add := func(list []string) {
		slices.Sort(list)
		list = slices.Compact(list)
		texts = append(append(texts, fmt.Sprint(len(list))), list...)
	}
	var tenants, rs []string
	for _, t := range s.Tenants {
		tenants = append(tenants, string(t))
	}
	for _, r := range s.Resources {
		rs = append(rs, string(framed(string(r.Tenant), r.Type, r.ID)))
	}
	add(tenants)
	add(slices.Clone(s.Systems))
	add(slices.Clone(s.Actions))
	add(rs)
	return digestOf(framed(texts...))
}

// framed joins texts so that no two lists give the same bytes: each behind its length.
func framed(texts ...string) (b []byte) {
	for _, s := range texts {
		b = binary.BigEndian.AppendUint64(b, uint64(len(s)))
		b = append(b, s...)
	}
	return b
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// invalid returns an error of this package that wraps opsec.ErrInvalid.
func invalid(format string, args ...any) error {
	return fmt.Errorf("independence: "+format+": %w", append(args, opsec.ErrInvalid)...)
}

// scope is a Scope ready for acts.
type scope struct {
	Scope
	tenants   map[opsec.TenantID]bool
	systems   patterns
	actions   patterns
	resources resources
	tenancy   bool // of tenants alone
}

func newScope(s Scope) *scope {
	r := &scope{
		Scope: s, tenants: map[opsec.TenantID]bool{}, systems: newPatterns(s.Systems), actions: newPatterns(s.Actions),
		resources: newResources(s.Resources), tenancy: len(s.Systems)+len(s.Actions)+len(s.Resources) == 0,
	}
	for _, t := range s.Tenants {
		r.tenants[t] = true
	}
	return r
}

// touchedBy reports whether an act touches the scope; named is whether its action does.
func (s *scope) touchedBy(a *Act, named bool) bool {
	r := a.Resource
	r.Tenant = cmp.Or(r.Tenant, a.Tenant, opsec.Provider)
	if len(s.tenants) > 0 && !s.tenants[a.Tenant] && !s.tenants[r.Tenant] {
		if s.tenancy || a.Tenant != "" && a.Tenant != opsec.Provider {
			return false
		}
	}
	return s.tenancy || named || s.systems.match(a.System) || s.resources.match(r) || s.actions.match(a.Approves)
}

// ownedBy reports whether what somebody owns is within the scope. Like is compared with like: systems with systems,
// actions with actions, resources with resources; tenants alone with the tenants of resources.
func (s *scope) ownedBy(o *Ownership) bool {
	q := o.Resource
	if s.tenancy {
		return q.Type != "" && (q.Tenant == "" || s.tenants[q.Tenant])
	}
	for _, p := range s.Systems {
		if o.System != "" && overlap(p, o.System) {
			return true
		}
	}
	for _, p := range s.Actions {
		if o.Action != "" && overlap(p, o.Action) {
			return true
		}
	}
	if len(s.tenants) > 0 && q.Tenant != "" && q.Tenant != opsec.Provider && !s.tenants[q.Tenant] {
		return false
	}
	for _, r := range s.Resources {
		if q.Type != "" && (r.Tenant == "" || q.Tenant == "" || r.Tenant == q.Tenant) && overlap(r.Type, q.Type) && overlap(r.ID, q.ID) {
			return true
		}
	}
	return false
}
