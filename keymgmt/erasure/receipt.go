package erasure

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/strictjson"
	"github.com/cloudopsec/opsec/keymgmt"
)

// Receipt is one link of a tenant's chain: a key's destruction, or what follows from it. Exactly one of the last four is
// set.
type Receipt struct {
	ID       opsec.ID       `json:"id"`
	Tenant   opsec.TenantID `json:"tenant"`
	Number   uint64         `json:"number"`             // from 1
	Previous string         `json:"previous,omitempty"` // digest of the receipt before
	Time     time.Time      `json:"time"`               // of issue
	By       string         `json:"by"`                 // the person, as [keymgmt.Person] has it

	Destruction *keymgmt.Destruction `json:"destruction,omitempty"`
	Attestation *Attestation         `json:"attestation,omitempty"`
	Certificate *Certificate         `json:"certificate,omitempty"`
	Release     *Release             `json:"release,omitempty"`
}

// Attestation says that a copy which nothing could reach at the destruction is gone, or opens nothing any more.
type Attestation struct {
	Key    keymgmt.Ref  `json:"key"`
	Copy   keymgmt.Copy `json:"copy"` // as in the receipt, with its fate now
	Reason string       `json:"reason"`
}

// Declaration says under which keys data was that is now deleted. Who declares it answers for it.
type Declaration struct {
	Resource        opsec.Resource `json:"resource"`         // a volume, a database, or all of a tenant
	Keys            []keymgmt.Ref  `json:"keys"`             // each that any of it was ever under, or that wrapped one; at most 200
	AlwaysEncrypted bool           `json:"always_encrypted"` // none of it was ever written in clear
}

// Certificate says that what a resource held is gone, because every key that opened it is.
type Certificate struct {
	Declaration
	Receipts []string `json:"receipts"` // digests, of the keys' destructions in their order, then of attestations
}

// Release says that a resource may have a new owner.
type Release struct {
	Resource    opsec.Resource `json:"resource"`
	Certificate string         `json:"certificate"` // its digest
	To          string         `json:"to"`          // the allocation, in the caller's words
}

// Verify checks a document without anything else, and returns what it says. An error wraps [opsec.ErrInvalid] when it is no
// receipt, or one with a byte changed, and [ErrSignature] when it is not signed by one whom trust names.
func Verify(doc []byte, trust Trust) (Receipt, error) {
	payload, err := unseal(doc, trust)
	if err != nil {
		return Receipt{}, err
	}
	r, err := parse(payload)
	if err != nil {
		return Receipt{}, err
	}
	return r, r.validate()
}

func parse(payload []byte) (r Receipt, err error) {
	if len(payload) > maxPayload {
		return r, invalid("receipt: %d bytes: want at most %d", len(payload), maxPayload)
	}
	if err := strictjson.Decode(payload, &r); err != nil {
		return r, invalid("receipt: %v", err)
	}
	if again, err := json.Marshal(r); err != nil || !bytes.Equal(again, payload) {
		return r, invalid("receipt: not written as this package writes it")
	}
	return r, nil
}

// Digest returns what names the receipt: in the next one, in certificates, in events.
func (r Receipt) Digest() string {
	b, _ := json.Marshal(r) // of what has been validated
	return digest(b)
}

// Complete reports whether a destruction went well: checks were made, all passed, and the key is destroyed. Copies may be
// left: see [Receipt.Left].
func (r Receipt) Complete() bool {
	d := r.Destruction
	return d != nil && len(d.Checks) > 0 && !slices.ContainsFunc(d.Checks, func(c keymgmt.Check) bool { return !c.Passed }) &&
		(d.Key.State == keymgmt.Destroyed || d.Key.State == keymgmt.DestroyedCompromised)
}

// Left returns the copies that a destruction could not reach.
func (r Receipt) Left() (list []keymgmt.Copy) {
	if r.Destruction == nil {
		return nil
	}
	for _, c := range r.Destruction.Copies {
		if !gone(c.Fate) {
			list = append(list, c)
		}
	}
	return list
}

// gone reports whether a fate is as good as gone. A fate that is not known is not.
func gone(f keymgmt.Fate) bool {
	switch f {
	case keymgmt.Erased, keymgmt.Acknowledged, keymgmt.Fenced, keymgmt.Void:
		return true
	}
	return false
}

const (
	maxCopies = 2000
	maxChecks = 100
	maxKeys   = 200
	maxText   = 2 << 10 // bytes of a reason, a name
)

func (r Receipt) validate() error {
	if err := r.ID.Validate(); err != nil {
		return invalid("receipt.id: %v", err)
	}
	if err := r.Tenant.Validate(); err != nil {
		return invalid("receipt.tenant: %v", err)
	}
	subjects := 0
	for _, is := range []bool{r.Destruction != nil, r.Attestation != nil, r.Certificate != nil, r.Release != nil} {
		if is {
			subjects++
		}
	}
	switch {
	case subjects != 1:
		return invalid("receipt: %d of destruction, attestation, certificate, release: want one", subjects)
	case r.Number == 0 || (r.Number == 1) != (r.Previous == "") || r.Previous != "" && !isDigest(r.Previous):
		return invalid("receipt.number, previous: want 1 and none, or the digest of the one before")
	case r.Time.IsZero() || r.By == "" || len(r.By) > maxText:
		return invalid("receipt.time, by: want both, a person of at most %d bytes", maxText)
	case r.Destruction != nil:
		return validDestruction(r.Tenant, r.Destruction)
	case r.Attestation != nil:
		return r.Attestation.validate(r.Tenant)
	case r.Certificate != nil:
		return r.Certificate.validate(r.Tenant)
	}
	return r.Release.validate(r.Tenant)
}

func validDestruction(tenant opsec.TenantID, d *keymgmt.Destruction) error {
	switch {
	case d.Key.Set.Tenant != tenant || d.Key.Set.ID == "" || d.Key.Ref.Key == 0:
		return invalid("destruction.key: no key of the tenant")
	case d.Method == "" || len(d.Method) > maxText || d.By == "" || len(d.Reason) > maxText:
		return invalid("destruction: want a method and a person, texts of at most %d bytes", maxText)
	case len(d.Copies) == 0 || len(d.Copies) > maxCopies || len(d.Checks) > maxChecks:
		return invalid("destruction: %d copies, %d checks: want 1 to %d copies and at most %d checks",
			len(d.Copies), len(d.Checks), maxCopies, maxChecks)
	}
	for i, c := range d.Copies {
		if c.Kind == "" || c.Name == "" || c.Fate == "" {
			return invalid("destruction.copies[%d]: want kind, name and fate", i)
		}
	}
	return nil
}

func (a Attestation) validate(tenant opsec.TenantID) error {
	if a.Key.Set.Tenant != tenant || a.Key.Set.ID == "" || a.Key.Key == 0 {
		return invalid("attestation.key: no key of the tenant")
	}
	if a.Copy.Fate != keymgmt.Erased && a.Copy.Fate != keymgmt.Void || a.Copy.How == "" || a.Copy.Time.IsZero() {
		return invalid("attestation.copy: want the fate erased or void, how, and when")
	}
	if a.Reason == "" || len(a.Reason) > maxText || len(a.Copy.How) > maxText {
		return invalid("attestation.reason, copy.how: want 1 to %d bytes", maxText)
	}
	return nil
}

func (d Declaration) validate(tenant opsec.TenantID) error {
	if d.Resource.Tenant != tenant || d.Resource.Type == "" || len(d.Resource.Type)+len(d.Resource.ID) > maxText {
		return invalid("declaration.resource: want one of the tenant, with a type")
	}
	if !d.AlwaysEncrypted {
		return invalid("declaration.always_encrypted: what was written in clear is not gone with a key")
	}
	if len(d.Keys) == 0 || len(d.Keys) > maxKeys {
		return invalid("declaration.keys: %d: want 1 to %d", len(d.Keys), maxKeys)
	}
	for i, k := range d.Keys {
		if k.Set.Tenant != tenant && k.Set.Tenant != opsec.Provider || k.Set.ID == "" || k.Key == 0 {
			return invalid("declaration.keys[%d]: no key of the tenant or of the provider", i)
		}
		if i > 0 && compare(d.Keys[i-1], k) >= 0 {
			return invalid("declaration.keys[%d]: want order, each once", i)
		}
	}
	return nil
}

func (c Certificate) validate(tenant opsec.TenantID) error {
	if len(c.Receipts) < len(c.Keys) || len(c.Receipts) > maxCopies || slices.ContainsFunc(c.Receipts, func(d string) bool { return !isDigest(d) }) {
		return invalid("certificate.receipts: want a digest for each key, and at most %d", maxCopies)
	}
	return c.Declaration.validate(tenant)
}

func (r Release) validate(tenant opsec.TenantID) error {
	if r.Resource.Tenant != tenant || r.Resource.Type == "" || !isDigest(r.Certificate) || r.To == "" || len(r.To) > maxText {
		return invalid("release: want a resource of the tenant, a certificate, and an allocation of 1 to %d bytes", maxText)
	}
	return nil
}

func compare(a, b keymgmt.Ref) int {
	return cmp.Or(cmp.Compare(a.Set.Tenant, b.Set.Tenant), cmp.Compare(a.Set.ID, b.Set.ID), cmp.Compare(a.Key, b.Key))
}

func isDigest(s string) bool {
	hex, ok := strings.CutPrefix(s, "sha256:")
	return ok && len(hex) == 64 && strings.Trim(hex, "0123456789abcdef") == ""
}

// Head is the end of a chain.
type Head struct {
	Number uint64 `json:"number"`
	Digest string `json:"digest,omitempty"`
}

// VerifyChain checks all receipts of a tenant, in their order from the first, and returns the last. An error names the
// first that is wrong or missing.
func VerifyChain(docs iter.Seq2[[]byte, error], trust Trust) (Head, error) {
	var head Head
	var tenant opsec.TenantID
	for doc, err := range docs {
		if err != nil {
			return head, err
		}
		r, err := Verify(doc, trust)
		if err != nil {
			return head, fmt.Errorf("after receipt %d: %w", head.Number, err)
		}
		if r.Number != head.Number+1 || r.Previous != head.Digest || head.Number > 0 && r.Tenant != tenant {
			return head, invalid("chain: after receipt %d comes %d, which does not follow it", head.Number, r.Number)
		}
		head, tenant = Head{r.Number, r.Digest()}, r.Tenant
	}
	return head, nil
}
