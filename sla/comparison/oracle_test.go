package comparison_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/calendar"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/comparison"
	"github.com/cloudopsec/opsec/sla/credit"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/response"
	"github.com/cloudopsec/opsec/sla/responsibility"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// monday is the begin of the week of these tests.
var monday = time.Date(2026, 3, 9, 0, 0, 0, 0, time.UTC)

// drawEvidence draws a week of a resource: states, and requests now and then.
func drawEvidence(t *rapid.T) metric.Input {
	start := monday.UnixMilli()
	week := timeline.Span{Start: start, End: start + 7*24*3_600_000}
	in := metric.Input{States: metric.States{Up: timeline.Line{week}}}
	spans := func(name string, most int) timeline.Line {
		return timeline.Union(some(t, name, most, func(t *rapid.T) timeline.Span {
			from := rapid.Int64Range(0, 7*24*60).Draw(t, "from") * 60_000
			length := rapid.SampledFrom([]int64{1, 5, 15, 60, 600, 2000}).Draw(t, "minutes") * 60_000
			return timeline.Span{Start: start + from, End: min(start+from+length, week.End)}
		}))
	}
	in.States.Down, in.States.Degraded, in.Excluded = spans("down", 4), spans("degraded", 2), spans("excluded", 1)
	if rapid.IntRange(0, 3).Draw(t, "gap") == 0 {
		in.States.Up = in.States.Up.Without(spans("unknown", 2))
	}
	for at := start; at < week.End; {
		at += rapid.SampledFrom([]int64{5, 15, 15, 60, 240, 1440}).Draw(t, "next") * 60_000
		total := rapid.SampledFrom([]uint64{1, 2, 10, 100}).Draw(t, "total")
		good := total * rapid.SampledFrom([]uint64{0, 50, 90, 98, 99, 100, 100, 100, 100}).Draw(t, "good") / 100
		in.Counts = append(in.Counts, metric.Count{Start: at, Good: good, Total: total})
	}
	return in
}

// kept reports whether resources meet an objective in all windows of the week: of those that roll, each 12 hours.
func kept(t require.TestingT, o metric.Objective, all []metric.Input) bool {
	var periods []timeline.Span
	end := monday.Add(7 * 24 * time.Hour)
	for at := monday; at.Before(end); at = at.Add(12 * time.Hour) {
		when := at
		if o.Window.Calendar == "" {
			if when = at.Add(time.Duration(o.Window.Rolling)); when.After(end) {
				break
			}
		}
		_, p, err := o.Window.At(when)
		require.NoError(t, err)
		periods = append(periods, p)
	}
	as := [][]metric.Input{all}
	if o.Scope == "instance" {
		as = nil
		for i := range all {
			as = append(as, all[i:i+1])
		}
	}
	for _, p := range periods {
		for _, one := range as {
			_, f, err := o.Judge(slices.Values(one), p)
			require.NoError(t, err)
			if f.Verdict != ratio.Met {
				return false
			}
		}
	}
	return true
}

// TestStrongerObjectivesKeepWeakerOnes: whatever was seen, what meets the stronger objectives meets the weaker ones.
func TestStrongerObjectivesKeepWeakerOnes(t *testing.T) {
	seen := map[string]int{}
	draw := rapid.Custom(drawObjective).Filter(func(o metric.Objective) bool { return o.Method != "" && o.Validate() == nil })
	rapid.Check(t, func(t *rapid.T) {
		a := draw.Draw(t, "a")
		b := a
		for range rapid.IntRange(1, 3).Draw(t, "changes") {
			o := draw.Draw(t, "other")
			switch rapid.IntRange(0, 9).Draw(t, "field") {
			case 0:
				b.Target = o.Target
			case 1:
				b.Window = o.Window
			case 2:
				b.Run = o.Run
			case 3:
				b.Empty = o.Empty
			case 4:
				b.Partial = o.Partial
			case 5:
				b.Degraded = o.Degraded
			case 6:
				b.Least = o.Least
			case 7:
				b.Good = o.Good
			case 8:
				b.Scope = one(t, "scope", "", "instance")
			case 9:
				b = o
			}
		}
		if b.Validate() != nil {
			t.Skip()
		}
		verdict := comparison.Overall(comparison.Compare(promise(a), promise(b)))
		for range 4 {
			in := []metric.Input{drawEvidence(t)}
			if rapid.Bool().Draw(t, "two") {
				in = append(in, drawEvidence(t))
			}
			keptA, keptB := kept(t, a, in), kept(t, b, in)
			seen[fmt.Sprint(verdict, keptA, keptB)]++
			switch verdict {
			case comparison.Stronger:
				require.True(t, keptA || !keptB, "%+v\nkeeps not\n%+v", b, a)
			case comparison.Weaker:
				require.True(t, keptB || !keptA, "%+v\nkeeps not\n%+v", a, b)
			case comparison.Equal:
				require.Equal(t, keptA, keptB, "%+v\n%+v", a, b)
			}
		}
	})
	t.Log(seen)
}

func promise(o ...metric.Objective) *sla.Agreement {
	return &sla.Agreement{Services: []sla.Service{{ID: "s", Objectives: o}}}
}

// TestStrongerTargetsKeepWeakerOnes: likewise of times to respond, of lists of targets.
func TestStrongerTargetsKeepWeakerOnes(t *testing.T) {
	seen := map[string]int{}
	end := monday.Add(14 * 24 * time.Hour)
	rapid.Check(t, func(t *rapid.T) {
		a, b := some(t, "a", 2, drawTarget), some(t, "b", 3, drawTarget)
		if rapid.Bool().Draw(t, "near") && len(a) > 0 {
			b = slices.Clone(a)
			x := drawTarget(t)
			b[0].Each, b[0].Mean, b[0].Share, b[0].Hours = x.Each, x.Mean, x.Share, x.Hours
		}
		verdict := comparison.Overall(comparison.Compare(respond(a), respond(b)))
		if verdict == comparison.Incomparable {
			t.Skip()
		}
		for range 5 {
			var incidents []response.Incident
			for i := range rapid.IntRange(0, 4).Draw(t, "incidents") {
				at := monday.Add(time.Duration(rapid.IntRange(0, 14*24*4).Draw(t, "at")) * 15 * time.Minute)
				accepted := at.Add(time.Duration(rapid.SampledFrom([]int{0, 30, 60, 61, 240, 600, 720, 2000}).Draw(t, "accepted")) * time.Minute)
				resolved := accepted.Add(time.Duration(rapid.SampledFrom([]int{30, 60, 61, 240, 600, 720, 2000}).Draw(t, "resolved")) * time.Minute)
				incidents = append(incidents, response.Incident{ID: fmt.Sprint(i), Severity: one(t, "severity", opsec.SeverityHigh, opsec.SeverityLow),
					Occurred: at, Reported: at, Accepted: accepted, Resolved: resolved, Restored: resolved})
			}
			met := func(list []response.Target) bool {
				for _, x := range list {
					if x.Mean == 0 && x.Each == 0 {
						continue // it promises nothing, and is not valid
					}
					s, err := response.Summarize(x, incidents, monday, end, end.Add(1000*time.Hour))
					require.NoError(t, err)
					if s.Verdict != ratio.Met {
						return false
					}
				}
				return true
			}
			metA, metB := met(a), met(b)
			seen[fmt.Sprint(verdict, metA, metB)]++
			switch verdict {
			case comparison.Stronger:
				require.True(t, metA || !metB, "%+v\nkeep not\n%+v", b, a)
			case comparison.Weaker:
				require.True(t, metB || !metA, "%+v\nkeep not\n%+v", a, b)
			case comparison.Equal:
				require.Equal(t, metA, metB, "%+v\n%+v", a, b)
			}
		}
	})
	t.Log(seen)
}

func respond(list []response.Target) *sla.Agreement {
	return &sla.Agreement{Clause: sla.Clause{Emergency: &sla.Emergency{Targets: list}}}
}

// TestLongerHoursCoverShorterOnes: a clock that is said to be stronger counts whenever the other one does.
func TestLongerHoursCoverShorterOnes(t *testing.T) {
	seen := map[comparison.Verdict]int{}
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawHours(t), drawHours(t)
		if rapid.Bool().Draw(t, "near") && a != nil {
			c := *a
			b = &c
			b.Holidays = b.Holidays[:rapid.IntRange(0, len(b.Holidays)).Draw(t, "holidays")]
		}
		each := func(p *calendar.Policy) *sla.Agreement {
			return respond([]response.Target{{ID: "x", Measure: response.Acceptance, Each: hours(1), Hours: p}})
		}
		verdict := comparison.Overall(comparison.Compare(each(a), each(b)))
		seen[verdict]++
		if verdict == comparison.Weaker {
			a, b = b, a
		}
		clock := func(p *calendar.Policy) *calendar.Calendar {
			if p == nil {
				p = &calendar.Policy{Zone: "UTC", Hours: calendar.AlwaysOn()}
			}
			c, err := calendar.New(*p)
			require.NoError(t, err)
			return c
		}
		inA, inB := clock(a), clock(b)
		if verdict == comparison.Incomparable {
			return
		}
		// The clock of Europe/Berlin is set forward in it.
		for at := time.Date(2026, 3, 8, 0, 0, 0, 0, time.UTC); at.Before(time.Date(2026, 3, 31, 0, 0, 0, 0, time.UTC)); at = at.Add(time.Hour) {
			next := at.Add(time.Hour)
			shorter, longer := inA.Between(at, next), inB.Between(at, next)
			require.True(t, shorter <= longer && (verdict != comparison.Equal || shorter == longer), "%v: %v %v %v", at, verdict, a, b)
		}
	})
	t.Log(seen)
}

// TestStrongerExclusionsLeaveOutNoMore: the time that stronger rules leave out could be left out by the weaker ones.
func TestStrongerExclusionsLeaveOutNoMore(t *testing.T) {
	seen := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		// Of rules with an id each, so that every rule of b has one of a to stand for it.
		list := func(name string) []sla.ExclusionRule {
			out := some(t, name, 2, drawRule)
			for i := range out {
				out[i].ID, out[i].Notice = fmt.Sprint(i), max(out[i].Notice, hours(1))
			}
			return out
		}
		a, b := list("a"), list("b")
		if rapid.Bool().Draw(t, "near") {
			b = slices.Clone(a)
			for i := range b {
				x := drawRule(t)
				if rapid.Bool().Draw(t, "services") {
					b[i].Services = x.Services
				}
				b[i].Notice, b[i].Longest, b[i].Yearly = max(b[i].Notice, x.Notice), x.Longest, x.Yearly
			}
		}
		agreement := func(rules []sla.ExclusionRule) *sla.Agreement {
			return &sla.Agreement{Zone: "UTC", Effective: monday.AddDate(-1, 0, 0), Services: []sla.Service{{ID: "s"}, {ID: "r"}}, Exclusions: rules,
				Responsibilities: responsibility.Matrix{Model: opsec.IaaS, Assignments: []responsibility.Assignment{{Layer: responsibility.GuestOS, Party: opsec.CSC}}}}
		}
		inA, inB := agreement(a), agreement(b)
		verdict := comparison.Overall(comparison.Compare(inA, inB))
		switch verdict {
		case comparison.Weaker:
			a, b, inA, inB = b, a, inB, inA
		case comparison.Incomparable:
			return
		}
		var asked []sla.Exclusion
		for i := range rapid.IntRange(1, 6).Draw(t, "asked") {
			if len(b) == 0 {
				break
			}
			rule := b[rapid.IntRange(0, len(b)-1).Draw(t, "rule")]
			at := monday.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "at")) * 3 * time.Hour)
			role := rule.Approver
			asked = append(asked, sla.Exclusion{ID: fmt.Sprint(i), Rule: rule.ID, Reason: "x", Start: at,
				End: at.Add(time.Duration(rapid.IntRange(1, 12).Draw(t, "hours")) * time.Hour), Noticed: at.Add(-time.Duration(one(t, "notice", 0, 24, 72, 100)) * time.Hour),
				Approved: "somebody", Role: role, Layer: responsibility.GuestOS, Services: one(t, "for", nil, []string{"s"}, []string{"r"})})
		}
		rulings, err := inB.Judge(asked)
		require.NoError(t, err)
		// What was left out, asked of the other: by one assignment of rules to rules at least all of it is granted.
		granted := func(to []int) bool {
			var again []sla.Exclusion
			var want uint64
			for _, r := range rulings {
				for k, span := range r.Within {
					e := r.Exclusion
					e.ID = fmt.Sprint(e.ID, "-", k)
					for i := range b {
						if b[i].ID == r.Rule {
							e.Rule, e.Role = a[to[i]].ID, a[to[i]].Approver
						}
					}
					e.Start, e.End, e.Services = time.UnixMilli(span.Start), time.UnixMilli(span.End), r.Services
					again = append(again, e)
					want += uint64(span.End-span.Start) * uint64(len(r.Services))
				}
			}
			list, err := inA.Judge(again)
			require.NoError(t, err)
			var have uint64
			for _, r := range list {
				have += r.Within.Length() * uint64(len(r.Services))
			}
			return have == want
		}
		seen[fmt.Sprint(verdict, len(b))]++
		if len(b) == 0 {
			return
		}
		var ok bool
		for i := range a {
			for j := range a {
				if len(b) == 1 && granted([]int{i}) || len(b) == 2 && i != j && granted([]int{i, j}) {
					ok = true
				}
			}
		}
		require.True(t, ok, "%v: %+v\nleaves out what\n%+v\ndoes not: %+v", verdict, b, a, rulings)
	})
	t.Log(seen)
}

// TestStrongerTablesOweNoLess: for every figure, by packages credit alone.
func TestStrongerTablesOweNoLess(t *testing.T) {
	seen := map[comparison.Verdict]int{}
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawTable(t), drawTable(t)
		a.Group, b.Group, b.Rounding, b.Claim, b.Months, b.Minimum = "", "", a.Rounding, a.Claim, a.Months, a.Minimum
		if b.Objective = a.Objective; a.Objective == "q" {
			a.Objective, b.Objective = "o", "o"
		}
		paid := func(x credit.Table) *sla.Agreement {
			return &sla.Agreement{Credits: []credit.Table{x}, Services: []sla.Service{{ID: "paid", Objectives: []metric.Objective{
				{ID: "o", Target: of("99%"), Method: metric.Time, Window: metric.Window{Calendar: "month"}},
				{ID: "p", Target: of("95%"), Method: metric.Time, Window: metric.Window{Calendar: "month"}}}}}}
		}
		verdict := comparison.Overall(comparison.Compare(paid(a), paid(b)))
		target := map[string]ratio.Ratio{"o": of("99%"), "p": of("95%")}[a.Objective]
		var more, less, paidA, paidB bool
		for i := uint64(0); i <= 1000; i++ {
			figure, err := ratio.New(i, 1000)
			require.NoError(t, err)
			g := ratio.Range{Low: figure, High: figure}
			owed := func(x credit.Table) ratio.Ratio {
				d, err := x.Due("paid", g, g.AtLeast(target), "", monday)
				require.NoError(t, err)
				return d.Credit.High
			}
			paidA, paidB = paidA || owed(a).Num() > 0, paidB || owed(b).Num() > 0
			switch owed(b).Cmp(owed(a)) {
			case 1:
				more = true
			case -1:
				less = true
			}
		}
		// The cap is a term of its own, because it holds for all tables together; of those that owe nothing it is none.
		cap := func(x credit.Table) ratio.Ratio {
			if x.Cap.Num() == 0 || !paidA || !paidB {
				return ratio.One()
			}
			return x.Cap
		}
		switch cap(b).Cmp(cap(a)) {
		case 1:
			more = true
		case -1:
			less = true
		}
		want := map[[2]bool]comparison.Verdict{{}: comparison.Equal, {true, false}: comparison.Stronger, {false, true}: comparison.Weaker, {true, true}: comparison.Incomparable}
		require.Equal(t, want[[2]bool{more, less}], verdict, "%+v\n%+v", a, b)
		seen[verdict]++
	})
	t.Log(seen)
}
