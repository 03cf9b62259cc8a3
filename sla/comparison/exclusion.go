package comparison

import (
	"fmt"

	"github.com/cloudopsec/opsec"

	"github.com/cloudopsec/opsec/sla"
)

// exclusions compares what may be left out of figures, which the customer has to bear.
func exclusions(a, b []sla.ExclusionRule) []Difference {
	k := &kind[sla.ExclusionRule]{
		path:    "exclusions",
		clause:  "7.2.1",
		id:      func(r *sla.ExclusionRule) string { return "id=" + r.ID },
		key:     func(r *sla.ExclusionRule) string { return string(r.Category) },
		compare: compareRules,
		show:    showRule,
		burden:  true,
		single:  true,
		came:    "more may be left out of the figures",
		went:    "it is not left out of the figures",
	}
	return k.differences(a, b)
}

func showRule(r *sla.ExclusionRule) string { return fmt.Sprintf("%s: %s", r.Category, r.Text) }

// compareRules compares rules of a category: one is stronger if whatever it lets be left out the other would too.
func compareRules(t *terms, a, b *sla.ExclusionRule) {
	t.read("text", a.Text, b.Text)
	if rel := wording(a.Approver, b.Approver); t.differ(rel) {
		why := "somebody else approves"
		if rel != 0 {
			why = gained(rel, "it must be approved", "nobody must approve it")
		}
		t.write("approver", a.Approver, b.Approver, rel, why)
	}
	t.long("notice", a.Notice, b.Notice)
	t.unbounded("longest", a.Longest, b.Longest)
	t.unbounded("yearly", a.Yearly, b.Yearly)
	t.affected("services", a.Services, b.Services)
}

// read compares texts of which one that is missing is only another one: a disclaimer without words may mean anything.
func (t *terms) read(name, a, b string) {
	rel := wording(a, b)
	if rel != same {
		rel = 0
	}
	if t.differ(rel) {
		t.write(name, a, b, rel, "the wording differs: people have to weigh it")
	}
}

// affected is a scope of which less is stronger.
func (t *terms) affected(name string, a, b []string) {
	var list []row
	in := terms{rel: same, rows: &list}
	in.scope(name, a, b)
	if rel := in.rel.reverse(); t.differ(rel) {
		for _, r := range list {
			t.write(r.name, r.a, r.b, r.rel.reverse(), r.why)
		}
	}
}

// liabilities compares what the parties answer for: the provider's for the customer, the customer's against it.
func liabilities(a, b []sla.Liability, party opsec.Party) []Difference {
	of := func(list []sla.Liability) (out []sla.Liability) {
		for _, l := range list {
			if l.Party == party {
				out = append(out, l)
			}
		}
		return out
	}
	k := &kind[sla.Liability]{
		path:    "liabilities",
		clause:  "7.2.1",
		id:      func(l *sla.Liability) string { return "party=" + string(l.Party) },
		key:     func(l *sla.Liability) string { return "" },
		compare: func(t *terms, a, b *sla.Liability) { t.read("text", a.Text, b.Text) },
		show:    func(l *sla.Liability) string { return l.Text },
		burden:  party == opsec.CSC,
		came:    "the " + string(party) + " answers for more",
		went:    "the " + string(party) + " answers for less",
	}
	return k.differences(of(a), of(b))
}
