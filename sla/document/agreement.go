package document

import (
	"crypto/ed25519"
	"fmt"
	"strings"
	"time"

	"github.com/cloudopsec/opsec/internal/htmlreport"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/responsibility"
)

// Agreement is an agreement to show, with the signatures that there are.
type Agreement struct {
	Agreement  *sla.Agreement
	Signatures []sla.Signature
	Keys       map[string]ed25519.PublicKey // with which signatures are checked, by the names of the parties; nil: they are shown as not checked
}

// Document returns the agreement for people to read. What [sla.Agreement.Validate] finds stands at the top: an agreement with gaps is
// shown as a draft. The error wraps [opsec.ErrInvalid].
func (s Agreement) Document() (*Document, error) {
	if s.Agreement == nil {
		return nil, invalid("there is no agreement")
	}
	digest, err := s.Agreement.Digest()
	if err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	zone, err := newClock(s.Agreement.Zone)
	if err != nil {
		zone = clock{time.UTC} // a draft, and that is among its faults
	}
	sealed := &sla.Sealed{Agreement: s.Agreement, Signatures: s.Signatures}
	text, err := s.Agreement.JSON()
	if len(s.Signatures) > 0 {
		text, err = sealed.JSON()
	}
	if err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	p := contract{a: s.Agreement, digest: digest, clock: zone}
	return newDocument(digest, p.page(s.signed(sealed)), text)
}

// contract is the page of an agreement.
type contract struct {
	a      *sla.Agreement
	digest string
	clock
}

func (c contract) page(signed htmlreport.Section) *htmlreport.Page {
	a := c.a
	title := a.Title
	if strings.TrimSpace(title) == "" {
		title = "Agreement " + a.ID
	}
	return &htmlreport.Page{
		Title: title, Subtitle: "Security clause of the service level agreement",
		Facts: facts(
			htmlreport.Fact{Label: "Agreement", Value: append(code(a.ID), plain(fmt.Sprintf(", version %d", a.Version))...)},
			htmlreport.Fact{Label: "Digest", Value: code(c.digest)},
			fact("In force", c.force()), fact("Service model", string(a.Model)), fact("Grade", a.Grade),
			fact("Regions", strings.Join(a.Regions, ", ")), fact("Law", strings.Join(a.Law, ", ")),
			fact("Time zone of periods", a.Zone), fact("Currency", a.Currency), fact("Minimums that hold", strings.Join(a.Profiles, ", ")),
		),
		Sections: append([]htmlreport.Section{c.summary(), c.parties(), signed, c.services(), c.responsibilities()},
			append(c.clause(), c.exclusions(), c.credits(), c.liabilities(), c.history())...),
		Footer: "Times are of the zone " + c.Location.String() + ". Section numbers are those of Recommendation ITU-T X.1642.",
	}
}

func (c contract) force() string {
	if c.a.Effective.IsZero() {
		return "from when is not said"
	}
	if c.a.Expires.IsZero() {
		return "from " + c.time(c.a.Effective) + " until it is ended"
	}
	return "from " + c.time(c.a.Effective) + " until before " + c.time(c.a.Expires)
}

// mostFaults is how many rows a table of faults or findings has; how many are left out is said.
const mostFaults = 100

func (c contract) summary() htmlreport.Section {
	s := htmlreport.Section{ID: "summary", Title: "State"}
	faults := sla.Faults(c.a.Validate())
	if len(faults) == 0 {
		s.Blocks = append(s.Blocks, htmlreport.Callout{Tone: htmlreport.Good, Title: "Complete and measurable",
			Text: plain("Every element that clause 7.2.2 names is there, and can be measured or checked.")})
		return s
	}
	s.Blocks = append(s.Blocks, htmlreport.Callout{Tone: htmlreport.Bad, Title: "Draft: " + count(len(faults), "fault"),
		Text: plain("This cannot be signed before they are mended.")})
	t := htmlreport.Table{Columns: []htmlreport.Column{{Title: "Where"}, {Title: "Rule", Short: true}, {Title: "What is wrong"}}}
	for _, f := range faults[:min(mostFaults, len(faults))] {
		t.Rows = append(t.Rows, []htmlreport.Text{htmlreport.Code(f.Path), plain(string(f.Rule)), plain(f.Text)})
	}
	s.Blocks = append(s.Blocks, t)
	return leftOut(s, len(faults), mostFaults)
}

// leftOut says how many rows of n a table does not have.
func leftOut(s htmlreport.Section, n, most int) htmlreport.Section {
	if n > most {
		s.Blocks = append(s.Blocks, htmlreport.Paragraph(plain(fmt.Sprintf("%s more %s left out here; the JSON has all of them.", grouped(uint64(n-most)), were(n-most)))))
	}
	return s
}

// section returns a table under a heading, or a sentence where there are no rows.
func section(id, title, nothing string, t htmlreport.Table) htmlreport.Section {
	s := htmlreport.Section{ID: id, Title: title, Blocks: []htmlreport.Block{t}}
	if len(t.Rows) == 0 {
		s.Blocks = []htmlreport.Block{htmlreport.Paragraph(plain(nothing))}
	}
	return s
}

func (c contract) parties() htmlreport.Section {
	t := htmlreport.Table{Columns: []htmlreport.Column{{Title: "Name"}, {Title: "Role", Short: true}, {Title: "Contact"}, {Title: "Tenant"}, {Title: "Public key"}}}
	for _, p := range c.a.Parties {
		t.Rows = append(t.Rows, []htmlreport.Text{plain(p.Name), plain(party(p.Role)), plain(p.Contact), code(p.Tenant), code(p.PublicKey)})
	}
	return section("parties", "Parties", "No party is named.", t)
}

// signed shows the signatures, and what a check of them says.
func (s Agreement) signed(sealed *sla.Sealed) htmlreport.Section {
	t := htmlreport.Table{Columns: []htmlreport.Column{{Title: "Party"}, {Title: "Role", Short: true}, {Title: "Signed at (UTC)", Short: true}, {Title: "Digest that was signed"}}}
	for _, g := range s.Signatures {
		t.Rows = append(t.Rows, []htmlreport.Text{plain(g.Party), plain(party(g.Role)), plain(clock{time.UTC}.time(g.Time)), code(g.Digest)})
	}
	out := section("signatures", "Signatures", "Nobody has signed.", t)
	if len(s.Signatures) == 0 {
		return out
	}
	note := htmlreport.Callout{Tone: htmlreport.Warn, Title: "Not checked", Text: plain("Whether the signatures are those of the parties was not checked when this document was made.")}
	if s.Keys != nil {
		note = htmlreport.Callout{Tone: htmlreport.Good, Title: "Signed by all parties", Text: plain("The signatures were checked with keys of the parties when this document was made.")}
		if err := sealed.Verify(s.Keys); err != nil {
			note = htmlreport.Callout{Tone: htmlreport.Bad, Title: "Not signed by all parties", Text: plain(err.Error())}
		}
	}
	out.Blocks = append([]htmlreport.Block{note}, out.Blocks...)
	return out
}

func (c contract) services() htmlreport.Section {
	s := htmlreport.Section{ID: "services", Title: "Services and their availability (7.2.2.1)"}
	for i, v := range c.a.Services {
		t := htmlreport.Table{Columns: []htmlreport.Column{{Title: "Objective"}, {Title: "Target", Numbers: true, Short: true}, {Title: "Window"}, {Title: "Judged as one", Short: true}, {Title: "How it is reckoned"}}}
		for _, o := range v.Objectives {
			t.Rows = append(t.Rows, []htmlreport.Text{objective(o), plain(percent(o.Target)), plain(window(o.Window)), plain(o.Scope), plain(method(o))})
		}
		sub := section(fmt.Sprintf("service-%d", i), named(v.Title, v.ID), "It has no objectives.", t)
		resources := v.Resources
		if len(resources) == 0 {
			resources = []string{v.ID}
		}
		sub.Blocks = append(telling(facts(htmlreport.Fact{Label: "Service", Value: code(v.ID)},
			htmlreport.Fact{Label: "Resources", Value: codes(resources)}, htmlreport.Fact{Label: "Depends on", Value: codes(v.DependsOn)})), sub.Blocks...)
		s.Sections = append(s.Sections, sub)
	}
	if len(s.Sections) == 0 {
		s.Blocks = append(s.Blocks, htmlreport.Paragraph(plain("No service is named.")))
	}
	return s
}

func objective(o metric.Objective) htmlreport.Text {
	if strings.TrimSpace(o.Title) == "" {
		return code(o.ID)
	}
	return append(plain(o.Title+" "), code(o.ID)...)
}

// named returns a title, or the id where there is none.
func named(title, id string) string {
	if strings.TrimSpace(title) != "" {
		return title
	}
	if strings.TrimSpace(id) != "" {
		return id
	}
	return "Without a name"
}

// mostNames is how many names stand in a line.
const mostNames = 20

func codes(list []string) (t htmlreport.Text) {
	for i, s := range list {
		if i == mostNames {
			return append(t, plain(fmt.Sprintf(" and %s more", grouped(uint64(len(list)-i))))...)
		}
		if i > 0 {
			t = append(t, plain(", ")...)
		}
		t = append(t, code(s)...)
	}
	return t
}

func (c contract) responsibilities() htmlreport.Section {
	t := htmlreport.Table{Caption: "Service model " + string(c.a.Responsibilities.Model),
		Columns: []htmlreport.Column{{Title: "Layer"}, {Title: "Provider", Short: true}, {Title: "Customer", Short: true}, {Title: "What of it"}}}
	for _, l := range responsibility.Layers() {
		var who [2]htmlreport.Text
		var notes []string
		for _, x := range c.a.Responsibilities.Assignments {
			if x.Layer != l {
				continue
			}
			if x.Party != "CSC" {
				who[0] = htmlreport.Mark(htmlreport.Calm, "answers")
			}
			if x.Party != "CSP" {
				who[1] = htmlreport.Mark(htmlreport.Mild, "answers")
			}
			if x.Note != "" {
				notes = append(notes, x.Note)
			}
		}
		if who[0] == nil && who[1] == nil {
			notes = append(notes, "nobody answers for it")
		}
		t.Rows = append(t.Rows, []htmlreport.Text{plain(layers[l]), who[0], who[1], plain(strings.Join(notes, "; "))})
	}
	return section("responsibilities", "Who answers for what (7.1)", "", t)
}

func (c contract) exclusions() htmlreport.Section {
	t := htmlreport.Table{Columns: []htmlreport.Column{{Title: "Rule"}, {Title: "Category", Short: true}, {Title: "What the contract says"}, {Title: "Approved by"},
		{Title: "Told before"}, {Title: "At most at once"}, {Title: "At most a year"}, {Title: "Services"}}}
	for _, x := range c.a.Exclusions {
		services := codes(x.Services)
		if len(x.Services) == 0 {
			services = plain("all")
		}
		t.Rows = append(t.Rows, []htmlreport.Text{code(x.ID), plain(string(x.Category)), plain(x.Text), plain(x.Approver),
			plain(lastsOrNot(x.Notice)), plain(lastsOrNot(x.Longest)), plain(lastsOrNot(x.Yearly)), services})
	}
	return section("exclusions", "Exclusions and disclaimers (7.2.1)", "Nothing is excluded: all time counts.", kept(t, 0, 1, 4, 5, 6))
}

func (c contract) credits() htmlreport.Section {
	s := htmlreport.Section{ID: "credits", Title: "Credits (7.2.1)"}
	for i, x := range c.a.Credits {
		t := htmlreport.Table{Columns: []htmlreport.Column{{Title: "Figure below", Numbers: true, Short: true}, {Title: "Credit of the fee", Numbers: true}}}
		for _, b := range x.Bands {
			t.Rows = append(t.Rows, []htmlreport.Text{plain(percent(b.Below)), plain(percent(b.Credit))})
		}
		sub := section(fmt.Sprintf("credit-%d", i), "Table "+named("", x.ID), "It has no bands.", t)
		limit := "the whole fee"
		if x.Cap.Num() > 0 {
			limit = percent(x.Cap) + " of the fee"
		}
		claim := "none is needed"
		if x.Claim > 0 {
			claim = "within " + lasts(x.Claim) + " after the period"
		}
		if x.Months > 0 {
			claim = "within " + count(x.Months, "month") + " of the calendar after the period"
		}
		sub.Blocks = append(telling(facts(htmlreport.Fact{Label: "Objective", Value: code(x.Objective)}, fact("At most", limit),
			fact("Due when more than", x.Minimum), fact("Rounding of amounts", string(x.Rounding)), fact("Only the greatest of group", x.Group), fact("Claim", claim), fact("Source", x.Source))), sub.Blocks...)
		s.Sections = append(s.Sections, sub)
	}
	if len(s.Sections) == 0 {
		s.Blocks = append(s.Blocks, htmlreport.Paragraph(plain("No credits are agreed.")))
	}
	return s
}

func (c contract) liabilities() htmlreport.Section {
	t := htmlreport.Table{Columns: []htmlreport.Column{{Title: "Party", Short: true}, {Title: "What it answers for"}}}
	for _, l := range c.a.Liabilities {
		t.Rows = append(t.Rows, []htmlreport.Text{plain(party(l.Party)), plain(l.Text)})
	}
	return section("liabilities", "Liabilities (7.2.1)", "No liabilities are agreed.", t)
}

func (c contract) history() htmlreport.Section {
	t := htmlreport.Table{Columns: []htmlreport.Column{{Title: "Version", Numbers: true}, {Title: "Asked by"}, {Title: "Why, and what"}, {Title: "Answer"}, {Title: "Answered by"}, {Title: "From, and to, the terms"}}}
	for _, h := range c.a.History {
		answer := htmlreport.Mark(htmlreport.Neutral, "refused")
		if h.Agreed {
			answer = htmlreport.Mark(htmlreport.Good, "agreed")
		}
		if h.Answer != "" {
			answer = append(answer, plain(" "+h.Answer)...)
		}
		t.Rows = append(t.Rows, []htmlreport.Text{plain(fmt.Sprint(h.Version)), plain(who(party(h.By), h.Person, c.time(h.Time))),
			append(plain(h.Text+" "), codes(h.Paths)...), answer, plain(who(party(h.AnswerBy), h.Answerer, c.time(h.Answered))), codes([]string{h.From, h.To})})
	}
	return section("history", "Negotiation", "It is as it was first offered.", t)
}

func who(party, person, when string) string {
	if person != "" {
		party += ", " + person
	}
	return party + ", " + when
}
