package snapshot

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strings"
)

// maxDOT is how many nodes WriteDOT writes; Graphviz would not lay out more in any case.
const maxDOT = 5000

// WriteDOT writes the graph in the language of Graphviz, what is needed on the left: restore points are boxes, colours tell
// the chance that a node can be used, and what is broken or missing is dashed. Of a large graph it draws the first five
// thousand nodes, and a box that says how many were left out.
func (r *Report) WriteDOT(w io.Writer) error {
	g, b := r.g, bufio.NewWriter(w)
	fmt.Fprint(b, "digraph snapshots {\n\trankdir=LR;\n\tnode [fontname=\"sans-serif\", style=filled, shape=ellipse];\n")
	n := min(g.Len(), maxDOT)
	for i := range n {
		low, _ := r.Usable(i)
		shape, style := "ellipse", "filled"
		if g.Restore(i) {
			shape = "box"
		}
		why := ""
		if broken := g.Broken(i); broken != "" {
			style, why = "filled,dashed", "\n"+Quote(broken)
		}
		fmt.Fprintf(b, "\tn%d [label=%s, shape=%s, style=%q, fillcolor=%q];\n", i,
			dotString(short(Quote(g.ID(i)), 60)+"\n"+share(low)+why), shape, style, colour(low))
	}
	for i := range n {
		for to, as := range g.Needs(i) {
			if to < n {
				fmt.Fprintf(b, "\tn%d -> n%d [label=%s];\n", to, i, dotString(Quote(as)))
			}
		}
	}
	if left := g.Len() - n; left > 0 {
		fmt.Fprintf(b, "\tleft [label=\"%d more nodes\", shape=note, fillcolor=white];\n", left)
	}
	fmt.Fprint(b, "}\n")
	return b.Flush()
}

// dotString is a quoted string of DOT, in which only quotation marks and backslashes mean anything, and the latter also
// before what is not special.
func dotString(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

// colour goes from green for what is sure to be usable over yellow at 80 % to red at none.
func colour(usable float64) string {
	mix := func(a, b [3]float64, t float64) string {
		var c [3]int
		for i := range c {
			c[i] = int(math.Round(a[i] + (b[i]-a[i])*t))
		}
		return fmt.Sprintf("#%02x%02x%02x", c[0], c[1], c[2])
	}
	green, yellow, red := [3]float64{0xb7, 0xe1, 0xbc}, [3]float64{0xfd, 0xe7, 0x9c}, [3]float64{0xf2, 0x9a, 0x92}
	if usable >= 0.8 {
		return mix(yellow, green, (usable-0.8)/0.2)
	}
	return mix(red, yellow, usable/0.8)
}
