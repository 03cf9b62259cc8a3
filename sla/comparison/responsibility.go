package comparison

import (
	"fmt"
	"strings"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla/responsibility"
)

// responsibilities compares who answers for which layer: the more the provider does the stronger.
func responsibilities(a, b responsibility.Matrix) (out []Difference) {
	notes := func(m responsibility.Matrix, l responsibility.Layer) string {
		var list []string
		for _, x := range m.Assignments {
			if x.Layer == l && x.Party == opsec.Both {
				list = append(list, x.Note)
			}
		}
		return strings.Join(list, "; ")
	}
	for _, l := range responsibility.Layers() {
		x, y := a.Attribute(l), b.Attribute(l)
		var list []row
		t := &terms{rel: same, rows: &list}
		rel := relation(0)
		if more(y, x) {
			rel |= atLeast
		}
		if more(x, y) {
			rel |= atMost
		}
		if t.differ(rel) {
			why := "the customer answers for it, or nobody"
			if rel != 0 {
				why = gained(rel, "the provider answers for more", "the provider answers for less")
			}
			t.write("party", string(x), string(y), rel, why)
		} else if x == opsec.Both {
			t.words("note", notes(a, l), notes(b, l))
		}
		out = append(out, differences(fmt.Sprintf("responsibilities.assignments[layer=%s]", l), "7.1", list)...)
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
