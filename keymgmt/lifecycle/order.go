package lifecycle

import (
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

// By is who takes a step, and why.
type By struct {
	Actor    opsec.Actor // its Person must be known: roles are those of persons
	Reason   string      // at most [keymgmt.MaxReason] bytes; compromise, export, a destruction by force and a proposal need one
	Approval opsec.ID    // the case that permits it, where the policy asks for one: see [Manager.Propose]
}

func (b By) validate(v keymgmt.Verb) error {
	switch {
	case !keymgmt.ValidPerson(keymgmt.Person(b.Actor)):
		return invalid("by: actor: want a tenant and a person")
	case !text(b.Reason, keymgmt.MaxReason):
		return invalid("by: reason: want text of at most %d bytes without control characters", keymgmt.MaxReason)
	case b.Reason == "" && (v == keymgmt.Compromise || v == keymgmt.Reveal || v == keymgmt.ForceDestroy):
		return invalid("by: reason: %s needs one", v)
	case b.Approval != "" && b.Approval.Validate() != nil:
		return invalid("by: approval: not an id")
	}
	return nil
}

// Order is a step as people consent to it: what is approved is what will be done. What does not belong to the verb is zero.
type Order struct {
	Verb         keymgmt.Verb      `json:"verb"`
	Set          keymgmt.SetID     `json:"set"`
	Key          uint32            `json:"key,omitempty"`          // 0 for a step of the keyset
	Algorithm    keymgmt.Algorithm `json:"algorithm,omitempty"`    // expect, link, update
	Policy       *keymgmt.Policy   `json:"policy,omitempty"`       // update
	Labels       map[string]string `json:"labels,omitempty"`       // update
	Roles        keymgmt.Roles     `json:"roles,omitempty"`        // grant
	Since        time.Time         `json:"since,omitzero"`         // compromise
	ProtectUntil time.Time         `json:"protect_until,omitzero"` // change-periods
	ProcessUntil time.Time         `json:"process_until,omitzero"` //
	Census       *keymgmt.Census   `json:"census,omitempty"`       // count
	Digest       string            `json:"digest,omitempty"`       // recover: of the bundle

	fresh *keymgmt.Keyset // that does not exist yet: what is created or recovered
}

func (o Order) action() string { return "keymgmt." + string(o.Verb) }

// Resource returns what events and approvals call what the order is about: a key ([keymgmt.Ref.Resource]), or the tenant, "keyset"
// and the id of the keyset.
func (o Order) Resource() opsec.Resource {
	if o.Key != 0 {
		return keymgmt.Ref{Set: o.Set, Key: o.Key}.Resource()
	}
	return opsec.Resource{Tenant: o.Set.Tenant, Type: "keyset", ID: o.Set.ID}
}

func (o Order) validate() error {
	if _, known := needs[o.Verb]; !known {
		return invalid("order: verb: one of %d bytes that is none", len(o.Verb))
	}
	return o.Set.Validate()
}

// needs says who may take a step. Who destroys a key has not counted what is left on it, and does not hold its backups.
var needs = map[keymgmt.Verb][]keymgmt.Role{
	keymgmt.Create:        {}, // there are no roles yet: the Authorizer decides alone
	keymgmt.Update:        administrator,
	keymgmt.Grant:         administrator,
	keymgmt.Retire:        administrator,
	keymgmt.Generate:      administrator,
	keymgmt.Rotate:        administrator,
	keymgmt.Expect:        administrator,
	keymgmt.Import:        custodian,
	keymgmt.Link:          administrator,
	keymgmt.Activate:      administrator,
	keymgmt.Suspend:       administrator,
	keymgmt.Resume:        administrator,
	keymgmt.Deactivate:    administrator,
	keymgmt.ChangePeriods: administrator,
	keymgmt.Compromise:    {keymgmt.Administrator, keymgmt.CustodianRole, keymgmt.Operator},
	keymgmt.Count:         {keymgmt.Operator},
	keymgmt.Schedule:      administrator,
	keymgmt.Cancel:        administrator,
	keymgmt.Destroy:       administrator,
	keymgmt.ForceDestroy:  administrator,
	keymgmt.Unlink:        administrator,
	keymgmt.Fail:          administrator,
	keymgmt.BackUp:        custodian,
	keymgmt.Recover:       custodian,
	keymgmt.Reveal:        custodian,
}

var (
	administrator = []keymgmt.Role{keymgmt.Administrator}
	custodian     = []keymgmt.Role{keymgmt.CustodianRole}
)

// may returns an error that wraps [opsec.ErrDenied] unless the actor has a role that goes with the verb.
func may(roles keymgmt.Roles, a opsec.Actor, v keymgmt.Verb) error {
	want, role := needs[v], roles.Of(a)
	if len(want) == 0 || slices.Contains(want, role) {
		return nil
	}
	return denied("%s needs the role %s, not %q", v, want[0], string(role))
}

// beyond lists what roles give and others do not, as "role:person".
func beyond(roles, others keymgmt.Roles) (list []string) {
	for role, persons := range roles {
		for _, p := range persons {
			if !slices.Contains(others[role], p) {
				list = append(list, string(role)+":"+p)
			}
		}
	}
	slices.Sort(list)
	return list
}
