package snapshot

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
)

// WriteJSON writes the whole report as one JSON object, in a stream: it takes little memory whatever the size of the graph.
// Paths and other texts are those of [Quote]. Its keys are
//
//	images            [{path, format, restore, depth, files, usable, usable_max, blast, p, size, broken}]; missing ones too, which are broken
//	edges             [{from, to, as}]
//	chains            [{tip, root, depth, files, usable, usable_max}]
//	spof              [{path, blast, p}]
//	expected_lost     and expected_lost_low, independent_lost, lost, points, exact, reads, growth
//	findings          [{path, rule, severity, text}]
//	left_out          {chains, spof}: how many more there are of them
//	model, profile
//
// Where the report is not exact, usable is a lower bound. usable_max is the upper one.
func (r *Report) WriteJSON(w io.Writer) error {
	o := &objects{w: bufio.NewWriter(w), more: "{"}
	o.list("images", func(yield func(any)) {
		own := own{r.g, &r.Model}
		for i := range r.g.Len() {
			v := int32(i)
			low, high := r.Usable(i)
			yield(imageJSON{
				Path: Quote(r.g.ID(i)), Format: Quote(r.g.word(get(r.g.format, v))), Restore: r.g.Restore(i), Depth: r.Depth(i),
				Files: r.Files(i), Usable: low, UsableMax: high, Blast: r.Blast(i), P: own.p(v),
				Size: get(r.g.size, v), Broken: Quote(r.g.Broken(i)),
			})
		}
	})
	o.list("edges", func(yield func(any)) {
		for i := range r.g.Len() {
			for to, as := range r.g.Needs(i) {
				yield(edgeJSON{Quote(r.g.ID(i)), Quote(r.g.ID(to)), Quote(as)})
			}
		}
	})
	o.list("chains", func(yield func(any)) {
		for _, c := range r.Chains {
			c.Tip, c.Root = Quote(c.Tip), Quote(c.Root)
			yield(c)
		}
	})
	o.list("spof", func(yield func(any)) {
		for _, p := range r.SPOF {
			p.Path = Quote(p.Path)
			yield(p)
		}
	})
	o.value("expected_lost", r.ExpectedLost)
	o.value("expected_lost_low", r.ExpectedLostLow)
	o.value("independent_lost", r.Independent)
	o.value("lost", r.Lost)
	o.value("points", r.Points)
	o.value("exact", r.Exact)
	o.value("reads", r.Reads)
	o.value("growth", r.Growth)
	o.list("findings", func(yield func(any)) {
		for _, f := range r.Findings {
			f.Path, f.Rule, f.Text = Quote(f.Path), Quote(f.Rule), Quote(f.Text)
			yield(f)
		}
	})
	o.value("left_out", map[string]int{"chains": r.AllChains - len(r.Chains), "spof": r.AllSPOF - len(r.SPOF)})
	o.value("model", r.Model)
	o.value("profile", r.Profile)
	o.w.WriteString("}\n")
	return o.w.Flush()
}

// MarshalJSON returns what [Report.WriteJSON] writes, all of it in memory.
func (r *Report) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	err := r.WriteJSON(&b)
	return b.Bytes(), err
}

type imageJSON struct {
	Path      string  `json:"path"`
	Format    string  `json:"format,omitempty"`
	Restore   bool    `json:"restore"`
	Depth     int     `json:"depth"`
	Files     int     `json:"files"`
	Usable    float64 `json:"usable"`
	UsableMax float64 `json:"usable_max"`
	Blast     int     `json:"blast"`
	P         float64 `json:"p"`
	Size      int64   `json:"size,omitempty"`
	Broken    string  `json:"broken,omitempty"`
}

type edgeJSON struct {
	From string `json:"from"`
	To   string `json:"to"`
	As   string `json:"as,omitempty"`
}

// objects writes the members of an object. Its writer remembers the first error.
type objects struct {
	w    *bufio.Writer
	more string // before the next member
}

func (o *objects) json(before string, v any) {
	o.w.WriteString(before)
	b, err := json.Marshal(v)
	if err != nil { // never: no number here is infinite
		b = []byte("null")
	}
	o.w.Write(b)
}

func (o *objects) value(name string, v any) {
	o.json(o.more, name)
	o.json(": ", v)
	o.more = ",\n"
}

func (o *objects) list(name string, values func(yield func(any))) {
	o.json(o.more, name)
	o.w.WriteString(": [")
	before := "\n"
	values(func(v any) {
		o.json(before, v)
		before = ",\n"
	})
	o.w.WriteString("]")
	o.more = ",\n"
}
