package recovery

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
)

// Rules of findings.
const (
	RuleNever  = "never tested" // no test of a source has ever passed
	RuleLate   = "overdue"      // the last that passed is too long ago
	RuleFailed = "last failed"  // the last test has failed
	RuleSlow   = "slower than"  // the last that passed took longer than is promised
)

// Duty is what is to be tested.
type Duty struct {
	Tenant opsec.TenantID `json:"tenant"`
	Source string         `json:"source"`
	Every  Duration       `json:"every"`         // more than 0
	Since  time.Time      `json:"since"`         // from when it is to be tested: the first test is due Every after it
	RTO    Duration       `json:"rto,omitempty"` // what a recovery may take; 0: not promised
}

// Finding is something that a person should look at.
type Finding struct {
	Tenant   opsec.TenantID `json:"tenant"`
	Source   string         `json:"source"`
	Rule     string         `json:"rule"`
	Severity opsec.Severity `json:"severity"`
	Due      time.Time      `json:"due,omitzero"` // when a test was due, of RuleNever and RuleLate
	Text     string         `json:"text"`
}

// Overdue returns what is wrong with the tests of each duty at the time now, in the order of the duties; results may be in any order, those of other
// sources are passed over, and so are those that end after now. A test that failed does not put off the next. Errors wrap [opsec.ErrInvalid].
func Overdue(duties []Duty, results []Result, now time.Time) ([]Finding, error) {
	type key struct {
		tenant opsec.TenantID
		source string
	}
	last, passed := map[key]*Result{}, map[key]*Result{}
	newest := func(m map[key]*Result, k key, r *Result) {
		if old := m[k]; old == nil || cmp.Or(r.Ended.Compare(old.Ended), cmp.Compare(r.ID, old.ID)) > 0 {
			m[k] = r
		}
	}
	for i := range results {
		r := &results[i]
		if r.Ended.After(now) {
			continue
		}
		k := key{r.Point.Tenant, r.Point.Source}
		newest(last, k, r)
		if r.Passed {
			newest(passed, k, r)
		}
	}
	var list []Finding
	for i, d := range duties {
		if d.Every <= 0 || d.Source == "" || d.Tenant == "" || d.RTO < 0 {
			return nil, invalid("duties[%d]: want a tenant, a source and an interval of more than 0", i)
		}
		k := key{d.Tenant, d.Source}
		find := func(rule string, severity opsec.Severity, due time.Time, format string, args ...any) {
			list = append(list, Finding{d.Tenant, d.Source, rule, severity, due, fmt.Sprintf(format, args...)})
		}
		good, recent := passed[k], last[k]
		due := d.Since.Add(time.Duration(d.Every))
		if good != nil {
			due = good.Ended.Add(time.Duration(d.Every))
		}
		switch {
		case good == nil && now.After(due):
			find(RuleNever, opsec.SeverityHigh, due, "no recovery of it has ever succeeded")
		case good != nil && now.After(due):
			find(RuleLate, opsec.SeverityMedium, due, "the last recovery that succeeded was at %s", good.Ended.UTC().Format(time.RFC3339))
		}
		if recent != nil && !recent.Passed {
			find(RuleFailed, opsec.SeverityHigh, time.Time{}, "%s", recent.Failure)
		}
		if good != nil && d.RTO > 0 && good.Took > d.RTO {
			find(RuleSlow, opsec.SeverityHigh, time.Time{}, "the last recovery took %s, and %s is promised", time.Duration(good.Took), time.Duration(d.RTO))
		}
	}
	return list, nil
}

// OddsFor returns the odds of a source, of the tests that ended in the time from since to now.
func OddsFor(tenant opsec.TenantID, source string, results []Result, since, now time.Time) Odds {
	passed := 0
	all := slices.DeleteFunc(slices.Clone(results), func(r Result) bool {
		return r.Point.Tenant != tenant || r.Point.Source != source || r.Ended.Before(since) || r.Ended.After(now)
	})
	for i := range all {
		if all[i].Passed {
			passed++
		}
	}
	return OddsOf(passed, len(all)-passed)
}
