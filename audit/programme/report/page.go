package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/internal/htmlreport"
)

// shared says whether the document is for a customer.
func (d *Document) shared() bool {
	_, shared := d.Audience.Tenant()
	return shared
}

func (d *Document) page() *htmlreport.Page {
	p := &htmlreport.Page{Title: "Audit report: " + d.Audit.Plan.Title, Subtitle: d.subtitle(), Facts: d.facts()}
	switch {
	case d.shared():
		p.Sections = []htmlreport.Section{
			d.summary(), d.ownResults(), d.providerResults(), d.findings(), d.plan(), d.team(), d.certificates(), d.left(),
		}
	case d.Audience == Auditor:
		p.Sections = []htmlreport.Section{
			d.summary(), d.results(), d.findings(), d.actions(), d.plan(), d.team(), d.work(), d.requirements(), d.sample(),
			d.grants(), d.certificates(), d.history(),
		}
	default:
		p.Sections = []htmlreport.Section{
			d.summary(), d.results(), d.findings(), d.actions(), d.plan(), d.team(), d.certificates(),
		}
	}
	p.Footer = fmt.Sprintf("Audit %s, as of %s. Counts are of items: one thing that one procedure looked at.",
		d.Audit.ID, instant(d.At))
	return p
}

func (d *Document) subtitle() string {
	if t, shared := d.Audience.Tenant(); shared {
		return "For customer " + string(t)
	}
	if d.Audience == Auditor {
		return "For auditors"
	}
	return "For management"
}

func (d *Document) facts() htmlreport.Facts {
	a := d.Audit
	return htmlreport.Facts{
		{Label: "Audit", Value: code(a.ID)},
		{Label: "Stage", Value: plain(string(a.Stage))},
		{Label: "Fieldwork", Value: plain(day(a.Plan.From) + " to " + day(a.Plan.Until))},
		{Label: "Measured by", Value: append(plain(d.Catalogue+" "), code(a.Plan.Catalogue)...)},
		{Label: "As of", Value: plain(instant(d.At))},
	}
}

// How much a summary has at most: it is one page.
const (
	topmost        = 5 // findings, and actions
	mostObjectives = 3
)

func (d *Document) summary() htmlreport.Section {
	s := htmlreport.Section{ID: "summary", Title: "Summary", Break: d.Audience == Management}
	if !d.Issued {
		s.Blocks = append(s.Blocks, d.draft())
	}
	s.Blocks = append(s.Blocks, htmlreport.Paragraph(plain(d.audited())))
	if d.shared() && !d.Issued {
		return s
	}
	s.Blocks = append(s.Blocks, htmlreport.Paragraph(plain(d.opinion())))
	s.Blocks = append(s.Blocks, d.alarms()...)
	s.Blocks = append(s.Blocks, d.byCategory())
	if d.shared() {
		return s
	}
	return d.gravest(s)
}

func (d *Document) draft() htmlreport.Block {
	if d.Audit.Stage == programme.Cancelled {
		return htmlreport.Callout{Tone: htmlreport.Warn, Title: "Cancelled",
			Text: plain("The audit was cancelled before its results were issued.")}
	}
	text := "The results are not issued: what is below may still change."
	if d.shared() {
		text = "Results and findings are shown once they are issued."
	}
	return htmlreport.Callout{Tone: htmlreport.Warn, Title: "Not issued yet", Text: plain(text)}
}

// audited says what was looked at.
func (d *Document) audited() string {
	covered, waived := 0, 0
	for _, k := range d.Categories {
		switch {
		case k.Procedures > 0:
			covered++
		case k.Waived != "":
			waived++
		}
	}
	s := fmt.Sprintf("%s in %d of %s",
		some(len(d.Audit.Plan.Procedures), "procedure"), covered, categoriesOf(len(d.Categories)))
	if waived > 0 {
		s += fmt.Sprintf("; %d left out with a reason", waived)
	}
	if open := len(d.Categories) - covered - waived; open > 0 {
		s += fmt.Sprintf("; %d not covered", open)
	}
	objectives := d.Audit.Plan.Objectives
	if len(objectives) > mostObjectives {
		objectives = append(
			objectives[:mostObjectives:mostObjectives],
			fmt.Sprintf("and %d more", len(objectives)-mostObjectives),
		)
	}
	between := ". Objectives: "
	for _, o := range objectives {
		s += between + strings.TrimRight(shorten(o, inHeading), ".")
		between = "; "
	}
	return s + "."
}

func categoriesOf(n int) string { return some(n, "category") }

// opinion says how it went, in numbers.
func (d *Document) opinion() string {
	var parts []string
	for _, r := range d.Risks {
		parts = append(parts, fmt.Sprintf("%d %s", r.Findings, riskWord(r.Risk)))
	}
	found := "There are no findings."
	if len(parts) > 0 {
		found = some(len(d.Findings), "finding") + ": " + strings.Join(parts, ", ") + "."
	}
	if !d.shared() {
		return outcome(d.Total, "") + " " + found
	}
	tenant, _ := d.Audience.Tenant()
	var own, provider Counts
	for _, c := range d.Customers {
		if c.Tenant == tenant {
			own = c.Counts
		} else {
			provider = c.Counts
		}
	}
	if len(parts) == 0 {
		found = "No finding names you."
	} else {
		found = "Naming you: " + found
	}
	return outcome(own, " of yours") + " " + outcome(provider, " of the provider's own") + " " + found
}

// outcome says what became of items.
func outcome(c Counts, whose string) string {
	if c.Items() == 0 {
		return "No item" + whose + " was looked at."
	}
	s := fmt.Sprintf("Of %s%s that could pass, %d passed, %d failed and %d %s not tested",
		some(c.Applicable(), "item"), whose, c.Passed, c.Failed, c.Open(), were(c.Open()))
	if c.NotApplicable > 0 {
		s += fmt.Sprintf("; to %d more the criteria do not apply", c.NotApplicable)
	}
	return s + "."
}

// alarms are what must not be overlooked.
func (d *Document) alarms() (list []htmlreport.Block) {
	if n := d.Total.Failed; n > 0 {
		list = append(list, htmlreport.Callout{Tone: htmlreport.Bad, Title: some(n, "item") + " failed"})
	}
	if n := d.Total.Open(); n > 0 {
		list = append(list, htmlreport.Callout{Tone: htmlreport.Unknown, Title: some(n, "item") + " not tested",
			Text: plain("Nothing is known of these: they have not passed.")})
	}
	if n := d.uncovered(); n > 0 && !d.shared() {
		list = append(list, htmlreport.Callout{Tone: htmlreport.Unknown, Title: categoriesOf(n) + " not covered",
			Text: plain("No procedure looks at " + d.namesUncovered() + ", and nothing says why.")})
	}
	return list
}

func (k *Category) uncovered() bool { return k.Procedures == 0 && k.Waived == "" }

func (d *Document) uncovered() (n int) {
	for _, k := range d.Categories {
		if k.uncovered() {
			n++
		}
	}
	return n
}

func (d *Document) namesUncovered() string {
	var names []string
	for _, k := range d.Categories {
		if k.uncovered() {
			names = append(names, k.Title)
		}
	}
	return strings.Join(names, ", ")
}

// gravest adds the top risks and what is overdue.
func (d *Document) gravest(s htmlreport.Section) htmlreport.Section {
	top := htmlreport.Table{Caption: "Gravest findings that are open", Columns: []htmlreport.Column{
		{Title: "Finding"}, {Title: "What"}, {Title: "Risk", Short: true}, {Title: "State", Short: true},
	}}
	late := htmlreport.Table{Caption: "Overdue, the longest first", Columns: []htmlreport.Column{
		{Title: "Of"}, {Title: "What"}, {Title: "Owner"}, {Title: "Due", Short: true},
	}}
	open := 0
	for i, f := range d.Findings {
		if f.State != Verified && f.State != Accepted {
			if open++; open <= topmost {
				top.Rows = append(top.Rows, []htmlreport.Text{
					htmlreport.Link(f.ID, findingID(i)), plain(shorten(f.heading(), inTable)), riskMark(f.Risk), stateMark(f.State),
				})
			}
		}
	}
	overdue := d.Audit.Overdue(d.At)
	slices.SortStableFunc(overdue, func(a, b programme.Action) int { return a.Due.Compare(b.Due) })
	for _, a := range overdue[:min(topmost, len(overdue))] {
		late.Rows = append(late.Rows, []htmlreport.Text{
			plain(cmp.Or(a.ID, a.Finding)), plain(shorten(a.Text, inTable)),
			plain(shorten(a.Owner, inTable/2)), htmlreport.Mark(htmlreport.Bad, day(a.Due)),
		})
	}
	add := func(t htmlreport.Table, n int, nothing string) {
		if n == 0 {
			s.Blocks = append(s.Blocks, htmlreport.Paragraph(plain(nothing)))
			return
		}
		if n > topmost {
			t.Caption += fmt.Sprintf(", %d of %d", topmost, n)
		}
		s.Blocks = append(s.Blocks, t)
	}
	add(top, open, "No finding is open.")
	add(late, len(overdue), "Nothing is overdue.")
	return s
}

// How long a text is that has to stand in a line, in characters.
const (
	inTable   = 56
	inHeading = 90
)

// shorten returns a text, or its beginning when it is longer or of several lines.
func shorten(s string, most int) string {
	line, _, cut := strings.Cut(s, "\n")
	runes := []rune(line)
	if len(runes) > most {
		runes, cut = runes[:most], true
	}
	if cut {
		return strings.TrimSpace(string(runes)) + " …"
	}
	return line
}

// left says what a customer's report leaves out.
func (d *Document) left() htmlreport.Section {
	s := htmlreport.Section{ID: "left-out", Title: "What is left out", Blocks: []htmlreport.Block{htmlreport.Paragraph(plain(
		"This report shows what concerns you. Results of other customers are not in it, nor in its numbers; of the " +
			"provider's own controls it has counts. The team is shown by function: it was complete, and cleared of conflicts of interest " +
			"by what the log says its members did; who they are adds nothing to that.",
	))}}
	if d.Withheld > 0 {
		s.Blocks = append(s.Blocks, htmlreport.Callout{Tone: htmlreport.Warn,
			Title: fmt.Sprintf("%s %s withheld", some(d.Withheld, "text"), are(d.Withheld)),
			Text: plain(
				"What names another customer stands here as " + Withheld + ", an id or item as \"withheld-\" and a number. Ask the " +
					"provider for words that name nobody.",
			)})
	}
	return s
}
