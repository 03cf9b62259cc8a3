package dataaccess_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/accounts/dataaccess"
	"github.com/cloudopsec/opsec/calendar"
)

// monday is a working day, at ten o'clock in UTC.
var monday = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

func operator(person string) dataaccess.Operator {
	return dataaccess.Operator{Tenant: opsec.Provider, Person: person, Account: "ops-" + person, Duty: "storage"}
}

// access is one that nothing is wrong with, for the directory of records.
func access(person string, at time.Time, customer opsec.TenantID) dataaccess.Access {
	return dataaccess.Access{
		Time: at, Operator: operator(person), Customer: customer, Resource: "volume/v1",
		Ticket: "T-" + string(customer), Records: 10, Bytes: 1 << 10, Ref: fmt.Sprintf("log/%s/%d", person, at.Unix()),
	}
}

func rows(list ...dataaccess.Access) iter.Seq2[dataaccess.Access, error] {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b dataaccess.Access) int {
		if c := a.Operator.Compare(b.Operator); c != 0 {
			return c
		}
		return a.Time.Compare(b.Time)
	})
	return asIs(list...)
}

func asIs(list ...dataaccess.Access) iter.Seq2[dataaccess.Access, error] {
	return func(yield func(dataaccess.Access, error) bool) {
		for _, a := range list {
			if !yield(a, nil) {
				return
			}
		}
	}
}

// records is a directory: a ticket "T-customer" is open for every customer, and each has consented, unless it says
// otherwise.
type records struct {
	purposes map[string]dataaccess.Purpose
	consents map[opsec.TenantID][]dataaccess.Consent
	err      error
	calls    int
}

func (r *records) Purpose(_ context.Context, ticket string) (dataaccess.Purpose, error) {
	r.calls++
	if r.err != nil {
		return dataaccess.Purpose{}, fmt.Errorf("request %d: %w", r.calls, r.err)
	}
	if p, ok := r.purposes[ticket]; ok {
		return p, nil
	}
	if len(ticket) > 2 && ticket[:2] == "T-" {
		return dataaccess.Purpose{Customer: opsec.TenantID(ticket[2:]), Opened: monday.Add(-400 * day)}, nil
	}
	return dataaccess.Purpose{}, fmt.Errorf("ticket: %w", opsec.ErrNotFound)
}

func (r *records) Consents(_ context.Context, customer opsec.TenantID, _ string, _ dataaccess.Operator) ([]dataaccess.Consent, error) {
	r.calls++
	if r.err != nil {
		return nil, fmt.Errorf("request %d: %w", r.calls, r.err)
	}
	if list, ok := r.consents[customer]; ok {
		return list, nil
	}
	return []dataaccess.Consent{{Ref: "C-" + string(customer), Given: monday.Add(-400 * day)}}, nil
}

// office is from Monday to Friday, in UTC.
func office() *calendar.Policy {
	return &calendar.Policy{Zone: "UTC", Hours: calendar.FiveByEight(calendar.Clock(9, 0))}
}

func policy() dataaccess.Policy {
	return dataaccess.Policy{Duties: map[string]dataaccess.Limits{"storage": {Hours: office()}}}
}

func examine(t testing.TB, p dataaccess.Policy, s dataaccess.Sources) (list []dataaccess.Finding, err error) {
	t.Helper()
	for f, err := range p.Examine(context.Background(), s) {
		if err != nil {
			return list, err
		}
		list = append(list, f)
	}
	return list, nil
}

func kindsOf(list []dataaccess.Finding) []dataaccess.Kind {
	got := []dataaccess.Kind{}
	for _, f := range list {
		got = append(got, f.Kind)
	}
	return got
}

// weeks are the working days of some weeks up to the day before monday, each with one access.
func weeks(n int, person string, records uint64) (list []dataaccess.Access) {
	for d := -7 * n; d < 0; d++ {
		at := monday.Add(time.Duration(d) * day)
		if wd := at.Weekday(); wd == time.Saturday || wd == time.Sunday {
			continue
		}
		a := access(person, at, "acme")
		a.Records, a.Bytes = records, records<<10
		list = append(list, a)
	}
	return list
}

var errDown = errors.New("connection refused")

func peers(t testing.TB, n int, records uint64) *dataaccess.Norms {
	t.Helper()
	var list []dataaccess.Access
	for i := range n {
		list = append(list, weeks(1, fmt.Sprintf("peer%03d", i), records)...)
	}
	for i := range list {
		list[i].Bytes = 1 << 30
	}
	norms, err := policy().Norms(rows(list...))
	require.NoError(t, err)
	return norms
}
