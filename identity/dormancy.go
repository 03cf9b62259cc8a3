package identity

import (
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
)

// Dormancy says when an account that nobody uses is disabled (8.1.1-3c). It is data.
type Dormancy struct {
	After    time.Duration   `json:"after"`              // unused for so long; a day to 10 years. PCI DSS 4.0.1, 8.2.6: 90 days
	Warnings []time.Duration `json:"warnings,omitempty"` // so long before, the longest first; each less than After, at most 8
	Exempt   []Exempt        `json:"exempt,omitempty"`   // accounts that wait for an emergency; at most 64
}

// Exempt names an account that dormancy does not disable, such as one to break the glass with.
type Exempt struct {
	Tenant opsec.TenantID `json:"tenant"`
	Name   string         `json:"name"` // canonical
}

// Warned is which warnings about dormancy have been given.
type Warned struct {
	Base  time.Time `json:"base"`  // the use that they count from
	Count int       `json:"count"` // how many of [Dormancy].Warnings are behind
	At    time.Time `json:"at"`    // when the last was given

	Failing time.Time `json:"failing,omitzero"` // since when the next cannot be delivered
}

// Idle is what dormancy means for an account at some time.
type Idle struct {
	Base    time.Time // from when it is unused
	Warning int       // the warning that is due, from 1; 0 is none
	Disable bool      // it is to be disabled
	Until   time.Time // when it will be, if nobody uses it
}

const day = 24 * time.Hour

func (d Dormancy) validate() error {
	if d.After < day || d.After > 3660*day || len(d.Warnings) > 8 || len(d.Exempt) > 64 {
		return invalid("policy: dormancy: after is %v, want a day to 10 years; %d warnings, want at most 8; %d exempt, want at most 64",
			d.After, len(d.Warnings), len(d.Exempt))
	}
	for i, w := range d.Warnings {
		if w <= 0 || w >= d.After || i > 0 && w >= d.Warnings[i-1] {
			return invalid("policy: dormancy: warnings[%d] is %v, want the longest first, each more than 0 and less than after", i, w)
		}
	}
	return nil
}

// Judge says what is due for an account of a family at the time now. The time that a main account is unused counts from the
// last use of any account of the family, that of a sub-account from its own. An account that has come into its state meanwhile
// has its time from there.
//
// Nobody is disabled without the last warning, given as long before as the policy says; unless it cannot be delivered for as
// long as the first is given before. Of several warnings that are due at once the last alone is given.
func (d Dormancy) Judge(f *Family, a *Account, now time.Time) Idle {
	if a.Own != Active || a.State != Active || slices.Contains(d.Exempt, Exempt{a.Tenant, a.Canonical}) {
		return Idle{}
	}
	v := Idle{Base: latest(a.LastUsed, a.Since, a.Created)}
	if a.IsMain() {
		for i := range f.Subs {
			v.Base = latest(v.Base, f.Subs[i].LastUsed)
		}
	}
	v.Until = v.Base.Add(d.After)
	due := 0
	for i, w := range d.Warnings {
		if !now.Before(v.Until.Add(-w)) {
			due = i + 1
		}
	}
	n := len(d.Warnings)
	given := Warned{}
	if a.Warned.Base.Equal(v.Base) {
		given = a.Warned
	}
	if due > given.Count {
		v.Warning = due
	}
	switch {
	case n == 0:
	case given.Count == n:
		v.Until = latest(v.Until, given.At.Add(d.Warnings[n-1]))
	case !given.Failing.IsZero():
		v.Until = latest(v.Until, given.Failing.Add(d.Warnings[0]))
	default: // the last is not given yet: at the earliest from now on, its time
		v.Until = latest(v.Until, now.Add(d.Warnings[n-1]))
	}
	v.Disable = !now.Before(v.Until)
	return v
}

func latest(times ...time.Time) (last time.Time) {
	for _, t := range times {
		if t.After(last) {
			last = t
		}
	}
	return last
}
