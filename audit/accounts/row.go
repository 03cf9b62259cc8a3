package accounts

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
)

// Key names an account. A main account has no Sub; its sub-accounts come right after it in every sorted sequence.
type Key struct {
	Tenant opsec.TenantID `json:"tenant"`
	Main   string         `json:"main"`
	Sub    string         `json:"sub,omitempty"`
}

// Compare orders keys by tenant, main account and sub-account, each bytewise.
func (k Key) Compare(o Key) int {
	if c := strings.Compare(string(k.Tenant), string(o.Tenant)); c != 0 {
		return c
	}
	return cmp.Or(strings.Compare(k.Main, o.Main), strings.Compare(k.Sub, o.Sub))
}

// Account returns "main" or "main/sub": the account's name within its tenant, as [ParseAccount] reads it.
func (k Key) Account() string {
	if k.Sub == "" {
		return k.Main
	}
	return k.Main + "/" + k.Sub
}

// String returns "tenant/main" or "tenant/main/sub" for people to read, quoted where it would not print as it is. Of no
// account it is empty.
func (k Key) String() string {
	if k == (Key{}) {
		return ""
	}
	return printable(string(k.Tenant) + "/" + k.Account())
}

func printable(s string) string {
	if q := strconv.Quote(s); q != `"`+s+`"` {
		return q
	}
	return s
}

// ParseAccount returns the key of an account that is written as "main" or "main/sub", as in opsec.Actor.Account.
func ParseAccount(tenant opsec.TenantID, account string) Key {
	main, sub, _ := strings.Cut(account, "/")
	return Key{Tenant: tenant, Main: main, Sub: sub}
}

// State is where an account stands in its life.
type State string

// The states. Disabled and deleted accounts are abandoned: nobody has business to sign in with them.
const (
	Active    State = "active"
	Suspended State = "suspended" // locked for a while; it will be active again
	Disabled  State = "disabled"
	Deleted   State = "deleted"
)

// Abandoned reports whether nobody may use the account again without another approval.
func (s State) Abandoned() bool { return s == Disabled || s == Deleted }

// Account is a row of the register of accounts. Rows are sorted by Key, one each.
type Account struct {
	Key
	Kind     opsec.ActorKind `json:"kind,omitempty"`     // empty counts as a human's
	Person   string          `json:"person,omitempty"`   // who answers for it: its holder, or the owner of a service's account
	State    State           `json:"state"`              // required
	Since    time.Time       `json:"since,omitzero"`     // when the state began; zero is unknown, and long ago
	Roles    []string        `json:"roles,omitempty"`    // whose baselines it should have, at most 64
	Created  time.Time       `json:"created,omitzero"`   // zero is unknown
	Approved time.Time       `json:"approved,omitzero"`  // zero is never
	Reviewed time.Time       `json:"reviewed,omitzero"`  // when somebody last confirmed that it is needed; zero is never
	Expires  time.Time       `json:"expires,omitzero"`   // from then on it has no business being active; zero is never
	LastUsed time.Time       `json:"last_used,omitzero"` // zero is never or unknown: uses and sign-ins tell
	Ref      string          `json:"ref,omitempty"`      // where that is recorded, such as "translog:node-a/4711"
}

// Entitlement is one permission that an account holds, directly or through a role. Rows are sorted by Key and
// Permission, one each. Permissions are compared byte by byte: there are no wildcards.
type Entitlement struct {
	Key
	Permission string    `json:"permission"`
	Granted    time.Time `json:"granted,omitzero"`  // zero is unknown, and long ago
	Approved   time.Time `json:"approved,omitzero"` // zero is never
	Expires    time.Time `json:"expires,omitzero"`  // zero is never
	Ref        string    `json:"ref,omitempty"`
}

// Use is what an account did with one permission in the span that is audited. Rows are sorted by Key and Permission,
// one each.
type Use struct {
	Key
	Permission string    `json:"permission"`
	Count      uint64    `json:"count,omitempty"`  // how often it was used
	Denied     uint64    `json:"denied,omitempty"` // how often it was refused
	Last       time.Time `json:"last,omitzero"`    // when it was last used; zero is never
	Ref        string    `json:"ref,omitempty"`    // one of the events, the last for choice
}

// SignIn is an attempt to sign in, or a log-out. Rows are sorted by Key and Time; several may be equal. The names of a
// failed attempt are what somebody typed, perhaps a password: they appear in no finding, error or text of this package
// unless the register knows them.
type SignIn struct {
	Key
	Time     time.Time     `json:"time"`
	Outcome  opsec.Outcome `json:"outcome"`            // opsec.Success is signed in; all others are not
	Logout   bool          `json:"logout,omitempty"`   // a log-out: with opsec.Success the end of a session
	Began    time.Time     `json:"began,omitzero"`     // on a log-out: when the session began, where that is known
	Session  string        `json:"session,omitempty"`  // pairs a log-out with its log-in
	IP       netip.Addr    `json:"ip,omitzero"`        // where from
	Terminal string        `json:"terminal,omitempty"` // device or client
	Ref      string        `json:"ref,omitempty"`
}

// String returns the sign-in without its names, which somebody has typed.
func (s SignIn) String() string {
	what := "sign-in"
	if s.Logout {
		what = "log-out"
	}
	return fmt.Sprintf("%s of %s (%s)", what, s.Time.UTC().Format(time.RFC3339), printable(s.Ref))
}

// Person is a row of the register of people. Rows are sorted by Tenant and ID, one each.
type Person struct {
	Tenant opsec.TenantID `json:"tenant"`
	ID     string         `json:"id"`
	Left   time.Time      `json:"left,omitzero"` // zero: still there
	Ref    string         `json:"ref,omitempty"`
}

// Holding is an [Account] seen from the person who answers for it. Rows are sorted by Tenant (of the key), Person and Key,
// one each; accounts without a person are left out. [Account.Holding] makes one.
type Holding struct {
	Key
	Person string          `json:"person"`
	Kind   opsec.ActorKind `json:"kind,omitempty"`
	State  State           `json:"state"`
	Ref    string          `json:"ref,omitempty"`
}

// Holding returns the account as its person has it; it is false where there is no person.
func (a *Account) Holding() (Holding, bool) {
	return Holding{Key: a.Key, Person: a.Person, Kind: a.Kind, State: a.State, Ref: a.Ref}, a.Person != ""
}
