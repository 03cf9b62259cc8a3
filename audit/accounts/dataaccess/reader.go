package dataaccess

import (
	"fmt"
	"iter"

	"github.com/cloudopsec/opsec"
)

// OrderError says that accesses are not sorted. It wraps [opsec.ErrInvalid].
type OrderError struct {
	Position int64 // of the row that should have come earlier, from 1
}

// Error implements error.
func (e *OrderError) Error() string {
	return fmt.Sprintf("dataaccess: row %d belongs before the row before it: %v", e.Position, opsec.ErrInvalid)
}

// Unwrap returns [opsec.ErrInvalid].
func (e *OrderError) Unwrap() error { return opsec.ErrInvalid }

// reader goes through accesses, checks them, and passes over those that are not an operator's to a customer's data.
type reader struct {
	accesses iter.Seq2[Access, error]

	rows, passed        int64
	newOperator, newDay bool // the access is the first of an operator, of a day
	complete            bool
}

// all yields accesses that hold until the next; an error is the last.
func (r *reader) all(yield func(*Access, error) bool) {
	var rows [2]Access
	last, taken := (*Access)(nil), (*Access)(nil) // the row before, and the last one that was yielded
	var lastTaken Access
	for row, err := range r.accesses {
		if err != nil {
			yield(nil, fmt.Errorf("dataaccess: after row %d: %w", r.rows, err))
			return
		}
		a := &rows[r.rows%2]
		*a = row
		r.rows++
		if err := a.Validate(); err != nil {
			yield(nil, fmt.Errorf("dataaccess: row %d: %w", r.rows, err))
			return
		}
		if last != nil {
			if c := last.Operator.Compare(a.Operator); c > 0 || c == 0 && a.Time.Before(last.Time) {
				yield(nil, &OrderError{r.rows})
				return
			}
		}
		last = a
		if a.Customer == a.Operator.Tenant || a.Customer == opsec.Provider {
			r.passed++
			continue
		}
		r.newOperator = taken == nil || taken.Operator.Compare(a.Operator) != 0
		r.newDay = r.newOperator || dayOf(taken.Time) != dayOf(a.Time)
		lastTaken = *a
		taken = &lastTaken
		if !yield(a, nil) {
			return
		}
	}
	r.complete = true
}
