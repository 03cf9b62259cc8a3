package identity

import (
	"cmp"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
)

// The bounds of texts.
const (
	MaxProperties = 32 // of an account, and of a policy

	maxName     = 1024 // bytes
	maxPerson   = 128
	maxSystem   = 128
	maxProperty = 64
	maxValue    = 512
	maxReason   = 1024
)

// Step is one thing that happens to an account of a family. The steps of a family, in order, are its history.
type Step struct {
	Verb    Verb        `json:"verb"`
	Account opsec.ID    `json:"account"`
	Time    time.Time   `json:"time"`
	By      opsec.Actor `json:"by"` // by the directory's record, as far as it knows the account
	Reason  string      `json:"reason,omitempty"`
	Request opsec.ID    `json:"request,omitempty"` // the approval that it was done by

	New      *Account   `json:"new,omitempty"`   // Register: what the account is; its state and times are not looked at
	Cause    Cause      `json:"cause,omitempty"` // Disable; "" is ByAdministrator
	Holds    *Rights    `json:"holds,omitempty"` // Modify: what it holds from then on; nil is what it did
	MayGrant *Rights    `json:"may_grant,omitempty"`
	Expires  *time.Time `json:"expires,omitempty"`  // Modify: zero is never
	Property string     `json:"property,omitempty"` // Set, Plan, Cancel, Settle
	Value    string     `json:"value,omitempty"`    // Set, Plan; "" removes the property
	Due      time.Time  `json:"due,omitzero"`       // Plan
}

// Apply returns what becomes of the family by a step, at the step's time or, when the clock has gone back, at the time of the
// last one. It decides by nothing else, and changes neither f nor what s points to. It holds that
//
//   - a sub-account holds nothing that its main account may not grant: one that would is refused ([ErrBeyondMain]), and when the
//     main account may grant less, its sub-accounts are cut to what remains;
//   - who is suspended or disabled takes the sub-accounts along, and when the main account is active again they stand where they
//     would have, each for itself; what is deleted takes them along for ever;
//   - nothing happens to an account that [State.After] does not know ([StateError]).
//
// Other errors are [ErrMain], and what wraps [opsec.ErrInvalid] or [opsec.ErrNotFound].
func (f Family) Apply(s Step) (Family, error) {
	if s.Time.IsZero() || !text(s.Reason, maxReason) {
		return f, invalid("step: want a time, and a reason of at most %d bytes", maxReason)
	}
	now := s.Time.UTC().Round(0)
	if now.Before(f.Last) {
		now = f.Last
	}
	g := f.clone()
	if s.Verb == Register {
		if err := g.register(s, now); err != nil {
			return f, err
		}
	}
	a := g.Account(s.Account)
	if a == nil {
		return f, notFound("account")
	}
	if s.Verb != Register {
		if err := g.change(a, s, now); err != nil {
			return f, err
		}
	}
	if s.Verb == Forget {
		g.Subs = slices.DeleteFunc(g.Subs, func(sub Account) bool { return sub.ID == s.Account })
		g.Subs = append([]Account(nil), g.Subs...) // nil when there is none
	}
	g.align(now)
	for _, a := range g.All() {
		a.tidy()
	}
	g.Steps, g.Last = g.Steps+1, now
	return g, nil
}

// register adds the account of a step.
func (f *Family) register(s Step, now time.Time) error {
	if s.New == nil || s.New.ID != s.Account {
		return invalid("step: register: want the account")
	}
	n := s.New.clone()
	a := Account{
		ID: n.ID, Tenant: n.Tenant, Name: n.Name, Canonical: n.Canonical, Kind: n.Kind, Person: n.Person, Main: n.Main, System: n.System,
		Holds: n.Holds, MayGrant: n.MayGrant, Properties: n.Properties, Expires: n.Expires, State: Registered, Own: Registered, Since: now, Created: now,
	}
	if err := a.validate(); err != nil {
		return err
	}
	if !a.IsMain() {
		return f.adopt(a)
	}
	if f.Main.ID != "" {
		return &StateError{Register, f.Main.State}
	}
	f.Main = a
	return nil
}

// adopt adds a sub-account.
func (f *Family) adopt(a Account) error {
	living := 0
	for i := range f.Subs {
		if f.Subs[i].Own != Deleted {
			living++
		}
	}
	switch {
	case f.Main.ID == "" || a.Main != f.Main.ID || a.Tenant != f.Main.Tenant || a.Person != f.Main.Person:
		return invalid("account: main, tenant, person: not those of its main account")
	case f.Account(a.ID) != nil:
		return &StateError{Register, f.Account(a.ID).State}
	case f.Main.State != Active:
		return ErrMain
	case living >= MaxSubs || len(f.Subs) >= MaxSubs+MaxDeleted:
		return invalid("account: main: has %d sub-accounts and %d deleted ones, at most %d and %d", living, len(f.Subs)-living, MaxSubs, MaxDeleted)
	case !a.Holds.Within(f.Main.MayGrant):
		return ErrBeyondMain
	}
	f.Subs = append(f.Subs, a)
	return nil
}

// change does a step to an account that is there.
func (f *Family) change(a *Account, s Step, now time.Time) error {
	next, ok := a.Own.After(s.Verb)
	if !ok || (s.Verb == Plan || s.Verb == Settle) && a.State != Active {
		return &StateError{s.Verb, cmp.Or(a.State, a.Own)}
	}
	if up := s.Verb == Approve || s.Verb == Resume || s.Verb == Enable; up && !a.IsMain() && f.Main.State != Active {
		return ErrMain
	}
	switch s.Verb {
	case Approve:
		a.Approved = now
	case Refuse, Delete:
		a.end()
	case Disable:
		if a.Cause = cmp.Or(s.Cause, ByAdministrator); a.Cause != ByAdministrator && a.Cause != ByDormancy && a.Cause != ByExpiry {
			return invalid("step: cause: unknown")
		}
	case Enable:
		if a.expired(now) {
			return invalid("account: its time was over on %s: modify that first", a.Expires.Format(time.DateOnly))
		}
		a.Approved = now
	case Modify:
		if err := f.modify(a, s, now); err != nil {
			return err
		}
	case Review:
		a.Reviewed = now
	case Set, Plan, Cancel, Settle:
		if err := a.property(s, now); err != nil {
			return err
		}
	case Forget:
		if a.IsMain() && len(f.Subs) > 0 {
			return invalid("account: its sub-accounts are still remembered")
		}
	}
	if a.Own = next; a.IsMain() {
		a.show(next, now)
	}
	return nil
}

func (f *Family) modify(a *Account, s Step, now time.Time) error {
	if s.Holds == nil && s.MayGrant == nil && s.Expires == nil {
		return invalid("step: modify: nothing")
	}
	if s.MayGrant != nil {
		a.MayGrant = s.MayGrant.clone()
	}
	if s.Holds != nil {
		a.Holds = s.Holds.clone()
	}
	if s.Expires != nil {
		a.Expires = *s.Expires
	}
	if s.Request != "" {
		a.Approved = now
	}
	if !a.IsMain() && !a.Holds.Within(f.Main.MayGrant) {
		return ErrBeyondMain
	}
	return a.validate()
}

// end takes from an account what it needs no more.
func (a *Account) end() { a.Holds, a.MayGrant, a.Properties, a.Planned = Rights{}, Rights{}, nil, nil }

// tidy makes what is empty alike, as it is when it has been written and read.
func (a *Account) tidy() {
	for _, list := range []*[]string{&a.Holds.Roles, &a.Holds.Privileges, &a.MayGrant.Roles, &a.MayGrant.Privileges} {
		if len(*list) == 0 {
			*list = nil
		}
	}
	if len(a.Properties) == 0 {
		a.Properties = nil
	}
	if len(a.Planned) == 0 {
		a.Planned = nil
	}
}

// align brings the sub-accounts to what the main account admits.
func (f *Family) align(now time.Time) {
	for i := range f.Subs {
		a := &f.Subs[i]
		if f.Main.Own == Deleted && a.Own != Deleted {
			a.Own = Deleted
			a.end()
		}
		a.Holds = a.Holds.Common(f.Main.MayGrant)
		a.show(under(a.Own, f.Main.State), now)
	}
}

// under is where a sub-account stands by its main account's state.
func under(own, main State) State {
	switch {
	case main == Disabled && (own == Active || own == Suspended):
		return Disabled
	case main == Suspended && own == Active:
		return Suspended
	}
	return own
}

// show gives an account the state that others see, and the cause.
func (a *Account) show(s State, now time.Time) {
	if a.State != s {
		if (s == Disabled || a.State == Disabled) && !now.After(a.Since) {
			now = a.Since.Add(1) // an approval tells one time of being disabled from another, also when the clock stands
		}
		a.State, a.Since = s, now
	}
	switch {
	case s != a.Own:
		a.Cause = ByMain
	case s == Suspended:
		a.Cause = ByAdministrator
	case s != Disabled:
		a.Cause = ""
	}
}

func (a *Account) expired(now time.Time) bool { return !a.Expires.IsZero() && !now.Before(a.Expires) }

// validate looks at what does not change by itself.
func (a *Account) validate() error {
	switch {
	case a.ID.Validate() != nil || a.Tenant.Validate() != nil || a.Main != "" && a.Main.Validate() != nil:
		return invalid("account: id, tenant, main: malformed")
	case a.Name == "" || a.Canonical == "" || !text(a.Name, maxName) || !text(a.Canonical, maxName) || opsec.ID(strings.ToLower(a.Canonical)).Validate() == nil:
		return invalid("account: name: want 1 to %d bytes that are no UUID", maxName)
	case a.Person == "" || !text(a.Person, maxPerson) || !seen(a.Person):
		return invalid("account: person: want 1 to %d bytes in form NFKC that can be seen, with no space around", maxPerson)
	case a.IsMain() && (a.Kind != opsec.Human || a.System != ""):
		return invalid("account: a main account is a human's, and of no one system")
	case !a.IsMain() && (a.Kind != opsec.Human && a.Kind != opsec.Service || a.System == "" || !text(a.System, maxSystem) || !a.MayGrant.IsZero()):
		return invalid("account: a sub-account is of kind human or service, has a system of 1 to %d bytes, and may grant nothing", maxSystem)
	case len(a.Properties) > MaxProperties:
		return invalid("account: %d properties, want at most %d", len(a.Properties), MaxProperties)
	}
	for name, value := range a.Properties {
		if !validProperty(name, value) || value == "" {
			return invalid("account: properties: want names of 1 to %d and values of 1 to %d bytes", maxProperty, maxValue)
		}
	}
	if err := a.Holds.Validate(); err != nil {
		return err
	}
	return a.MayGrant.Validate()
}

func validProperty(name, value string) bool {
	return name != "" && text(name, maxProperty) && text(value, maxValue)
}

// property does a step about a property.
func (a *Account) property(s Step, now time.Time) error {
	if !validProperty(s.Property, s.Value) {
		return invalid("step: property: want a name of 1 to %d bytes and a value of at most %d", maxProperty, maxValue)
	}
	at := slices.IndexFunc(a.Planned, func(c Change) bool { return c.Property == s.Property })
	switch s.Verb {
	case Set:
		a.set(s.Property, s.Value)
	case Plan:
		if at >= 0 {
			return invalid("property: a change of it is planned already: cancel that first")
		}
		if !s.Due.After(now) {
			return invalid("step: due: not after now")
		}
		a.Planned = append(a.Planned, Change{s.Property, s.Value, now, s.Due})
		return nil
	default:
		if at < 0 {
			return notFound("planned change of the property")
		}
		if s.Verb == Settle {
			if now.Before(a.Planned[at].Due) {
				return invalid("property: the change is not due")
			}
			a.set(s.Property, a.Planned[at].Value)
		}
	}
	if at >= 0 { // what is set at once ends what was planned
		a.Planned = slices.Delete(a.Planned, at, at+1)
	}
	return a.validate()
}

func (a *Account) set(name, value string) {
	if value == "" {
		delete(a.Properties, name)
		return
	}
	if a.Properties == nil {
		a.Properties = map[string]string{}
	}
	a.Properties[name] = value
}

// Replay returns what a history leads to. What was observed and not decided ([Account].LastUsed, Warned) is not in it.
func Replay(history iter.Seq2[Step, error]) (f Family, err error) {
	for s, err := range history {
		if err != nil {
			return f, err
		}
		if f, err = f.Apply(s); err != nil {
			return f, err
		}
	}
	return f, nil
}
