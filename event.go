package opsec

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// The bounds of an [Event], so that every sink can hold it. Lengths are in bytes.
const (
	MaxAttrs    = 64       // attributes, and permissions granted or cancelled together
	MaxKeyLen   = 128      // an attribute's key, an action
	MaxValueLen = 8 << 10  // any other text
	maxEventLen = 56 << 10 // all text together; a transparency log's entry holds 64 KiB
)

// Attr is one more thing to say about an event.
type Attr struct {
	Key   string      `json:"key"`
	Value string      `json:"value,omitempty"`
	Mark  Sensitivity `json:"mark,omitempty"` // unmarked counts as Personal
}

// Format implements [fmt.Formatter]: "key=value" under every verb, without the value of a [Secret].
func (a Attr) Format(f fmt.State, _ rune) {
	if a.Mark == Secret {
		a.Value = "[secret]"
	}
	fmt.Fprintf(f, "%s=%s", a.Key, a.Value)
}

// LogValue implements [slog.LogValuer] by Format.
func (a Attr) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(a)) }

// Event is the record of one thing that was done, tried or refused. Its own fields have fixed marks: Actor.Person,
// Actor.Account, Actor.IP, Actor.Terminal and Actor.Session are [Personal], likewise those of OnBehalfOf; all others
// are [Tenant]. [Event.Redacted] knows them.
type Event struct {
	ID         ID        `json:"id"`                    // fixed by NewEvent; the same in every delivery
	Time       time.Time `json:"time"`                  // when it happened
	Tenant     TenantID  `json:"tenant"`                // whose record it is
	Class      Class     `json:"class"`                 // how hard recording must be
	Category   Category  `json:"category,omitempty"`    // which fields must be there
	Action     string    `json:"action"`                // "room.verb", a constant of the room that emits it
	Outcome    Outcome   `json:"outcome"`               // how it ended
	System     string    `json:"system,omitempty"`      // the system logged in to, or acted through
	Actor      Actor     `json:"actor"`                 // who: the operator, the person logging in
	OnBehalfOf *Actor    `json:"on_behalf_of,omitzero"` // for whom the actor acts, when not for itself
	Resource   Resource  `json:"resource,omitzero"`     // on what
	Granted    []string  `json:"granted,omitempty"`     // permissions given (authorization)
	Cancelled  []string  `json:"cancelled,omitempty"`   // permissions taken (authorization)
	Began      time.Time `json:"began,omitzero"`        // the start of what this ends: on a log-out, the log-in time
	Intent     ID        `json:"intent,omitempty"`      // the event of Begin, on the event of its End
	Reason     string    `json:"reason,omitempty"`      // why, in the operator's words or an error's
	Attrs      []Attr    `json:"attrs,omitempty"`       // anything more
}

// NewEvent returns an [Event] with its id fixed, of class [Standard], in the name of [Provider]; the caller fills in
// the rest.
func NewEvent(action string, at time.Time) *Event {
	return &Event{ID: NewID(), Time: at, Tenant: Provider, Class: Standard, Action: action}
}

// Validate returns an error wrapping [ErrInvalid] that names the first field that is missing or out of bounds. Beside
// the fields that every event has:
//
//   - an [Authentication] needs System, Actor.Account, Actor.IP, Actor.Terminal and a final Outcome; a log-out has the
//     log-in time in Began;
//   - an [Authorization] needs Actor.Account (the operator), Actor.IP and a permission, Granted or Cancelled.
func (e *Event) Validate() error {
	if err := errors.Join(e.ID.Validate(), e.Tenant.Validate()); err != nil {
		return err
	}
	switch {
	case e.Time.IsZero() || !fourDigitYear(e.Time) || !fourDigitYear(e.Began) || e.Began.After(e.Time):
		return missing("time, began: want years from 1 to 9999, and began not later than time")
	case !validAction(e.Action):
		return missing("action: want lower-case words joined by dots, 128 bytes at most")
	case rank(e.Class, Critical, Standard, BestEffort) == 0:
		return missing("class: unset or unknown")
	case rank(e.Category, "", Authentication, Authorization) == 0:
		return missing("category: unknown")
	case rank(e.Outcome, Success, Failure, Denied, Pending, Unknown) == 0:
		return missing("outcome: unset or unknown")
	case e.Category != "" && e.Actor.Account == "":
		return missing("actor.account: needed by 8.1.2")
	case e.Category != "" && !e.Actor.IP.IsValid():
		return missing("actor.ip: needed by 8.1.2")
	case e.Category == Authentication && e.System == "":
		return missing("system: needed by 8.1.2")
	case e.Category == Authentication && e.Actor.Terminal == "":
		return missing("actor.terminal: needed by 8.1.2")
	case e.Category == Authentication && e.Outcome == Pending:
		return missing("outcome: an authentication has a result (8.1.2)")
	case e.Category == Authorization && len(e.Granted)+len(e.Cancelled) == 0:
		return missing("granted, cancelled: an authorization names permissions (8.1.2)")
	}
	return e.validateSizes()
}

func missing(what string) error { return fmt.Errorf("opsec: event: %s: %w", what, ErrInvalid) }

func fourDigitYear(t time.Time) bool { y := t.UTC().Year(); return 1 <= y && y <= 9999 }

// validAction accepts what fits a constant: dot-joined words of lower-case letters, digits, '_' and '-'.
func validAction(s string) bool {
	if s == "" || len(s) > MaxKeyLen || s[0] == '.' || s[len(s)-1] == '.' {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '_', c == '-', c == '.' && s[i-1] != '.':
		default:
			return false
		}
	}
	return true
}

func (e *Event) validateSizes() error {
	if len(e.Attrs) > MaxAttrs || len(e.Granted)+len(e.Cancelled) > MaxAttrs {
		return missing(fmt.Sprintf("attrs: %d; granted and cancelled: %d; want at most %d of each",
			len(e.Attrs), len(e.Granted)+len(e.Cancelled), MaxAttrs))
	}
	longest, sum := 0, 0
	add := func(texts ...string) {
		for _, s := range texts {
			longest, sum = max(longest, len(s)), sum+len(s)
		}
	}
	for _, a := range []*Actor{&e.Actor, e.OnBehalfOf} {
		if a != nil {
			add(string(a.Tenant), a.Account, a.Person, string(a.Kind), a.Session, a.Terminal, a.IP.Zone())
		}
	}
	add(e.System, e.Reason, string(e.Resource.Tenant), e.Resource.Type, e.Resource.ID, string(e.Intent))
	add(e.Granted...)
	add(e.Cancelled...)
	for i := range e.Attrs {
		a := &e.Attrs[i]
		if a.Key == "" || len(a.Key) > MaxKeyLen || a.Mark.rank() > Secret.rank() {
			return missing(fmt.Sprintf("attrs[%d]: want a key of 1 to %d bytes and a known mark", i, MaxKeyLen))
		}
		add(a.Key, a.Value)
	}
	if longest > MaxValueLen || sum > maxEventLen {
		return missing(fmt.Sprintf("longest text %d bytes, all text %d: want at most %d and %d",
			longest, sum, MaxValueLen, maxEventLen))
	}
	return nil
}

// Redacted returns a copy in which every value more sensitive than most is replaced by its mark in brackets, such as
// "[personal]"; an IP address is dropped.
func (e *Event) Redacted(most Sensitivity) *Event {
	r := *e
	if Personal.Exceeds(most) {
		r.Actor = e.Actor.redacted()
		if e.OnBehalfOf != nil {
			r.OnBehalfOf = new(e.OnBehalfOf.redacted())
		}
	}
	if Tenant.Exceeds(most) {
		r.System, r.Reason = masked(e.System, Tenant), masked(e.Reason, Tenant)
		r.Resource.ID = masked(e.Resource.ID, Tenant)
		r.Granted, r.Cancelled = maskedAll(e.Granted), maskedAll(e.Cancelled)
	}
	r.Attrs = slices.Clone(e.Attrs)
	for i, a := range r.Attrs {
		if a.Mark.Exceeds(most) {
			r.Attrs[i].Value = masked(a.Value, a.Mark)
		}
	}
	return &r
}

func (a Actor) redacted() Actor {
	return Actor{
		Tenant: a.Tenant, Kind: a.Kind,
		Account: masked(a.Account, Personal), Person: masked(a.Person, Personal),
		Session: masked(a.Session, Personal), Terminal: masked(a.Terminal, Personal),
	}
}

func masked(s string, mark Sensitivity) string {
	if s == "" {
		return ""
	}
	return "[" + string(cmp.Or(mark, Personal)) + "]"
}

func maskedAll(list []string) []string {
	list = slices.Clone(list)
	for i, s := range list {
		list[i] = masked(s, Tenant)
	}
	return list
}
