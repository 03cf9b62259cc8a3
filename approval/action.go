package approval

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"github.com/cloudopsec/opsec"
)

// Digest is "sha256:" and 64 lower-case hexadecimal digits.
type Digest string

const digestPrefix = "sha256:"

// digestOf hashes a list of texts, the first of which says what for.
func digestOf(parts ...string) Digest {
	sum := sha256.Sum256(framed(parts...))
	return Digest(digestPrefix + hex.EncodeToString(sum[:]))
}

// framed joins texts so that no two lists give the same bytes: each behind its length, eight bytes, big-endian.
func framed(parts ...string) (b []byte) {
	for _, p := range parts {
		b = binary.BigEndian.AppendUint64(b, uint64(len(p)))
		b = append(b, p...)
	}
	return b
}

func (d Digest) valid() bool {
	digits, ok := strings.CutPrefix(string(d), digestPrefix)
	_, err := hex.DecodeString(digits)
	return ok && len(digits) == 2*sha256.Size && err == nil && digits == strings.ToLower(digits)
}

// Action is one exact thing to do. Two actions are the same, by ==, if and only if name, resource and every byte of
// every parameter are. The parameters themselves are not kept: show them to approvers from where you keep them, and
// compare. What can be guessed can be guessed from a digest too: add a random parameter where that matters.
type Action struct {
	Name     string         `json:"name"`     // a constant of the room that does it, such as "keymgmt.destroy"
	Resource opsec.Resource `json:"resource"` // on what; its tenant is the owner
	Params   Digest         `json:"params"`   // of all else that decides the effect
}

// NewAction returns the [Action] with these parameters, each a piece of bytes that must come out alike whenever the
// same is meant, such as the JSON of a struct.
func NewAction(name string, on opsec.Resource, params ...[]byte) Action {
	parts := make([]string, 1, 1+len(params))
	parts[0] = "opsec/approval/params/v1"
	for _, p := range params {
		parts = append(parts, string(p))
	}
	return Action{Name: name, Resource: on, Params: digestOf(parts...)}
}

// Digest returns what names the action in logs, and on the telephone.
func (a Action) Digest() Digest {
	r := a.Resource
	return digestOf("opsec/approval/action/v1", a.Name, string(r.Tenant), r.Type, r.ID, string(a.Params))
}

func (a Action) validate() error {
	if err := a.Resource.Tenant.Validate(); err != nil {
		return invalid("action.resource: %v", err)
	}
	if a.Name == "" || !text(a.Name, maxName) || a.Resource.Type == "" || !text(a.Resource.Type, maxName) || !text(a.Resource.ID, maxText) {
		return invalid("action: want a name and a resource's type of 1 to %d bytes, an id of up to %d", maxName, maxText)
	}
	if !a.Params.valid() {
		return invalid("action.params: want a digest, as NewAction makes it")
	}
	return nil
}

const maxText = 512 // bytes, of an id or a name of anything

// text reports whether s is UTF-8 of at most most bytes.
func text(s string, most int) bool { return len(s) <= most && utf8.ValidString(s) }
