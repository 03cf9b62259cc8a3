package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/programme/catalogue"
	"github.com/cloudopsec/opsec/internal/htmlreport"
)

// work is what was done, procedure by procedure, item by item.
func (d *Document) work() htmlreport.Section {
	s := htmlreport.Section{ID: "work", Title: "Procedures and results"}
	for i, p := range d.Procedures {
		sub := htmlreport.Section{
			ID:    fmt.Sprintf("procedure-%d", i+1),
			Title: cmp.Or(strings.TrimSuffix(p.ID+": "+p.Title, ": "), "Without an id"),
		}
		how := "by hand"
		if p.Check != "" {
			how = "automated: " + p.Check
		}
		sub.Blocks = append(sub.Blocks, htmlreport.Facts{
			{Label: "Category", Value: plain(d.category(p.Category))},
			{Label: "Criteria", Value: d.criteria(p.Requirements)},
			{Label: "Answered for by", Value: plain(p.Person)},
			{Label: "Carried out", Value: plain(how)},
			{Label: "Items", Value: plain(sampled(p, false))},
			{Label: "Steps", Value: plain(numbered(p.Steps))},
		})
		sub.Blocks = append(sub.Blocks, d.worked(p)...)
		s.Sections = append(s.Sections, sub)
	}
	return s
}

func numbered(steps []string) string {
	var list []string
	for i, s := range steps {
		list = append(list, fmt.Sprintf("%d. %s", i+1, s))
	}
	return join(list, "\n")
}

func (d *Document) worked(p Procedure) (blocks []htmlreport.Block) {
	t := htmlreport.Table{Caption: "Results", Columns: []htmlreport.Column{
		{Title: "Item"}, {Title: "Customer"}, {Title: "Result", Short: true}, {Title: "Why"}, {Title: "By"}, {Title: "When"},
	}}
	var list []held
	for _, r := range d.Audit.Results {
		if r.Procedure != p.ID {
			continue
		}
		by := r.Person
		if r.Automated {
			by += ", automated"
		}
		t.Rows = append(t.Rows, []htmlreport.Text{
			plain(r.Item), plain(customer(r.Tenant)), statusMark(r.Status), plain(r.Detail), plain(by), plain(instant(r.Time)),
		})
		for _, e := range r.Evidence {
			list = append(list, held{r.Item, e})
		}
	}
	if p.Missing > 0 {
		blocks = append(
			blocks,
			htmlreport.Callout{Tone: htmlreport.Unknown, Title: some(p.Missing, "item") + " without a result"},
		)
	}
	if len(t.Rows) == 0 {
		return append(blocks, htmlreport.Callout{Tone: htmlreport.Unknown, Title: "No results"})
	}
	return append(append(blocks, t), evidenceTable("Item", list)...)
}

// held is evidence, and what it is of.
type held struct {
	of string
	programme.Evidence
}

func evidenceTable(of string, list []held) []htmlreport.Block {
	if len(list) == 0 {
		return nil
	}
	t := htmlreport.Table{Caption: "Evidence", Columns: []htmlreport.Column{
		{Title: of}, {Title: "Evidence"}, {Title: "Digest"}, {Title: "Collected"}, {Title: "Custody"}, {Title: "In the log"},
	}}
	for _, e := range list {
		proof := plain("no proof")
		if e.Proof != "" {
			proof = plain("proof of " + strconv.Itoa(len(e.Proof)) + " bytes")
		}
		t.Rows = append(t.Rows, []htmlreport.Text{
			plain(e.of), plain(e.Name), code(e.Digest), plain(instant(e.Collected) + "\n" + e.Person),
			plain(join(e.Custody, "\n")), proof,
		})
	}
	return []htmlreport.Block{t}
}

func (d *Document) requirements() htmlreport.Section {
	tested := d.counted("Tested", "Requirement", "Title", "Procedures", "Findings")
	untested := htmlreport.Table{Caption: "Not tested, of categories that were audited", Columns: []htmlreport.Column{
		{Title: "Requirement"}, {Title: "Title"}, {Title: "Findings"}, {Title: "Result", Short: true},
	}}
	for _, r := range d.Requirements {
		title := plain(r.Title)
		if refs := references(r.Refs); refs != "" {
			title = append(title, htmlreport.Span{Text: "\n" + refs})
		}
		if len(r.Procedures) == 0 {
			untested.Rows = append(
				untested.Rows,
				[]htmlreport.Text{plain(r.ID), title, codes(r.Findings), statusMark(programme.NotTested)},
			)
			continue
		}
		tested.Rows = append(
			tested.Rows,
			append([]htmlreport.Text{plain(r.ID), title, codes(r.Procedures), codes(r.Findings)}, d.cells(r.Counts)...),
		)
	}
	s := htmlreport.Section{ID: "requirements", Title: "Requirements", Blocks: []htmlreport.Block{htmlreport.Paragraph(plain(
		"All that procedures test, that findings name, and that stand in a category that was audited. A procedure counts for " +
			"each of its requirements, so that there is no sum."))}}
	if n := len(untested.Rows); n > 0 {
		s.Blocks = append(s.Blocks, htmlreport.Callout{Tone: htmlreport.Unknown,
			Title: some(n, "requirement") + " of audited categories not tested by any procedure"})
	}
	for _, t := range []htmlreport.Table{tested, untested} {
		if len(t.Rows) > 0 {
			s.Blocks = append(s.Blocks, t)
		}
	}
	return s
}

// references returns what asks for the same elsewhere, by framework.
func references(refs []catalogue.Ref) string {
	var b strings.Builder
	last := ""
	for _, r := range refs {
		switch {
		case r.Framework == last:
			b.WriteString(", ")
		case last == "":
			b.WriteString("See " + r.Framework + ": ")
		default:
			b.WriteString("; " + r.Framework + ": ")
		}
		b.WriteString(r.ID)
		last = r.Framework
	}
	return b.String()
}

// recompute is where the documentation of how to draw a sample again stands.
const recompute = "https://pkg.go.dev/github.com/cloudopsec/opsec/audit/programme/sample#Recompute"

func (d *Document) sample() htmlreport.Section {
	s := htmlreport.Section{ID: "sample", Title: "Samples, and how to draw them again"}
	a := d.Audit
	if len(a.Freezes) == 0 {
		s.Blocks = []htmlreport.Block{htmlreport.Paragraph(plain("The scope is not frozen: there is no sample."))}
		return s
	}
	if n := len(a.Freezes); n > 1 {
		s.Blocks = append(s.Blocks, htmlreport.Callout{Tone: htmlreport.Warn,
			Title: fmt.Sprintf("The scope was frozen %d times", n), Text: plain(
				"The last one counts. Each is a chance to prefer another sample: the history says why there was more than one.")})
	}
	for _, f := range slices.Backward(a.Freezes) {
		s.Blocks = append(s.Blocks, frozen(f)...)
	}
	if a.Draw == nil {
		s.Blocks = append(s.Blocks, htmlreport.Paragraph(plain("No sample is drawn yet.")))
		return s
	}
	s.Blocks = append(s.Blocks, htmlreport.Facts{
		{Label: "Recorded in log", Value: code(a.Draw.Anchor.Log)},
		{Label: "At index", Value: plain(strconv.FormatUint(a.Draw.Anchor.Index, 10))},
	}, htmlreport.Listing{Caption: "The checkpoint that decided", Text: a.Draw.Checkpoint}, d.drawn())
	s.Blocks = append(s.Blocks, htmlreport.Paragraph(slices.Concat(
		plain("To draw again: take the audit's dossier, which has the freeze, the log's entry with its proof of inclusion, this "+
			"checkpoint and the positions; have the keys of the log and its witnesses from a source of your own; and call "),
		htmlreport.Link("sample.Recompute", recompute),
		plain(". It takes nothing else from the provider, and fails when the entry is not in the log before the checkpoint, "+
			"when the log or too few witnesses have signed, or when other positions come out."),
	)))
	return s
}

func frozen(f programme.Freeze) []htmlreport.Block {
	digest := "cannot be computed"
	if sum, err := f.Digest(); err == nil {
		digest = sum.String()
	}
	until := f.NotAfter
	if until.IsZero() {
		until = f.NotBefore.Add(24 * time.Hour)
	}
	t := htmlreport.Table{Caption: fmt.Sprintf("Freeze %d: the populations", f.Attempt), Columns: []htmlreport.Column{
		{Title: "Frame"}, {Title: "Size", Numbers: true}, {Title: "Merkle root"},
	}}
	for _, c := range f.Frames {
		t.Rows = append(t.Rows, []htmlreport.Text{plain(c.Procedure), number(c.Size), code(c.Digest.String())})
	}
	blocks := []htmlreport.Block{htmlreport.Facts{
		{Label: fmt.Sprintf("Freeze %d", f.Attempt), Value: code(digest)},
		{Label: "Scope", Value: code(f.Scope.String())},
		{Label: "Event", Value: code(string(f.Event))},
		{Label: "Checkpoint", Value: plain("signed from " + instant(f.NotBefore) + " to " + instant(until))},
	}}
	if len(t.Rows) > 0 {
		blocks = append(blocks, t)
	}
	return blocks
}

func (d *Document) drawn() htmlreport.Table {
	t := htmlreport.Table{Caption: "Positions drawn, counted from 0", Columns: []htmlreport.Column{
		{Title: "Frame"}, {Title: "Drawn", Numbers: true}, {Title: "Positions"},
	}}
	var frames []string
	for name := range d.Audit.Draw.Samples {
		frames = append(frames, name)
	}
	slices.Sort(frames)
	for _, name := range frames {
		var positions []string
		for _, p := range d.Audit.Draw.Samples[name] {
			positions = append(positions, strconv.Itoa(p))
		}
		t.Rows = append(t.Rows, []htmlreport.Text{plain(name), number(len(positions)), plain(join(positions, ", "))})
	}
	return t
}

func (d *Document) grants() htmlreport.Section {
	s := htmlreport.Section{ID: "grants", Title: "Audit tools"}
	if len(d.Audit.Grants) == 0 {
		s.Blocks = []htmlreport.Block{htmlreport.Paragraph(plain("None were lent."))}
		return s
	}
	t := htmlreport.Table{Columns: []htmlreport.Column{
		{Title: "Grant"}, {Title: "Tool"}, {Title: "Person"}, {Title: "On"}, {Title: "From"}, {Title: "Until"}, {Title: "Used"},
	}}
	for _, g := range d.Audit.Grants {
		tool := plain(g.Tool)
		if g.Writes {
			tool = append(tool, htmlreport.Span{Text: " "}, htmlreport.Span{Text: "may write", Mark: htmlreport.Warn})
		}
		until := instant(g.Until)
		if !g.Revoked.IsZero() {
			until += "\nrevoked " + instant(g.Revoked)
		}
		t.Rows = append(t.Rows, []htmlreport.Text{
			plain(g.ID), tool, plain(g.Person), plain(join(g.Targets, "\n")), plain(instant(g.From)), plain(until),
			plain(fmt.Sprintf("%d of %d", g.Used, g.Uses)),
		})
	}
	s.Blocks = []htmlreport.Block{t}
	return s
}

func (d *Document) history() htmlreport.Section {
	s := htmlreport.Section{ID: "history", Title: "History"}
	if len(d.Audit.History) == 0 {
		s.Blocks = []htmlreport.Block{htmlreport.Paragraph(plain("None."))}
		return s
	}
	t := htmlreport.Table{Columns: []htmlreport.Column{
		{Title: "When", Short: true}, {Title: "Step"}, {Title: "Of, and why"}, {Title: "Person"}, {Title: "Event in the log"},
	}}
	for _, e := range d.Audit.History {
		what := e.What + "\n" + e.Reason
		for _, r := range e.Replaced {
			what += fmt.Sprintf("\n%s of %s was %s: %s", r.Item, r.Procedure, r.Status, r.Detail)
		}
		t.Rows = append(t.Rows, []htmlreport.Text{
			plain(instant(e.Time)), code(e.Action), plain(strings.Trim(what, "\n")), plain(e.Person), code(string(e.Event)),
		})
	}
	s.Blocks = []htmlreport.Block{t}
	return s
}
