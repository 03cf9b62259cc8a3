// Package claim holds what an agreement says of security beside what others state: that data really is encrypted, that backups
// really are made and can be restored, that patches come in time, that data is gone when it should be, that audits were held,
// certificates are valid and documents can be had. It is values and a function of them: no clock, no store.
//
// # Recommendation
//
// ITU-T X.1642, clause 7.2.1: the terms of the security clause are measurable and can be assessed; 7.2.2.2, 7.2.2.4, 7.2.2.5,
// 7.2.2.7 and 7.2.2.8: the elements whose promises are looked at here. Availability and times of response (7.2.2.1, 7.2.2.3,
// 7.2.2.6) are for package recompute.
//
// # Ten lines
//
//	r, err := claim.Check(ctx, agreement, claim.Sources{
//		Encryption: census,                       // of yours: an interface of one method
//		Backups:    catalogue,
//		Patches:    claim.List[claim.Patch]{{ID: "CVE-2026-1234", Released: released, Applied: applied, Evidence: digest}},
//	}, from, until, asOf)
//	for _, p := range r.Promises {
//		fmt.Println(p.Path, p.Verdict)            // clause.measures.patches.within breach
//		for _, f := range p.Findings {
//			fmt.Println(f.Subject, f.Text, f.Evidence)
//		}
//	}
//
// # Promises
//
// Every promise that can be looked at has a verdict. It is met only when somebody has stated so, with evidence that is
// cited; nobody's statement is no statement, and leaves it undecided: that there was nothing to delete or to patch a [Proof] says.
// A statement holds until it was seen, and what came later is not known; nor is what lies after as-of: a promise for all of a
// period is not met before its end. Where statements contradict one another, the worse one counts. Exactly in time is in time;
// where lengths of time are added up, moments are taken to the millisecond. The order in which statements come does not matter.
//
// # What it will not do
//
// Believe texts: what an agreement says in words alone is shown by a [Proof], somebody's look at it. Look at evidence: it
// cites it, and a source that reads what others have signed checks the signatures. Find systems that no statement is about. Take
// a statement without evidence, of another's tenant, or of what came after it was seen: it is an error.
package claim
