package report

import (
	"slices"

	"github.com/cloudopsec/opsec/backup/plan"
	"github.com/cloudopsec/opsec/backup/recovery"
	"github.com/cloudopsec/opsec/internal/htmlreport"
)

func (r *Report) tests() (s htmlreport.Section, ok bool) {
	s = htmlreport.Section{ID: "tests", Title: "Recovery tests"}
	if len(r.Tests) == 0 {
		s.Blocks = []htmlreport.Block{htmlreport.Callout{Tone: htmlreport.Unknown, Title: "No recovery was tested", Text: plain("Whether anything can be restored is not known.")}}
		return s, len(r.Exposure) > 0 // what is there was given
	}
	list := slices.Clone(r.Tests)
	slices.SortStableFunc(list, func(a, b plan.ObservedTest) int { return b.At.Compare(a.At) })
	t := htmlreport.Table{Columns: []htmlreport.Column{{Title: "Test", Short: brief(list, func(o plan.ObservedTest) string { return o.ID })},
		{Title: "Point", Short: brief(list, func(o plan.ObservedTest) string { return o.Point })}, {Title: "What", Short: true}, {Title: "From", Short: true}, {Title: "Ended", Short: true},
		{Title: "Took", Short: true}, {Title: "Result", Short: true}}}
	passed := 0
	for _, o := range list {
		if o.Passed {
			passed++
		}
	}
	s.Blocks = []htmlreport.Block{htmlreport.Paragraph(plain("The next recovery succeeds, as far as the tests are alike: " + recovery.OddsOf(passed, len(list)-passed).String() + "."))}
	for _, o := range list[:min(most, len(list))] {
		result := htmlreport.Mark(htmlreport.Good, "passed")
		if !o.Passed {
			result = htmlreport.Mark(htmlreport.Bad, "failed")
		}
		t.Rows = append(t.Rows, []htmlreport.Text{htmlreport.Code(o.ID), htmlreport.Code(o.Point), plain(string(o.Level)), plain(string(o.Site)), plain(instant(o.At)), plain(plan.Period(o.Took)), result})
	}
	s.Blocks = append(s.Blocks, t)
	return leftOut(s, len(list)), true
}
