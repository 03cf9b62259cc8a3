package keymgmt

import (
	"slices"
	"strings"

	"github.com/cloudopsec/opsec"
)

// Retire is the verb on a keyset whose own key-encryption key is destroyed.
const Retire Verb = "retire"

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

// beyond lists what r gives and other does not, as "role:person".
func (r Roles) beyond(other Roles) (list []string) {
	for role, persons := range r {
		for _, p := range persons {
			if other.of(p) != role {
				list = append(list, string(role)+":"+p)
			}
		}
	}
	slices.Sort(list)
	return list
}

// Validate returns an error that wraps [opsec.ErrInvalid] unless each role is known, there is an administrator, no person is
// named twice, and each is "tenant/person" (see [Person]) of at most 260 bytes.
func (r Roles) Validate() error {
	seen := map[string]Role{}
	for role, persons := range r {
		if !slices.Contains([]Role{Administrator, CustodianRole, Operator, Auditor}, role) {
			return invalid("roles: one of %d bytes that is none", len(role))
		}
		for i, p := range persons {
			tenant, person, _ := strings.Cut(p, "/")
			if opsec.TenantID(tenant).Validate() != nil || person == "" || !text(p, maxBy) {
				return invalid("roles: %s[%d]: want \"tenant/person\" of at most %d bytes", role, i, maxBy)
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

// needs says who may take a step. Who destroys a key has not counted what is left on it, and does not hold its backups.
var needs = map[Verb][]Role{
	Create: nil, // there are no roles yet: the Authorizer decides alone
	Import: {CustodianRole}, BackUp: {CustodianRole}, Recover: {CustodianRole}, Reveal: {CustodianRole},
	Count:      {Operator},
	Compromise: {Administrator, CustodianRole, Operator},
}

// may returns an error that wraps [opsec.ErrDenied] unless the actor has a role that goes with the verb.
func (r Roles) may(a opsec.Actor, v Verb) error {
	want, special := needs[v]
	if !special {
		want = []Role{Administrator}
	}
	if role := r.Of(a); len(want) > 0 && !slices.Contains(want, role) {
		return denied("%s needs the role %s, not %q", v, want[0], string(role))
	}
	return nil
}
