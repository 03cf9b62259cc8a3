package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/cloudopsec/opsec/backup/plan"
	"github.com/cloudopsec/opsec/internal/htmlreport"
)

func (r *Report) strategy() (htmlreport.Section, bool) {
	s := r.Strategy
	if s == nil {
		return htmlreport.Section{}, false
	}
	in, site := s.Incident(), s.Disaster()
	limits := htmlreport.Table{Caption: "Limits", Columns: []htmlreport.Column{{Title: "When"}, {Title: "Span between backups (RPO)"}, {Title: "Lost at most"}, {Title: "Recovered within (RTO)"}}}
	row := func(when string, l plan.Limits) {
		limits.Rows = append(limits.Rows, []htmlreport.Text{plain(when), plain(plan.Period(l.Span)), plain(plan.Period(l.Loss)), plain(plan.Period(l.Time))})
	}
	row("The site stands", in)
	if s.OffSite > 0 {
		row("The site is gone", site)
	}
	regions := "anywhere"
	if !s.SkipRegions {
		regions = strings.Join(s.Regions, ", ")
	}
	encryption := "every copy"
	if s.InsecurePlain {
		encryption = "not asked for"
	}
	points := fmt.Sprint(s.Points)
	if s.Reach > 0 {
		points += ", and " + plan.Period(s.Reach) + " back"
	}
	return htmlreport.Section{ID: "strategy", Title: "Strategy", Blocks: []htmlreport.Block{limits, htmlreport.Facts{
		{Label: "Restore points", Value: plain(points)},
		{Label: "Copies", Value: plain(fmt.Sprintf("%d on the site, %d off it", s.OnSite, s.OffSite))},
		{Label: "Where", Value: plain(regions)},
		{Label: "Encryption", Value: plain(encryption)},
		{Label: "Verified every", Value: plain(plan.Period(s.VerifyEvery))},
		{Label: "Recovery tested every", Value: plain(plan.Period(s.TestEvery))},
	}}}, true
}

func (r *Report) optimum() (htmlreport.Section, bool) {
	if r.Solution == nil {
		return htmlreport.Section{}, false
	}
	if r.Solution.Best == nil {
		return r.infeasible(), true
	}
	best := r.Solution.Best
	s := htmlreport.Section{ID: "optimum", Title: "Cheapest backups that meet it"}
	streams := htmlreport.Table{Caption: "What is backed up", Columns: []htmlreport.Column{{Title: "Option"}, {Title: "Target"}, {Title: "What"}, {Title: "Every", Short: true},
		{Title: "Longest run", Short: true}, {Title: "Full every", Numbers: true}, {Title: "Points", Numbers: true}, {Title: "Stored at most", Numbers: true}, {Title: "Cost a month", Numbers: true}}}
	ways := htmlreport.Table{Caption: "What that gives", Columns: []htmlreport.Column{{Title: "Target"}, {Title: "Where", Short: true}, {Title: "Span", Short: true},
		{Title: "Lost at most", Short: true}, {Title: "Recovered within", Short: true}}}
	parts := htmlreport.Bars{Caption: "A recovery, in minutes"}
	for _, w := range best.Ways {
		ways.Rows = append(ways.Rows, []htmlreport.Text{plain(w.Target), plain(string(w.Site)), plain(plan.Period(w.Span)), plain(plan.Period(w.Loss)), plain(plan.Period(w.Time))})
		for _, st := range w.Streams {
			every := "–"
			if st.Every > 0 {
				every = fmt.Sprint(st.Every)
			}
			streams.Rows = append(streams.Rows, []htmlreport.Text{htmlreport.Code(st.Option), plain(w.Target), plain(string(st.Level)), plain(plan.Period(st.Interval)),
				plain(plan.Period(st.Run)), plain(every), plain(fmt.Sprint(st.Points)), plain(size(st.Stored)), plain(plan.Money(st.Cost))})
		}
		parts.Rows = append(parts.Rows, minutes(w))
	}
	streams.Foot = make([]htmlreport.Text, len(streams.Columns))
	streams.Foot[0], streams.Foot[8] = plain("All"), plain(plan.Money(best.Cost))
	s.Blocks = []htmlreport.Block{streams, ways, parts}
	return s, true
}

// minutes shows what a recovery takes, each part rounded up.
func minutes(w plan.Way) htmlreport.Bar {
	bar := htmlreport.Bar{Label: w.Target}
	for _, p := range w.Parts {
		part := htmlreport.Part{Label: "min " + p.Name, Tone: htmlreport.Neutral}
		if p.Took > 0 {
			part.Count = int((p.Took-1)/time.Minute + 1)
		}
		switch {
		case p.Measured:
			part.Label, part.Tone = part.Label+", as measured", htmlreport.Good
		case strings.HasPrefix(p.Name, "restore"):
			part.Label, part.Tone = part.Label+", as promised", htmlreport.Calm
		case p.Name == "rebuild":
			part.Tone = htmlreport.Mild
		}
		bar.Parts = append(bar.Parts, part)
	}
	return bar
}

func (r *Report) infeasible() htmlreport.Section {
	s := htmlreport.Section{ID: "optimum", Title: "Why nothing meets it"}
	why := r.Solution.Infeasible
	if why == nil {
		return s
	}
	for i, c := range why.Conflicts[:min(len(why.Conflicts), most)] {
		t := htmlreport.Table{Caption: fmt.Sprintf("Conflict %d: these cannot be met together", i+1),
			Columns: []htmlreport.Column{{Title: "Requirement"}, {Title: "Asked"}, {Title: "Nearest"}, {Title: "Would be enough", Short: true}}}
		for _, q := range c {
			enough := plain("no, there are others")
			if q.Enough {
				enough = htmlreport.Mark(htmlreport.Good, "yes")
			}
			t.Rows = append(t.Rows, []htmlreport.Text{htmlreport.Code(q.Name), plain(q.Asked), plain(q.Nearest), enough})
		}
		s.Blocks = append(s.Blocks, t)
	}
	if len(why.Barred) > 0 {
		var list htmlreport.List
		for _, b := range why.Barred {
			list = append(list, plain(b))
		}
		s.Blocks = append(s.Blocks, htmlreport.Paragraph(plain("Options that are of no use:")), list)
	}
	return leftOut(s, len(why.Conflicts))
}

func (r *Report) frontier() (s htmlreport.Section, ok bool) {
	if r.Solution == nil || len(r.Solution.Frontier) == 0 {
		return s, false
	}
	s = htmlreport.Section{ID: "frontier", Title: "What more or less would buy", Blocks: []htmlreport.Block{
		htmlreport.Paragraph(plain(fmt.Sprintf("Of %d ways to back up, no other is as good as one of these in cost, span, loss and recovery.", r.Solution.Ways)))}}
	t := htmlreport.Table{Columns: []htmlreport.Column{{Title: "Cost", Short: true}, {Title: "Span", Short: true}, {Title: "Lost at most", Short: true},
		{Title: "Recovered within", Short: true}, {Title: "With"}, {Title: "Enough", Short: true}}}
	for _, c := range r.Solution.Frontier[:min(most, len(r.Solution.Frontier))] {
		meets := plain("no")
		if c.Meets {
			meets = htmlreport.Mark(htmlreport.Good, "yes")
		}
		var with []string
		for _, w := range c.Ways {
			for _, st := range w.Streams {
				text := st.Option + " every " + plan.Period(st.Interval)
				if st.Every > 1 {
					text += fmt.Sprintf(", full every %d", st.Every)
				}
				with = append(with, text)
			}
		}
		t.Rows = append(t.Rows, []htmlreport.Text{plain(plan.Money(c.Cost) + " a month"), plain(plan.Period(c.Incident.Span)), plain(plan.Period(c.Incident.Loss)),
			plain(plan.Period(c.Incident.Time)), plain(strings.Join(with, "; ")), meets})
	}
	s.Blocks = append(s.Blocks, t)
	return leftOut(s, len(r.Solution.Frontier)), true
}
