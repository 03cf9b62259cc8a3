package identity

import (
	"maps"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
)

// State is where an account stands in its life.
type State string

// The states. The zero State is that of an account that does not exist.
const (
	Registered State = "registered" // waits for approval
	Active     State = "active"
	Suspended  State = "suspended" // for a while; nobody can sign in
	Disabled   State = "disabled"  // until somebody approves that it is used again
	Deleted    State = "deleted"   // for ever
)

// Verb is what happens to an account.
type Verb string

// The verbs. [State.After] says in which states each is possible.
const (
	Register Verb = "register"
	Approve  Verb = "approve"
	Refuse   Verb = "refuse"
	Suspend  Verb = "suspend"
	Resume   Verb = "resume"
	Disable  Verb = "disable"
	Enable   Verb = "enable"
	Delete   Verb = "delete"
	Modify   Verb = "modify" // rights, what a main account may grant, and when the account ends
	Review   Verb = "review" // somebody has confirmed that it is needed
	Set      Verb = "set"    // a property
	Plan     Verb = "plan"   // a change of a property that takes effect later
	Cancel   Verb = "cancel" // what was planned
	Settle   Verb = "settle" // what was planned is due
	Forget   Verb = "forget" // a deleted sub-account, at the end of its quarantine

	importing Verb = "import" // what an [Order] may be about beside
)

// move is a line of the table of states and verbs.
type move struct {
	verb Verb
	from []State
	to   State // "": where it was
}

// moves is the table: what is not in it cannot happen.
var moves = [...]move{
	{Register, []State{""}, Registered},
	{Approve, []State{Registered}, Active},
	{Refuse, []State{Registered}, Deleted},
	{Suspend, []State{Active}, Suspended},
	{Resume, []State{Suspended}, Active},
	{Disable, []State{Active, Suspended}, Disabled},
	{Enable, []State{Disabled}, Active},
	{Delete, []State{Active, Suspended, Disabled}, Deleted},
	{Modify, []State{Active, Suspended, Disabled}, ""},
	{Review, []State{Active, Suspended, Disabled}, ""},
	{Set, []State{Active, Suspended, Disabled}, ""},
	{Plan, []State{Active}, ""},
	{Cancel, []State{Active, Suspended, Disabled}, ""},
	{Settle, []State{Active}, ""},
	{Forget, []State{Deleted}, ""},
}

// After returns the state after verb, and whether it is possible in s.
func (s State) After(v Verb) (State, bool) {
	for _, m := range moves {
		if m.verb == v && slices.Contains(m.from, s) {
			if m.to == "" {
				return s, true
			}
			return m.to, true
		}
	}
	return s, false
}

// Cause is why an account is suspended or disabled.
type Cause string

// The causes.
const (
	ByAdministrator Cause = "administrator"
	ByDormancy      Cause = "dormancy" // unused for long (8.1.1-3c)
	ByExpiry        Cause = "expiry"   // its time was over
	ByMain          Cause = "main"     // its main account is
)

// Account is an account: of a person (a main account), or of one of a person's programs or systems (a sub-account).
type Account struct {
	ID        opsec.ID        `json:"id"`
	Tenant    opsec.TenantID  `json:"tenant"`
	Name      string          `json:"name"`      // as it was given
	Canonical string          `json:"canonical"` // unique in the trust zone, and so is what it looks like
	Kind      opsec.ActorKind `json:"kind"`      // human or service; a main account is a human's
	Person    string          `json:"person"`    // who answers for it: one for a main account and its sub-accounts

	Main   opsec.ID `json:"main,omitempty"`   // of a sub-account: its main account
	System string   `json:"system,omitempty"` // of a sub-account: where it belongs, such as "network-cell/7" or "database/orders"

	State State     `json:"state"`
	Own   State     `json:"own"`             // where it would stand if its main account were active
	Cause Cause     `json:"cause,omitempty"` // why it is suspended or disabled
	Since time.Time `json:"since"`           // when the state began

	Holds    Rights `json:"holds,omitzero"`
	MayGrant Rights `json:"may_grant,omitzero"` // of a main account: what its sub-accounts may hold

	Properties map[string]string `json:"properties,omitempty"`
	Planned    []Change          `json:"planned,omitempty"` // of properties, not yet in effect

	Created  time.Time `json:"created"`
	Approved time.Time `json:"approved,omitzero"` // the last approval of what it may do; zero is none
	Reviewed time.Time `json:"reviewed,omitzero"`
	Expires  time.Time `json:"expires,omitzero"` // it is disabled then; zero is never

	// What is observed, and not decided, is no part of the history.
	LastUsed time.Time `json:"last_used,omitzero"` // to the day
	Warned   Warned    `json:"warned,omitzero"`
}

// Change is a change of a property that takes effect later.
type Change struct {
	Property string    `json:"property"`
	Value    string    `json:"value"`
	Asked    time.Time `json:"asked"`
	Due      time.Time `json:"due"`
}

// IsMain reports whether a is a main account.
func (a *Account) IsMain() bool { return a.Main == "" }

// Actor returns who acts with a, without session, address and terminal.
func (a *Account) Actor() opsec.Actor {
	return opsec.Actor{Tenant: a.Tenant, Account: string(a.ID), Person: a.Person, Kind: a.Kind}
}

func (a *Account) clone() Account {
	b := *a
	b.Holds, b.MayGrant = a.Holds.clone(), a.MayGrant.clone()
	b.Properties, b.Planned = maps.Clone(a.Properties), slices.Clone(a.Planned)
	return b
}

func (r Rights) clone() Rights { return Rights{slices.Clone(r.Roles), slices.Clone(r.Privileges)} }

// The bounds of a [Family].
const (
	MaxSubs    = 32 // sub-accounts of a main account that are not deleted
	MaxDeleted = 64 // sub-accounts that are, and are still remembered
)

// Family is a main account with its sub-accounts: what is decided together, and kept together. It is a plain value that
// [Family.Apply] alone changes.
type Family struct {
	Main  Account   `json:"main"`
	Subs  []Account `json:"subs,omitempty"` // in the order of their registration
	Steps int64     `json:"steps"`          // how many have led here
	Last  time.Time `json:"last"`           // when the last was; the family's clock never goes back
}

// All returns the accounts, the main account first. What is changed there is changed in f.
func (f *Family) All() []*Account {
	list := make([]*Account, 0, 1+len(f.Subs))
	list = append(list, &f.Main)
	for i := range f.Subs {
		list = append(list, &f.Subs[i])
	}
	return list
}

// Account returns the account with this id, or nil.
func (f *Family) Account(id opsec.ID) *Account {
	for _, a := range f.All() {
		if id != "" && a.ID == id {
			return a
		}
	}
	return nil
}

func (f *Family) clone() Family {
	g := *f
	g.Main, g.Subs = f.Main.clone(), nil
	for i := range f.Subs {
		g.Subs = append(g.Subs, f.Subs[i].clone())
	}
	return g
}
