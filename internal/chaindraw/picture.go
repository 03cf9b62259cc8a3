package chaindraw

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// Picture is what is drawn.
type Picture struct {
	Title, Caption, Foot string // Foot may be empty
	Rows                 []Row
}

// Row is a chain, from its root on the left. It begins in a column of the picture; when From is not nil, it branches there from
// a row above.
type Row struct {
	Nodes       []Node
	Column      int
	From        *Place
	Label, Note string // to the right, the note in grey
}

// Place is where a node is.
type Place struct{ Row, Column int }

// Node is a node of a row, or a gap.
type Node struct {
	Title  string  // shown under the pointer
	Chance float64 // from 0, red, to 1, green
	Square bool    // or round
	Dashed bool
	Gap    bool // nothing but an ellipsis
}

// Distances in pixels.
const (
	left, head   = 20, 64
	stepX, stepY = 30, 34
)

func (p Place) x() int { return left + 12 + p.Column*stepX }
func (p Place) y() int { return head + 14 + p.Row*stepY }

// SVG writes the picture.
func (p *Picture) SVG(w io.Writer) error {
	b := bufio.NewWriter(w)
	columns := 0
	for _, r := range p.Rows {
		columns = max(columns, r.Column+len(r.Nodes))
	}
	width, height := max(left*2+columns*stepX+420, 760), head+len(p.Rows)*stepY+44
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13" role="img">
<title>%s</title>
<rect width="100%%" height="100%%" fill="#ffffff"/>
`, width, height, width, height, escape(p.Title))
	text(b, left, 26, `font-size="17"`, p.Title)
	text(b, left, 46, `fill="#5f6368"`, p.Caption)
	for i, r := range p.Rows {
		r.write(b, i)
	}
	if p.Foot != "" {
		text(b, left, height-16, `fill="#5f6368"`, p.Foot)
	}
	fmt.Fprint(b, "</svg>\n")
	return b.Flush()
}

func text(w io.Writer, x, y int, how, s string) {
	fmt.Fprintf(w, "<text x=\"%d\" y=\"%d\" %s>%s</text>\n", x, y, how, escape(s))
}

func (r *Row) write(w io.Writer, i int) {
	start, end := Place{i, r.Column}, Place{i, r.Column + len(r.Nodes) - 1}
	if r.From != nil {
		fmt.Fprintf(w, "<path d=\"M%d %dV%dH%d\" fill=\"none\" stroke=\"#80868b\"/>\n", r.From.x(), r.From.y()+9, start.y(), start.x())
	}
	fmt.Fprintf(w, "<path d=\"M%d %dH%d\" stroke=\"#80868b\"/>\n", start.x(), start.y(), end.x())
	for j, n := range r.Nodes {
		p := Place{i, r.Column + j}
		fmt.Fprintf(w, "<g><title>%s</title>", escape(n.Title))
		dash := ""
		if n.Dashed {
			dash = ` stroke-dasharray="3 2"`
		}
		switch {
		case n.Gap:
			fmt.Fprintf(w, `<rect x="%d" y="%d" width="24" height="16" fill="#ffffff"/><text x="%d" y="%d" text-anchor="middle" fill="#5f6368">…</text>`,
				p.x()-12, p.y()-8, p.x(), p.y()+4)
		case n.Square:
			fmt.Fprintf(w, `<rect x="%d" y="%d" width="18" height="18" rx="3" fill="%s" stroke="#3c4043"%s/>`,
				p.x()-9, p.y()-9, Colour(n.Chance), dash)
		default:
			fmt.Fprintf(w, `<circle cx="%d" cy="%d" r="9" fill="%s" stroke="#3c4043"%s/>`, p.x(), p.y(), Colour(n.Chance), dash)
		}
		fmt.Fprint(w, "</g>\n")
	}
	fmt.Fprintf(w, "<text x=\"%d\" y=\"%d\">%s <tspan fill=\"#5f6368\">%s</tspan></text>\n", end.x()+18, end.y()+4, escape(r.Label), escape(r.Note))
}

func escape(s string) string {
	var b strings.Builder
	if xml.EscapeText(&b, []byte(s)) != nil { // never: a Builder takes all
		return ""
	}
	return b.String()
}
