// Package report writes what an audit found, for those who ask: management, auditors, and each customer concerned.
//
// # Recommendation
//
// ITU-T X.1642, 7.2.2.5: the results of regular audits are visible to the customers concerned; 8.11.1: audit activities are
// recorded in full; 7.2.2.7: the certificates that a provider holds.
//
// # Most of what you need
//
//	doc, err := report.View(report.Source{Audit: a, Catalogue: catalogue.X1642(), At: now}, report.Management)
//	err = report.HTML(w, doc)                                    // or report.Markdown
//	doc, err = report.View(source, report.Tenant("acme"))        // what concerns acme, and nothing of anybody else
//
// # What each sees
//
// Management: on the first page what was audited, the results in numbers, the gravest findings and what is overdue; then
// all findings, actions, team and plan. Auditors: everything, with the digests of all evidence, and how to draw the samples
// again. A customer: title, objectives and period, the team by function, the results of its own items, those of the
// provider's own controls as counts, the findings that name it with what is done about them, and the certificates; results
// and findings only once they are issued.
//
// A customer is not told who is on the team. What it is owed is that the team was complete and nobody on it was partial:
// the functions and the lead show that. A name adds nothing to it, is personal data, and tells whoever wants to lean on an
// auditor whom to call.
//
// # What a customer's report does not contain
//
// First everything that is another's is left out by structure; see [Share]. Then each text that is left, from whomever it
// is, is withheld as a whole, with a note that says so, when it mentions another customer: the id of one, or of one of its
// items.
//
// A text mentions a term when it contains it, whatever the case of letters, the width of spaces, and marks or characters
// that do not show; also when it does so only after HTML's character references in it are resolved. Two things do not
// count. A term of less than four characters has to stand alone, between characters that are neither letters nor digits:
// as "eu" does in "the eu region" and not in "queue". And what is part of the customer's own id is no mention of another's:
// "acme" in the id "acme-eu" of the customer whom the report is for; nor is another's item part of its own item, "vol-1" in
// "vol-10", or of the same name. Another's id in the name of its own item is a mention.
//
// So a customer whose id is a word such as "backup" costs all others the texts in which that word stands. That is meant:
// nobody can tell there whether the customer is meant, and a text too few is the smaller harm. The words of the form
// itself, headings and statuses, are the same in every report and tell nothing.
//
// # Promises
//
// The same source gives the same bytes; there is no clock here. What was not tested is shown as loudly as what failed, and
// counted on its own. Sums are sums of what is shown. The HTML is one file without scripts that loads nothing.
//
// # What it will not do
//
// Judge: there is no mark for the whole, only counts. Find what a text says of another customer without naming it. Tell two
// spellings of one letter (precomposed or with a combining mark) to be the same. Deliver the reports, or decide who may
// read one.
package report
