package comparison

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
)

// terms compares the terms of two promises of a kind, one after the other. The relation of the promises is the "and" of
// those of their terms: a promise is stronger when one of its terms is, and none is weaker.
type terms struct {
	rel  relation
	rows *[]row // nil: the relation is all that is asked for
}

// row is a term in which two promises differ.
type row struct {
	name, a, b, why string
	rel             relation
}

// weigh writes down the terms in which two things differ.
func weigh(path, clause string, compare func(t *terms)) (out []Difference) {
	var list []row
	compare(&terms{rel: same, rows: &list})
	for _, r := range list {
		at := r.name
		if path != "" {
			at = path + "." + r.name
		}
		out = append(out, Difference{at, clause, r.rel.verdict(), r.a, r.b, r.why})
	}
	return out
}

// differ takes a term in, and reports whether it is to be written down.
func (t *terms) differ(rel relation) bool {
	t.rel &= rel
	return t.rows != nil && rel != same
}

func (t *terms) write(name, a, b string, rel relation, why string) {
	*t.rows = append(*t.rows, row{name, a, b, why, rel})
}

// ordered is a relation of two values of which the greater is stronger.
func ordered[T cmp.Ordered](a, b T) relation { return sign(cmp.Compare(b, a)) }

// sign is a relation by the sign of how much stronger b is than a.
func sign(n int) relation {
	switch {
	case n > 0:
		return atLeast
	case n < 0:
		return atMost
	}
	return same
}

// yes compares truths of which true is stronger.
func (t *terms) yes(name string, a, b bool) {
	rel := same
	if a != b {
		rel = sign(map[bool]int{true: 1, false: -1}[b])
	}
	if t.differ(rel) {
		t.write(name, strconv.FormatBool(a), strconv.FormatBool(b), rel, gained(rel, "it is promised", "it is not promised"))
	}
}

// number compares numbers of which the greater is stronger.
func (t *terms) number(name string, a, b int) {
	if rel := ordered(a, b); t.differ(rel) {
		t.write(name, strconv.Itoa(a), strconv.Itoa(b), rel, gained(rel, "more", "fewer"))
	}
}

// share compares ratios of which the greater is stronger.
func (t *terms) share(name string, a, b ratio.Ratio) {
	if rel := sign(b.Cmp(a)); t.differ(rel) {
		t.write(name, a.String(), b.String(), rel, gained(rel, "higher", "lower"))
	}
}

// short compares durations of which the shorter is stronger. One of 0 or less is no promise, the weakest.
func (t *terms) short(name string, a, b metric.Duration) {
	t.within(name, positive(a), positive(b))
}

// within compares durations of which the shorter is stronger, 0 too. Nil is no promise, the weakest.
func (t *terms) within(name string, a, b *metric.Duration) {
	rel := same
	switch {
	case a == nil && b == nil:
	case a == nil:
		rel = atLeast
	case b == nil:
		rel = atMost
	default:
		rel = ordered(*b, *a)
	}
	if t.differ(rel) {
		why := gained(rel, "shorter", "longer")
		if a == nil || b == nil {
			why = gained(rel, "it is promised", "it is not promised")
		}
		t.write(name, length(a), length(b), rel, why)
	}
}

// long compares durations of which the longer is stronger. One of 0 or less is no promise, the weakest.
func (t *terms) long(name string, a, b metric.Duration) {
	if rel := ordered(max(a, 0), max(b, 0)); t.differ(rel) {
		why := gained(rel, "longer", "shorter")
		if a <= 0 || b <= 0 {
			why = gained(rel, "it is promised", "it is not promised")
		}
		t.write(name, length(positive(a)), length(positive(b)), rel, why)
	}
}

// unbounded compares bounds on what the customer has to bear: 0 is none, the weakest; the shorter is stronger.
func (t *terms) unbounded(name string, a, b metric.Duration) {
	rel := same
	switch a, b = max(a, 0), max(b, 0); {
	case a == b:
	case a == 0:
		rel = atLeast
	case b == 0:
		rel = atMost
	default:
		rel = ordered(b, a)
	}
	if t.differ(rel) {
		show := func(d metric.Duration) string {
			if d == 0 {
				return "no bound"
			}
			return text(d)
		}
		t.write(name, show(a), show(b), rel, gained(rel, "the bound is tighter", "the bound is wider"))
	}
}

func positive(d metric.Duration) *metric.Duration {
	if d <= 0 {
		return nil
	}
	return &d
}

func length(d *metric.Duration) string {
	if d == nil {
		return ""
	}
	return text(*d)
}

// text writes a duration as contracts do: "72h", not "72h0m0s".
func text(d metric.Duration) string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// words compares texts that only people can weigh: something is stronger than nothing.
func (t *terms) words(name, a, b string) {
	if rel := wording(a, b); t.differ(rel) {
		t.write(name, a, b, rel, said(rel, "the wording differs: people have to weigh it"))
	}
}

// there compares where something is found: that it moved is no difference.
func (t *terms) there(name, a, b string) {
	if strings.TrimSpace(a) == "" || strings.TrimSpace(b) == "" {
		t.words(name, a, b)
	}
}

func wording(a, b string) relation {
	switch {
	case sameWords(a, b):
		return same
	case strings.TrimSpace(a) == "":
		return atLeast
	case strings.TrimSpace(b) == "":
		return atMost
	}
	return 0
}

// sameWords reports whether texts differ in nothing but the space between words.
func sameWords(a, b string) bool {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	if i < len(a) && i < len(b) && a[i] > ' ' && a[i] < 0x7F && b[i] > ' ' && b[i] < 0x7F {
		return false // in the middle of a word
	}
	return len(a) == len(b) && i == len(a) || slices.Equal(strings.Fields(a), strings.Fields(b))
}

func said(rel relation, otherwise string) string {
	switch rel {
	case atLeast:
		return "it is said"
	case atMost:
		return "it is not said"
	}
	return otherwise
}

// rank compares words that have an order, by a function that says whether one is at least as strong as another.
func (t *terms) rank(name, a, b string, reaches func(high, low string) bool, why string) {
	a, b = strings.TrimSpace(a), strings.TrimSpace(b)
	rel := relation(0)
	if a == b || a == "" || reaches(b, a) {
		rel |= atLeast
	}
	if a == b || b == "" || reaches(a, b) {
		rel |= atMost
	}
	if t.differ(rel) {
		if rel == 0 {
			why = "neither is more than the other"
		} else if a == "" || b == "" {
			why = said(rel, "")
		}
		t.write(name, a, b, rel, why)
	}
}

// set compares lists of words of which the one that has more is stronger.
func (t *terms) set(name string, a, b []string) {
	if rel := included(a, b); t.differ(rel) {
		t.changes(name, listed(a), listed(b), a, b)
	}
}

// scope is a set of which the empty one is all.
func (t *terms) scope(name string, a, b []string) {
	switch {
	case len(a) == 0 && len(b) == 0:
		return
	case len(a) > 0 && len(b) > 0:
		t.set(name, a, b)
		return
	}
	rel := atLeast
	if len(a) == 0 {
		rel = atMost
	}
	if t.differ(rel) {
		t.write(name, all(a), all(b), rel, gained(rel, "all are covered", "named ones alone are covered"))
	}
}

func all(list []string) string {
	if len(list) == 0 {
		return "all"
	}
	return listed(list)
}

// listed writes down a list, so that another one does not look like it.
func listed(list []string) string {
	out := slices.Clone(list)
	for i, s := range out {
		if strings.Contains(s, ",") {
			out[i] = strconv.Quote(s)
		}
	}
	return strings.Join(out, ", ")
}

// alike compares words that have no order, as those do which read them: to the letter.
func (t *terms) alike(name, a, b, why string) {
	if rel := literally(a, b); t.differ(rel) {
		t.write(name, a, b, rel, said(rel, why))
	}
}

func literally(a, b string) relation {
	switch {
	case a == b:
		return same
	case a == "":
		return atLeast
	case b == "":
		return atMost
	}
	return 0
}

// places compares lists that have no order, neither of the one and the other nor of what is in them.
func (t *terms) places(name string, a, b []string, why string) {
	rel := included(a, b)
	if rel != same && len(a) > 0 && len(b) > 0 {
		rel = 0
	}
	if t.differ(rel) {
		t.write(name, listed(a), listed(b), rel, said(rel, why))
	}
}

// included is a relation of sets of which the one that has more is stronger.
func included(a, b []string) relation {
	if slices.Equal(a, b) {
		return same
	}
	rel := relation(0)
	if len(without(a, b)) == 0 {
		rel |= atLeast
	}
	if len(without(b, a)) == 0 {
		rel |= atMost
	}
	return rel
}

// changes writes down what of a list went, and what came.
func (t *terms) changes(name, showA, showB string, a, b []string) {
	if list := without(a, b); len(list) > 0 {
		t.write(name, showA, showB, atMost, "gone: "+listed(list))
	}
	if list := without(b, a); len(list) > 0 {
		t.write(name, showA, showB, atLeast, "new: "+listed(list))
	}
}

// without returns what is in a list and not in another, once.
func without(list, other []string) (out []string) {
	have := make(map[string]bool, len(other))
	for _, s := range other {
		have[s] = true
	}
	for _, s := range list {
		if !have[s] {
			have[s] = true
			out = append(out, s)
		}
	}
	return out
}

// gained chooses a reason by who is stronger.
func gained(rel relation, stronger, weaker string) string {
	if rel == atLeast {
		return stronger
	}
	return weaker
}
