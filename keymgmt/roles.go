package keymgmt

import (
	"slices"
	"strings"

	"github.com/cloudopsec/opsec"
)

// MaxPersons is how many persons the roles of one keyset may name.
const MaxPersons = 256

// Person returns what [Roles] and [Event] call the person behind an account: its tenant, "/", its person; "" when nobody is
// known behind it. The same id in two tenants is two persons.
func Person(a opsec.Actor) string {
	if a.Person == "" || a.Tenant == "" {
		return ""
	}
	return string(a.Tenant) + "/" + a.Person
}

// ValidPerson reports whether p is "tenant/person" of at most 260 bytes, without control characters and '<', '>', '&'.
func ValidPerson(p string) bool {
	tenant, person, _ := strings.Cut(p, "/")
	return opsec.TenantID(tenant).Validate() == nil && person != "" && text(p, maxBy) && !strings.ContainsAny(p, "<>&")
}

// Of returns the role of the person behind an account, "" for none.
func (r Roles) Of(a opsec.Actor) Role { return r.of(Person(a)) }

func (r Roles) of(person string) Role {
	if person == "" {
		return ""
	}
	for role, persons := range r {
		if slices.Contains(persons, person) {
			return role
		}
	}
	return ""
}

// Validate returns an error that wraps [opsec.ErrInvalid] unless each role is known, there is an administrator, no person is
// named twice, and each is a [ValidPerson].
func (r Roles) Validate() error {
	seen := map[string]Role{}
	for role, persons := range r {
		if !slices.Contains([]Role{Administrator, CustodianRole, Operator, Auditor}, role) {
			return invalid("roles: one of %d bytes that is none", len(role))
		}
		for i, p := range persons {
			if !ValidPerson(p) {
				return invalid("roles: %s[%d]: want \"tenant/person\" of at most %d bytes, without '<', '>', '&'", role, i, maxBy)
			}
			if other, twice := seen[p]; twice {
				return invalid("roles: a person is %s and %s: roles are disjoint", other, role)
			}
			seen[p] = role
		}
	}
	if len(r[Administrator]) == 0 || len(seen) > MaxPersons {
		return invalid("roles: %d administrators of %d persons, want at least 1 of at most %d", len(r[Administrator]), len(seen), MaxPersons)
	}
	return nil
}
