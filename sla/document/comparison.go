package document

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/cloudopsec/opsec/internal/htmlreport"
)

// Comparison is what two agreements, or an offer and what a customer requires, differ in: what package comparison has found, to show.
type Comparison struct {
	Title string `json:"title,omitempty"` // none: of the two
	A     Side   `json:"a"`
	B     Side   `json:"b"`
	Rows  []Row  `json:"rows"`
}

// Side is one of the two.
type Side struct {
	Name    string `json:"name"` // such as the title of the agreement
	ID      string `json:"id,omitempty"`
	Version int    `json:"version,omitempty"`
	Digest  string `json:"digest,omitempty"`
}

// Row is one thing in which they differ, or are equal.
type Row struct {
	Path    string `json:"path"`
	Clause  string `json:"clause,omitempty"` // of X.1642, such as "7.2.2.2"
	Verdict string `json:"verdict"`          // on B beside A: "stronger", "weaker", "incomparable", "equal", or another word
	A       string `json:"a,omitempty"`      // empty: nothing
	B       string `json:"b,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

// verdicts are those that are known, in the order in which they are shown: what a reader must not miss first.
var verdicts = []struct {
	word string
	tone htmlreport.Tone
}{{"weaker", htmlreport.Bad}, {"incomparable", htmlreport.Unknown}, {"stronger", htmlreport.Good}, {"equal", htmlreport.Neutral}}

// clauses are the parts of the agreement, by the clause of X.1642.
var clauses = map[string]string{
	"7.1": "Who answers for what", "7.2": "Requirements of the clause", "7.2.1": "Terms, exclusions, credits and liabilities", "7.2.2": "Elements of the clause",
	"7.2.2.1": "Business continuity", "7.2.2.2": "Protection of data", "7.2.2.3": "Emergency response", "7.2.2.4": "Security measures", "7.2.2.5": "Security audit",
	"7.2.2.6": "Security monitoring", "7.2.2.7": "Security certification", "7.2.2.8": "Security documents",
}

// mostRows is how many rows a table of a comparison has.
const mostRows = 200

// Document returns the comparison for people to read: a section for each clause. The error wraps [opsec.ErrInvalid] if a side has no
// name, or a row no path or no verdict.
func (c Comparison) Document() (*Document, error) {
	if strings.TrimSpace(c.A.Name) == "" || strings.TrimSpace(c.B.Name) == "" {
		return nil, invalid("a.name, b.name: one is not given")
	}
	for i, r := range c.Rows {
		if r.Path == "" || r.Verdict == "" {
			return nil, invalid("rows[%d]: no path, or no verdict", i)
		}
	}
	if c.Rows == nil {
		c.Rows = []Row{} // in JSON a list
	}
	text, err := encode(c)
	if err != nil {
		return nil, err
	}
	digest := digestOf(text)
	p := &htmlreport.Page{
		Title: cmp.Or(strings.TrimSpace(c.Title), "Comparison of "+c.A.Name+" and "+c.B.Name), Subtitle: "What B promises the customer, beside what A does",
		Facts:    htmlreport.Facts{{Label: "A", Value: c.A.text()}, {Label: "B", Value: c.B.text()}},
		Sections: []htmlreport.Section{c.summary()},
		Footer:   "Section numbers are those of Recommendation ITU-T X.1642.",
	}
	for i, clause := range c.clauses() {
		p.Sections = append(p.Sections, c.section(i, clause))
	}
	return newDocument(digest, p, text)
}

func (s Side) text() htmlreport.Text {
	t := plain(s.Name)
	if s.ID != "" {
		t = append(t, append(plain(" "), code(s.ID)...)...)
	}
	if s.Version > 0 {
		t = append(t, plain(fmt.Sprintf(", version %d", s.Version))...)
	}
	if s.Digest != "" {
		t = append(t, append(plain(", "), code(s.Digest)...)...)
	}
	return t
}

func rank(verdict string) int {
	for i, v := range verdicts {
		if v.word == verdict {
			return i
		}
	}
	return 1 // as what cannot be compared
}

func (c Comparison) summary() htmlreport.Section {
	s := htmlreport.Section{ID: "summary", Title: "Summary"}
	n := map[string]int{}
	for _, r := range c.Rows {
		n[verdicts[rank(r.Verdict)].word]++
	}
	switch {
	case n["weaker"]+n["incomparable"]+n["stronger"] == 0:
		s.Blocks = append(s.Blocks, htmlreport.Callout{Tone: htmlreport.Good, Title: "They promise the same"})
		return s
	case n["weaker"]+n["incomparable"] == 0:
		s.Blocks = append(s.Blocks, htmlreport.Callout{Tone: htmlreport.Good, Title: "B promises all that A does, and more"})
	case n["stronger"]+n["incomparable"] == 0:
		s.Blocks = append(s.Blocks, htmlreport.Callout{Tone: htmlreport.Bad, Title: "B promises less than A"})
	default:
		s.Blocks = append(s.Blocks, htmlreport.Callout{Tone: htmlreport.Unknown, Title: "Neither is better in all",
			Text: plain("Which of them is better is for those to say who know what they need.")})
	}
	bars := htmlreport.Bars{Caption: "What differs, by clause"}
	for _, clause := range c.clauses() {
		bar := htmlreport.Bar{Label: heading(clause)}
		for _, v := range verdicts {
			k := 0
			for _, r := range c.Rows {
				if r.Clause == clause && verdicts[rank(r.Verdict)].word == v.word {
					k++
				}
			}
			bar.Parts = append(bar.Parts, htmlreport.Part{Label: v.word, Count: k, Tone: v.tone})
		}
		bars.Rows = append(bars.Rows, bar)
	}
	s.Blocks = append(s.Blocks, bars)
	return s
}

// clauses returns those of the rows, in order; those without a clause last.
func (c Comparison) clauses() (list []string) {
	for _, r := range c.Rows {
		if !slices.Contains(list, r.Clause) {
			list = append(list, r.Clause)
		}
	}
	slices.SortFunc(list, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), 0)-cmp.Compare(len(a), 0), strings.Compare(a, b))
	})
	return list
}

func heading(clause string) string {
	switch {
	case clause == "":
		return "Other things"
	case clauses[clause] == "":
		return "Clause " + clause
	}
	return clauses[clause] + " (" + clause + ")"
}

func (c Comparison) section(i int, clause string) htmlreport.Section {
	var list []Row
	for _, r := range c.Rows {
		if r.Clause == clause {
			list = append(list, r)
		}
	}
	slices.SortStableFunc(list, func(a, b Row) int { return cmp.Compare(rank(a.Verdict), rank(b.Verdict)) })
	t := htmlreport.Table{Columns: []htmlreport.Column{{Title: "Where"}, {Title: "B is", Short: true}, {Title: "A says"}, {Title: "B says"}, {Title: "Why"}}}
	for _, r := range list[:min(mostRows, len(list))] {
		t.Rows = append(t.Rows, []htmlreport.Text{htmlreport.Code(r.Path), htmlreport.Mark(verdicts[rank(r.Verdict)].tone, r.Verdict), said(r.A), said(r.B), plain(r.Reason)})
	}
	return leftOut(htmlreport.Section{ID: fmt.Sprintf("clause-%d", i), Title: heading(clause), Blocks: []htmlreport.Block{t}}, len(list), mostRows)
}

func said(s string) htmlreport.Text {
	if s == "" {
		return plain("nothing")
	}
	return plain(s)
}
