package lockout

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// Every stands in a [Rule] for all classes that no rule before it names, [Unknown] among them. They have one counter together.
const Every Class = "*"

// The bounds of a [Profile].
const (
	MaxRules = 64

	maxProfileBytes = 64 << 10 // of JSON
	maxText         = 1 << 10  // bytes of a name or source
)

// Profile says which policy counts for which factor and class. It is data; in JSON unknown names are refused.
type Profile struct {
	Name   string `json:"name"`
	Source string `json:"source,omitempty"` // of the figures
	Rules  []Rule `json:"rules"`            // the first that fits counts
}

// Rule is the policy of a factor for guesses of a class.
type Rule struct {
	Factor Factor `json:"factor"`
	Class  Class  `json:"class,omitempty"` // or [Every]
	Policy Policy `json:"policy"`
}

// Counter returns the key of the counter that a guess with this key counts on, and its policy. For what falls under [Every] that is
// one counter, of class [Unknown], whatever class and device the guess comes from. Without a rule the policy is nil: the guess is to
// be refused.
func (p *Profile) Counter(k Key) (Key, *Policy) {
	for i := range p.Rules {
		switch r := &p.Rules[i]; {
		case r.Factor != k.Factor:
		case r.Class == Every:
			k.Class, k.Device = Unknown, ""
			return k, &r.Policy
		case r.Class == k.Class:
			return k, &r.Policy
		}
	}
	return k, nil
}

// Factors returns the factors that have a rule, each once, in the order of the rules.
func (p Profile) Factors() (list []Factor) {
	for _, r := range p.Rules {
		if !slices.Contains(list, r.Factor) {
			list = append(list, r.Factor)
		}
	}
	return list
}

// Validate returns an error that wraps [opsec.ErrInvalid] and names what is wrong first: a rule that is none, one that can never
// count, because those before it leave nothing to it, or a factor that has a rule for some classes and none for others.
func (p Profile) Validate() error {
	if p.Name == "" || !text(p.Name, maxText) || !text(p.Source, maxText) {
		return invalid("profile: name, source: want text of at most %d bytes, and a name", maxText)
	}
	if len(p.Rules) == 0 || len(p.Rules) > MaxRules {
		return invalid("profile: %d rules, want 1 to %d", len(p.Rules), MaxRules)
	}
	for i, r := range p.Rules {
		if !r.Factor.valid() {
			return invalid("profile: rules[%d]: factor: want 1 to 32 lower-case letters, digits and '-'", i)
		}
		if r.Class != Every && !r.Class.valid() {
			return invalid("profile: rules[%d]: class: unknown, one of %d bytes", i, len(r.Class))
		}
		before := Profile{Rules: p.Rules[:i]}
		if len(before.missing(r.Factor, r.Class)) == 0 {
			return invalid("profile: rules[%d]: can never count, after those before it", i)
		}
		if r.Class == Every && !slices.Contains(before.missing(r.Factor, Every), Unknown) {
			return invalid("profile: rules[%d]: what is left would share the counter of unknown sources, which has a rule: name the classes", i)
		}
		if err := r.Policy.Validate(); err != nil {
			return fmt.Errorf("lockout: profile: rules[%d]: %w", i, err)
		}
	}
	for _, f := range p.Factors() {
		if len(p.missing(f, Every)) > 0 {
			return invalid("profile: factor %s: want a rule for each class", f)
		}
	}
	return nil
}

// missing returns the classes, of those that of stands for, that have no rule.
func (p *Profile) missing(f Factor, of Class) (list []Class) {
	for _, c := range []Class{Unknown, Familiar, Trusted} {
		if of != Every && of != c {
			continue
		}
		if _, policy := p.Counter(Key{Factor: f, Class: c}); policy == nil {
			list = append(list, c)
		}
	}
	return list
}

// ParseProfile reads a profile from JSON and validates it.
func ParseProfile(data []byte) (Profile, error) {
	var p Profile
	if len(data) > maxProfileBytes {
		return Profile{}, invalid("profile: %d bytes of JSON, want at most %d", len(data), maxProfileBytes)
	}
	if err := strictjson.Decode(data, &p); errors.Is(err, opsec.ErrInvalid) { // of one of its policies
		return Profile{}, err
	} else if err != nil {
		return Profile{}, invalid("profile: %v", err)
	}
	if err := p.Validate(); err != nil {
		return Profile{}, err
	}
	return p, nil
}

func (c Class) valid() bool { return c == Unknown || c == Familiar || c == Trusted }

// text reports whether s is UTF-8 of at most most bytes.
func text(s string, most int) bool { return len(s) <= most && utf8.ValidString(s) }
