package erasure

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

// The actions of the events that a Ledger records, and that its Authorizer is asked about, but for the first.
const (
	ActionReceipt = "keymgmt.receipt"
	ActionAttest  = "keymgmt.attest"
	ActionCertify = "keymgmt.certify"
	ActionRelease = "keymgmt.release"
)

// Options is what a Ledger is wired with. Signer, KeyID, Trust and Authorizer must be set.
type Options struct {
	Signer     Signer
	KeyID      string // of the Signer's key, in Trust; 1 to 128 bytes
	Trust      Trust  // of this ledger's keys, old ones included
	Authorizer opsec.Authorizer
	// Protected returns the keys that a resource is known to have been under since it was last released, for a certificate
	// and again for a release; nil when only people know.
	Protected func(ctx context.Context, r opsec.Resource) ([]keymgmt.Ref, error)
	Now       func() time.Time
}

// Ledger issues receipts and keeps them, in the repository of the keys or in another. It may be used by many goroutines,
// and by many nodes over one repository.
type Ledger struct {
	repo keymgmt.Repository
	opts Options
}

var _ keymgmt.Receipts = (*Ledger)(nil)

// New returns a ledger. The error wraps [opsec.ErrInvalid].
func New(repo keymgmt.Repository, opts Options) (*Ledger, error) {
	switch {
	case repo == nil || opts.Signer == nil || opts.Authorizer == nil:
		return nil, invalid("ledger: no Repository, Signer or Authorizer")
	case opts.KeyID == "" || len(opts.KeyID) > maxKeyID || opts.Trust[opts.KeyID] == nil:
		return nil, invalid("ledger: KeyID: want 1 to %d bytes, and an entry in Trust", maxKeyID)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	opts.Trust = maps.Clone(opts.Trust)
	return &Ledger{repo, opts}, nil
}

// Issue implements [keymgmt.Receipts]: it signs what is known of a destruction and adds it to the chain of the key's tenant.
// When the key has a complete receipt already, it returns the digest of that. What is known may be 140 KiB of JSON: some
// 1,000 copies.
func (l *Ledger) Issue(ctx context.Context, d keymgmt.Destruction) (string, error) {
	ref, tenant := d.Key.Ref, d.Key.Set.Tenant
	if err := errors.Join(tenant.Validate(), validDestruction(tenant, &d)); err != nil {
		return "", err
	}
	e := event(ActionReceipt, opsec.Actor{Tenant: opsec.Provider, Account: "erasure", Kind: opsec.System}, ref.Resource())
	if of, person, ok := strings.Cut(d.By, "/"); ok {
		e.OnBehalfOf = &opsec.Actor{Tenant: opsec.TenantID(of), Person: person}
	}
	_, r, err := l.append(ctx, tenant, func(read keymgmt.Read) (*draft, error) {
		var index keyIndex
		if err := load(read, keyName(ref), &index); err != nil {
			return nil, err
		}
		if index.Receipt > 0 {
			old, err := l.existing(read, index.Receipt)
			if err != nil {
				return nil, err
			}
			if old.receipt.Complete() {
				return old, nil
			}
		}
		return &draft{
			receipt: Receipt{By: d.By, Destruction: &d},
			event:   e,
			index:   func(n uint64) (string, any) { index.Receipt = n; return keyName(ref), index },
		}, nil
	})
	return r.Digest(), err
}

// Attest records that a copy which a key's receipt calls left is gone, and returns the signed document. The copy is named
// by kind and name; its fate is Erased or Void. A copy that no receipt calls left is [opsec.ErrNotFound].
func (l *Ledger) Attest(ctx context.Context, by opsec.Actor, a Attestation) ([]byte, error) {
	tenant := a.Key.Set.Tenant
	if err := errors.Join(tenant.Validate(), a.validate(tenant), person(by)); err != nil {
		return nil, err
	}
	if err := l.authorize(ctx, by, ActionAttest, a.Key.Resource()); err != nil {
		return nil, err
	}
	doc, _, err := l.append(ctx, tenant, func(read keymgmt.Read) (*draft, error) {
		var index keyIndex
		if err := load(read, keyName(a.Key), &index); err != nil {
			return nil, err
		}
		if index.Receipt == 0 {
			return nil, fmt.Errorf("erasure: no receipt of this key: %w", opsec.ErrNotFound)
		}
		old, err := l.existing(read, index.Receipt)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(old.receipt.Left(), func(c keymgmt.Copy) bool { return same(c, a.Copy) }) {
			return nil, fmt.Errorf("erasure: the receipt of this key calls no such copy left: %w", opsec.ErrNotFound)
		}
		if len(index.Attested) >= maxAttested {
			return nil, invalid("attestation: the key has %d, at most %d", len(index.Attested), maxAttested)
		}
		return &draft{
			receipt: Receipt{By: keymgmt.Person(by), Attestation: &a},
			event:   event(ActionAttest, by, a.Key.Resource()),
			index: func(n uint64) (string, any) {
				index.Attested = append(slices.Clip(index.Attested), n)
				return keyName(a.Key), index
			},
		}, nil
	})
	return doc, err
}

const maxAttested = 50

func same(a, b keymgmt.Copy) bool { return a.Kind == b.Kind && a.Name == b.Name }

// Receipts returns the documents about a key: its destruction, then attestations; or [opsec.ErrNotFound].
func (l *Ledger) Receipts(ctx context.Context, ref keymgmt.Ref) ([][]byte, error) {
	numbers, err := l.numbers(ctx, ref)
	if err != nil {
		return nil, err
	}
	return l.documents(ctx, ref.Set.Tenant, numbers)
}

func (l *Ledger) numbers(ctx context.Context, ref keymgmt.Ref) ([]uint64, error) {
	var index keyIndex
	err := l.view(ctx, ref.Set.Tenant, func(read keymgmt.Read) error {
		index = keyIndex{}
		return load(read, keyName(ref), &index)
	})
	if err == nil && index.Receipt == 0 {
		err = fmt.Errorf("erasure: no receipt of this key: %w", opsec.ErrNotFound)
	}
	return append([]uint64{index.Receipt}, index.Attested...), err
}

// All yields all documents of a tenant, in their order: what [VerifyChain] wants.
func (l *Ledger) All(ctx context.Context, tenant opsec.TenantID) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		head, err := l.Head(ctx, tenant)
		if err != nil {
			yield(nil, err)
			return
		}
		for n := uint64(1); n <= head.Number; n++ {
			docs, err := l.documents(ctx, tenant, []uint64{n})
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(docs[0], nil) {
				return
			}
		}
	}
}

// Head returns the end of a tenant's chain.
func (l *Ledger) Head(ctx context.Context, tenant opsec.TenantID) (head Head, err error) {
	err = l.view(ctx, tenant, func(read keymgmt.Read) error {
		head = Head{}
		return load(read, headName, &head)
	})
	return head, err
}

// The documents of a tenant: the head of the chain, the receipts by number, and what leads to them.
const headName = "erasure/head"

func receiptName(n uint64) string { return fmt.Sprintf("erasure/receipt/%016x", n) }

type keyIndex struct {
	Receipt  uint64   `json:"receipt"`
	Attested []uint64 `json:"attested,omitempty"`
}

func keyName(ref keymgmt.Ref) string { return fmt.Sprintf("erasure/key/%s/%08x", ref.Set.ID, ref.Key) }

type resourceIndex struct {
	Certificate uint64    `json:"certificate"`
	Release     uint64    `json:"release,omitempty"` // above Certificate: it is used
	Released    time.Time `json:"released,omitzero"`
}

func resourceName(r opsec.Resource) string {
	b, _ := json.Marshal(r) // of texts
	sum := sha256.Sum256(b)
	return "erasure/resource/" + hex.EncodeToString(sum[:])
}

// draft is a receipt that is to be added, or one that is there already and has a document.
type draft struct {
	receipt  Receipt
	document []byte
	event    *opsec.Event
	index    func(number uint64) (name string, content any)
}

// errMoved says that somebody has added to the chain meanwhile.
var errMoved = errors.New("moved")

// append adds what prepare drafts to the chain of a tenant. The signature is made outside of the commit, since the signer
// may be slow: when another has added to the chain meanwhile, all is done again. Every addition moves the head, so that
// nothing which prepare has read of this tenant's ledger can have changed while the head has not.
func (l *Ledger) append(ctx context.Context, tenant opsec.TenantID, prepare func(keymgmt.Read) (*draft, error)) ([]byte, Receipt, error) {
	for {
		var head Head
		var d *draft
		err := l.view(ctx, tenant, func(read keymgmt.Read) (err error) {
			head = Head{}
			if err = load(read, headName, &head); err == nil {
				d, err = prepare(read)
			}
			return err
		})
		if err != nil {
			return nil, Receipt{}, err
		}
		if d.document != nil {
			return d.document, d.receipt, nil
		}
		if err := l.sign(d, tenant, head); err != nil {
			return nil, Receipt{}, err
		}
		err = l.repo.Update(ctx, tenant, func(read keymgmt.Read) (keymgmt.Changes, error) {
			var now Head
			if err := load(read, headName, &now); err != nil {
				return keymgmt.Changes{}, err
			}
			if now != head {
				return keymgmt.Changes{}, errMoved
			}
			return d.changes()
		})
		if !errors.Is(err, errMoved) {
			return d.document, d.receipt, err
		}
	}
}

// sign makes the document of a draft, and checks it as anybody would.
func (l *Ledger) sign(d *draft, tenant opsec.TenantID, head Head) error {
	r := &d.receipt
	r.ID, r.Tenant, r.Time = d.event.ID, tenant, l.opts.Now().UTC()
	r.Number, r.Previous = head.Number+1, head.Digest
	payload, err := json.Marshal(r)
	if err != nil {
		return invalid("receipt: %v", err)
	}
	if d.document, err = seal(payload, l.opts.Signer, l.opts.KeyID); err != nil {
		return err
	}
	d.receipt, err = Verify(d.document, l.opts.Trust)
	return err
}

func (d *draft) changes() (keymgmt.Changes, error) {
	r, e := d.receipt, *d.event
	e.Time, e.Tenant = r.Time, r.Tenant
	e.Attrs = append(slices.Clip(e.Attrs), opsec.Attr{Key: "receipt", Value: r.Digest(), Mark: opsec.Tenant},
		opsec.Attr{Key: "receipt_number", Value: strconv.FormatUint(r.Number, 10), Mark: opsec.Tenant})
	name, content := d.index(r.Number)
	index, err := json.Marshal(content)
	if err != nil {
		return keymgmt.Changes{}, err
	}
	head, err := json.Marshal(Head{r.Number, r.Digest()})
	return keymgmt.Changes{
		Put:    []keymgmt.Document{{Name: headName, Data: head}, {Name: receiptName(r.Number), Data: d.document}, {Name: name, Data: index}},
		Events: []*opsec.Event{&e},
	}, err
}

// existing is a draft that is there already.
func (l *Ledger) existing(read keymgmt.Read, n uint64) (*draft, error) {
	docs, err := read(receiptName(n))
	if err != nil {
		return nil, err
	}
	r, err := l.checked(docs[0], n)
	return &draft{receipt: r, document: docs[0]}, err
}

// checked verifies a document of the ledger's own.
func (l *Ledger) checked(doc []byte, n uint64) (Receipt, error) {
	if doc == nil {
		return Receipt{}, fmt.Errorf("erasure: receipt %d is missing: %w", n, opsec.ErrNotFound)
	}
	r, err := Verify(doc, l.opts.Trust)
	if err == nil && r.Number != n {
		err = invalid("receipt %d is in the place of %d", r.Number, n)
	}
	return r, err
}

// documents returns receipts by their numbers.
func (l *Ledger) documents(ctx context.Context, tenant opsec.TenantID, numbers []uint64) (docs [][]byte, err error) {
	for part := range slices.Chunk(numbers, 8) {
		var names []string
		for _, n := range part {
			names = append(names, receiptName(n))
		}
		var got [][]byte
		err := l.view(ctx, tenant, func(read keymgmt.Read) (err error) {
			got, err = read(names...)
			return err
		})
		for i := 0; err == nil && i < len(got); i++ {
			if _, err = l.checked(got[i], part[i]); err == nil {
				docs = append(docs, slices.Clone(got[i]))
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return docs, nil
}

func (l *Ledger) view(ctx context.Context, tenant opsec.TenantID, fn func(keymgmt.Read) error) error {
	return l.repo.Update(ctx, tenant, func(read keymgmt.Read) (keymgmt.Changes, error) { return keymgmt.Changes{}, fn(read) })
}

// load reads one document, which need not be there.
func load(read keymgmt.Read, name string, v any) error {
	docs, err := read(name)
	if err != nil || docs[0] == nil {
		return err
	}
	if err := json.Unmarshal(docs[0], v); err != nil {
		return invalid("%s: does not decode", name)
	}
	return nil
}

// authorize asks, and has a refusal recorded.
func (l *Ledger) authorize(ctx context.Context, by opsec.Actor, action string, on opsec.Resource) error {
	err := l.opts.Authorizer.Authorize(ctx, by, action, on)
	if err == nil {
		return nil
	}
	return l.denied(ctx, by, action, on, fmt.Errorf("erasure: %w", err))
}

// denied records that somebody was refused, and returns why.
func (l *Ledger) denied(ctx context.Context, by opsec.Actor, action string, on opsec.Resource, why error) error {
	e := event(action, by, on)
	e.Time, e.Tenant, e.Outcome, e.Reason = l.opts.Now().UTC(), on.Tenant, opsec.Denied, why.Error()
	return errors.Join(why, l.repo.Update(ctx, on.Tenant, func(keymgmt.Read) (keymgmt.Changes, error) {
		return keymgmt.Changes{Events: []*opsec.Event{e}}, nil
	}))
}

func event(action string, by opsec.Actor, on opsec.Resource) *opsec.Event {
	e := opsec.NewEvent(action, time.Time{}) // the time comes with the commit
	e.Class, e.Outcome, e.Actor, e.Resource = opsec.Critical, opsec.Success, by, on
	return e
}

func person(by opsec.Actor) error {
	if p := keymgmt.Person(by); p == "" || len(p) > maxText {
		return invalid("by: want an actor with a tenant and a person, who answers for it")
	}
	return nil
}
