package export

import (
	"errors"
	"fmt"

	"github.com/cloudopsec/opsec"
	"golang.org/x/mod/sumdb/tlog"
)

// MaxLine is the longest line that is written or read, in bytes, without its line end. The longest record that a log
// can hold stays below it.
const MaxLine = 2 << 20

// Record is one entry of a log, with all that proves it but the inclusion proof.
type Record struct {
	Event    *opsec.Event // the event as Leaf and Evidence prove it, redacted values included
	Index    uint64       // its place in the log, from 0
	LeafHash tlog.Hash    // of Leaf: [tlog.RecordHash]
	Leaf     []byte       // the entry of the log
	Evidence []byte       // opens the commitments of Leaf
	Size     uint64       // of the checkpoint that covers the entry: more than Index
	Root     tlog.Hash    // of that checkpoint
}

// Form is a way to write a record.
type Form string

// The forms of a line.
const (
	JSON   Form = "json"   // the event as [opsec.Event.AppendJSON] writes it, beside its proof
	OCSF   Form = "ocsf"   // OCSF 1.8.0, the proof in "unmapped"
	Syslog Form = "syslog" // RFC 5424, the proof in the structured data, and a line of form JSON or OCSF for its message
)

// Policy says how records are written, and so how a line is read back: a verifier needs the policy of the exporter.
type Policy struct {
	Origin  string  `json:"origin"`            // of the log, as its checkpoints have it; on every line
	Mapping Mapping `json:"mapping,omitempty"` // asked before [DefaultMapping]
	// The rest is about syslog.
	Message    Form   `json:"message,omitempty"`    // form of the message: JSON (default) or OCSF
	Facility   int    `json:"facility,omitempty"`   // RFC 5424, table 1: 1 to 23; 0 is 13, log audit
	Host       string `json:"host,omitempty"`       // HOSTNAME: of this machine; empty is "-". Not verified
	App        string `json:"app,omitempty"`        // APP-NAME; empty is "opsec"
	Enterprise uint32 `json:"enterprise,omitempty"` // your IANA enterprise number; 0 is 32473, RFC 5612's for examples
}

// ErrAltered says that a line is not what its leaf and evidence prove; see [AlteredError].
var ErrAltered = errors.New("altered")

// AlteredError names what was found altered. It wraps [ErrAltered].
type AlteredError struct {
	Field string // "event.actor.account", "syslog.timestamp"
}

// Error names the field; its value may be personal, and is left out.
func (e *AlteredError) Error() string {
	return fmt.Sprintf("export: %s is not what the evidence proves: %v", e.Field, ErrAltered)
}

// Unwrap returns [ErrAltered].
func (e *AlteredError) Unwrap() error { return ErrAltered }

// Exporter writes records by one [Policy], and verifies what comes back. Many goroutines may use it.
type Exporter struct {
	policy Policy
}

// New returns an Exporter, or an error wrapping [opsec.ErrInvalid] that names the field of p that breaks its rule.
func New(p Policy) (*Exporter, error) {
	return &Exporter{policy: p}, nil
}

// Append appends the record in the given form, without a line end. An error wraps [opsec.ErrInvalid] and leaves b as
// it was: the form is unknown, the record lacks something, or the line would be longer than [MaxLine].
func (x *Exporter) Append(b []byte, form Form, r *Record) ([]byte, error) {
	return b, nil
}
