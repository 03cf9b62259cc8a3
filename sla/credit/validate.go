package credit

import (
	"errors"
	"fmt"
	"time"

	"github.com/cloudopsec/opsec/sla/ratio"
)

// Bounds of a table.
const (
	maxBands  = 100
	maxClaim  = 3660 * 24 * time.Hour
	maxMonths = 120
)

// Validate returns nil, or a [*Fault] for each thing that is wrong, joined: what is missing, what nobody could reckon, and
// what is set but would have no effect.
func (t Table) Validate() error {
	var errs []error
	check := func(ok bool, path, form string, args ...any) {
		if !ok {
			errs = append(errs, fault(path, form, args...))
		}
	}
	check(t.ID != "" && len(t.ID) <= 200, "id", "want 1 to 200 bytes")
	check(t.Objective != "" && len(t.Objective) <= 200, "objective", "want 1 to 200 bytes")
	check(len(t.Bands) > 0 && len(t.Bands) <= maxBands, "bands", "want 1 to %d", maxBands)
	check(t.Cap.Cmp(ratio.One()) <= 0, "cap", "%s is more than the fee", t.Cap)
	for i, b := range t.Bands[:min(len(t.Bands), maxBands)] {
		at := fmt.Sprintf("bands[%d]", i)
		check(b.Below.Num() > 0 && b.Below.Cmp(ratio.One()) <= 0, at+".below", "want more than 0 and at most 100%%")
		check(b.Credit.Num() > 0, at+".credit", "want more than 0")
		check(b.Credit.Cmp(t.cap()) <= 0, at+".credit", "%s is more than the cap of %s", b.Credit, t.cap())
		if i > 0 {
			before := t.Bands[i-1]
			check(b.Below.Cmp(before.Below) < 0, at+".below", "want less than the %s of the band before", before.Below)
			check(b.Credit.Cmp(before.Credit) > 0, at+".credit", "want more than the %s of the band before", before.Credit)
		}
	}
	check(len(t.Group) <= 200, "group", "want at most 200 bytes")
	if t.Minimum != "" {
		if _, err := parse("minimum", t.Minimum); err != nil {
			errs = append(errs, err)
		}
	}
	check(t.Rounding.rounder() != "", "rounding", "%.20q is none of half-up, half-even, up and down", t.Rounding)
	check(t.Claim >= 0 && time.Duration(t.Claim) <= maxClaim, "claim", "want 0 to ten years")
	check(t.Months >= 0 && t.Months <= maxMonths, "claimMonths", "want 0 to %d", maxMonths)
	check(t.Claim == 0 || t.Months == 0, "claimMonths", "claim is set, too")
	check(len(t.Source) <= 1000, "source", "want at most 1000 bytes")
	return errors.Join(errs...)
}
