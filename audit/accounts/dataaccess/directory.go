package dataaccess

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/window"
)

// Directory knows what stands on record about purposes and consents. An error that wraps [opsec.ErrNotFound] is an
// answer: there is no such thing. After any other error the access counts as not tested.
type Directory interface {
	// Purpose returns what a ticket is for.
	Purpose(ctx context.Context, ticket string) (Purpose, error)
	// Consents returns all that a customer has ever given for a resource and an operator, whether or not it holds now.
	Consents(ctx context.Context, customer opsec.TenantID, resource string, who Operator) ([]Consent, error)
}

// Purpose is what an access is for: a ticket, a change, a case.
type Purpose struct {
	Customer opsec.TenantID // for whom
	Opened   time.Time
	Closed   time.Time // zero: still open
	Persons  []string  // who works on it; none: whoever has the duty
}

// Consent is a customer's agreement to accesses in a span of time.
type Consent struct {
	Ref     string    // its name on record
	Given   time.Time // when the customer gave it
	From    time.Time // zero: from Given on; one from before Given does not make it hold earlier
	Until   time.Time // zero: until it is revoked
	Revoked time.Time // zero: it was not
}

// purposeFault returns what is wrong with a purpose, for an access.
func purposeFault(a *Access, p Purpose) string {
	switch {
	case p.Customer != a.Customer:
		return "with a ticket of another customer" // whom it does not name
	case a.Time.Before(p.Opened):
		return "with a ticket that was opened afterwards"
	case !p.Closed.IsZero() && !a.Time.Before(p.Closed):
		return "with a ticket that had been closed"
	case len(p.Persons) > 0 && (a.Operator.Person == "" || !slices.Contains(p.Persons, a.Operator.Person)):
		return "with a ticket that others work on"
	}
	return ""
}

// consentFault returns what is wrong with consents, for an access: the least of it, if there are several. A consent
// that the access names is the only one that counts for it.
func consentFault(a *Access, list []Consent) (Kind, string) {
	kind, why := NoConsent, "without consent"
	if a.Consent != "" {
		why = "with a consent that is not on record"
	}
	for i := range list {
		c := &list[i]
		if a.Consent != "" && a.Consent != c.Ref {
			continue
		}
		k, w := c.fault(a.Time)
		if k == "" {
			return "", ""
		}
		if kind != LateConsent {
			kind, why = k, w
		}
	}
	return kind, why
}

func (c *Consent) fault(at time.Time) (Kind, string) {
	switch {
	case c.Given.After(at):
		return LateConsent, "with a consent that was given afterwards"
	case !c.Revoked.IsZero() && !at.Before(c.Revoked):
		return LapsedConsent, "with a consent that had been revoked"
	case !c.Until.IsZero() && !at.Before(c.Until):
		return LapsedConsent, "with a consent that had expired"
	case at.Before(c.From):
		return LapsedConsent, "with a consent that did not hold yet"
	}
	return "", ""
}

// recent is how many answers of a directory are kept, of each sort.
const recent = 1024

// asked is a directory that is not asked the same again at once.
type asked struct {
	Directory
	purposes window.Window[string, answer[Purpose]]
	consents window.Window[consentQuestion, answer[[]Consent]]
}

type answer[T any] struct {
	value T
	err   error
}

type consentQuestion struct {
	customer opsec.TenantID
	resource string
	who      Operator
}

func ask(d Directory) *asked {
	a := &asked{Directory: d}
	a.purposes.Size, a.consents.Size = recent, recent
	return a
}

func (d *asked) purpose(ctx context.Context, ticket string) (Purpose, error) {
	got, ok := d.purposes.Get(ticket)
	if !ok {
		got.value, got.err = d.Purpose(ctx, ticket)
		d.purposes.Put(ticket, got)
	}
	return got.value, got.err
}

func (d *asked) consent(ctx context.Context, a *Access) ([]Consent, error) {
	q := consentQuestion{a.Customer, a.Resource, a.Operator}
	got, ok := d.consents.Get(q)
	if !ok {
		got.value, got.err = d.Consents(ctx, a.Customer, a.Resource, a.Operator)
		if errors.Is(got.err, opsec.ErrNotFound) {
			got.value, got.err = nil, nil
		}
		d.consents.Put(q, got)
	}
	return got.value, got.err
}
