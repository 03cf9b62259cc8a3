package document

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/cloudopsec/opsec/calendar"
	"github.com/cloudopsec/opsec/internal/htmlreport"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/response"
)

// clause returns the elements of 7.2.2, each with what is missing of it.
func (c contract) clause() []htmlreport.Section {
	x := c.a.Clause
	element := func(id, title string, missing bool, blocks func() []htmlreport.Block) htmlreport.Section {
		s := htmlreport.Section{ID: id, Title: title}
		if missing {
			s.Blocks = append(s.Blocks, absent("The whole element"))
			return s
		}
		s.Blocks = telling(blocks()...)
		return s
	}
	return []htmlreport.Section{
		element("continuity", "Business continuity (7.2.2.1)", x.Continuity == nil, func() []htmlreport.Block {
			return []htmlreport.Block{facts(fact("Against disasters", x.Continuity.Disaster)), targets("Average recovery time", x.Continuity.Recovery)}
		}),
		element("data", "Protection of data (7.2.2.2)", x.Data == nil, func() []htmlreport.Block { return c.data(x.Data) }),
		element("emergency", "Emergency response (7.2.2.3)", x.Emergency == nil, func() []htmlreport.Block {
			return []htmlreport.Block{facts(fact("Hotline", x.Emergency.Hotline), fact("Hours", hours(x.Emergency.Hours))), targets("Indicators", x.Emergency.Targets)}
		}),
		element("measures", "Security measures (7.2.2.4)", x.Measures == nil, func() []htmlreport.Block {
			m := x.Measures
			return []htmlreport.Block{statements("Seven measures", []stated{
				{"Virtualization", m.Virtualization}, {"Isolation of networks and domains", m.Isolation}, {"Privileged access", m.Privileged},
				{"Authentication", m.Authentication}, {"Network traffic", m.Traffic}, {"Malware", m.Malware}, {"Patches", m.Patches},
			})}
		}),
		element("audit", "Security audit (7.2.2.5)", x.Audit == nil, func() []htmlreport.Block {
			return []htmlreport.Block{facts(fact("Every", lastsOrNot(x.Audit.Every)), fact("By", x.Audit.By),
				fact("Of", strings.Join(x.Audit.Scope, ", ")), fact("Results are visible", x.Audit.Visible))}
		}),
		element("monitoring", "Security monitoring (7.2.2.6)", x.Monitoring == nil, func() []htmlreport.Block {
			t := htmlreport.Table{Caption: "What is monitored", Columns: []htmlreport.Column{{Title: "Object"}, {Title: "Trigger"}, {Title: "Severity", Short: true}}}
			for _, o := range x.Monitoring.Objects {
				t.Rows = append(t.Rows, []htmlreport.Text{plain(o.Object), plain(o.Trigger), severity(o.Severity)})
			}
			return []htmlreport.Block{facts(fact("Customers are told by", strings.Join(x.Monitoring.Modes, ", ")), fact("Customers' own monitoring", x.Monitoring.Self)),
				t, targets("Time until the customer is told", x.Monitoring.Notification)}
		}),
		element("certification", "Security certification (7.2.2.7)", x.Certification == nil, func() []htmlreport.Block {
			t := htmlreport.Table{Caption: "Certificates", Columns: []htmlreport.Column{{Title: "Certificate"}, {Title: "Issuer"}, {Title: "Scope"}, {Title: "Until", Short: true}}}
			for _, h := range x.Certification.Held {
				t.Rows = append(t.Rows, []htmlreport.Text{plain(h.Name), plain(h.Issuer), plain(h.Scope), plain(c.time(h.Expires))})
			}
			return []htmlreport.Block{t, statements("Staff", []stated{{"Training", x.Certification.Training}})}
		}),
		element("documents", "Security documents (7.2.2.8)", x.Documents == nil, func() []htmlreport.Block {
			return []htmlreport.Block{facts(htmlreport.Fact{Label: "Where", Value: place(x.Documents.Where)}, fact("Which", strings.Join(x.Documents.List, ", ")),
				fact("As", strings.Join(x.Documents.Formats, ", ")), fact("Kept for", lastsOrNot(x.Documents.Keep)))}
		}),
	}
}

// place leads to an address, and says the host; on paper the address stands beside it. What may not be linked to is said as it is.
func place(where string) htmlreport.Text {
	if u, err := url.Parse(where); err == nil && u.Host != "" && u.User == nil && htmlreport.Linked(where) {
		return htmlreport.Link(u.Host, where)
	}
	return plain(where)
}

func absent(what string) htmlreport.Callout {
	return htmlreport.Callout{Tone: htmlreport.Bad, Title: "Missing", Text: plain(what + " is not agreed.")}
}

func (c contract) data(d *sla.Data) (list []htmlreport.Block) {
	list = append(list, statements("Measures", []stated{
		{"Physical security of storage", d.Physical}, {"Storage media", d.Medium}, {"Access to data", d.Access}, {"Audit of operations on data", d.Operations},
	}))
	t := htmlreport.Table{Caption: "Encryption", Columns: []htmlreport.Column{{Title: "Data"}, {Title: "While", Short: true}, {Title: "Algorithm"}, {Title: "Keys of"}}}
	for _, e := range d.Encryption {
		how := plain(e.Algorithm)
		if e.Algorithm == "" {
			how = append(htmlreport.Mark(htmlreport.Warn, "not encrypted"), plain(" "+e.Protection)...)
		} else if e.Protection != "" {
			how = append(how, plain("; "+e.Protection)...)
		}
		t.Rows = append(t.Rows, []htmlreport.Text{plain(e.Data), plain(strings.ReplaceAll(string(e.Phase), "-", " ")), how, plain(e.KeyOwner)})
	}
	list = append(list, kept(t, 1, 3))
	if i := d.Isolation; i != nil {
		list = append(list, facts(fact("Isolation of customers", i.Kind+": "+i.Text)))
	} else {
		list = append(list, absent("Isolation of customers' data"))
	}
	if x := d.Deletion; x != nil {
		list = append(list, facts(fact("Deletion", x.Method), fact("Deleted within", lastsOrNot(x.Within)), fact("Before the resource is another's", yes(x.BeforeReuse)), fact("Certificate of deletion", yes(x.Certificate))))
	} else {
		list = append(list, absent("Deletion of data"))
	}
	if b := d.Backup; b != nil {
		rpo := ""
		if b.RPO != nil {
			rpo = lasts(*b.RPO)
		}
		list = append(list, facts(fact("Backup: lost at most (RPO)", rpo), fact("Back within (RTO)", lastsOrNot(b.RTO)), fact("Kept for", lastsOrNot(b.Retention)),
			fact("Copies", fmt.Sprintf("%d on site, %d off site", b.OnSite, b.OffSite)), fact("Recovery is tested every", lastsOrNot(b.TestEvery))))
	} else {
		list = append(list, absent("Backup"))
	}
	for _, l := range d.Compliance {
		keep := ""
		if l.KeepLeast != nil {
			keep = lasts(*l.KeepLeast) + " at least"
		}
		if l.KeepMost != nil {
			keep = strings.TrimPrefix(keep+", "+lasts(*l.KeepMost)+" at most", ", ")
		}
		list = append(list, htmlreport.Table{Caption: "Compliance with the law of " + l.Law, Columns: []htmlreport.Column{{Title: "Of"}, {Title: "What is done"}},
			Rows: rows([2]string{"Collection", l.Collection}, [2]string{"Transfer", l.Transfer}, [2]string{"Handling", l.Handling}, [2]string{"Storage", l.Storage},
				[2]string{"Destruction", l.Destroying}, [2]string{"Correction", l.Correction}, [2]string{"Retention", keep})})
	}
	return list
}

// rows leaves out those without a value.
func rows(list ...[2]string) (out [][]htmlreport.Text) {
	for _, r := range list {
		if r[1] != "" {
			out = append(out, []htmlreport.Text{plain(r[0]), plain(r[1])})
		}
	}
	return out
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// stated is a measure under its name.
type stated struct {
	name string
	*sla.Statement
}

func statements(caption string, list []stated) htmlreport.Table {
	t := htmlreport.Table{Caption: caption, Columns: []htmlreport.Column{{Title: "Measure"}, {Title: "What is done"}, {Title: "Controls"}, {Title: "How it can be checked"}, {Title: "Times"}}}
	for _, s := range list {
		row := []htmlreport.Text{plain(s.name), htmlreport.Mark(htmlreport.Bad, "missing"), nil, nil, nil}
		if s.Statement != nil {
			var times []string
			if s.Within != nil {
				times = append(times, "within "+lasts(*s.Within))
			}
			if s.Interval > 0 {
				times = append(times, "every "+lasts(s.Interval))
			}
			text := plain(s.Text)
			if len(s.Scope) > 0 {
				text = append(text, plain(" Covers "+strings.Join(s.Scope, ", ")+".")...)
			}
			row = []htmlreport.Text{plain(s.name), text, plain(strings.Join(s.Controls, ", ")), plain(s.Evidence), plain(strings.Join(times, ", "))}
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func targets(caption string, list []response.Target) htmlreport.Block {
	if len(list) == 0 {
		return absent(caption)
	}
	t := htmlreport.Table{Caption: caption, Columns: []htmlreport.Column{{Title: "Target"}, {Title: "Time of"}, {Title: "Promised"}, {Title: "Of severity", Short: true}, {Title: "Counted on"}}}
	for _, x := range list {
		on := "all hours"
		if x.Hours != nil {
			on = hours(*x.Hours)
		} else if x.Measure == response.Acceptance || x.Measure == response.Troubleshooting {
			on = "the hours of the hotline"
		}
		of := severity(x.Severity)
		if of == nil {
			of = plain("all")
		}
		t.Rows = append(t.Rows, []htmlreport.Text{code(x.ID), plain(measures[x.Measure]), plain(promised(x)), of, plain(on)})
	}
	return kept(t, 0)
}

func hours(p calendar.Policy) string {
	var parts []string
	for _, s := range p.Hours {
		parts = append(parts, s.String())
	}
	text := strings.Join(parts, ", ")
	if p.Zone != "" {
		text += ", " + p.Zone
	}
	if len(p.Holidays) > 0 {
		text += ", " + count(len(p.Holidays), "holiday")
	}
	return text
}
