// Package document shows agreements, reports and comparisons to people: as HTML that stands alone, as Markdown and as JSON, and serves
// them to those who may read them.
//
// # Recommendation
//
// ITU-T X.1642, clause 7.2.2.8: security documents can be viewed and downloaded from the provider's portal ([Portal]). Clause 7.2.1: terms
// can be assessed and compared by customers ([Agreement], [Comparison]). Clauses 7.2.2.1, 7.2.2.3 and 7.2.2.6: availability, recovery,
// response and notification, as they were ([Report]); 7.2.2.2: recovery points of backups, likewise.
//
// # Ten lines
//
//	d, err := document.Agreement{Agreement: a, Signatures: signatures, Keys: keys}.Document()
//	err = d.HTML(w)                                                          // or d.Markdown, d.JSON
//
//	month := document.Report{Report: r, Agreement: a, Incidents: incidents}   // what recompute.Compute was given and made
//	d, err = month.Provider()                                                // all of it
//	d, err = month.Customer(document.Customer{Tenant: "acme", Owns: owns})   // what concerns acme
//
//	for _, x := range comparison.Compare(a, b) {
//		rows = append(rows, document.Row{Path: x.Path, Clause: x.Clause, Verdict: string(x.Verdict), A: x.A, B: x.B, Reason: x.Reason})
//	}
//	d, err = document.Comparison{A: document.Side{Name: "Offer 1"}, B: document.Side{Name: "Offer 2"}, Rows: rows}.Document()
//
//	err = shelf.Put("acme", "report-2026-03", d)
//	h, err := document.Portal{Shelf: &shelf, Authorizer: authorizer, Who: who}.Handler()   // of net/http
//
// # Promises
//
// The same source gives the same bytes: there is no clock here. A report is shown only beside the agreement, and with the incidents, that
// it cites by digest. What is not known is as loud as what is bad; a chart is never the only place of a number. Figures are rounded down,
// so that what missed a target does not look as if it had reached it. Tables end after a number of rows and say how many they leave out.
//
// The HTML has no script and loads nothing. Texts are shown as texts, whatever is in them. It is for screens from 400 px on, light and
// dark, and for paper; tests in Chromium, with axe-core, look at all of that.
//
// A customer's document, JSON included, names no resource and no source of backups but those that [Customer].Owns says are its own:
// without Owns there are none.
// Who approved an exclusion is told by role. It cites the digest of the whole report, so that both parties can tell that they speak of one.
//
// # What it will not do
//
// Find what a text, such as the reason of an exclusion, says of another customer or of people: [Customer].Withhold is for those who can.
// Numbers are those of the agreement, of all the resources that it covers, whoever's they are. Prove that a signature is a party's: it is
// told whose the keys are. Store: a [Shelf] is what a store has to be; [Memory] forgets. Record who has read: an [opsec.Authorizer] is
// asked each time, and can.
package document
