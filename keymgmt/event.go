package keymgmt

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cloudopsec/opsec"
)

// Verb is what happens to a key or a keyset.
type Verb string

// The verbs on a key, which are those of an [Event].
const (
	Generate      Verb = "generate"
	Expect        Verb = "expect" // material is to be imported
	Import        Verb = "import"
	Link          Verb = "link" // the material is with a third party
	Activate      Verb = "activate"
	Suspend       Verb = "suspend"
	Resume        Verb = "resume"
	Deactivate    Verb = "deactivate"
	Compromise    Verb = "compromise"
	Count         Verb = "count" // a census
	Schedule      Verb = "schedule-destruction"
	Cancel        Verb = "cancel-destruction"
	Fail          Verb = "fail-destruction"
	Destroy       Verb = "destroy"
	ForceDestroy  Verb = "force-destroy" // without a census
	Unlink        Verb = "unlink"        // this side's end of a key whose material is with a third party
	ChangePeriods Verb = "change-periods"
)

// The verbs on a keyset.
const (
	Create  Verb = "create"
	Rotate  Verb = "rotate"
	Update  Verb = "update"
	BackUp  Verb = "back-up"
	Recover Verb = "recover"
	Grant   Verb = "grant"  // of roles
	Reveal  Verb = "export" // of a key's material
	Retire  Verb = "retire" // its own key-encryption key is destroyed
)

// The bounds of a key's events, so that all of them fit one document.
const (
	MaxSteps  = 64  // events of one key; the last places are kept for its end
	MaxReason = 200 // bytes; the event in the audit log has room for more
	maxBy     = 260 // a tenant, "/", a person
	maxToken  = 128
)

// known reports whether v is one of the verbs.
func (v Verb) known() bool {
	switch v {
	case Create, Rotate, Update, BackUp, Recover, Grant, Reveal, Retire:
		return true
	}
	return transitions[v] != [states]State{}
}

// Event is one thing that has happened to a key. What does not belong to the verb is zero.
type Event struct {
	Verb     Verb      `json:"verb"`
	Time     time.Time `json:"time"` // that of [Key.Changed] afterwards
	By       string    `json:"by"`   // the person: 1 to 260 bytes, without '<', '>', '&'
	Reason   string    `json:"reason,omitempty"`
	Approval opsec.ID  `json:"approval,omitempty"`

	Algorithm    Algorithm `json:"algorithm,omitempty"`    // generate, expect, import, link
	Previous     uint32    `json:"previous,omitempty"`     // generate, expect, link
	ProtectUntil time.Time `json:"protect_until,omitzero"` // activate, link, change-periods
	ProcessUntil time.Time `json:"process_until,omitzero"`
	Since        time.Time `json:"since,omitzero"` // compromise: when it happened
	After        time.Time `json:"after,omitzero"` // schedule: not before
	Census       *Census   `json:"census,omitempty"`
}

// The fields of an Event that belong to some verbs alone.
const (
	hasAlgorithm = 1 << iota
	hasPrevious
	hasPeriods
	hasSince
	hasAfter
	hasCensus
)

// fields says which of them a verb has; wants, which must be there.
func (v Verb) fields() (has, wants int) {
	switch v {
	case Generate, Expect:
		return hasAlgorithm | hasPrevious, hasAlgorithm
	case Import:
		return hasAlgorithm, hasAlgorithm
	case Link:
		return hasAlgorithm | hasPrevious | hasPeriods, hasAlgorithm | hasPeriods
	case Activate, ChangePeriods:
		return hasPeriods, hasPeriods
	case Compromise:
		return hasSince, hasSince
	case Count:
		return hasCensus, hasCensus
	case Schedule:
		return hasAfter, hasAfter
	}
	return 0, 0
}

func (e Event) validate(at time.Time) error {
	if !validTime(at) {
		return invalid("event: time: want a year from 1 to 9999")
	}
	if e.By == "" || !text(e.By, maxBy) || strings.ContainsAny(e.By, "<>&") {
		return invalid("event: by: want 1 to %d bytes of UTF-8 without control characters, '<', '>', '&'", maxBy)
	}
	if !text(e.Reason, MaxReason) {
		return invalid("event: reason: want up to %d bytes of UTF-8 without control characters", MaxReason)
	}
	if e.Approval != "" && e.Approval.Validate() != nil {
		return invalid("event: approval: not an id")
	}
	given := 0
	for i, there := range []bool{
		e.Algorithm != "", e.Previous != 0, !e.ProtectUntil.IsZero() || !e.ProcessUntil.IsZero(), !e.Since.IsZero(),
		!e.After.IsZero(), e.Census != nil,
	} {
		if there {
			given |= 1 << i
		}
	}
	has, wants := e.Verb.fields()
	switch {
	case given&^has != 0 || wants&^given != 0:
		return invalid("event: %s: a field is missing or does not belong to it", e.Verb)
	case !token(string(e.Algorithm)):
		return invalid("event: algorithm: want up to %d ASCII letters, digits and _-+/=:.", maxToken)
	case !validTime(e.ProtectUntil) || !validTime(e.ProcessUntil) || !validTime(e.Since) || !validTime(e.After):
		return invalid("event: a time is not in a year from 1 to 9999")
	case e.Since.After(at):
		return invalid("event: since: in the future")
	case e.Verb == Schedule && e.After.Before(at):
		return invalid("event: after: in the past")
	}
	return e.Census.validate(at)
}

func (c *Census) validate(at time.Time) error {
	switch {
	case c == nil:
		return nil
	case !validTime(c.Time) || c.Time.IsZero() || c.Time.After(at):
		return invalid("census: time: not set, or in the future")
	case c.Objects > c.Of:
		return invalid("census: %d objects of %d", c.Objects, c.Of)
	case !token(c.Digest):
		return invalid("census: digest: want up to %d ASCII letters, digits and _-+/=:.", maxToken)
	}
	return nil
}

func validTime(t time.Time) bool { y := t.UTC().Year(); return 1 <= y && y <= 9999 }

func instant(t time.Time) time.Time { return t.UTC().Round(0) }

// text reports whether s is UTF-8 of at most most bytes without control characters.
func text(s string, most int) bool {
	return len(s) <= most && utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
}

// token reports whether s is short, and of characters that no encoding makes longer.
func token(s string) bool {
	return len(s) <= maxToken && strings.IndexFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("_-+/=:.", r))
	}) < 0
}
