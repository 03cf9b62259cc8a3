package sla

import (
	"errors"
	"fmt"

	"github.com/cloudopsec/opsec"
)

// Rule names what a [Fault] breaks.
type Rule string

// The rules.
const (
	RuleMissing       Rule = "missing"       // X.1642 asks for it, and it is not there
	RuleUnmeasurable  Rule = "unmeasurable"  // nobody could tell whether it was kept
	RuleInvalid       Rule = "invalid"       // it is not what the field may hold
	RuleUnknown       Rule = "unknown"       // it names what the agreement does not have
	RuleDuplicate     Rule = "duplicate"     // it is there twice
	RuleContradiction Rule = "contradiction" // it cannot be kept together with something else
	RuleResponsible   Rule = "responsible"   // of the matrix: see package responsibility
	RuleBelow         Rule = "below"         // it falls short of a [Minimum]
	RuleProfile       Rule = "profile"       // a profile of minimums that is named is not at hand
)

// Fault is one thing that is wrong with an agreement. It wraps [opsec.ErrInvalid].
type Fault struct {
	Path    string `json:"path"` // such as "clause.data.encryption[0].algorithm"
	Rule    Rule   `json:"rule"`
	Text    string `json:"text"`
	Minimum string `json:"minimum,omitempty"` // id of the one that it falls below
	Err     error  `json:"-"`                 // of the package that looked at it, if one did
}

func (f *Fault) Error() string { return fmt.Sprintf("sla: %s: %s", f.Path, f.Text) }

// Unwrap returns [opsec.ErrInvalid], and Err if there is one.
func (f *Fault) Unwrap() []error {
	if f.Err == nil {
		return []error{opsec.ErrInvalid}
	}
	return []error{opsec.ErrInvalid, f.Err}
}

// Faults returns what [Agreement.Validate] or [Agreement.Check] has joined, in its order.
func Faults(err error) []*Fault {
	switch e := err.(type) {
	case nil:
		return nil
	case *Fault:
		return []*Fault{e}
	case interface{ Unwrap() []error }:
		var all []*Fault
		for _, one := range e.Unwrap() {
			all = append(all, Faults(one)...)
		}
		return all
	}
	return Faults(errors.Unwrap(err))
}
