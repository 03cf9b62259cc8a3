package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/cloudopsec/opsec"
)

// DigestKey is the key under which a [Trail] keeps secrets as digests. It shows itself in no form.
type DigestKey struct{ secret []byte }

// NewDigestKey returns the key made of at least 32 random bytes, which it copies.
func NewDigestKey(secret []byte) (*DigestKey, error) {
	if len(secret) < 32 {
		return nil, fmt.Errorf("audit: digest key of %d bytes, want 32 or more: %w", len(secret), opsec.ErrInvalid)
	}
	return &DigestKey{slices.Clone(secret)}, nil
}

// Digest returns what is stored in the place of a secret of this tenant: HMAC-SHA-256 over the tenant's id, a zero
// byte and the secret. Equal secrets of one tenant show as equal; nothing can be compared between tenants.
func (k *DigestKey) Digest(tenant opsec.TenantID, secret string) string {
	mac := hmac.New(sha256.New, k.secret)
	mac.Write([]byte(string(tenant) + "\x00" + secret))
	return "hmac-sha256:" + hex.EncodeToString(mac.Sum(nil))
}

// Format implements [fmt.Formatter].
func (k *DigestKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, "[digest key]") }

// seal returns the private copy of e that is stored, and its JSON. Without a key the value of a secret is dropped.
func seal(e *opsec.Event, key *DigestKey) Record {
	c := *e
	if e.OnBehalfOf != nil {
		other := *e.OnBehalfOf
		c.OnBehalfOf = &other
	}
	c.Granted, c.Cancelled = slices.Clone(e.Granted), slices.Clone(e.Cancelled)
	c.Attrs = slices.Clone(e.Attrs)
	for i := range c.Attrs {
		switch a := &c.Attrs[i]; {
		case a.Mark != opsec.Secret:
		case key != nil && a.Value != "":
			a.Value, a.Mark = key.Digest(e.Tenant, a.Value), opsec.Digest
		default:
			a.Value = ""
		}
	}
	return Record{Event: &c, JSON: c.AppendJSON(make([]byte, 0, 512))}
}
