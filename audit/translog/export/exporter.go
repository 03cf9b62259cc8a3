package export

import (
	"cmp"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cloudopsec/opsec"
	"golang.org/x/mod/sumdb/tlog"
)

// MaxLine is the longest line that is written or read, in bytes, without its line end. Every record that a log can
// hold fits.
const MaxLine = 2 << 20

// maxLeaf is the longest entry of C2SP tlog-tiles.
const maxLeaf = 1<<16 - 1

// Record is one entry of a log, with all that proves it but the inclusion proof.
type Record struct {
	Event    *opsec.Event `json:"event"`     // as Leaf and Evidence prove it: what they do not show is redacted in it
	Index    uint64       `json:"index"`     // its place in the log, from 0
	LeafHash tlog.Hash    `json:"leaf_hash"` // [tlog.RecordHash] of Leaf
	Leaf     []byte       `json:"leaf"`      // the entry of the log, 1 to 65,535 bytes
	Evidence []byte       `json:"evidence"`  // opens the commitments of Leaf
	Size     uint64       `json:"size"`      // of a checkpoint that covers the entry: more than Index
	Root     tlog.Hash    `json:"root"`      // of that checkpoint
}

// Form is a way to write a record.
type Form string

// The forms of a line.
const (
	JSON   Form = "json"   // the event as [opsec.Event.AppendJSON] writes it, beside the proof
	OCSF   Form = "ocsf"   // OCSF 1.8.0, event and proof in "unmapped"
	Syslog Form = "syslog" // RFC 5424: the proof in the structured data, a line of form JSON or OCSF for its message
)

// Policy says how records are written. A line is verified with the policy that it was written with. The zero Policy
// lacks only the Origin.
type Policy struct {
	Origin  string  `json:"origin"`            // of the log, as in its checkpoints: 1 to 255 bytes of printable UTF-8
	Mapping Mapping `json:"mapping,omitempty"` // asked before [DefaultMapping], for OCSF and for severities

	Message    Form   `json:"message,omitempty"`    // of a syslog message: JSON, which empty means, or OCSF
	Facility   int    `json:"facility,omitempty"`   // syslog facility (RFC 5424, table 1), 1 to 23; 0 means 13, log audit
	Host       string `json:"host,omitempty"`       // syslog HOSTNAME, printable ASCII, 255 bytes; empty means unknown, "-"
	App        string `json:"app,omitempty"`        // syslog APP-NAME, printable ASCII, 48 bytes; empty means "opsec"
	Enterprise uint32 `json:"enterprise,omitempty"` // your IANA enterprise number, for the SD-ID; 0 means RFC 5612's example, 32473
}

// Exporter writes records by one [Policy], and verifies lines that come back. Many goroutines may use it.
type Exporter struct {
	policy  Policy
	mapping Mapping // the policy's, then the default
}

// New returns an Exporter, or an error wrapping [opsec.ErrInvalid] that names the field of p that breaks its rule.
func New(p Policy) (*Exporter, error) {
	p.Message, p.Facility = cmp.Or(p.Message, JSON), cmp.Or(p.Facility, 13)
	p.Host, p.App, p.Enterprise = cmp.Or(p.Host, "-"), cmp.Or(p.App, "opsec"), cmp.Or(p.Enterprise, 32473)
	switch {
	case len(p.Origin) == 0 || len(p.Origin) > 255 || !printable(p.Origin):
		return nil, invalid("policy: origin of %d bytes: want 1 to 255 of printable UTF-8", len(p.Origin))
	case p.Message != JSON && p.Message != OCSF:
		return nil, invalid("policy: message: want json or ocsf")
	case p.Facility < 1 || p.Facility > 23:
		return nil, invalid("policy: facility %d: want 1 to 23", p.Facility)
	case !printASCII(p.Host, 255):
		return nil, invalid("policy: host of %d bytes: want at most 255 of printable ASCII without spaces", len(p.Host))
	case !printASCII(p.App, 48):
		return nil, invalid("policy: app of %d bytes: want at most 48 of printable ASCII without spaces", len(p.App))
	}
	if err := p.Mapping.Validate(); err != nil {
		return nil, err
	}
	return &Exporter{policy: p, mapping: append(append(Mapping(nil), p.Mapping...), DefaultMapping()...)}, nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("export: %s: %w", fmt.Sprintf(format, args...), opsec.ErrInvalid)
}

// printable reports whether s is UTF-8 that appendString writes as it is.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r < 0x20 || 0x7f <= r && r <= 0x9f || r == '\u2028' || r == '\u2029'
	})
}

// printASCII reports whether s is PRINTUSASCII of RFC 5424, 1 to n bytes.
func printASCII(s string, n int) bool {
	return s != "" && len(s) <= n && !strings.ContainsFunc(s, func(r rune) bool { return r < 33 || r > 126 })
}

// Append appends the record in the given form, without a line end. An error wraps [opsec.ErrInvalid], and b comes back
// as it was: the form is unknown, the record lacks something, or the line would be longer than [MaxLine]. Many
// records in one file are a line each; a [Sender] takes the syslog form as it is.
func (x *Exporter) Append(b []byte, form Form, r *Record) ([]byte, error) {
	if err := r.validate(); err != nil {
		return b, err
	}
	line := b
	switch form {
	case JSON:
		line = x.appendJSON(line, r)
	case OCSF:
		line = x.appendOCSF(line, r)
	case Syslog:
		line = x.appendSyslog(line, r, x.policy.Message)
	default:
		return b, invalid("form %q: want json, ocsf or syslog", form)
	}
	if len(line)-len(b) > MaxLine {
		return b, invalid("line of %d bytes: want at most %d", len(line)-len(b), MaxLine)
	}
	return line, nil
}

func (r *Record) validate() error {
	switch {
	case r.Event == nil:
		return invalid("record: no event")
	case len(r.Leaf) == 0 || len(r.Leaf) > maxLeaf:
		return invalid("record: leaf of %d bytes: want 1 to %d", len(r.Leaf), maxLeaf)
	case r.Index >= r.Size || r.Size > math.MaxInt64:
		return invalid("record: index %d: want one below the checkpoint's size, %d", r.Index, r.Size)
	case !fourDigitYear(r.Event.Time) || !fourDigitYear(r.Event.Began):
		return invalid("record: event.time, event.began: want years from 1 to 9999")
	}
	return nil
}

func fourDigitYear(t time.Time) bool { y := t.UTC().Year(); return 1 <= y && y <= 9999 }

// appendJSON writes the form JSON: the members of the proof, and the event.
func (x *Exporter) appendJSON(b []byte, r *Record) []byte {
	return append(x.appendProof(append(b, '{'), r), '}')
}

// appendProof writes what the forms JSON and OCSF have in common.
func (x *Exporter) appendProof(b []byte, r *Record) []byte {
	b = appendField(b, "origin", x.policy.Origin)
	b = appendUint(b, "index", r.Index)
	b = appendBase64(b, "leaf_hash", r.LeafHash[:])
	b = appendUint(b, "size", r.Size)
	b = appendBase64(b, "root", r.Root[:])
	b = appendBase64(b, "leaf", r.Leaf)
	b = appendBase64(b, "evidence", r.Evidence)
	return r.Event.AppendJSON(appendKey(b, "event"))
}
