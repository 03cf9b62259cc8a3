// Package dataaccess audits what a provider's operators do with customers' data: who took unusually much, at unusual
// hours, from unusually many customers, without a purpose or without the customer's consent. What it finds stays open
// until an auditor has judged it whose qualification is on record, and who has nothing to do with the operator.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 7.2.2.2, item 8: operations on customers' data are audited, abnormal ones detected,
// and the auditor is certified to be qualified.
//
// # In short
//
//	policy := dataaccess.Policy{Hours: map[string]calendar.Policy{"": office}}
//	norms, err := policy.Norms(lastQuarter)                         // what is usual for each duty
//	sorted, err := dataaccess.Sort(accesses, dataaccess.SortOptions{}) // from a log, in any order
//	defer sorted.Close()
//	var summary dataaccess.Summary
//	found := policy.Examine(ctx, dataaccess.Sources{
//		Accesses: sorted.Accesses(), Directory: tickets, Norms: norms, Since: monday, Summary: &summary,
//	})
//	for f, err := range found {
//		c, event, err := dataaccess.OpenCase(f, time.Now())             // save c, record event
//	}
//	...
//	c, event, err := c.Judge(ctx, dataaccess.Judgement{
//		Verdict: dataaccess.Justified, By: auditor, Reason: "restored a volume, ticket 4711",
//	}, certificates, lines, time.Now())                             // save c, record event, whatever err is
//
// # What is unusual
//
// Volume is counted by operator and day, in records and in bytes. A day is compared with three things. The operator's own
// days before: more than the median of the last 90 days that had any access, plus six times their median absolute
// deviation. The peers of the same duty: more than three times the busiest day of the median peer, from [Norms]; there
// each operator counts once, so that one of many cannot shift it. And a ceiling that holds for everybody. All of it is
// integers. A day that stands out enters the history cut down to what would have been usual, so that a thief does not
// become the norm within a few days.
//
// # Promises
//
// Memory does not grow with the number of accesses or operators. What could not be tested, because a directory did not
// answer, the history is too short or there are too few peers, is said: [Untested] is a finding of its own, which
// somebody has to judge, and [Summary] names the kinds that were not, or not for all, looked at. A finding names one
// customer, or none; what concerns several is the provider's.
//
// # What it will not do
//
// Notice an access that no row tells of. Know who is behind an account, who holds a certificate and who reports to whom:
// the caller's [Qualifications] and [Lines] say so. Excuse an emergency: an access without consent is found, and an
// auditor says that it was justified.
package dataaccess
