package erasure

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

// IncompleteError says what a certificate lacks. It wraps [opsec.ErrDenied].
type IncompleteError struct {
	Missing []keymgmt.Ref // keys without a receipt
	Failed  []keymgmt.Ref // whose receipt says that a check failed, or was not made
	Early   []keymgmt.Ref // destroyed before the resource was last released: they cannot be what its data was under
	Left    []Remnant     // copies that nobody has attested to be gone
}

// Remnant is a copy of a key that is left.
type Remnant struct {
	Key  keymgmt.Ref
	Copy keymgmt.Copy
}

func (e *IncompleteError) Error() string {
	return fmt.Sprintf("erasure: no certificate: %d keys without a receipt, %d with a failed check, %d destroyed too early, %d copies left: %v",
		len(e.Missing), len(e.Failed), len(e.Early), len(e.Left), opsec.ErrDenied)
}

// Unwrap returns [opsec.ErrDenied].
func (e *IncompleteError) Unwrap() error { return opsec.ErrDenied }

// Certify issues the certificate that what a resource held is gone, and returns the signed document. The keys are put in
// order, and those that [Options.Protected] knows are added. A certificate for the same keys that has not served yet is
// returned again. What is lacking is an [*IncompleteError].
func (l *Ledger) Certify(ctx context.Context, by opsec.Actor, d Declaration) ([]byte, error) {
	if err := errors.Join(d.Resource.Tenant.Validate(), person(by)); err != nil {
		return nil, err
	}
	d.Keys = slices.Clone(d.Keys)
	if l.opts.Protected != nil {
		known, err := l.opts.Protected(ctx, d.Resource)
		if err != nil {
			return nil, err
		}
		d.Keys = append(d.Keys, known...)
	}
	slices.SortFunc(d.Keys, compare)
	d.Keys = slices.Compact(d.Keys)
	if err := d.validate(d.Resource.Tenant); err != nil {
		return nil, err
	}
	if err := l.authorize(ctx, by, ActionCertify, d.Resource); err != nil {
		return nil, err
	}
	found, err := l.evidence(ctx, d.Keys)
	if err != nil {
		return nil, err
	}
	doc, _, err := l.append(ctx, d.Resource.Tenant, func(read keymgmt.Read) (*draft, error) {
		var index resourceIndex
		if err := load(read, resourceName(d.Resource), &index); err != nil {
			return nil, err
		}
		if index.Certificate > index.Release {
			old, err := l.existing(read, index.Certificate)
			if err != nil {
				return nil, err
			}
			if c := old.receipt.Certificate; c != nil && slices.Equal(c.Keys, d.Keys) {
				return old, nil
			}
		}
		if err := found.judge(index.Released); err != nil {
			return nil, err
		}
		return &draft{
			receipt: Receipt{By: keymgmt.Person(by), Certificate: &Certificate{d, found.digests()}},
			event:   event(ActionCertify, by, d.Resource),
			index: func(n uint64) (string, any) {
				index.Certificate = n
				return resourceName(d.Resource), index
			},
		}, nil
	})
	return doc, l.refused(ctx, by, ActionCertify, d.Resource, err)
}

// refused has a refusal recorded; any other error is none.
func (l *Ledger) refused(ctx context.Context, by opsec.Actor, action string, on opsec.Resource, err error) error {
	if err == nil || !errors.Is(err, opsec.ErrDenied) {
		return err
	}
	return l.denied(ctx, by, action, on, err)
}

// evidence is what there is about keys, in their order.
type evidence []proof

type proof struct {
	key      keymgmt.Ref
	receipts []Receipt // the destruction, then attestations; none when there is no receipt
}

func (l *Ledger) evidence(ctx context.Context, keys []keymgmt.Ref) (list evidence, err error) {
	for _, key := range keys {
		p := proof{key: key}
		docs, err := l.Receipts(ctx, key)
		if err != nil && !errors.Is(err, opsec.ErrNotFound) {
			return nil, err
		}
		for _, doc := range docs {
			r, err := Verify(doc, l.opts.Trust)
			if err != nil {
				return nil, err
			}
			p.receipts = append(p.receipts, r)
		}
		list = append(list, p)
	}
	return list, nil
}

// judge says whether the evidence suffices for a resource that was last released then.
func (list evidence) judge(released time.Time) error {
	var e IncompleteError
	for _, p := range list {
		if len(p.receipts) == 0 || p.receipts[0].Destruction == nil || p.receipts[0].Destruction.Key.Ref != p.key {
			e.Missing = append(e.Missing, p.key)
			continue
		}
		r := p.receipts[0]
		if !r.Complete() {
			e.Failed = append(e.Failed, p.key)
		}
		if !released.IsZero() && !r.Destruction.Key.Destroyed.After(released) {
			e.Early = append(e.Early, p.key)
		}
		for _, c := range r.Left() {
			attested := slices.ContainsFunc(p.receipts[1:], func(r Receipt) bool {
				return r.Attestation != nil && r.Attestation.Key == p.key && same(r.Attestation.Copy, c)
			})
			if !attested {
				e.Left = append(e.Left, Remnant{p.key, c})
			}
		}
	}
	if len(e.Missing)+len(e.Failed)+len(e.Early)+len(e.Left) > 0 {
		return &e
	}
	return nil
}

func (list evidence) digests() (digests []string) {
	for _, p := range list {
		digests = append(digests, p.receipts[0].Digest())
	}
	for _, p := range list {
		for _, r := range p.receipts[1:] {
			digests = append(digests, r.Digest())
		}
	}
	return digests
}

// VerifyCertificate checks a certificate together with the documents that it rests on, without anything else: what a
// customer does who was handed them. Documents that it does not name are [opsec.ErrInvalid], and so are missing ones; what
// they do not show is an [*IncompleteError].
func VerifyCertificate(certificate []byte, receipts [][]byte, trust Trust) (Certificate, error) {
	r, err := Verify(certificate, trust)
	if err != nil {
		return Certificate{}, err
	}
	c := r.Certificate
	if c == nil || len(receipts) != len(c.Receipts) {
		return Certificate{}, invalid("certificate: none, or %d documents with it: want those that it names", len(receipts))
	}
	var list evidence
	for _, key := range c.Keys {
		list = append(list, proof{key: key})
	}
	for i, doc := range receipts {
		r, err := Verify(doc, trust)
		if err != nil {
			return Certificate{}, fmt.Errorf("document %d: %w", i, err)
		}
		key := keymgmt.Ref{}
		switch {
		case r.Digest() != c.Receipts[i] || (i < len(c.Keys)) != (r.Destruction != nil):
			return Certificate{}, invalid("document %d: not the one that the certificate names", i)
		case r.Destruction != nil:
			key = r.Destruction.Key.Ref
		case r.Attestation != nil:
			key = r.Attestation.Key
		}
		at, ok := slices.BinarySearchFunc(list, key, func(p proof, key keymgmt.Ref) int { return compare(p.key, key) })
		if !ok || r.Destruction != nil && at != i {
			return Certificate{}, invalid("document %d: about a key that the certificate does not name there", i)
		}
		list[at].receipts = append(list[at].receipts, r)
	}
	return *c, list.judge(time.Time{})
}

// ErrNoCertificate says that a resource has no certificate since it was last released: what its last owner had may still be
// there. It wraps [opsec.ErrDenied].
var ErrNoCertificate = fmt.Errorf("erasure: no certificate of erasure since the last release: %w", opsec.ErrDenied)

// Release lets a resource go to a new owner: it uses up the certificate, and returns the signed document that says so. The
// resource is named as the certificate does, with the tenant who had it. To names the new allocation, and no other ever:
// called again for the same, it returns the same document, so that who was interrupted may ask again. Without a
// certificate, or with one that does not name a key which [Options.Protected] knows by now, it is [ErrNoCertificate], and
// recorded.
func (l *Ledger) Release(ctx context.Context, by opsec.Actor, resource opsec.Resource, to string) ([]byte, error) {
	if err := errors.Join(resource.Tenant.Validate(), person(by)); err != nil {
		return nil, err
	}
	if resource.Type == "" || to == "" || len(to) > maxText {
		return nil, invalid("release: want a resource with a type, and an allocation of 1 to %d bytes", maxText)
	}
	if err := l.authorize(ctx, by, ActionRelease, resource); err != nil {
		return nil, err
	}
	var known []keymgmt.Ref
	if l.opts.Protected != nil {
		var err error
		if known, err = l.opts.Protected(ctx, resource); err != nil {
			return nil, err
		}
	}
	doc, _, err := l.append(ctx, resource.Tenant, func(read keymgmt.Read) (*draft, error) {
		var index resourceIndex
		if err := load(read, resourceName(resource), &index); err != nil {
			return nil, err
		}
		if index.Certificate == 0 {
			return nil, ErrNoCertificate
		}
		c, err := l.existing(read, index.Certificate)
		if err != nil {
			return nil, err
		}
		if c.receipt.Certificate == nil || c.receipt.Certificate.Resource != resource {
			return nil, ErrNoCertificate
		}
		for _, key := range known {
			if !slices.Contains(c.receipt.Certificate.Keys, key) {
				return nil, fmt.Errorf("erasure: the last certificate does not name key %s: %w", key, ErrNoCertificate)
			}
		}
		if index.Release > index.Certificate {
			old, err := l.existing(read, index.Release)
			if err == nil && (old.receipt.Release == nil || old.receipt.Release.To != to) {
				err = ErrNoCertificate
			}
			return old, err
		}
		return &draft{
			receipt: Receipt{By: keymgmt.Person(by), Release: &Release{resource, c.receipt.Digest(), to}},
			event:   event(ActionRelease, by, resource),
			index: func(n uint64) (string, any) {
				index.Release, index.Released = n, latest(l.opts.Now().UTC(), c.receipt.Time, index.Released)
				return resourceName(resource), index
			},
		}, nil
	})
	return doc, l.refused(ctx, by, ActionRelease, resource, err)
}

// latest returns the last of these times, so that a clock that goes back makes nothing count that was before.
func latest(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }
