package metric_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/sla/metric"
)

// TestRunsOfBadMinutes has a letter for each minute: g, b, d (degraded), u; capitals are excluded, and - is not deployed.
func TestRunsOfBadMinutes(t *testing.T) {
	for _, c := range []struct {
		minutes string
		run     int
		raw     metric.Tally
		counted metric.Tally
	}{
		{"ggbbgg", 2, metric.Tally{Good: 4, Bad: 2}, metric.Tally{Good: 4, Bad: 2}},
		{"ggbbgg", 3, metric.Tally{Good: 6}, metric.Tally{Good: 6}},
		{"bbgbbb", 3, metric.Tally{Good: 3, Bad: 3}, metric.Tally{Good: 3, Bad: 3}},                         // cut at the ends of the period
		{"gbdbgg", 3, metric.Tally{Good: 3, Bad: 3}, metric.Tally{Good: 3, Bad: 3}},                         //
		{"gbBbgg", 3, metric.Tally{Good: 3, Bad: 3}, metric.Tally{Good: 3, Bad: 2, Excluded: 1}},            // the run is what it was
		{"gBBbgg", 3, metric.Tally{Good: 3, Bad: 3}, metric.Tally{Good: 3, Bad: 1, Excluded: 2}},            //
		{"gBBggg", 3, metric.Tally{Good: 6}, metric.Tally{Good: 6}},                                         // nothing to exclude
		{"gbubgg", 3, metric.Tally{Good: 3, Unknown: 3}, metric.Tally{Good: 3, Unknown: 3}},                 // one run, or two that do not count
		{"gbbbug", 3, metric.Tally{Good: 2, Bad: 3, Unknown: 1}, metric.Tally{Good: 2, Bad: 3, Unknown: 1}}, //
		{"gbuggg", 3, metric.Tally{Good: 6}, metric.Tally{Good: 6}},                                         // whatever it was, it is too short
		{"gbUbgg", 3, metric.Tally{Good: 3, Unknown: 3}, metric.Tally{Good: 3, Unknown: 2, ExcludedUnknown: 1}},
		{"gBuBgg", 3, metric.Tally{Good: 3, Unknown: 3}, metric.Tally{Good: 3, Unknown: 1, ExcludedUnknown: 2}},
		{"gb-bbg", 3, metric.Tally{Good: 2, Bad: 3}, metric.Tally{Good: 2, Bad: 3}}, // neighbours of what is left out touch
		{"------", 1, metric.Tally{}, metric.Tally{}},
		{"uuuuuu", 1, metric.Tally{Unknown: 6}, metric.Tally{Unknown: 6}},
		{"UUUUUU", 1, metric.Tally{Unknown: 6}, metric.Tally{ExcludedUnknown: 6}},
		{"BBBBBB", 0, metric.Tally{Bad: 6}, metric.Tally{Excluded: 6}},
	} {
		var list []moment
		for _, r := range c.minutes {
			m := moment{state: strings.ToLower(string(r))[0], excluded: r >= 'A' && r <= 'Z', there: r != '-'}
			for range 3 {
				list = append(list, m)
			}
		}
		o := metric.Objective{Method: metric.Slices, Slice: metric.Duration(3 * time.Millisecond), Run: c.run}
		r := measure(t, o, list)
		require.Equal(t, metric.Result{Raw: c.raw, Counted: c.counted}, r, "%s in runs of %d", c.minutes, c.run)
	}
}

// TestMinuteOfWhichAPartWasBad has a letter for each of its milliseconds.
func TestMinuteOfWhichAPartWasBad(t *testing.T) {
	for _, c := range []struct {
		minute       string
		partial      metric.Partial
		raw, counted metric.Tally
	}{
		{"gbg", "", metric.Tally{Bad: 1}, metric.Tally{Bad: 1}},
		{"gbg", metric.PartialGood, metric.Tally{Good: 1}, metric.Tally{Good: 1}},
		{"bbb", metric.PartialGood, metric.Tally{Bad: 1}, metric.Tally{Bad: 1}},
		{"bub", metric.PartialGood, metric.Tally{Unknown: 1}, metric.Tally{Unknown: 1}},
		{"gub", metric.PartialGood, metric.Tally{Good: 1}, metric.Tally{Good: 1}},
		{"gBg", "", metric.Tally{Bad: 1}, metric.Tally{Excluded: 1}},
		{"bBg", "", metric.Tally{Bad: 1}, metric.Tally{Bad: 1}},
		{"uBg", "", metric.Tally{Bad: 1}, metric.Tally{MaybeExcluded: 1}},
		{"uUg", "", metric.Tally{Unknown: 1}, metric.Tally{Unknown: 1}},
		{"gUg", "", metric.Tally{Unknown: 1}, metric.Tally{ExcludedUnknown: 1}},
		{"BBb", metric.PartialGood, metric.Tally{Bad: 1}, metric.Tally{Bad: 1}},
		{"BBB", metric.PartialGood, metric.Tally{Bad: 1}, metric.Tally{Excluded: 1}},
		{"-bb", metric.PartialGood, metric.Tally{Bad: 1}, metric.Tally{Bad: 1}},
		{"-gg", "", metric.Tally{Good: 1}, metric.Tally{Good: 1}},
	} {
		var list []moment
		for _, r := range c.minute {
			list = append(list, moment{state: strings.ToLower(string(r))[0], excluded: r >= 'A' && r <= 'Z', there: r != '-'})
		}
		o := metric.Objective{Method: metric.Slices, Slice: metric.Duration(3 * time.Millisecond), Partial: c.partial}
		r := measure(t, o, list)
		require.Equal(t, metric.Result{Raw: c.raw, Counted: c.counted}, r, "%s, partial %q", c.minute, c.partial)
	}
}

// TestRunThatMayBeTooShort has two minutes of three milliseconds. What is known to be bad of the first is excluded.
func TestRunThatMayBeTooShort(t *testing.T) {
	for second, want := range map[string]metric.Result{
		"ggg": {Raw: metric.Tally{Good: 2}, Counted: metric.Tally{Good: 2}},
		"uuu": {Raw: metric.Tally{Unknown: 2}, Counted: metric.Tally{Unknown: 2}},
		"UUU": {Raw: metric.Tally{Unknown: 2}, Counted: metric.Tally{Unknown: 1, ExcludedUnknown: 1}},
		"bbb": {Raw: metric.Tally{Bad: 2}, Counted: metric.Tally{Bad: 1, MaybeExcluded: 1}},
		"BBB": {Raw: metric.Tally{Bad: 2}, Counted: metric.Tally{Excluded: 1, MaybeExcluded: 1}},
	} {
		var list []moment
		for _, r := range "uBg" + second {
			list = append(list, moment{state: strings.ToLower(string(r))[0], excluded: r >= 'A' && r <= 'Z', there: true})
		}
		o := metric.Objective{Method: metric.Slices, Slice: metric.Duration(3 * time.Millisecond), Run: 2}
		require.Equal(t, want, measure(t, o, list), second)
	}
}
