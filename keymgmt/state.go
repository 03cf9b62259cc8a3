package keymgmt

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
	External                              // the material is with a third party; this side only asks it
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
	Derive
	Export
)
