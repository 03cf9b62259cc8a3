package report

import (
	"fmt"

	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/internal/htmlreport"
)

// parts are counts as a bar shows them: what is not known right beside what failed.
func (c Counts) parts() []htmlreport.Part {
	return []htmlreport.Part{
		{Label: "failed", Count: c.Failed, Tone: htmlreport.Bad},
		{Label: "not tested", Count: c.NotTested, Tone: htmlreport.Unknown},
		{Label: "without a result", Count: c.Missing, Tone: htmlreport.Unknown},
		{Label: "passed", Count: c.Passed, Tone: htmlreport.Good},
		{Label: "not applicable", Count: c.NotApplicable, Tone: htmlreport.Neutral},
	}
}

// columns are the columns of counts; those without a result have one when there are any.
func (d *Document) columns() []htmlreport.Column {
	list := []htmlreport.Column{
		{Title: "Items", Numbers: true}, {Title: "Passed", Numbers: true}, {Title: "Failed", Numbers: true},
		{Title: "Not tested", Numbers: true},
	}
	if d.Total.Missing > 0 {
		list = append(list, htmlreport.Column{Title: "Without a result", Numbers: true})
	}
	return append(list, htmlreport.Column{Title: "Not applicable", Numbers: true})
}

func (d *Document) cells(c Counts) []htmlreport.Text {
	list := []htmlreport.Text{
		number(c.Items()), number(c.Passed), loud(c.Failed, htmlreport.Bad), loud(c.NotTested, htmlreport.Unknown),
	}
	if d.Total.Missing > 0 {
		list = append(list, loud(c.Missing, htmlreport.Unknown))
	}
	return append(list, number(c.NotApplicable))
}

// counted returns a table of counts with their sum.
func (d *Document) counted(caption string, first ...string) htmlreport.Table {
	t := htmlreport.Table{Caption: caption}
	for _, title := range first {
		t.Columns = append(t.Columns, htmlreport.Column{Title: title})
	}
	t.Columns = append(t.Columns, d.columns()...)
	return t
}

func (d *Document) byCategory() htmlreport.Bars {
	bars := htmlreport.Bars{Caption: "Results by category"}
	if d.shared() {
		bars.Caption += ", yours and the provider's own"
	}
	for _, k := range d.Categories {
		bar := htmlreport.Bar{Label: k.Title, Parts: k.parts()}
		switch {
		case k.Items() > 0:
		case k.Waived != "":
			bar.Note = "left out: " + shorten(k.Waived, inHeading)
		case k.Procedures == 0 && !d.shared():
			bar.Note = "NOT COVERED by any procedure"
		case d.shared():
			bar.Note = "nothing of yours or of the provider's"
		default:
			bar.Note = "NO RESULTS"
		}
		bars.Rows = append(bars.Rows, bar)
	}
	return bars
}

func (d *Document) results() htmlreport.Section {
	byCategory := d.counted("By category", "Category")
	for _, k := range d.Categories {
		title := plain(k.Title)
		switch {
		case k.Items() > 0:
		case k.Waived != "":
			title = append(title, htmlreport.Span{Text: " "}, htmlreport.Span{Text: "left out", Mark: htmlreport.Neutral})
		case k.Procedures == 0:
			title = append(title, htmlreport.Span{Text: " "}, htmlreport.Span{Text: "not covered", Mark: htmlreport.Unknown})
		default:
			title = append(title, htmlreport.Span{Text: " "}, htmlreport.Span{Text: "no results", Mark: htmlreport.Unknown})
		}
		byCategory.Rows = append(byCategory.Rows, append([]htmlreport.Text{title}, d.cells(k.Counts)...))
	}
	byCategory.Foot = append([]htmlreport.Text{plain("All")}, d.cells(d.Total)...)
	byCustomer := d.counted("By customer", "Whose items")
	for _, c := range d.Customers {
		byCustomer.Rows = append(byCustomer.Rows, append([]htmlreport.Text{plain(customer(c.Tenant))}, d.cells(c.Counts)...))
	}
	byCustomer.Foot = byCategory.Foot
	s := htmlreport.Section{
		ID:     "results",
		Title:  "Results",
		Blocks: []htmlreport.Block{byCategory, d.byProcedure("By procedure"), byCustomer},
	}
	if d.Total.Missing > 0 {
		s.Blocks = append(s.Blocks, htmlreport.Paragraph(plain("Items without a result are counted as the provider's.")))
	}
	if open := d.untested(); len(open.Rows) > 0 {
		s.Blocks = append(s.Blocks, open)
	}
	return s
}

func (d *Document) byProcedure(caption string) htmlreport.Table {
	t := d.counted(caption, "Procedure", "Title")
	for _, p := range d.Procedures {
		title := plain(p.Title)
		if p.Items() == 0 && !d.shared() {
			title = append(title, htmlreport.Span{Text: " "}, htmlreport.Span{Text: "no results", Mark: htmlreport.Unknown})
		}
		t.Rows = append(t.Rows, append([]htmlreport.Text{plain(p.ID), title}, d.cells(p.Counts)...))
	}
	t.Foot = append([]htmlreport.Text{plain("All"), nil}, d.cells(d.Total)...)
	return t
}

// untested lists what failed, and what was not tested with the reason, in the same way.
func (d *Document) untested() htmlreport.Table {
	t := htmlreport.Table{Caption: "Items that failed or were not tested", Columns: []htmlreport.Column{
		{Title: "Item"}, {Title: "Procedure"}, {Title: "Customer"}, {Title: "Result", Short: true}, {Title: "Why"},
	}}
	for _, want := range []programme.Status{programme.Failed, programme.NotTested} {
		for _, r := range d.Audit.Results {
			if status(r.Status) == want {
				t.Rows = append(t.Rows, []htmlreport.Text{
					plain(r.Item), plain(r.Procedure), plain(customer(r.Tenant)), statusMark(r.Status), plain(r.Detail),
				})
			}
		}
	}
	return t
}

// ownResults are those of the customer who reads.
func (d *Document) ownResults() htmlreport.Section {
	s := htmlreport.Section{ID: "results", Title: "Your items"}
	tenant, _ := d.Audience.Tenant()
	t := htmlreport.Table{Columns: []htmlreport.Column{
		{Title: "Item"}, {Title: "Procedure"}, {Title: "Result", Short: true}, {Title: "Why"}, {Title: "Evidence"},
		{Title: "Tested", Short: true},
	}}
	for _, want := range []programme.Status{programme.Failed, programme.NotTested, programme.Passed, programme.NotApplicable} {
		for _, r := range d.Audit.Results {
			if r.Tenant == tenant && r.Status == want {
				t.Rows = append(t.Rows, []htmlreport.Text{
					plain(r.Item), plain(r.Procedure), statusMark(r.Status), plain(r.Detail), evidenceOf(r), plain(day(r.Time)),
				})
			}
		}
	}
	if len(t.Rows) == 0 {
		s.Blocks = []htmlreport.Block{htmlreport.Paragraph(plain(d.unless("No item of yours was in the samples.")))}
		return s
	}
	for _, c := range d.Customers {
		if c.Tenant == tenant {
			sums := d.counted("In numbers", "Whose items")
			sums.Rows = [][]htmlreport.Text{append([]htmlreport.Text{plain("Yours")}, d.cells(c.Counts)...)}
			s.Blocks = append(s.Blocks, sums)
		}
	}
	t.Caption = "Item by item: what failed first, then what was not tested"
	s.Blocks = append(s.Blocks, t)
	return s
}

// unless returns a text, or that it is too early for it.
func (d *Document) unless(text string) string {
	if d.Issued {
		return text
	}
	return "Not issued yet."
}

func evidenceOf(r programme.Result) (text htmlreport.Text) {
	for i, e := range r.Evidence {
		if i > 0 {
			text = append(text, htmlreport.Span{Text: "\n"})
		}
		text = append(text, htmlreport.Span{Text: e.Name + " "}, htmlreport.Span{Text: e.Digest, Code: true})
	}
	if text == nil {
		return plain("")
	}
	return text
}

// providerResults are those of the provider's own controls, as counts.
func (d *Document) providerResults() htmlreport.Section {
	s := htmlreport.Section{ID: "provider", Title: "The provider's own controls"}
	if !d.Issued {
		s.Blocks = []htmlreport.Block{htmlreport.Paragraph(plain(d.unless("")))}
		return s
	}
	t := d.counted("Results", "Procedure", "Title")
	var all Counts
	for _, p := range d.Procedures {
		var c Counts
		for _, r := range d.Audit.Results {
			if r.Procedure == p.ID && ours(r.Tenant) {
				c.count(r.Status)
			}
		}
		all.add(c)
		t.Rows = append(t.Rows, append([]htmlreport.Text{plain(p.ID), plain(p.Title)}, d.cells(c)...))
	}
	t.Foot = append([]htmlreport.Text{plain("All"), nil}, d.cells(all)...)
	s.Blocks = append(s.Blocks, t)
	if len(d.Provider) == 0 {
		s.Blocks = append(s.Blocks, htmlreport.Paragraph(plain("There are no findings that concern the provider alone.")))
		return s
	}
	n := 0
	for _, r := range d.Provider {
		n += r.Findings
	}
	s.Blocks = append(s.Blocks, riskTable(fmt.Sprintf("Findings that concern the provider alone: %d", n), d.Provider))
	return s
}
