package opsec

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
)

// TenantID names a cloud service customer (CSC) to the provider. The provider's own records belong to [Provider].
type TenantID string

// Provider owns the records of the cloud service provider itself. No customer can be called so: a customer's id does
// not begin with '@'.
const Provider TenantID = "@provider"

// Validate returns an error wrapping [ErrInvalid] unless t is [Provider] or 1 to 128 bytes of ASCII letters, digits,
// '.', '_' and '-', beginning with a letter or a digit.
func (t TenantID) Validate() error {
	if t == Provider {
		return nil
	}
	if len(t) == 0 || len(t) > 128 || strings.IndexByte("._-", t[0]) >= 0 {
		return fmt.Errorf("opsec: tenant id of %d bytes: want 1 to 128, no leading '._-': %w", len(t), ErrInvalid)
	}
	for i := range len(t) {
		c := t[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("._-", c) >= 0) {
			return fmt.Errorf("opsec: tenant id: byte %#02x at %d: want letters, digits, '.', '_', '-': %w", c, i, ErrInvalid)
		}
	}
	return nil
}

// ActorKind says what stands behind an account.
type ActorKind string

// The kinds of actor. The empty kind is unknown.
const (
	Human   ActorKind = "human"   // a person at a terminal
	Service ActorKind = "service" // a program with its own credentials
	System  ActorKind = "system"  // the control plane itself, by timer or rule
)

// Actor is who does something, and from where.
type Actor struct {
	Tenant   TenantID   `json:"tenant,omitempty"`   // where the account lives
	Account  string     `json:"account,omitempty"`  // the account acted with
	Person   string     `json:"person,omitempty"`   // who is behind it: one for a main account and its sub-accounts
	Kind     ActorKind  `json:"kind,omitempty"`     // human, service, system
	Session  string     `json:"session,omitempty"`  // the session's identifier, never its secret
	IP       netip.Addr `json:"ip,omitzero"`        // where the request came from
	Terminal string     `json:"terminal,omitempty"` // device or client, as the front end knows it
}

// DistinctFrom reports whether a and b are known to be two different persons. Accounts of one person are one person;
// an actor without a Person could be anybody, so it is distinct from nobody. Rules that need two people (an approver
// who is not the requester, n of m signatures) ask this.
func (a Actor) DistinctFrom(b Actor) bool {
	return a.Person != "" && b.Person != "" && (a.Person != b.Person || a.Tenant != b.Tenant)
}

// Resource is what is acted on.
type Resource struct {
	Tenant TenantID `json:"tenant,omitempty"` // its owner
	Type   string   `json:"type,omitempty"`   // "volume", "key", "account", ...
	ID     string   `json:"id,omitempty"`     // unique within tenant and type
}

// String returns "tenant/type/id", for people to read.
func (r Resource) String() string { return string(r.Tenant) + "/" + r.Type + "/" + r.ID }

// Authorizer decides whether an actor may do something. An error that wraps [ErrDenied] is a decision; any other error
// means that no decision could be had, and the caller refuses too. The action is one of the constants that the room
// exports for its events, such as "keymgmt.rotate".
type Authorizer interface {
	Authorize(ctx context.Context, who Actor, action string, what Resource) error
}

// CallerAuthorized is the [Authorizer] of a caller that has decided before it called: it permits everything. It stands
// in that caller's own code, for reviewers to find.
type CallerAuthorized struct{}

// Authorize permits.
func (CallerAuthorized) Authorize(context.Context, Actor, string, Resource) error { return nil }

// Notifier delivers a message to people: e-mail, SMS, telephone, a chat room. A nil error means that the channel has
// accepted the message, not that somebody has read it. Deliveries may be repeated; Message.ID tells.
type Notifier interface {
	Notify(ctx context.Context, m Message) error
}

// Message is what a [Notifier] delivers.
type Message struct {
	ID       ID       `json:"id"`              // fixed at creation: a repeated delivery carries the same
	Tenant   TenantID `json:"tenant"`          // whom it concerns; nothing of another tenant belongs in it
	To       []string `json:"to"`              // roles or addresses, as the Notifier understands them
	Severity Severity `json:"severity"`        // how urgent
	Subject  string   `json:"subject"`         // one line
	Body     string   `json:"body"`            // plain text
	Event    ID       `json:"event,omitempty"` // the event that caused it, when there is one
}
