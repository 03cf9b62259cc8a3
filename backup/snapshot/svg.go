package snapshot

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// The bounds of a drawing: so many chains, and so many nodes of one, half at the root and half at the tip.
const (
	svgRows    = 60
	svgColumns = 40
)

// WriteSVG draws the least usable chains, a row for each, from the root on the left to the tip on the right. What two chains
// share is drawn once, in the first of them. It says what it leaves out: other chains, the middle of long ones, and needs
// beside the first. The drawing stands alone: no script, no style sheet, no font of its own.
func (r *Report) WriteSVG(w io.Writer) error {
	d := &drawing{r: r, at: map[int32]place{}}
	for _, c := range r.Chains {
		if len(d.rows) == svgRows {
			break
		}
		d.rows = append(d.rows, d.row(c.tip))
	}
	return d.write(w)
}

type place struct{ row, column int }

// cell is a node of a row, or a gap.
type cell struct {
	node int32 // -1: a gap
	gap  int   // how many nodes it stands for
}

type row struct {
	tip   int32
	cells []cell // new ones, from the root's side
	from  int    // the column of the first
	at    int32  // the node that the row branches from, or -1
}

type drawing struct {
	r       *Report
	rows    []row
	at      map[int32]place
	columns int
}

// row lays out the way from the tip down to a node that is drawn already, or to the root.
func (d *drawing) row(tip int32) row {
	s := d.r.s
	at := int32(-1)
	first, last := []int32{}, []int32{} // last is a ring of those nearest to the root
	total := 0
	for v := tip; ; v = s.below(v) {
		if _, drawn := d.at[v]; drawn {
			at = v
			break
		}
		if len(first) < svgColumns/2 {
			first = append(first, v)
		} else {
			if len(last) == svgColumns/2 {
				copy(last, last[1:])
				last = last[:len(last)-1]
			}
			last = append(last, v)
		}
		if total++; s.root[v] == v {
			break
		}
	}
	var cells []cell
	for i := len(last) - 1; i >= 0; i-- {
		cells = append(cells, cell{node: last[i]})
	}
	if gap := total - len(first) - len(last); gap > 0 {
		cells = append(cells, cell{node: -1, gap: gap})
	}
	for i := len(first) - 1; i >= 0; i-- {
		cells = append(cells, cell{node: first[i]})
	}
	from := 0
	if at >= 0 {
		from = d.at[at].column + 1
	}
	for i, c := range cells {
		if c.node >= 0 {
			d.at[c.node] = place{len(d.rows), from + i}
		}
	}
	d.columns = max(d.columns, from+len(cells))
	return row{tip: tip, cells: cells, from: from, at: at}
}

const (
	svgLeft, svgTop   = 20, 64
	svgStepX, svgStep = 30, 34
)

func (p place) x() int { return svgLeft + 12 + p.column*svgStepX }
func (p place) y() int { return svgTop + 14 + p.row*svgStep }

func (d *drawing) write(w io.Writer) error {
	r, b := d.r, bufio.NewWriter(w)
	width := max(svgLeft*2+d.columns*svgStepX+420, 760)
	height := svgTop + len(d.rows)*svgStep + 44
	fmt.Fprintf(b, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"13\" role=\"img\">\n",
		width, height, width, height)
	expected := number(r.ExpectedLost)
	if r.ExpectedLost != r.ExpectedLostLow {
		expected = number(r.ExpectedLostLow) + " to " + expected
	}
	fmt.Fprintf(b, "<title>Snapshot chains</title>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n")
	fmt.Fprintf(b, "<text x=\"%d\" y=\"26\" font-size=\"17\">%s in %s; expected to be lost: %s</text>\n", svgLeft,
		count(r.Points, "restore point"), count(r.AllChains, "chain"), expected)
	fmt.Fprintf(b, "<text x=\"%d\" y=\"46\" fill=\"#5f6368\">Root on the left. Squares are restore points, dashed what cannot be read; the colour tells the chance of all that is left of it.</text>\n", svgLeft)
	for i, row := range d.rows {
		d.writeRow(b, i, row)
	}
	var left []string
	if n := r.AllChains - len(d.rows); n > 0 {
		left = append(left, count(n, "chain"))
	}
	if n := d.crossing(); n > 0 {
		left = append(left, count(n, "reference")+" beside the first of a node")
	}
	if len(left) > 0 {
		fmt.Fprintf(b, "<text x=\"%d\" y=\"%d\" fill=\"#5f6368\">Not drawn: %s.</text>\n", svgLeft, height-16, strings.Join(left, ", "))
	}
	fmt.Fprint(b, "</svg>\n")
	return b.Flush()
}

func (d *drawing) writeRow(b *bufio.Writer, i int, row row) {
	r, g := d.r, d.r.g
	start := place{i, row.from}
	end := place{i, row.from + len(row.cells) - 1}
	if row.at >= 0 {
		p := d.at[row.at]
		fmt.Fprintf(b, "<path d=\"M%d %dV%dH%d\" fill=\"none\" stroke=\"#80868b\"/>\n", p.x(), p.y()+9, start.y(), start.x())
	}
	fmt.Fprintf(b, "<path d=\"M%d %dH%d\" stroke=\"#80868b\"/>\n", start.x(), start.y(), end.x())
	for j, c := range row.cells {
		p := place{i, row.from + j}
		if c.node < 0 {
			fmt.Fprintf(b, "<g><title>%d nodes are not drawn</title><rect x=\"%d\" y=\"%d\" width=\"24\" height=\"16\" fill=\"#ffffff\"/><text x=\"%d\" y=\"%d\" text-anchor=\"middle\" fill=\"#5f6368\">…</text></g>\n",
				c.gap, p.x()-12, p.y()-8, p.x(), p.y()+4)
			continue
		}
		v := int(c.node)
		low, _ := r.Usable(v)
		dash, why := "", ""
		if broken := g.Broken(v); broken != "" {
			dash, why = " stroke-dasharray=\"3 2\"", ": "+Quote(broken)
		}
		title := fmt.Sprintf("%s: usable %s, depth %d, %s with it%s", Quote(g.ID(v)), share(low), r.Depth(v), count(r.Blast(v), "point"), why)
		fmt.Fprintf(b, "<g><title>%s</title>", escape(title))
		if g.Restore(v) {
			fmt.Fprintf(b, "<rect x=\"%d\" y=\"%d\" width=\"18\" height=\"18\" rx=\"3\"", p.x()-9, p.y()-9)
		} else {
			fmt.Fprintf(b, "<circle cx=\"%d\" cy=\"%d\" r=\"9\"", p.x(), p.y())
		}
		fmt.Fprintf(b, " fill=\"%s\" stroke=\"#3c4043\"%s/></g>\n", colour(low), dash)
	}
	low, _ := r.Usable(int(row.tip))
	fmt.Fprintf(b, "<text x=\"%d\" y=\"%d\">%s <tspan fill=\"#5f6368\">%s, depth %d</tspan></text>\n", end.x()+18, end.y()+4,
		escape(short(Quote(g.ID(int(row.tip))), 40)), share(low), r.Depth(int(row.tip)))
}

// crossing counts the needs of nodes that are drawn to any but the node left of them.
func (d *drawing) crossing() int {
	n := 0
	for v := range d.at {
		n += max(len(d.r.g.needs(v))-1, 0)
	}
	return n
}

func escape(s string) string {
	var b strings.Builder
	if xml.EscapeText(&b, []byte(s)) != nil {
		return ""
	}
	return b.String()
}
