package comparison

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/credit"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
)

// table is a table of credits with the objective that it is of.
type table struct {
	*credit.Table
	service   string
	objective metric.Objective
	edges     []ratio.Ratio // figures from which on another credit may be owed, rising, from 0
	owed      []ratio.Ratio // from each of them on
	within    ratio.Ratio   // the greatest cap of its group, which holds for all of it, see [credit.Cap]; else its own
}

// tables returns those of an agreement. One whose objective is not there is of no service.
func tables(a *sla.Agreement) (out []table) {
	type place struct {
		service string
		of      *metric.Objective
	}
	objectives := map[string]place{}
	for i := range a.Services {
		s := &a.Services[i]
		for j := range s.Objectives {
			o := &s.Objectives[j]
			if _, ok := objectives[o.ID]; !ok {
				objectives[o.ID] = place{s.ID, o}
			}
		}
	}
	for i := range a.Credits {
		t := table{Table: &a.Credits[i]}
		t.objective.Target = ratio.One()
		if p, ok := objectives[t.Objective]; ok {
			t.service, t.objective = p.service, *p.of
		}
		t.steps()
		out = append(out, t)
	}
	type group struct{ service, name, window string }
	of := func(t *table) group { return group{t.service, t.Group, window(t.objective.Window)} }
	most := map[group]ratio.Ratio{}
	for i := range out {
		if g := of(&out[i]); out[i].most().Cmp(most[g]) > 0 {
			most[g] = out[i].most()
		}
	}
	for i := range out {
		if out[i].within = out[i].most(); out[i].Group != "" {
			out[i].within = most[of(&out[i])]
		}
	}
	return out
}

// steps reckons what is owed from each edge on: none where the target is reached, and the cap at most.
func (t *table) steps() {
	bands := slices.Clone(t.Bands)
	slices.SortStableFunc(bands, func(a, b credit.Band) int { return b.Below.Cmp(a.Below) })
	t.edges = []ratio.Ratio{{}, t.objective.Target}
	for _, b := range bands {
		t.edges = append(t.edges, b.Below)
	}
	slices.SortFunc(t.edges, ratio.Ratio.Cmp)
	t.edges = slices.CompactFunc(t.edges, func(a, b ratio.Ratio) bool { return a.Cmp(b) == 0 })
	t.owed = make([]ratio.Ratio, len(t.edges))
	var most ratio.Ratio // of the bands that a figure is below
	for i, at := range slices.Backward(t.edges) {
		for len(bands) > 0 && bands[0].Below.Cmp(at) > 0 {
			if bands[0].Credit.Cmp(most) > 0 {
				most = bands[0].Credit
			}
			bands = bands[1:]
		}
		if at.Cmp(t.objective.Target) < 0 {
			t.owed[i] = most
			if c := t.most(); most.Cmp(c) > 0 && !t.alone() {
				t.owed[i] = c
			}
		}
	}
}

// alone reports whether each resource is judged by itself: then the cap is on the mean of what is owed.
func (t *table) alone() bool { return t.objective.Scope == "instance" }

// most is the cap: of the whole fee at most.
func (t *table) most() ratio.Ratio {
	if t.Cap.Num() == 0 || t.Cap.Cmp(ratio.One()) > 0 {
		return ratio.One()
	}
	return t.Cap
}

// credits compares tables of credits: b is stronger where it owes more for some figure, and less for none.
func credits(a, b []table) []Difference {
	k := &kind[table]{
		path: "credits", clause: "7.2.1",
		id:      func(t *table) string { return "id=" + t.ID },
		key:     func(t *table) string { return t.service },
		compare: compareTables,
		show:    func(t *table) string { return t.Objective + ": " + showBands(t) },
		came:    "credits more",
		went:    "nothing is owed by it",
		empty: func(t *table) bool { // what its cap does for others of its group is a term of theirs
			return !slices.ContainsFunc(t.owed, func(r ratio.Ratio) bool { return r.Num() > 0 })
		},
		single: true,
	}
	return k.differences(a, b)
}

// showBands writes down what is owed in effect, for high figures first.
func showBands(t *table) string {
	var list []string
	for i := 0; i+1 < len(t.edges); i++ {
		c := t.owed[i]
		if c.Num() > 0 && t.owed[i+1].Cmp(c) != 0 {
			list = append(list, fmt.Sprintf("below %s: %s", t.edges[i+1], c))
		}
	}
	slices.Reverse(list)
	return strings.Join(list, "; ")
}

func compareTables(t *terms, a, b *table) {
	inner := terms{rel: same}
	var list []row
	if t.rows != nil {
		inner.rows = &list
	}
	inner.reckoning(&a.objective, &b.objective, false)
	t.rel &= inner.rel
	for _, r := range list {
		t.write("objective."+r.name, r.a, r.b, r.rel, r.why)
	}
	t.bands(a, b)
	t.share("cap", a.within, b.within)
	if a.alone() && b.alone() { // of others it is in what is owed already
		t.share("cap", a.most(), b.most())
	}
	t.group(a.Group, b.Group)
	t.minimum(a.Minimum, b.Minimum)
	t.rank("rounding", rounding(a), rounding(b), func(high, low string) bool {
		i := slices.Index(roundings, credit.Rounding(low))
		return i >= 0 && slices.Index(roundings, credit.Rounding(high)) > i
	}, "by at most a coin")
	t.claim(a.Table, b.Table)
}

// roundings are those of credits, from the one that gives least.
var roundings = []credit.Rounding{credit.Down, credit.HalfEven, credit.HalfUp, credit.Up}

func rounding(t *table) string {
	if t.Rounding == "" {
		return string(credit.HalfUp)
	}
	return string(t.Rounding)
}

// maxNotes is how many figures a reason names.
const maxNotes = 5

// bands compares what is owed for all figures: between the edges of both it does not change.
func (t *terms) bands(a, b *table) {
	rel := same
	var more, less []string
	note := func(list *[]string, x, y, at ratio.Ratio) {
		switch n := len(*list); {
		case t.rows == nil || n > maxNotes:
		case n == maxNotes:
			*list = append(*list, "and so on")
		default:
			*list = append(*list, fmt.Sprintf("%s instead of %s from %s on", y, x, at))
		}
	}
	for i, j := 0, 0; i < len(a.edges) || j < len(b.edges); { // the next edge, of which i and j are those until there
		var at ratio.Ratio
		if j == len(b.edges) || i < len(a.edges) && a.edges[i].Cmp(b.edges[j]) <= 0 {
			at = a.edges[i]
		} else {
			at = b.edges[j]
		}
		if i < len(a.edges) && a.edges[i].Cmp(at) == 0 {
			i++
		}
		if j < len(b.edges) && b.edges[j].Cmp(at) == 0 {
			j++
		}
		x, y := a.owed[i-1], b.owed[j-1] // both begin at 0
		switch y.Cmp(x) {
		case 1:
			rel &^= atMost
			note(&more, x, y, at)
		case -1:
			rel &^= atLeast
			note(&less, x, y, at)
		}
		if t.rows == nil && rel == 0 {
			break
		}
	}
	if t.differ(rel) {
		if rel&atLeast == 0 {
			t.write("bands", showBands(a), showBands(b), atMost, "less is owed: "+strings.Join(less, ", "))
		}
		if rel&atMost == 0 {
			t.write("bands", showBands(a), showBands(b), atLeast, "more is owed: "+strings.Join(more, ", "))
		}
	}
}

// group: of the tables of a group only the greatest credit is owed; of those that are in none, all.
func (t *terms) group(a, b string) {
	rel := literally(a, b).reverse()
	if t.differ(rel) {
		why := "other tables share the greatest credit"
		if rel != 0 {
			why = gained(rel, "it is owed beside others", "only the greatest of the group is owed")
		}
		t.write("group", a, b, rel, why)
	}
}

// minimum compares amounts that credits must exceed: none is the strongest, as is 0, which each credit exceeds.
func (t *terms) minimum(a, b string) {
	x, unitA, okA := amount(a)
	y, unitB, okB := amount(b)
	none := func(s string, r ratio.Ratio, ok bool) string {
		if ok && r.Num() == 0 {
			return ""
		}
		return s
	}
	rel := wording(none(a, x, okA), none(b, y, okB)).reverse()
	if rel == 0 && okA && okB && unitA == unitB {
		rel = sign(x.Cmp(y))
	}
	if t.differ(rel) {
		why := "amounts that cannot be compared"
		if rel != 0 {
			why = gained(rel, "smaller credits are paid", "small credits are not paid")
		}
		t.write("minimum", a, b, rel, why)
	}
}

// amount reads money such as "1.00 EUR".
func amount(s string) (ratio.Ratio, string, bool) {
	number, unit, ok := strings.Cut(s, " ")
	if !ok || strings.ContainsAny(number, "%/") {
		return ratio.Ratio{}, "", false
	}
	r, err := ratio.Parse(number)
	return r, unit, err == nil
}

// claim compares how long after a period a claim may be made: that none is needed is the strongest.
func (t *terms) claim(a, b *credit.Table) {
	const day = metric.Duration(24 * 3600 * 1e9)
	bounds := func(x *credit.Table) (least, longest metric.Duration, s string) {
		switch {
		case x.Months > 0:
			if least, longest = 1200*28*day, 1<<63-1; x.Months <= 1200 {
				m := metric.Duration(x.Months)
				least, longest = m*28*day, m*31*day
			}
			return least, longest, fmt.Sprintf("%d months", x.Months)
		case x.Claim > 0:
			return x.Claim, x.Claim, text(x.Claim)
		}
		return 1<<63 - 1, 1<<63 - 1, "no claim is needed"
	}
	leastA, mostA, showA := bounds(a)
	leastB, mostB, showB := bounds(b)
	rel := relation(0)
	if showA == showB || leastB >= mostA || a.Months > 0 && b.Months >= a.Months {
		rel |= atLeast
	}
	if showA == showB || leastA >= mostB || b.Months > 0 && a.Months >= b.Months {
		rel |= atMost
	}
	if t.differ(rel) {
		why := "months are of different length"
		if rel != 0 {
			why = gained(rel, "there is more time to claim it", "there is less time to claim it")
		}
		t.write("claim", showA, showB, rel, why)
	}
}
