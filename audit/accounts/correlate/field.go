package correlate

import (
	"cmp"
	"net/netip"
	"strings"

	"github.com/cloudopsec/opsec"
)

// Field names something that an event says. Accounts, persons, sessions, terminals and resources are those of their
// tenant: "bob" of one is not "bob" of another. In By, what has no tenant (ip, origin, system, attributes) never agrees
// with what has one. A field that is empty agrees with nothing.
//
//	tenant                             whose record it is
//	account, person, session           of the actor
//	ip, terminal                       where the actor was
//	origin                             the actor's IPv4 address, or /64 of IPv6
//	for.account, for.person            on whose behalf
//	resource                           tenant, type and id
//	resource.tenant, resource.id       may equal an account or a person
//	system, action, intent             as in the event
//	attr:KEY                           the first attribute of that key; never a secret one
type Field string

// value returns what the event says, as a tenant and a name within it, or without a tenant. It returns false for a field
// that is empty or that there is not.
func (f Field) value(e *opsec.Event) (tenant, name string, ok bool) {
	switch f {
	case "tenant":
		name = string(e.Tenant)
	case "account":
		tenant, name = home(e, &e.Actor), e.Actor.Account
	case "person":
		tenant, name = home(e, &e.Actor), e.Actor.Person
	case "session":
		tenant, name = home(e, &e.Actor), e.Actor.Session
	case "terminal":
		tenant, name = home(e, &e.Actor), e.Actor.Terminal
	case "ip":
		if e.Actor.IP.IsValid() {
			name = e.Actor.IP.Unmap().String()
		}
	case "origin":
		name = origin(e.Actor.IP)
	case "for.account", "for.person":
		if e.OnBehalfOf != nil {
			tenant, name = home(e, e.OnBehalfOf), e.OnBehalfOf.Account
			if f == "for.person" {
				name = e.OnBehalfOf.Person
			}
		}
	case "resource":
		if e.Resource.ID != "" {
			tenant, name = string(cmp.Or(e.Resource.Tenant, e.Tenant)), e.Resource.Type+"/"+e.Resource.ID
		}
	case "resource.tenant":
		name = string(e.Resource.Tenant)
	case "resource.id":
		tenant, name = string(cmp.Or(e.Resource.Tenant, e.Tenant)), e.Resource.ID
	case "system":
		name = e.System
	case "action":
		name = e.Action
	case "intent":
		name = string(e.Intent)
	default:
		if key, ok := strings.CutPrefix(string(f), "attr:"); ok {
			name = attr(e, key)
		}
	}
	return tenant, name, name != ""
}

// home returns the tenant of an actor, which may stand in the event alone.
func home(e *opsec.Event, a *opsec.Actor) string { return string(cmp.Or(a.Tenant, e.Tenant)) }

func origin(ip netip.Addr) string {
	if ip = ip.Unmap().WithZone(""); !ip.IsValid() {
		return ""
	}
	if ip.Is4() {
		return ip.String()
	}
	net, err := ip.Prefix(64)
	if err != nil {
		return ""
	}
	return net.String()
}

func attr(e *opsec.Event, key string) string {
	for i := range e.Attrs {
		if a := &e.Attrs[i]; a.Key == key && a.Mark != opsec.Secret {
			return a.Value
		}
	}
	return ""
}

// valid reports whether there is such a field.
func (f Field) valid() bool {
	switch f {
	case "tenant", "account", "person", "session", "terminal", "ip", "origin", "for.account", "for.person",
		"resource", "resource.tenant", "resource.id", "system", "action", "intent":
		return true
	}
	key, ok := strings.CutPrefix(string(f), "attr:")
	return ok && key != "" && len(key) <= opsec.MaxKeyLen-len("by.attr:") // see Match.Event
}
