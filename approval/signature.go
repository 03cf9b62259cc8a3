package approval

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/cloudopsec/opsec"
)

// Verifier checks that a signature over message was made by the person behind who. Any error means that it does not
// count.
type Verifier interface {
	Verify(who opsec.Actor, message, signature []byte) error
}

// Keys is a [Verifier] over a table of Ed25519 keys (RFC 8032). It is data. A person may have several; whose last key is
// taken out has nothing signed that counts.
type Keys []Key

// Key is a public key of a person.
type Key struct {
	Tenant opsec.TenantID `json:"tenant"`
	Person string         `json:"person"`
	Public []byte         `json:"public"` // 32 bytes; in JSON, base64
}

// Verify implements [Verifier].
func (k Keys) Verify(who opsec.Actor, message, signature []byte) error {
	for _, key := range k {
		mine := samePerson(who, opsec.Actor{Tenant: key.Tenant, Person: key.Person}) && len(key.Public) == ed25519.PublicKeySize
		if mine && ed25519.Verify(key.Public, message, signature) {
			return nil
		}
	}
	return errors.New("no key of the person made it")
}

// Message returns the bytes that the decider signs. They bind the request with its nonce, action, people and policy; and
// the stage, the verb, the decider's tenant, person and account, the reason and SignedAt, which must be set.
func (c Case) Message(d Decision) []byte { return message(c.Request.Digest(), &d) }

func message(request Digest, d *Decision) []byte {
	return framed("opsec/approval/decision/v1", string(request), strconv.Itoa(d.Stage), string(d.Verb),
		string(d.By.Tenant), d.By.Person, d.By.Account, d.Reason, d.SignedAt.UTC().Format(time.RFC3339Nano))
}

// verify checks a signature if there is one; whether there must be one is for [state.take].
func (r *Request) verify(request Digest, d *Decision, keys Verifier) error {
	if len(d.Signature) == 0 {
		return nil
	}
	if keys == nil {
		return fmt.Errorf("%w: nothing to check it with", ErrSignature)
	}
	if err := keys.Verify(d.By, message(request, d), d.Signature); err != nil {
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return nil
}
