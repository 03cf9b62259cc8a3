package snapshot

import (
	"bufio"
	"fmt"
	"io"

	"github.com/cloudopsec/opsec/internal/chaindraw"
)

// maxDOT is how many nodes WriteDOT writes; Graphviz would not lay out more in any case.
const maxDOT = 5000

// WriteDOT writes the graph in the language of Graphviz, what is needed on the left: restore points are boxes, colours tell
// the chance that a node can be used, and what is broken or missing is dashed. Of a large graph it draws the first five
// thousand nodes, and a box that says how many were left out.
func (r *Report) WriteDOT(w io.Writer) error {
	g, b := r.g, bufio.NewWriter(w)
	fmt.Fprint(b, "digraph snapshots {\n\trankdir=LR;\n\tnode [fontname=\"sans-serif\", style=filled];\n")
	n := min(g.Len(), maxDOT)
	for i := range n {
		low, _ := r.Usable(i)
		shape, style, label := "ellipse", "filled", chaindraw.Short(Quote(g.ID(i)), 60)+"\n"+share(low)
		if g.Restore(i) {
			shape = "box"
		}
		if why := g.Broken(i); why != "" {
			style, label = "filled,dashed", label+"\n"+Quote(why)
		}
		fmt.Fprintf(b, "\tn%d [label=%s, shape=%s, style=%q, fillcolor=%q];\n", i, chaindraw.DOT(label), shape, style, chaindraw.Colour(low))
	}
	for i := range n {
		for to, as := range g.Needs(i) {
			if to < n {
				fmt.Fprintf(b, "\tn%d -> n%d [label=%s];\n", to, i, chaindraw.DOT(Quote(as)))
			}
		}
	}
	if left := g.Len() - n; left > 0 {
		fmt.Fprintf(b, "\tleft [label=\"%d more nodes\", shape=note, fillcolor=white];\n", left)
	}
	fmt.Fprint(b, "}\n")
	return b.Flush()
}
