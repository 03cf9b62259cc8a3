package keymgmt

import (
	"fmt"
	"time"

	"github.com/cloudopsec/opsec"
)

// Effect is what must be done outside after an event.
type Effect string

// The effects.
const (
	Publish Effect = "publish" // nodes take the keyset anew
	Purge   Effect = "purge"   // nodes drop the key from their memory
	Replace Effect = "replace" // the keyset needs another primary, if this was it
	Taint   Effect = "taint"   // what depends on the key is to be looked at
	Erase   Effect = "erase"   // the material is to be destroyed
)

// What a transition leads to beside a State.
const (
	stay   State = states + iota // where it is
	resume                       // Key.Resumes
	before                       // Key.Before
	end                          // Destroyed, or DestroyedCompromised with the mark
)

// transitions is the table: where a verb leads from each state. What it leaves out cannot happen.
//
// It has the transitions of SP 800-57 part 1, section 7 (as read in revision 4), except that what ends in destruction goes
// through DestroyScheduled. It adds that a deactivated key can be suspended: one version in the middle is shut while it is
// examined.
var transitions = map[Verb][states]State{
	Generate: {0: PreActivation},
	Expect:   {0: Importing},
	Link:     {0: External},
	Import:   {Importing: PreActivation},
	Activate: {PreActivation: Active},
	Suspend:  {Active: Suspended, External: Suspended, Deactivated: Suspended},
	Resume:   {Suspended: resume},
	Deactivate: {
		Active: Deactivated, External: Deactivated, Suspended: Deactivated,
	},
	Compromise: {
		PreActivation: Compromised, Active: Compromised, Suspended: Compromised, Deactivated: Compromised,
		Compromised: stay, External: Compromised, DestroyScheduled: stay, DestroyFailed: stay,
		Destroyed: DestroyedCompromised, DestroyedCompromised: stay,
	},
	ChangePeriods: {Active: stay, Suspended: stay, Deactivated: stay, External: stay},
	Count: {
		Active: stay, Suspended: stay, Deactivated: stay, Compromised: stay, External: stay, DestroyScheduled: stay,
		DestroyFailed: stay,
	},
	Schedule: {
		PreActivation: DestroyScheduled, Active: DestroyScheduled, Suspended: DestroyScheduled,
		Deactivated: DestroyScheduled, Compromised: DestroyScheduled, Importing: DestroyScheduled,
		External: DestroyScheduled,
	},
	Cancel:       {DestroyScheduled: before},
	Fail:         {DestroyScheduled: DestroyFailed, Destroyed: DestroyFailed, DestroyedCompromised: DestroyFailed},
	Destroy:      {DestroyScheduled: end, DestroyFailed: end},
	ForceDestroy: {DestroyScheduled: end, DestroyFailed: end},
	Unlink:       {DestroyScheduled: end, DestroyFailed: end},
}

// places says up to how many events a verb may add to, so that the verbs at the end of a life always find a place.
func places(v Verb, s State) int {
	switch v {
	case Destroy, ForceDestroy, Unlink:
		return MaxSteps
	case Fail:
		return MaxSteps - 1
	case Schedule:
		return MaxSteps - 2
	case Compromise:
		return MaxSteps - 3
	case Deactivate:
		return MaxSteps - 4
	case Count:
		if !s.protects() {
			return MaxSteps - 5
		}
	}
	return MaxSteps - 8
}

// Apply returns the key after an event at the time now, and what must be done outside. It is pure. A clock that has gone
// back does not: an event is never before the last one. Record the event with the key's new [Key.Changed] as its Time.
//
// A new key begins with the zero State: Apply(Key{Ref: ref}, ...).
//
// It returns a [*StateError] for a verb that the state does not allow, an [*EarlyError] for a destruction before its time or
// while the census leaves anything, and an error that wraps [opsec.ErrInvalid] for an event that breaks its rules. Who may
// do what, the consent of others, the figures of the policy and the fences of nodes are for the caller to check.
func Apply(k Key, e Event, now time.Time) (Key, []Effect, error) {
	to, err := target(k, e)
	if err != nil {
		return k, nil, err
	}
	at := instant(now)
	if at.Before(k.Changed) {
		at = k.Changed
	}
	after, err := k.change(e, at)
	if err != nil {
		return k, nil, err
	}
	switch to {
	case stay:
		to = k.State
	case resume:
		to, after.Resumes = k.Resumes, 0
	case before:
		to, after.Before, after.DestroyAfter = k.Before, 0, time.Time{}
	case end:
		to, after.Destroyed = Destroyed, at
		if !after.Compromised.IsZero() {
			to = DestroyedCompromised
		}
	}
	switch was, is := k.State.protects(), to.protects(); {
	case is:
		after.Deactivated = time.Time{}
	case was: // what was counted until now says nothing of what it has protected since
		after.Deactivated, after.Census = at, nil
	}
	after.State, after.Changed, after.Steps = to, at, k.Steps+1
	return after, effects(k, after, e.Verb), nil
}

// Replay returns the key that events make of nothing, in their order. Nothing but such events is accepted: an error that
// wraps [opsec.ErrInvalid] names the first that could not have happened, so that a record which no life could have left
// behind is found.
func Replay(ref Ref, events []Event) (Key, error) {
	k := Key{Ref: ref}
	if err := ref.Validate(); err != nil {
		return Key{}, err
	}
	for i, e := range events {
		next, _, err := Apply(k, e, e.Time)
		if err != nil {
			return Key{}, invalid("key %s: event %d of %d could not have happened: %v", ref, i+1, len(events), err)
		}
		if !next.Changed.Equal(e.Time) {
			return Key{}, invalid("key %s: event %d of %d is earlier than the one before it", ref, i+1, len(events))
		}
		k = next
	}
	if k.State == 0 {
		return Key{}, invalid("key %s: no events", ref)
	}
	return k, nil
}

func (s State) protects() bool { return s == Active || s == External }

// target returns where the table leads.
func target(k Key, e Event) (State, error) {
	row, known := transitions[e.Verb]
	switch {
	case !known:
		return 0, invalid("event: verb: unknown")
	case k.State >= states:
		return 0, invalid("key: state: unknown")
	case row[k.State] == 0:
		return 0, &StateError{Ref: k.Ref, State: k.State, Verb: e.Verb}
	case k.Steps >= places(e.Verb, k.State):
		return 0, invalid("event: key %s has had %d events, which leaves no place for %s", k.Ref, k.Steps, e.Verb)
	case e.Verb == Unlink && !k.External, (e.Verb == Destroy || e.Verb == ForceDestroy) && k.External:
		return 0, invalid("event: %s: the material of key %s is with a third party: %v", e.Verb, k.Ref, k.External)
	}
	return row[k.State], nil
}

// change returns k with what the event says, its state left as it was.
func (k Key) change(e Event, at time.Time) (Key, error) {
	if err := e.validate(at); err != nil {
		return k, err
	}
	switch e.Verb {
	case Generate, Expect, Link:
		if err := k.Ref.Validate(); err != nil {
			return k, err
		}
		if e.Previous == k.Ref.Key {
			return k, invalid("event: previous: is the key itself")
		}
		k.Algorithm, k.Previous, k.Created, k.External = e.Algorithm, e.Previous, at, e.Verb == Link
	case Import:
		if e.Algorithm != k.Algorithm {
			return k, invalid("event: algorithm: another was expected")
		}
		k.Imported = true
	case Suspend:
		k.Resumes = k.State
	case Deactivate:
		k.Resumes = 0
	case Compromise:
		since := instant(e.Since)
		if !k.Compromised.IsZero() && !since.Before(k.Compromised) {
			return k, invalid("event: since: it is known to be compromised since then")
		}
		k.Compromised, k.Resumes = since, 0
		if k.Before != 0 {
			k.Before = Compromised
		}
	case Count:
		census := *e.Census
		census.Time = instant(census.Time)
		k.Census = &census
	case Schedule:
		k.Before, k.DestroyAfter = k.State, instant(e.After)
	case Fail:
		k.Destroyed, k.Before, k.Resumes = time.Time{}, 0, 0
	case Destroy, ForceDestroy, Unlink:
		k.Before, k.Resumes = 0, 0
		return k, k.mayEnd(e.Verb, at)
	}
	if e.Verb == Link || e.Verb == Activate {
		k.Activated = at
	}
	return k.changePeriods(e)
}

func (k Key) changePeriods(e Event) (Key, error) {
	if !e.ProtectUntil.IsZero() {
		k.ProtectUntil = instant(e.ProtectUntil)
	}
	if !e.ProcessUntil.IsZero() {
		k.ProcessUntil = instant(e.ProcessUntil)
	}
	if !k.Activated.IsZero() && (!k.ProtectUntil.After(k.Activated) || k.ProcessUntil.Before(k.ProtectUntil)) {
		return k, invalid("event: protect_until, process_until: want the first after the activation, the second not before the first")
	}
	return k, nil
}

// mayEnd says whether the waiting time has passed and, unless forced, nothing is left that only this key opens.
func (k Key) mayEnd(v Verb, at time.Time) error {
	switch {
	case at.Before(k.DestroyAfter):
		return &EarlyError{k.Ref, v, "it must wait until " + k.DestroyAfter.Format(time.RFC3339)}
	case v != Destroy || k.Activated.IsZero():
		return nil
	case k.Census == nil || k.Census.Time.Before(k.Deactivated):
		return &EarlyError{k.Ref, v, "there is no census since it protects no more"}
	case k.Census.Objects != 0:
		return &EarlyError{k.Ref, v, fmt.Sprintf("%d objects are left on it", k.Census.Objects)}
	}
	return nil
}

// EarlyError says why a key cannot be destroyed yet. It wraps [opsec.ErrDenied].
type EarlyError struct {
	Ref  Ref
	Verb Verb
	Why  string
}

func (e *EarlyError) Error() string {
	return fmt.Sprintf("keymgmt: key %s: no %s: %s: %v", e.Ref, e.Verb, e.Why, opsec.ErrDenied)
}

func (e *EarlyError) Unwrap() error { return opsec.ErrDenied }

func effects(was, is Key, v Verb) (list []Effect) {
	if was.State == is.State && was.ProtectUntil.Equal(is.ProtectUntil) && was.ProcessUntil.Equal(is.ProcessUntil) &&
		v != Compromise {
		return nil
	}
	list = append(list, Publish)
	if allowed[was.State]&^allowed[is.State]&processing != 0 || v == Compromise {
		list = append(list, Purge)
	}
	if was.State.protects() && !is.State.protects() {
		list = append(list, Replace)
	}
	if v == Compromise {
		list = append(list, Taint)
	}
	if is.State.Final() && !was.State.Final() {
		list = append(list, Erase)
	}
	return list
}
