// Package htmlreport writes reports for people: one model of headings, texts, tables and charts, as an HTML page that
// stands alone, and as Markdown.
//
//	page := &htmlreport.Page{Title: "Backups of May", Sections: []htmlreport.Section{{
//		ID: "results", Title: "Results",
//		Blocks: []htmlreport.Block{htmlreport.Paragraph{htmlreport.Plain("All of them can be restored.")}},
//	}}}
//	err := page.HTML(w) // or page.Markdown(w)
//
// The HTML has no script and asks for nothing: its Content-Security-Policy allows its own style sheet, by digest, and
// nothing else. It is readable on a screen of 400 px, in the dark and on paper. Every text is escaped, in both forms, and
// control characters and what turns the direction of text are replaced. The same page gives the same bytes.
//
// A chart is never the only place of a number: the numbers stand beside it as text, and so they do in Markdown.
package htmlreport
