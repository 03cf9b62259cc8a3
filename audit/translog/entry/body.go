package entry

import (
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
)

// TermKind says what a [Term] stands for.
type TermKind byte

// The kinds of terms.
const (
	TermActor    TermKind = 1
	TermOnBehalf TermKind = 2
	TermAbout    TermKind = 3
	TermResource TermKind = 4
	TermIntent   TermKind = 5
)

// Term is what an event can be found by.
type Term struct {
	Kind TermKind
	Tag  [16]byte
}

// ResourceTerm returns the term of events on a resource, under the key of the tenant whose record they are.
func ResourceTerm(tenant Key, r opsec.Resource) Term { panic("TODO") }

// IntentTerm returns the term of the event that ends an intent.
func IntentTerm(tenant Key, intent opsec.ID) Term { panic("TODO") }

// Body is the sidecar of a leaf.
type Body struct{}

// ParseBody reads a body.
func ParseBody(body []byte) (Body, error) { panic("TODO") }

// Verify reports whether the body is the one that a leaf names.
func (b Body) Verify(want tlog.Hash) error { panic("TODO") }

// Terms returns what the event can be found by.
func (b Body) Terms() []Term { panic("TODO") }
