package approval

import (
	"errors"
	"fmt"
	"time"

	"github.com/cloudopsec/opsec"
)

const (
	maxBeneficiaries = 16
	maxReason        = 2 << 10
	maxSignature     = 8 << 10
	clockSkew        = 5 * time.Minute // between a signer's clock and the caller's
)

func (r *Request) validate() error {
	if err := r.Action.validate(); err != nil {
		return err
	}
	if err := r.Policy.Validate(); err != nil {
		return err
	}
	if err := r.ID.Validate(); err != nil {
		return invalid("request.id: %v", err)
	}
	if len(r.For) > maxBeneficiaries {
		return invalid("request.for: %d, at most %d", len(r.For), maxBeneficiaries)
	}
	for _, a := range append([]opsec.Actor{r.By}, r.For...) {
		if err := validActor(a); err != nil {
			return invalid("request.by, for: %v", err)
		}
		if a.Person == "" {
			return invalid("request.by, for: an account without a person: nobody is known to be another, so nobody could approve")
		}
	}
	switch {
	case r.By.Account == "":
		return invalid("request.by.account: empty")
	case !text(r.Reason, maxReason) || r.Reason == "" && !r.Policy.SkipReasons:
		return invalid("request.reason: want 1 to %d bytes", maxReason)
	case len(r.Nonce) < 16 || !text(r.Nonce, 128):
		return invalid("request.nonce: want 16 to 128 bytes")
	case r.Policy.Valid == 0 || r.Policy.UseWithin == 0:
		return invalid("request.policy: no durations")
	}
	return validTime(r.Time)
}

// validate checks the form of a step; whether it can follow the others is for [state.take].
func (s *Step) validate() error {
	if s.Verb == Expire {
		if s.By != clock() {
			return invalid("by: want the system")
		}
	} else if err := validActor(s.By); err != nil {
		return invalid("by: %v", err)
	} else if s.By.Account == "" {
		return invalid("by.account: empty")
	}
	decision := s.Verb == Approve || s.Verb == Reject || s.Verb == Retract
	switch {
	case !decision && s.Verb != Withdraw && s.Verb != Expire && s.Verb != Use:
		return invalid("verb: unknown")
	case !decision && (s.Stage != 0 || len(s.Signature) > 0):
		return invalid("stage, signature: belong to approve, reject, retract")
	case s.Stage < 0 || s.Stage >= MaxStages:
		return invalid("stage: want 0 to %d", MaxStages-1)
	case (s.Verb == Retract || !decision) && len(s.Roles) > 0:
		return invalid("roles: belong to approve, reject")
	case !text(s.Reason, maxReason):
		return invalid("reason: want UTF-8 of up to %d bytes", maxReason)
	case len(s.Signature) > maxSignature || (len(s.Signature) == 0) != s.SignedAt.IsZero():
		return invalid("signature, signed_at: want both or none, up to %d bytes", maxSignature)
	}
	if !s.SignedAt.IsZero() {
		if err := validTime(s.SignedAt); err != nil {
			return err
		}
	}
	return validTime(s.Time)
}

func validActor(a opsec.Actor) error {
	if err := a.Tenant.Validate(); err != nil {
		return err
	}
	for _, s := range []string{a.Account, a.Person, a.Session, a.Terminal, a.IP.Zone()} {
		if !text(s, maxText) {
			return fmt.Errorf("want UTF-8 of up to %d bytes in each field", maxText)
		}
	}
	switch a.Kind {
	case "", opsec.Human, opsec.Service, opsec.System:
		return nil
	}
	return errors.New("kind: unknown")
}

func validTime(t time.Time) error {
	if y := t.UTC().Year(); t.IsZero() || y < 1 || y > 9990 {
		return invalid("time: want one of the years 1 to 9990")
	}
	return nil
}
