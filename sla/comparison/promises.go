package comparison

import (
	"fmt"
	"reflect"
	"slices"
)

// kind is how promises of a sort are compared. A list keeps what another one promises if, for each promise there, it has one
// that is at least as strong: so what a promise is called, and in which order they stand, changes nothing. That two weaker
// promises together may keep a stronger one is not looked for.
type kind[T any] struct {
	path    string // of the list
	clause  string
	id      func(*T) string // what stands in the path, such as "id=compute"
	key     func(*T) string // what the promise is of; nothing is compared with what is of another thing
	compare func(t *terms, a, b *T)
	show    func(*T) string
	came    string // why a promise is there that was not
	went    string

	empty   func(*T) bool              // what is there promises nothing, and is not looked at; nil: none
	burden  bool                       // what is listed is the customer's to bear: more of it is weaker
	single  bool                       // they add up, so that one promise keeps one alone
	alike   func(a, b *T) bool         // of those of a key, whether terms can be shown side by side; nil: all
	implies func(strong, weak *T) bool // beside compare: a promise may keep one that is not alike
}

// most is how many promises of a key are compared one by one: each with each. More are equal, or are not compared.
const most = 256

// differences writes down in what two lists of promises differ. What the rows come to is the relation of the lists: nothing
// is weaker exactly if b keeps all that a promises.
func (k *kind[T]) differences(a, b []T) (out []Difference) {
	var keys []string
	type group struct{ a, b []*T }
	groups := map[string]*group{}
	for i, list := range [][]T{a, b} {
		for j := range list {
			if k.empty != nil && k.empty(&list[j]) {
				continue
			}
			key := k.key(&list[j])
			g := groups[key]
			if g == nil {
				g = new(group)
				groups[key], keys = g, append(keys, key)
			}
			if i == 0 {
				g.a = append(g.a, &list[j])
			} else {
				g.b = append(g.b, &list[j])
			}
		}
	}
	for _, key := range keys {
		g := groups[key]
		switch {
		case len(g.a) > 0 && len(g.b) > 0 && max(len(g.a), len(g.b)) > most:
			if !reflect.DeepEqual(g.a, g.b) {
				out = append(out, Difference{k.path, k.clause, Incomparable, fmt.Sprintf("%d of them", len(g.a)),
					fmt.Sprintf("%d of them", len(g.b)), fmt.Sprintf("more than %d, which are too many to compare", most)})
			}
		case k.single:
			out = append(out, k.oneByOne(g.a, g.b)...)
		default:
			out = append(out, k.each(g.a, g.b)...)
		}
	}
	return out
}

// sides returns what a promise of b is to one of a that it keeps, and what to one that keeps it.
func (k *kind[T]) sides() (keeps, kept relation) {
	if k.burden {
		return atMost, atLeast
	}
	return atLeast, atMost
}

// each compares lists of which a promise may keep any number of others.
func (k *kind[T]) each(a, b []*T) (out []Difference) {
	keeps, kept := k.sides()
	doneA, doneB := make([]bool, len(a)), make([]bool, len(b))
	for i, p := range a {
		for j, q := range b {
			if doneA[i] && doneB[j] {
				continue
			}
			rel := k.relate(p, q)
			doneA[i] = doneA[i] || rel&keeps != 0
			doneB[j] = doneB[j] || rel&kept != 0
		}
	}
	// Pairs of the same name first; then what one of them keeps anyway, which shows what is missing; then the others.
	pair, used := none(len(a)), make([]bool, len(b))
	k.pair(a, b, pair, doneA, doneB, used, true)
	besideA, besideB := make([]*T, len(a)), make([]*T, len(b))
	for i, p := range a {
		if !doneA[i] && pair[i] < 0 {
			besideA[i] = k.near(b, p, func(q *T) bool { return k.plain(p, q) == kept })
		}
	}
	for j, q := range b {
		if !doneB[j] && !used[j] {
			besideB[j] = k.near(a, q, func(p *T) bool { return k.plain(p, q) == keeps })
		}
	}
	skipA, skipB := slices.Clone(doneA), slices.Clone(doneB)
	for i := range a {
		skipA[i] = skipA[i] || besideA[i] != nil
	}
	for j := range b {
		skipB[j] = skipB[j] || besideB[j] != nil
	}
	k.pair(a, b, pair, skipA, skipB, used, false)
	for i, p := range a {
		switch j := pair[i]; {
		case doneA[i]:
		case j >= 0:
			out = append(out, k.rows(p, b[j])...)
		case besideA[i] != nil:
			out = append(out, k.rows(p, besideA[i])...)
		default:
			out = append(out, k.alone(p, kept, true))
		}
	}
	for j, q := range b {
		switch {
		case doneB[j] || used[j]:
		case besideB[j] != nil:
			out = append(out, k.rows(besideB[j], q)...)
		default:
			out = append(out, k.alone(q, keeps, false))
		}
	}
	return out
}

// oneByOne compares lists of which a promise keeps one other.
func (k *kind[T]) oneByOne(a, b []*T) (out []Difference) {
	keeps, kept := k.sides()
	rel := make([][]relation, len(a))
	for i, p := range a {
		rel[i] = make([]relation, len(b))
		for j, q := range b {
			rel[i][j] = k.relate(p, q)
		}
	}
	pair := match(len(a), len(b), func(i, j int) bool { return rel[i][j]&keeps != 0 })
	if slices.Contains(pair, -1) { // b does not keep all; a may keep all of b
		back := match(len(b), len(a), func(j, i int) bool { return rel[i][j]&kept != 0 })
		if slices.Contains(back, -1) {
			pair = none(len(a))
			free, used := make([]bool, len(a)), make([]bool, len(b))
			k.pair(a, b, pair, free, used, used, true)
			k.pair(a, b, pair, free, used, used, false)
		} else {
			for i := range pair {
				pair[i] = slices.Index(back, i)
			}
		}
	}
	for i, p := range a {
		if pair[i] >= 0 {
			out = append(out, k.rows(p, b[pair[i]])...)
		} else {
			out = append(out, k.alone(p, kept, true))
		}
	}
	for j, q := range b {
		if !slices.Contains(pair, j) {
			out = append(out, k.alone(q, keeps, false))
		}
	}
	return out
}

// match finds for each of n a partner of its own among m, and -1 for those for which there is none: as many as can be have one.
func match(n, m int, fits func(i, j int) bool) []int {
	of, pair := none(m), none(n)
	for i := range pair {
		seen := make([]bool, m)
		var try func(i int) bool
		try = func(i int) bool {
			for j := range of {
				if !seen[j] && fits(i, j) {
					seen[j] = true
					if of[j] < 0 || try(of[j]) {
						of[j], pair[i] = i, j
						return true
					}
				}
			}
			return false
		}
		try(i)
	}
	return pair
}

func none(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = -1
	}
	return out
}

// pair finds, for promises that are not done, those of the other list which are not done either and which can be shown
// beside them: those of the same id, or those that differ in the fewest terms.
func (k *kind[T]) pair(a, b []*T, pair []int, doneA, doneB, used []bool, named bool) {
	type candidate struct{ i, j, terms int }
	var list []candidate
	for i, p := range a {
		for j, q := range b {
			if doneA[i] || pair[i] >= 0 || doneB[j] || used[j] || !k.beside(p, q) || named && k.id(p) != k.id(q) {
				continue
			}
			c := candidate{i, j, 0}
			if !named && len(a)*len(b) <= 10_000 {
				c.terms = len(k.rows(p, q))
			}
			list = append(list, c)
		}
	}
	slices.SortStableFunc(list, func(x, y candidate) int { return x.terms - y.terms })
	for _, c := range list {
		if pair[c.i] < 0 && !used[c.j] {
			pair[c.i], used[c.j] = c.j, true
		}
	}
}

func (k *kind[T]) beside(p, q *T) bool { return k.alike == nil || k.alike(p, q) }

// relate is the relation of two promises.
func (k *kind[T]) relate(a, b *T) relation {
	rel := k.plain(a, b)
	if k.implies != nil && rel != same {
		if k.implies(b, a) {
			rel |= atLeast
		}
		if k.implies(a, b) {
			rel |= atMost
		}
	}
	return rel
}

// plain is their relation by their terms alone, which rows can show.
func (k *kind[T]) plain(a, b *T) relation {
	t := terms{rel: same}
	k.compare(&t, a, b)
	return t.rel
}

// near finds a promise to show beside one: of the same id, else the first.
func (k *kind[T]) near(list []*T, one *T, fits func(*T) bool) (first *T) {
	for _, q := range list {
		if !fits(q) {
			continue
		}
		if k.id(q) == k.id(one) {
			return q
		}
		if first == nil {
			first = q
		}
	}
	return first
}

func (k *kind[T]) at(one *T) string { return fmt.Sprintf("%s[%s]", k.path, k.id(one)) }

// rows are the terms in which two promises differ.
func (k *kind[T]) rows(a, b *T) []Difference {
	return weigh(k.at(a), k.clause, func(t *terms) { k.compare(t, a, b) })
}

// alone is a promise that only one of the agreements has.
func (k *kind[T]) alone(one *T, rel relation, inA bool) Difference {
	d := Difference{Path: k.at(one), Clause: k.clause, Verdict: rel.verdict(), B: k.show(one), Reason: k.came}
	if d.B == "" {
		d.B = stands
	}
	if inA {
		d.A, d.B, d.Reason = d.B, "", k.went
	}
	return d
}
