package accounts

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/cloudopsec/opsec"
)

// Kind is what is wrong with an account.
type Kind string

// The kinds of findings, all of clause 8.1.1: item 5 unless another is named. But for Unregistered and AbandonedAttempt,
// they are about accounts that are active or suspended, or about permissions left on a deleted one; Unclosed, Unopened and
// Shared are about accounts that are not a program's.
const (
	Unowned      Kind = "unowned"      // nobody answers for the account (item 4)
	Unapproved   Kind = "unapproved"   // illegal: no approval of the account on record (item 2)
	Misnamed     Kind = "misnamed"     // illegal: the name breaks the naming policy (item 3)
	Overdue      Kind = "overdue"      // past its end and yet usable; or it holds a permission past the end of that
	Unreviewed   Kind = "unreviewed"   // overdue: nobody has confirmed for too long that the account is needed
	Dormant      Kind = "dormant"      // active, but unused for a long time (item 3)
	Unregistered Kind = "unregistered" // illegal: it holds permissions, acts or signs in, and no register knows it

	OverGranted     Kind = "over-granted"     // holds permissions that were never approved, by itself or by a role
	OverAuthorised  Kind = "over-authorised"  // holds permissions that it has not used for a long time
	UnderAuthorised Kind = "under-authorised" // lacks permissions of the baseline of its roles
	Refused         Kind = "refused"          // was refused the same permission again and again
	BeyondMain      Kind = "beyond-main"      // a sub-account that its main account does not cover (item 4)

	AbandonedAttempt Kind = "abandoned-attempt" // somebody tries to sign in with a disabled or deleted account
	InventedAttempt  Kind = "invented-attempt"  // one place tries accounts that do not exist
	Unclosed         Kind = "unclosed"          // a session without log-out, longer than sessions may be
	Unopened         Kind = "unopened"          // a log-out without log-in: an event is missing, or made up
	Shared           Kind = "shared"            // sessions at once from more places than one person has

	Orphan        Kind = "orphan"         // the person who answers for it has left, or no register knows it (item 4)
	DuplicateMain Kind = "duplicate-main" // a person with more than one main account (item 4)

	Unjudged Kind = "unjudged" // more rows about one account than are held in memory: not all of it was judged
)

// Finding is one thing that is wrong, with the references of its evidence. At most Policy.Listed permissions and
// references are listed; Count and Omitted tell of the rest.
type Finding struct {
	Kind        Kind           `json:"kind"`
	Severity    opsec.Severity `json:"severity"`
	Tenant      opsec.TenantID `json:"tenant"`           // whom it concerns; opsec.Provider where that is several
	Account     Key            `json:"account,omitzero"` // zero where it is about a person or a place
	Person      string         `json:"person,omitempty"` // of Orphan and DuplicateMain
	Origin      netip.Prefix   `json:"origin,omitzero"`  // of InventedAttempt: an IPv4 address or an IPv6 /64
	Detail      string         `json:"detail"`           // one sentence for people
	Permissions []string       `json:"permissions,omitempty"`
	Count       uint64         `json:"count,omitempty"`    // how many permissions, attempts, sessions or accounts
	Since       time.Time      `json:"since,omitzero"`     // when it began, where that is known
	Evidence    []string       `json:"evidence,omitempty"` // the references of the rows that show it
	Omitted     uint64         `json:"omitted,omitempty"`  // references that are not listed
}

// String returns the severity, the kind, whom it is about, and the detail, in one line.
func (f Finding) String() string {
	about := f.Account.String()
	if f.Account == (Key{}) {
		about = printable(string(f.Tenant))
		if f.Person != "" {
			about = fmt.Sprintf("%s, person %q", about, f.Person)
		}
	}
	return fmt.Sprintf("%s %s %s: %s", f.Severity, f.Kind, about, f.Detail)
}
