package approval

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
)

const maxCaseBytes = 4 << 20 // of JSON: more than the other bounds let a case become

// Request is what is asked for. The caller of [New] fills in the first five fields, New the others.
type Request struct {
	Action Action        `json:"action"`
	By     opsec.Actor   `json:"by"`               // who asks; its Person must be known
	For    []opsec.Actor `json:"for,omitempty"`    // for whom, if for others: 16 at most, persons known; none of them approves
	Reason string        `json:"reason,omitempty"` // 2 KiB at most
	Policy Policy        `json:"policy"`           // as it was when asked

	ID    opsec.ID  `json:"id"`
	Nonce string    `json:"nonce"` // random, so that no two requests are signed alike
	Time  time.Time `json:"time"`
}

// Digest returns what names the request, with its action, its people, its policy and its nonce: the digest of its JSON.
// Every signature binds it.
func (r Request) Digest() Digest { return digestJSON("opsec/approval/request/v1", r) }

// digestJSON hashes what has been validated, and so has JSON of its own that nothing else has.
func digestJSON(purpose string, v any) Digest {
	b, _ := json.Marshal(v)
	return digestOf(purpose, string(b))
}

// Verb is what a step does.
type Verb string

// The verbs. The first three are decisions of approvers.
const (
	Approve  Verb = "approve"
	Reject   Verb = "reject"
	Retract  Verb = "retract"  // an approver takes an approval back, which ends the case as rejected
	Withdraw Verb = "withdraw" // the requester no longer asks
	Expire   Verb = "expire"   // time has run out
	Use      Verb = "use"      // the action is about to be done
)

const ask Verb = "request" // of an event, never of a step

// Decision is what somebody says about a case, and may have signed.
type Decision struct {
	Verb      Verb        `json:"verb"`
	Stage     int         `json:"stage,omitempty"` // the open one, from 0; of a Retract, the one that was approved
	By        opsec.Actor `json:"by"`              // as authenticated
	Reason    string      `json:"reason,omitempty"`
	SignedAt  time.Time   `json:"signed_at,omitzero"`  // by the signer's clock, five minutes off at most
	Signature []byte      `json:"signature,omitempty"` // over [Case.Message]; 8 KiB at most
}

// Step is one thing that has happened to a case.
type Step struct {
	Decision
	Roles []string  `json:"roles,omitempty"` // of an approver, established then: those that count in the stage
	Time  time.Time `json:"time"`            // by the case's clock, which never goes back
}

// Case is a request and all that has happened to it. It is a plain value: keep it as JSON wherever your other state is,
// and let two writers at once not both succeed. What it amounts to is always worked out from the history, by the same
// rules that each step had to pass, so that there is no status to set by hand. Nothing is ever removed.
//
// Its verbs (Decide, Withdraw, Expire, Use) return what becomes of it and the event to record. What they refuse changes
// nothing: the case comes back as it was. An error that wraps [opsec.ErrDenied] still comes with an event, which tells of
// the attempt; any other error comes without.
type Case struct {
	Request Request `json:"request"`
	History []Step  `json:"history,omitempty"`
}

// Status is where a case stands.
type Status string

// The statuses; all but the first two are final.
const (
	Pending   Status = "pending"
	Approved  Status = "approved" // and not yet used
	Rejected  Status = "rejected" // or an approval was retracted
	Withdrawn Status = "withdrawn"
	Expired   Status = "expired" // before the last approval, or before the use
	Used      Status = "used"
)

// Standing is what a case amounts to at some time.
type Standing struct {
	Status   Status    `json:"status"`
	Stage    int       `json:"stage"`             // the open one, from 0; when approved, the number of stages
	Deadline time.Time `json:"deadline,omitzero"` // when it expires; zero when it has ended by a step
}

// At returns where the case stands at the time now, or an error wrapping [opsec.ErrInvalid] if its history is not one
// that could have happened.
func (c Case) At(now time.Time) (Standing, error) {
	s, err := c.replay()
	s.Status = s.at(now)
	return s.Standing, err
}

// Verify does what At does and checks every signature too, so that a stored case with a forged one is refused
// ([ErrSignature]). What it cannot see is that steps have been left out, or what was not signed changed, where
// the rest still makes sense: for that, compare the attribute "case_digest" of the last event with [Case.Digest].
func (c Case) Verify(keys Verifier) error {
	if _, err := c.replay(); err != nil {
		return err
	}
	request := c.Request.Digest()
	for i := range c.History {
		if err := c.Request.verify(request, &c.History[i].Decision, keys); err != nil {
			return err
		}
	}
	return nil
}

// Digest returns what names the case with all of its history.
func (c Case) Digest() Digest { return digestJSON("opsec/approval/case/v1", c) }

// UnmarshalJSON implements [json.Unmarshaler]. It accepts what At accepts, of 4 MiB at most, and leaves c as it was when
// it fails. It checks no signatures: see [Case.Verify].
func (c *Case) UnmarshalJSON(data []byte) error {
	type plain Case
	var fields plain
	if err := decode(data, &fields, maxCaseBytes); err != nil {
		return invalid("case: %v", err)
	}
	read := Case(fields)
	if _, err := read.replay(); err != nil {
		return err
	}
	*c = read
	return nil
}

// state is what a history amounts to.
type state struct {
	Standing
	clock time.Time // of the last step
	past  []Step
}

// at returns the status at the time now. The last step, whatever its time, was taken before the deadline.
func (s *state) at(now time.Time) Status {
	if !s.Deadline.IsZero() && !now.Before(s.Deadline) {
		return Expired
	}
	return s.Status
}

// replay works out the state from the request and the history.
func (c *Case) replay() (state, error) {
	r := &c.Request
	if err := r.validate(); err != nil {
		return state{}, err
	}
	s := state{clock: r.Time, Standing: Standing{Status: Pending, Deadline: r.Time.Add(r.Policy.Valid)}}
	for i := range c.History {
		step := &c.History[i]
		err := step.validate()
		if err == nil {
			err = s.take(r, step)
		}
		if err != nil {
			return state{}, invalid("case: history[%d]: %v", i, err)
		}
	}
	return s, nil
}

// may reports whether a step of this verb can follow, at the status of its time.
func (s *state) may(v Verb, status Status) bool {
	switch v {
	case Approve, Reject:
		return status == Pending
	case Retract, Withdraw:
		return status == Pending || status == Approved
	case Use:
		return status == Approved
	}
	return status == Expired && s.Status != Expired // Expire, once
}

// take adds a step to the state, or says why it cannot follow; s is then of no more use.
func (s *state) take(r *Request, step *Step) (err error) {
	decision := step.Verb == Approve || step.Verb == Reject
	switch status := s.at(step.Time); {
	case step.Time.Before(s.clock):
		return invalid("time: before that of the step before")
	case !s.may(step.Verb, status):
		return StatusError{status}
	case decision && len(s.past) >= MaxSteps-1:
		return invalid("case: %d steps; the last place is for its end", MaxSteps)
	}
	switch step.Verb {
	case Approve, Reject:
		err = s.decide(r, step)
	case Retract:
		approved := func(p Step) bool { return p.Verb == Approve && p.Stage == step.Stage && samePerson(p.By, step.By) }
		if !slices.ContainsFunc(s.past, approved) {
			return ErrNotEligible
		}
		err = r.documented(step)
		s.Status = Rejected
	case Withdraw:
		if !samePerson(r.By, step.By) {
			return ErrNotEligible
		}
		s.Status = Withdrawn
	case Expire:
		s.Status = Expired
	case Use:
		s.Status = Used
	}
	if s.Status != Pending && s.Status != Approved {
		s.Deadline = time.Time{}
	}
	s.clock, s.past = step.Time, append(s.past, *step)
	return err
}

// decide is what an approval or a rejection does to the open stage.
func (s *state) decide(r *Request, step *Step) error {
	p := &r.Policy
	for _, a := range append([]opsec.Actor{r.By}, r.For...) {
		if !step.By.DistinctFrom(a) {
			return ErrSamePerson
		}
	}
	if step.Stage != s.Stage {
		return ErrStage
	}
	stage := p.Stages[s.Stage]
	if len(step.Roles) == 0 || len(r.counting(s.Stage, step.By, step.Roles)) != len(step.Roles) ||
		step.By.Kind != opsec.Human && !p.InsecureNonHuman {
		return ErrNotEligible
	}
	if err := r.documented(step); err != nil {
		return err
	}
	same := []Step{*step} // of this stage and this verb
	for _, past := range s.past {
		if samePerson(past.By, step.By) && (past.Stage == s.Stage || !p.InsecureManyStages) {
			return ErrDecided
		}
		if past.Stage == s.Stage && past.Verb == step.Verb {
			same = append(same, past)
		}
	}
	switch {
	case step.Verb == Reject && len(same) >= max(stage.Rejections, 1):
		s.Status = Rejected
	case step.Verb == Approve && r.met(stage.Rule, same):
		if s.Stage++; s.Stage == len(p.Stages) {
			s.Status, s.Deadline = Approved, step.Time.Add(p.UseWithin)
		}
	}
	return nil
}

// documented reports whether a decision has the reason and the signature that the policy asks for. Whether the signature
// is right is for [Request.verify].
func (r *Request) documented(step *Step) error {
	switch {
	case step.Reason == "" && !r.Policy.SkipReasons:
		return invalid("reason: empty")
	case len(step.Signature) == 0 && !r.Policy.SkipSignatures:
		return fmt.Errorf("%w: none given", ErrSignature)
	case len(step.Signature) > 0 && (step.SignedAt.Before(r.Time.Add(-clockSkew)) || step.SignedAt.After(step.Time.Add(clockSkew))):
		return fmt.Errorf("%w: signed before the request or in the future", ErrSignature)
	}
	return nil
}

// samePerson reports whether two accounts are known to belong to one person.
func samePerson(a, b opsec.Actor) bool {
	return a.Person != "" && a.Person == b.Person && a.Tenant == b.Tenant
}
