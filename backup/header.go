package backup

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/digest"
	"github.com/cloudopsec/opsec/backup/trust"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// The types by which tools that know in-toto recognise a manifest's header.
const (
	PayloadType   = "application/vnd.in-toto+json"
	StatementType = "https://in-toto.io/Statement/v1"
	PredicateType = "https://github.com/cloudopsec/opsec/backup-manifest/v1"
)

// Header is what an operator signs: small, whatever the size of the backup, and binding all of it. In the manifest it
// is the predicate of an in-toto Statement whose subject is the manifest's body.
type Header struct {
	Tenant opsec.TenantID `json:"tenant"` // whose data
	Source string         `json:"source"` // what was backed up: a volume, a directory, a database
	// Sequence rises with every manifest of a source. For 0 Build takes the next after BuildOptions.Previous, or
	// without that the Unix time of Created in milliseconds.
	Sequence uint64 `json:"sequence"`
	// Previous is the Manifest.ID of the one before; zero for none, and then an omission goes unnoticed.
	Previous        Digest    `json:"previous,omitzero"`
	Created         time.Time `json:"created"`                   // by the builder's clock: a claim
	Operator        string    `json:"operator,omitempty"`        // who answers for it: a claim until a signature proves it
	Tool            string    `json:"tool,omitempty"`            // name and version of the program that built it
	EncryptionKeyID string    `json:"encryptionKeyId,omitempty"` // the key that the copy is encrypted under
	ChainParents    []Digest  `json:"chainParents,omitempty"`    // Manifest.ID of each backup that this one needs to be restored

	Digests    []string `json:"digests"`             // "blake3", perhaps "sha256"
	GroupSize  int64    `json:"groupSize,omitempty"` // bytes of a chunk group (64 KiB), when the body holds chunk lines
	MerkleRoot Digest   `json:"merkleRoot"`          // RFC 9162 tree hash (SHA-256) over the entries' lines
	Body       Body     `json:"-"`                   // digests of the body; they stand in the Statement's subject
	Counts     Counts   `json:"counts"`              // what the body holds
}

// Body identifies a manifest's body by both digests, since tools that verify in-toto Statements know no BLAKE3.
type Body struct {
	BLAKE3 Digest `json:"blake3"`
	SHA256 Digest `json:"sha256"`
}

// Counts says how much a manifest's body holds.
type Counts struct {
	Entries     int64 `json:"entries"`
	Files       int64 `json:"files"` // File and Sparse
	Directories int64 `json:"directories"`
	Links       int64 `json:"links"`
	Specials    int64 `json:"specials"`
	Bytes       int64 `json:"bytes"` // of all files' contents
}

// add counts one entry; it reports false when the sum of sizes does not fit.
func (c *Counts) add(e *Entry) bool {
	c.Entries++
	switch e.Kind {
	case Directory:
		c.Directories++
	case Link:
		c.Links++
	case Special:
		c.Specials++
	default:
		c.Files++
		c.Bytes += e.Sums.Size
	}
	return c.Bytes >= 0 && c.Entries <= MaxEntries
}

// statement is the in-toto Statement, version 1.
type statement struct {
	Type          string    `json:"_type"`
	Subject       []subject `json:"subject"`
	PredicateType string    `json:"predicateType"`
	Predicate     Header    `json:"predicate"`
}

type subject struct {
	Name   string `json:"name"`
	Digest Body   `json:"digest"`
}

// validate checks what a builder sets, and what the body does not show.
func (h *Header) validate() error {
	if err := h.Tenant.Validate(); err != nil {
		return err
	}
	for name, text := range map[string]string{"operator": h.Operator, "tool": h.Tool, "encryptionKeyId": h.EncryptionKeyID} {
		if len(text) > 1024 || Quote(text) != text {
			return invalid("header: %s: want at most 1024 bytes of printable UTF-8 without backslash", name)
		}
	}
	plain := strings.ReplaceAll(h.Source, `\`, "") // a source may be a quoted path
	switch {
	case h.Source == "" || len(h.Source) > 4*MaxPathLen || Quote(plain) != plain:
		return invalid("header: source of %d bytes: want 1 to %d of printable UTF-8; see Quote", len(h.Source), 4*MaxPathLen)
	case h.Sequence == 0:
		return invalid("header: sequence is 0: want a number that rises from 1")
	case h.Created.IsZero() || h.Created.UTC().Year() < 1970 || h.Created.UTC().Year() > 9999:
		return invalid("header: created: want a year from 1970 to 9999")
	case h.GroupSize != 0 && h.GroupSize != digest.GroupSize:
		return invalid("header: chunk groups of %d bytes: want %d", h.GroupSize, int64(digest.GroupSize))
	case len(h.ChainParents) > 1024:
		return invalid("header: %d chain parents: want at most 1024", len(h.ChainParents))
	}
	return nil
}

// payload encodes the header as the Statement that gets signed.
func (h *Header) payload() ([]byte, error) {
	predicate := *h
	predicate.Created = h.Created.UTC()
	return encodeJSON(statement{StatementType, []subject{{h.Source, h.Body}}, PredicateType, predicate})
}

// parseHeader reads what payload writes, and nothing else.
func parseHeader(payload []byte) (*Header, error) {
	var s statement
	if err := strictjson.Decode(payload, &s); err != nil {
		return nil, invalid("header: %v", err)
	}
	if s.Type != StatementType || s.PredicateType != PredicateType || len(s.Subject) != 1 {
		return nil, invalid("header: statement of type %.80q about %.80q with %d subjects", s.Type, s.PredicateType, len(s.Subject))
	}
	h := &s.Predicate
	h.Body = s.Subject[0].Digest
	if err := h.validate(); err != nil {
		return nil, err
	}
	if d := strings.Join(h.Digests, ","); d != "blake3" && d != "blake3,sha256" {
		return nil, invalid("header: digests %.40q: want blake3, or blake3 and sha256", d)
	}
	again, err := h.payload()
	if err != nil || !bytes.Equal(again, payload) {
		return nil, invalid("header: not in the one form that a header has")
	}
	return h, nil
}

// head is the first line of the body.
func (h *Header) head() string {
	line := magic + "blake3"
	if h.sha256() {
		line += ",sha256"
	}
	if h.GroupSize != 0 {
		line += " groups=" + strconv.FormatInt(h.GroupSize, 10)
	}
	return line + "\n"
}

func (h *Header) sha256() bool { return len(h.Digests) == 2 }

// parseEnvelope reads the line that encodeJSON writes of an envelope, and nothing else.
func parseEnvelope(line []byte) (*dsse.Envelope, *Header, error) {
	env := new(dsse.Envelope)
	if err := strictjson.Decode(line, env); err != nil {
		return nil, nil, invalid("envelope: %v", err)
	}
	if env.PayloadType != PayloadType || env.Signatures == nil || len(env.Signatures) > trust.MaxSignatures {
		return nil, nil, invalid("envelope: payload of type %.80q, %d signatures of at most %d", env.PayloadType, len(env.Signatures), trust.MaxSignatures)
	}
	for i, s := range env.Signatures {
		if _, err := trust.DecodeBase64(s.Sig); err != nil {
			return nil, nil, invalid("envelope: signature %d: not base64", i)
		}
	}
	again, err := encodeJSON(env)
	if err != nil || !bytes.Equal(again, line) {
		return nil, nil, invalid("envelope: not in the one form that an envelope has")
	}
	payload, err := trust.DecodeBase64(env.Payload)
	if err != nil {
		return nil, nil, invalid("envelope: payload: not base64")
	}
	h, err := parseHeader(payload)
	return env, h, err
}

// encodeJSON is json.Marshal without the escaping that HTML needs.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
