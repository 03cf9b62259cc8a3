package dataaccess

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cloudopsec/opsec"
)

// Operator is somebody who has worked on a customer's data.
type Operator struct {
	Tenant  opsec.TenantID `json:"tenant"`           // whose staff: mostly opsec.Provider
	Person  string         `json:"person,omitempty"` // who is behind the account; empty is unknown, and a finding
	Account string         `json:"account"`
	Duty    string         `json:"duty,omitempty"` // what the operator is there for, such as "storage support"
}

// Compare orders operators by tenant and person, and where no person is known by account. All accounts of one person
// are one operator.
func (o Operator) Compare(p Operator) int {
	if c := cmp.Or(strings.Compare(string(o.Tenant), string(p.Tenant)), strings.Compare(o.Person, p.Person)); c != 0 {
		return c
	}
	if o.Person != "" {
		return 0
	}
	return strings.Compare(o.Account, p.Account)
}

// String returns "tenant/person", or "tenant/account" where no person is known, for people to read.
func (o Operator) String() string {
	return quoted(string(o.Tenant) + "/" + cmp.Or(o.Person, o.Account))
}

// quoted returns s, quoted if it would not print as it is.
func quoted(s string) string {
	if q := strconv.Quote(s); q != `"`+s+`"` {
		return q
	}
	return s
}

// Access is one operation of an operator on a customer's data. Rows are sorted by [Operator.Compare] and Time ([Sort]). An
// access of a customer's own staff, or to the provider's own data, is passed over.
type Access struct {
	Time     time.Time      `json:"time"`
	Operator Operator       `json:"operator"`
	Customer opsec.TenantID `json:"customer"`          // whose data
	Resource string         `json:"resource"`          // on what, as the Directory knows it
	Ticket   string         `json:"ticket,omitempty"`  // what for
	Consent  string         `json:"consent,omitempty"` // the customer's consent that the operator named
	Records  uint64         `json:"records,omitempty"` // 0 counts as 1
	Bytes    uint64         `json:"bytes,omitempty"`   // 0 is none, or unknown
	Ref      string         `json:"ref,omitempty"`     // where that is recorded, such as "translog:node-a/4711"
}

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first field out of bounds, without its value.
func (a *Access) Validate() error {
	if err := cmp.Or(a.Operator.Tenant.Validate(), a.Customer.Validate()); err != nil {
		return err
	}
	switch {
	case a.Time.UTC().Year() < 1970 || a.Time.UTC().Year() > 9999:
		return fmt.Errorf("time: want a year from 1970 to 9999: %w", opsec.ErrInvalid)
	case a.Operator.Account == "":
		return fmt.Errorf("operator.account: is empty: %w", opsec.ErrInvalid)
	case a.Resource == "":
		return fmt.Errorf("resource: is empty: %w", opsec.ErrInvalid)
	}
	for _, s := range []string{a.Operator.Person, a.Operator.Account, a.Operator.Duty, a.Resource, a.Ticket, a.Consent, a.Ref} {
		if len(s) > maxText || !utf8.ValidString(s) {
			return fmt.Errorf("a text of %d bytes, want at most %d, of UTF-8: %w", len(s), maxText, opsec.ErrInvalid)
		}
	}
	return nil
}

// maxText is in bytes. Texts are kept while a day is counted, and stand in findings.
const maxText = 1 << 10

// The attributes that [FromEvent] reads.
const (
	AttrRecords = "records" // a decimal number
	AttrBytes   = "bytes"   // a decimal number
	AttrTicket  = "ticket"
	AttrConsent = "consent"
	AttrDuty    = "duty"
)

// FromEvent reads an access from an event of the log: the actor is the operator, the tenant of the resource is the
// customer, and the rest is in attributes. It returns an error wrapping [opsec.ErrInvalid] if there is no such access in
// it. The event's outcome does not matter: whoever was refused has not got data, and the caller leaves that out.
func FromEvent(e *opsec.Event, ref string) (Access, error) {
	a := Access{
		Time: e.Time, Customer: e.Resource.Tenant, Resource: e.Resource.Type + "/" + e.Resource.ID, Ref: ref,
		Operator: Operator{Tenant: e.Actor.Tenant, Person: e.Actor.Person, Account: e.Actor.Account},
	}
	if (e.Resource.Type == "") != (e.Resource.ID == "") || e.Resource.Type == "" {
		return Access{}, fmt.Errorf("dataaccess: event %s: resource: want its type and id: %w", e.ID, opsec.ErrInvalid)
	}
	var err error
	number := func(text string) uint64 {
		n, bad := strconv.ParseUint(text, 10, 64)
		if bad != nil {
			err = errors.Join(err, errors.New("want a decimal number"))
		}
		return n
	}
	for _, attr := range e.Attrs {
		switch attr.Key {
		case AttrRecords:
			a.Records = number(attr.Value)
		case AttrBytes:
			a.Bytes = number(attr.Value)
		case AttrTicket:
			a.Ticket = attr.Value
		case AttrConsent:
			a.Consent = attr.Value
		case AttrDuty:
			a.Operator.Duty = attr.Value
		}
	}
	if err = cmp.Or(err, a.Validate()); err != nil {
		return Access{}, fmt.Errorf("dataaccess: event %s: %w: %w", e.ID, err, opsec.ErrInvalid)
	}
	return a, nil
}
