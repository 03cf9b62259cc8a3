package independence

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
)

// Clearance is what came of looking at candidates. As JSON it is at most some 64 conflicts a candidate long, however many
// acts there were; it is [Clearance.Digest] that the assignment of an auditor refers to.
type Clearance struct {
	Scope        string       `json:"scope"`                 // digest of the scope
	Policy       string       `json:"policy"`                // digest of the policy
	From         time.Time    `json:"from"`                  // the look-back begins, and includes this instant
	To           time.Time    `json:"to"`                    // when the clearance was made; what is dated later counted too
	Read         uint64       `json:"read"`                  // acts that there were
	Touched      uint64       `json:"touched"`               // those that touch the scope, within the look-back
	Machine      uint64       `json:"machine,omitempty"`     // of these, by services and the control plane itself
	Customers    uint64       `json:"customers,omitempty"`   // of these, by customers' own accounts
	Unattributed Unattributed `json:"unattributed,omitzero"` // of these, by nobody that could be found
	Standings    []Standing   `json:"standings"`             // of the candidates, in bytewise order
}

// Unattributed is what could not be laid to anybody, so that it may have been anybody.
type Unattributed struct {
	Acts     uint64   `json:"acts"`
	Accounts []string `json:"accounts,omitempty"` // "tenant/account": the first 16 in bytewise order
	Refs     []string `json:"refs,omitempty"`     // of the earliest 8
	Skipped  bool     `json:"skipped,omitempty"`  // the policy lets it pass
}

// IsZero reports whether there is nothing.
func (u Unattributed) IsZero() bool { return u.Acts == 0 }

// Standing is what stands against one candidate: nothing, when there are no conflicts.
type Standing struct {
	Person    string     `json:"person"`
	Conflicts []Conflict `json:"conflicts,omitempty"` // at most 64: the person's own first, then by those in line
	More      int        `json:"more,omitempty"`      // how many there are beyond
}

// Kind is what a conflict comes from.
type Kind string

// The kinds (8.11.1: fairness).
const (
	Operated Kind = "operated" // did something within the scope, or had it done in their name
	Approved Kind = "approved" // approved something within the scope
	Owned    Kind = "owned"    // answers for something within the scope, or did
	InLine   Kind = "line"     // is above or below somebody of whom one of these is true
)

// Conflict is one reason why somebody may not audit. Action, System and Resource are those of the earliest act; of an
// ownership they are its patterns, and First and Last its beginning and end: zero is always, and still.
type Conflict struct {
	Kind     Kind           `json:"kind"`
	With     string         `json:"with,omitempty"` // in line: who
	Of       Kind           `json:"of,omitempty"`   // in line: what is true of that person
	Action   string         `json:"action,omitempty"`
	System   string         `json:"system,omitempty"`
	Resource opsec.Resource `json:"resource,omitzero"`
	First    time.Time      `json:"first,omitzero"`
	Last     time.Time      `json:"last,omitzero"`
	Count    uint64         `json:"count"`          // of acts that were read; one that was read twice is two
	Refs     []string       `json:"refs,omitempty"` // evidence: of the earliest 8
}

// String tells of the conflict in a line, for people to read.
func (c Conflict) String() string {
	var b strings.Builder
	kind := c.Kind
	if kind == InLine {
		fmt.Fprintf(&b, "in line with %s, who ", c.With)
		kind = c.Of
	}
	fmt.Fprintf(&b, "%s", kind)
	for _, s := range []string{c.Action, c.System} {
		if s != "" {
			b.WriteString(" " + s)
		}
	}
	if c.Resource != (opsec.Resource{}) {
		b.WriteString(" " + c.Resource.String())
	}
	if !c.First.IsZero() {
		b.WriteString(" on " + c.First.Format(time.DateOnly))
	}
	if c.Count > 1 {
		fmt.Fprintf(&b, " and %d more", c.Count-1)
	}
	return b.String()
}

// Cleared returns nil when nothing stands against the person. The error is a [*ConflictError], or an
// [*UnattributedError]; it wraps [opsec.ErrNotFound] for somebody who was no candidate.
func (c Clearance) Cleared(person string) error {
	i := slices.IndexFunc(c.Standings, func(s Standing) bool { return s.Person == person })
	switch {
	case i < 0:
		return fmt.Errorf("independence: %q was not looked at: %w", person, opsec.ErrNotFound)
	case len(c.Standings[i].Conflicts) > 0:
		return &ConflictError{c.Standings[i]}
	case c.Unattributed.Acts > 0 && !c.Unattributed.Skipped:
		return &UnattributedError{c.Unattributed}
	}
	return nil
}

// Digest returns "sha256:" and 64 digits of hexadecimal. A clearance that has been through JSON has the same.
func (c Clearance) Digest() string {
	b, err := json.Marshal(c)
	if err != nil { // a year beyond 9999
		return digestOf(framed("opsec/independence/clearance/v1", "", err.Error()))
	}
	return digestOf(framed("opsec/independence/clearance/v1", string(b)))
}

// ConflictError says why somebody may not audit. It wraps [opsec.ErrDenied].
type ConflictError struct{ Standing }

// Error names the person and the first conflict.
func (e *ConflictError) Error() string {
	text := fmt.Sprintf("independence: %q", e.Person)
	if len(e.Conflicts) > 0 {
		text += ": " + e.Conflicts[0].String()
	}
	if more := len(e.Conflicts) + e.More - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return fmt.Sprintf("%s: %v", text, opsec.ErrDenied)
}

// Unwrap returns [opsec.ErrDenied].
func (e *ConflictError) Unwrap() error { return opsec.ErrDenied }

// UnattributedError says that acts could not be laid to anybody. It wraps [opsec.ErrDenied].
type UnattributedError struct{ Unattributed }

// Error names how many, and whose accounts.
func (e *UnattributedError) Error() string {
	return fmt.Sprintf("independence: %d acts within the scope by nobody that could be found (%q): %v",
		e.Acts, e.Accounts, opsec.ErrDenied)
}

// Unwrap returns [opsec.ErrDenied].
func (e *UnattributedError) Unwrap() error { return opsec.ErrDenied }
