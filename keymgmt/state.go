package keymgmt

import (
	"fmt"
	"slices"

	"github.com/cloudopsec/opsec"
)

// State is where a key stands in its life. The zero State is that of a key that does not exist.
type State uint8

// The states of NIST SP 800-57 part 1, section 7, and those that operating keys adds to them.
const (
	PreActivation        State = iota + 1 // made, not yet to be used
	Active                                // protects and processes, within its periods
	Suspended                             // neither, for a while
	Deactivated                           // processes only
	Compromised                           // processes only, and only where the policy says so
	Destroyed                             // the material is gone; what was known about it stays
	DestroyedCompromised                  // the same, of a key that was compromised
	Importing                             // the material has not come yet
	DestroyScheduled                      // does nothing, and can still be brought back
	DestroyFailed                         // a copy may be left: destruction is to be tried again
	External                              // active, but the material is with a third party; this side only asks it

	states = iota + 1 // how many, the zero State included
)

// Op is what one wants to do with a key.
type Op uint8

// The operations. The first of each pair protects (the originator's usage), the second processes (the recipient's).
const (
	Protect Op = iota + 1 // encrypt
	Process               // decrypt
	Wrap
	Unwrap
	Sign // also compute a MAC
	Verify
	Derive // counts as protecting
	Export // of the material

	operations = iota + 1
)

// opSet has a bit for each [Op].
type opSet uint16

func setOf(list ...Op) (s opSet) {
	for _, o := range list {
		s |= 1 << o
	}
	return s
}

func (s opSet) has(o Op) bool { return s>>o&1 == 1 }

const (
	protecting opSet = 1<<Protect | 1<<Wrap | 1<<Sign | 1<<Derive
	processing opSet = 1<<Process | 1<<Unwrap | 1<<Verify
)

// allowed is the table: what can be done with a key of each state. What it leaves out cannot be done by any policy.
var allowed = [states]opSet{
	Active:      protecting | processing | 1<<Export,
	External:    protecting | processing,
	Deactivated: processing | 1<<Export,
	Compromised: processing,
}

// Allows reports whether a key of state s can be used for o at all. For [Compromised] the policy has the last word, and
// periods, limits and roles have theirs: see [Permit].
func (s State) Allows(o Op) bool { return s < states && o < operations && allowed[s].has(o) }

// Protects reports whether o is the originator's usage: encrypting, wrapping, signing, deriving.
func (o Op) Protects() bool { return protecting.has(o) }

// Final reports whether a key of state s can never be used again.
func (s State) Final() bool { return s == Destroyed || s == DestroyedCompromised }

var stateNames = [states]string{
	PreActivation: "pre-activation", Active: "active", Suspended: "suspended", Deactivated: "deactivated",
	Compromised: "compromised", Destroyed: "destroyed", DestroyedCompromised: "destroyed-compromised",
	Importing: "importing", DestroyScheduled: "destroy-scheduled", DestroyFailed: "destroy-failed", External: "external",
}

var opNames = [operations]string{
	Protect: "protect", Process: "process", Wrap: "wrap", Unwrap: "unwrap", Sign: "sign", Verify: "verify",
	Derive: "derive", Export: "export",
}

// String returns the state in lower-case words, such as "pre-activation"; "none" for the zero State.
func (s State) String() string {
	if s == 0 {
		return "none"
	}
	return name(s, stateNames[:], "State")
}

// String returns the operation in a lower-case word, such as "protect".
func (o Op) String() string { return name(o, opNames[:], "Op") }

// MarshalText implements [encoding.TextMarshaler]. The zero State is the empty text.
func (s State) MarshalText() ([]byte, error) { return marshalName(s, stateNames[:], "state") }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *State) UnmarshalText(text []byte) error {
	return unmarshalName(s, text, stateNames[:], "state")
}

// MarshalText implements [encoding.TextMarshaler]. The zero Op is the empty text.
func (o Op) MarshalText() ([]byte, error) { return marshalName(o, opNames[:], "operation") }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (o *Op) UnmarshalText(text []byte) error { return unmarshalName(o, text, opNames[:], "operation") }

func name[T ~uint8](v T, names []string, kind string) string {
	if int(v) < len(names) && v != 0 {
		return names[v]
	}
	return fmt.Sprintf("%s(%d)", kind, v)
}

func marshalName[T ~uint8](v T, names []string, kind string) ([]byte, error) {
	if int(v) >= len(names) {
		return nil, invalid("%s: %d is none", kind, v)
	}
	return []byte(names[v]), nil
}

func unmarshalName[T ~uint8](v *T, text []byte, names []string, kind string) error {
	i := slices.Index(names, string(text))
	if i < 0 {
		return invalid("%s: %d bytes that name none", kind, len(text))
	}
	*v = T(i)
	return nil
}

// StateError says that the state of a key lets nobody do this. It wraps [opsec.ErrDenied], and [ErrDestroyed] for a state
// that is final.
type StateError struct {
	Ref   Ref
	State State
	Op    Op   // what was to be done with the key,
	Verb  Verb // or to it
}

func (e *StateError) Error() string {
	what := string(e.Verb)
	if e.Op != 0 {
		what = e.Op.String()
	}
	return fmt.Sprintf("keymgmt: key %s is %s: no %s: %v", e.Ref, e.State, what, opsec.ErrDenied)
}

func (e *StateError) Unwrap() []error {
	if e.State.Final() {
		return []error{opsec.ErrDenied, ErrDestroyed}
	}
	return []error{opsec.ErrDenied}
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("keymgmt: "+format+": %w", append(args, opsec.ErrInvalid)...)
}
