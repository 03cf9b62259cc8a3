package snapshot

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"math"
	"time"

	"github.com/cloudopsec/opsec/internal/strictjson"
)

// WriteJSON writes the whole report as one JSON object, in a stream: it takes little memory whatever the size of the graph.
// Paths and other texts are those of [Quote]. Its keys are
//
//	images            [{path, format, restore, depth, files, usable, blast, p, size, broken}]; missing ones too, which are broken
//	edges             [{from, to, as}]
//	chains            [{tip, root, depth, files, usable}]
//	spof              [{path, blast, p}]
//	expected_lost     and expected_lost_low, independent_lost, lost, points, exact, reads, growth
//	findings          [{path, rule, severity, text}]
//	left_out          {chains, spof}: how many more there are of them
//	model, profile
//
// Where the report is not exact, usable is a lower bound, and usable_max stands beside it.
func (r *Report) WriteJSON(w io.Writer) error {
	o := &objects{w: bufio.NewWriter(w)}
	o.text("{")
	o.list("images", func(yield func(any)) {
		own := newOwn(r.g, &r.Model)
		for i := range r.g.Len() {
			v := int32(i)
			low, high := r.Usable(i)
			yield(imageJSON{
				Path: Quote(r.g.ID(i)), Format: Quote(r.g.word(get(r.g.format, v))), Restore: r.g.Restore(i), Depth: r.Depth(i),
				Files: r.Files(i), Usable: low, UsableMax: upper(low, high), Blast: r.Blast(i), P: own.p(v),
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
			yield(chainJSON{Quote(c.Tip), Quote(c.Root), c.Depth, c.Files, c.Usable, upper(c.Usable, c.UsableMax)})
		}
	})
	o.list("spof", func(yield func(any)) {
		for _, p := range r.SPOF {
			yield(spofJSON{Quote(p.Path), p.Blast, p.P})
		}
	})
	o.value("expected_lost", r.ExpectedLost)
	o.value("expected_lost_low", r.ExpectedLostLow)
	o.value("independent_lost", r.Independent)
	o.value("lost", r.Lost)
	o.value("points", r.Points)
	o.value("exact", r.Exact)
	o.value("reads", map[string]any{"mean": r.Reads.Mean, "max": r.Reads.Max})
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
	o.text("}\n")
	if o.err != nil {
		return o.err
	}
	return o.w.Flush()
}

// MarshalJSON returns what [Report.WriteJSON] writes, all of it in memory.
func (r *Report) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	err := r.WriteJSON(&b)
	return b.Bytes(), err
}

type imageJSON struct {
	Path      string   `json:"path"`
	Format    string   `json:"format,omitempty"`
	Restore   bool     `json:"restore"`
	Depth     int      `json:"depth"`
	Files     int      `json:"files"`
	Usable    float64  `json:"usable"`
	UsableMax *float64 `json:"usable_max,omitempty"`
	Blast     int      `json:"blast"`
	P         float64  `json:"p"`
	Size      int64    `json:"size,omitempty"`
	Broken    string   `json:"broken,omitempty"`
}

type edgeJSON struct {
	From string `json:"from"`
	To   string `json:"to"`
	As   string `json:"as,omitempty"`
}

type chainJSON struct {
	Tip       string   `json:"tip"`
	Root      string   `json:"root"`
	Depth     int      `json:"depth"`
	Files     int      `json:"files"`
	Usable    float64  `json:"usable"`
	UsableMax *float64 `json:"usable_max,omitempty"`
}

type spofJSON struct {
	Path  string  `json:"path"`
	Blast int     `json:"blast"`
	P     float64 `json:"p"`
}

// upper is the upper bound where it is another number than the lower.
func upper(low, high float64) *float64 {
	if low == high || math.IsNaN(high) {
		return nil
	}
	return &high
}

// MarshalJSON writes times as texts such as "720h0m0s", and keys in small letters.
func (g Growth) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Horizon      strictjson.Duration `json:"horizon"`
		PerDay       float64             `json:"per_day"`
		BytesPerDay  float64             `json:"bytes_per_day"`
		Bytes        int64               `json:"bytes"`
		BytesThen    int64               `json:"bytes_then"`
		BytesMost    int64               `json:"bytes_most"`
		DepthThen    int                 `json:"depth_then"`
		LimitReached time.Duration       `json:"limit_reached_ns,omitempty"`
	}{strictjson.Duration(g.Horizon), g.PerDay, g.BytesPerDay, g.Bytes, g.BytesThen, g.BytesMost, g.DepthThen, g.LimitReached})
}

// objects writes the members of an object.
type objects struct {
	w    *bufio.Writer
	more bool
	err  error
}

func (o *objects) text(s string) {
	if o.err == nil {
		_, o.err = o.w.WriteString(s)
	}
}

func (o *objects) json(v any) {
	if o.err != nil {
		return
	}
	b, err := json.Marshal(v)
	if err != nil {
		o.err = err
		return
	}
	_, o.err = o.w.Write(b)
}

func (o *objects) key(name string) {
	if o.more {
		o.text(",\n")
	}
	o.more = true
	o.json(name)
	o.text(": ")
}

func (o *objects) value(name string, v any) {
	o.key(name)
	o.json(v)
}

func (o *objects) list(name string, values func(yield func(any))) {
	o.key(name)
	o.text("[")
	more := false
	values(func(v any) {
		if more {
			o.text(",")
		}
		more = true
		o.text("\n")
		o.json(v)
	})
	o.text("]")
}
