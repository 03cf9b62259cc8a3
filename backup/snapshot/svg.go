package snapshot

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/cloudopsec/opsec/internal/chaindraw"
)

// The bounds of a drawing: so many chains, and so many nodes of one, half at the root and half at the tip.
const (
	svgRows    = 60
	svgColumns = 40
)

// WriteSVG draws the least usable chains, a row for each, from the root on the left to the tip on the right. What two chains
// share is drawn once, in the first of them. It says what it leaves out: other chains, the middle of long ones, and needs
// beside the deepest of a node. The drawing stands alone: no script, no style sheet, no font of its own.
func (r *Report) WriteSVG(w io.Writer) error {
	p := chaindraw.Picture{
		Title:   fmt.Sprintf("%s in %s; expected to be lost: %s", count(r.Points, "restore point"), count(r.AllChains, "chain"), r.expected()),
		Caption: "Root on the left. Squares are restore points, dashed what is broken or missing; the colour tells the chance of all that is left of it.",
	}
	at := map[int32]chaindraw.Place{}
	for _, c := range r.Chains[:min(len(r.Chains), svgRows)] {
		p.Rows = append(p.Rows, r.row(c.tip, len(p.Rows), at))
	}
	var left []string
	if n := r.AllChains - len(p.Rows); n > 0 {
		left = append(left, count(n, "chain"))
	}
	beside := 0
	for v := range at {
		beside += max(len(r.g.needs(v))-1, 0)
	}
	if beside > 0 {
		left = append(left, count(beside, "reference")+" beside the deepest of a node")
	}
	if len(left) > 0 {
		p.Foot = "Not drawn: " + strings.Join(left, ", ") + "."
	}
	return p.SVG(w)
}

// row draws the way from a tip down to a node that is drawn already, or to the root, and notes what is where.
func (r *Report) row(tip int32, number int, at map[int32]chaindraw.Place) chaindraw.Row {
	s := r.s
	var way []int32 // from the tip
	row := chaindraw.Row{Label: chaindraw.Short(Quote(r.g.ID(int(tip))), 40)}
	row.Note = fmt.Sprintf("%s, depth %d", share(r.chance(tip)), s.depth[tip])
	for v := tip; ; v = s.below(v) {
		if p, drawn := at[v]; drawn {
			row.From, row.Column = &p, p.Column+1
			break
		}
		if way = append(way, v); s.root[v] == v {
			break
		}
	}
	slices.Reverse(way)
	const half = svgColumns / 2
	gap := len(way) - 2*half
	for i, v := range way {
		if gap > 0 && i == half {
			row.Nodes = append(row.Nodes, chaindraw.Node{Title: fmt.Sprintf("%d nodes are not drawn", gap), Gap: true})
		}
		if i < half || i >= half+gap {
			at[v] = chaindraw.Place{Row: number, Column: row.Column + len(row.Nodes)}
			row.Nodes = append(row.Nodes, r.node(v))
		}
	}
	return row
}

func (r *Report) node(v int32) chaindraw.Node {
	why := r.g.Broken(int(v))
	n := chaindraw.Node{Chance: r.chance(v), Square: r.g.Restore(int(v)), Dashed: why != ""}
	n.Title = fmt.Sprintf("%s: usable %s, depth %d, %s with it", Quote(r.g.ID(int(v))), share(n.Chance), r.Depth(int(v)), count(r.Blast(int(v)), "point"))
	if why != "" {
		n.Title += ": " + Quote(why)
	}
	return n
}

func (r *Report) chance(v int32) float64 { return math.Exp(r.s.log[v]) }
