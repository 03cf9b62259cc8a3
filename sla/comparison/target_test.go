package comparison_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/calendar"
	"github.com/cloudopsec/opsec/sla/comparison"
	"github.com/cloudopsec/opsec/sla/response"
)

func TestTargetsThatKeepOthers(t *testing.T) {
	const stronger, weaker, incomparable, equal = comparison.Stronger, comparison.Weaker, comparison.Incomparable, comparison.Equal
	type targets = []response.Target
	const a = response.Acceptance
	high, low := opsec.SeverityHigh, opsec.SeverityLow
	office := &calendar.Policy{Zone: "Europe/Berlin", Hours: calendar.FiveByEight(calendar.Clock(9, 0))}
	for _, c := range []struct {
		name string
		a, b targets
		want comparison.Verdict
	}{
		{"each of all keeps each of one severity", targets{{Measure: a, Severity: high, Each: 4}}, targets{{Measure: a, Each: 4}}, stronger},
		{"each of one severity does not keep another", targets{{Measure: a, Severity: high, Each: 4}}, targets{{Measure: a, Severity: low, Each: 4}}, incomparable},
		{"a share of all says nothing of one severity", targets{{Measure: a, Severity: high, Each: 4, Share: "50%"}}, targets{{Measure: a, Each: 4, Share: "99%"}}, incomparable},
		{"each of all keeps a share of one severity", targets{{Measure: a, Severity: high, Each: 4, Share: "50%"}}, targets{{Measure: a, Each: 4}}, stronger},
		{"the mean of all says nothing of one severity", targets{{Measure: a, Severity: high, Mean: 4}}, targets{{Measure: a, Mean: 1}}, incomparable},
		{"each keeps the mean", targets{{Measure: a, Mean: 4}}, targets{{Measure: a, Each: 4}}, stronger},
		{"longer than the mean", targets{{Measure: a, Mean: 4}}, targets{{Measure: a, Each: 5}}, incomparable},
		{"a share does not keep the mean", targets{{Measure: a, Mean: 4}}, targets{{Measure: a, Each: 4, Share: "99%"}}, incomparable},
		{"each of all keeps the mean of one severity", targets{{Measure: a, Severity: high, Mean: 4}}, targets{{Measure: a, Each: 4}}, stronger},
		{"each of one severity does not keep the mean of all", targets{{Measure: a, Mean: 4}}, targets{{Measure: a, Severity: high, Each: 4}}, incomparable},
		{"each of one severity does not keep the mean of another", targets{{Measure: a, Severity: low, Mean: 4}}, targets{{Measure: a, Severity: high, Each: 4}}, incomparable},
		{"each on office hours does not keep the mean of all time", targets{{Measure: a, Mean: 4}}, targets{{Measure: a, Each: 4, Hours: office}}, incomparable},
		{"each of all time keeps the mean on office hours", targets{{Measure: a, Mean: 4, Hours: office}}, targets{{Measure: a, Each: 4}}, stronger},
		{"another measure", targets{{Measure: a, Each: 4}}, targets{{Measure: response.Troubleshooting, Each: 4}}, incomparable},
		{"what another keeps anyway", targets{{Measure: a, Each: 4}}, targets{{Measure: a, Each: 4}, {Measure: a, Each: 8}, {Measure: a, Mean: 4}, {Measure: a, Severity: low, Each: 5}}, equal},
		{"nothing", targets{{Measure: a, Each: 4}}, targets{{Measure: a}}, weaker},
		{"a share that cannot be read", targets{{Measure: a, Each: 4, Share: "1%"}}, targets{{Measure: a, Each: 4, Share: "many"}}, weaker},
		{"all, in other words", targets{{Measure: a, Each: 4, Share: "100%"}}, targets{{Measure: a, Each: 4}}, equal},
	} {
		t.Run(c.name, func(t *testing.T) {
			list := comparison.Compare(respond(c.a), respond(c.b))
			require.Equal(t, c.want, comparison.Overall(list), "%v", list)
			require.Equal(t, c.want.Reverse(), comparison.Overall(comparison.Compare(respond(c.b), respond(c.a))))
		})
	}
}

func TestHoursThatCoverOthers(t *testing.T) {
	const stronger, incomparable, equal = comparison.Stronger, comparison.Incomparable, comparison.Equal
	shifts := func(list ...string) (out []calendar.Shift) {
		for _, s := range list {
			x, err := calendar.ParseShift(s)
			require.NoError(t, err)
			out = append(out, x)
		}
		return out
	}
	policy := func(zone string, hours []calendar.Shift, holidays ...calendar.Holiday) *calendar.Policy {
		return &calendar.Policy{Zone: zone, Hours: hours, Holidays: holidays}
	}
	newYear, labour := calendar.Holiday{Name: "x", On: "01-01"}, calendar.Holiday{Name: "y", On: "05-01"}
	short := calendar.Holiday{Name: "z", On: "12-24", Open: []calendar.Span{{Start: calendar.Clock(9, 0), End: calendar.Clock(12, 0)}}}
	observed := calendar.Holiday{Name: "x", On: "01-01", Observed: calendar.ObservedNext}
	office, long := shifts("Mon-Fri 09:00-17:00"), shifts("Mon-Sat 08:00-18:00")
	for _, c := range []struct {
		name string
		a, b *calendar.Policy
		want comparison.Verdict
	}{
		{"longer", policy("UTC", office), policy("UTC", long), stronger},
		{"in another zone", policy("UTC", office), policy("Europe/Berlin", long), incomparable},
		{"always, in another zone", policy("UTC", office), policy("Europe/Berlin", calendar.AlwaysOn()), stronger},
		{"always is always", policy("UTC", calendar.AlwaysOn()), policy("Europe/Berlin", shifts("Mon-Sun 12:00-00:00", "Mon-Sun 00:00-12:00")), equal},
		{"not on holidays", policy("UTC", calendar.AlwaysOn(), newYear), policy("Europe/Berlin", calendar.AlwaysOn()), stronger},
		{"other hours", policy("UTC", office), policy("UTC", shifts("Mon-Fri 08:00-16:00")), incomparable},
		{"in pieces", policy("UTC", office), policy("UTC", shifts("Mon-Fri 09:00-12:00", "Mon-Fri 12:00-17:00")), equal},
		{"by another name", policy("UTC", office, newYear), policy("UTC", office, calendar.Holiday{Name: "n", On: "01-01", Days: 1}), equal},
		{"fewer holidays", policy("UTC", office, newYear, labour), policy("UTC", office, labour), stronger},
		{"no holidays", policy("UTC", office, newYear), policy("UTC", office), stronger},
		{"other holidays", policy("UTC", office, newYear), policy("UTC", office, labour), incomparable},
		{"longer, but with a holiday", policy("UTC", office), policy("UTC", long, newYear), incomparable},
		{"longer, with the same holiday", policy("UTC", office, newYear), policy("UTC", long, newYear), stronger},
		{"the same holidays with hours", policy("UTC", office, short), policy("UTC", office, short), equal},
		{"holidays with hours", policy("UTC", office, short), policy("UTC", long, short), incomparable},
		{"holidays with hours, or none", policy("UTC", office, short), policy("UTC", office), incomparable},
		{"holidays with hours, and always", policy("UTC", office, short), policy("UTC", calendar.AlwaysOn()), stronger},
		{"holidays that are observed", policy("UTC", office, observed), policy("UTC", long), incomparable},
		{"nights", policy("UTC", shifts("Mon-Sun 22:00-06:00")), policy("UTC", shifts("Mon-Sun 20:00-07:00")), stronger},
		{"nights of days", policy("UTC", shifts("Mon-Sun 22:00-06:00")), policy("UTC", shifts("Mon-Sun 00:00-07:00", "Mon-Sun 22:00-00:00")), stronger},
		{"the night of Saturday", policy("UTC", shifts("Sun 00:00-06:00")), policy("UTC", shifts("Sat 22:00-06:00")), stronger},
		{"nights into a holiday", policy("UTC", shifts("Mon-Sun 22:00-06:00"), newYear), policy("UTC", shifts("Mon-Sun 00:00-07:00", "Mon-Sun 22:00-00:00"), newYear), incomparable},
		{"a day from noon to noon", policy("UTC", calendar.AlwaysOn()), policy("UTC", []calendar.Shift{{Days: 0x7F, Span: calendar.Span{Start: calendar.Clock(12, 0), End: calendar.Clock(12, 0)}}}), equal},
	} {
		t.Run(c.name, func(t *testing.T) {
			on := func(p *calendar.Policy) []response.Target {
				return []response.Target{{ID: "x", Measure: response.Acceptance, Each: 1, Hours: p}}
			}
			list := comparison.Compare(respond(on(c.a)), respond(on(c.b)))
			require.Equal(t, c.want, comparison.Overall(list), "%v", list)
			require.Equal(t, c.want.Reverse(), comparison.Overall(comparison.Compare(respond(on(c.b)), respond(on(c.a)))))
		})
	}
}
