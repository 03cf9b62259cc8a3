package ceremony

import (
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt/custody/shares"
)

// Purpose is what shares are handed in for.
type Purpose string

// The purposes.
const (
	Recover  Purpose = "recover"  // the secret, for a function that gets it once: unsealing
	Rehearse Purpose = "rehearse" // a proof that the shares still open
	Renew    Purpose = "renew"    // new shares for old
)

// Status is where a ceremony stands. All but the first three are final.
type Status string

// The statuses.
const (
	Waiting Status = "waiting" // for more shares
	Ready   Status = "ready"   // enough shares, and more may come
	Running Status = "running" // the purpose is being served
	Done    Status = "done"
	Failed  Status = "failed"
	Aborted Status = "aborted"
	Expired Status = "expired"
)

// Verb is what a step does.
type Verb string

// The verbs.
const (
	Submit Verb = "submit"
	Start  Verb = "start"
	Finish Verb = "finish"
	Fail   Verb = "fail"
	Abort  Verb = "abort"
	Expire Verb = "expire"
)

// Step is one thing that happens to a ceremony.
type Step struct {
	Verb  Verb        `json:"verb"`
	By    opsec.Actor `json:"by"`
	Index int         `json:"index,omitempty"` // of the share, of a submission
	Time  time.Time   `json:"time"`
}

// State is what has happened to a ceremony: data to show, without any secret.
type State struct {
	ID        opsec.ID      `json:"id"`
	Purpose   Purpose       `json:"purpose"`
	Reason    string        `json:"reason"`
	Set       shares.Digest `json:"set"` // the id of the set
	Threshold int           `json:"threshold"`
	Shares    int           `json:"shares"`
	By        opsec.Actor   `json:"by"` // who opened it
	Opened    time.Time     `json:"opened"`
	Deadline  time.Time     `json:"deadline"` // the first moment at which it is over, unless it is running

	InsecureOpenerHolds bool `json:"insecure_opener_holds,omitempty"` // see [Request]

	Status  Status `json:"status"`
	History []Step `json:"history,omitempty"`
}

// Submitted returns the indexes of the shares that were handed in, in the order in which they came.
func (s State) Submitted() (indexes []int) {
	for _, step := range s.History {
		if step.Verb == Submit {
			indexes = append(indexes, step.Index)
		}
	}
	return indexes
}

// Over reports whether the status is final.
func (s State) Over() bool {
	return s.Status != Waiting && s.Status != Ready && s.Status != Running
}

// Apply returns the state after a step, or an error that wraps [opsec.ErrDenied] and the state as it was. A step that comes
// earlier than the one before is taken to be as late as that.
func (s State) Apply(step Step) (State, error) {
	last := s.Opened
	if n := len(s.History); n > 0 {
		last = s.History[n-1].Time
	}
	if step.Time.Before(last) {
		step.Time = last
	}
	status, err := s.after(step)
	if err != nil {
		return s, err
	}
	s.Status = status
	s.History = append(slices.Clip(s.History), step)
	return s, nil
}

// after returns the status after a step.
func (s *State) after(step Step) (Status, error) {
	late := !step.Time.Before(s.Deadline)
	switch step.Verb {
	case Finish, Fail:
		if s.Status == Running {
			return map[Verb]Status{Finish: Done, Fail: Failed}[step.Verb], nil
		}
	case Expire:
		if late && (s.Status == Waiting || s.Status == Ready) {
			return Expired, nil
		}
	case Abort:
		if s.Status == Waiting || s.Status == Ready {
			return Aborted, nil
		}
	case Start:
		if !late && s.Status == Ready {
			return Running, nil
		}
	case Submit:
		if !late && (s.Status == Waiting || s.Status == Ready) {
			return s.submit(step)
		}
	default:
		return "", invalid("verb: unknown")
	}
	if late && (s.Status == Waiting || s.Status == Ready) {
		return "", StatusError{Expired}
	}
	return "", StatusError{s.Status}
}

func (s *State) submit(step Step) (Status, error) {
	switch {
	case step.By.Person == "" || step.Index < 1 || step.Index > s.Shares:
		return "", ErrNotHolder
	case !s.InsecureOpenerHolds && !step.By.DistinctFrom(s.By):
		return "", ErrOpener
	}
	for _, past := range s.History {
		if !past.By.DistinctFrom(step.By) || past.Index == step.Index {
			return "", ErrSubmitted
		}
	}
	if len(s.History)+1 >= s.Threshold {
		return Ready, nil
	}
	return Waiting, nil
}
