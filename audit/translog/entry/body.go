package entry

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
)

// MaxBody is how long a body may be, in bytes.
const MaxBody = 1 << 20

// ErrMismatch says that a body, a value or evidence is not what the leaf commits to.
var ErrMismatch = errors.New("entry: not what the leaf commits to")

// The first bytes of what is hashed keep one kind of hash from passing for another, and for those of RFC 6962.
const (
	hashDisclosure byte = 0xd1
	hashCommitment byte = 0xc1
	skeletonV1     byte = 0xb1
)

const (
	saltLen     = 16
	flagBehalf  = 1 // the event has an OnBehalfOf
	maxGroups   = 3 + opsec.MaxAttrs
	maxFields   = 8 + opsec.MaxAttrs
	maxOwnTerms = 2
)

// TermKind says what a [Term] stands for.
type TermKind byte

// The kinds of terms.
const (
	TermActor    TermKind = 1 // the actor; the tag is the handle
	TermOnBehalf TermKind = 2 // whom the actor acts for; the tag is the handle
	TermAbout    TermKind = 3 // another subject of an attribute; the tag is the handle
	TermResource TermKind = 4 // the resource: see ResourceTerm
	TermIntent   TermKind = 5 // the intent that the event is the end of: see IntentTerm
)

// Term is what an event can be found by without anything of it being in clear. Terms of subjects are their handles, of
// [Keys]; the others are digests under the key of the tenant whose record it is.
type Term struct {
	Kind TermKind
	Tag  [16]byte
}

// ResourceTerm returns the term of the events on a resource, under the key of the tenant whose records they are.
func ResourceTerm(tenant Key, r opsec.Resource) Term {
	return termUnder(tenant, TermResource, appendResource(nil, r))
}

// IntentTerm returns the term of the event that ends an intent, under the key of the tenant whose records they are.
func IntentTerm(tenant Key, intent opsec.ID) Term {
	return termUnder(tenant, TermIntent, []byte(intent))
}

func termUnder(key Key, kind TermKind, value []byte) Term {
	return Term{kind, key.Term(byte(kind), value)}
}

func appendResource(b []byte, r opsec.Resource) []byte {
	return appendList(b, string(r.Tenant), r.Type, r.ID)
}

// Body is what a log keeps beside a leaf: the skeleton, which says what fields the event has, whose they are and what
// they are committed to; and the values, sealed, one blob for each subject.
type Body struct {
	skeleton []byte
	behalf   bool
	terms    []Term
	groups   []group
}

// group is what one subject's fields come to.
type group struct {
	kind       Group
	handle     Handle
	commitment [32]byte // SHA-256 over the digests of the fields
	size       int      // of the blob; 0 when values are not kept
	sum        [32]byte // SHA-256 of the blob
	slots      []slot
	blob       []byte
}

// ParseBody reads a body, which it does not copy. It accepts only what [Scribe.Draft] can have written, and nothing
// longer than [MaxBody]; anything else is an error wrapping [opsec.ErrInvalid].
func ParseBody(body []byte) (Body, error) {
	var b Body
	if err := b.Parse(body); err != nil {
		return Body{}, err
	}
	return b, nil
}

// Parse is [ParseBody] into the memory that b has already, for whoever reads many. After an error b is of no use but
// to parse again.
func (b *Body) Parse(body []byte) error {
	if len(body) > MaxBody {
		return badBody("longer than 1 MiB")
	}
	r := reader{rest: body}
	if !b.parse(&r) {
		return badBody("skeleton malformed")
	}
	b.skeleton = body[:len(body)-len(r.rest)]
	for i := range b.groups {
		b.groups[i].blob = r.bytes(b.groups[i].size)
	}
	if !r.done() {
		return badBody("not as long as its skeleton says")
	}
	return nil
}

// resize returns a slice of n elements in the memory of s, if there is enough; they may hold what they held.
func resize[T any](s []T, n int) []T {
	if n > cap(s) {
		return append(s[:cap(s)], make([]T, n-cap(s))...)
	}
	return s[:n]
}

// parse reads a skeleton.
func (b *Body) parse(r *reader) bool {
	version, flags := r.byte(), r.byte()
	if version != skeletonV1 || flags > flagBehalf {
		return false
	}
	b.behalf = flags == flagBehalf
	b.terms = resize(b.terms, r.uvarint(maxOwnTerms))
	for i := range b.terms {
		t := &b.terms[i]
		t.Kind = TermKind(r.byte())
		copy(t.Tag[:], r.bytes(len(t.Tag)))
		if t.Kind < TermResource || t.Kind > TermIntent || i > 0 && t.Kind <= b.terms[i-1].Kind {
			return false
		}
	}
	b.groups = resize(b.groups, r.uvarint(maxGroups))
	var taken [opsec.MaxAttrs]bool
	last := Group(0)
	for i := range b.groups {
		g := &b.groups[i]
		if g.kind = Group(r.byte()); g.kind > GroupAbout || g.kind < last || g.kind == last && g.kind != GroupAbout ||
			g.kind == GroupOnBehalf && !b.behalf {
			return false
		}
		if last = g.kind; !g.parse(r, &taken) {
			return false
		}
	}
	return !r.short && len(b.groups) > 0 && b.groups[0].slots[0].code == codeOrigin // so it is the tenant's
}

func (g *group) parse(r *reader, taken *[opsec.MaxAttrs]bool) bool {
	copy(g.handle[:], r.bytes(len(g.handle)))
	copy(g.commitment[:], r.bytes(len(g.commitment)))
	g.sum = [32]byte{}
	if g.size = r.uvarint(MaxBody); g.size > 0 {
		copy(g.sum[:], r.bytes(len(g.sum)))
	}
	n := r.uvarint(maxFields)
	g.slots = resize(g.slots, n)
	low, high := codeOrigin, codeReason
	switch g.kind {
	case GroupActor, GroupOnBehalf:
		low, high = codeAccount, codeTerminal
	case GroupAbout:
		low, high = codeAttr, codeAttr
	}
	for i := range g.slots {
		f := &g.slots[i]
		*f = slot{code: r.byte()}
		switch {
		case f.code == codeAttr:
			var ok bool
			f.pos = r.uvarint(opsec.MaxAttrs - 1)
			f.mark, ok = markOf(r.byte())
			f.key = r.bytes(r.uvarint(opsec.MaxKeyLen))
			if !ok || len(f.key) == 0 || taken[f.pos] || i > 0 && g.slots[i-1].code == codeAttr && g.slots[i-1].pos > f.pos {
				return false
			}
			taken[f.pos] = true
		case f.code < low || f.code > high || i > 0 && f.code <= g.slots[i-1].code:
			return false
		}
	}
	return !r.short && n > 0
}

// Verify returns an error wrapping [ErrMismatch] unless the body is whole and the one that a leaf names by want, its
// Leaf.Body. The key of no subject is needed.
func (b *Body) Verify(want tlog.Hash) error {
	if sha256.Sum256(b.skeleton) != want {
		return fmt.Errorf("entry: skeleton: %w", ErrMismatch)
	}
	for i := range b.groups {
		if g := &b.groups[i]; g.size > 0 && sha256.Sum256(g.blob) != g.sum {
			return fmt.Errorf("entry: sealed values of %s: %w", g.handle, ErrMismatch)
		}
	}
	return nil
}

// Terms returns what the event can be found by.
func (b *Body) Terms() []Term {
	return b.AppendTerms(make([]Term, 0, len(b.groups)+len(b.terms)))
}

// AppendTerms appends what Terms returns.
func (b *Body) AppendTerms(list []Term) []Term {
	for i := range b.groups {
		if g := &b.groups[i]; g.kind != GroupTenant {
			list = append(list, Term{termOf(g.kind), g.handle})
		}
	}
	return append(list, b.terms...)
}

// Subjects returns the handles of the subjects that the event has values of, its tenant's first. A handle may come
// twice, as that of somebody who acts for himself.
func (b *Body) Subjects() []Handle {
	list := make([]Handle, len(b.groups))
	for i := range b.groups {
		list[i] = b.groups[i].handle
	}
	return list
}

func badBody(what string) error { return fmt.Errorf("entry: body: %s: %w", what, opsec.ErrInvalid) }

// reader takes bytes from the front. When there are too few it gives zeros, and remembers.
type reader struct {
	rest  []byte
	short bool
}

func (r *reader) byte() byte {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) bytes(n int) []byte {
	if r.short || n > len(r.rest) {
		r.short = true
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

// uvarint reads a number of at most most, in the fewest bytes.
func (r *reader) uvarint(most int) int {
	v, n := binary.Uvarint(r.rest)
	if r.short || n <= 0 || n > 1 && r.rest[n-1] == 0 || v > uint64(most) {
		r.short = true
		return 0
	}
	r.rest = r.rest[n:]
	return int(v)
}

// done reports whether nothing was missing and nothing is left.
func (r *reader) done() bool { return !r.short && len(r.rest) == 0 }
