package entry

import (
	"cmp"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
)

// Scribe makes leaves and bodies of events. Keys must be set; the other fields may be zero. It is safe for use by many
// goroutines, and not to be copied or changed once it is used.
type Scribe struct {
	Keys Keys

	// OmitValues keeps commitments alone: no value of an event can be read from the log again, or proven by it to have
	// been there, except what its leaves say.
	OmitValues bool

	// Digest returns what is kept in the place of a secret of the tenant, as audit.DigestKey does. Without it, nothing
	// is kept of an attribute marked Secret but its key.
	Digest func(tenant opsec.TenantID, secret string) string

	// SubjectOf returns whom a Personal or unmarked attribute is about, when that is not the actor. It must not keep or
	// change the event.
	SubjectOf func(*opsec.Event, opsec.Attr) (Subject, bool)

	desks sync.Pool // of *desk
}

// Draft is an event ready for the log, but for its place there.
type Draft struct {
	ID     [16]byte    // opsec.Event.ID
	Time   time.Time   // in UTC
	Class  opsec.Class // how hard recording must be
	Tenant Handle      // whose record it is
	Body   []byte      // what is kept beside the leaf

	head  []byte // the leaf up to its place
	terms []Term
	room  [4]Term
}

// Terms returns what the event can be found by, as [Body.Terms] does.
func (d *Draft) Terms() []Term { return d.terms }

// AppendLeaf appends the leaf of the tenant's event number seq, from 1, which comes after the one whose leaf hash is
// prev. At 1, prev is ignored.
func (d *Draft) AppendLeaf(b []byte, seq uint64, prev tlog.Hash) []byte {
	return appendPlace(append(b, d.head...), seq, prev)
}

// Draft validates the event, commits to its values and seals them. It does not keep or change e.
//
// A Public attribute stands in the leaf, unless it is not UTF-8 or no longer fits: all attributes of a leaf together
// take at most 32 KiB there, in JSON. Such an attribute is sealed for the tenant instead, and keeps its mark. So no
// event that opsec.Event.Validate accepts is refused for its size.
//
// Errors wrap [opsec.ErrInvalid] for what is wrong with the event, or come from Keys.
func (s *Scribe) Draft(ctx context.Context, e *opsec.Event) (*Draft, error) {
	if err := e.Validate(); err != nil {
		return nil, fmt.Errorf("entry: %w", err)
	}
	d, ok := s.desks.Get().(*desk)
	if !ok {
		d = &desk{omit: s.OmitValues, digest: s.Digest}
		d.digests[0] = hashCommitment
		d.used = len(d.salts)
	}
	defer func() {
		clear(d.parties) // they point into the event
		s.desks.Put(d)
	}()
	for tries := 0; ; tries++ {
		draft, err := s.draft(ctx, e, d)
		if tries < 3 && errors.Is(err, ErrErased) {
			continue // erased just now: the subject gets a new key
		}
		if err != nil {
			return nil, fmt.Errorf("entry: event %s: %w", e.ID, err)
		}
		return draft, nil
	}
}

// party is a group in the making: a subject, and what it has.
type party struct {
	kind    Group
	subject Subject
	actor   *opsec.Actor // whose fields it has
}

// desk is where an event is worked on, and the memory for it.
type desk struct {
	omit    bool                                         // as Scribe.OmitValues
	digest  func(tenant opsec.TenantID, s string) string // as Scribe.Digest
	parties []party
	target  [opsec.MaxAttrs]int // whose an attribute is: index of a party, or -1 for the leaf
	attrs   []byte              // of the leaf
	text    []byte              // the leaf, and a value in the making

	skeleton []byte
	blobs    []byte

	// The group at work:
	count   int // of fields
	slots   []byte
	digests [1 + maxFields*sha256.Size]byte
	input   []byte // of a digest
	plain   []byte // salts and values

	salts [4096]byte
	used  int // of salts
}

func (s *Scribe) draft(ctx context.Context, e *opsec.Event, d *desk) (*Draft, error) {
	s.seat(e, d)
	owner, key, err := s.Keys.Subject(ctx, d.parties[0].subject)
	if err != nil {
		return nil, err
	}
	draft := &Draft{Time: e.Time.UTC(), Class: e.Class, Tenant: owner}
	parseID(&draft.ID, e.ID) // Validate has read it
	draft.terms = draft.room[:0]

	var own [maxOwnTerms]Term
	terms := own[:0]
	if (e.Resource != opsec.Resource{}) {
		d.text = appendResource(d.text[:0], e.Resource)
		terms = append(terms, termUnder(key, TermResource, d.text))
	}
	if e.Intent != "" {
		terms = append(terms, IntentTerm(key, e.Intent))
	}
	flags := byte(0)
	if e.OnBehalfOf != nil {
		flags = flagBehalf
	}
	d.skeleton = append(d.skeleton[:0], skeletonV1, flags, byte(len(terms)))
	for i := range terms {
		d.skeleton = append(append(d.skeleton, byte(terms[i].Kind)), terms[i].Tag[:]...)
	}
	groups := len(d.skeleton)
	d.skeleton, d.blobs = append(d.skeleton, 0), d.blobs[:0]
	for i := range d.parties {
		p := &d.parties[i]
		if d.fields(e, i); d.count == 0 {
			continue
		}
		handle := owner
		if i > 0 {
			if handle, key, err = s.Keys.Subject(ctx, p.subject); err != nil {
				return nil, err
			}
			draft.terms = append(draft.terms, Term{termOf(p.kind), handle})
		}
		if err := d.seal(p.kind, handle, key, draft.ID); err != nil {
			return nil, err
		}
		d.skeleton[groups]++
	}
	draft.terms = append(draft.terms, terms...)
	if len(d.skeleton)+len(d.blobs) > MaxBody {
		return nil, badBody("longer than 1 MiB")
	}

	leaf := Leaf{
		ID: draft.ID, Time: draft.Time, Class: e.Class, Category: e.Category, Action: e.Action, Outcome: e.Outcome,
		Body: sha256.Sum256(d.skeleton), Tenant: owner,
	}
	d.text = appendEvent(d.text[:0], &leaf, d.attrs)
	n := len(d.text)
	all := make([]byte, 0, n+len(d.skeleton)+len(d.blobs))
	all = append(append(append(all, d.text...), d.skeleton...), d.blobs...)
	draft.head, draft.Body = all[:n:n], all[n:]
	return draft, nil
}

// seat finds out whose everything is. The parties are in the order of their groups, the tenant first.
func (s *Scribe) seat(e *opsec.Event, d *desk) {
	d.parties = append(d.parties[:0],
		party{GroupTenant, Subject{Tenant: e.Tenant}, nil},
		party{GroupActor, subjectOf(e, &e.Actor), &e.Actor})
	if e.OnBehalfOf != nil {
		d.parties = append(d.parties, party{GroupOnBehalf, subjectOf(e, e.OnBehalfOf), e.OnBehalfOf})
	}
	d.attrs = d.attrs[:0]
	for i := range e.Attrs {
		a := &e.Attrs[i]
		switch a.Mark {
		case opsec.Public:
			d.target[i] = 0
			if before := len(d.attrs); fits(a) {
				if d.attrs = appendAttr(d.attrs, a); len(d.attrs) > maxLeafAttrs {
					d.attrs = d.attrs[:before]
				} else {
					d.target[i] = -1
				}
			}
		case opsec.Tenant, opsec.Digest, opsec.Secret:
			d.target[i] = 0
		default:
			d.target[i] = 1
			if s.SubjectOf == nil {
				continue
			}
			if subject, ok := s.SubjectOf(e, *a); ok {
				d.target[i] = d.partyOf(subject)
			}
		}
	}
}

func (d *desk) partyOf(s Subject) int {
	i := slices.IndexFunc(d.parties, func(p party) bool { return p.subject == s })
	if i < 0 {
		i = len(d.parties)
		d.parties = append(d.parties, party{GroupAbout, s, nil})
	}
	return i
}

func subjectOf(e *opsec.Event, a *opsec.Actor) Subject {
	s := Subject{Tenant: cmp.Or(a.Tenant, e.Tenant), Account: a.Account, Person: a.Person}
	if s.Account == "" && s.Person == "" {
		s.Account = Anonymous
	}
	return s
}

// fields collects the fields of the i-th party.
func (d *desk) fields(e *opsec.Event, i int) {
	d.count, d.slots, d.plain = 0, d.slots[:0], d.plain[:0]
	if i == 0 {
		d.tenantFields(e)
	} else if a := d.parties[i].actor; a != nil {
		d.field(codeAccount, a.Account)
		d.field(codePerson, a.Person)
		d.field(codeSession, a.Session)
		if a.IP.IsValid() {
			d.text, _ = a.IP.AppendBinary(d.text[:0])
			add(d, codeIP, d.text)
		}
		d.field(codeTerminal, a.Terminal)
	}
	for n := range e.Attrs {
		if d.target[n] != i {
			continue
		}
		a := e.Attrs[n]
		if a.Mark == opsec.Secret {
			if d.digest != nil && a.Value != "" {
				a.Value, a.Mark = d.digest(e.Tenant, a.Value), opsec.Digest
			} else {
				a.Value = ""
			}
		}
		add(d, codeAttr, a.Value)
		d.slots = binary.AppendUvarint(d.slots, uint64(n))
		d.slots = appendList(append(d.slots, markNumber(a.Mark)), a.Key)
	}
}

func (d *desk) tenantFields(e *opsec.Event) {
	d.text = appendList(d.text[:0], string(e.Tenant), string(e.Actor.Tenant), string(e.Actor.Kind))
	if e.OnBehalfOf != nil {
		d.text = appendList(d.text, string(e.OnBehalfOf.Tenant), string(e.OnBehalfOf.Kind))
	} else {
		d.text = append(d.text, 0, 0)
	}
	add(d, codeOrigin, d.text)
	d.field(codeSystem, e.System)
	if (e.Resource != opsec.Resource{}) {
		d.text = appendResource(d.text[:0], e.Resource)
		add(d, codeResource, d.text)
	}
	for i, list := range [2][]string{e.Granted, e.Cancelled} {
		if len(list) > 0 {
			d.text = appendList(d.text[:0], list...)
			add(d, codeGranted+byte(i), d.text)
		}
	}
	if !e.Began.IsZero() {
		d.text = binary.BigEndian.AppendUint64(d.text[:0], uint64(e.Began.Unix()))
		d.text = binary.BigEndian.AppendUint32(d.text, uint32(e.Began.Nanosecond()))
		add(d, codeBegan, d.text)
	}
	d.field(codeIntent, string(e.Intent))
	d.field(codeReason, e.Reason)
}

func (d *desk) field(code byte, value string) {
	if value != "" {
		add(d, code, value)
	}
}

// add adds a field: its line in the skeleton, its digest, and what is to be sealed.
func add[T ~string | ~[]byte](d *desk, code byte, value T) {
	d.input = append(append(append(d.input[:0], hashDisclosure), d.salt()...), value...)
	h := sha256.New()
	h.Write(d.input)
	h.Sum(d.digests[:1+d.count*sha256.Size])
	d.slots = append(d.slots, code)
	d.count++
	if !d.omit {
		d.plain = appendDisclosure(d.plain, d.input[1:])
	}
}

// salt returns random bytes that were not used before. They are AES in counter mode under a key of random bytes, which
// is drawn for 4 KiB and forgotten: the operating system would take longer for them than all hashing together.
func (d *desk) salt() []byte {
	if d.used == len(d.salts) {
		var seed [32 + aes.BlockSize]byte
		rand.Read(seed[:])
		block, err := aes.NewCipher(seed[:32])
		if err != nil {
			panic(err) // not with a key of that length
		}
		clear(d.salts[:])
		cipher.NewCTR(block, seed[32:]).XORKeyStream(d.salts[:], d.salts[:])
		d.used = 0
	}
	d.used += saltLen
	return d.salts[d.used-saltLen : d.used]
}

// appendDisclosure appends a salt and its value, with the length of the value before them.
func appendDisclosure(b, disclosure []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(disclosure)-saltLen)), disclosure...)
}

// seal appends the group to the skeleton, and its sealed values to the blobs.
func (d *desk) seal(kind Group, handle Handle, key Key, id [16]byte) error {
	commitment := sha256.Sum256(d.digests[:1+d.count*sha256.Size])
	d.skeleton = append(d.skeleton, byte(kind))
	d.skeleton = append(d.skeleton, handle[:]...)
	d.skeleton = append(d.skeleton, commitment[:]...)
	if d.omit {
		d.skeleton = append(d.skeleton, 0)
	} else {
		d.text = appendData(d.text[:0], id, kind, handle)
		blob, err := key.Encrypt(d.plain, d.text)
		if err != nil {
			return fmt.Errorf("values of %s: %w", handle, err)
		}
		sum := sha256.Sum256(blob)
		d.skeleton = append(binary.AppendUvarint(d.skeleton, uint64(len(blob))), sum[:]...)
		d.blobs = append(d.blobs, blob...)
	}
	d.skeleton = append(d.skeleton, byte(d.count))
	d.skeleton = append(d.skeleton, d.slots...)
	return nil
}

// appendData appends what a blob is bound to: this format, the event, the group and the subject.
func appendData(b []byte, id [16]byte, kind Group, handle Handle) []byte {
	b = append(append(b, "opsec entry 1\x00"...), id[:]...)
	return append(append(b, byte(kind)), handle[:]...)
}

func termOf(kind Group) TermKind { return TermKind(kind - GroupActor + Group(TermActor)) }
