package table

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/accounts"
)

// column is a column of a CSV file.
type column[T any] struct {
	name     string
	required bool
	typed    bool // by people: any bytes
	set      func(*T, string) error
}

func text[T any, S ~string](name string, field func(*T) *S) column[T] {
	return column[T]{name: name, set: func(row *T, cell string) error {
		*field(row) = S(cell)
		return nil
	}}
}

func moment[T any](name string, field func(*T) *time.Time) column[T] {
	return column[T]{name: name, set: func(row *T, cell string) error {
		t, err := time.Parse(time.DateOnly, cell)
		if err != nil {
			t, err = time.Parse(time.RFC3339, cell)
		}
		if err != nil {
			return errors.New("want a date such as 2026-03-01, or a time such as 2026-03-01T08:00:00Z")
		}
		*field(row) = t
		return nil
	}}
}

func number[T any](name string, field func(*T) *uint64) column[T] {
	return column[T]{name: name, set: func(row *T, cell string) (err error) {
		if *field(row), err = strconv.ParseUint(cell, 10, 64); err != nil {
			return errors.New("want a whole number")
		}
		return nil
	}}
}

// must marks a column that has to be there, and to be set.
func must[T any](c column[T]) column[T] {
	set := c.set
	c.required = true
	c.set = func(row *T, cell string) error {
		if cell == "" {
			return errors.New("is empty")
		}
		return set(row, cell)
	}
	return c
}

// typed marks a column that holds what people typed, perhaps nothing.
func typed[T any](c column[T], required bool) column[T] {
	c.typed, c.required = true, required
	return c
}

func accountColumns() []column[accounts.Account] {
	type row = accounts.Account
	return []column[row]{
		must(text("tenant", func(r *row) *opsec.TenantID { return &r.Tenant })),
		must(text("main", func(r *row) *string { return &r.Main })),
		text("sub", func(r *row) *string { return &r.Sub }),
		text("kind", func(r *row) *opsec.ActorKind { return &r.Kind }),
		text("person", func(r *row) *string { return &r.Person }),
		must(text("state", func(r *row) *accounts.State { return &r.State })),
		moment("since", func(r *row) *time.Time { return &r.Since }),
		{name: "roles", set: func(r *row, cell string) error {
			for role := range strings.SplitSeq(cell, ";") {
				r.Roles = append(r.Roles, strings.TrimSpace(role))
			}
			return nil
		}},
		moment("created", func(r *row) *time.Time { return &r.Created }),
		moment("approved", func(r *row) *time.Time { return &r.Approved }),
		moment("reviewed", func(r *row) *time.Time { return &r.Reviewed }),
		moment("expires", func(r *row) *time.Time { return &r.Expires }),
		moment("last_used", func(r *row) *time.Time { return &r.LastUsed }),
		text("ref", func(r *row) *string { return &r.Ref }),
	}
}

func entitlementColumns() []column[accounts.Entitlement] {
	type row = accounts.Entitlement
	return []column[row]{
		must(text("tenant", func(r *row) *opsec.TenantID { return &r.Tenant })),
		must(text("main", func(r *row) *string { return &r.Main })),
		text("sub", func(r *row) *string { return &r.Sub }),
		must(text("permission", func(r *row) *string { return &r.Permission })),
		moment("granted", func(r *row) *time.Time { return &r.Granted }),
		moment("approved", func(r *row) *time.Time { return &r.Approved }),
		moment("expires", func(r *row) *time.Time { return &r.Expires }),
		text("ref", func(r *row) *string { return &r.Ref }),
	}
}

func useColumns() []column[accounts.Use] {
	type row = accounts.Use
	return []column[row]{
		must(text("tenant", func(r *row) *opsec.TenantID { return &r.Tenant })),
		must(text("main", func(r *row) *string { return &r.Main })),
		text("sub", func(r *row) *string { return &r.Sub }),
		must(text("permission", func(r *row) *string { return &r.Permission })),
		number("count", func(r *row) *uint64 { return &r.Count }),
		number("denied", func(r *row) *uint64 { return &r.Denied }),
		moment("last", func(r *row) *time.Time { return &r.Last }),
		text("ref", func(r *row) *string { return &r.Ref }),
	}
}

func signInColumns() []column[accounts.SignIn] {
	type row = accounts.SignIn
	return []column[row]{
		typed(text("tenant", func(r *row) *opsec.TenantID { return &r.Tenant }), true),
		typed(text("main", func(r *row) *string { return &r.Main }), true),
		typed(text("sub", func(r *row) *string { return &r.Sub }), false),
		must(moment("time", func(r *row) *time.Time { return &r.Time })),
		must(text("outcome", func(r *row) *opsec.Outcome { return &r.Outcome })),
		{name: "logout", set: func(r *row, cell string) (err error) {
			if r.Logout, err = strconv.ParseBool(cell); err != nil {
				return errors.New("want true or false")
			}
			return nil
		}},
		moment("began", func(r *row) *time.Time { return &r.Began }),
		text("session", func(r *row) *string { return &r.Session }),
		{name: "ip", set: func(r *row, cell string) (err error) {
			if r.IP, err = netip.ParseAddr(cell); err != nil {
				return errors.New("want an IP address")
			}
			return nil
		}},
		typed(text("terminal", func(r *row) *string { return &r.Terminal }), false),
		text("ref", func(r *row) *string { return &r.Ref }),
	}
}

func personColumns() []column[accounts.Person] {
	type row = accounts.Person
	return []column[row]{
		must(text("tenant", func(r *row) *opsec.TenantID { return &r.Tenant })),
		must(text("id", func(r *row) *string { return &r.ID })),
		moment("left", func(r *row) *time.Time { return &r.Left }),
		text("ref", func(r *row) *string { return &r.Ref }),
	}
}
