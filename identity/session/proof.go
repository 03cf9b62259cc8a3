package session

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
)

// Proof says that the holder of an account has just proven a factor. The gate of package lockout returns them: so there is no way
// to a session past it. A proof is a value: as long as it is fresh it opens a session each time that it is handed in, so who keeps
// proofs from one request to the next takes them away with the first use.
type Proof interface {
	Tenant() opsec.TenantID
	Account() string
	Factor() string
	At() time.Time // from before the secret was looked at, so that what was changed meanwhile comes after it
}

const maxName = 64 // bytes of the name of a factor or an application

// check returns the factors that proofs prove to an account. Since is when the account was last revoked.
func (p *Policy) check(user opsec.Actor, proofs []Proof, since, now time.Time) ([]Factor, error) {
	if len(proofs) == 0 || len(proofs) > MaxFactors {
		return nil, fmt.Errorf("%w: %d proofs, want 1 to %d", ErrProof, len(proofs), MaxFactors)
	}
	var list Session
	for i, proof := range proofs {
		why := ""
		switch {
		case isNil(proof):
			why = "nil"
		case proof.Account() == "" || proof.Tenant() != user.Tenant || proof.Account() != user.Account:
			why = "zero, or of another account"
		case !validName(proof.Factor()):
			why = "of a factor without a name"
		case proof.At().IsZero() || now.Sub(proof.At()) > p.Fresh || proof.At().Sub(now) > p.Fresh:
			why = "too old, or of the future"
		case !since.IsZero() && !proof.At().After(since):
			why = "older than a revocation"
		}
		if why != "" {
			return nil, fmt.Errorf("%w: proof %d is %s", ErrProof, i+1, why)
		}
		at := instant(proof.At())
		if at.After(now) {
			at = now
		}
		if err := list.prove([]Factor{{proof.Factor(), at}}); err != nil {
			return nil, err
		}
	}
	return list.Factors, nil
}

// isNil also knows a nil pointer in an interface.
func isNil(p Proof) bool {
	if p == nil {
		return true
	}
	v := reflect.ValueOf(p)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

// validName accepts 1 to 64 ASCII letters, digits, '.', '_', ':', '/' and '-': no commas, so that events can list names.
func validName(s string) bool {
	return 0 < len(s) && len(s) <= maxName && strings.IndexFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("._:/-", r))
	}) < 0
}

// instant is a time as it is kept: in UTC, without a reading of the monotonic clock.
func instant(t time.Time) time.Time { return t.UTC().Round(0) }
