package comparison

import (
	"fmt"
	"slices"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla/responsibility"
)

// responsibilities compares who answers for which layer: the more the provider does the stronger.
func responsibilities(a, b responsibility.Matrix) (out []Difference) {
	note := func(m responsibility.Matrix, l responsibility.Layer) string {
		i := slices.IndexFunc(m.Assignments, func(x responsibility.Assignment) bool { return x.Layer == l })
		return m.Assignments[i].Note
	}
	for _, l := range responsibility.Layers() {
		x, y := a.Attribute(l), b.Attribute(l)
		out = append(out, weigh(fmt.Sprintf("responsibilities.assignments[layer=%s]", l), "7.1", func(t *terms) {
			rel := relation(0)
			if more(y, x) {
				rel |= atLeast
			}
			if more(x, y) {
				rel |= atMost
			}
			switch {
			case t.differ(rel):
				why := "the customer answers for it, or nobody"
				if rel != 0 {
					why = gained(rel, "the provider answers for more", "the provider answers for less")
				}
				t.write("party", string(x), string(y), rel, why)
			case x == opsec.Both: // how it is shared
				t.words("note", note(a, l), note(b, l))
			case x != "": // a note may take out a part of the layer
				t.read("note", note(a, l), note(b, l))
			}
		})...)
	}
	return out
}

// more reports whether the provider answers for a layer as much with one party as with another, or more. A layer that
// nobody answers for is not better off with the customer: by rules that ask whose a fault was, what fails there could then
// be left out of figures.
func more(with, than opsec.Party) bool {
	switch with {
	case than, opsec.CSP:
		return true
	case opsec.Both:
		return than != opsec.CSP
	}
	return false
}
